"""A picture of learning rates by step and by layer."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LogNorm

from minibert.show.figures import Picture, described, new

ASLEEP = "#dddddd"


def rate_map(
    matrix: np.ndarray, names: Sequence[str], title: str = "The rate of each layer"
) -> Picture:
    """A heat map of `minibert.transfer.rates`: colour is the rate, frozen layers are hatched."""
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
    told = [f"{name} {learns(row)}" for name, row in zip(names, np.isfinite(matrix), strict=True)]
    most = f"The highest rate is {highest:.2g}"
    return described(fig, f"{title} by update: {'; '.join(reversed(told))}. {most}.")


def learns(awake: np.ndarray) -> str:
    """In words, in which updates a layer learns: "learns in 10-19 and from 60 on"."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], awake.astype(int), [0])))).tolist()
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    told = [f"from {a} on" if b == len(awake) else f"in {a}-{b - 1}" for a, b in spans]
    return f"learns {' and '.join(told)}" if told else "sleeps throughout"
