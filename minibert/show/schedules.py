"""Learning rates by step and by layer, and a schedule that can be changed and trained."""

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np
from matplotlib.colors import LogNorm

from minibert.show.figures import Picture, described, new
from minibert.show.widget import Frame, Interactive
from minibert.training.optim import slanted_triangular

ORDERS = {"one after another": "gradual", "all from the start": "all", "the top alone": "top"}
ASLEEP = "#dddddd"


def rates(
    layers: int,
    steps: int,
    rate: float,
    factor: float = 2.6,
    *,
    cut: float = 0.1,
    ratio: int = 32,
    unfreezing: str = "gradual",
    share: float = 0.5,
) -> np.ndarray:
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


def rate_map(
    matrix: np.ndarray, names: Sequence[str], title: str = "The rate of each layer"
) -> Picture:
    """A heat map of `rates`: colour is the rate on a log scale; frozen layers are hatched."""
    fig, ax = new(title, "update", "", size=(7.6, 1.6 + 0.42 * len(names)))
    lowest, highest = np.nanmin(matrix), np.nanmax(matrix)
    colours = {"cmap": "cividis", "norm": LogNorm(max(lowest, highest / 3e3), highest)}
    edges = np.arange(matrix.shape[1] + 1), np.arange(len(names) + 1)
    cells = ax.pcolormesh(*edges, np.ma.masked_invalid(matrix), **colours)
    ax.set_facecolor(ASLEEP)
    ax.patch.set(hatch="///", edgecolor="white")  # some of the colours are greys, too
    ax.grid(False)
    ax.set_yticks(np.arange(len(names)) + 0.5, names, parse_math=False)
    fig.colorbar(cells, ax=ax, label="learning rate")
    told = [
        f"{name} {f'learns from update {row.argmax()}' if row.any() else 'sleeps throughout'}"
        for name, row in zip(names, np.isfinite(matrix), strict=True)
    ]
    most = f"The highest rate is {highest:.2g}"
    return described(fig, f"{title} by update: {'; '.join(reversed(told))}. {most}.")


class UnfreezingExplorer(Interactive):
    """A schedule of layers, updates and rates to change, and a button that trains with it.

    names: of the layers, lowest first. ``train(rate, factor, cut, unfreezing)`` trains a classifier
    with the schedule and returns a dict of what to show, name -> text; each training adds a row to
    the table below.
    """

    def __init__(
        self, train: Callable[..., dict[str, str]], names: Sequence[str], steps: int = 100
    ) -> None:
        self.train, self.names, self.steps = train, list(names), steps
        self.table: list[list[str]] = []
        controls = {
            "unfreezing": ipywidgets.Dropdown(options=ORDERS, description="layers wake"),
            "rate": ipywidgets.FloatLogSlider(0.01, min=-3, max=-1, step=0.25, description="rate"),
            "factor": ipywidgets.FloatSlider(2.6, min=1, max=6, step=0.2, description="factor"),
            "cut": ipywidgets.FloatSlider(0.1, min=0.02, max=0.9, step=0.02, description="cut"),
        }
        self.button = ipywidgets.Button(description="Train with this schedule")
        self.button.on_click(self.run)
        rows = [["unfreezing", "rate"], ["factor", "cut"], [self.button]]
        super().__init__(self.picture, controls, rows)

    def picture(self, unfreezing: str, rate: float, factor: float, cut: float) -> Frame:
        matrix = rates(len(self.names), self.steps, rate, factor, cut=cut, unfreezing=unfreezing)
        fig = rate_map(matrix, self.names)
        return Frame(fig, fig.alt, table=self.table)

    def run(self, button: ipywidgets.Button | None = None) -> None:
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
