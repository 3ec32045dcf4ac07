"""Saving a training run and going on with it as if it had never stopped."""

import random
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from minibert.storage.checkpoint import Checkpoints, State, load_tensors
from minibert.training import distributed
from minibert.training.history import History
from minibert.training.run import Run
from minibert.training.update import to_device

# Of an optimiser's options: the rate of the moment, and how torch computes the update.
FREE = ("lr", "fused", "foreach", "capturable", "differentiable")


class Resume:
    """A run's checkpoints: restores the newest one into ``run`` if ``resume``, and saves more.

    ``settings``: what else a run that goes on must agree on, by name. Several processes save
    together, and each gets its own random numbers and its own stream back.
    """

    def __init__(
        self, folder: Path | str, run: Run, settings: dict[str, Any], resume: bool = True
    ) -> None:
        self.checkpoints, self.settings = Checkpoints(folder), settings
        self.saved: tuple[int, int] | None = None  # step, and validations
        self.marked: dict[str, Any] | None = None
        modules = run.model.modules()  # a recurrent model may stand in another
        self.carriers = [module for module in modules if hasattr(module, "stream_state")]
        found = self.checkpoints.load() if resume else None
        if found:
            self._restore(run, *found)

    def mark(self, run: Run) -> None:
        """Remember where the run stands before an update that may be interrupted."""
        self.marked = self._position(run)

    def save(self, run: Run) -> None:
        """Write everything that the next update depends on."""
        now = (run.step, len(run.history.valid_step))
        if now == self.saved:
            return
        position = distributed.gathered(self.marked or self._position(run))
        self.saved = now
        if distributed.rank():
            return
        training = {"optimizer": run.optimizer.state_dict(), "positions": position}
        training["kind"] = type(run.optimizer).__name__
        record = {"epoch": position[0]["epoch"], "torch": torch.__version__}
        record |= {"settings": self.settings, "history": run.history.to_dict()}
        record["valid_every"] = run.valid_every
        self.checkpoints.save(run.step, run.model.state_dict(), training, record)

    def rescue(self, run: Run) -> str:
        """Save an interrupted run where that can be done exactly; says what can be gone on with."""
        folder = self.checkpoints.folder
        alone = distributed.size() == 1  # other processes may be elsewhere
        if alone and not run.torn:
            self.save(run)
        if self.saved is None:
            return f"There is no checkpoint in {folder} yet."
        return f"Saved at step {self.saved[0]} in {folder}, where the same call goes on."

    def _position(self, run: Run) -> dict[str, Any]:
        """What an update changes besides weights, optimiser and history; cheap."""
        return {
            "epoch": run.epoch,
            "random": random_state(run.device),
            "batches": run.batches.state_dict(),
            "streams": [module.stream_state() for module in self.carriers],
            "callbacks": [(type(c).__name__, c.state_dict()) for c in _stateful(run)],
        }

    def _restore(self, run: Run, tensors: State, training: State, record: State) -> None:
        source = f"the checkpoint of step {record['step']} in {self.checkpoints.folder}"
        if "positions" not in training:
            remedy = "give resume=False, or another folder, to start again"
            raise ValueError(f"{source} is of an earlier version of minibert: {remedy}")
        positions = training["positions"]
        mine = positions[min(distributed.rank(), len(positions) - 1)]
        stateful, saved = _stateful(run), mine["callbacks"]
        names = [type(callback).__name__ for callback in stateful]
        _same(source, {"callbacks": [name for name, _ in saved]}, {"callbacks": names})
        _same(source, record["settings"], self.settings)
        _same(source, {"optimizer": training["kind"]}, {"optimizer": type(run.optimizer).__name__})
        _check_groups(source, training["optimizer"], run.optimizer)
        if run.valid is not None and record["valid_every"] is not None:
            run.valid_every = run.valid_every or record["valid_every"]
            _same(source, {"valid_every": record["valid_every"]}, {"valid_every": run.valid_every})
        run.batches.load_state_dict(mine["batches"])
        load_tensors(run.model, tensors, source)
        run.optimizer.load_state_dict(training["optimizer"])
        for callback, (_, state) in zip(stateful, saved, strict=True):
            callback.load_state_dict(state)
        streams = mine.get("streams") or [mine.get("stream")]  # earlier: the model's own alone
        for module, state in zip(self.carriers, streams, strict=False):
            module.load_stream_state(to_device(state, run.device))
        run.history = History(**record["history"])
        run.step, run.epoch, run.goes_on = record["step"], mine["epoch"], True
        if distributed.rank() < len(positions):
            set_random_state(mine["random"])
        self.saved = (run.step, len(run.history.valid_step))


class GoesOn:
    """A callback of word2vec's fast run: saves one that Ctrl-C stops, and goes on with it."""

    def __init__(self, folder: Path | str) -> None:
        self.checkpoints = Checkpoints(folder)

    def on_start(self, run: Any) -> None:
        self.settings = {
            "epochs": run.epochs, "workers": run.workers, "seed": run.seed,
            "rate": run.first_rate, "words": run.total,
        }  # fmt: skip
        found = self.checkpoints.load()
        if not found:
            return
        tensors, training, record = found
        if record["settings"] != self.settings:
            raise ValueError(
                f"the run in {self.checkpoints.folder} was made with {record['settings']}, this "
                f"one has {self.settings}: give the same, or another folder"
            )
        load_tensors(run.model, tensors, f"the checkpoint in {self.checkpoints.folder}")
        run.words[:], run.step = training["words"], record["step"]
        run.history = History(**record["history"])

    def on_end(self, run: Any) -> None:
        if not run.interrupted:
            return
        record = {"settings": self.settings, "history": run.history.to_dict()}
        words = {"words": list(run.words)}
        self.checkpoints.save(run.step, run.model.state_dict(), words, record)
        print(f"Saved in {self.checkpoints.folder}, where the same call goes on.", flush=True)
        raise KeyboardInterrupt


def random_state(device: torch.device) -> dict[str, Any]:
    """The states of Python's, NumPy's and torch's generators, as numbers and tensors."""
    kind, keys, *rest = cast("tuple[Any, ...]", np.random.get_state())
    return {
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if device.type == "cuda" else [],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Put back what `random_state` gave."""
    kind, keys, *rest = state["numpy"]
    random.setstate(state["python"])
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def _same(source: str, saved: dict[str, Any], ours: dict[str, Any]) -> None:
    """Raises ValueError, naming it, for a setting that differs from the saved run's."""
    for name, value in ours.items():
        before = saved.get(name)
        if (list(before) if isinstance(before, tuple) else before) != (
            list(value) if isinstance(value, tuple) else value
        ):
            raise ValueError(
                f"{source} was made with {name}={before!r}, this run has {name}={value!r}: give "
                f"the same, or resume=False to start again"
            )


def _check_groups(source: str, saved: dict[str, Any], optimizer: torch.optim.Optimizer) -> None:
    """Refuse a saved optimiser with other groups, rates or options than this one's."""
    groups, ours = saved["param_groups"], optimizer.param_groups
    sizes = [[len(group["params"]) for group in side] for side in (groups, ours)]
    _same(source, {"parameters in groups": sizes[0]}, {"parameters in groups": sizes[1]})
    names = [name for name in (*optimizer.defaults, "initial_lr") if name not in FREE]
    for before, now in zip(groups, ours, strict=True):
        for name in names:
            shown = "learning rate" if name == "initial_lr" else name
            if name in now:
                _same(source, {shown: before.get(name)}, {shown: now[name]})


def _stateful(run: Run) -> list[Any]:
    return [callback for callback in run.callbacks if hasattr(callback, "state_dict")]
