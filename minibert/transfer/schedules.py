"""What learns when, and how fast: the rate of each layer at each update, as data.

`rates` gives a matrix with a row for each layer, the lowest first, and a column for each update. It
holds learning rates, and NaN where a layer is frozen. `minibert.show.rate_map` draws it, and
`following` lets `minibert.fit` do what it says.
"""

import hashlib
from typing import Any

import numpy as np
from torch import nn

from minibert.training.optim import Schedule, adamw
from minibert.training.run import Run
from minibert.transfer.added import Added
from minibert.transfer.groups import discriminative_groups, layer_groups

ORDERS = ("all", "top", "gradual", "chain-thaw", "sequential")


def freeze(model: nn.Module, below: int) -> None:
    """Freeze the lowest ``below`` groups of a model, and let all others learn.

    The groups are those of `layer_groups`; a negative number counts from the top: -1 leaves only
    the highest to learn. What rests since something was added (`add`) goes on resting. Raises
    ValueError for a number that leaves none.
    """
    groups = layer_groups(model)
    resting = below if below >= 0 else len(groups) + below
    if not 0 <= resting < len(groups):
        raise ValueError(f"expected 0 to {len(groups) - 1} frozen groups, got {below}")
    parts = [getattr(part, "added", None) for part in model.modules()]
    asleep = set().union(*(added.resting for added in parts if isinstance(added, Added)))
    for height, group in enumerate(groups):
        for parameter in group:
            parameter.requires_grad_(height >= resting and parameter not in asleep)


def rates(
    order: str,
    layers: int,
    steps: int,
    rate: float,
    *,
    factor: float = 1.0,
    schedule: Schedule | None = None,
    share: float = 0.5,
) -> np.ndarray:
    """The rate of each layer at each update, (layers, steps), lowest first; NaN while frozen.

    order: which layers learn.

    - "all" from the start, or the "top" alone;
    - "gradual": the top, and one layer more at a time (Howard & Ruder 2018, section 3.3);
    - "chain-thaw": the top alone, each layer alone from the lowest up, then all (Felbo et al. 2017,
      section 3.3);
    - "sequential": the top, then all but the lowest, then all (Chronopoulou et al. 2019, section
      3).

    factor: each layer's rate is that of the layer above, divided by this. schedule: what the rates
    are multiplied by at an update (`minibert.training.optim`); constant by default. share: of the
    updates, rounded down, after which the last stage of the order begins. The stages before it are
    equally long, give or take an update; some are left out where there are more than updates.

    Raises ValueError for an unknown order, and for numbers that make no plan.
    """
    if not (layers >= 1 and steps >= 1 and rate > 0 and factor > 0 and 0 <= share < 1):
        told = f"{layers}, {steps}, {rate}, {factor} and {share}"
        raise ValueError(
            "expected layers and steps of at least 1, a rate and a factor above 0 and a share "
            f"from 0 to below 1, got {told}"
        )
    stages = _stages(order, layers)
    before, last = len(stages) - 1, int(steps * share)  # stages before the last, and its start
    times = np.array([schedule(step) if schedule else 1.0 for step in range(steps)])  # (steps,)
    heights = np.array([rate / factor**depth for depth in range(layers)])[::-1]  # (layers,)
    found = np.full((layers, steps), np.nan)
    for step in range(steps):
        awake = stages[step * before // last if step < last else before]
        found[awake, step] = heights[awake] * times[step]
    return found


def _stages(order: str, layers: int) -> list[list[int]]:
    """The layers that learn in each stage of an order; the last stage lasts."""
    top, everything = layers - 1, list(range(layers))
    stages = {
        "all": [everything],
        "top": [[top]],
        "gradual": [everything[lowest:] for lowest in reversed(everything)],
        "chain-thaw": [[top], *([one] for one in everything[:-1]), everything],
        "sequential": [[top], everything[1:] or [top], everything],
    }
    if order not in stages:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, got {order!r}")
    return stages[order]


def following(
    model: nn.Module,
    rates: np.ndarray,
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.999),
) -> dict[str, Any]:
    """The arguments with which `minibert.fit` trains a model by `rates`: how long, and with what.

    ``minibert.fit(model, batches, **following(model, rates))``. A row of ``rates`` is one of the
    model's `layer_groups`. Afterwards each parameter learns or rests as before.
    """
    groups = discriminative_groups(model, 1.0, 1.0, weight_decay)
    return {
        "steps": rates.shape[1],
        "optimizer": adamw(groups, betas=betas),
        "callbacks": [Follow(rates)],
    }


class Follow:
    """A callback that gives each layer its rate at each update, and freezes it where that is NaN.

    ``rates``: (layers, updates), as `rates` makes them. The optimiser must have been made before
    the training, over all parameters that are to learn, with no parameter group across two layers
    (`discriminative_groups`). Raises ValueError for rates, an optimiser or a schedule that do not
    fit, and for an update in which nothing would learn, when the run starts.
    """

    def __init__(self, rates: np.ndarray) -> None:
        self.rates = np.asarray(rates, dtype=float)
        if self.rates.ndim != 2 or np.isnan(self.rates).all(0).any():
            raise ValueError(
                "expected rates with a row for each layer and a column for each update, and at "
                f"least one layer that learns in each, got the shape {self.rates.shape}"
            )

    def on_start(self, run: Run) -> None:
        layers = layer_groups(run.model)
        if len(layers) != len(self.rates):
            raise ValueError(f"expected rates of {len(layers)} layers, got {len(self.rates)} rows")
        if run.steps is None or run.steps > self.rates.shape[1]:
            raise ValueError(f"the rates end after {self.rates.shape[1]} of {run.steps} updates")
        if run.schedule is not None:
            raise ValueError("the rates hold a schedule already: leave schedule out")
        heights = {p: height for height, layer in enumerate(layers) for p in layer}
        self.heights = []  # of each group of the optimiser
        for group in run.optimizer.param_groups:
            found = {heights.get(p, -1) for p in group["params"]}
            if len(found) > 1 or -1 in found:
                raise ValueError(
                    "expected parameter groups that each lie in one layer of the model"
                )
            self.heights.append(found.pop())
        self.learned = [(p, p.requires_grad, heights[p]) for layer in layers for p in layer]
        able = sorted({height for _, learned, height in self.learned if learned})
        if (idle := np.isnan(self.rates[able, : run.steps]).all(0)).any():
            raise ValueError(
                f"at update {idle.argmax()} no parameter learns: all are frozen in the layers that "
                "have a rate"
            )

    def before_step(self, run: Run) -> None:
        if run.step >= self.rates.shape[1]:
            raise ValueError(f"the rates end after {self.rates.shape[1]} updates: give fit steps")
        now = self.rates[:, run.step]
        for parameter, learned, height in self.learned:
            parameter.requires_grad_(learned and not np.isnan(now[height]))
        for group, height in zip(run.optimizer.param_groups, self.heights, strict=True):
            group["lr"] = float(np.nan_to_num(now[height]))

    def on_end(self, run: Run) -> None:
        for parameter, learned, _ in self.learned:
            parameter.requires_grad_(learned)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must agree on."""
        return {"rates": hashlib.sha256(self.rates.tobytes()).hexdigest()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ValueError for a run with other rates."""
        if state != self.state_dict():
            raise ValueError("the run was saved with other rates: give the same, or start again")
