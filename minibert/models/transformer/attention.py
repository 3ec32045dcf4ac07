"""Attention: a place looks at others, and takes from each as much as it fits.

Vaswani et al. (2017), "Attention Is All You Need", arXiv:1706.03762, section 3.2. Masks are
boolean, and True means: this place may be looked at. They have, or broadcast to, the shape
(batch, heads, length, keys).
"""

import math

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.models.base import Marks
from minibert.models.dropout import dropout

Query = Float[Tensor, "*batch length d_k"]
Key = Float[Tensor, "*batch keys d_k"]
Value = Float[Tensor, "*batch keys d_v"]
Found = Float[Tensor, "*batch length d_v"]
Mask = Bool[Tensor, "... #length #keys"]
States = Float[Tensor, "batch length dim"]
Past = tuple[Float[Tensor, "batch groups _ head"], Float[Tensor, "batch groups _ head"]]
Turn = tuple[Float[Tensor, "*some length head"], Float[Tensor, "*some length head"]]
Attended = tuple[States, Float[Tensor, "batch heads length keys"] | None, Past]


def padding_mask(attention_mask: Marks) -> Bool[Tensor, "batch 1 1 length"]:
    """From 1 for a token, 0 for padding: a mask with which none of the padding is seen."""
    return attention_mask.bool()[:, None, None, :]


def causal_mask(
    length: int,
    past: int = 0,
    device: torch.device | str | None = None,
    attention_mask: Shaped[Tensor, "batch keys"] | None = None,
) -> Mask:
    """A place sees the ``past`` ones, those before it and itself.

    With an ``attention_mask`` (batch, past + length), (batch, 1, length, past + length), it sees no
    padding either. Padding sees itself, so that no row is empty.
    """
    seen = torch.ones(length, past + length, dtype=torch.bool, device=device).tril(past)
    if attention_mask is None:
        return seen
    own = seen & ~seen.tril(past - 1)
    return seen & padding_mask(attention_mask) | own


def attend(
    query: Query, key: Key, value: Value, mask: Mask | None = None, *, p: float = 0.0
) -> tuple[Found, Float[Tensor, "*batch length keys"]]:
    """Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V (section 3.2.1, equation 1).

    Returns what was found, and the weights, whose rows add up to one. ``p``: dropout on the weights
    that are used; those returned are whole. A place that may look nowhere finds zeros.
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (..., length, keys)
    if mask is None:
        weights = scores.softmax(-1)
    else:
        weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
        weights = weights.masked_fill(~mask, 0.0)  # a row that is masked as a whole is NaN before
    return dropout(weights, p) @ value, weights


def attend_fused(
    query: Query, key: Key, value: Value, mask: Mask | None = None, *, p: float = 0.0
) -> Found:
    """What `attend` finds, by PyTorch's fused kernel, which never holds the weights."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=p)


def rotation(places: Int[Tensor, "*batch length"], head: int, base: float) -> Turn:
    """The cosines and sines that turn queries and keys (Su et al. 2021, arXiv:2104.09864).

    Pair i of a head's numbers turns by ``place / base ** (2 i / head)`` radians (section 3.2.2).
    How well a query and a key fit then depends on how far apart they stand, not on where.
    """
    rate = 1 / base ** (torch.arange(0, head, 2, device=places.device).float() / head)
    angle = places[..., None] * rate  # (..., length, head / 2)
    angle = angle[:, None] if places.dim() > 1 else angle  # alike in all heads
    angle = torch.cat((angle, angle), -1)
    return angle.cos(), angle.sin()


def turned(x: Query, turn: Turn) -> Query:
    """Queries or keys after `rotation`; number i of a head makes a pair with i + head / 2."""
    cosine, sine = turn
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat((-second, first), -1) * sine


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each on its own projection (section 3.2.2).

    With ``groups``, several heads share one projection to keys and values (Ainslie et al. 2023,
    arXiv:2305.13245): there are fewer of them to compute, and to keep while a text is written.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        dropout: float = 0.0,
        *,
        groups: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.heads, self.groups, self.dropout = heads, groups or heads, dropout
        shared = dim // heads * self.groups
        self.query, self.key, self.value = (nn.Linear(dim, n, bias) for n in (dim, shared, shared))
        self.output = nn.Linear(dim, dim, bias)

    def forward(
        self,
        x: Float[Tensor, "batch length dim"],
        memory: Float[Tensor, "batch read width"] | None = None,
        mask: Mask | None = None,
        past: Past | None = None,
        *,
        turn: Turn | None = None,
        output_attentions: bool = False,
        fused: bool | None = None,
    ) -> Attended:
        """(new x, weights or None, (keys, values)).

        memory: what is looked at; x itself by default. past: the (keys, values) of earlier
        positions. turn: the `rotation` at x's places, where positions are rotary. fused: which
        kernel; by default the fused one, but on a CPU, where it learns more slowly, only for
        grouped keys without gradients. The weights come from the plain one.
        """
        memory = x if memory is None else memory
        query = self.split(self.query(x), self.heads)
        keys, values = (self.split(of(memory), self.groups) for of in (self.key, self.value))
        if turn is not None:
            query, keys = turned(query, turn), turned(keys, turn)
        if past is not None:
            keys, values = torch.cat((past[0], keys), 2), torch.cat((past[1], values), 2)
        carried, share = (keys, values), self.heads // self.groups  # heads that share a group
        if share > 1:
            keys, values = (part.repeat_interleave(share, 1) for part in carried)
        p = self.dropout if self.training else 0.0
        if fused is None:
            fused = x.device.type != "cpu" or (share > 1 and not torch.is_grad_enabled())
        if fused and not output_attentions:
            found, weights = attend_fused(query, keys, values, mask, p=p), None
        else:
            found, weights = attend(query, keys, values, mask, p=p)
        found = found.transpose(1, 2).flatten(2)  # (batch, length, heads, head) -> (.., .., dim)
        return self.output(found), weights if output_attentions else None, carried

    def split(self, x: States, parts: int) -> Float[Tensor, "batch {parts} length head"]:
        return x.unflatten(-1, (parts, -1)).transpose(1, 2)
