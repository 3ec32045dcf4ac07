"""Attention: a place looks at others, and takes from each as much as it fits.

Vaswani et al. (2017), "Attention Is All You Need", arXiv:1706.03762, section 3.2. Masks are
boolean, and True means: this place may be looked at. They have, or broadcast to, the shape
(batch, heads, length, keys).
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from minibert.models.dropout import dropout


def padding_mask(attention_mask):
    """(batch, length), 1 for a token, 0 for padding -> (batch, 1, 1, length): none of it seen."""
    return attention_mask.bool()[:, None, None, :]


def causal_mask(length, past=0, device=None, attention_mask=None):
    """(length, past + length): a place sees the ``past`` ones, those before it and itself.

    With an ``attention_mask`` (batch, past + length), (batch, 1, length, past + length): and none
    of the padding. Padding sees itself, so that no row is empty.
    """
    seen = torch.ones(length, past + length, dtype=torch.bool, device=device).tril(past)
    if attention_mask is None:
        return seen
    own = seen & ~seen.tril(past - 1)
    return seen & padding_mask(attention_mask) | own


def attend(query, key, value, mask=None, p=0.0):
    """Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V (section 3.2.1, equation 1).

    query (..., length, d_k), key (..., keys, d_k), value (..., keys, d_v) -> what was found,
    (..., length, d_v), and the weights, (..., length, keys), whose rows add up to one. ``p``:
    dropout on the weights that are used; those returned are whole. A place that may look nowhere
    finds zeros.
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (..., length, keys)
    if mask is None:
        weights = scores.softmax(-1)
    else:
        weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
        weights = weights.masked_fill(~mask, 0.0)  # a row that is masked as a whole is NaN before
    return dropout(weights, p) @ value, weights


def attend_fused(query, key, value, mask=None, p=0.0):
    """What `attend` finds, by PyTorch's fused kernel, which never holds the weights."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=p)


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each on its own projection (section 3.2.2)."""

    def __init__(self, dim, heads, dropout=0.0):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.output = nn.Linear(dim, dim)

    def forward(self, x, memory=None, mask=None, past=None, output_attentions=False, fused=None):
        """x (batch, length, dim) -> (new x, weights or None, (keys, values)).

        memory: (batch, keys, dim), what is looked at; x itself by default. past: the (keys, values)
        of earlier positions, each (batch, heads, past, head), as an earlier call gave them. fused:
        which kernel; by default the fused one everywhere but on a CPU, where it is the slower one.
        The weights, (batch, heads, length, keys), come from the plain one.
        """
        memory = x if memory is None else memory
        query = self.split(self.query(x))
        keys, values = self.split(self.key(memory)), self.split(self.value(memory))
        if past is not None:
            keys, values = torch.cat((past[0], keys), 2), torch.cat((past[1], values), 2)
        p = self.dropout if self.training else 0.0
        fused = x.device.type != "cpu" if fused is None else fused
        if fused and not output_attentions:
            found, weights = attend_fused(query, keys, values, mask, p), None
        else:
            found, weights = attend(query, keys, values, mask, p)
        found = found.transpose(1, 2).flatten(2)  # (batch, length, heads, head) -> (.., .., dim)
        return self.output(found), weights if output_attentions else None, (keys, values)

    def split(self, x):
        """(batch, length, dim) -> (batch, heads, length, head)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
