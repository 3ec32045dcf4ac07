"""Matrices as coloured cells, and vectors brought down to the plane."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minibert.show.figures import SIZE, Picture, described, new

ArrayLike = Any  # an array, a tensor on any device, or a nested list


def pca(vectors: ArrayLike, dimensions: int = 2) -> np.ndarray:
    """Project vectors onto their first principal components.

    ``vectors`` is ``(n, d)``, a NumPy array or a torch tensor; returns ``(n, dimensions)``. Every
    component has the sign that makes its largest loading positive, so every run gives one picture.
    """
    mean, axes = principal_axes(vectors, dimensions)
    return (as_array(vectors) - mean) @ axes


def principal_axes(vectors: ArrayLike, dimensions: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The mean ``(d,)`` and the first principal axes ``(d, dimensions)`` of ``(n, d)`` vectors."""
    vectors = as_array(vectors)
    if vectors.ndim != 2 or min(vectors.shape) < dimensions:
        needs = f"at least {dimensions} rows and columns; got the shape {vectors.shape}"
        raise ValueError(f"PCA to {dimensions} dimensions needs a matrix of {needs}.")
    mean = vectors.mean(axis=0)
    _, _, rows = np.linalg.svd(vectors - mean, full_matrices=False)
    axes = rows[:dimensions].T
    largest = np.abs(axes).argmax(axis=0)
    return mean, axes * np.sign(axes[largest, range(dimensions)])


def as_array(vectors: ArrayLike) -> np.ndarray:
    """A NumPy matrix of floats from an array, a nested list, or a torch tensor on any device."""
    if hasattr(vectors, "detach"):
        vectors = vectors.detach().cpu().float().numpy()
    return np.asarray(vectors, dtype=np.float64)


def heatmap(
    matrix: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "",
    *,
    xlabel: str = "",
    ylabel: str = "",
    unit: str = "value",
    numbers: str | None = None,
    diverging: bool = False,
    size: tuple[float, float] | None = None,
) -> Picture:
    """A matrix as coloured cells, with a name for every row and column.

    ``unit`` labels the colour bar. ``numbers`` is a format such as ``".2f"`` for the text in each
    cell (by default written where there are at most 120 cells; ``""`` for none).
    ``diverging=True`` centres the colours on zero.
    """
    matrix = as_array(matrix)
    if matrix.shape != (len(rows), len(columns)):
        names = f"{len(rows)} names of rows and {len(columns)} of columns"
        raise ValueError(f"The matrix has the shape {matrix.shape}, but there are {names}.")
    fig, ax = new(title, xlabel, ylabel, size or (SIZE[0], min(7.5, 1.7 + 0.36 * len(rows))))
    most = np.nanmax(np.abs(matrix))
    scale = {"cmap": "PuOr_r", "vmin": -most, "vmax": most} if diverging else {"cmap": "cividis"}
    image = ax.imshow(matrix, aspect="auto", interpolation="nearest", **scale)
    _name_cells(ax, rows, columns)
    fig.colorbar(image, label=unit).outline.set_visible(False)
    _cell_numbers(ax, image, matrix, ".2f" if numbers is None and matrix.size <= 120 else numbers)
    row, column = map(int, np.unravel_index(np.nanargmax(matrix), matrix.shape))
    span = f"from {np.nanmin(matrix):.3g} to {np.nanmax(matrix):.3g}"
    most = f"the largest is {rows[row]} with {columns[column]}"
    shape = f"{len(rows)} rows by {len(columns)} columns of {unit}"
    return described(fig, f"Heat map, {title}: {shape}, {span}; {most}.")


def _name_cells(ax, rows, columns):
    ax.set_yticks(range(len(rows)), rows, parse_math=False)
    ax.set_xticks(range(len(columns)), columns, parse_math=False)
    if sum(len(str(name)) + 2 for name in columns) > 70:  # they would overlap
        for label in ax.get_xticklabels():
            label.set(rotation=50, ha="right", rotation_mode="anchor")
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _cell_numbers(ax, image, matrix, form):
    if not form:
        return
    colours = image.to_rgba(matrix)[..., :3] @ [0.299, 0.587, 0.114]
    for (row, column), value in np.ndenumerate(matrix):
        ink = "black" if colours[row, column] > 0.5 else "white"
        ax.text(column, row, f"{value:{form}}", ha="center", va="center", color=ink, fontsize=9.5)
