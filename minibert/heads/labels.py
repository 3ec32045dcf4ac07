"""What a head says in the end: one class, several of them, or a number."""

import operator
from collections.abc import Collection
from typing import Any

import torch
from torch.nn import functional as F

from minibert.heads.scores import class_loss

PROBLEMS = CLASSES, MULTI_LABEL, REGRESSION = (  # transformers' names
    "single_label_classification",
    "multi_label_classification",
    "regression",
)


class Labels:
    """The labels of a head: what its scores stand for, what they cost, and what they decide.

    labels: how many there are, or their names; by default 2, or 1 for a regression. problem: one of
    `PROBLEMS`: each example has one label, or any number of them, or ``labels`` numbers are wanted.

    ``count``: of the labels. ``names``: a list of str, or None. Raises ValueError.
    """

    def __init__(self, labels: int | Collection[str] | None = None, problem: str = CLASSES) -> None:
        if problem not in PROBLEMS:
            expected = " or ".join(map(repr, PROBLEMS))
            raise ValueError(f"problem must be {expected}, got {problem!r}")
        if labels is None:
            labels = 1 if problem == REGRESSION else 2
        self.problem, self.names = problem, None
        if hasattr(labels, "__index__") and not isinstance(labels, bool):
            self.count = operator.index(labels)
        else:
            names = [] if isinstance(labels, str) else list(labels) if _many(labels) else []
            if len(set(names)) != len(names) or not all(type(name) is str for name in names):
                names = []
            self.names, self.count = names, len(names)
        if self.count < 1:
            raise ValueError(
                "expected the number of labels or a list of their names, each of them once, "
                f"got {labels!r:.80}"
            )

    @property
    def given(self) -> int | list[str]:
        """The labels as they were given: their names, or how many."""
        return self.count if self.names is None else self.names

    def number(self, label: Any) -> int | float | list[float]:
        """A label as a batch has it: a class's number; 0.0 or 1.0 for each label; a number.

        label: a name or a number; for several labels a list of their names, or one of 0 and 1 for
        each label. Raises ValueError for what is no label of this head.
        """
        if self.problem == REGRESSION:
            return float(label) if self.count == 1 else [float(one) for one in label]
        if self.problem == CLASSES:
            return self._place(label)
        if not _many(label):
            raise ValueError(f"expected a list of labels for each example, got {label!r:.60}")
        if all(isinstance(one, str) for one in label):
            chosen = {self._place(one) for one in label}
            return [float(place in chosen) for place in range(self.count)]
        if len(label) != self.count or any(one not in (0, 1) for one in label):
            raise ValueError(
                f"expected names of labels, or 0 or 1 for each of {self.count}, got {label!r:.60}"
            )
        return [float(one) for one in label]

    def _place(self, label):
        if isinstance(label, str) and self.names is not None and label in self.names:
            return self.names.index(label)
        if not isinstance(label, str) and hasattr(label, "__index__"):
            if 0 <= operator.index(label) < self.count:
                return operator.index(label)
        known = f"0 to {self.count - 1}" if self.names is None else ", ".join(self.names)[:200]
        raise ValueError(f"expected one of the labels {known}, got {label!r:.60}")

    def scores(self, output: torch.Tensor) -> torch.Tensor:
        """The output of a layer (examples, count) as logits: (examples,) where it is one number."""
        return output[:, 0] if self.problem == REGRESSION and self.count == 1 else output

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, name: str = "labels"
    ) -> tuple[torch.Tensor, int]:
        """(sum of losses, their number): their quotient is the mean that transformers gives.

        logits: (examples, count), or (examples,) of a regression with one number. labels: class
        numbers (examples,), otherwise of the shape of logits. Raises ValueError for others, which
        it calls ``name``.
        """
        if self.problem == CLASSES:
            return class_loss(logits, labels, name)
        if not torch.is_tensor(labels):
            raise ValueError(f"expected {name} as a tensor, got a {type(labels).__name__}")
        if labels.shape != logits.shape:
            raise ValueError(
                f"a {self.problem} takes {name} of shape {tuple(logits.shape)}, got "
                f"{tuple(labels.shape)}"
            )
        loss = F.mse_loss if self.problem == REGRESSION else F.binary_cross_entropy_with_logits
        return loss(logits, labels.to(logits.dtype), reduction="sum"), logits.numel()

    def decided(self, logits: torch.Tensor) -> tuple[Any, torch.Tensor | None]:
        """(label or labels, probabilities (count,)) of one example; a regression has none."""
        if self.problem == REGRESSION:
            return logits.tolist(), None
        names = range(self.count) if self.names is None else self.names
        if self.problem == CLASSES:
            return names[int(logits.argmax())], logits.softmax(-1)
        return [names[i] for i in (logits > 0).nonzero()[:, 0].tolist()], logits.sigmoid()


def _many(given):
    return isinstance(given, Collection) and not isinstance(given, str | bytes | dict)
