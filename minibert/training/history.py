"""What a training run leaves behind: its losses, step by step."""

import json
import math
from dataclasses import KW_ONLY, asdict, dataclass, field
from statistics import fmean
from typing import Any


@dataclass(repr=False)
class History:
    """Lists with one entry an update, and two with one entry a validation.

    ``step``: 1, 2, ...; ``loss``: nats a count (token or example) of that update's batches;
    ``rate``: learning rate of the first parameter group; ``speed``: tokens per second (targets per
    second where batches do not say their tokens). ``valid_step``, ``valid_loss``: validations.
    ``seconds``: that all updates of `minibert.fit` took, those before a run was resumed included.
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    speed: list[float] = field(default_factory=list)
    _: KW_ONLY
    valid_step: list[int] = field(default_factory=list)
    valid_loss: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, step: int, loss: float, rate: float, speed: float) -> None:
        """Append one update."""
        self.step.append(step)
        self.loss.append(loss)
        self.rate.append(rate)
        self.speed.append(speed)

    def add_valid(self, step: int, loss: float) -> None:
        """Append one validation."""
        self.valid_step.append(step)
        self.valid_loss.append(loss)

    def recent(self, last: int = 20) -> float | None:
        """The mean loss of the ``last`` updates; None before the first."""
        losses = self.loss[-last:]
        return math.fsum(losses) / len(losses) if losses else None

    def thinned(self, points: int = 200) -> "History":
        """At most ``points`` entries, means of updates in a row (``step``: the last of them)."""
        size = max(1, math.ceil(len(self) / points))
        short = History(seconds=round(self.seconds, 1))
        short.valid_step, short.valid_loss = list(self.valid_step), list(self.valid_loss)
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            means = (float(f"{fmean(one[part]):.5g}") for one in (self.loss, self.rate, self.speed))
            short.add(self.step[part][-1], *means)
        return short

    def to_dict(self) -> dict[str, Any]:
        """All of it by name; ``History(**d)`` gives the history back."""
        return asdict(self)

    def to_json(self) -> str:
        """The same as JSON text."""
        return json.dumps(self.to_dict())

    def __len__(self) -> int:
        return len(self.step)

    def __repr__(self) -> str:
        if not self.step:
            return "History(no steps)"
        valid = f", best valid {min(self.valid_loss):.4f}" if self.valid_loss else ""
        return f"History({len(self)} steps, loss {self.loss[0]:.4f} to {self.recent():.4f}{valid})"
