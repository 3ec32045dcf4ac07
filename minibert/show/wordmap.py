"""Words as points of a plane: groups by colour and shape, labels that do not overlap.

`scatter_words` draws any set of points; `minibert.show.vectors` redraws it as a widget.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from minibert.show.figures import GREY, PALETTE, STYLE, Picture, described, move_over_backdrop, new
from minibert.show.maps import ArrayLike, as_array

Groups = Mapping[str, Sequence[str]]  # name -> words
SIZE = (7.6, 5.4)
COLOURS = [PALETTE[name] for name in ("blue", "orange", "green", "purple", "sky", "black")]
MARKS = ("o", "s", "^", "D", "v", "P")  # the shape tells groups apart where colour does not
HIGHLIGHT = PALETTE["vermillion"]
MOST_LABELS = 50
FONT = 10
HEADING = {"size": STYLE["axes.titlesize"], "weight": STYLE["axes.titleweight"]}
ARROW = {"arrowstyle": "-|>", "color": HIGHLIGHT, "linewidth": 2, "shrinkA": 6, "shrinkB": 6}
COMPASS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]


def scatter_words(
    points: ArrayLike,
    words: Sequence[str],
    groups: Groups | None = None,
    highlight: Sequence[str] = (),
    *,
    arrows: Sequence[tuple[str, str]] = (),
    links: Sequence[tuple[str, str]] = (),
    labels: Sequence[str] | None = None,
    title: str = "Words as points",
    xlabel: str = "first principal component",
    ylabel: str = "second principal component",
    limits: Sequence[float] | None = None,
    size: tuple[float, float] = SIZE,
    into: Picture | None = None,
) -> Picture:
    """Draw words at ``points`` ``(n, 2)``; both axes have the same scale.

    ``groups`` maps the name of a group to its words; words outside every group are small and grey.
    ``highlight``: words to stand out; ``arrows``, ``links`` (thin lines): pairs ``(from, to)``.
    ``labels``: the words to write out, by default the highlighted ones, and those of the groups (or
    the first words) up to 50. A label for which there is no free space is left out, unless it is
    highlighted. ``limits`` is ``(x low, x high, y low, y high)``. ``into``: an earlier map with
    groups of the same names, to be redrawn in place: that is faster.

    Raises ``ValueError`` for points that do not fit the words, and for an unknown word.
    """
    points, groups, n = as_array(points), groups or {}, len(words)
    if points.shape != (n, 2):
        raise ValueError(f"{n} words need points of shape ({n}, 2); got {points.shape}.")
    grouped = [word for members in groups.values() for word in members]
    ends = [word for pair in [*arrows, *links] for word in pair]
    if labels is None:  # every group has its share
        in_turn = [w for turn in zip_longest(*groups.values()) for w in turn if w is not None]
        labels = (in_turn or list(words))[:MOST_LABELS]
    at = dict(zip(words, points, strict=True))
    for word in (*grouped, *highlight, *ends, *labels):
        if word not in at:
            raise ValueError(f"The map has no word {word!r} among its {n} words.")
    fig = _empty_map(list(groups), xlabel, ylabel, size) if into is None else into
    (ax,) = fig.axes
    for artist in [*ax.collections, *ax.lines, *ax.texts]:  # of the earlier map
        artist.remove()
    heading = ax.set_title(title, loc="left", **HEADING)
    _set_limits(ax, points, limits)
    _marks(ax, at, groups, highlight, arrows, links)
    _labels(ax, at, list(dict.fromkeys([*highlight, *ends])), labels, arrows)
    move_over_backdrop(fig, [*ax.collections, *ax.lines, *ax.texts, heading])
    pairs = [f"{start} to {end}" for start, end in arrows]
    parts = {"groups": groups, "marked": highlight, "arrows": pairs}
    told = [f"; {part}: {', '.join(names)}" for part, names in parts.items() if names]
    return described(fig, f"Map of {n:,} words, {title}{''.join(told)}.")


def name_points(ax: Axes, at: Mapping[str, tuple[float, float]]) -> None:
    """Write names beside points of a finished figure, so that none covers another or a point.

    ``at`` maps a name to its ``(x, y)`` in data; a name without a free space is left out.
    """
    fig: Any = ax.figure
    fig.draw_without_rendering()  # the layout is known only now
    _labels(ax, at, [], list(at))


def _empty_map(groups, xlabel, ylabel, size):
    """Axes and the legend of the groups; the layout is fixed, so that frames do not jump."""
    fig, ax = new("", xlabel, ylabel, size, layout=None)
    fig.subplots_adjust(left=0.04, right=0.99, top=0.92, bottom=0.13 if groups else 0.06)
    ax.set(xticks=[], yticks=[])
    marks = [ax.scatter([], [], s=34, linewidths=0, **_look(n)) for n in range(len(groups))]
    if groups:
        place = {"loc": "lower center", "ncols": min(len(groups), 5)}
        fig.legend(marks, groups, **place, frameon=False, handletextpad=0.2)
    return fig


def _set_limits(ax, points, limits):
    """Show all points, or the limits, with one scale for both axes."""
    if limits is None:
        low, high = points.min(axis=0), points.max(axis=0)
    else:
        low, high = np.array(limits[::2], float), np.array(limits[1::2], float)
    middle, half = (low + high) / 2, 0.53 * np.maximum(high - low, 1e-9)
    box = ax.get_window_extent()
    half = max(half[0] / box.width, half[1] / box.height) * np.array([box.width, box.height])
    (left, bottom), (right, top) = middle - half, middle + half
    ax.set(xlim=(left, right), ylim=(bottom, top))


def _look(number):
    return {"color": COLOURS[number % 6], "marker": MARKS[(number + number // 6) % 6]}


def _marks(ax, at, groups, highlight, arrows, links):
    """The points: grey, of a group, or ringed; and the lines between some of them."""
    grouped = {word for members in groups.values() for word in members}
    rest = np.array([point for word, point in at.items() if word not in grouped]).reshape(-1, 2)
    ax.scatter(*rest.T, s=9, color="#b5b5b5", linewidths=0, zorder=1)
    for number, members in enumerate(groups.values()):
        own = np.array([at[word] for word in members]).reshape(-1, 2)
        ax.scatter(*own.T, s=34, linewidths=0, zorder=2, **_look(number))
    for start, end in links:
        ax.plot(*zip(at[start], at[end], strict=True), color=HIGHLIGHT, linewidth=0.9, zorder=3)
    for start, end in arrows:
        ax.annotate("", xy=at[end], xytext=at[start], arrowprops=ARROW, zorder=4)
    if highlight:
        x, y = zip(*(at[word] for word in highlight), strict=True)
        ax.scatter(x, y, s=90, facecolors="none", edgecolors=HIGHLIGHT, linewidths=2, zorder=4)


def _labels(ax, at, important, others, arrows=()):
    """Write each label at a place near its point that no point, label or arrow covers."""
    wanted = list(dict.fromkeys([*important, *others]))
    if not wanted:
        return
    frame, inverse = ax.get_window_extent(), ax.transData.inverted()
    dots = ax.transData.transform([at[word] for word in wanted])
    taken = np.hstack([dots - 4, dots + 4])
    for pair in arrows:
        start, end = ax.transData.transform([at[word] for word in pair])
        along = start + (end - start) * np.linspace(0.02, 0.98, 60)[:, None]  # (60, 2)
        taken = np.vstack([taken, np.hstack([along - 2, along + 2])])
    for number, (word, dot) in enumerate(zip(wanted, dots, strict=True)):
        stands_out = number < len(important)
        places = _places(dot, word, ax.figure.dpi / 72, gap=9 if stands_out else 5)
        clashes = _clash(places, taken, frame)
        best = int(np.argmin(clashes))
        if clashes[best] > 0 and not stands_out:
            continue
        taken = np.vstack([taken, places[best]])
        side, box = COMPASS[best][0], places[best]
        x = {1: box[0], -1: box[2], 0: (box[0] + box[2]) / 2}[side]
        style = {"color": "black", "weight": "bold"} if stands_out else {"color": GREY}
        style |= {"va": "center", "fontsize": FONT, "parse_math": False, "zorder": 5 + stands_out}
        spot = inverse.transform((x, (box[1] + box[3]) / 2))
        ax.text(*spot, word, ha={1: "left", -1: "right", 0: "center"}[side], **style)


def _places(dot, word, scale, gap):
    """Boxes ``(left, bottom, right, top)`` in pixels around a dot, the preferred one first."""
    half = np.array([0.33 * FONT * len(word) + 1, 0.62 * FONT]) * scale
    centres = dot + np.array(COMPASS) * (half + gap)
    return np.hstack([centres - half, centres + half])


def _clash(boxes, taken, frame):
    """For every box, the area that it shares with those taken or has outside the axes (pixels)."""
    boxes = boxes[:, None]
    size = np.minimum(boxes[..., 2:], taken[:, 2:]) - np.maximum(boxes[..., :2], taken[:, :2])
    shared = np.clip(size, 0, None).prod(axis=-1).sum(axis=-1)
    low, high = [frame.x0, frame.y0], [frame.x1, frame.y1]
    inside = np.clip(boxes[:, 0], low * 2, high * 2)
    areas = [(box[:, 2:] - box[:, :2]).prod(axis=-1) for box in (boxes[:, 0], inside)]
    return shared + areas[0] - areas[1]
