"""Single units against labels: which of them differ, and which few suffice.

Mean differences, one unit at a time, and a sparse logistic regression, all at once, as in Dalvi et
al. (2019), arXiv:1812.09355. A unit that tells a label need not be used by the model: set it with
`minibert.probe.changed`, and see what comes of it.
"""

import math
from collections.abc import Callable, Hashable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from minibert.probe.classify import Labelled, Labels, Probe, Standard, X, Y, labels_of
from minibert.probe.linear import Linear, scores

PENALTIES = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)  # the strongest first
STEPS = 2000  # of the descent, at most


class Sparse(Linear):
    """softmax(W x + b) on standardised rows, with most of W exactly zero.

    It minimises the sum of the losses plus ``penalty`` times the absolute weights, scikit-learn's
    ``LogisticRegression(penalty="l1", C=1 / penalty)``, by accelerated proximal descent (Beck &
    Teboulle 2009). Of several penalties the strongest is taken whose loss on ``valid`` is within
    ``slack`` nats of the best. tolerance: it has converged when the mean gradient of no weight is
    larger, in nats.
    """

    def __init__(
        self,
        penalty: float | Sequence[float] = PENALTIES,
        slack: float = 0.01,
        tolerance: float = 1e-4,
        seed: int = 0,
    ) -> None:
        super().__init__(penalty, tolerance, seed)
        self.slack = slack

    def learn(self, x: X, y: Y, valid_x: X, valid_y: Y) -> None:
        self.standard = Standard(x)
        x, valid_x = self.standard(x), self.standard(valid_x)
        weights = x.new_zeros(x.shape[1] + 1, len(self.names))  # the last row: the biases
        found = []
        for penalty in self.penalties:
            weights = shrunk(x, y, penalty, weights, tolerance=self.tolerance)
            found.append(
                (float(F.cross_entropy(scores(valid_x, weights), valid_y)), penalty, weights)
            )
        best = min(loss for loss, *_ in found)
        if not math.isfinite(best):
            raise ValueError("the probe found no finite loss on the validation rows")
        _, self.penalty, self.weights = next(one for one in found if one[0] <= best + self.slack)

    @property
    def units(self) -> list[int]:
        """The units that any label needs, those with the largest weights first."""
        size = self.weights[:-1].abs().amax(1)
        return [i for i in size.argsort(descending=True, stable=True).tolist() if size[i] > 0]


def shrunk(
    x: X, y: Y, penalty: float, start: Float[Tensor, "dim+1 labels"], *, tolerance: float
) -> Float[Tensor, "dim+1 labels"]:
    """The weights with the smallest loss and the L1 penalty, from ``start``."""
    ones = torch.cat((x, x.new_ones(len(x), 1)), 1)  # (rows, dim + 1)
    target = F.one_hot(y, start.shape[1]).to(x)
    rate = 2.0 / float(torch.linalg.eigvalsh(ones.T @ ones)[-1])  # softmax curves by 1/2 at most
    limit = torch.full_like(start, rate * penalty)
    limit[-1] = 0.0  # the biases are free
    weights = ahead = start
    momentum = 1.0
    for _ in range(STEPS):
        step = ahead - rate * ones.T @ ((ones @ ahead).softmax(1) - target)
        new = step.sign() * (step.abs() - limit).clamp(min=0)
        if bool(((ahead - new) * (new - weights)).sum() > 0):  # it swings: start again
            momentum = 1.0
        after = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / after * (new - weights)
        moved, weights, momentum = float((new - weights).abs().max()), new, after
        if moved < tolerance * rate * len(x) or moved == 0:
            break
    return weights


def mean_differences(x: X, y: Labels) -> tuple[list[Hashable], Float[Tensor, "labels dim"]]:
    """(labels, of each the difference of every unit's mean with it and without it).

    In standard deviations of the unit within the two groups, Cohen's d: 0 says nothing, 1 is large.
    Raises ValueError as `Probe.fit` does, and for a label of one row.
    """
    given = labels_of(y, x)
    names = sorted({*given}, key=str)
    if len(names) < 2:
        raise ValueError(f"expected at least two labels to tell apart, got {names}")
    found = []
    for name in names:
        has = torch.tensor([label == name for label in given], device=x.device)
        a, b = x[has], x[~has]
        if min(len(a), len(b)) < 2:
            raise ValueError(f"expected two rows or more with and without {name!r}, got {len(a)}")
        squares = (a - a.mean(0)).square().sum(0) + (b - b.mean(0)).square().sum(0)
        scale = (squares / (len(x) - 2)).sqrt()
        still = scale <= 1e-6 * scale.max()
        found.append(((a.mean(0) - b.mean(0)) / scale).masked_fill(still, 0.0))
    return names, torch.stack(found)


def ranked(differences: Float[Tensor, "labels dim"]) -> list[int]:
    """All units, the one with the largest difference for any label first."""
    return differences.abs().amax(0).argsort(descending=True, stable=True).tolist()


def with_units(
    train: Labelled,
    test: Labelled,
    order: Sequence[int],
    counts: Sequence[int],
    *,
    make: Callable[[], Probe] = Linear,
) -> dict[int, float]:
    """Accuracy on ``test`` of new probes that see only the first units of ``order``, by number.

    Beside it the same with an order that is turned round or drawn says what the ranking is worth.
    Raises ValueError for counts that the order has not, and as `Probe.fit` does.
    """
    order = list(order)
    if not counts or not all(0 < count <= len(order) for count in counts):
        raise ValueError(f"expected counts from 1 to {len(order)}, got {list(counts)}")
    if len({*order}) < len(order) or not all(0 <= i < train[0].shape[1] for i in order):
        raise ValueError(f"expected different units of {train[0].shape[1]} in the order")
    found = {}
    for count in counts:
        some = order[:count]
        found[count] = make().fit(train[0][:, some], train[1]).score(test[0][:, some], test[1])
    return found
