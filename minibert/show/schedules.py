"""Learning rates by step and by layer, and a picture of them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LogNorm

from minibert.show.figures import Picture, described, new
from minibert.training.optim import slanted_triangular

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
