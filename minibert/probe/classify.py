"""What all probes of labels share: labels by name, refusals in one sentence, predictions, a score.

A probe is trained to convergence, and what there is to tune is tuned on ``valid``, never on what it
is then scored on.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

Labels = Iterable[Hashable]
X = Float[Tensor, "rows dim"]
Y = Int[Tensor, " rows"]
Labelled = tuple[X, Labels]
HELD_OUT = 0.1  # of the training rows, for what is to be tuned, where there is no ``valid``


class Probe(ABC):
    """A classifier of rows (rows, dim). ``names``: the labels that it knows, sorted as strings."""

    names: list[Hashable]
    seed = 0

    def fit(self, x: X, y: Labels, valid: Labelled | None = None) -> Self:
        """Learn; ``valid``, (x, y), is what settings are chosen on. Gives itself.

        Without ``valid`` it is a tenth of the rows, drawn by ``seed``. Raises ValueError for labels
        that do not fit the rows, for one label only, for a label in ``valid`` that training has
        not, and for numbers that are not finite.
        """
        labels = labels_of(y, x)
        self.names = sorted(set(labels), key=str)
        if len(self.names) < 2:
            raise ValueError(f"expected at least two labels to tell apart, got {self.names}")
        targets = self.numbers(labels).to(x.device)
        if valid is not None:
            known = valid[0], self.numbers(labels_of(valid[1], valid[0])).to(x.device)
        else:
            order = torch.from_numpy(np.random.default_rng(self.seed).permutation(len(x)))
            few = max(1, round(HELD_OUT * len(x)))
            out, kept = order[:few].to(x.device), order[few:].to(x.device)
            known, x, targets = (x[out], targets[out]), x[kept], targets[kept]
        self.learn(x, targets, *known)
        return self

    @abstractmethod
    def learn(self, x: X, y: Y, valid_x: X, valid_y: Y) -> None:
        """Train on labels that are numbers, places in ``names``."""

    @abstractmethod
    def logits(self, x: X) -> Float[Tensor, "rows labels"]:
        """The score of each label."""

    def probabilities(self, x: X) -> Float[Tensor, "rows labels"]:
        """p of each label, in the order of ``names``."""
        with torch.no_grad():
            return self.logits(x).softmax(-1)

    def predict(self, x: X) -> list[Hashable]:
        """The likeliest label of each row."""
        with torch.no_grad():
            return [self.names[i] for i in self.logits(x).argmax(-1).tolist()]

    def score(self, x: X, y: Labels) -> float:
        """The share of rows with the right label, 0 to 1; ValueError for a label never learned."""
        labels = labels_of(y, x)
        self.numbers(labels)
        return sum(a == b for a, b in zip(self.predict(x), labels, strict=True)) / len(labels)

    def numbers(self, labels: Labels) -> Y:
        """The places of labels in ``names``; ValueError for one that is not among them."""
        places, labels = {name: i for i, name in enumerate(self.names)}, list(labels)
        if new := sorted({*labels} - places.keys(), key=str):
            more = f" (and {len(new) - 1} others)" if len(new) > 1 else ""
            raise ValueError(
                f"the label {new[0]!r}{more} is not among the {len(self.names)} of training: "
                "leave out its rows, or train on some of them"
            )
        return torch.tensor([places[label] for label in labels])


class Standard:
    """Rows as many deviations from the mean of the training rows, column by column.

    A column that hardly varies is only moved.
    """

    def __init__(self, x: X) -> None:
        self.mean, self.scale = x.mean(0), x.std(0, correction=0)
        small = self.scale < 1e-6 * self.scale.max()
        self.scale = self.scale.masked_fill(small | (self.scale == 0), 1.0)

    def __call__(self, x: X) -> X:
        return (x - self.mean) / self.scale


def labels_of(y: Labels, x: Tensor) -> list[Hashable]:
    """Labels as a list, one a row; ValueError where they do not fit, or rows are not finite."""
    labels = y.tolist() if hasattr(y, "tolist") else list(y)
    if x.ndim != 2 or len(labels) != len(x):
        raise ValueError(f"expected a label for each row of {tuple(x.shape)}, got {len(labels)}")
    if not labels:
        raise ValueError("expected at least one row, got none")
    finite = torch.isfinite(x).all(1)
    if not bool(finite.all()):
        first = int(finite.int().argmin())
        raise ValueError(f"expected finite numbers, row {first} has some that are not")
    return labels
