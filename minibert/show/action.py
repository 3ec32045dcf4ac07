"""Widgets with buttons that start something slow, and models that are lent to a training run."""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import ipywidgets
import numpy as np
import torch
from torch import nn

from minibert.runtime import seed_everything
from minibert.show import figures
from minibert.show.widget import ONE, Interactive

STOPPED = "Stopped. Everything is as it was before."
Model = TypeVar("Model", bound=nn.Module)


class Acting(Interactive):
    """An `Interactive` with buttons: what one of them does is said while it lasts.

    Make the buttons with `button` before ``super().__init__``, and put them into ``rows``. What
    goes wrong after a click is one sentence in the widget, and the picture stays.
    """

    buttons: Sequence[ipywidgets.Button] = ()

    def button(self, name: str, act: Callable[[], None]) -> ipywidgets.Button:
        """A button that calls ``act`` and then redraws; no button works meanwhile."""
        made = ipywidgets.Button(description=name, layout=ipywidgets.Layout(width="auto"))
        made.on_click(lambda _: self.act(act))
        self.buttons = [*self.buttons, made]
        return made

    def act(self, act: Callable[[], None]) -> None:
        """Call ``act`` and redraw; ValueError, another error and Ctrl-C become one sentence.

        A second press during the first waits for it, on whichever thread it comes.
        """
        with ONE:
            self._act(act)

    def _act(self, act):
        for one in self.buttons:
            one.disabled = True
        try:
            act()
        except KeyboardInterrupt:
            self._fail(STOPPED)
        except ValueError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"This did not work. {type(error).__name__}: {error}")
        else:
            self.redraw()
        finally:
            self._notice.value = ""
            for one in self.buttons:
                one.disabled = False

    def say(self, text: str) -> None:
        """Say above the picture what is being done."""
        if hasattr(self, "frame"):  # before the first frame nothing is there to say it
            self._notice.value = f'<i role="status">{figures.text_html(text)}</i>'

    def peek(self, picture: figures.Picture) -> None:
        """Show a picture while something is being done; the next frame replaces it."""
        if hasattr(self, "frame"):
            data = figures.png(picture, fast=True)
            self._picture.value = figures.image_html(data, picture.alt)


@contextmanager
def apart(model: Model, seed: int = 0) -> Iterator[Model]:
    """A copy of a model, and random numbers of its own: what is done with it changes nothing else.

    Within it Python, NumPy and torch are seeded with ``seed``; afterwards they go on where they
    were.
    """
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            seed_everything(seed)
            yield copy.deepcopy(model)
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
