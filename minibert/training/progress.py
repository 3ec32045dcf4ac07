"""Progress of a training run: a bar in a terminal or a notebook, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

Shown = Any  # a `minibert.training.run.Run`, or the run of word2vec


def quiet() -> bool:
    """True under nbgrader's autograder, where anything on stderr costs the student the marks."""
    return os.environ.get("NBGRADER_EXECUTION") == "autograde"


class Progress:
    """Shows step, loss, rate and speed: the callback that `minibert.fit` adds by default."""

    show: Callable[[Shown, int, float], None]

    def on_start(self, run: Shown) -> None:
        self.started, self.first, self.shown = time.monotonic(), run.step, 0.0
        if in_notebook():
            self.show, self.pause = _Display(), 0.5
        elif in_terminal():
            self.show, self.pause = _Bar(), 0.1
        else:
            self.show, self.pause = _lines, 10.0

    def on_step(self, run: Shown) -> None:
        now = time.monotonic()
        if now - self.shown >= self.pause:
            self.shown = now
            self.show(run, self.first, now - self.started)

    def on_end(self, run: Shown) -> None:
        if run.step > self.first:
            self.show(run, self.first, time.monotonic() - self.started)
        if isinstance(self.show, _Bar):
            self.show.close()


def in_terminal() -> bool:
    """True where a person sees what goes to stderr; there may be no stderr at all."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # none, or one that is closed
        return False


def in_notebook() -> bool:
    """True inside a Jupyter kernel."""
    return "IPython" in sys.modules and hasattr(sys.modules["IPython"].get_ipython(), "kernel")


def facts(run: Shown) -> str:
    """Loss, validation loss, rate and speed of a run, in a few words."""
    valid = f", valid {run.valid_loss:.3f}" if run.valid_loss is not None else ""
    speed = run.history.speed[-20:]
    busy = f", {run.utilisation:.0%} of peak" if run.utilisation is not None else ""
    return (
        f"loss {run.history.recent():.3f}{valid}, rate {run.rate:.2g}, "
        f"{sum(speed) / len(speed):,.0f} {run.unit}/s{busy}"
    )


class _Bar:
    """tqdm's bar, on stderr as is usual in a terminal."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None

    def __call__(self, run: Shown, first: int, seconds: float) -> None:
        if self.bar is None:
            self.bar = tqdm(total=run.steps, initial=first, unit="step", dynamic_ncols=True)
        self.bar.set_postfix_str(facts(run), refresh=False)
        self.bar.update(run.step - self.bar.n)
        self.bar.refresh()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


class _Display:
    """tqdm's line as one updated output: it stays readable where no widget runs, as on GitHub."""

    def __init__(self) -> None:
        from IPython.display import display

        self.handle = display({"text/plain": ""}, raw=True, display_id=True)

    def __call__(self, run: Shown, first: int, seconds: float) -> None:
        line = tqdm.format_meter(
            run.step, run.steps, seconds, unit="step", initial=first, postfix=facts(run), ncols=110
        )
        self.handle.update({"text/plain": line}, raw=True)


def _lines(run: Shown, first: int, seconds: float) -> None:
    if run.steps is None:  # batches without a len
        print(f"step {run.step:,}: {facts(run)}, {seconds:.0f} s", flush=True)
        return
    left = seconds / (run.step - first) * max(0, run.steps - run.step)
    times = f"{seconds:.0f} s, {left:.0f} s left"
    print(f"step {run.step:,} of {run.steps:,}: {facts(run)}, {times}", flush=True)
