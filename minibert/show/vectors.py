"""The vector explorer: a map of words, a search box, analogies, and a slider over training."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import ipywidgets
import numpy as np

from minibert.show.maps import as_array, principal_axes
from minibert.show.widget import Frame, Interactive
from minibert.show.wordmap import scatter_words

Ranked = list[tuple[str, float]]  # words and cosines
NEIGHBOURS = 8  # listed; the first five are linked in the map
ANSWERS = 5
BACKGROUND = 250  # words outside every group that are drawn as grey dots
SUGGESTED = 2000  # words that the boxes suggest while you type
ALL = "all groups"


class VectorExplorer(Interactive):
    """Explore word vectors as training shaped them.

    ``snapshots`` is a list of ``(step, matrix)``, in order; each matrix is ``(words, dimensions)``,
    a NumPy array or a tensor. ``groups`` maps names to lists of words to colour. The plane is fixed
    by the principal components of the grouped words (of all, where there are no groups) in the last
    snapshot, on vectors of length one; so the words move over training and the axes do not.
    ``search`` and ``analogy`` (``(a, b, c)`` for a - b + c) fill the boxes of the first frame.

    Raises ``ValueError`` where shapes and words do not fit, or a word of a group is unknown.
    """

    def __init__(
        self,
        snapshots: Sequence[tuple[int, Any]],
        words: Iterable[str],
        groups: Mapping[str, Iterable[str]] | None = None,
        search: str = "",
        *,
        analogy: tuple[str, str, str] = ("", "", ""),
    ) -> None:
        self.words = list(words)
        self.index = {word: number for number, word in enumerate(self.words)}
        self._any_case = {word.casefold(): word for word in reversed(self.words)}
        self.groups = {name: list(members) for name, members in (groups or {}).items()}
        self.steps = [step for step, _ in snapshots]
        self.matrices = [self._checked(step, matrix) for step, matrix in snapshots]
        self._check_groups()
        self._plane = cache(self._make_plane)
        first = (["snapshot"] if len(self.steps) > 1 else []) + (["show"] if self.groups else [])
        rows = [first, ["search"], ["analogy: ", "a", "−", "b", "+", "c", "= ?"]]
        super().__init__(self._frame, self._controls(search, analogy), rows)

    def _checked(self, step, matrix):
        matrix = as_array(matrix).astype(np.float32)
        if matrix.ndim != 2 or len(matrix) != len(self.words) or not np.isfinite(matrix).all():
            needs = f"finite numbers, one row for each of the {len(self.words)} words"
            told = f"got the shape {matrix.shape}"
            raise ValueError(f"The vectors of step {step} must be {needs}; {told}.")
        return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)

    def _check_groups(self):
        if not self.matrices:
            raise ValueError("The explorer needs at least one snapshot (step, matrix); got none.")
        if len(self.index) != len(self.words):
            raise ValueError("Each word must appear once, but the list of words repeats some.")
        for name, members in self.groups.items():
            for word in members:
                if word not in self.index:
                    raise ValueError(f"The group {name!r} has {word!r}, which has no vector.")

    def _controls(self, search, analogy):
        steps = [(f"{step:,}", number) for number, step in enumerate(self.steps)]
        wide = ipywidgets.Layout(width="420px")
        controls = {
            "snapshot": ipywidgets.SelectionSlider(
                options=steps, value=len(steps) - 1, description="training step", layout=wide
            ),
            "show": ipywidgets.SelectionSlider(
                options=[ALL, *self.groups], description="show", layout=wide
            ),
            "search": self._word_box(search, "260px", description="find a word"),
        }
        boxes = [self._word_box(word, "150px") for word in analogy]
        return controls | dict(zip("abc", boxes, strict=True))

    def _word_box(self, word, width, **options):
        return ipywidgets.Combobox(
            value=word, options=self.words[:SUGGESTED], placeholder="a word, Enter",
            continuous_update=False, layout={"width": width}, **options,
        )  # fmt: skip

    def neighbours(self, word: str, snapshot: int = -1, most: int = NEIGHBOURS) -> Ranked:
        """The nearest words by cosine in one snapshot."""
        unit = self.matrices[snapshot]
        return self._ranked(unit @ unit[self._known(word)], [word], most)

    def analogy(self, a: str, b: str, c: str, snapshot: int = -1) -> Ranked:
        """The words nearest to ``a - b + c``, without these three."""
        unit = self.matrices[snapshot]
        target = unit[self._known(a)] - unit[self._known(b)] + unit[self._known(c)]
        cosines = unit @ target / max(float(np.linalg.norm(target)), 1e-9)
        return self._ranked(cosines, [a, b, c], ANSWERS)

    def _ranked(self, cosines, without, most):
        cosines[[self.index[word] for word in without]] = -np.inf
        best = np.argsort(-cosines, kind="stable")[:most]
        found = [(self.words[number], float(cosines[number])) for number in best]
        return [pair for pair in found if np.isfinite(pair[1])]

    def _known(self, word):
        if word in self.index:
            return self.index[word]
        asked = word if len(word) <= 40 else f"{word[:40]}… ({len(word):,} characters)"
        near, folded = [], word.casefold()
        if len(word) <= 40:
            near = [known for known in self._any_case if known.startswith(folded)][:5]
            near = near or difflib.get_close_matches(folded, self._any_case, n=5)
            near = [self._any_case[known] for known in near]
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise ValueError(f"There is no vector for “{asked}”: it was not in the vocabulary.{hint}")

    def _typed(self, text):
        """What was typed, as a word of the vocabulary: exactly, or apart from capitals."""
        word = text.strip()
        return word if word in self.index else self._any_case.get(word.casefold(), word)

    def _frame(self, snapshot, show, search, a, b, c):
        word = self._typed(search)
        a, b, c = (self._typed(text) for text in (a, b, c))
        lines, highlight, links, arrows = [], [], [], []
        if word:
            near = self.neighbours(word, snapshot)
            lines.append(f"Nearest to {word}: " + _listed(near))
            highlight.append(word)
            links += [(word, other) for other, _ in near[:5]]
        if a and b and c:
            answers = self.analogy(a, b, c, snapshot)
            lines.append(f"{a} − {b} + {c}: " + _listed(answers))
            highlight += [a, b, c, answers[0][0]]
            arrows += [(b, a), (c, answers[0][0])]
        elif a or b or c:
            lines.append("An analogy needs a word in each of its three boxes.")
        figure = self._map(snapshot, show, highlight, links, arrows)
        return Frame(figure, f"{figure.alt} {' '.join(lines)}".strip(), "\n".join(lines))

    def _map(self, snapshot, show, highlight, links, arrows):
        groups = {n: members if show in (ALL, n) else [] for n, members in self.groups.items()}
        marked = list(dict.fromkeys([*highlight, *(word for pair in links for word in pair)]))
        shown = [word for members in groups.values() for word in members] + marked
        shown = list(dict.fromkeys(shown + (self.words[:BACKGROUND] if show == ALL else [])))
        rows = [self.index[word] for word in shown]
        mean, axes, low, high = self._plane(show)
        points = (self.matrices[snapshot][rows] - mean) @ axes
        for word in marked:  # a word that was asked for is never out of the picture
            point = points[shown.index(word)]
            low, high = np.minimum(low, point), np.maximum(high, point)
        highlight, limits = list(dict.fromkeys(highlight)), (low[0], high[0], low[1], high[1])
        how = {"arrows": arrows, "links": links, "limits": limits}
        how["title"] = f"Word vectors after {self.steps[snapshot]:,} steps"
        how["into"] = self.frame.figure if hasattr(self, "frame") else None
        return scatter_words(points, shown, groups, highlight, **how)

    def _make_plane(self, show):
        """Mean, principal axes and corners of one view, from the last snapshot."""
        names = list(self.groups) if show == ALL else [show]
        members = [word for name in names for word in self.groups[name]] or self.words
        vectors = self.matrices[-1][[self.index[word] for word in members]]
        mean, axes = principal_axes(vectors)
        points = (vectors - mean) @ axes
        return mean, axes, points.min(axis=0), points.max(axis=0)


def _listed(pairs):
    return ", ".join(f"{word} {cosine:.2f}" for word, cosine in pairs)
