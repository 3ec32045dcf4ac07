"""The attention explorer: type a sentence, choose a head and a token, see where it looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import ipywidgets
import numpy as np
from matplotlib.colors import PowerNorm

from minibert.show.figures import GREY, PALETTE, Picture, described, new, shortened
from minibert.show.maps import as_array
from minibert.show.widget import Frame, Interactive, choice_of, text_box

if TYPE_CHECKING:
    from minibert.models.bert import BERT

Looker = Callable[[str], tuple[Sequence[str], Any]]  # text -> (tokens, weights)
MOST_TOKENS = 24  # of a sentence
LISTED = 5  # tokens in the table


class AttentionExplorer(Interactive):
    """Where does a token look? For one layer and head of a model, at a temperature.

    ``model``: a model with a tokenizer, such as `minibert.BERT`, or a function: text -> (tokens,
    weights), a list of strings and (layers, heads, length, length), rows adding up to one.
    ``sentence``, ``token`` (its number), ``layer`` and ``head`` are those of the first frame.

    The left picture shows the whole head, with a row for each token that looks. The right picture
    shows the row of the chosen token. The temperature T changes only the weights that are shown,
    not the model: they are softmax(scores / T), that is, the weights to the power 1 / T,
    normalised again.

    Raises ``ValueError`` when the first sentence is empty.
    """

    def __init__(
        self, model: BERT | Looker, sentence: str, *, token: int = 0, layer: int = 0, head: int = 0
    ) -> None:
        own = hasattr(model, "parameters") or not callable(model)
        self.look = lru_cache(20)(reader(cast("BERT", model)) if own else cast("Looker", model))
        tokens, weights = self._read(sentence)
        layers, heads = weights.shape[:2]
        slider = {"min": 1, "continuous_update": True}
        controls = {
            "sentence": text_box(sentence),
            "layer": ipywidgets.IntSlider(layer + 1, max=layers, description="layer", **slider),
            "head": ipywidgets.IntSlider(head + 1, max=heads, description="head", **slider),
            "temperature": ipywidgets.FloatLogSlider(
                1.0, base=10, min=-1, max=1, step=0.05, description="temperature"
            ),
            "token": choice_of(tokens, token),
        }
        rows = [["sentence"], ["token"], ["layer", "head", "temperature"]]
        words = {"token": ("sentence", lambda text: self._read(text)[0])}
        super().__init__(self._frame, controls, rows, words)

    def _read(self, text):
        """(tokens, weights (layers, heads, length, length)) of a sentence."""
        if not text.strip():
            raise ValueError("There is nothing to look at: type a sentence.")
        tokens, weights = self.look(text)
        return list(tokens), as_array(weights)

    def _frame(self, sentence, token, layer, head, temperature):
        tokens, weights = self._read(sentence)
        token = min(token or 0, len(tokens) - 1)
        matrix = heated(weights[layer - 1, head - 1], temperature)  # (length, length)
        row = matrix[token]
        where = f"layer {layer}, head {head}"
        figure = pictures(tokens, matrix, token, where)
        order = np.argsort(-row, kind="stable")[:LISTED]
        table = [["looks at", "place", "weight"]]
        table += [[tokens[i], str(i + 1), f"{row[i]:.2f}"] for i in order]
        spread = float(np.exp(-(row * np.log(np.maximum(row, 1e-12))).sum()))
        most = f"“{tokens[order[0]]}” ({row[order[0]]:.2f})"
        text = (
            f"In {where}, “{tokens[token]}” looks most at {most}; its weights are spread as "
            f"widely as {spread:.1f} equal ones."
        )
        return Frame(figure, f"{figure.alt} {text}", text, table)


def reader(model: BERT) -> Looker:
    """A function text -> (tokens, weights) of a model with a tokenizer that marks both ends."""
    import torch

    from minibert.training.modes import evaluating

    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is None:
        needs = "a model with a tokenizer, or a function: text -> (tokens, weights)"
        raise ValueError(f"The explorer needs {needs}.")

    def look(text):
        most = min(MOST_TOKENS, model.config.max_length)
        ids = tokenizer.pair(text, max_length=most)["input_ids"]
        input_ids = torch.tensor([ids], device=next(model.parameters()).device)
        with evaluating(model):
            found = model(input_ids, output_attentions=True).attentions
        tokens = [tokenizer.tokens[i] for i in ids]
        return tokens, torch.stack(found)[:, 0]  # (layers, heads, length, length)

    return look


def heated(weights: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(scores / temperature) where ``weights`` (..., keys) are softmax(scores)."""
    most = np.maximum(weights.max(-1, keepdims=True), 1e-30)
    hot = (weights / most) ** (1 / temperature)  # a masked key keeps its zero
    return hot / np.maximum(hot.sum(-1, keepdims=True), 1e-30)


def pictures(tokens: Sequence[str], matrix: np.ndarray, token: int, where: str) -> Picture:
    """The whole head as a map, and one row of it as bars beside it."""
    names = shortened(tokens)
    size, title = (7.6, 2.0 + 0.22 * len(names)), f"Where each token looks: {where}"
    fig, (left, right) = new(title, size=size, columns=2, width_ratios=(3, 2))
    scale = PowerNorm(0.5, 0, 1)  # small weights should be visible, too
    left.imshow(matrix, norm=scale, cmap="cividis", aspect="auto", interpolation="nearest")
    places = range(len(names))
    left.set_xticks(places, names, rotation=90, parse_math=False, fontsize=9)
    left.set_yticks(places, names, parse_math=False, fontsize=9)
    left.set(xlabel="looked at", ylabel="looks")
    left.grid(False)
    left.axhspan(token - 0.5, token + 0.5, fill=False, edgecolor=PALETTE["vermillion"], lw=2)
    right.barh(places, matrix[token], color=PALETTE["blue"], height=0.7)
    right.set_yticks(places, names, parse_math=False, fontsize=9)
    right.get_yticklabels()[token].set(color=PALETTE["vermillion"], weight="bold")
    right.set(xlabel=f"weight of “{names[token]}”", xlim=(0, 1.0), ylim=(len(names) - 0.5, -0.5))
    right.axvline(1 / len(names), color=GREY, ls=":", lw=1.2)
    right.grid(False, axis="y")
    alt = f"A map of the attention of {where} over {len(names)} tokens, and one row of it as bars."
    return described(fig, alt)
