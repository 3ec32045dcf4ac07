"""The linear probe: multinomial logistic regression, all rows at once, by L-BFGS."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from minibert.probe.classify import Probe, Standard, X, Y

PENALTIES = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)  # the strongest first
PATIENCE = 2  # penalties in a row that are worse on ``valid``
STEPS, HISTORY = 1000, 20  # of L-BFGS: the most steps, and how many of them it remembers


class Linear(Probe):
    """softmax(W x + b) on standardised rows.

    It minimises the sum of the losses plus ``penalty / 2`` times the squared weights; the biases
    are free. That is scikit-learn's ``LogisticRegression(C=1 / penalty)``. Of several penalties the
    one with the smallest loss on ``valid`` is taken, ``penalty``; each starts where the one before
    ended, and the rest is left out when two in a row were worse. ``tolerance``: it has converged
    when a step lowers the mean loss by less, in nats.
    """

    def __init__(
        self,
        penalty: float | Sequence[float] = PENALTIES,
        tolerance: float = 5e-5,
        seed: int = 0,
    ) -> None:
        penalties = list(penalty) if isinstance(penalty, Sequence) else [penalty]
        if not penalties or not all(0 < p < math.inf for p in penalties):
            raise ValueError(f"expected penalties above 0, got {penalty}")
        self.penalties = sorted(map(float, penalties), reverse=True)
        self.tolerance, self.seed, self.penalty = tolerance, seed, math.nan

    def learn(self, x: X, y: Y, valid_x: X, valid_y: Y) -> None:
        self.standard = Standard(x)
        x, valid_x = self.standard(x), self.standard(valid_x)
        weights = x.new_zeros(x.shape[1] + 1, len(self.names))  # the last row: the biases
        best, worse = math.inf, 0
        for penalty in self.penalties:
            weights = minimise(x, y, penalty, weights, tolerance=self.tolerance)
            loss = float(F.cross_entropy(scores(valid_x, weights), valid_y))
            worse = 0 if loss < best else worse + 1
            if loss < best:
                best, self.penalty, self.weights = loss, penalty, weights
            if worse == PATIENCE:
                break
        if math.isinf(best):
            raise ValueError("the probe found no finite loss on the validation rows")

    def logits(self, x: X) -> Float[Tensor, "rows labels"]:
        return scores(self.standard(x), self.weights)


def scores(x: X, weights: Float[Tensor, "dim+1 labels"]) -> Float[Tensor, "rows labels"]:
    """W x + b; the biases are the last row of ``weights``."""
    return torch.addmm(weights[-1], x, weights[:-1])


def minimise(
    x: X, y: Y, penalty: float, start: Float[Tensor, "dim+1 labels"], *, tolerance: float
) -> Float[Tensor, "dim+1 labels"]:
    """The weights with the smallest loss, from ``start``."""
    weights = start.clone().requires_grad_()
    limits: dict[str, Any] = {"max_iter": STEPS, "history_size": HISTORY, "tolerance_grad": 0.0}
    optimizer = torch.optim.LBFGS(
        [weights], tolerance_change=tolerance, line_search_fn="strong_wolfe", **limits
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(scores(x, weights), y)
        loss = loss + penalty / (2 * len(y)) * weights[:-1].square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return weights.detach()
