"""Chapter 09: where the training of a linear probe ends, with its own loss and with others."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = tuple[Tensor, Tensor]


def loss_of(weights: Any, x: Tensor, y: Tensor, penalty: float) -> float:
    """The mean loss with its penalty."""
    W, b = weights
    logits = x @ W.float() + b.float()
    return float(F.cross_entropy(logits, y) + penalty / 2 / len(x) * W.square().sum())


def one_hot(loss: Callable[..., Tensor], logits: Tensor, y: Tensor) -> Tensor:
    """A loss between the logits and rows with a 1 at the label."""
    return loss(logits, F.one_hot(y, logits.shape[1]).float())


OTHERS: Any = (
    (lambda logits, y: F.cross_entropy(logits.softmax(1), y),
     "`F.cross_entropy` takes the softmax itself: give it logits."),
    (partial(one_hot, F.binary_cross_entropy_with_logits),
     "that is a loss for each label by itself: the softmax over all labels, `F.cross_entropy`."),
    (partial(one_hot, F.mse_loss), "squared errors: minus the log-probability is asked for."),
)  # fmt: skip


def best(
    x: Tensor,
    y: Tensor,
    penalty: float,
    bias: bool | None = False,
    *,
    loss: Callable[..., Tensor] = F.cross_entropy,
) -> Weights:
    """(W, b) with the smallest loss; ``bias``: whether it is penalised, None: it stays zero."""
    W, b = torch.zeros(x.shape[1], 3), torch.zeros(3)
    parts = [W.requires_grad_()] if bias is None else [W.requires_grad_(), b.requires_grad_()]
    optimizer = torch.optim.LBFGS(parts, max_iter=300, tolerance_change=1e-9,
                                  line_search_fn="strong_wolfe")  # fmt: skip

    def closure() -> Any:
        optimizer.zero_grad()
        squares = W.square().sum() + (b.square().sum() if bias else 0.0)
        value: Any = loss(x @ W + b, y) + penalty / 2 / len(x) * squares
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)
    return W.detach(), b.detach()
