"""LoRA: a change of low rank beside a linear layer that rests.

Hu et al. (2021), "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685. A layer
computes x W^T + b; it learns a change of W, the product of two thin matrices, and W itself does not
move. The product can be added into W afterwards, so that the model is no slower than before.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minibert.models.dropout import Dropout
from minibert.transfer.places import Replacement, blocks_of, linear_layers


class LoRALinear(nn.Module):
    """y = x W^T + b + scale * (x A^T) B^T (section 4.1, equation 3), with scale = alpha / rank.

    A, ``down.weight`` (rank, in), starts as a linear layer does, and B, ``up.weight`` (out, rank),
    at zero: at first nothing is changed.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear, self.scale, self.dropout = linear, alpha / rank, Dropout(dropout)
        like = linear.weight
        self.down = nn.Linear(linear.in_features, rank, bias=False).to(like)
        self.up = nn.Linear(rank, linear.out_features, bias=False).to(like)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)
        self.out_features = linear.out_features

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        return self.linear(x) + self.scale * self.up(self.down(self.dropout(x)))

    @property
    def change(self) -> Float[Tensor, "out in"]:
        """What is learned, as a matrix: scale * B A."""
        return self.scale * self.up.weight @ self.down.weight

    @property
    def weight(self) -> Float[Tensor, "out in"]:
        """W and its change; without dropout the layer is as if this were its matrix."""
        return self.linear.weight + self.change

    @property
    def bias(self) -> Float[Tensor, " out"] | None:
        return self.linear.bias

    @property
    def quick(self) -> bool:
        """Whether `weight` is all that there is to it, see `minibert.models.transformer.fast`."""
        return not (self.training and self.dropout.p)


def put(
    model: nn.Module,
    *,
    rank: int = 8,
    alpha: float | None = None,
    dropout: float = 0.0,
    layers: tuple[str, ...] = ("query", "value"),
) -> list[Replacement]:
    """Put a change of low rank beside the ``layers`` of each block.

    alpha: how much a change counts, by default ``rank``. layers: some of query, key, value, output,
    inner, outer and gate; the paper's are query and value. Raises ValueError for others.
    """
    if rank < 1:
        raise ValueError(f"expected a rank of at least 1, got {rank}")
    alpha = float(rank if alpha is None else alpha)
    return [
        Replacement(owner, name, LoRALinear(getattr(owner, name), rank, alpha, dropout))
        for block in blocks_of(model)
        for owner, name in linear_layers(block, layers)
    ]


@torch.no_grad()
def merge(replacement: Replacement) -> tuple[nn.Linear, Tensor]:
    """Add the change into the layer's matrix; gives the layer and its matrix as it was, a copy."""
    lora = replacement.new
    assert isinstance(lora, LoRALinear)
    before = lora.linear.weight.clone()
    lora.linear.weight.copy_(lora.weight)
    return lora.linear, before
