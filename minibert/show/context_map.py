"""A map of words in context that follows them through the layers of a model."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.axes import Axes

from minibert.heads.reading import as_words, listed
from minibert.probe.word_states import States, states
from minibert.show.figures import GREY, PALETTE, Picture, described, new
from minibert.show.maps import as_array, pca
from minibert.show.widget import Frame, Interactive
from minibert.show.wordmap import MARKS

COLOURS = [PALETTE[name] for name in ("blue", "orange", "green", "purple", "sky", "black")]
AROUND = 4  # words of the context in the table
LISTED = 6
LIMIT = 2.6  # of both axes, in units of the points' mean distance from the centre
EQUAL = 1e-4  # what differs less is the same: a cosine, or a place on the map
ASIDE = 0.07  # how far points that are the same are drawn from each other


class ContextMap(Interactive):
    """Words in context as points of a plane; a slider goes from layer to layer.

    model: any that `minibert.probe.states` reads, or its `States` of the sentences. sentences:
    texts, or lists of words. words: of each sentence the word that is shown, itself (the first such
    one) or its number; or one word for all. labels: of each sentence, such as the word's sense;
    colours and markers tell them apart, six at most. layer: of the first frame.

    Each layer has its own first two principal components (so none is judged by the directions of
    another), scaled alike, and is then turned and mirrored onto the layer below it: what still
    moves has moved. Points in one place are drawn side by side. Below the map stands a number that
    needs no map: how often a point's nearest neighbour, in all dimensions, has its label (of
    several that are equally near, each counts for its share), and how often by chance.

    Raises ValueError for what does not fit the sentences, and for fewer than three of them.
    """

    def __init__(
        self,
        model: Any,
        sentences: Iterable[str | Sequence[str]],
        words: str | int | Sequence[str | int],
        labels: Sequence[Any] | None = None,
        *,
        layer: int = 0,
    ) -> None:
        found = model if isinstance(model, States) else states(model, sentences)
        rows = [as_words(one) for one in listed(sentences)]
        self.sentences, self.places = found.words, places_of(rows, words)
        if found.words != rows:
            raise ValueError("Expected the states of these sentences, got those of others.")
        self.labels = None if labels is None else [str(one) for one in labels]
        self.kinds = [name for name, _ in Counter(self.labels or []).most_common()]
        if self.labels is not None and len(self.labels) != len(rows):
            raise ValueError(
                f"Expected {len(rows)} labels, one a sentence, got {len(self.labels)}."
            )
        if len(rows) < 3 or len(self.kinds) > len(MARKS):
            told = f"{len(rows)} and {len(self.kinds)} labels"
            raise ValueError(f"Expected 3 sentences or more and at most 6 labels, got {told}.")
        starts = np.cumsum([0, *found.lengths[:-1]])
        self.layers = [as_array(one)[starts + self.places] for one in found.layers]
        self.points = aligned([flat(one) for one in self.layers])
        if not 0 <= layer < len(self.layers):
            raise ValueError(f"Expected a layer from 0 to {len(self.layers) - 1}, got {layer}.")
        controls = {
            "layer": ipywidgets.IntSlider(
                layer, min=0, max=len(self.layers) - 1, description="layer"
            ),
            "point": ipywidgets.IntSlider(0, min=0, max=len(rows) - 1, description="sentence"),
        }
        super().__init__(self._frame, controls, [["layer", "point"]])

    def _frame(self, layer, point):
        name = f"layer {layer}" if layer else "the embeddings"
        figure = self._map(layer, point, name)
        nearest = self._nearest(layer)
        text = f"In {name}"
        if self.labels is None:
            text += f" there are {len(self.places)} points without labels."
        else:
            text += (
                f" the nearest neighbour has the same label for {self.alike(layer):.0%} of the "
                f"points, and {self.chance():.0%} would by chance."
            )
        most = int(together(self.points[layer]).sum(1).max())
        if most > 1:
            text += f" Up to {most} points are in one place: they are drawn side by side."
        table = [["", "label", "the sentence, and those nearest to it"]]
        for number, i in enumerate([point, *nearest[point][: LISTED - 1]]):
            label = "" if self.labels is None else self.labels[i]
            table.append([str(number) if number else "chosen", label, self._context(i)])
        return Frame(figure, f"{figure.alt} {text}", text, table)

    def alike(self, layer: int) -> float:
        """How often the nearest neighbour has the same label; equals count for their share."""
        labels, likeness = np.array(self.labels), self._likeness(layer)
        best = likeness > likeness.max(1, keepdims=True) - EQUAL
        same = labels[:, None] == labels
        return float(((best & same).sum(1) / best.sum(1)).mean())

    def chance(self) -> float:
        """How often another point, drawn at random, has the same label."""
        counts = np.array(list(Counter(self.labels or []).values()), float)
        n = counts.sum()
        return float((counts * (counts - 1)).sum() / (n * (n - 1)))

    def _map(self, layer: int, point: int, name: str) -> Picture:
        x = side_by_side(self.points[layer])
        axis = "principal component of the layer, turned"
        title = f"{len(x)} words in context: {name}"
        fig, ax = new(title, f"first {axis}", f"second {axis}", (7.6, 5.4), layout=None)
        ax.set_position((0.1, 0.11, 0.66, 0.8))
        draw_points(ax, x, self.labels, self.kinds)
        ax.plot(*x[point], "o", ms=15, mfc="none", mec=PALETTE["vermillion"], mew=2, ls="")
        ax.set(xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT))
        if self.kinds:
            ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
        counts = Counter(self.labels or [])
        told = f" with the labels {', '.join(f'{k} ({counts[k]})' for k in self.kinds)}"
        return described(fig, f"A map of {len(x)} words in {name}{told if self.kinds else ''}.")

    def _likeness(self, layer):
        """The cosine of each two points in all dimensions, (n, n); of none with itself."""
        x = self.layers[layer]
        unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        likeness = unit @ unit.T
        np.fill_diagonal(likeness, -np.inf)
        return likeness

    def _nearest(self, layer):
        """For each point the others, the nearest first."""
        return np.argsort(-self._likeness(layer), axis=1, kind="stable")[:, :-1]

    def _context(self, i):
        from minibert.show.layers import in_context

        return in_context(self.sentences[i], self.places[i], AROUND)


def together(x: np.ndarray) -> np.ndarray:
    """Which points (n, 2) are in one place: bools (n, n), each with itself."""
    return np.linalg.norm(x[:, None] - x, axis=-1) < EQUAL


def side_by_side(x: np.ndarray) -> np.ndarray:
    """The points (n, 2), those in one place laid around it, as seeds lie in a sunflower."""
    before = np.tril(together(x), -1).sum(1)  # how many of its place are laid already
    angle = before * np.pi * (3 - 5**0.5)
    far = ASIDE * np.sqrt(before)
    return x + far[:, None] * np.stack((np.cos(angle), np.sin(angle)), 1)


def draw_points(
    ax: Axes, x: np.ndarray, labels: Sequence[str] | None, kinds: Sequence[str]
) -> None:
    """Points (n, 2), each kind in its colour and with its marker."""
    look: Any = {"ls": "", "ms": 7, "alpha": 0.8, "mec": "white", "mew": 0.5}
    if labels is None:
        ax.plot(*x.T, "o", color=GREY, **look)
        return
    for kind, colour, marker in zip(kinds, COLOURS, MARKS, strict=False):
        some = x[[label == kind for label in labels]]
        ax.plot(*some.T, marker=marker, color=colour, label=kind, **look)


def places_of(
    sentences: Sequence[Sequence[str]], words: str | int | Sequence[str | int]
) -> list[int]:
    """Of each sentence the number of the word that is meant; ValueError where it has none."""
    given = [words] * len(sentences) if isinstance(words, str | int) else list(words)
    if len(given) != len(sentences):
        raise ValueError(
            f"Expected a word for each of {len(sentences)} sentences, got {len(given)}."
        )
    found = []
    for i, (word, sentence) in enumerate(zip(given, sentences, strict=True)):
        if isinstance(word, str):
            lower = [one.lower() for one in sentence]
            if word.lower() not in lower:
                raise ValueError(f"Sentence {i} has no word {word!r}: {' '.join(sentence)!r:.60}.")
            found.append(sentence.index(word) if word in sentence else lower.index(word.lower()))
        elif 0 <= word < len(sentence):
            found.append(int(word))
        else:
            raise ValueError(f"Sentence {i} has {len(sentence)} words, no word {word}.")
    return found


def flat(vectors: np.ndarray) -> np.ndarray:
    """The first two principal components, (n, 2), at a mean square distance of 1; or zeros."""
    x = pca(vectors)
    size = float(np.sqrt((x**2).sum(1).mean()))
    return x / size if size > 1e-9 else np.zeros_like(x)


def aligned(maps: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Maps (n, 2), each turned and mirrored to lie as near as possible to the one before it.

    The rotation is that of the orthogonal Procrustes problem (Schönemann 1966): U V^T, where
    U S V^T is the singular value decomposition of this map's transpose times the one before.
    """
    found = [maps[0]]
    for x in maps[1:]:
        left, _, right = np.linalg.svd(x.T @ found[-1])
        found.append(x @ left @ right)
    return found
