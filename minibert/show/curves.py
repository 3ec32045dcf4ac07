"""Numbers as figures: loss curves, spreads and differences over seeds, bars, words by rank.

Every function returns a matplotlib figure with its alt text attached; `show.figure` shows it.
"""

import math
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter

from minibert.show.figures import GREY, PALETTE, SIZE, Picture, described, new
from minibert.training.history import History

COLOURS = list(PALETTE.values())
DASHES = ("-", "--", "-.", ":")
MOST_POINTS = 100
REFERENCE = {"color": GREY, "linestyle": (0, (6, 3)), "linewidth": 1.4}
PAPER_MARK = {"color": PALETTE["vermillion"], "mfc": "white", "mew": 2, "markersize": 9}


def loss_curve(
    history: History | Mapping[str, Any] | Sequence[float] | Sequence[tuple[float, float]],
    floor: float | None = None,
    title: str = "Loss while training",
    xlabel: str = "step",
    *,
    ylabel: str = "loss (nats per token)",
    floor_label: str = "floor",
    perplexity: bool = False,
    size: tuple[float, float] = SIZE,
) -> Picture:
    """Loss by step, for one run or for several named ones (a dict of histories).

    A history is what `mb.fit` returns (also as a dict), a list of ``(step, loss)`` pairs, or a list
    of losses. Long runs are drawn as the means of 100 stretches. ``floor`` is a loss that no model
    can beat (a dashed line). ``perplexity=True`` adds a scale on the right, exp(loss).
    """
    several = isinstance(history, Mapping) and "loss" not in history
    runs: Any = history if several else {"": history}
    fig, ax = new(title, xlabel, ylabel, size)
    sentences = []
    for number, (name, run) in enumerate(runs.items()):
        sentences += _draw_run(ax, run, str(name), number, several)
    if floor is not None:
        under = any(line.get_ydata()[-1] < floor for line in ax.lines)
        _mark_floor(ax, floor, f"{floor_label} {floor:.2f}", under)
        sentences.append(f"a dashed line marks the {floor_label} at {floor:.2f}")
    if len(ax.lines) > 1 + (floor is not None):
        ax.legend(frameon=False)
    if perplexity:
        _perplexity_axis(ax)
    return described(fig, f"Line chart, {title}: " + "; ".join(sentences) + ".")


def _draw_run(ax, run, name, number, several):
    """Draw the losses of one run; returns a sentence for each line."""
    sentences, parts = [], series(run)
    for part, points in parts.items():
        label = ", ".join(word for word in (name, part) if word) or "train"
        look = {"color": COLOURS[number % len(COLOURS)], "ls": DASHES[number % len(DASHES)]}
        if part == "valid":
            look |= {"marker": "o", "markerfacecolor": "white", "zorder": 3}
            look["color"] = look["color"] if several else PALETTE["vermillion"]
        elif "valid" in parts:
            look |= {"alpha": 0.6, "linewidth": 1.3}
        x, y = _thinned(*points)
        ax.plot(x, y, label=label, **look)
        steps = f"step {round(x[0]):,} to {y[-1]:.2f} at step {round(x[-1]):,}"
        sentences.append(f"{label} goes from {y[0]:.2f} at {steps}")
    return sentences


def series(history: Any) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    """A history as named series ``{"": (steps, losses)}``, with ``"valid"`` where it has one."""
    if isinstance(history, Mapping):  # what History.to_dict gives, and a findings file holds
        history = SimpleNamespace(**history)
    if hasattr(history, "loss"):
        steps = getattr(history, "step", range(1, len(history.loss) + 1))
        named: dict[str, Any] = {"": (list(steps), list(history.loss))}
        if getattr(history, "valid_loss", None):
            named["valid"] = (list(history.valid_step), list(history.valid_loss))
    else:
        pairs = [(n, x) if isinstance(x, int | float) else x for n, x in enumerate(history, 1)]
        named = {"": tuple(zip(*pairs, strict=True)) or ((), ())}
    if not named[""][1]:
        raise ValueError("There is no loss to draw: the history is empty. Train for a step first.")
    return named


def _thinned(steps, losses):
    """At most `MOST_POINTS` points, the means of so many stretches of the run: (2, points)."""
    stretches = np.array_split(np.array([steps, losses], float), min(MOST_POINTS, len(steps)), 1)
    return np.array([part.mean(1) for part in stretches]).T


def _mark_floor(ax, floor, label, under):
    """A dashed line, with its words below it, or above it where a curve ends ``under`` it."""
    ax.axhline(floor, **REFERENCE)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, floor - 0.09 * (high - floor)), high)  # room for the words below the line
    place = {"xytext": (0, 4), "va": "bottom"} if under else {"xytext": (0, -4), "va": "top"}
    place |= {"xycoords": ax.get_yaxis_transform(), "ha": "right"}
    ax.annotate(label, (1, floor), **place, textcoords="offset points", color=GREY)


def _perplexity_axis(ax):
    low, high = ax.get_ylim()
    ticks = [m * 10**e for e in range(7) for m in (1, 2, 5) if low <= math.log(m * 10**e) <= high]
    right = ax.secondary_yaxis("right")
    right.set_yticks([math.log(tick) for tick in ticks], [f"{tick:,}" for tick in ticks])
    right.set_ylabel("perplexity")
    right.spines["right"].set_color("#8c8c8c")


def interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Mean and half-width of its 95 % interval over seeds (Student's t); NaN for a single value."""
    from scipy.stats import t

    values = np.asarray(values, float)
    if not values.size:
        raise ValueError("An interval needs at least one value, and there is none.")
    if len(values) == 1:
        return float(values[0]), math.nan
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean()), float(half)


def spread(
    values: Mapping[str, Sequence[float]],
    paper: Mapping[str, float] | None = None,
    title: str = "",
    xlabel: str = "score",
    *,
    paper_label: str = "in the paper",
    reference: float | None = None,
    size: tuple[float, float] | None = None,
) -> Picture:
    """One row per condition: a dot for every seed, their mean, and its 95 % interval.

    ``values`` maps a condition to its results, one per seed; ``paper`` maps some of the same
    conditions to the paper's own figure, drawn as a diamond. ``reference`` draws a vertical line
    (chance, or no difference).
    """
    paper = paper or {}
    if unknown := sorted(set(paper) - set(values)):
        raise ValueError(f"The paper's figures name conditions that were not measured: {unknown}.")
    fig, ax = new(title, xlabel, "", size or (SIZE[0], 1.5 + 0.55 * len(values)))
    sentences = []
    for row, (name, results) in enumerate(values.items()):
        mean, half = interval(results)
        offsets = np.linspace(-0.12, 0.12, len(results)) if len(results) > 1 else np.zeros(1)
        ax.plot(results, row + offsets, "o", color=COLOURS[0], alpha=0.45, markersize=6)
        ax.plot([mean - half, mean + half], [row, row], color=COLOURS[0], linewidth=2.2)
        ax.plot(mean, row, "|", color=COLOURS[0], markersize=20, markeredgewidth=3)
        seeds = f" plus or minus {half:.2g} over {len(results)} seeds" if len(results) > 1 else ""
        published = f" ({paper[name]:.4g} {paper_label})" if name in paper else ""
        sentences.append(f"{name} {mean:.4g}{seeds}{published}")
    rows = {name: row for row, name in enumerate(values)}
    ax.plot(list(paper.values()), [rows[name] for name in paper], "D", **PAPER_MARK)
    _name_rows(ax, list(values))
    ax.set_ylim(len(values) - 0.4, -0.6)
    if reference is not None:
        ax.axvline(reference, **REFERENCE, zorder=1)
    _spread_legend(fig, ax, bool(paper), paper_label)
    return described(fig, f"Dots by condition, {title}: " + "; ".join(sentences) + ".")


def effects(
    values: Mapping[str, Sequence[float]],
    reference: str,
    paper: Mapping[str, float] | None = None,
    title: str = "",
    *,
    xlabel: str = "difference",
    paper_label: str = "in the paper",
    size: tuple[float, float] | None = None,
) -> Picture:
    """One row per condition: how it differs from the ``reference``, seed by seed, with zero marked.

    ``values`` maps a condition to its results, one per seed, in the order of the seeds; the
    reference is one of them. A dot is the mean of the paired differences, a line its 95 % interval.
    ``paper`` maps some of the other conditions to the paper's own effect (a difference in the same
    unit), drawn as a hollow diamond. Raises ValueError for unequal numbers of seeds.
    """
    others, paper = [name for name in values if name != reference], paper or {}
    if reference not in values or not others:
        raise ValueError(f"The reference {reference!r} must be among {list(values)}, and others.")
    if unknown := sorted(set(paper) - set(others)):
        raise ValueError(f"The paper's effects name conditions that have none here: {unknown}.")
    fig, ax = new(title, xlabel, "", size or (SIZE[0], 1.7 + 0.5 * len(others)))
    sentences = []
    for row, name in enumerate(others):
        mean, half = interval(_paired(values, name, reference))
        ax.plot([mean - half, mean + half], [row, row], color=COLOURS[0], linewidth=2.2)
        ax.plot(mean, row, "o", color=COLOURS[0], markersize=8)
        published = f" ({paper[name]:+.3g} {paper_label})" if name in paper else ""
        ends = f" (95 % interval {mean - half:.3g} to {mean + half:.3g})" if half == half else ""
        sentences.append(f"{name} {mean:+.3g}{ends}{published}")
    rows = {name: row for row, name in enumerate(others)}
    ax.plot(list(paper.values()), [rows[name] for name in paper], "D", **PAPER_MARK)
    ax.axvline(0, **REFERENCE, zorder=1)
    _name_rows(ax, others)
    ax.set_ylim(len(others) - 0.4, -0.6)
    ax.plot([], [], "o-", color=COLOURS[0], label="mean difference, 95 % interval")
    ax.plot([], [], label=f"no difference from {reference}", **REFERENCE)
    _paper_legend(fig, ax, bool(paper), paper_label)
    told = f"differences from {reference}, a line at zero: " + "; ".join(sentences)
    return described(fig, f"Dots with intervals, {title}: {told}.")


def _paired(values, name, reference):
    """The differences of a condition from the reference, seed by seed."""
    mine, others = values[name], values[reference]
    if len(mine) != len(others):
        raise ValueError(
            f"{name} has {len(mine)} seeds and {reference} {len(others)}: pairs need the same."
        )
    return np.subtract(mine, others)


def _name_rows(ax, names):
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)


def _spread_legend(fig, ax, has_paper, paper_label):
    ax.plot([], [], "o", color=COLOURS[0], alpha=0.45, label="one seed")
    ax.plot([], [], "-", color=COLOURS[0], marker="|", markersize=12, label="mean, 95 % interval")
    _paper_legend(fig, ax, has_paper, paper_label)


def _paper_legend(fig, ax, has_paper, paper_label):
    if has_paper:
        ax.plot([], [], "D", label=paper_label, **PAPER_MARK)
    fig.legend(loc="outside lower center", ncols=3, frameon=False)


def bars(
    values: Mapping[str, float],
    title: str = "",
    xlabel: str = "",
    errors: Mapping[str, float] | None = None,
    *,
    size: tuple[float, float] | None = None,
    digits: int = 3,
) -> Picture:
    """Horizontal bars with their numbers; ``errors`` maps some of the names to a half-width."""
    names, numbers = list(values), [float(number) for number in values.values()]
    fig, ax = new(title, xlabel, "", size or (SIZE[0], 1.3 + 0.36 * len(names)))
    half = [(errors or {}).get(name, 0.0) for name in names]
    drawn = ax.barh(range(len(names)), numbers, xerr=half if errors else None, height=0.66)
    texts = [f"{number:,.{digits}g}" for number in numbers]
    ax.bar_label(drawn, texts, padding=4, fontsize=10.5)
    _name_rows(ax, names)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    pairs = ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))
    return described(fig, f"Bar chart, {title}: {pairs}.")


def zipf(
    counts: Mapping[str, Any],
    title: str = "Word frequency by rank",
    label_ranks: Sequence[int] = (1, 10, 100, 1000),
    size: tuple[float, float] = SIZE,
) -> Picture:
    """Frequency against rank on logarithmic axes, beside a line that falls as 1 / rank.

    ``counts`` maps a word to its count, or a name to such a mapping (several corpora). In a single
    corpus the words at ``label_ranks`` are written beside the curve.
    """
    several = all(isinstance(value, Mapping) for value in counts.values())
    corpora = counts if several else {"": counts}
    fig, ax = new(title, "rank of the word", "times in the corpus", size)
    ax.set(xscale="log", yscale="log")
    sentences = []
    for number, (name, corpus) in enumerate(corpora.items()):
        ranked = sorted(corpus.items(), key=lambda item: (-item[1], item[0]))
        heights = [count for _, count in ranked]
        ranks = np.arange(1, len(ranked) + 1)
        ax.plot(ranks, heights, DASHES[number % 4], label=name or "this corpus")
        sentences.append(
            f"{name + ': ' if name else ''}from {heights[0]:,} times at rank 1 ({ranked[0][0]}) "
            f"to {heights[-1]:,} at rank {len(ranked):,}"
        )
        if number == 0:
            ax.plot(ranks, heights[0] / ranks, ":", color=GREY, label="1 / rank", zorder=1)
        for rank in () if several else (rank for rank in label_ranks if rank <= len(ranked)):
            word, count = ranked[rank - 1]
            ax.plot(rank, count, "o", color=COLOURS[0], markersize=6)
            place = {"xytext": (6, 6), "textcoords": "offset points"}
            ax.annotate(word, (rank, count), **place, parse_math=False)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.7g}"))
    ax.legend(frameon=False)
    return described(fig, f"Line chart, both axes logarithmic, {title}: {'; '.join(sentences)}.")
