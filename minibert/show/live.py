"""The loss of a training run, drawn while it trains: a callback for `mb.fit`."""

from __future__ import annotations

import time
import uuid
from importlib import import_module
from typing import TYPE_CHECKING, Any

from minibert.runtime import smoke
from minibert.training.progress import in_notebook, quiet

if TYPE_CHECKING:
    from minibert.training.run import Run

SHARE = 0.1  # of the training time at most, for drawing
MOST_OFTEN = 0.5  # seconds between two pictures


class LossPlot:
    """Draw the loss in a notebook while a model trains: ``mb.fit(..., callbacks=[LossPlot()])``.

    It is redrawn at most twice per second, and drawing takes at most a tenth of the time; a plain
    figure with alt text remains. Options go to `show.loss_curve`. Outside a notebook, one line is
    printed at the end; under nbgrader's autograder, nothing. Smoke size: only the last picture.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options

    def on_start(self, run: Run) -> None:
        self.place = {"display_id": uuid.uuid4().hex}
        self.live = in_notebook() and not quiet() and not smoke()
        if self.live:  # load matplotlib now, so that it does not count as drawing
            import_module("minibert.show.curves")
        self.due = time.monotonic() + MOST_OFTEN

    def on_step(self, run: Run) -> None:
        start = time.monotonic()
        if self.live and start >= self.due:
            self._draw(run.history, final=False)
            end = time.monotonic()
            self.due = end + max(MOST_OFTEN, (end - start) / SHARE)

    def on_end(self, run: Run) -> None:
        if not run.history.step or quiet():
            return
        if in_notebook():
            self._draw(run.history, final=True)
        else:
            print(f"{self.options.get('title', 'Loss while training')}: {run.history!r}")

    def _draw(self, history, final):
        from minibert.show import figures  # matplotlib loads when the first picture is drawn
        from minibert.show.curves import loss_curve

        fig = loss_curve(history, **self.options)
        if not final:  # a fixed layout and fewer exact colours: drawn in half the time
            fig.set_layout_engine(None)
            fig.subplots_adjust(left=0.1, right=0.9, top=0.9, bottom=0.14)
        data, metadata = figures.bundle(figures.png(fig, fast=not final), fig.alt)
        figures.publish(data, metadata, **self.place)
        self.place["update"] = True
