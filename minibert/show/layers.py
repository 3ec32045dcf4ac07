"""The layer explorer: a word in two sentences, its vectors layer by layer, its nearest uses."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import ipywidgets
import numpy as np

from minibert.show.figures import Picture, described, new
from minibert.show.maps import as_array
from minibert.show.widget import Frame, Interactive, choice_of, text_box
from minibert.text.tokens import tokenise

NEAREST = 3  # uses listed for each of the two words
AROUND = 6  # words shown to each side of a use
MOST_WORDS = 30  # of a sentence
MOST_NUMBERS = 64  # of a vector that are drawn
MIX = "mix"


class LayerExplorer(Interactive):
    """Choose a word in each of two sentences: how similar are they in each layer, and in a mix?

    ``model`` has ``encode(sentences)`` and gives ``hidden_states`` (ELMo and any other model that
    reads words); ``sentences``, lists of words, are the corpus that the nearest uses come from.
    ``first`` and ``second`` are pairs (text, word) for the first frame, and ``shares`` the weights
    of the layers there, one per layer (all 1 by default). The sliders weight the layers of the mix.
    Each vector is scaled to length one first, so that the layer with the largest values does not
    hide the others. The nearest uses are those of the mixed vectors, by cosine.

    Raises ``ValueError`` without a corpus, or when a word is not in its text.
    """

    def __init__(
        self,
        model: Any,
        sentences: Sequence[Sequence[str]],
        first: tuple[str, str],
        second: tuple[str, str],
        *,
        shares: Sequence[float] | None = None,
    ) -> None:
        self.model = model
        self.sentences = [list(words) for words in sentences]
        if not self.sentences:
            raise ValueError("The explorer needs sentences to look for uses in; got none.")
        self.places = [(s, i) for s, words in enumerate(self.sentences) for i in range(len(words))]
        self.layers = _unit(self._read(self.sentences))  # (layers, uses, width)
        self._vectors = lru_cache(10)(lambda text: self._read([_words(text)]))
        sliders = [f"layer_{number}" for number in range(len(self.layers))]
        rows = [["text_a"], ["word_a"], ["text_b"], ["word_b"], ["shares of the mix: ", *sliders]]
        words = {f"word_{name}": (f"text_{name}", _words) for name in "ab"}
        super().__init__(self._frame, self._controls(first, second, shares), rows, words)

    def _read(self, sentences):
        """Every layer's vector of every word of some sentences, (layers, words, width), float32."""
        found = []
        for start in range(0, len(sentences), 64):
            part = sentences[start : start + 64]
            out = self.model.encode(part).hidden_states
            layers = np.stack([as_array(layer) for layer in out]).astype(np.float32)
            found += [layers[:, row, : len(words)] for row, words in enumerate(part)]
        return np.concatenate(found, 1)

    def _controls(self, first, second, shares):
        controls = {}
        for name, (text, word) in (("a", first), ("b", second)):
            words = tokenise(text)
            if word not in words:
                raise ValueError(f"The word {word!r} is not in the sentence {text!r}.")
            controls[f"text_{name}"] = text_box(text)
            controls[f"word_{name}"] = choice_of(words, words.index(word))
        for number, share in enumerate([1.0] * len(self.layers) if shares is None else shares):
            controls[f"layer_{number}"] = ipywidgets.FloatSlider(
                share, min=0, max=1, step=0.05, description=layer_name(number)
            )
        return controls

    def _frame(self, text_a, word_a, text_b, word_b, **sliders):
        shares = np.array([sliders[f"layer_{n}"] for n in range(len(self.layers))], np.float32)
        if not shares.any():
            raise ValueError("All shares are zero: give at least one layer some weight.")
        shares /= shares.sum()
        chosen = [self._word(text_a, word_a), self._word(text_b, word_b)]
        names = [words[place] for words, place, _ in chosen]
        vectors = np.stack([layers for *_, layers in chosen], 1)  # (layers, 2, width)
        mixed = np.concatenate((vectors, np.tensordot(shares, _unit(vectors), 1)[None]))
        cosines = [_cosine(a, b) for a, b in mixed]
        figure = strips(mixed, cosines, names)
        table = [["like", "cosine", "a use in the corpus"]]
        everything = np.tensordot(shares, self.layers, 1)  # (uses, width)
        for number, vector in enumerate(mixed[-1]):
            words, place, _ = chosen[number]
            for row in self._nearest(words, everything, vector):
                table.append([f"{number + 1}: {words[place]}", *row])
        told = ", ".join(f"{layer_name(n)} {cosine:.2f}" for n, cosine in enumerate(cosines[:-1]))
        told += f", {MIX} {cosines[-1]:.2f}"
        text = f"Cosine of “{names[0]}” in the first and “{names[1]}” in the second: {told}."
        return Frame(figure, f"{figure.alt} {text}", text, table)

    def _word(self, text, place):
        """(words, place, layers of the chosen word)."""
        words = _words(text)
        if not words or place is None:
            raise ValueError("Each of the two boxes needs a sentence.")
        place = min(place, len(words) - 1)
        return words, place, self._vectors(text)[:, place]

    def _nearest(self, words, everything, vector):
        """(cosine, use) of the most similar uses, one a sentence; none in its own, ``words``."""
        cosines = _unit(everything) @ _unit(vector)
        found = {tuple(words): None}
        for use in np.argsort(-cosines, kind="stable"):
            number, i = self.places[use]
            sentence = tuple(self.sentences[number])
            found.setdefault(sentence, (f"{cosines[use]:.2f}", in_context(sentence, i)))
            if len(found) > NEAREST:
                break
        return [use for use in found.values() if use]


def layer_name(number: int) -> str:
    """What a layer of ``hidden_states`` is called."""
    return "word vector" if number == 0 else f"layer {number}"


def in_context(words: Sequence[str], place: int, around: int = AROUND) -> str:
    """A use of a word as one line of a concordance, the word itself in brackets."""
    before, after = words[max(0, place - around) : place], words[place + 1 : place + 1 + around]
    cut = ["…"] * (place > around), ["…"] * (place + 1 + around < len(words))
    return " ".join([*cut[0], *before, f"[{words[place]}]", *after, *cut[1]])


def strips(mixed: np.ndarray, cosines: Sequence[float], names: Sequence[str]) -> Picture:
    """Vectors as strips of colour: a pair of rows for each layer, with their cosine."""
    title = "The two words, layer by layer (each component of a vector is a cell)"
    fig, axes = new(title, size=(7.6, 0.6 + 0.78 * len(mixed)), rows=len(mixed))
    layers = [*map(layer_name, range(len(mixed) - 1)), MIX]
    for ax, pair, name, cosine in zip(axes, mixed, layers, cosines, strict=True):
        step = max(1, pair.shape[1] // MOST_NUMBERS)
        shown = pair[:, ::step][:, :MOST_NUMBERS]
        most = max(float(np.abs(shown).max()), 1e-9)
        ax.imshow(shown, aspect="auto", cmap="PuOr_r", vmin=-most, vmax=most)
        ax.set_yticks([0, 1], [f"1: {names[0]}", f"2: {names[1]}"], parse_math=False, fontsize=9.5)
        ax.set_xticks([])
        ax.grid(False)
        ax.set_title(f"{name}: cosine {cosine:.2f}", fontsize=10.5)
    count = f"{shown.shape[1]} of {mixed.shape[-1]}"
    fig.supxlabel(f"components of the vector ({count} shown)", size=10.5)
    alt = "Strips of colour: the vectors of two words in two sentences, one pair per layer."
    return described(fig, alt)


def _words(text):
    return tokenise(text)[:MOST_WORDS]


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _cosine(a, b):
    return float(_unit(a) @ _unit(b))
