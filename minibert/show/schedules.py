"""Learning rates by step and by layer: the slanted triangle, and a schedule that can be trained."""

import ipywidgets
import numpy as np
from matplotlib.colors import LogNorm

from minibert.show.figures import GREY, PALETTE, described, new
from minibert.show.widget import Frame, Interactive
from minibert.training.optim import slanted_triangular

ORDERS = {"one after another": "gradual", "all from the start": "all", "the top alone": "top"}
ASLEEP = "#dddddd"


def rates(layers, steps, rate, factor=2.6, cut=0.1, ratio=32, unfreezing="gradual", share=0.5):
    """The rate of each layer at each step, (layers, steps), lowest first; NaN while frozen."""
    triangle = slanted_triangular(steps, cut, ratio)
    times = np.array([triangle(step) for step in range(steps)])  # (steps,)
    heights = rate / factor ** np.arange(layers - 1, -1, -1)  # (layers,)
    found = heights[:, None] * times  # (layers, steps)
    every = max(1, int(steps * share) // max(1, layers - 1))
    for depth in range(1, layers):  # counted from the top
        wakes = {"gradual": depth * every, "all": 0, "top": steps}[unfreezing]
        found[layers - 1 - depth, :wakes] = np.nan
    return found


def rate_map(matrix, names, title="The rate of each layer"):
    """A heat map of `rates`: colour is the rate on a log scale; frozen layers are hatched."""
    fig, ax = new(title, "update", "", size=(7.6, 1.6 + 0.42 * len(names)))
    cells = ax.pcolormesh(
        np.arange(matrix.shape[1] + 1),
        np.arange(len(names) + 1),
        np.ma.masked_invalid(matrix),
        cmap="cividis",
        norm=LogNorm(max(np.nanmin(matrix), np.nanmax(matrix) / 3e3), np.nanmax(matrix)),
    )
    ax.set_facecolor(ASLEEP)
    ax.patch.set(hatch="///", edgecolor="white")  # some of the colours are greys, too
    ax.grid(False)
    ax.set_yticks(np.arange(len(names)) + 0.5, names, parse_math=False)
    fig.colorbar(cells, ax=ax, label="learning rate")
    awake = [int(np.isfinite(row).argmax()) if np.isfinite(row).any() else None for row in matrix]
    told = [
        f"{name} {'sleeps throughout' if first is None else f'learns from update {first}'}"
        for name, first in zip(names, awake, strict=True)
    ]
    highest = f"The highest rate is {np.nanmax(matrix):.2g}"
    return described(fig, f"{title} by update: {'; '.join(reversed(told))}. {highest}.")


class TriangleExplorer(Interactive):
    """Sliders of the cut and the ratio above the slanted triangle that they make."""

    def __init__(self, steps=200, rate=0.01):
        self.steps, self.rate = steps, rate
        slider = {"continuous_update": True, "readout_format": ".2f"}
        controls = {
            "cut": ipywidgets.FloatSlider(0.1, min=0.02, max=0.9, step=0.02, **slider),
            "ratio": ipywidgets.IntSlider(32, min=1, max=100),
        }
        rows = [["share of the run that rises (cut)", "cut"], ["highest / lowest rate", "ratio"]]
        super().__init__(self.picture, controls, rows)

    def picture(self, cut, ratio):
        steps = np.arange(self.steps)
        factor = slanted_triangular(self.steps, cut, ratio)
        values = self.rate * np.array([factor(step) for step in steps])
        fig, ax = new("The slanted triangle", "update", "learning rate")
        ax.plot(steps, values, color=PALETTE["blue"])
        ax.axhline(self.rate / ratio, color=GREY, linestyle=":", linewidth=1.3)
        ax.set_ylim(0, 1.08 * self.rate)
        top = int(values.argmax())
        travelled = values.sum() / (self.rate * self.steps)
        alt = f"The rate rises to {self.rate:g} at update {top} of {self.steps}, and falls again."
        text = (
            f"Top at update {top}; lowest rate {self.rate / ratio:.2g}. Mean rate: {travelled:.0%} "
            "of the highest."
        )
        return Frame(fig, alt, text)


class UnfreezingExplorer(Interactive):
    """A schedule of layers, updates and rates to change, and a button that trains with it.

    names: of the layers, lowest first. ``train(rate, factor, cut, unfreezing)`` trains a classifier
    with the schedule and returns a dict of what to show, name -> text; each training adds a row to
    the table below.
    """

    def __init__(self, train, names, steps=100):
        self.train, self.names, self.steps, self.table = train, list(names), steps, []
        controls = {
            "unfreezing": ipywidgets.Dropdown(options=ORDERS, description="layers wake"),
            "rate": ipywidgets.FloatLogSlider(0.01, min=-3, max=-1, step=0.25, description="rate"),
            "factor": ipywidgets.FloatSlider(2.6, min=1, max=6, step=0.2, description="factor"),
            "cut": ipywidgets.FloatSlider(0.1, min=0.02, max=0.9, step=0.02, description="cut"),
        }
        self.button = ipywidgets.Button(description="Train with this schedule")
        self.button.on_click(self.run)
        super().__init__(self.picture, controls, [["unfreezing", "rate"], ["factor", "cut"]])

    def picture(self, unfreezing, rate, factor, cut):
        matrix = rates(len(self.names), self.steps, rate, factor, cut, unfreezing=unfreezing)
        fig = rate_map(matrix, self.names)
        return Frame(fig, fig.alt, table=self.table)

    def run(self, button=None):
        """Train with what the controls say, and write the result into the table."""
        values, self.button.disabled = self.values, True
        try:
            self.button.description = "training ..."
            found = self.train(**values)
        except Exception as error:
            self._fail(f"The training failed. {type(error).__name__}: {error}")
        else:
            order = next(name for name, value in ORDERS.items() if value == values["unfreezing"])
            head = ["layers wake", "rate", "factor", "cut", *found]
            row = [order, *(f"{values[n]:.3g}" for n in head[1:4]), *found.values()]
            self.table = [head, *self.table[1:], row]
            self.redraw()
        finally:
            self.button.description, self.button.disabled = "Train with this schedule", False

    @property
    def widget(self):
        """The live widget with the button below the controls."""
        box = super().widget
        rows = list(box.children)
        box.children = [*rows[:-3], self.button, *rows[-3:]]
        return box
