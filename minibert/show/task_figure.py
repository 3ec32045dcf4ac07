"""Several tasks at once: how often each is drawn, and the loss of each."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minibert.show.curves import COLOURS, DASHES, series
from minibert.show.figures import GREY, PALETTE
from minibert.transfer.mixing import EXPONENTS

Sizes = Mapping[str, int]
How = str | float  # "proportional", "root", "annealed", "even", or the exponent of a size
EVEN = "even"
WINDOW = 8  # updates of a task that its line is the mean of
MARKS = "os^DvP"


def chances_of(sizes: Sizes, how: How, epochs: int = 1) -> np.ndarray:
    """The chance of each task in each epoch, (epochs, tasks); see `minibert.transfer.MixedBatches`.

    how: "proportional", "root", "annealed", "even", or the exponent to which sizes are raised: 1 is
    proportional, 0 is even. Raises ValueError for another one, and for a size below 1.
    """
    if not sizes or min(sizes.values()) < 1:
        raise ValueError(f"Expected tasks with at least one example each, got {dict(sizes)}.")
    if isinstance(how, str) and how not in (*EXPONENTS, EVEN):
        raise ValueError(f"Expected one of {', '.join([*EXPONENTS, EVEN])}, got {how!r}.")
    known = {**EXPONENTS, EVEN: (0.0, 0.0)}
    first, last = known[how] if isinstance(how, str) else (float(how), float(how))
    alpha = np.linspace(first, last, epochs)[:, None] if epochs > 1 else np.array([[first]])
    weights = np.array([*sizes.values()], float) ** alpha
    return weights / weights.sum(1, keepdims=True)


def draw_shares(ax: Any, sizes: Sizes, chances: np.ndarray) -> None:
    """Bars for each task: its share of the examples, and its chance to be drawn.

    sizes: examples of each task. chances: (epochs, tasks), see `chances_of`; what changes with the
    epochs has a bar for the first epoch and one for the last.
    """
    all_of_them = sum(sizes.values())
    columns = [("of the examples", GREY, [n / all_of_them for n in sizes.values()])]
    if np.allclose(chances[0], chances[-1]):
        columns.append(("of the batches", PALETTE["blue"], chances[0]))
    else:
        columns.append(("of the batches, first epoch", PALETTE["blue"], chances[0]))
        columns.append((f"epoch {len(chances)}", PALETTE["orange"], chances[-1]))
    wide = 0.8 / len(columns)
    for number, (name, colour, values) in enumerate(columns):
        places = np.arange(len(sizes)) + (number - (len(columns) - 1) / 2) * wide
        drawn = ax.bar(places, values, 0.92 * wide, color=colour, label=name)
        ax.bar_label(drawn, [f"{value:.0%}" for value in values], fontsize=9, padding=2)
    names = [f"{name}\n{size:,} examples" for name, size in sizes.items()]
    ax.set_xticks(range(len(sizes)), names, parse_math=False, fontsize=9.5)
    ax.set(ylabel="share", ylim=(0, 1.12))
    ax.grid(False, axis="x")


def draw_losses(ax: Any, histories: Mapping[str, Any]) -> str:
    """A line for each task over all updates, the mean of its last few batches; says them in words.

    histories: of a `minibert.transfer.LossByTask`. Raises ValueError without a loss.
    """
    told = list[str]()
    if not histories:
        raise ValueError("There is no loss to draw: train for a step first.")
    for number, (name, history) in enumerate(histories.items()):
        steps, losses = series(history)[""]
        means = [float(np.mean(losses[max(0, i + 1 - WINDOW) : i + 1])) for i in range(len(losses))]
        colour = COLOURS[number % len(COLOURS)]
        ax.plot(steps, losses, MARKS[number % 6], color=colour, alpha=0.25, markersize=4)
        ax.plot(steps, means, DASHES[number % 4], color=colour, label=name)
        told.append(f"{name} from {means[0]:.2f} to {means[-1]:.2f} in {len(losses)} batches")
    ax.set(xlabel="update", ylabel=f"loss (nats, mean of {WINDOW})")
    ax.set_ylim(bottom=0)
    return "; ".join(told)


def named(how: How) -> str:
    """A way to draw tasks in words."""
    known = {"root": "square root of the size", "proportional": "in proportion to the size"}
    if not isinstance(how, str):
        return f"size to the power {how:g}"
    return known.get(how, {"annealed": "annealed from the size"}.get(how, how))


def told_shares(sizes: Sizes, how: How, epochs: int) -> str:
    """The bars in words."""
    chances, all_of_them = chances_of(sizes, how, epochs), sum(sizes.values())
    told = list[str]()
    for number, (name, size) in enumerate(sizes.items()):
        first, last = chances[0, number], chances[-1, number]
        later = "" if np.isclose(first, last) else f", {last:.0%} in epoch {epochs}"
        told.append(f"{name} {size / all_of_them:.0%} of the examples, {first:.0%} of the batches"
                    f"{later}")  # fmt: skip
    return f"Bars of shares, drawn {named(how)}: {'; '.join(told)}."
