"""Projected attention layers: a narrow attention of its own beside each block.

Stickland & Murray (2019), "BERT and PALs", arXiv:1902.02671, section 3.3. The two projections, down
to a narrow space and up again, are shared by all blocks; each block has its own small attention.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minibert.models.transformer.attention import Attended, MultiHeadAttention
from minibert.transfer.places import Replacement, blocks_of


class Narrow(nn.Module):
    """up(attention(down(h))): what a block's input becomes beside the block (equation 5).

    The attention has no output layer: ``up`` does that for all blocks.
    """

    def __init__(self, down: nn.Linear, up: nn.Linear, heads: int) -> None:
        super().__init__()
        self.down, self.up = down, up
        self.attention = MultiHeadAttention(down.out_features, heads)
        self.attention.output = nn.Identity()  # type: ignore[assignment]

    def forward(self, h: Float[Tensor, "batch length dim"], mask: Any) -> Tensor:
        return self.up(self.attention(self.down(h), mask=mask)[0])


class Beside(nn.Module):
    """A block's attention; on its way, the narrow one reads the same, and its result is kept."""

    def __init__(self, attention: nn.Module, narrow: Narrow) -> None:
        super().__init__()
        self.attention, self.narrow = attention, narrow
        self.kept: list[Tensor] = []

    def forward(self, x: Float[Tensor, "batch length dim"], *args: Any, **options: Any) -> Attended:
        if options.get("past") is not None:
            raise ValueError("projected attention has no cache: write with cache=False")
        self.kept[:] = [self.narrow(x, options.get("mask"))]
        return self.attention(x, *args, **options)


class Joined(nn.Module):
    """A block's feed-forward layers, and what `Beside` has kept is added to what they give."""

    def __init__(self, ffn: nn.Module, kept: list[Tensor]) -> None:
        super().__init__()
        self.ffn, self.kept = ffn, kept

    def forward(self, x: Float[Tensor, "batch length dim"]) -> Float[Tensor, "batch length dim"]:
        return self.ffn(x) + self.kept.pop()


def put(model: nn.Module, *, size: int = 204, heads: int = 12) -> list[Replacement]:
    """Put a narrow attention beside each block, added before the block's last residual sum.

    size: its width; heads: its heads. The defaults are the paper's for BERT-base. Raises ValueError
    for a size that is no multiple of ``heads``.
    """
    if size < 1 or heads < 1 or size % heads:
        raise ValueError(f"size={size} must be a multiple of heads={heads}, both at least 1")
    blocks = blocks_of(model)
    like = blocks[0].attention.query.weight
    with torch.device(like.device):
        down = nn.Linear(like.shape[1], size, bias=False)
        up = nn.Linear(size, like.shape[1], bias=False)
        nn.init.zeros_(up.weight)
        narrow = [Narrow(down, up, heads).to(like.dtype) for _ in blocks]
    found = []
    for block, one in zip(blocks, narrow, strict=True):
        beside = Beside(block.attention, one)
        found += [
            Replacement(block, "attention", beside),
            Replacement(block, "ffn", Joined(block.ffn, beside.kept)),
        ]
    return found
