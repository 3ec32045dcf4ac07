"""A training run as its callbacks see it."""

import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import torch

from minibert.text.batches import Batches
from minibert.training import distributed
from minibert.training.history import History
from minibert.training.optim import Schedule


class Run:
    """A training run as its callbacks see it.

    ``model optimizer batches device history accumulate``; ``step``: updates done; ``steps``:
    updates to do (estimated where epochs differ in length, None where batches have no ``len``);
    ``epoch``: passes completed; ``loss``: of the last update, nats per count; ``valid``: what is
    validated on, or None; ``valid_loss``; ``rate``: learning rate of the first group; ``batch``:
    the list of batches of the current update; ``unit``: what the speed counts, "tokens" or, where
    batches do not say theirs, "targets". A callback may call ``stop()``.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        batches: Iterable[Any],
        optimizer: torch.optim.Optimizer,
        *,
        callbacks: Iterable[Any] = (),
        device: torch.device,
        precision: str | None = None,
        accumulate: int = 1,
        clip: float | None = None,
        schedule: Schedule | None = None,
        valid: Iterable[Any] | None = None,
        valid_every: int | None = None,
    ) -> None:
        self.model: Any = model  # a module, and what it has besides: a loss, a stream of states
        self.batches: Any = batches  # an iterable; some have a length and a state
        self.optimizer = optimizer
        self.callbacks, self.device, self.precision = list(callbacks), device, precision
        self.accumulate, self.clip, self.schedule = accumulate, clip, schedule
        self.valid, self.valid_every = valid, valid_every
        self.history = History()
        self.started: list[Any] = []
        self.step, self.epoch, self.stopped = 0, 0, False
        self.torn = False  # within an update, when weights and history do not agree
        self.goes_on = False  # whether it was restored from a checkpoint
        self.loss: float | None = None
        self.valid_loss: float | None = None
        self.rate: float | None = None
        self.batch: list[Any] = []
        self.unit = "tokens"  # of the speed
        self.utilisation: float | None = None  # see `minibert.training.utilisation`
        self.loss_of = distributed.loss_of(model)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]

    def set_length(self, steps: int | None, epochs: int | None) -> None:
        """Run for ``steps`` updates, or else for ``epochs`` passes (one by default)."""
        self.steps, self.limit, self.epochs = steps, math.inf, math.inf
        if steps is not None:
            self.limit = steps
            return
        self.epochs = 1 if epochs is None else epochs
        if (size := size_of(self.batches)) is not None:
            left = max(1, self.epochs * size - getattr(self.batches, "step", 0))
            self.steps = -(-left // self.accumulate)

    def stop(self) -> None:
        """End the run after this update."""
        self.stopped = True

    @property
    def done(self) -> bool:
        """Whether no more updates are to be made."""
        return self.stopped or self.step >= self.limit

    def start(self) -> None:
        """Call ``on_start`` of each callback."""
        for callback in self.callbacks:
            getattr(callback, "on_start", _nothing)(self)
            self.started.append(callback)

    def tell(self, event: str) -> None:
        """Call the method ``event`` of each callback that has it."""
        for callback in self.callbacks:
            getattr(callback, event, _nothing)(self)

    def tell_all(self, event: str) -> None:
        """The same for all that have started, even if one of them raises."""
        with ExitStack() as calls:
            for callback in reversed(self.started):
                calls.callback(getattr(callback, event, _nothing), self)

    def set_rates(self, factor: float) -> None:
        """Each group's rate: its own one, ``initial_lr``, times ``factor``."""
        for group in self.optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    def needs_valid(self, who: str) -> None:
        """Raises ValueError in a run that validates on nothing."""
        if self.valid is None:
            raise ValueError(f"{who} needs validation losses: give valid=, batches to validate on")

    def batches_an_epoch(self, who: str) -> int:
        """``len(batches)``; raises ValueError where they have none."""
        if (size := size_of(self.batches)) is None:
            silent = f"len() of {type(self.batches).__name__} does not say"
            raise ValueError(f"{who} must know how many batches an epoch has, and {silent}")
        return max(1, size)

    def stream(self) -> Iterator[Any]:
        """Batches without end, or until ``epochs`` passes are completed.

        Raises ValueError for a pass without a batch; one resumed at its very end may be empty.
        """
        counted = isinstance(self.batches, Batches)
        first = self.batches.epoch - self.epoch if counted else 0
        while self.epoch < self.epochs:
            given = False
            for batch in self.batches:
                given = True
                if counted:
                    self.epoch = self.batches.epoch - first
                yield batch
            if not given and (counted or not self.goes_on):
                expected = "expected at least one batch each time that they are iterated over"
                raise ValueError(f"the batches are empty: {expected}")
            self.goes_on = False
            if not counted:
                self.epoch += 1


def size_of(batches: Any) -> int | None:
    """``len(batches)``, or None where they have none, as some of torch's data loaders."""
    try:
        return len(batches)
    except TypeError:
        return None


def _nothing(run: Run) -> None:
    """What a callback does at an event that it has no method for."""
