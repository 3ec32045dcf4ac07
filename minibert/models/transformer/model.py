"""The Transformer: attention, the block made of it, and an encoder and a decoder made of blocks.

Vaswani et al. (2017), "Attention Is All You Need", arXiv:1706.03762; section numbers below are
theirs. Attention and its masks stand in `minibert.models.transformer.attention`; BERT
(`minibert.models.bert`) is the encoder alone. This is the version to read;
`minibert.models.transformer.fast` computes the same without computing padding.
"""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from minibert.models.dropout import Dropout
from minibert.models.outputs import ModelOutput
from minibert.models.softmax import check_scores
from minibert.models.transformer.attention import MultiHeadAttention, causal_mask, padding_mask
from minibert.storage.checked import check_settings
from minibert.text.inputs import IGNORE, as_mask, check_ids, check_length
from minibert.training.modes import evaluating

ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,  # x times the normal distribution function (Hendrycks & Gimpel 2016)
    "gelu_tanh": partial(F.gelu, approximate="tanh"),  # the approximation that GPT uses
}
NORMS = ("post", "pre")
POSITIONS = ("sinusoidal", "learned", "none")


@dataclass
class TransformerConfig:
    """``dim``: width of the hidden states; ``hidden``: of the feed-forward layers between.
    ``heads``: parts that attention looks through, each ``dim / heads`` wide. ``layers``: blocks of
    the encoder, and again of the decoder. ``dropout``: on embeddings and after each sublayer;
    ``attention_dropout``: on the attention weights. ``norm``: "post", LayerNorm after the residual
    sum as in the paper, or "pre", before each sublayer and once at the end. ``position``: what
    tells positions apart; ``max_length``: how many positions there are. ``init_std``: of the normal
    distribution that weights start from; None for Glorot's uniform one.

    The defaults are the paper's base model.
    """

    vocab_size: int
    dim: int = 512
    layers: int = 6
    heads: int = 8
    hidden: int = 2048
    dropout: float = 0.1
    attention_dropout: float = 0.0
    norm: str = "post"
    activation: str = "relu"
    position: str = "sinusoidal"
    max_length: int = 512
    norm_eps: float = 1e-5
    init_std: float | None = None

    def __post_init__(self):
        known = {"norm": NORMS, "activation": ACTIVATIONS, "position": POSITIONS}
        positive = ("vocab_size", "dim", "layers", "heads", "hidden", "max_length")
        shares = ("dropout", "attention_dropout")
        check_settings(self, known=known, positive=positive, shares=shares)
        if self.dim % self.heads:
            raise ValueError(f"dim={self.dim} must be a multiple of heads={self.heads}")


class FeedForward(nn.Module):
    """Two linear layers with an activation between, at each place alike (section 3.3)."""

    def __init__(self, dim, hidden, activation="relu"):
        super().__init__()
        self.inner, self.outer = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x):
        return self.outer(self.activation(self.inner(x)))


class Block(nn.Module):
    """Attention and a feed-forward network, each with dropout, a residual sum and LayerNorm.

    With ``cross=True`` there is a second attention between them, to another stack's output: that
    makes it a decoder's block (section 3.1). Where the norm stands is ``config.norm``:

        post:  x = norm(x + dropout(sublayer(x)))       the paper's
        pre:   x = x + dropout(sublayer(norm(x)))       the residual stream itself stays as it is
    """

    def __init__(self, config, cross=False):
        super().__init__()
        self.pre = config.norm == "pre"

        def attention():
            return MultiHeadAttention(config.dim, config.heads, config.attention_dropout)

        def norm():
            return nn.LayerNorm(config.dim, eps=config.norm_eps)

        self.attention, self.attention_norm = attention(), norm()
        if cross:
            self.cross, self.cross_norm = attention(), norm()
        self.ffn = FeedForward(config.dim, config.hidden, config.activation)
        self.ffn_norm = norm()
        self.dropout = Dropout(config.dropout)

    def forward(
        self, x, mask=None, memory=None, memory_mask=None, past=None, output_attentions=False
    ):
        """x (batch, length, dim) -> (new x, weights of the first attention or None, past)."""
        y = self.before(self.attention_norm, x)
        y, weights, past = self.attention(y, None, mask, past, output_attentions)
        x = self.after(self.attention_norm, x, y)
        if memory is not None:
            y, _, _ = self.cross(self.before(self.cross_norm, x), memory, memory_mask)
            x = self.after(self.cross_norm, x, y)
        y = self.ffn(self.before(self.ffn_norm, x))
        return self.after(self.ffn_norm, x, y), weights, past

    def before(self, norm, x):
        return norm(x) if self.pre else x

    def after(self, norm, x, y):
        x = x + self.dropout(y)
        return x if self.pre else norm(x)


class Stack(nn.Module):
    """Blocks one after the other; with ``norm="pre"`` a last LayerNorm."""

    def __init__(self, config, cross=False):
        super().__init__()
        self.blocks = nn.ModuleList(Block(config, cross) for _ in range(config.layers))
        last = config.norm == "pre"
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps) if last else nn.Identity()

    def layer_groups(self):
        return [*([block] for block in self.blocks), [self.norm]]

    def forward(
        self, x, mask=None, memory=None, memory_mask=None, past=None, output_attentions=False
    ):
        """x (batch, length, dim) -> (`ModelOutput`, past).

        ``hidden_states``: x first, then one per block, the last one after the last norm. past: one
        (keys, values) per block, from an earlier call: then give only the new positions as x.
        """
        hidden, attentions, carried = [x], [], []
        for i, block in enumerate(self.blocks):
            before = None if past is None else past[i]
            x, weights, after = block(x, mask, memory, memory_mask, before, output_attentions)
            hidden.append(x)
            attentions.append(weights)
            carried.append(after)
        hidden[-1] = self.norm(x)
        attentions = tuple(attentions) if output_attentions else None
        return ModelOutput(hidden[-1], tuple(hidden), attentions), carried


def sinusoids(length, dim):
    """Sines and cosines from wavelength 2 pi up to 10,000 * 2 pi: (length, dim), section 3.5."""
    rate = 10_000 ** (-torch.arange(0, dim, 2) / dim)  # (dim / 2,)
    angle = torch.arange(length)[:, None] * rate  # (length, dim / 2)
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(1)[:, :dim]


class Positions(nn.Module):
    """A vector for each place: learned, sines and cosines, or zeros ("none")."""

    def __init__(self, config):
        super().__init__()
        shape = config.max_length, config.dim
        if config.position == "learned":
            self.weight = nn.Parameter(torch.randn(shape))
        else:
            table = sinusoids(*shape) if config.position == "sinusoidal" else torch.zeros(shape)
            self.register_buffer("weight", table, persistent=False)

    def forward(self, places):
        """Position ids, int64 (...) -> (..., dim)."""
        return F.embedding(places, self.weight)


class Transformer(nn.Module):
    """An encoder that reads a sequence, and a decoder that writes another (section 3).

    One table of vectors serves both and, transposed, the softmax (section 3.4). Token ids of what
    is read and written share one vocabulary.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.positions, self.dropout = Positions(config), Dropout(config.dropout)
        self.encoder, self.decoder = Stack(config), Stack(config, cross=True)
        self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        initialise(self, config.init_std)
        nn.init.normal_(self.embedding.weight, std=config.dim**-0.5)
        self.output.weight = self.embedding.weight

    def embed(self, ids, start=0):
        """ids (batch, length), the first at place ``start`` -> (batch, length, dim)."""
        check_length(ids, start, self.config.max_length)
        check_ids(ids, self.config.vocab_size)
        places = torch.arange(start, start + ids.shape[1], device=ids.device)
        x = self.embedding(ids) * math.sqrt(self.config.dim)
        return self.dropout(x + self.positions(places))

    def encode(self, input_ids, attention_mask=None, output_attentions=False):
        """(batch, length) ids and mask -> `ModelOutput` of the encoder."""
        x, attention_mask = self.embed(input_ids), as_mask(attention_mask, input_ids.shape)
        mask = None if attention_mask is None else padding_mask(attention_mask)
        return self.encoder(x, mask, output_attentions=output_attentions)[0]

    def decode(self, ids, memory, attention_mask=None, past=None):
        """What was written so far (batch, length) and what was read -> (`ModelOutput`, past).

        memory: (batch, read, dim), with its attention_mask (batch, read). With ``past``, ids are
        the new ones only.
        """
        start = 0 if past is None else past[0][0].shape[2]
        seen = causal_mask(ids.shape[1], start, ids.device)
        memory_mask = None if attention_mask is None else padding_mask(attention_mask)
        return self.decoder(self.embed(ids, start), seen, memory, memory_mask, past)

    def forward(self, input_ids, decoder_ids, attention_mask=None):
        """ids read (batch, length) and written (batch, steps) -> logits (batch, steps, V).

        The logits at step t are for the token after ``decoder_ids[:, t]``.
        """
        memory = self.encode(input_ids, attention_mask).last_hidden_state
        written, _ = self.decode(decoder_ids, memory, attention_mask)
        return self.output(written.last_hidden_state)

    def loss(self, batch):
        """(sum of cross-entropies, number of targets).

        ``input_ids``, ``attention_mask`` (batch, length); ``decoder_ids`` and ``labels``
        (batch, steps): the token after each, -100 for none.
        """
        logits = self(batch["input_ids"], batch["decoder_ids"], batch.get("attention_mask"))
        flat, labels = logits.flatten(0, 1), batch["labels"].flatten()
        loss = F.cross_entropy(flat, labels, ignore_index=IGNORE, reduction="sum")
        return loss, int((labels != IGNORE).sum())

    def generate(self, input_ids, steps, start_id, end_id=None, attention_mask=None):
        """Write the likeliest token, ``steps`` times: int64 (batch, steps).

        Begins after ``start_id``, which is not returned; after ``end_id`` a row has only that.
        """
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


def initialise(model, std=None):
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
