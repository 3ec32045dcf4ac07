"""ELMo: a character network, a language model in each direction, and a mix of all their layers.

Peters et al. (2018), "Deep contextualized word representations", arXiv:1802.05365. Names and
numbers follow the published models as AllenNLP reads them (`_ElmoBiLm`), so that their weights load
into this class. Its layers are in `minibert.models.elmo.parts`. This is the version to read;
`minibert.models.elmo.fast` computes the same in less time.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from minibert.models.dropout import Dropout
from minibert.models.elmo import fast
from minibert.models.elmo.parts import (
    ACTIVATIONS,
    LSTMP,
    CharacterEncoder,
    both_directions,
    sampled_softmax,
    turned,
)
from minibert.models.outputs import ModelOutput
from minibert.models.softmax import linear_cross_entropy
from minibert.storage.checked import check_settings
from minibert.text.characters import (
    ALPHABET,
    BOS,
    EOS,
    LENGTH,
    check_sentences,
    spell_all,
    spell_sentences,
)
from minibert.text.inputs import IGNORE, check_ids, check_tensor, reading_order, whole_mask
from minibert.training.modes import evaluating

INPUTS, SOFTMAXES = ("characters", "words"), ("full", "sampled")


@dataclass
class ELMoConfig:
    """The defaults of the network's shape are those of the published "original" model.

    ``vocab_size``: words that the softmax chooses from, 0 for a model that is only read from.
    ``input``: spell each word ("characters") or look it up ("words"). ``dim``: cells of an LSTM;
    ``projection``: what each step hands on, the width of one direction. ``skip``: add a layer's
    input to its output, from the second layer on. ``cell_clip``, ``proj_clip``: the largest size
    of a cell and of a projected state; None for no limit. ``filters``: (width, number) of the
    character convolutions; ``char_dim``: numbers a symbol; ``highway``: layers between convolution
    and projection. ``softmax``: over all words, or over ``negatives`` ``sampled`` ones.
    """

    vocab_size: int = 0
    input: str = "characters"
    dim: int = 4096
    projection: int = 512
    layers: int = 2
    skip: bool = True
    cell_clip: float | None = 3.0
    proj_clip: float | None = 3.0
    char_dim: int = 16
    filters: tuple = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))
    highway: int = 2
    activation: str = "relu"
    max_characters: int = LENGTH
    dropout: float = 0.1
    softmax: str = "full"
    negatives: int = 8192

    def __post_init__(self):
        self.filters = tuple(tuple(pair) for pair in self.filters)
        known = {"input": INPUTS, "softmax": SOFTMAXES, "activation": tuple(ACTIVATIONS)}
        positive = ("dim", "projection", "layers", "char_dim", "negatives")
        check_settings(self, known=known, positive=positive)
        if self.input == "words" and self.vocab_size < 1:
            raise ValueError(f"words need a vocabulary: vocab_size is {self.vocab_size}")
        widest = max((width for width, _ in self.filters), default=0)
        if not self.filters or widest > self.max_characters:
            raise ValueError(
                f"filters must span 1 to {self.max_characters} symbols, got {self.filters}"
            )


class ScalarMix(nn.Module):
    """gamma * sum_j s_j h_j with s = softmax(w): one vector a word from all layers (equation 1).

    Works on the ``hidden_states`` of any model. ``layers``: how many there are. ``layer_norm``:
    bring each layer to mean 0 and variance 1 in every word before they are mixed.
    """

    def __init__(self, layers, layer_norm=False):
        super().__init__()
        self.layer_norm = layer_norm
        self.weights = nn.Parameter(torch.zeros(layers))  # w: all layers alike at first
        self.gamma = nn.Parameter(torch.ones(()))

    @property
    def shares(self):
        """s: (layers,), positive, with the sum 1."""
        return torch.softmax(self.weights, 0)

    def forward(self, hidden_states):
        """``layers`` tensors (..., width), or one (layers, ..., width) -> (..., width)."""
        if len(hidden_states) != len(self.weights):
            raise ValueError(f"expected {len(self.weights)} layers, got {len(hidden_states)}")
        if self.layer_norm:
            hidden_states = [F.layer_norm(h, h.shape[-1:]) for h in hidden_states]
        return self.gamma * sum(s * h for s, h in zip(self.shares, hidden_states, strict=True))


class ELMo(nn.Module):
    """A language model in each direction over one shared input layer and one shared softmax.

    ``vocab``: the `minibert.text.Vocab` of the softmax (and of the table with ``input="words"``),
    with ``<S>`` and ``</S>``. ``quick=False`` takes the readable way everywhere.
    """

    def __init__(self, config, vocab=None):
        super().__init__()
        if vocab is not None and len(vocab) != config.vocab_size:
            raise ValueError(
                f"expected a vocabulary of vocab_size={config.vocab_size} words, got {len(vocab)}"
            )
        self.config, self.vocab, self.quick, self.state = config, vocab, True, None
        width = config.projection
        if config.input == "characters":
            self.encoder = CharacterEncoder(config)
        else:
            self.encoder = nn.Embedding(config.vocab_size, width)

        def stack():
            clips = config.cell_clip, config.proj_clip
            return nn.ModuleList(
                LSTMP(width, config.dim, width, *clips) for _ in range(config.layers)
            )

        self.forward_layers, self.backward_layers = stack(), stack()
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(width, config.vocab_size) if config.vocab_size else None
        if self.output:
            nn.init.normal_(self.output.weight, std=width**-0.5)
            nn.init.zeros_(self.output.bias)

    @classmethod
    def from_pretrained(cls, source):
        """Read a model: a folder in AllenNLP's layout, or the name of a bundled checkpoint.

        Raises FileNotFoundError or ValueError; see `minibert.models.elmo.files`.
        """
        from minibert.models.elmo import files as elmo

        return elmo.load(source)

    def save_pretrained(self, folder):
        """Write a folder in AllenNLP's layout, with the softmax and the vocabulary beside it."""
        from minibert.models.elmo import files as elmo

        elmo.save(self, folder)

    def forward(self, input_ids, attention_mask=None, carry=False):
        """Sentences in, `ModelOutput` out; begin and end of the sentences are added and removed.

        input_ids: (batch, length, symbols) from `minibert.text.characters`, or (batch, length) ids
        with ``input="words"``. attention_mask: (batch, length), 1 for a word, 0 for padding, which
        changes nothing, wherever it stands; by default a symbol or an id other than 0 is a word.

        ``hidden_states``: layers + 1 tensors (batch, length, 2 * projection), 0 at padding: the
        word vectors, twice side by side, then each LSTM layer's forward and backward states.
        ``carry=True``: sentence b goes on from where sentence b of the last such call ended.
        """
        self._check(input_ids)
        if attention_mask is None:
            attention_mask = (input_ids if input_ids.ndim == 2 else input_ids.sum(-1)) > 0
        attention_mask = whole_mask(input_ids, attention_mask)
        order = reading_order(attention_mask)  # words first
        mask = attention_mask.gather(1, order).bool()
        ordered = input_ids.take_along_dim(order.view(*order.shape, *[1] * (input_ids.ndim - 2)), 1)
        ids, mask = self.with_boundaries(ordered, mask)
        quick = self.quick and self.config.input == "characters"
        tokens = fast.spelled(self.encoder, ids) if quick else self.encoder(ids)
        state = self._carried(len(ids)) if carry else None
        layers, state = self.layers((tokens, turned(tokens, mask)), state, mask)
        if carry:
            self.state = state
        real = attention_mask.bool()[..., None]  # (batch, length, 1)
        pairs = [(tokens, tokens), *((f, turned(b, mask)) for f, b in layers)]
        back = order.argsort(1)[..., None]
        hidden = [torch.cat(pair, -1)[:, 1:-1].take_along_dim(back, 1) * real for pair in pairs]
        return ModelOutput(last_hidden_state=hidden[-1], hidden_states=tuple(hidden))

    def encode(self, sentences, carry=False):
        """Lists of words in, the `ModelOutput` of `forward` out, without dropout and gradients."""
        device = self.forward_layers[0].input.weight.device
        if self.config.input == "characters":
            ids, mask = spell_sentences(sentences, self.config.max_characters)
        else:
            check_sentences(sentences)
            rows = [torch.tensor(self._named().encode(list(words))) for words in sentences]
            mask = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], True)
            ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)  # (batch, length)
        with evaluating(self):
            out, state = self(ids.to(device), mask.to(device), carry), self.state
        self.state = state  # what ``carry`` asked for
        return out

    def with_boundaries(self, ids, mask):
        """``<S>`` before and ``</S>`` after each sentence: length + 2 (AllenNLP does the same)."""
        if ids.ndim == 3:
            begin, end = spell_all([BOS, EOS], self.config.max_characters).to(ids.device)
        else:
            begin, end = (
                torch.tensor(self._named()[mark], device=ids.device) for mark in (BOS, EOS)
            )
        batch, length = mask.shape
        longer = ids.new_zeros(batch, length + 2, *ids.shape[2:])
        longer[:, 1:-1] = ids * mask.view(batch, length, *[1] * (ids.ndim - 2))
        longer[:, 0] = begin
        ends = mask.sum(1) + 1  # (batch,)
        longer[torch.arange(batch, device=ids.device), ends] = end
        places = torch.arange(length + 2, device=ids.device)
        return longer, places <= ends[:, None]  # (batch, length + 2)

    def layers(self, streams, state=None, mask=None):
        """Two streams, each (batch, length, projection), through the LSTMs of the two directions.

        Returns a list with a pair (forward, backward) per layer, and the state: a pair per layer, h
        (2, batch, projection) and c (2, batch, dim), detached. The second stream is read from left
        to right like the first: it is the one whose words were turned round before.
        """
        batch, length = streams[0].shape[:2]
        if mask is None:
            mask = torch.ones(batch, length, dtype=torch.bool, device=streams[0].device)
        state = state or self.fresh_state(batch)
        run = fast.layer if self.quick and fast.suits(streams[0]) else both_directions
        found, states = [], []
        for number, pair in enumerate(zip(self.forward_layers, self.backward_layers, strict=True)):
            inside = [self.dropout(x) for x in streams]
            outputs, (h, c) = run(pair, inside, state[number], mask)
            if self.config.skip and number:
                outputs = [y + x for y, x in zip(outputs, streams, strict=True)]
            states.append((h.detach(), c.detach()))
            found.append(tuple(outputs))
            streams = outputs
        return found, states

    def losses(self, batch):
        """(sum of losses, targets) of each direction, of a batch of `BidirectionalBatches`."""
        streams = self.embedded(batch)
        layers, self.state = self.layers(streams, None if batch["reset"] else self.state)
        tops = [self.dropout(x) for x in layers[-1]]  # (lanes, length, projection) each
        targets = [batch["targets"], batch["backward_targets"]]
        return tuple(self.softmax(x, t) for x, t in zip(tops, targets, strict=True))

    def loss(self, batch):
        """(sum of the losses of both directions, number of their targets), in nats."""
        (forward, n), (backward, m) = self.losses(batch)
        return forward + backward, n + m

    def embedded(self, batch):
        """Both streams of a batch as vectors, each (lanes, length, projection)."""
        ids = batch["input_ids"], batch["backward_ids"]
        if self.config.input == "words":
            return [self.encoder(x) for x in ids]
        if self.quick:
            table = fast.spelled_once(self.encoder, batch["characters"])  # (words, projection)
            return [F.embedding(x, table) for x in ids]
        return [self.encoder(batch["characters"][x]) for x in ids]

    def softmax(self, hidden, targets):
        """(sum of cross-entropies in nats, number of targets); -100 is no target.

        hidden: (..., projection), targets: (...). With ``softmax="sampled"`` an estimate while
        training, and all words when evaluating.
        """
        if self.output is None:
            raise ValueError(
                "this model has no softmax to train (vocab_size is 0): only read from it"
            )
        weight, bias = self.output.weight, self.output.bias
        if self.config.softmax == "sampled" and self.training:
            return sampled_softmax(hidden, weight, bias, targets, self.config.negatives)
        if self.quick:
            return linear_cross_entropy(hidden, weight, bias, targets)
        logits = (hidden @ weight.T + bias).flatten(0, -2)  # (targets, V)
        losses = F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORE, reduction="sum")
        return losses, int((targets != IGNORE).sum())

    def fresh_state(self, batch):
        """Zeros: (h, c) a layer, for both directions."""
        weight = self.forward_layers[0].input.weight
        h = weight.new_zeros(2, batch, self.config.projection)
        return [(h, weight.new_zeros(2, batch, self.config.dim))] * self.config.layers

    def layer_groups(self):
        """From the bottom to the top: the words, each layer of both directions, the softmax."""
        pairs = zip(self.forward_layers, self.backward_layers, strict=True)
        output = [self.output] if isinstance(self.output, nn.Module) else []
        return [[self.encoder], *map(list, pairs), output]

    def stream_state(self):
        """The state carried between batches, or None."""
        return self.state

    def load_stream_state(self, state):
        self.state = state

    def _carried(self, batch):
        """The state of the last call with ``carry``; sentences that it did not have start again."""
        fresh = self.fresh_state(batch)
        if self.state is None:
            return fresh
        kept = min(batch, self.state[0][0].shape[1])
        pairs = zip(self.state, fresh, strict=True)
        return [
            tuple(torch.cat((x[:, :kept], y[:, kept:]), 1) for x, y in zip(old, new, strict=True))
            for old, new in pairs
        ]

    def _named(self):
        if self.vocab is None:
            raise ValueError("this model has no vocabulary: give one, ELMo(config, vocab)")
        return self.vocab

    def _check(self, ids):
        wanted = 3 if self.config.input == "characters" else 2
        check_tensor(ids)
        if ids.ndim != wanted:
            shape = "(batch, length, symbols)" if wanted == 3 else "(batch, length)"
            raise ValueError(
                f"expected input_ids {shape}, got {tuple(ids.shape)}; `encode` takes lists of words"
            )
        check_ids(ids, ALPHABET if wanted == 3 else self.config.vocab_size)
