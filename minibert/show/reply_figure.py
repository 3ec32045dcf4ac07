"""Pictures of talking: what a model reads of a talk, and how it ranks what it could say."""

from collections.abc import Sequence
from typing import Any

from minibert.data.dialogues import Turn
from minibert.heads.dialogue import Ranked, Script
from minibert.heads.head import base_of
from minibert.show.figures import GREY, PALETTE, Picture, described, new, shortened

LETTERS = 34  # of a reply beside its bar
NOTHING = "(nothing)"  # a reply that ends at once
LOOKS = {  # of the parts of what is read
    "persona": (PALETTE["purple"], ""),
    "the other": (PALETTE["orange"], ".."),
    "the model": (PALETTE["blue"], ""),
    "room for the reply": ("white", "//"),
}


def parts_of(
    head: Any, persona: Sequence[str], history: Sequence[Turn], *, steps: int, utterances: int
) -> tuple[list[tuple[str, int]], int, int]:
    """What a GPT reads before a reply: (whose part, tokens) in order, and what is left out.

    Also gives how many tokens the model reads at most. steps: tokens that a reply may have. Raises
    ValueError for a persona that leaves no room.
    """
    script = Script(base_of(head), utterances)
    room = min(steps, script.room(persona))
    ids, kinds = script.prompt(persona, history, room)
    about = 1 + len(script.tokenizer.encode(" ".join(persona)))
    names = {script.own: "the model", script.other: "the other"}
    parts = [("persona", about)]
    for kind in kinds[about:]:
        name = names[kind]
        if parts[-1][0] == name:
            parts[-1] = name, parts[-1][1] + 1
        else:
            parts.append((name, 1))
    whole = sum(1 + len(script.tokenizer.encode(text)) for _, text in history)
    return [*parts, ("room for the reply", room)], whole - (len(ids) - about - 1), script.max_length


def draw_strip(ax: Any, parts: Sequence[tuple[str, int]], most: int) -> None:
    """The parts of what is read side by side, up to the model's last position."""
    at, seen = 0, set[str]()
    for name, size in parts:
        colour, hatch = LOOKS[name]
        ax.barh(0, size, 0.8, left=at, color=colour, hatch=hatch, edgecolor="#777777", lw=0.6,
                label="" if name in seen else name)  # fmt: skip
        at += size
        seen.add(name)
    ax.set(xlim=(0, most), ylim=(-0.6, 0.6), xlabel=f"position, of {most}")
    ax.grid(False)
    ax.yaxis.set_visible(False)
    ax.spines["left"].set_visible(False)
    style: Any = {"ncols": 4, "fontsize": 9.5, "handlelength": 1.4, "columnspacing": 1.2}
    ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), borderpad=0.1, **style)


def draw_bars(axes: Sequence[Any], ranked: Ranked, said: int | None, drawn: int) -> None:
    """A row for each candidate, the best one on top: by the second head, by the language model.

    said: the number of the one that is said; drawn: how many of the first ones could be said.
    """
    order = order_of(ranked)
    columns = [(ranked.words.exp(), "p per token,\nby the language model")]
    if ranked.choice is not None:
        columns.insert(0, (ranked.choice.softmax(0), "p of being right,\nby the second head"))
    names = shortened([" ".join(one.split()) or NOTHING for one in ranked.replies], LETTERS)
    for ax, (values, label) in zip(axes, columns, strict=True):
        for row, place in enumerate(order):
            colour = PALETTE["blue"] if place == said else PALETTE["sky"]
            colour = colour if place < drawn else "#bdbdbd"
            ax.barh(row, float(values[place]), 0.7, color=colour)
            style: Any = {"textcoords": "offset points", "va": "center", "fontsize": 9}
            at = float(values[place]), row
            ax.annotate(f"{float(values[place]):.2g}", at, (4, 0), color=GREY, **style)
        ax.set(xlim=(0, 1.18 * float(values.max()) + 1e-9), ylim=(len(order) - 0.4, -0.6))
        ax.set_xlabel(label, fontsize=9.5)
        ax.yaxis.set_visible(ax is axes[0])
        ax.tick_params(labelsize=9)
        ax.grid(False, axis="y")
    ticks = [("▸ " if place == said else "") + names[place] for place in order]
    axes[0].set_yticks(range(len(order)), ticks, parse_math=False, fontsize=9)
    for tick, place in zip(axes[0].get_yticklabels(), order, strict=True):
        tick.set(weight="bold" if place == said else "normal")


def order_of(ranked: Ranked) -> list[int]:
    """The candidates' numbers, the best first: by the second head, or by the language model."""
    scores = ranked.words if ranked.choice is None else ranked.choice
    return scores.argsort(descending=True, stable=True).tolist()


def told_ranking(ranked: Ranked) -> str:
    """The ranking in words."""
    how = "language model" if ranked.choice is None else "second head"
    names = ", ".join(f"“{ranked.replies[i] or NOTHING}”" for i in order_of(ranked))
    return f"Bars of {len(ranked.replies)} candidates, ranked by the {how}: {names}."


def talk_picture(
    parts: tuple[list[tuple[str, int]], int, int], ranked: Ranked, said: int, drawn: int
) -> Picture:
    """What a GPT reads of a talk, a strip, above how it ranks what it could say; see `parts_of`."""
    count, columns = len(ranked.replies), 1 + (ranked.choice is not None)
    high = 3.1 + 0.3 * count
    fig, axes = new("What the model reads, and what it could say", size=(7.6, high), layout=None,
                    rows=2, columns=columns, squeeze=False)  # fmt: skip
    for spare in axes[0, 1:]:
        spare.remove()
    axes[0, 0].set_position((0.04, 1 - 1.15 / high, 0.93, 0.42 / high))
    draw_strip(axes[0, 0], *parts[::2])
    wide = 0.56 if columns == 1 else 0.26
    for number, ax in enumerate(axes[1]):  # to the right of the candidates' words
        ax.set_position((0.41 + number * 0.3, 0.72 / high, wide, (high - 2.75) / high))
    draw_bars(axes[1], ranked, said, drawn)
    return described(fig, f"{told_parts(*parts)} {told_ranking(ranked)}")


def told_parts(parts: Sequence[tuple[str, int]], lost: int, most: int) -> str:
    """What is read in words."""
    said = ", ".join(f"{name} {size}" for name, size in parts)
    left = f"; {lost} tokens of the talk are left out" if lost else ""
    return f"A strip of {most} positions: {said}{left}."
