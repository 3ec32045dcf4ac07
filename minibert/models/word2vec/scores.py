"""How good word vectors are: rated pairs and analogies, which `minibert.data.load` has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Shaped
from torch.nn import functional as F

if TYPE_CHECKING:
    from minibert.data.corpora import Analogies, RatedPairs
    from minibert.models.word2vec.model import Word2Vec
    from minibert.text.vocab import Vocab

BATCH = 1024  # analogies that are answered at once


@dataclass(frozen=True)
class Rated:
    """``spearman``: the rank correlation of cosines and ratings, nan below two known pairs;
    ``known`` of ``pairs`` pairs have both words in the vocabulary."""

    spearman: float
    known: int
    pairs: int

    def __str__(self) -> str:
        return f"Spearman {self.spearman:.3f} on {self.known} of {self.pairs} pairs"


@dataclass(frozen=True)
class Answered:
    """For each section of the questions: how many were answered right, ``right``, of how many
    whose words are all known, ``known``, of how many, ``asked``. Dicts with the same keys."""

    right: dict[str, int]
    known: dict[str, int]
    asked: dict[str, int]

    @property
    def accuracy(self) -> float:
        """The share of right answers among all questions that could be asked; nan for none."""
        return sum(self.right.values()) / (sum(self.known.values()) or float("nan"))

    @property
    def by_section(self) -> dict[str, float]:
        """The share of right answers in each section of which something is known."""
        return {name: self.right[name] / n for name, n in self.known.items() if n}

    def __str__(self) -> str:
        known, asked = sum(self.known.values()), sum(self.asked.values())
        return f"{self.accuracy:.1%} right of {known:,} known questions ({asked:,} asked)"


def similarity(model: "Word2Vec", rated: "RatedPairs", any_case: bool = True) -> Rated:
    """Compare a model's cosines with people's ratings.

    rated: anything with ``pairs`` (tuples of two words) and ``scores``. Pairs with an unknown word
    are left out. ``any_case``: a word is known however it is capitalised; the vocabulary's first
    spelling counts.
    """
    find = _finder(model._named(), any_case)
    rows = [(find(a), find(b), s) for (a, b), s in zip(rated.pairs, rated.scores, strict=True)]
    rows = [row for row in rows if None not in row]
    if len(rows) < 2:
        return Rated(float("nan"), len(rows), len(rated.pairs))
    a, b, scores = (np.array(column) for column in zip(*rows, strict=True))
    vectors = model.vectors
    cosines = F.cosine_similarity(vectors[a], vectors[b], dim=1).cpu().numpy()
    return Rated(spearman(cosines, scores), len(rows), len(rated.pairs))


def analogies(
    model: "Word2Vec",
    questions: "Analogies | Mapping[str, Sequence[Sequence[str]]]",
    most: int | None = None,
    any_case: bool = True,
) -> Answered:
    """Answer analogies by 3CosAdd: an `Answered`.

    The answer to "a is to b as c is to" is the word whose vector is nearest, by cosine, to
    b - a + c, all of length one; a, b and c themselves are left out (Mikolov et al. 2013a, section
    4; Levy & Goldberg 2014 name it). questions: section to list of (a, b, c, d), in a dict or in a
    `minibert.data.corpora.Analogies`; those with an unknown word are left out. ``most``: only the
    first so many words of the vocabulary count. ``any_case`` as in `similarity`.
    """
    sections = questions if isinstance(questions, Mapping) else questions.sections
    vocab = model._named()
    most = min(most or len(vocab), len(vocab))
    find = _finder(vocab, any_case, most)
    spelt = [find(token) for token in vocab.tokens[:most]]  # the first spelling of each
    same = torch.tensor([i if first is None else first for i, first in enumerate(spelt)])
    unit = F.normalize(model.vectors[:most].cpu(), dim=1)  # (V, dim)
    specials = [vocab[token] for token in vocab.specials if vocab[token] < most]
    right, known = {}, {}
    for name, asked in sections.items():
        found = ([find(word) for word in question] for question in asked)
        rows = torch.tensor([row for row in found if None not in row], dtype=torch.long)
        known[name] = len(rows)
        right[name] = sum(_right(unit, p, specials, same) for p in rows.view(-1, 4).split(BATCH))
    return Answered(right, known, {name: len(asked) for name, asked in sections.items()})


def spearman(x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"]) -> float:
    """The rank correlation of two arrays, ties sharing their mean rank; nan if all tie."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def _right(unit, rows, specials, same):
    """How many of the questions are answered right; see `analogies`."""
    a, b, c, d = rows.unbind(1)
    scores = (unit[b] - unit[a] + unit[c]) @ unit.T  # (n, V)
    for word in (a, b, c):
        scores[same == word[:, None]] = -torch.inf  # in any of its spellings
    scores[:, specials] = -torch.inf
    return int((same[scores.argmax(1)] == d).sum())


def _finder(vocab: "Vocab", any_case: bool, most: int | None = None) -> Callable[[str], int | None]:
    """A function from a word to its id among the first ``most``, or to None."""
    tokens = vocab.tokens[:most]
    exact = {token: i for i, token in enumerate(tokens) if token not in vocab.specials}
    if not any_case:
        return exact.get
    folded = {token.upper(): i for token, i in reversed(exact.items())}  # the first one stays
    return lambda word: folded.get(word.upper())


def _ranks(values):
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)  # the rank of the last of each value
    return (last - (counts - 1) / 2)[which]
