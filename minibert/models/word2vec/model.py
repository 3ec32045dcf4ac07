"""word2vec: skip-gram and CBOW, with three ways to score a guess.

Mikolov et al. (2013a), arXiv:1301.3781, has the two models and the hierarchical softmax; Mikolov et
al. (2013b), arXiv:1310.4546, negative sampling and the subsampling of frequent words. This is the
readable version; `learn` trains with `minibert.models.word2vec.fast` where it can.
"""

import difflib
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.models.base import Ids, Pretrained, Real, check_vocab
from minibert.models.outputs import Loss, ModelOutput
from minibert.models.softmax import check_scores
from minibert.models.word2vec import fast as sgns
from minibert.storage.checked import check_settings
from minibert.text.batches import Batch
from minibert.text.inputs import check_ids, whole_mask
from minibert.text.vocab import Vocab
from minibert.text.windows import WindowBatches, known_words, word_counts
from minibert.training.history import History
from minibert.training.optim import linear
from minibert.training.progress import Progress, quiet

if TYPE_CHECKING:
    from minibert.training.run import Run

Hidden = Float[Tensor, "batch dim"]
Targets = Int[Tensor, " batch"]
Noise = Int[Tensor, "batch k"] | None
Sum = Float[Tensor, ""]
Paths = list[list[int]]
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
    _: KW_ONLY
    loss: str = "negative"
    negatives: int = 5
    power: float = 0.75
    subsample: float = 1e-3

    def __post_init__(self) -> None:
        positive = ("vocab_size", "dim", "window", "negatives")
        check_settings(self, known={"mode": MODES, "loss": LOSSES}, positive=positive)
        if self.subsample < 0:
            raise ValueError(f"subsample must not be negative, got {self.subsample}")


class Word2Vec(Pretrained):
    """Two tables of vectors: ``input`` for the words that guess, ``output`` for those guessed.

    ``vocab``: needed to ask by word, and its counts for the noise and the tree. ``input`` may be
    any module from ids to vectors, (batch, width) -> (batch, width, dim).
    """

    _files = "minibert.models.word2vec.files"

    noise: Tensor  # (V,), the noise distribution
    nodes: Tensor  # (V, longest path), with the hierarchical softmax alone
    turns: Tensor

    def __init__(self, config: Word2VecConfig, vocab: Vocab | None = None) -> None:
        super().__init__()
        check_vocab(vocab, config.vocab_size)
        self.config, self.vocab = config, vocab
        counts = np.zeros(config.vocab_size) if vocab is None else word_counts(vocab)
        counts = counts if counts.any() else counts + 1  # nothing is known: all alike
        self.input: nn.Module = nn.Embedding(config.vocab_size, config.dim)
        self.output = nn.Embedding(config.vocab_size, config.dim)
        nn.init.uniform_(self.input.weight, -0.5 / config.dim, 0.5 / config.dim)
        nn.init.zeros_(self.output.weight)
        noise = torch.as_tensor(counts**config.power * (counts > 0)).float()  # (V,)
        self.register_buffer("noise", noise / noise.sum().clamp(min=1e-9), persistent=False)
        if config.loss == "hierarchical":
            for name, paths in zip(("nodes", "turns"), huffman(counts), strict=True):
                rows = [torch.tensor(path, dtype=torch.long) for path in paths]
                table = nn.utils.rnn.pad_sequence(rows, True, -1)  # (V, longest path)
                self.register_buffer(name, table, persistent=False)

    def encoder_groups(self) -> list[list[nn.Module]]:
        """What a head adapts, see `minibert.transfer.groups`: the table of the words it reads."""
        return [[self.input]]

    @classmethod
    def from_pretrained(
        cls, source: Path | str, limit: int | None = None, errors: str = "strict"
    ) -> "Word2Vec":
        """Read a model: a folder, a file of word vectors, or a bundled or published name.

        Files: word2vec's text and binary formats, GloVe's, fastText's ``.vec``, also ``.gz`` and
        ``.xz``. ``limit``: the first so many vectors alone; ``errors``: for words that are not
        UTF-8; see `minibert.models.word2vec.vectors.read`. Raises FileNotFoundError or ValueError.
        """
        from minibert.models.word2vec import files as word2vec

        return word2vec.load(source, limit, errors)

    def forward(self, input_ids: Ids, attention_mask: Real = None) -> ModelOutput:
        """Look words up; the mask, which every model accepts, changes no vector."""
        whole_mask(input_ids, attention_mask)
        check_ids(input_ids, self.config.vocab_size)
        vectors = self.input(input_ids)
        return ModelOutput(last_hidden_state=vectors, hidden_states=(vectors,))

    def loss(self, batch: Batch) -> Loss:
        """(sum of the losses in nats, number of guesses) of a batch of `WindowBatches`.

        ``input_ids`` (batch, width), the centre alone or the context, and its ``attention_mask``;
        ``targets`` (batch,); ``negatives`` (batch, k), drawn here when absent.
        """
        mask = whole_mask(batch["input_ids"], batch["attention_mask"])
        mask = mask.unsqueeze(-1).float()  # (batch, width, 1)
        vectors = self.input(batch["input_ids"]) * mask  # (batch, width, dim)
        hidden = vectors.sum(1) / mask.sum(1)  # (batch, dim): the mean; with one word, its vector
        scores = self.negative_sampling, self.hierarchical_softmax, self.full_softmax
        score = dict(zip(LOSSES, scores, strict=True))[self.config.loss]
        return score(hidden, batch["targets"], batch.get("negatives")), len(hidden)

    def negative_sampling(self, hidden: Hidden, targets: Targets, negatives: Noise = None) -> Sum:
        """Equation 4 of 2013b; a noise word that is the target itself counts for nothing."""
        if negatives is None:
            shape = (len(targets), self.config.negatives)
            drawn = torch.multinomial(self.noise, shape[0] * shape[1], replacement=True)
            negatives = drawn.view(shape)  # (batch, k)
        positive = (self.output(targets) * hidden).sum(-1)  # (batch,)
        noise = torch.einsum("bkd,bd->bk", self.output(negatives), hidden)  # (batch, k)
        real = negatives != targets.unsqueeze(1)
        return -F.logsigmoid(positive).sum() - (F.logsigmoid(-noise) * real).sum()

    def hierarchical_softmax(self, hidden: Hidden, targets: Targets, _: Noise = None) -> Sum:
        """Equation 3 of 2013b: one sigmoid at each inner node on the way to the target."""
        nodes, turns = self.nodes[targets], self.turns[targets]  # (batch, path)
        scores = torch.einsum("bpd,bd->bp", self.output(nodes.clamp(min=0)), hidden)
        signs = 1 - 2 * turns.float()  # turn 0 wants a high score, turn 1 a low one
        return -(F.logsigmoid(signs * scores) * (nodes >= 0)).sum()

    def full_softmax(self, hidden: Hidden, targets: Targets, _: Noise = None) -> Sum:
        """Equation 2 of 2013b: every word of the vocabulary is scored."""
        logits = hidden @ self.output.weight.T  # (batch, dim) @ (dim, V) -> (batch, V)
        return F.cross_entropy(logits, targets, reduction="sum")

    @property
    def vectors(self) -> Float[Tensor, "V dim"]:
        """The input vectors, detached."""
        every = torch.arange(self.config.vocab_size, device=self.output.weight.device)
        return self.input(every).detach()

    def vector(self, word: str) -> Float[Tensor, " dim"]:
        """The vector of one word. Raises ValueError, with close spellings, if unknown."""
        return self.vectors[self._id(word)]

    def similarity(self, a: str, b: str) -> float:
        """The cosine of two words."""
        return float(F.cosine_similarity(self.vector(a), self.vector(b), dim=0))

    def neighbours(
        self, query: str | Float[Tensor, " dim"], k: int = 10, exclude: Iterable[str] = ()
    ) -> list[tuple[str, float]]:
        """The ``k`` nearest words to a word or to a vector: (word, cosine), best first."""
        if isinstance(query, str):
            query, exclude = self.vector(query), (query, *exclude)
        scores = F.normalize(self.vectors, dim=1) @ F.normalize(query, dim=0)  # (V,)
        vocab = self._named()
        left_out = [self._id(word) for word in (*exclude, *vocab.specials)]
        scores[left_out] = -torch.inf
        best = scores.topk(min(k, len(scores) - len(set(left_out))))
        check_scores(best.values)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [(vocab.tokens[i], score) for i, score in pairs]

    def analogy(self, a: str, b: str, c: str, k: int = 5) -> list[tuple[str, float]]:
        """The ``k`` best (word, cosine) for b - a + c, each of length one, but the three."""
        a_, b_, c_ = (F.normalize(self.vector(word), dim=0) for word in (a, b, c))
        return self.neighbours(b_ - a_ + c_, k, exclude=(a, b, c))

    def _id(self, word: str) -> int:
        vocab = self._named()
        if word not in vocab:
            close = difflib.get_close_matches(str(word), vocab.tokens, 3)
            hint = f"; close spellings: {', '.join(close)}" if close else ""
            raise ValueError(f"{word!r} is not among the {len(vocab)} words{hint}")
        return vocab[word]


def huffman(counts: Shaped[np.ndarray, " V"] | Sequence[float]) -> tuple[Paths, Paths]:
    """A Huffman tree: each word's inner nodes from the root (below V - 1), its turns (0 or 1)."""
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


def learn(
    model: Word2Vec,
    sentences: Iterable[str | Sequence[str]],
    epochs: int = 5,
    rate: float | None = None,
    *,
    workers: int = 1,
    seed: int = 0,
    snapshots: list[tuple[int, Tensor]] | None = None,
    progress: bool = True,
    checkpoint: Path | str | None = None,
) -> History:
    """Train a `Word2Vec` on sentences (strings or lists of tokens); returns a `History`.

    Skip-gram with negative sampling over a plain input table goes the fast way,
    `minibert.models.word2vec.fast`; all else, through `minibert.fit` with Adam. ``rate``: the first
    learning rate, by default 0.05 and 0.003; it falls in a straight line to almost nothing.
    ``workers``: threads of the fast way; with one, the same seed gives the same vectors (the
    initial ones are drawn when the model is made). ``snapshots``: a list that receives about 24
    pairs (step, copy of the vectors). ``checkpoint``: a folder that Ctrl-C saves in before it is
    raised again; the same call goes on from there. Raises ValueError where no word of the sentences
    is known.
    """
    callbacks: list[Any] = [Snapshots(snapshots)] if snapshots is not None else []
    if sgns.suits(model):
        if checkpoint:
            from minibert.training.resume import GoesOn

            callbacks.append(GoesOn(checkpoint))
        callbacks += [Progress()] if progress and not quiet() else []
        ids, sentence = known_words(model._named(), sentences)
        options = {"rate": rate or 0.05, "workers": workers, "seed": seed}
        return sgns.train(model, ids, sentence, epochs, callbacks=callbacks, **options)
    from minibert.training.loop import fit  # slow to import, and not needed to read or use vectors

    batches = WindowBatches.of(model, sentences, seed=seed)
    guesses = epochs * len(batches.ids) * (model.config.window if batches.mode != "cbow" else 1)
    batches.batch_size = min(4096, max(64, guesses // 1000))  # at least a thousand steps or so
    rules: dict[str, Any] = {"optimizer": torch.optim.Adam(model.parameters(), lr=rate or 3e-3)}
    rules |= {"schedule": linear(epochs * len(batches), floor=1e-4), "clip": None}
    rules |= {"callbacks": callbacks, "progress": progress, "checkpoint": checkpoint}
    return fit(model, batches, epochs=epochs, reraise=checkpoint is not None, **rules)


class Snapshots:
    """A callback that puts (step, copy of the vectors) into a list, about ``count`` times."""

    def __init__(self, kept: list[tuple[int, Tensor]], count: int = 24) -> None:
        self.kept, self.count = kept, count

    def on_start(self, run: "Run | sgns.FastRun") -> None:
        self.kept.append((run.step, run.model.vectors.cpu()))

    def on_step(self, run: "Run | sgns.FastRun") -> None:
        if run.steps and run.step * self.count >= len(self.kept) * run.steps:
            self.on_start(run)

    def on_end(self, run: "Run | sgns.FastRun") -> None:
        if run.step > self.kept[-1][0]:
            self.on_start(run)
