"""What a block has beside attention: its feed-forward layers, and a norm that came later."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

X = Float[Tensor, "*batch dim"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,  # x times the normal distribution function (Hendrycks & Gimpel 2016)
    "gelu_tanh": partial(F.gelu, approximate="tanh"),  # the approximation that GPT uses
    "silu": F.silu,  # x times its logistic function: Llama's
}


class FeedForward(nn.Module):
    """Two linear layers with an activation between, at each place alike (section 3.3).

    With ``gated``, a third layer, activated, multiplies what the first one gives (Shazeer 2020,
    arXiv:2002.05202, section 2).
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        activation: str = "relu",
        *,
        gated: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(dim, hidden, bias), nn.Linear(hidden, dim, bias)
        self.gate = nn.Linear(dim, hidden, bias) if gated else None
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: X) -> X:
        if self.gate is not None:
            return self.outer(self.activation(self.gate(x)) * self.inner(x))
        return self.outer(self.activation(self.inner(x)))


class RMSNorm(nn.Module):
    """LayerNorm without a mean and a bias (Zhang & Sennrich 2019, arXiv:1910.07467, equation 4)."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x: X) -> X:
        # x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight
        return F.rms_norm(x, x.shape[-1:], self.weight, self.eps)
