"""A text whose words are coloured by numbers: by a unit, an attribution or a loss."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from minibert.show.figures import GREY, Picture, described, new
from minibert.show.maps import ArrayLike, as_array

WIDTH, LINE, FONT = 7.6, 0.36, 10.5  # inches, inches, points
GAP, MARGIN = 0.14, 0.15  # inches between words, and before the first
MEASURE = TextToPath()


def coloured_text(
    tokens: Sequence[str],
    values: ArrayLike,
    title: str = "",
    *,
    unit: str = "value",
) -> Picture:
    """Tokens in lines of text, each on the colour of its number: purple below zero, orange above.

    values: (tokens,). unit: what they are, beside the colour bar. Raises ValueError for numbers
    that do not fit the tokens.
    """
    values = as_array(values)
    if values.shape != (len(tokens),) or not len(tokens):
        raise ValueError(f"Expected a number for each of {len(tokens)} tokens, got {values.shape}.")
    places, lines = _laid_out(tokens)
    height = 0.75 + LINE * lines
    fig, ax = new(title, size=(WIDTH, height), layout=None)
    ax.set_position((0.02, 0.02, 0.83, 1 - 0.5 / height))
    top = max(float(np.abs(values).max()), 1e-9)
    colours = ScalarMappable(Normalize(-top, top), "PuOr_r")
    ax.set(xlim=(0, WIDTH * 0.83), ylim=(-lines * LINE, 0))
    ax.axis("off")
    for token, value, (x, y) in zip(tokens, values, places, strict=True):
        red, green, blue, _ = colours.to_rgba(value)
        ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
        box: Any = {"facecolor": (red, green, blue), "edgecolor": "none", "pad": 2.5, "lw": 1.4}
        ax.text(x, y, token, color=ink, fontsize=FONT, va="center", bbox=box, parse_math=False)
    bar = fig.colorbar(colours, cax=fig.add_axes((0.885, 0.12, 0.022, 0.62), label="<colorbar>"))
    bar.set_label(unit, size=9)
    bar.ax.tick_params(labelsize=8.5, color=GREY)
    bar.outline.set_visible(False)
    order = np.argsort(-values, kind="stable")
    most_of = ", ".join(f"{tokens[i]} {values[i]:.2f}" for i in order[:3])
    least = ", ".join(f"{tokens[i]} {values[i]:.2f}" for i in order[::-1][:3])
    told = f"A text of {len(tokens)} tokens coloured by {unit}"
    return described(fig, f"{told}: the largest are {most_of}; the smallest {least}.")


def _width(token):
    """How wide a word is, in inches."""
    font = FontProperties(family="DejaVu Sans", size=FONT)
    with warnings.catch_warnings():  # a character that no font has is drawn as a box
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        return MEASURE.get_text_width_height_descent(token, font, ismath=False)[0] / 72


def _laid_out(tokens):
    """(the place (x, y) of each token in inches, the number of lines)."""
    places, x, line = [], MARGIN, 0
    for token in tokens:
        width = _width(token) + GAP
        if x + width > WIDTH * 0.83 and x > MARGIN:
            x, line = MARGIN, line + 1
        places.append((x, -LINE * (line + 0.5)))
        x += width
    return places, line + 1
