"""Dropout with eight draws from one random number.

On a CPU, `torch.nn.functional.dropout` spends most of its time on one random number an element. A
64-bit integer holds eight bytes, and a byte is enough to decide with: dropped where it is below
``p * 256``. So ``p`` is rounded to a multiple of 1/256, which no result depends on. Elsewhere than
on a CPU torch's own is used.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 256  # values of a byte


def dropout(x: Float[Tensor, "*shape"], p: float, training: bool = True) -> Float[Tensor, "*shape"]:
    """Zero each element with probability ``p``, divide the others by 1 - p (Srivastava 2014).

    Raises ValueError unless 0 <= p < 1.
    """
    if not 0 <= p < 1:
        raise ValueError(f"expected a probability 0 <= p < 1 for dropout, got {p}")
    if not training or p == 0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, p, training)
    return x * kept(x.shape, p, x.dtype)


def kept(shape: Sequence[int], p: float, dtype: torch.dtype = torch.float32) -> Tensor:
    """What dropout multiplies by: 0, or 1 / (1 - p) with ``p`` a multiple of 1/256; on the CPU."""
    below = min(round(p * LEVELS), LEVELS - 1)
    count = torch.Size(shape).numel()
    words = torch.empty(-(-count // 8), dtype=torch.int64).random_(-(2**63), None)
    drawn = words.view(torch.uint8)[:count]  # eight bytes per word
    return (drawn >= below).to(dtype).mul_(LEVELS / (LEVELS - below)).view(shape)


class Dropout(nn.Module):
    """`dropout` as a module, in place of `torch.nn.Dropout`."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
