"""All attention heads at a glance, and one of them as arcs over a sentence of one's own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import PowerNorm

from minibert.probe.places import model_of
from minibert.show.figures import PALETTE, described, new, shortened
from minibert.show.inside_figure import SMALL, headed
from minibert.show.inside_widget import menu
from minibert.show.maps import as_array
from minibert.show.passes import Passes
from minibert.show.widget import Frame, Interactive, text_box

GRID = {"left": 0.085, "right": 0.985, "top": 0.86, "bottom": 0.07, "wspace": 0.3}
ALL = "all tokens"
FAINTEST = 0.02  # an attention weight that is drawn


class HeadsExplorer(Interactive):
    """Every head's attention as a small map, and the chosen one as lines between the tokens.

    model: a BERT or a GPT, or a head on one, with a tokenizer. layer (from 1) and head (from 0) are
    those of the first frame, counted as in `minibert.probe.changed`. In a map a row is a token that
    looks, a column one that is looked at; lines go from the left, which looks, to the right. The
    table says how much the chosen head looks at fixed places, which may be all that it does.

    Raises ValueError for a model without attention, for a text that is empty or longer than 24
    tokens, and for a head that is not there.
    """

    def __init__(self, model: Any, text: str, *, layer: int = 1, head: int = 0) -> None:
        self.passes = Passes(model_of(model))
        if not self.passes.transformer:
            kind = type(self.passes.inner).__name__
            raise ValueError(f"Attention is a part of a BERT or a GPT; this is of kind {kind}.")
        layers, heads = self.passes.layers, self.passes.heads
        if not (1 <= layer <= layers and 0 <= head < heads):
            told = f"layers 1 to {layers} and heads 0 to {heads - 1}"
            raise ValueError(f"Expected {told}, got layer {layer}, head {head}.")
        controls = {
            "text": text_box(text),
            "layer": menu([f"layer {n}" for n in range(1, layers + 1)], "layer", 1),
            "head": menu([f"head {n}" for n in range(heads)], "head"),
            "token": menu(self._names(text), "who looks"),
        }
        controls["layer"].value, controls["head"].value = layer, head
        rows = [["text"], ["layer", "head", "token"]]
        super().__init__(self._frame, controls, rows, {"token": ("text", self._names)})

    def _names(self, text):
        return [ALL, *(f"{i}: {token}" for i, token in enumerate(self.passes.tokens(text)))]

    def _frame(self, text, layer, head, token):
        one = self.passes.of(text)
        weights = as_array(one.looks)  # (layers, heads, length, length)
        chosen, place = weights[layer - 1, head], (token or 0) - 1
        fixed: Any = {"layout": None, "gridspec_kw": GRID}
        title = f"{weights.shape[0]} layers of {weights.shape[1]} heads over one sentence"
        fig, (left, right) = new(title, size=(7.8, 4.9), columns=2, **fixed)
        glance(left, weights, layer - 1, head)
        arcs(right, one.tokens, chosen, place)
        headed(right, f"Layer {layer}, head {head}: left looks at right")
        habits = habits_of(chosen)
        most = max(habits, key=habits.__getitem__)
        text = f"Layer {layer}, head {head} looks most at {most} ({habits[most]:.2f})."
        if place >= 0:
            best = int(chosen[place].argmax())
            words = f"“{one.tokens[place]}” looks most at “{one.tokens[best]}”"
            text += f" {words} ({chosen[place, best]:.2f})."
        table = [["how much it looks at", "this head", "mean of all heads"]]
        usual = habits_of(weights.mean((0, 1)))
        table += [[name, f"{share:.2f}", f"{usual[name]:.2f}"] for name, share in habits.items()]
        alt = f"A small map for each head, and lines between {len(one.tokens)} tokens for one."
        return Frame(described(fig, alt), f"{alt} {text}", text, table)


def habits_of(weights: np.ndarray) -> dict[str, float]:
    """The share of attention (length, length) that goes to fixed places, a mean over tokens.

    Only tokens that have such a place count: the first one has none before it.
    """
    n = len(weights)
    places = {"itself": 0, "the token before": -1, "the token after": 1}
    found = {
        name: float(np.diagonal(weights, k).mean()) for name, k in places.items() if n > abs(k)
    }
    return found | {"the first token": float(weights[:, 0].mean()),
                    "the last token": float(weights[:, -1].mean())}  # fmt: skip


def glance(ax: Any, weights: np.ndarray, layer: int, head: int) -> None:
    """All maps in one: a row of heads for each layer, the first layer at the bottom."""
    layers, heads, n = weights.shape[:3]
    cell, gap = n + max(1, n // 6), max(1, n // 6)
    canvas = np.full((layers * cell - gap, heads * cell - gap), np.nan)
    for row in range(layers):
        for column in range(heads):
            top, start = (layers - 1 - row) * cell, column * cell
            canvas[top : top + n, start : start + n] = weights[row, column]
    look: Any = {"aspect": "auto", "interpolation": "nearest", "cmap": "cividis"}
    ax.imshow(canvas, norm=PowerNorm(0.5, 0, 1), **look)
    middle, every = (n - 1) / 2, 1 if layers <= 12 else 5
    rows = [row for row in range(layers) if (row + 1) % every == 0 or row == 0]
    ax.set_yticks([(layers - 1 - row) * cell + middle for row in rows],
                  [f"layer {row + 1}" for row in rows], fontsize=SMALL)  # fmt: skip
    ax.set_xticks([c * cell + middle for c in range(heads)], [f"h{c}" for c in range(heads)],
                  fontsize=SMALL)  # fmt: skip
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    top, start = (layers - 1 - layer) * cell - 0.5, head * cell - 0.5
    frame = {"fill": False, "edgecolor": PALETTE["vermillion"], "lw": 2.5}
    ax.axvspan(start, start + n, 1 - (top + n + 0.5) / len(canvas), 1 - (top + 0.5) / len(canvas),
               **frame)  # fmt: skip
    headed(ax, "All heads: the chosen one is framed")


def arcs(ax: Any, tokens: Sequence[str], weights: np.ndarray, place: int) -> None:
    """Lines from each token on the left (or from one) to those that it looks at on the right."""
    n = len(tokens)
    names = shortened(tokens, 12)
    looking = range(n) if place < 0 else [place]
    pairs = [(i, j) for i in looking for j in range(n) if weights[i, j] >= FAINTEST]
    lines = [((0, i), (1, j)) for i, j in pairs]
    strong = [float(weights[pair]) for pair in pairs]
    colour = PALETTE["blue"] if place < 0 else PALETTE["vermillion"]
    ax.add_collection(LineCollection(
        lines, colors=colour, linewidths=[0.5 + 4 * w for w in strong],
        alpha=[min(1.0, 0.1 + 0.9 * w) for w in strong],
    ))  # fmt: skip
    size = SMALL if n <= 16 else 7.5
    for i, name in enumerate(names):
        weight = "bold" if i == place else "normal"
        style: Any = {"va": "center", "fontsize": size, "parse_math": False}
        ax.text(-0.04, i, name, ha="right", weight=weight, **style)
        ax.text(1.04, i, name, ha="left", **style)
    ax.set(xlim=(-0.5, 1.5), ylim=(n - 0.5, -0.5))
    ax.axis("off")
