"""What a model does with sentences made for one question each: minimal pairs.

Two sentences differ in one place, and one of them is wrong. A model passes where it holds the good
one for likelier (Linzen et al. 2016; Marvin & Linzen 2018; Warstadt et al. 2020).
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from minibert.heads.reading import listed
from minibert.probe.scoring import sentence_scores

Numbers = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, repr=False)
class PairScores:
    """``good``, ``bad``: log p of the sentences of each pair, in nats, float64 (pairs,)."""

    good: Numbers
    bad: Numbers

    @property
    def right(self) -> Bool[np.ndarray, " pairs"]:
        """Where the good sentence is the likelier one; a tie is not a success."""
        return self.good > self.bad

    @property
    def accuracy(self) -> float:
        """The share of pairs that are right, 0 to 1."""
        return float(self.right.mean())

    @property
    def ties(self) -> int:
        """Pairs whose scores are equal, such as those of equal sentences."""
        return int((self.good == self.bad).sum())

    def by(self, labels: Iterable[Hashable]) -> dict[Hashable, float]:
        """The accuracy of the pairs with each label: phenomena, or numbers of attractors.

        labels: one for each pair, such as ``pairs.labels["phenomenon"]``. Sorted where they are
        numbers, else as they come. Raises ValueError where they do not fit the pairs.
        """
        given = list(labels)
        if len(given) != len(self):
            raise ValueError(f"expected a label for each of {len(self)} pairs, got {len(given)}")
        order: list[Any] = list(dict.fromkeys(given))
        order = sorted(order) if all(isinstance(name, int) for name in order) else order
        places = np.array([order.index(label) for label in given])
        return {name: float(self.right[places == i].mean()) for i, name in enumerate(order)}

    def __len__(self) -> int:
        return len(self.good)

    def __repr__(self) -> str:
        ties = f", {self.ties} ties" if self.ties else ""
        return f"PairScores({self.accuracy:.1%} of {len(self):,} pairs right{ties})"


def minimal_pairs(
    model: Any,
    good: Iterable[str | Sequence[str]],
    bad: Iterable[str | Sequence[str]],
    **options: Any,
) -> PairScores:
    """Scores of good and bad sentences, texts or lists of words, by a model of any kind.

    Causal models give log p, masked ones pseudo-log-likelihoods, n-gram models log p; see
    `sentence_scores`, also for the options. Scores are not divided by the length: between models,
    compare accuracies, not scores. Raises ValueError as it does, and for lists of unequal length.

    >>> pairs = mb.data.load("blimp")  # doctest: +SKIP
    >>> scores = mb.probe.minimal_pairs(gpt, pairs.good, pairs.bad)  # doctest: +SKIP
    >>> scores.by(pairs.labels["phenomenon"])  # doctest: +SKIP
    """
    good, bad = listed(good), listed(bad)
    if len(good) != len(bad) or not good:
        told = f"expected as many good sentences as bad ones, got {len(good)} and {len(bad)}"
        raise ValueError(told)
    scores = sentence_scores(model, [*good, *bad], **options)
    return PairScores(scores[: len(good)], scores[len(good) :])
