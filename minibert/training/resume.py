"""Saving a training run and going on with it as if it had never stopped."""

import random

import numpy as np
import torch

from minibert.storage.checkpoint import Checkpoints, load_tensors
from minibert.training.history import History


class Resume:
    """A run's checkpoints: restores the newest one into ``run`` if ``resume``, and saves more."""

    def __init__(self, folder, run, resume=True):
        self.checkpoints, self.saved = Checkpoints(folder), None
        found = self.checkpoints.load() if resume else None
        if found:
            self._restore(run, *found)

    def save(self, run):
        """Write everything that the next update depends on."""
        now = (run.step, len(run.history.valid_step))
        if now == self.saved:
            return
        model, stateful = run.model, _stateful(run)
        training = {
            "optimizer": run.optimizer.state_dict(),
            "random": random_state(run.device),
            "batches": run.batches.state_dict(),
            "stream": model.stream_state() if hasattr(model, "stream_state") else None,
            "callbacks": [(type(c).__name__, c.state_dict()) for c in stateful],
        }
        record = {"epoch": run.epoch, "torch": torch.__version__, "history": run.history.to_dict()}
        self.checkpoints.save(run.step, model.state_dict(), training, record)
        self.saved = now

    def _restore(self, run, tensors, training, record):
        source = f"the checkpoint of step {record['step']} in {self.checkpoints.folder}"
        stateful, saved = _stateful(run), training["callbacks"]
        names = [type(callback).__name__ for callback in stateful]
        if names != [name for name, _ in saved]:
            raise ValueError(
                f"{source} was made with the callbacks {[name for name, _ in saved]}, this run has "
                f"{names}; give the same ones, or resume=False to start afresh"
            )
        run.batches.load_state_dict(training["batches"])
        load_tensors(run.model, tensors, source)
        run.optimizer.load_state_dict(training["optimizer"])
        for callback, (_, state) in zip(stateful, saved, strict=True):
            callback.load_state_dict(state)
        if hasattr(run.model, "stream_state"):
            run.model.load_stream_state(training["stream"])
        run.history = History(**record["history"])
        run.step, run.epoch = record["step"], record["epoch"]
        set_random_state(training["random"])
        self.saved = (run.step, len(run.history.valid_step))


def random_state(device):
    """The states of Python's, NumPy's and torch's generators, as numbers and tensors."""
    kind, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if device.type == "cuda" else [],
    }


def set_random_state(state):
    """Put back what `random_state` gave."""
    kind, keys, *rest = state["numpy"]
    random.setstate(state["python"])
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def _stateful(run):
    return [callback for callback in run.callbacks if hasattr(callback, "state_dict")]
