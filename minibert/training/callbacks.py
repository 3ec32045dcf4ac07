"""Callbacks of the training loop that every model can use."""

import math
from typing import Any

import torch

from minibert.training.run import Run


class RateByLength:
    """Scale the rate of an update by its window's length over ``bptt``.

    Windows of `BPTTBatches` with ``vary=True`` differ in length; the loss is a mean, so a token of
    a short window would count for more (Merity et al. 2018, section 4.1).
    """

    def __init__(self, bptt: int) -> None:
        self.bptt = bptt

    def before_step(self, run: Run) -> None:
        if not all(isinstance(batch, dict) and "input_ids" in batch for batch in run.batch):
            raise ValueError("RateByLength needs batches with input_ids, such as BPTTBatches")
        lengths = [batch["input_ids"].shape[1] for batch in run.batch]
        for group in run.optimizer.param_groups:
            group["lr"] *= sum(lengths) / len(lengths) / self.bptt


class EarlyStopping:
    """Stop after ``patience`` validations without a new best; put the best weights back then."""

    def __init__(self, patience: int) -> None:
        if patience < 1:
            raise ValueError(f"patience must be at least one validation, got {patience}")
        self.patience, self.best, self.waited = patience, math.inf, 0
        self.weights: dict[str, torch.Tensor] | None = None

    def on_start(self, run: Run) -> None:
        run.needs_valid("early stopping")
        if run.step == 0:  # a run from its start, not one that is resumed
            self.best, self.waited, self.weights = math.inf, 0, None
        self._stop_if_due(run)

    def on_valid(self, run: Run) -> None:
        loss = run.history.valid_loss[-1]
        if loss < self.best:
            self.best, self.waited = loss, 0
            self.weights = {name: t.detach().clone() for name, t in run.model.state_dict().items()}
        else:
            self.waited += 1
        self._stop_if_due(run)

    def on_end(self, run: Run) -> None:
        if self.weights is not None:
            run.model.load_state_dict(self.weights)

    def _stop_if_due(self, run: Run) -> None:
        if self.waited >= self.patience:
            run.stop()

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited, self.weights = state["best"], state["waited"], state["weights"]
