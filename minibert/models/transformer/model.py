"""The Transformer: attention, the block made of it, and an encoder and a decoder made of blocks.

Vaswani et al. (2017), "Attention Is All You Need", arXiv:1706.03762; section numbers below are
theirs. Attention and its masks stand in `minibert.models.transformer.attention`. This is the
version to read; `minibert.models.transformer.fast` computes the same without computing padding.
"""

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.models.base import Ids, Real
from minibert.models.dropout import Dropout
from minibert.models.outputs import Loss, ModelOutput
from minibert.models.softmax import check_scores
from minibert.models.transformer.attention import (
    Attended,
    Mask,
    MultiHeadAttention,
    Past,
    States,
    Turn,
    causal_mask,
    padding_mask,
    rotation,
)
from minibert.models.transformer.parts import ACTIVATIONS, FeedForward, RMSNorm, X
from minibert.storage.checked import check_settings
from minibert.text.batches import Batch
from minibert.text.inputs import IGNORE, as_mask, check_ids, check_length
from minibert.training.modes import evaluating

NORMS = ("post", "pre")
POSITIONS = ("sinusoidal", "learned", "rotary", "none")
Memory = Float[Tensor, "batch read width"]


@dataclass
class TransformerConfig:
    """``dim``: width of the hidden states; ``hidden``: of the feed-forward layers between.
    ``heads``: parts that attention looks through, each ``dim / heads`` wide. ``layers``: blocks of
    the encoder, and again of the decoder. ``dropout``: on embeddings and after each sublayer;
    ``attention_dropout``: on the attention weights. ``norm``: "post", LayerNorm after the residual
    sum as in the paper, or "pre", before each sublayer and once at the end. ``position``: what
    tells positions apart; ``max_length``: how many positions there are. ``init_std``: of the normal
    distribution that weights start from; None for Glorot's uniform one.

    What came later: ``rms``: `RMSNorm` for LayerNorm. ``position="rotary"``: queries and keys are
    turned, by rates from 1 down to about 1 / ``rope_base``. ``gated``: a third layer in each
    `FeedForward`. ``groups``: of heads that share keys and values; None for as many as heads.
    ``bias=False``: no linear layer adds a constant.

    The defaults are the paper's base model.
    """

    vocab_size: int
    dim: int = 512
    layers: int = 6
    heads: int = 8
    _: KW_ONLY
    hidden: int = 2048
    dropout: float = 0.1
    attention_dropout: float = 0.0
    norm: str = "post"
    activation: str = "relu"
    position: str = "sinusoidal"
    max_length: int = 512
    norm_eps: float = 1e-5
    init_std: float | None = None
    rms: bool = False
    gated: bool = False
    groups: int | None = None
    bias: bool = True
    rope_base: float = 10_000.0

    def __post_init__(self) -> None:
        known = {"norm": NORMS, "activation": ACTIVATIONS, "position": POSITIONS}
        positive = ("vocab_size", "dim", "layers", "heads", "hidden", "max_length")
        shares = ("dropout", "attention_dropout")
        check_settings(self, known=known, positive=positive, shares=shares)
        if self.dim % self.heads:
            raise ValueError(f"dim={self.dim} must be a multiple of heads={self.heads}")
        if self.groups is not None and (self.groups < 1 or self.heads % self.groups):
            raise ValueError(f"heads={self.heads} must be a multiple of groups={self.groups}")
        self.groups = None if self.groups == self.heads else self.groups
        if self.position == "rotary" and (self.dim // self.heads % 2 or self.rope_base <= 0):
            told = f"got {self.dim // self.heads} and rope_base={self.rope_base}"
            raise ValueError(f"rotary positions need an even width of heads, and a base: {told}")

    @property
    def later(self) -> list[str]:
        """What this model has that the models of 2017 to 2019 have not, as "setting=value"."""
        usual = {"rms": False, "gated": False, "groups": None, "bias": True}
        found = [name for name, value in usual.items() if getattr(self, name) != value]
        odd = {"position": "rotary", "activation": "silu"}
        found += [name for name, value in odd.items() if getattr(self, name) == value]
        return [f"{name}={getattr(self, name)!r}" for name in found]


def norm_of(config: TransformerConfig) -> nn.Module:
    """The norm that ``config.rms`` asks for."""
    return (RMSNorm if config.rms else nn.LayerNorm)(config.dim, eps=config.norm_eps)


class Block(nn.Module):
    """Attention and a feed-forward network, each with dropout, a residual sum and LayerNorm.

    With ``cross=True``, a decoder's block (section 3.1): a second attention between them, to
    another stack's output. Where the norm stands is ``config.norm``:

        post:  x = norm(x + dropout(sublayer(x)))       the paper's
        pre:   x = x + dropout(sublayer(norm(x)))       the residual stream itself stays as it is
    """

    def __init__(self, config: TransformerConfig, cross: bool = False) -> None:
        super().__init__()
        self.pre = config.norm == "pre"
        shape = config.dim, config.heads, config.attention_dropout

        def attention():
            return MultiHeadAttention(*shape, groups=config.groups, bias=config.bias)

        self.attention, self.attention_norm = attention(), norm_of(config)
        if cross:
            self.cross, self.cross_norm = attention(), norm_of(config)
        inside = {"gated": config.gated, "bias": config.bias}
        self.ffn = FeedForward(config.dim, config.hidden, config.activation, **inside)
        self.ffn_norm = norm_of(config)
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        x: States,
        mask: Mask | None = None,
        memory: Memory | None = None,
        memory_mask: Bool[Tensor, "... #length #read"] | None = None,
        *,
        past: Past | None = None,
        turn: Turn | None = None,
        output_attentions: bool = False,
    ) -> Attended:
        """(new x, weights of the first attention or None, past)."""
        y = self.before(self.attention_norm, x)
        y, weights, past = self.attention(
            y, mask=mask, past=past, turn=turn, output_attentions=output_attentions
        )
        x = self.after(self.attention_norm, x, y)
        if memory is not None:
            y, _, _ = self.cross(self.before(self.cross_norm, x), memory, memory_mask)
            x = self.after(self.cross_norm, x, y)
        y = self.ffn(self.before(self.ffn_norm, x))
        return self.after(self.ffn_norm, x, y), weights, past

    def before(self, norm: nn.Module, x: X) -> X:
        return norm(x) if self.pre else x

    def after(self, norm: nn.Module, x: X, y: X) -> X:
        x = x + self.dropout(y)
        return x if self.pre else norm(x)


class Stack(nn.Module):
    """Blocks one after the other; with ``norm="pre"`` a last LayerNorm."""

    def __init__(self, config: TransformerConfig, cross: bool = False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config, cross) for _ in range(config.layers))
        self.norm = norm_of(config) if config.norm == "pre" else nn.Identity()
        rotary = config.position == "rotary"
        self.rotary = (config.dim // config.heads, config.rope_base) if rotary else None

    def layer_groups(self) -> list[list[nn.Module]]:
        return [*([block] for block in self.blocks), [self.norm]]

    def forward(
        self,
        x: States,
        mask: Mask | None = None,
        memory: Memory | None = None,
        memory_mask: Bool[Tensor, "... #length #read"] | None = None,
        *,
        past: list[Past] | None = None,
        places: Int[Tensor, "*rows length"] | None = None,
        output_attentions: bool = False,
    ) -> tuple[ModelOutput, list[Past]]:
        """(`ModelOutput`, past); ``hidden_states``: x, then one per block, normed after the last.

        past: one (keys, values) per block, from an earlier call; x has then only new positions.
        places: where x stands, for rotary positions; by default after ``past``, without padding.
        """
        hidden, attentions, carried = [x], [], []
        others = dict[str, Any](memory_mask=memory_mask, output_attentions=output_attentions)
        if self.rotary is not None:
            start = 0 if past is None else past[0][0].shape[2]
            after = torch.arange(start, start + x.shape[1], device=x.device)
            cosine, sine = rotation(after if places is None else places, *self.rotary)
            others["turn"] = cosine.to(x.dtype), sine.to(x.dtype)
        for i, block in enumerate(self.blocks):
            before = None if past is None else past[i]
            x, weights, after = block(x, mask, memory, past=before, **others)
            hidden.append(x)
            attentions.append(weights)
            carried.append(after)
        hidden[-1] = self.norm(x)
        found = tuple(attentions) if output_attentions else None
        return ModelOutput(hidden[-1], tuple(hidden), found), carried


def sinusoids(length: int, dim: int) -> Float[Tensor, "{length} {dim}"]:
    """Sines and cosines from wavelength 2 pi up to 10,000 * 2 pi (section 3.5)."""
    rate = 10_000 ** (-torch.arange(0, dim, 2) / dim)  # (dim / 2,)
    angle = torch.arange(length)[:, None] * rate  # (length, dim / 2)
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(1)[:, :dim]


class Positions(nn.Module):
    """A vector for each place: learned, sines and cosines, or zeros ("rotary", "none")."""

    weight: Tensor  # (max_length, dim)

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        shape = config.max_length, config.dim
        if config.position == "learned":
            self.weight = nn.Parameter(torch.randn(shape))
        else:
            table = sinusoids(*shape) if config.position == "sinusoidal" else torch.zeros(shape)
            self.register_buffer("weight", table, persistent=False)

    def forward(self, places: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape dim"]:
        return F.embedding(places, self.weight)


class Transformer(nn.Module):
    """An encoder that reads a sequence, and a decoder that writes another (section 3).

    One table of vectors serves both and, transposed, the softmax (section 3.4).
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.positions, self.dropout = Positions(config), Dropout(config.dropout)
        self.encoder, self.decoder = Stack(config), Stack(config, cross=True)
        self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        initialise(self, config.init_std)
        nn.init.normal_(self.embedding.weight, std=config.dim**-0.5)
        self.output.weight = self.embedding.weight

    def embed(self, ids: Ids, start: int = 0) -> States:
        """Vectors of ids, the first of which stands at place ``start``."""
        check_length(ids, start, self.config.max_length)
        check_ids(ids, self.config.vocab_size)
        places = torch.arange(start, start + ids.shape[1], device=ids.device)
        x = self.embedding(ids) * math.sqrt(self.config.dim)
        return self.dropout(x + self.positions(places))

    def encode(
        self, input_ids: Ids, attention_mask: Real = None, output_attentions: bool = False
    ) -> ModelOutput:
        x, attention_mask = self.embed(input_ids), as_mask(attention_mask, input_ids.shape)
        mask = None if attention_mask is None else padding_mask(attention_mask)
        return self.encoder(x, mask, output_attentions=output_attentions)[0]

    def decode(
        self,
        ids: Ids,
        memory: Memory,
        attention_mask: Shaped[Tensor, "batch read"] | None = None,
        past: list[Past] | None = None,
    ) -> tuple[ModelOutput, list[Past]]:
        """What was written so far (with ``past``, the new ids only) -> (`ModelOutput`, past)."""
        start = 0 if past is None else past[0][0].shape[2]
        seen = causal_mask(ids.shape[1], start, ids.device)
        memory_mask = None if attention_mask is None else padding_mask(attention_mask)
        return self.decoder(self.embed(ids, start), seen, memory, memory_mask, past=past)

    def forward(
        self, input_ids: Ids, decoder_ids: Int[Tensor, "batch steps"], attention_mask: Real = None
    ) -> Float[Tensor, "batch steps V"]:
        """Logits: those at step t are for the token after ``decoder_ids[:, t]``."""
        memory = self.encode(input_ids, attention_mask).last_hidden_state
        written, _ = self.decode(decoder_ids, memory, attention_mask)
        return self.output(written.last_hidden_state)

    def loss(self, batch: Batch) -> Loss:
        """(sum of cross-entropies in nats, number of targets); ``labels``: -100 for no target."""
        logits = self(batch["input_ids"], batch["decoder_ids"], batch.get("attention_mask"))
        flat, labels = logits.flatten(0, 1), batch["labels"].flatten()
        loss = F.cross_entropy(flat, labels, ignore_index=IGNORE, reduction="sum")
        return loss, int((labels != IGNORE).sum())

    def generate(
        self,
        input_ids: Ids,
        steps: int,
        start_id: int,
        end_id: int | None = None,
        *,
        attention_mask: Real = None,
    ) -> Int[Tensor, "batch {steps}"]:
        """Write the likeliest token after ``start_id``, ``steps`` times; after ``end_id``, that."""
        ids, past, written = input_ids.new_full((len(input_ids), 1), start_id), None, []
        with evaluating(self):
            memory = self.encode(input_ids, attention_mask).last_hidden_state
            for _ in range(steps):
                out, past = self.decode(ids, memory, attention_mask, past)
                logits = self.output(out.last_hidden_state)
                check_scores(logits)
                best = logits.argmax(-1)  # (batch, 1)
                ids = best if end_id is None else best.masked_fill(ids == end_id, end_id)
                written.append(ids)
        return torch.cat(written, 1)


def initialise(model: nn.Module, std: float | None = None) -> None:
    """Start values: matrices normal with deviation ``std`` (None: Glorot's uniform), biases 0."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding | Positions):
            for parameter in module.parameters(recurse=False):
                if parameter.ndim < 2:
                    nn.init.zeros_(parameter)
                elif std is None:
                    nn.init.xavier_uniform_(parameter)
                else:
                    nn.init.normal_(parameter, std=std)
