"""The picture of `minibert.show.inside`: from the tokens at the bottom up to the probabilities."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.colors import Normalize, PowerNorm
from torch import Tensor

from minibert.show.figures import GREY, PALETTE, Picture, described, new, shortened
from minibert.show.outlook import SHARES
from minibert.show.passes import FFN, HEAD, HEADS, LAYER, POSITION, Change, Pass, Passes

LISTED = 8  # candidates
MOST_NUMBERS = 48  # of a vector that are drawn
SMALL = 9
GRID = {
    **{"left": 0.17, "right": 0.9, "top": 0.915, "bottom": 0.115},
    **{"hspace": 0.27, "wspace": 0.14, "height_ratios": (2.9, 3.3, 1.4), "width_ratios": (6, 5)},
}
BEFORE, AFTER = "as it is", "changed"
PARTS = {True: "What each part adds there", False: "How large outputs and cells are there"}
SHORT = {FFN: "FF"}
SIZES = "How large outputs are"
LENGTHS = " times a state's length"
UNITS = {True: "times the stream's length", False: "root mean square"}  # of what parts add
OFF, SET = "off", "from the other text"


def best_of(shares: Sequence[Float[Tensor, " candidates"]], count: int = LISTED) -> list[int]:
    """The candidates that are likeliest in any of these rows, the likeliest of the last first."""
    wanted: list[int] = []
    orders = [row.topk(min(count, len(row))).indices.tolist() for row in shares]
    for turn in zip(*orders, strict=True):
        wanted += [one for one in dict.fromkeys(turn) if one not in wanted]
    return sorted(wanted[:count], key=lambda one: -float(shares[-1][one]))


def picture(
    passes: Passes,
    runs: tuple[Pass, Pass],
    shares: tuple[Tensor, Tensor],
    *,
    place: int | None,
    layer: int,
    head: int | None,
    changes: Sequence[Change] = (),
) -> Picture:
    """Both passes, without and with the changes, in one picture.

    shares: the probabilities (candidates,) of each. place: the token at which they are said. layer
    and head: those whose attention is drawn; None for the mean of a layer's heads.
    """
    title = f"Inside the model ({type(passes.inner).__name__}): from the tokens up to what it says"
    fixed: Any = {"layout": None, "gridspec_kw": GRID}  # much faster than a constrained layout
    fig, axes = new(title, size=(7.8, 8.0), rows=3, columns=2, **fixed)
    axes[0, 0].set_subplotspec(axes[0, 0].get_gridspec()[0, :])
    axes[0, 1].remove()
    before, after = runs
    named = [f"{i} {name}" for i, name in enumerate(shortened(after.tokens, 9))]
    draw_bars(axes[0, 0], passes, shares, told_at(passes, after, place), both=bool(changes))
    maps(axes[1], passes, runs, named, place=place, changes=changes)
    strip(axes[2, 0], after.states[0].cpu().numpy(), named, "embeddings")
    if passes.transformer:
        attention(axes[2, 1], after, named, place, layer=layer, head=head)
    else:
        cells = after.held["cells", max(layer, 1)].cpu().numpy()
        strip(axes[2, 1], cells, named, f"cells of layer {max(layer, 1)}")
    changed = f" with {len(changes)} changed" if changes else ""
    return described(
        fig,
        f"From bottom to top: the vectors of {len(named)} tokens, what each of "
        f"{passes.layers} layers and its parts add{changed}, and bars of what is predicted.",
    )


def told_at(passes: Passes, one: Pass, place: int | None) -> str:
    """What is said, and at which token, in words."""
    token = "" if place is None else f"“{one.tokens[place]}” ({place})"
    return passes.outlook.what.format(token)


def draw_bars(ax: Any, passes: Passes, shares: Sequence[Tensor], what: str, *, both: bool) -> None:
    """The likeliest candidates, before the changes and after them."""
    best = best_of(shares)[::-1]
    rows, names = range(len(best)), shortened([passes.outlook.names[i] for i in best], 24)
    first, last = ([float(row[i]) for i in best] for row in shares)
    if both:
        ax.barh(rows, last, color=PALETTE["vermillion"], hatch="//", edgecolor="white", label=AFTER)
        ax.barh(rows, first, height=0.35, color=GREY, label=BEFORE)
        ax.legend(frameon=False, loc="lower right")
    else:
        ax.barh(rows, first, color=PALETTE["blue"])
    form = "{:.1%}" if passes.outlook.unit == SHARES else "{:.2f}"
    for row, pair in enumerate(zip(first, last, strict=True)):
        numbers = " → ".join(map(form.format, pair if both else pair[1:]))
        at = (max(0.0, *pair), row)
        ax.annotate(numbers, at, xytext=(4, -4), textcoords="offset points", fontsize=SMALL)
    ax.set_yticks(rows, names, parse_math=False, fontsize=SMALL + 0.5)
    ax.set_xlim(min(0.0, *first, *last), max(1e-3, 1.2 * max(*first, *last)))
    ax.xaxis.set_visible(False)  # the numbers stand beside the bars
    headed(ax, f"{what}: {passes.outlook.unit}")
    ax.tick_params(length=0)


def maps(
    axes: Any,
    passes: Passes,
    runs: Sequence[Pass],
    named: Sequence[str],
    *,
    place: int | None,
    changes: Sequence[Change],
) -> None:
    """Left, tokens by layers; right, the parts of each layer at the token that says something."""
    left, right = axes
    before, after = runs
    moved, told = layer_map(before, after, bool(changes))
    fig, top = left.figure, passes.layers
    most = max(float(np.nanmax(moved)), 1e-9)
    norm: Normalize = PowerNorm(0.5, 0, most)
    look: Any = {"cmap": "cividis", "origin": "lower", "aspect": "auto"}
    left.imshow(moved, norm=norm, **look, interpolation="nearest")
    added = after.added.numpy()
    added = added.mean(-1) if place is None else added[..., place]  # (layers, parts)
    extent = (-0.5, added.shape[1] - 0.5, 0.5, top + 0.5)
    scale: Normalize = PowerNorm(0.5, 0, max(float(added.max()), 1e-9))
    shown = right.imshow(added, norm=scale, extent=extent, **look, interpolation="nearest")
    headed(left, told)
    left.set_ylabel(f"0 to {most:.2g}{LENGTHS if passes.transformer else ''}", fontsize=SMALL)
    headed(right, PARTS[passes.transformer])
    ticks = [n for n in range(top + 1) if top <= 12 or n % 5 == 0]
    left.set_yticks(ticks, [f"layer {n}" if n else "embeddings" for n in ticks], fontsize=SMALL)
    right.yaxis.set_visible(False)  # the same rows
    left.xaxis.set_visible(False)  # the tokens stand below
    names = [SHORT.get(part, part).replace("head ", "h") for part in passes.parts]
    right.set_xticks(range(len(names)), names, fontsize=SMALL)
    bar = fig.colorbar(shown, cax=right.inset_axes((1.03, 0, 0.05, 1)))
    bar.set_label(UNITS[passes.transformer], size=SMALL)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    if place is not None:
        left.axvspan(place - 0.5, place + 0.5, fill=False, edgecolor=PALETTE["sky"], lw=2)
    for ax in axes:
        ax.grid(False)
        ax.tick_params(length=0)
    mark(left, right, passes, changes, length=len(named))


def layer_map(before: Pass, after: Pass, both: bool) -> tuple[np.ndarray, str]:
    """(layers + 1, length): how far layers move each token or, with changes, how far these do.

    The second is the distance of the two states as a share of the first one's length.
    """
    if both:
        pairs = list(zip(before.states, after.states, strict=True))
        far = [((b - a).norm(dim=-1) / a.norm(dim=-1).clamp(min=1e-9)).cpu() for a, b in pairs]
        return np.stack([one.numpy() for one in far]), "How far states have moved"
    moved = before.moved.numpy()
    empty = np.full((1, moved.shape[1]), np.nan)  # nothing is below the embeddings
    told = "How far layers move tokens" if before.looks is not None else SIZES
    return np.concatenate((empty, moved)), told


def mark(left: Any, right: Any, passes: Passes, changes: Sequence[Change], *, length: int) -> None:
    """A cross where something is off, a diamond where it is from the other text."""
    for change in changes:
        look: dict = {"color": PALETTE["vermillion"], "mec": "white", "mew": 1.2, "ls": ""}
        look |= {"marker": "X" if change.source is None else "D", "markersize": 9}
        if change.part == POSITION:
            left.plot(change.number, change.layer, **look)
        elif change.part == LAYER:
            left.plot(range(length), [change.layer] * length, **look)
        else:
            heads = {HEAD: [change.number], HEADS: range(passes.heads), FFN: [passes.heads]}
            columns = heads[change.part]
            right.plot(columns, [change.layer] * len(columns), **look)


def strip(ax: Any, vectors: np.ndarray, named: Sequence[str], told: str) -> None:
    """Vectors (length, width) as columns of colour over the names of the tokens."""
    step = max(1, vectors.shape[1] // MOST_NUMBERS)
    shown = vectors[:, ::step][:, :MOST_NUMBERS].T
    most = max(float(np.abs(shown).max()), 1e-9)
    ax.imshow(shown, aspect="auto", cmap="PuOr_r", vmin=-most, vmax=most, interpolation="nearest")
    ax.yaxis.set_visible(False)
    headed(ax, f"{told}: {shown.shape[0]} of {vectors.shape[1]} numbers")
    name_tokens(ax, named)


def attention(
    ax: Any,
    one: Pass,
    named: Sequence[str],
    place: int | None,
    *,
    layer: int,
    head: int | None,
) -> None:
    """Where a token looks, in one head or on average: bars over the tokens."""
    assert one.looks is not None  # it is a Transformer
    looks = one.looks[max(layer, 1) - 1]  # (heads, length, length)
    looks = looks.mean(0) if head is None else looks[head]
    row = looks.mean(0) if place is None else looks[place]
    ax.bar(range(len(named)), row.numpy(), color=PALETTE["green"], width=0.75)
    who = "the tokens look" if place is None else f"{place} looks"
    which = "all heads" if head is None else f"head {head}"
    headed(ax, f"Where {who} in layer {max(layer, 1)}, {which}")
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1], ["0", "½", "1"], fontsize=SMALL)
    ax.grid(False, axis="x")
    name_tokens(ax, named)


def headed(ax: Any, title: str) -> None:
    ax.set_title(title, loc="left", fontsize=10.5, parse_math=False, pad=6)


def name_tokens(ax: Any, named: Sequence[str]) -> None:
    size = SMALL if len(named) <= 16 else 7.5
    ax.set_xticks(range(len(named)), named, rotation=90, parse_math=False, fontsize=size)
    ax.set_xlim(-0.5, len(named) - 0.5)
    ax.tick_params(axis="x", length=0)
    ax.grid(False, axis="x")
