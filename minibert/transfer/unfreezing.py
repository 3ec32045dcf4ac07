"""Which layers learn, and from which update."""

from typing import Any

from torch import nn

from minibert.training.run import Run
from minibert.transfer.groups import layer_groups


def freeze(model: nn.Module, below: int) -> None:
    """Freeze the lowest ``below`` groups of a model, and let all others learn.

    The groups are those of `layer_groups`; a negative number counts from the top: -1 leaves only
    the highest to learn. Raises ValueError for a number that leaves none.
    """
    groups = layer_groups(model)
    resting = below if below >= 0 else len(groups) + below
    if not 0 <= resting < len(groups):
        raise ValueError(f"expected 0 to {len(groups) - 1} frozen groups, got {below}")
    for height, group in enumerate(groups):
        for parameter in group:
            parameter.requires_grad_(height >= resting)


class GradualUnfreezing:
    """A callback that unfreezes one layer after another, the highest first.

    Howard & Ruder 2018, section 3.3: at first the top group learns alone, and after every epoch the
    next one below joins it. ``every``: updates between two of them, by default those of a pass over
    the batches. ``start``: groups that learn from the beginning. ``layers``: groups to wake in all.

    Make the optimiser before training begins, over all parameters: those that sleep get no gradient
    and are not touched. At the end every parameter is as it was found, frozen or not.
    """

    def __init__(self, every: int | None = None, start: int = 1, layers: int | None = None) -> None:
        if (every is not None and every < 1) or start < 1 or (layers is not None and layers < 1):
            told = f"{every}, {start}, {layers}"
            raise ValueError(f"expected every, start and layers of at least 1, got {told}")
        self.every, self.start, self.layers = every, start, layers
        self.awake, self.woken_at = 0, list[int]()
        self.interval: tuple[int, int] | None = None  # batches between two, and those of an update

    def on_start(self, run: Run) -> None:
        self.groups = layer_groups(run.model)
        self.before = [[p.requires_grad for p in group] for group in self.groups]
        if run.step == 0:  # a run from its start, not one that is resumed
            self.awake, self.woken_at, self.interval = 0, [], None
        if self.every:
            self.interval = self.every, 1
        elif self.interval is None:  # batches of an epoch, and those that an update takes
            an_epoch = run.batches_an_epoch("GradualUnfreezing() without every")
            self.interval = an_epoch, run.accumulate
        self.most = min(len(self.groups), self.layers or len(self.groups))

    def before_step(self, run: Run) -> None:
        assert self.interval, "on_start comes first"
        batches, taken = self.interval
        awake = min(self.most, self.start + run.step * taken // batches)
        if awake > self.awake:
            self.woken_at += [run.step] * (awake - self.awake)
        self.awake = awake
        self._sleep(len(self.groups) - awake)

    def on_end(self, run: Run) -> None:
        self._sleep(0)

    def _sleep(self, asleep: int) -> None:
        """Freeze the lowest groups, and leave all others as they were found."""
        for height, group in enumerate(self.groups):
            for parameter, learns in zip(group, self.before[height], strict=True):
                parameter.requires_grad_(learns and height >= asleep)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must agree on: when each group was woken (updates)."""
        kept = {"every": self.every, "start": self.start, "interval": self.interval}
        return {**kept, "woken_at": list(self.woken_at)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ValueError for a run that woke its layers at another pace."""
        for name in ("every", "start"):
            if state[name] != getattr(self, name):
                raise ValueError(
                    f"the run was saved with {name}={state[name]}, this one has "
                    f"{name}={getattr(self, name)}: give the same, or start again"
                )
        self.interval, self.woken_at = state["interval"], list(state["woken_at"])
        self.awake = len(self.woken_at)
