"""Cheap baselines for labelled examples: what a result must beat before it says anything.

One interface for all: ``baseline.fit(train, valid).predict(examples)``, and ``.score(examples)``,
the share that is right. Examples are those of the world's tasks and of real data sets (``text`` and
``label``, ``text_b`` in pairs, ``tokens`` and ``labels`` where words are tagged).

`Majority`: always one answer. `MostFrequentTag`: words, each by itself. `WordCounts`: which
words there are, in any order. `RandomVectors`: the same through vectors that know nothing.
Language models that count are in `minibert.models.baselines`.
"""

import math
import zlib
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float64

from minibert.data.examples import Example, wanted
from minibert.text.tokens import tokenise
from minibert.world.tasksets.base import Example as WorldExample

Examples = Sequence[Example | WorldExample]
Label = Any  # a string or a number, whatever the examples have; for words, a list of these
Me = TypeVar("Me", bound="Baseline")
PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)  # the strongest first


class Baseline(ABC):
    """What all of them share."""

    def fit(self: Me, train: Examples, valid: Examples = ()) -> Me:
        """Learn from ``train``; what there is to tune is tuned on ``valid``. Gives itself."""
        self._learn(train, valid)
        return self

    @abstractmethod
    def _learn(self, train: Examples, valid: Examples) -> None: ...

    @abstractmethod
    def predict(self, examples: Examples) -> list[Label]:
        """A label for each example; a list of them, one a word, where words are tagged."""

    def score(self, examples: Examples) -> float:
        """The share of labels that are right, 0 to 1. Raises ValueError without a label."""
        said, right = self.predict(examples), []
        for example, label in zip(examples, said, strict=True):
            given = [label] if example.labels is None else label
            right += [a == b for a, b in zip(given, _labels(example), strict=True)]
        if not right:
            raise ValueError("expected at least one labelled example, got none")
        return sum(right) / len(right)


class Majority(Baseline):
    """Always the most frequent label of the training examples, the first of several."""

    def _learn(self, train: Examples, valid: Examples) -> None:
        self.label = Counter(label for one in train for label in _labels(one)).most_common(1)[0][0]

    def predict(self, examples: Examples) -> list[Label]:
        return [
            self.label if one.labels is None else [self.label] * len(one.labels) for one in examples
        ]


class MostFrequentTag(Baseline):
    """Each word as it was tagged most often; a word never seen, as most words are."""

    def _learn(self, train: Examples, valid: Examples) -> None:
        counts: defaultdict[str, Counter] = defaultdict(Counter)
        for one in train:
            for word, tag in zip(one.tokens or (), one.labels or (), strict=True):
                counts[word][tag] += 1
        self.tags = {word: count.most_common(1)[0][0] for word, count in counts.items()}
        self.rest = Majority().fit(train).label

    def predict(self, examples: Examples) -> list[Label]:
        return [[self.tags.get(word, self.rest) for word in one.tokens or ()] for one in examples]


class Linear(Baseline):
    """Logistic regression with an L2 penalty, on the features of a text.

    It minimises the sum of the losses plus ``penalty / 2`` times the squared weights (the biases
    are free). The penalty is the one of ``penalties`` that is best on ``valid``, the strongest of
    several; without ``valid`` it is the middle one, untuned.
    """

    def __init__(self, penalties: Sequence[float] = PENALTIES) -> None:
        self.penalties = penalties
        self.model: Any = None  # scikit-learn's, or None where there is one label
        self.penalty = math.nan

    @abstractmethod
    def features(self, examples: Examples, fresh: bool = False) -> Any:
        """A matrix (examples, features), sparse or not; ``fresh`` when it is for training."""

    def _learn(self, train: Examples, valid: Examples) -> None:
        if any(one.labels is not None for one in train):
            raise ValueError("expected one label for each text; for words use MostFrequentTag")
        self.names: list[Label] = sorted({one.label for one in train}, key=str)
        targets = [self.names.index(one.label) for one in train]
        x, tried = self.features(train, fresh=True), []
        rows = self.features(valid) if len(valid) else None
        middle = self.penalties[len(self.penalties) // 2]
        for penalty in [middle] if rows is None else self.penalties:
            model = _regression(x, targets, penalty)
            said = [] if rows is None else self._likeliest(model, rows)
            right = sum(a == one.label for a, one in zip(said, valid, strict=True))
            tried.append((right, model, penalty))
        _, self.model, self.penalty = max(tried, key=lambda one: one[0])  # the first of several

    def probabilities(self, examples: Examples) -> Float64[np.ndarray, "examples labels"]:
        """p of each label, in the order of ``names``."""
        return _probabilities(self.model, self.features(examples))

    def predict(self, examples: Examples) -> list[Label]:
        return self._likeliest(self.model, self.features(examples)) if len(examples) else []

    def _likeliest(self, model, rows):
        return [self.names[i] for i in _probabilities(model, rows).argmax(1)]


class WordCounts(Linear):
    """How often each word is there, whatever its place; with ``bigrams``, each two in a row, too.

    Words count in lower case, and those that training did not have count nothing. In a pair of
    texts each side has its own counts, and so have the words that both share.
    """

    def __init__(self, bigrams: bool = False, penalties: Sequence[float] = PENALTIES) -> None:
        super().__init__(penalties)
        self.bigrams = bigrams

    def counts(self, example: Example | WorldExample) -> Counter[str]:
        """The features of one example by name: "dog", "big dog"; in pairs "1 dog", "both dog"."""
        sides = [Counter(self._terms(words)) for words in _words(example)]
        if len(sides) == 1:
            return sides[0]
        named = {"1": sides[0], "2": sides[1], "both": sides[0] & sides[1]}
        return Counter({f"{k} {term}": n for k, side in named.items() for term, n in side.items()})

    def features(self, examples: Examples, fresh: bool = False) -> Any:
        from sklearn.feature_extraction import DictVectorizer

        counts = [self.counts(one) for one in examples]
        if fresh:
            self.columns = DictVectorizer().fit(counts)
        return self.columns.transform(counts)

    def _terms(self, words: list[str]) -> Iterator[str]:
        yield from words
        if self.bigrams:
            yield from map(" ".join, zip(words, words[1:], strict=False))


class RandomVectors(Linear):
    """The mean of the words' vectors, which are ``dim`` normal numbers, drawn once for each word.

    Whatever this reaches owes nothing to pre-training. In a pair of texts: both means, and how far
    they are apart. The vectors depend on the word and ``seed`` alone.
    """

    def __init__(
        self, dim: int = 64, seed: int = 0, penalties: Sequence[float] = PENALTIES
    ) -> None:
        super().__init__(penalties)
        self.dim, self.seed = dim, seed
        self._known: dict[str, np.ndarray] = {}

    def vector(self, word: str) -> Float64[np.ndarray, " dim"]:
        """The vector of a word."""
        if word not in self._known:
            random = np.random.default_rng([self.seed, zlib.crc32(word.encode())])
            self._known[word] = random.standard_normal(self.dim)
        return self._known[word]

    def features(self, examples: Examples, fresh: bool = False) -> Float64[np.ndarray, "n width"]:
        return np.stack([np.concatenate(self._parts(one)) for one in examples])

    def _parts(self, example: Example | WorldExample) -> list[np.ndarray]:
        means = [
            np.mean([self.vector(word) for word in words] or [np.zeros(self.dim)], axis=0)
            for words in _words(example)
        ]
        return means if len(means) == 1 else [*means, np.abs(means[0] - means[1])]


def _labels(example):
    """The labels of an example: one, or one for each word."""
    return wanted(example) if example.labels is not None else [example.label]


def _words(example):
    """The words of an example in lower case, as a list for each text that it has."""
    if example.text is None:
        return [[word.lower() for word in example.tokens or ()]]
    texts = [example.text] + ([] if example.text_b is None else [example.text_b])
    return [tokenise(text.lower()) for text in texts]


def _regression(x, targets, penalty):
    """scikit-learn's model, or None where there is one label."""
    from sklearn.linear_model import LogisticRegression

    if len(set(targets)) < 2:
        return None
    return LogisticRegression(C=1 / penalty, max_iter=2_000).fit(x, targets)


def _probabilities(model, rows):
    """(rows, labels)."""
    return np.ones((rows.shape[0], 1)) if model is None else model.predict_proba(rows)
