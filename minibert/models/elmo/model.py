"""ELMo: a character network, a language model in each direction, and a mix of all their layers.

Peters et al. (2018), "Deep contextualized word representations", arXiv:1802.05365. Names follow the
published models as AllenNLP reads them (`_ElmoBiLm`). This is the version to read;
`minibert.models.elmo.fast` computes the same in less time.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.models.base import Pretrained, Real, Streaming, Where, check_vocab
from minibert.models.dropout import Dropout
from minibert.models.elmo import fast, parts
from minibert.models.elmo.parts import LSTMP, CharacterEncoder, State, Streams, turned
from minibert.models.outputs import Loss, ModelOutput
from minibert.models.softmax import linear_cross_entropy
from minibert.storage.checked import check_settings
from minibert.text import characters
from minibert.text.batches import Batch
from minibert.text.characters import ALPHABET, BOS, EOS, LENGTH
from minibert.text.inputs import IGNORE, check_ids, check_tensor, reading_order, whole_mask
from minibert.text.vocab import Vocab
from minibert.training.modes import evaluating

Ids = Int[Tensor, "batch length symbols"] | Int[Tensor, "batch length"]  # words spelled, or known
INPUTS, SOFTMAXES = ("characters", "words"), ("full", "sampled")
FILTERS = tuple(zip(range(1, 8), (32, 32, 64, 128, 256, 512, 1024), strict=True))  # width, number


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
    _: KW_ONLY
    layers: int = 2
    skip: bool = True
    cell_clip: float | None = 3.0
    proj_clip: float | None = 3.0
    char_dim: int = 16
    filters: Sequence[Sequence[int]] = FILTERS
    highway: int = 2
    activation: str = "relu"
    max_characters: int = LENGTH
    dropout: float = 0.1
    softmax: str = "full"
    negatives: int = 8192

    def __post_init__(self) -> None:
        self.filters = tuple((width, number) for width, number in self.filters)
        known = {"input": INPUTS, "softmax": SOFTMAXES, "activation": tuple(parts.ACTIVATIONS)}
        positive = ("dim", "projection", "layers", "char_dim", "negatives")
        check_settings(self, known=known, positive=positive)
        if self.input == "words" and self.vocab_size < 1:
            raise ValueError(f"words need a vocabulary: vocab_size is {self.vocab_size}")
        widest, most = max((width for width, _ in self.filters), default=0), self.max_characters
        if not self.filters or widest > most:
            raise ValueError(f"filters must span 1 to {most} symbols, got {self.filters}")


class ELMo(Streaming, Pretrained):
    """A language model in each direction over one shared input layer and one shared softmax.

    ``vocab``: the `minibert.text.Vocab` of the softmax (and of the table with ``input="words"``),
    with ``<S>`` and ``</S>``. ``quick=False`` takes the readable way everywhere.
    """

    _files = "minibert.models.elmo.files"

    def __init__(self, config: ELMoConfig, vocab: Vocab | None = None) -> None:
        super().__init__()
        check_vocab(vocab, config.vocab_size)
        self.config, self.vocab, self.quick = config, vocab, True
        width = config.projection
        self.encoder: CharacterEncoder | nn.Embedding
        if config.input == "characters":
            self.encoder = CharacterEncoder(config)
        else:
            self.encoder = nn.Embedding(config.vocab_size, width)

        def stack():
            clips = {"cell_clip": config.cell_clip, "proj_clip": config.proj_clip}
            layers = [LSTMP(width, config.dim, width, **clips) for _ in range(config.layers)]
            return nn.ModuleList(layers)

        self.forward_layers, self.backward_layers = stack(), stack()
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(width, config.vocab_size) if config.vocab_size else None
        if self.output:
            nn.init.normal_(self.output.weight, std=width**-0.5)
            nn.init.zeros_(self.output.bias)

    def forward(
        self, input_ids: Ids, attention_mask: Real = None, carry: bool = False
    ) -> ModelOutput:
        """Sentences in, `ModelOutput` out; begin and end of the sentences are added and removed.

        input_ids: symbols from `minibert.text.characters`, or ids with ``input="words"``.
        attention_mask: by default a symbol or an id other than 0 is a word; padding may stand
        anywhere. ``hidden_states``: layers + 1 tensors of width 2 * projection, 0 at padding: the
        word vectors, twice, then each LSTM layer's forward and backward states. ``carry=True``:
        sentence b goes on from where sentence b of the last such call ended.
        """
        self._check(input_ids)
        if attention_mask is None:
            attention_mask = (input_ids if input_ids.ndim == 2 else input_ids.sum(-1)) > 0
        attention_mask = whole_mask(input_ids, attention_mask)
        order = reading_order(attention_mask)  # words first
        mask = attention_mask.gather(1, order).bool()
        ordered = input_ids.take_along_dim(order.view(*order.shape, *[1] * (input_ids.ndim - 2)), 1)
        ids, mask = self.with_boundaries(ordered, mask)
        if self.quick and isinstance(self.encoder, CharacterEncoder):
            tokens = fast.spelled(self.encoder, ids)
        else:
            tokens = self.encoder(ids)
        state = self._carried(len(ids)) if carry else None
        layers, state = self.layers((tokens, turned(tokens, mask)), state, mask)
        if carry:
            self.state = state
        real = attention_mask.bool()[..., None]  # (batch, length, 1)
        pairs = [(tokens, tokens), *((f, turned(b, mask)) for f, b in layers)]
        back = order.argsort(1)[..., None]
        hidden = [torch.cat(pair, -1)[:, 1:-1].take_along_dim(back, 1) * real for pair in pairs]
        return ModelOutput(last_hidden_state=hidden[-1], hidden_states=tuple(hidden))

    def encode(self, sentences: Sequence[Sequence[str]], carry: bool = False) -> ModelOutput:
        """Lists of words in, the `ModelOutput` of `forward` out, without dropout and gradients."""
        device = self.forward_layers[0].input.weight.device
        if self.config.input == "characters":
            ids, mask = characters.spell_sentences(sentences, self.config.max_characters)
        else:
            characters.check_sentences(sentences)
            rows = [torch.tensor(self._named().encode(list(words))) for words in sentences]
            mask = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], True)
            ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)  # (batch, length)
        with evaluating(self):
            out, state = self(ids.to(device), mask.to(device), carry), self.state
        self.state = state  # what ``carry`` asked for
        return out

    def with_boundaries(
        self, ids: Ids, mask: Where
    ) -> tuple[Int[Tensor, "batch length+2 *symbols"], Bool[Tensor, "batch length+2"]]:
        """``<S>`` before and ``</S>`` after each sentence: length + 2 (AllenNLP does the same)."""
        if ids.ndim == 3:
            pair = characters.spell_all([BOS, EOS], self.config.max_characters)
        else:
            pair = torch.tensor([self._named()[mark] for mark in (BOS, EOS)])
        begin, end = pair.to(ids.device)
        batch, length = mask.shape
        longer = begin.new_zeros(batch, length + 2, *ids.shape[2:])
        longer[:, 1:-1] = ids * mask.view(batch, length, *[1] * (ids.ndim - 2))
        longer[:, 0] = begin
        ends = mask.sum(1) + 1  # (batch,)
        longer[torch.arange(batch, device=ids.device), ends] = end
        places = torch.arange(length + 2, device=ids.device)
        return longer, places <= ends[:, None]  # (batch, length + 2)

    def layers(
        self, streams: Streams, state: list[State] | None = None, mask: Where | None = None
    ) -> tuple[list[Streams], list[State]]:
        """Two streams through the LSTMs of the two directions.

        Returns a pair (forward, backward) per layer, and their states, detached. Both streams are
        read from left to right: the words of the second were turned round before.
        """
        batch, length = streams[0].shape[:2]
        if mask is None:
            mask = torch.ones(batch, length, dtype=torch.bool, device=streams[0].device)
        state = state or self.fresh_state(batch)
        run = fast.layer if self.quick and fast.suits(streams[0]) else parts.both_directions
        found: list[Streams] = []
        states: list[State] = []
        for number, pair in enumerate(zip(self.forward_layers, self.backward_layers, strict=True)):
            inside = [self.dropout(x) for x in streams]
            outputs, (h, c) = run(pair, inside, state[number], mask)
            if self.config.skip and number:
                outputs = [y + x for y, x in zip(outputs, streams, strict=True)]
            states.append((h.detach(), c.detach()))
            found.append(tuple(outputs))
            streams = outputs
        return found, states

    def losses(self, batch: Batch) -> tuple[Loss, Loss]:
        """(sum of losses, targets) of each direction, of a batch of `BidirectionalBatches`."""
        layers, self.state = self.layers(
            self.embedded(batch), None if batch["reset"] else self.state
        )
        targets = batch["targets"], batch["backward_targets"]
        pairs = zip(layers[-1], targets, strict=True)
        forward, backward = (self.softmax(self.dropout(x), t) for x, t in pairs)
        return forward, backward

    def loss(self, batch: Batch) -> Loss:
        """(sum of the losses of both directions, number of their targets), in nats."""
        (forward, n), (backward, m) = self.losses(batch)
        return forward + backward, n + m

    def embedded(self, batch: Batch) -> Streams:
        """Both streams of a batch as vectors."""
        ids = batch["input_ids"], batch["backward_ids"]
        if isinstance(self.encoder, nn.Embedding):
            return [self.encoder(x) for x in ids]
        if self.quick:
            table = fast.spelled_once(self.encoder, batch["characters"])  # (words, projection)
            return [F.embedding(x, table) for x in ids]
        return [self.encoder(batch["characters"][x]) for x in ids]

    def softmax(
        self, hidden: Float[Tensor, "*shape projection"], targets: Int[Tensor, "*shape"]
    ) -> Loss:
        """(sum of cross-entropies in nats, number of targets); evaluated over all words."""
        if self.output is None:
            raise ValueError("this model has no softmax to train (vocab_size is 0): read from it")
        weight, bias = self.output.weight, self.output.bias
        if self.config.softmax == "sampled" and self.training:
            return parts.sampled_softmax(
                hidden, weight, bias, targets, negatives=self.config.negatives
            )
        if self.quick:
            return linear_cross_entropy(hidden, weight, bias, targets)
        logits = (hidden @ weight.T + bias).flatten(0, -2)  # (targets, V)
        losses = F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORE, reduction="sum")
        return losses, int((targets != IGNORE).sum())

    def fresh_state(self, batch: int) -> list[State]:
        """Zeros: (h, c) a layer, for both directions."""
        weight = self.forward_layers[0].input.weight
        h = weight.new_zeros(2, batch, self.config.projection)
        return [(h, weight.new_zeros(2, batch, self.config.dim))] * self.config.layers

    def layer_groups(self) -> list[list[nn.Module]]:
        """From the bottom to the top: the words, each layer of both directions, the softmax."""
        output: list[nn.Module] = [self.output] if isinstance(self.output, nn.Module) else []
        return [*self.encoder_groups(), output]

    def encoder_groups(self) -> list[list[nn.Module]]:
        """The groups of what a task's head reads: the words and each layer."""
        pairs = zip(self.forward_layers, self.backward_layers, strict=True)
        return [[self.encoder], *map(list, pairs)]

    def _carried(self, batch):
        """The state of the last call with ``carry``; sentences that it did not have start again."""
        fresh = self.fresh_state(batch)
        if self.state is None:
            return fresh
        kept = min(batch, self.state[0][0].shape[1])
        return [
            tuple(torch.cat((a[:, :kept], b[:, kept:]), 1) for a, b in zip(*pair, strict=True))
            for pair in zip(self.state, fresh, strict=True)
        ]

    def _check(self, ids: Tensor) -> None:
        wanted = 3 if self.config.input == "characters" else 2
        check_tensor(ids)
        if ids.ndim != wanted:
            shape = "(batch, length, symbols)" if wanted == 3 else "(batch, length)"
            raise ValueError(
                f"expected input_ids {shape}, got {tuple(ids.shape)}; `encode` takes lists of words"
            )
        check_ids(ids, ALPHABET if wanted == 3 else self.config.vocab_size)
