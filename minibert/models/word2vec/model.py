"""word2vec: skip-gram and CBOW, with three ways to score a guess.

Mikolov et al. (2013a), "Efficient Estimation of Word Representations in Vector Space",
arXiv:1301.3781, has the two models and the hierarchical softmax; Mikolov et al. (2013b),
"Distributed Representations of Words and Phrases and their Compositionality", arXiv:1310.4546, has
negative sampling and the subsampling of frequent words. This is the readable version; `learn`
trains with the quick one in `minibert.models.word2vec.fast` where it can.
"""

import difflib
import heapq
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from minibert.models.outputs import ModelOutput
from minibert.models.word2vec import fast as sgns
from minibert.storage.checked import check_settings
from minibert.text.inputs import check_ids, whole_mask
from minibert.text.windows import WindowBatches, known_words, word_counts
from minibert.training.optim import linear
from minibert.training.progress import Progress, quiet

MODES, LOSSES = ("skipgram", "cbow"), ("negative", "hierarchical", "full")


@dataclass
class Word2VecConfig:
    """``mode``: guess the context from the centre ("skipgram") or the centre from its context
    ("cbow"). ``loss``: "negative" sampling, "hierarchical" or "full" softmax. ``negatives``: noise
    words a pair. ``power``: exponent on the counts of the noise distribution. ``subsample``: the
    relative frequency t above which words are thinned out; 0 keeps all. ``window``: the largest
    distance; each centre draws its own from 1 to ``window``, so that near words count more.
    """

    vocab_size: int
    dim: int = 100
    window: int = 5
    mode: str = "skipgram"
    loss: str = "negative"
    negatives: int = 5
    power: float = 0.75
    subsample: float = 1e-3

    def __post_init__(self):
        positive = ("vocab_size", "dim", "window", "negatives")
        check_settings(self, known={"mode": MODES, "loss": LOSSES}, positive=positive)
        if self.subsample < 0:
            raise ValueError(f"subsample must not be negative, got {self.subsample}")


class Word2Vec(nn.Module):
    """Two tables of vectors: ``input`` for the words that guess, ``output`` for those guessed.

    ``vocab``: a `minibert.text.Vocab`; needed to ask by word, and its counts for the noise and the
    tree. ``input`` may be replaced by any module from ids to vectors, (batch, width) ->
    (batch, width, dim).
    """

    def __init__(self, config, vocab=None):
        super().__init__()
        if vocab is not None and len(vocab) != config.vocab_size:
            raise ValueError(
                f"expected a vocabulary of vocab_size={config.vocab_size} words, got {len(vocab)}"
            )
        self.config, self.vocab = config, vocab
        counts = np.zeros(config.vocab_size) if vocab is None else word_counts(vocab)
        counts = counts if counts.any() else counts + 1  # nothing is known: all alike
        self.input = nn.Embedding(config.vocab_size, config.dim)
        self.output = nn.Embedding(config.vocab_size, config.dim)
        nn.init.uniform_(self.input.weight, -0.5 / config.dim, 0.5 / config.dim)
        nn.init.zeros_(self.output.weight)
        noise = torch.as_tensor(counts**config.power * (counts > 0)).float()  # (V,)
        self.register_buffer("noise", noise / noise.sum().clamp(min=1e-9), persistent=False)
        if config.loss == "hierarchical":
            for name, table in zip(("nodes", "turns"), _padded(huffman(counts)), strict=True):
                self.register_buffer(name, table, persistent=False)  # (V, longest path) each

    @classmethod
    def from_pretrained(cls, source, limit=None, errors="strict"):
        """Read a model: a folder, a file of word vectors, or a bundled or published name.

        Files: word2vec's text and binary formats, GloVe's, fastText's ``.vec``, also ``.gz`` and
        ``.xz``. ``limit``: the first so many vectors alone; ``errors``: for words that are not
        UTF-8; see `minibert.models.word2vec.vectors.read`. Raises FileNotFoundError or ValueError.
        """
        from minibert.models.word2vec import files as word2vec

        return word2vec.load(source, limit, errors)

    def save_pretrained(self, folder):
        """Write a folder that `from_pretrained` reads; raises ValueError without a vocabulary."""
        from minibert.models.word2vec import files as word2vec

        word2vec.save(self, folder)

    def forward(self, input_ids, attention_mask=None):
        """Look words up: (batch, length) -> `ModelOutput` with (batch, length, dim).

        The mask is accepted, as by every model, and changes nothing: a word's vector is the same
        in every context.
        """
        whole_mask(input_ids, attention_mask)
        check_ids(input_ids, self.config.vocab_size)
        vectors = self.input(input_ids)
        return ModelOutput(last_hidden_state=vectors, hidden_states=(vectors,))

    def loss(self, batch):
        """(sum of the losses in nats, number of guesses) of a batch of `WindowBatches`.

        ``input_ids``: (batch, width), the centre alone or the context, with ``attention_mask`` of
        the same shape; ``targets``: (batch,). ``negatives``: (batch, k), drawn here when absent.
        """
        mask = whole_mask(batch["input_ids"], batch["attention_mask"])
        mask = mask.unsqueeze(-1).float()  # (batch, width, 1)
        vectors = self.input(batch["input_ids"]) * mask  # (batch, width, dim)
        hidden = vectors.sum(1) / mask.sum(1)  # (batch, dim): the mean; with one word, its vector
        score = {
            "negative": self.negative_sampling,
            "hierarchical": self.hierarchical_softmax,
            "full": self.full_softmax,
        }[self.config.loss]
        return score(hidden, batch["targets"], batch.get("negatives")), len(hidden)

    def negative_sampling(self, hidden, targets, negatives=None):
        """Equation 4 of 2013b; a noise word that is the target itself counts for nothing."""
        if negatives is None:
            shape = (len(targets), self.config.negatives)
            drawn = torch.multinomial(self.noise, shape[0] * shape[1], replacement=True)
            negatives = drawn.view(shape)  # (batch, k)
        positive = (self.output(targets) * hidden).sum(-1)  # (batch,)
        noise = torch.einsum("bkd,bd->bk", self.output(negatives), hidden)  # (batch, k)
        real = negatives != targets.unsqueeze(1)
        return -F.logsigmoid(positive).sum() - (F.logsigmoid(-noise) * real).sum()

    def hierarchical_softmax(self, hidden, targets, negatives=None):
        """Equation 3 of 2013b: one sigmoid at each inner node on the way to the target."""
        nodes, turns = self.nodes[targets], self.turns[targets]  # (batch, path)
        scores = torch.einsum("bpd,bd->bp", self.output(nodes.clamp(min=0)), hidden)
        signs = 1 - 2 * turns.float()  # turn 0 wants a high score, turn 1 a low one
        return -(F.logsigmoid(signs * scores) * (nodes >= 0)).sum()

    def full_softmax(self, hidden, targets, negatives=None):
        """Equation 2 of 2013b: every word of the vocabulary is scored."""
        logits = hidden @ self.output.weight.T  # (batch, dim) @ (dim, V) -> (batch, V)
        return F.cross_entropy(logits, targets, reduction="sum")

    @property
    def vectors(self):
        """The input vectors, (V, dim), detached."""
        every = torch.arange(self.config.vocab_size, device=self.output.weight.device)
        return self.input(every).detach()

    def vector(self, word):
        """The vector of one word, (dim,). Raises ValueError, with close spellings, if unknown."""
        return self.vectors[self._id(word)]

    def similarity(self, a, b):
        """The cosine of two words."""
        return float(F.cosine_similarity(self.vector(a), self.vector(b), dim=0))

    def neighbours(self, query, k=10, exclude=()):
        """The ``k`` nearest words to a word or to a vector (dim,): (word, cosine), best first."""
        if isinstance(query, str):
            query, exclude = self.vector(query), (query, *exclude)
        scores = F.normalize(self.vectors, dim=1) @ F.normalize(query, dim=0)  # (V,)
        vocab = self._named()
        left_out = [self._id(word) for word in (*exclude, *vocab.specials)]
        scores[left_out] = -torch.inf
        best = scores.topk(min(k, len(scores) - len(set(left_out))))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [(vocab.tokens[i], score) for i, score in pairs]

    def analogy(self, a, b, c, k=5):
        """``a`` is to ``b`` as ``c`` is to ...: the ``k`` best words, (word, cosine).

        3CosAdd: nearest to b - a + c, each of length one; the three words are left out.
        """
        a_, b_, c_ = (F.normalize(self.vector(word), dim=0) for word in (a, b, c))
        return self.neighbours(b_ - a_ + c_, k, exclude=(a, b, c))

    def _named(self):
        """The vocabulary; raises ValueError without one."""
        if self.vocab is None:
            raise ValueError("this model has no vocabulary: give one, Word2Vec(config, vocab)")
        return self.vocab

    def _id(self, word):
        vocab = self._named()
        if word not in vocab:
            close = difflib.get_close_matches(str(word), vocab.tokens, 3)
            hint = f"; close spellings: {', '.join(close)}" if close else ""
            raise ValueError(f"{word!r} is not among the {len(vocab)} words{hint}")
        return vocab[word]


def huffman(counts):
    """A Huffman tree: frequent words get short paths from the root.

    ``counts``: (V,). Returns, for each word, the inner nodes from the root down (numbers below
    V - 1) and the turns taken there (0 or 1), as two lists of V lists.
    """
    heap = [(int(count), word) for word, count in enumerate(counts)]
    heapq.heapify(heap)
    parent, turn, made = {}, {}, len(heap)
    while len(heap) > 1:
        (low, left), (high, right) = heapq.heappop(heap), heapq.heappop(heap)
        parent[left] = parent[right] = made
        turn[left], turn[right] = 0, 1
        heapq.heappush(heap, (low + high, made))
        made += 1
    nodes, turns = [], []
    for word in range(len(counts)):
        path, at = [], word
        while at in parent:
            path.append((parent[at] - len(counts), turn[at]))
            at = parent[at]
        nodes.append([node for node, _ in reversed(path)])
        turns.append([bit for _, bit in reversed(path)])
    return nodes, turns


def _padded(paths):
    """Two lists of paths as (V, longest) tensors; -1 where a path has ended."""
    longest = max(len(path) for path in paths[0])
    return [torch.tensor([row + [-1] * (longest - len(row)) for row in rows]) for rows in paths]


def learn(
    model,
    sentences,
    epochs=5,
    rate=None,
    *,
    workers=1,
    seed=0,
    snapshots=None,
    progress=True,
    checkpoint=None,
):
    """Train a `Word2Vec` on sentences (strings or lists of tokens); returns a `History`.

    Skip-gram with negative sampling over a plain input table goes the fast way,
    `minibert.models.word2vec.fast`, which says in what it differs; everything else goes through
    `minibert.fit` with Adam. ``rate``: the first learning rate, 0.05 for the fast way and 0.003 for
    the other; it falls in a straight line to almost nothing. ``workers``: threads of the fast way;
    with one, the same seed gives the same vectors. The seed rules the order and the noise; the
    initial vectors are drawn when the model is made. ``snapshots``: a list that receives about 24
    pairs (step, copy of the vectors). ``checkpoint``: a folder that Ctrl-C saves in before it is
    raised again; the same call goes on from there (exactly with one worker).

    The fast way trains on the CPU or wherever the model is. Raises ValueError where no word of the
    sentences is in the model's vocabulary.
    """
    callbacks = [Snapshots(snapshots)] if snapshots is not None else []
    if sgns.suits(model):
        if checkpoint:
            from minibert.training.resume import GoesOn

            callbacks.append(GoesOn(checkpoint))
        callbacks += [Progress()] if progress and not quiet() else []
        ids, sentence = known_words(model._named(), sentences)
        return sgns.train(model, ids, sentence, epochs, rate or 0.05, workers, seed, callbacks)
    from minibert.training.loop import fit  # slow to import, and not needed to read or use vectors

    batches = WindowBatches.of(model, sentences, seed=seed)
    guesses = epochs * len(batches.ids) * (model.config.window if batches.mode != "cbow" else 1)
    batches.batch_size = min(4096, max(64, guesses // 1000))  # at least a thousand steps or so
    return fit(
        model,
        batches,
        epochs=epochs,
        optimizer=torch.optim.Adam(model.parameters(), lr=rate or 3e-3),
        schedule=linear(epochs * len(batches), floor=1e-4),
        callbacks=callbacks,
        clip=None,
        progress=progress,
        checkpoint=checkpoint,
        reraise=checkpoint is not None,
    )


class Snapshots:
    """A callback that puts (step, copy of the vectors) into a list, about ``count`` times."""

    def __init__(self, kept, count=24):
        self.kept, self.count = kept, count

    def on_start(self, run):
        self._keep(run)

    def on_step(self, run):
        if run.step * self.count >= len(self.kept) * run.steps:
            self._keep(run)

    def on_end(self, run):
        if run.step > self.kept[-1][0]:
            self._keep(run)

    def _keep(self, run):
        self.kept.append((run.step, run.model.vectors.cpu()))
