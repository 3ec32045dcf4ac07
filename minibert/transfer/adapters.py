"""Adapters: small networks between the layers of a model that rests.

Houlsby et al. (2019), "Parameter-Efficient Transfer Learning for NLP", arXiv:1902.00751.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minibert.models.transformer.parts import ACTIVATIONS
from minibert.transfer.places import Replacement, blocks_of, linear_layers


class Adapter(nn.Module):
    """x + up(activation(down(x))): a bottleneck of ``size`` numbers (section 2.1, figure 2).

    It starts near the identity: the weights are drawn with a standard deviation of 0.01, at most
    two of them from zero, as in the paper (section 3.6).
    """

    def __init__(self, dim: int, size: int, activation: str = "gelu") -> None:
        super().__init__()
        self.down, self.up = nn.Linear(dim, size), nn.Linear(size, dim)
        self.activation = ACTIVATIONS[activation]
        for linear in (self.down, self.up):
            nn.init.trunc_normal_(linear.weight, std=0.01, a=-0.02, b=0.02)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        return x + self.up(self.activation(self.down(x)))


class Adapted(nn.Module):
    """The last linear layer of a sublayer, and an adapter on what it gives."""

    def __init__(self, linear: nn.Linear, adapter: Adapter) -> None:
        super().__init__()
        self.linear, self.adapter = linear, adapter

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch dim"]:
        return self.adapter(self.linear(x))


def put(model: nn.Module, *, size: int = 64, activation: str = "gelu") -> list[Replacement]:
    """Put two adapters into each block: after attention and after the feed-forward layers.

    ``size``: numbers in the bottleneck. Both stand before the residual sum. The norms of the blocks
    learn too. Raises ValueError for a size below 1 and an unknown activation.
    """
    if size < 1 or activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        told = f"size={size}, activation={activation!r}"
        raise ValueError(f"expected a size of at least 1 and an activation of {known}, got {told}")
    found = []
    for block in blocks_of(model):
        for owner, name in linear_layers(block, ("output", "outer")):
            linear = getattr(owner, name)
            with torch.device(linear.weight.device):
                adapter = Adapter(linear.out_features, size, activation).to(linear.weight.dtype)
            found.append(Replacement(owner, name, Adapted(linear, adapter)))
    return found
