"""What a head says in the end: one class, several of them, or a number."""

import operator
from collections.abc import Collection, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from minibert.models.outputs import Loss
from minibert.models.softmax import check_scores
from minibert.text.inputs import check_targets, of_batch

PROBLEMS = CLASSES, MULTI_LABEL, REGRESSION = (  # transformers' names
    "single_label_classification",
    "multi_label_classification",
    "regression",
)
Given = int | Collection[str] | None  # labels: how many, or their names
Logits = Float[Tensor, "examples *labels"]  # (examples, labels), or (examples,) of single numbers


class Labels:
    """The labels of a head: what its scores stand for, what they cost, and what they decide.

    labels: how many there are, or their names; by default 2, or 1 for a regression. problem: one of
    `PROBLEMS`: each example has one label, or any number of them, or ``labels`` numbers are wanted.

    ``count``: of the labels. ``names``: a list of str, or None. Raises ValueError.
    """

    names: list[str] | None

    def __init__(self, labels: Given = None, problem: str = CLASSES) -> None:
        if problem not in PROBLEMS:
            expected = " or ".join(map(repr, PROBLEMS))
            raise ValueError(f"problem must be {expected}, got {problem!r}")
        if labels is None:
            labels = 1 if problem == REGRESSION else 2
        given: Any = labels.tolist() if hasattr(labels, "tolist") else labels  # of numpy or pandas
        self.problem, self.names = problem, None
        if hasattr(given, "__index__") and not isinstance(given, bool):
            self.count = operator.index(given)
        else:
            names = list(given) if _many(given) else []
            right = all(isinstance(name, str) for name in names) and len({*names}) == len(names)
            self.names, self.count = list(map(str, names)), len(names) if right else 0
        if self.count < 1:
            raise ValueError(
                "expected the number of labels or a list of their names, each of them once, "
                f"got {given!r:.80}"
            )

    @property
    def given(self) -> int | list[str]:
        """The labels as they were given: their names, or how many."""
        return self.count if self.names is None else self.names

    def number(self, label: Any) -> int | float | list[float]:
        """A label as a batch has it: a class's number; 0.0 or 1.0 for each label; a number.

        label: a name or a number; for several labels a list of their names, or 0 or 1 for each.
        Raises ValueError for what is no label of this head.
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
        if isinstance(label, str) and label in (self.names or ()):
            return self.names.index(label)
        if hasattr(label, "__index__") and 0 <= operator.index(label) < self.count:
            return operator.index(label)
        known = f"0 to {self.count - 1}" if self.names is None else ", ".join(self.names)[:200]
        raise ValueError(f"expected one of the labels {known}, got {label!r:.60}")

    def scores(self, output: Float[Tensor, "examples count"]) -> Logits:
        """The output of a layer as logits."""
        return output[:, 0] if self.problem == REGRESSION and self.count == 1 else output

    def loss(self, logits: Logits, batch: Mapping) -> Loss:
        """(sum of losses, their number): their quotient is the mean that transformers gives.

        The batch's ``labels``: class numbers (examples,), otherwise of the shape of logits. Raises
        ValueError.
        """
        if self.problem == CLASSES:
            return class_loss(logits, of_batch(batch))
        labels = batch.get("labels")
        if not torch.is_tensor(labels) or labels.shape != logits.shape:
            found = tuple(labels.shape) if torch.is_tensor(labels) else labels
            wanted = f"a {self.problem} takes labels of shape {tuple(logits.shape)}"
            raise ValueError(f"{wanted}, got {found!r:.60}")
        loss = F.mse_loss if self.problem == REGRESSION else F.binary_cross_entropy_with_logits
        return loss(logits, labels.to(logits.dtype), reduction="sum"), logits.numel()

    def decided(self, logits: Float[Tensor, "*labels"]) -> tuple[Any, Tensor | None]:
        """(label or labels, probabilities (count,), None in a regression); see `check_scores`."""
        if self.problem == REGRESSION:
            check_scores(logits.reshape(-1, 1))  # each number by itself
            return logits.tolist(), None
        check_scores(logits)
        names = range(self.count) if self.names is None else self.names
        if self.problem == CLASSES:
            return names[int(logits.argmax())], logits.softmax(-1)
        return [names[i] for i in (logits > 0).nonzero()[:, 0].tolist()], logits.sigmoid()


def _many(given):
    return isinstance(given, Collection) and not isinstance(given, str | bytes | dict)


def class_loss(
    logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"], name: str = "labels"
) -> Loss:
    """(sum of cross-entropies in nats, n); ValueError for what is no class."""
    check_targets(labels, logits.shape[-1], None, name)
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"expected {name} of {len(logits)} rows, got {tuple(labels.shape)}")
    return F.cross_entropy(logits, labels.long(), reduction="sum"), len(labels)


def likeliest(logits: Float[Tensor, "*shape classes"]) -> Int[Tensor, "*shape"]:
    """The class with the highest score, on the CPU: see `check_scores`."""
    check_scores(logits)
    return logits.argmax(-1).cpu()
