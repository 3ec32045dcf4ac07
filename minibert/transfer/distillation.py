"""Distillation: a student learns how likely a teacher finds each answer, the wrong ones too.

Hinton, Vinyals & Dean (2015), "Distilling the Knowledge in a Neural Network", arXiv:1503.02531. The
same loss teaches from any soft labels: an ensemble's, or those of `minibert.transfer.labelling`.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.heads.causal import CausalLM
from minibert.heads.ensemble import mean
from minibert.heads.head import Head, base_of
from minibert.heads.labels import CLASSES, class_loss
from minibert.heads.language import MaskedLM, NextSentence
from minibert.heads.parser import Parser
from minibert.heads.pooling import Ensemble
from minibert.heads.predictions import Predictions
from minibert.heads.reading import listed
from minibert.models.base import Where
from minibert.models.gpt.model import next_tokens
from minibert.models.outputs import Loss
from minibert.text.batches import Batch
from minibert.text.framing import Example
from minibert.text.inputs import labelled, of_batch
from minibert.training.modes import evaluating
from minibert.training.update import to_device
from minibert.transfer.groups import layer_groups

Teacher = Head | Ensemble | Sequence[Head] | None
Rows = Float[Tensor, "n classes"]
SOFT = "soft_labels"


class Distilled(nn.Module):
    """A student and what teaches it, which `minibert.fit` trains; ``student`` is then the model.

    student: a head that gives each text, or each word or token, one of several classes; a
    `CausalLM` and a `MaskedLM` are such. teacher: a head of the same kind whose model reads the
    same ids, or several of them, whose mean it learns; or None, and the batches have
    ``soft_labels`` (batch, classes): see `soft_examples`. The loss of each answer is (section 2)

        (1 - weight) * CE(labels) + weight * T^2 * KL(teacher at T || student at T)

    with the logits of both divided by the temperature T. A gradient of the second term is about
    1 / T^2 as large as one of the first, hence the factor. With ``weight=1`` no labels are needed,
    but for heads that judge words: there a label other than -100 marks what is judged. Of what
    else a head's own loss has, such as GPT's language model beside the task, nothing is taken.

    The teachers are no part of this module: they stay where they are, are not trained or saved, and
    answer in eval mode without gradients. Raises ValueError for other heads, such as `Parser` and
    `NextSentence`, a temperature of 0 or less, a weight beyond 0 to 1, and teachers with other
    labels or another tokenizer than the student; ``loss``, for a batch of a stream.
    """

    def __init__(
        self,
        student: Head,
        teacher: Teacher = None,
        *,
        temperature: float = 2.0,
        weight: float = 0.5,
    ) -> None:
        super().__init__()
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        if not 0 <= weight <= 1:
            raise ValueError(f"weight must be from 0 to 1, got {weight}")
        self.student, self.temperature, self.weight = student, temperature, weight
        self.teachers = None if teacher is None else _listed(teacher)  # a list is no submodule
        for one in (student, *(self.teachers or ())):
            _check_kind(one)
        for one in self.teachers or ():
            _check_alike(student, one)

    def loss(self, batch: Batch) -> Loss:
        """(sum of the losses of all answers, their number)."""
        logits, labels = _answers(self.student, batch)
        softened = (logits / self.temperature).log_softmax(-1)
        taught = self.taught(batch).to(softened)
        if taught.shape != logits.shape:
            expected = f"expected a teacher's answers of shape {tuple(logits.shape)}"
            raise ValueError(f"{expected}, got {tuple(taught.shape)}")
        differ = F.kl_div(softened, taught, reduction="sum")  # KL(taught || student's)
        loss = self.weight * self.temperature**2 * differ
        if self.weight < 1:
            labels = of_batch(batch) if labels is None else labels
            loss = loss + (1 - self.weight) * class_loss(logits, labels)[0]
        return loss, len(logits)

    def layer_groups(self) -> list[list[nn.Module]]:
        """The student's layers from the bottom to the top."""
        return [[nn.ParameterList(group)] for group in layer_groups(self.student)]

    def taught(self, batch: Batch) -> Rows:
        """The teacher's probabilities at the temperature, of a batch's answers in order."""
        if self.teachers is None:  # the softmax of log p / T is the one that is meant
            return (of_batch(batch, SOFT).log() / self.temperature).softmax(-1)
        scores = []
        for teacher in self.teachers:
            device = next(teacher.parameters()).device
            with evaluating(teacher):
                logits, _ = _answers(teacher, to_device(batch, device))
            scores.append(logits.to(batch["input_ids"].device) / self.temperature)
        return mean(scores)


def soft_examples(
    student: Head,
    texts: Iterable,
    soft: Predictions | np.ndarray | Tensor,
    max_length: int | None = None,
) -> list[Example]:
    """Texts without labels as examples of ``student``, each with the probabilities of its classes.

    soft: what a teacher of any kind predicts for the texts, or an array (texts, classes), such as a
    `minibert.transfer.LabelModel` gives. The examples have ``soft_labels``, float32. Raises
    ValueError for other labels than the student's, and for rows that are no distributions.
    """
    texts, found = listed(texts), soft
    if isinstance(soft, Predictions):
        if list(soft.names or ()) != list(student.columns):
            raise ValueError(_differ(student.columns, soft.names))
        found = soft.probabilities
        if not torch.is_tensor(found):
            raise ValueError("expected predictions with one row of probabilities for each text")
    rows = torch.as_tensor(found).detach().cpu().float()
    wanted = len(texts), len(student.columns)
    if rows.shape != wanted:
        raise ValueError(f"expected probabilities of shape {wanted}, got {tuple(rows.shape)}")
    fits = (rows >= 0).all(1) & ((rows.sum(1) - 1).abs() < 1e-3)
    if not fits.all():
        at = int(fits.int().argmin())
        raise ValueError(
            f"expected probabilities that add up to 1, row {at} has {rows[at].tolist()}"
        )
    examples = student.examples(texts, None, max_length)
    pairs = zip(examples, rows.numpy(), strict=True)
    return [{**example, SOFT: row} for example, row in pairs]


def _listed(teacher):
    if isinstance(teacher, Ensemble):
        return list(teacher.classifiers)
    teachers = list(teacher) if isinstance(teacher, list | tuple) else [teacher]
    if not teachers:
        raise ValueError("expected at least one teacher, got an empty list")
    return teachers


def _check_kind(head):
    """Refuse what has no classes to choose from."""
    classes = isinstance(head, CausalLM | MaskedLM)
    classes = classes or getattr(getattr(head, "outcome", None), "problem", None) == CLASSES
    several = isinstance(getattr(head, "per_token", False), tuple) or isinstance(head, Parser)
    if not isinstance(head, Head) or not classes or several or isinstance(head, NextSentence):
        name = type(head).__name__
        raise ValueError(f"expected heads that choose one of several classes, got a {name}")


def _check_alike(student, teacher):
    """Refuse a teacher with other labels, or whose model would read the batch as another text."""
    ours, theirs = (getattr(one, "outcome", None) for one in (student, teacher))
    if ours and theirs and ours.given != theirs.given:
        raise ValueError(_differ(ours.given, theirs.given))
    ours, theirs = (_tokens(one) for one in (student, teacher))
    if ours and theirs and ours != theirs:
        raise ValueError(
            "expected a teacher with the student's tokenizer, since both read the same ids: "
            "soft_examples(student, texts, teacher.predict(texts)) serves any other"
        )


def _tokens(head):
    base = base_of(head)
    words = getattr(base, "tokenizer", None) or getattr(base, "vocab", None)
    return words and words.tokens


def _differ(ours, theirs):
    return f"expected a teacher with the student's labels {ours!r:.60}, got {theirs!r:.60}"


def _answers(head: Any, batch: Batch) -> tuple[Rows, Int[Tensor, " n"] | None]:
    """The logits of a head where it is to answer, and the labels there, if the batch has some."""
    labels: Any = batch.get("labels")
    wanted: Where | None = None
    if isinstance(head, CausalLM):
        if "targets" in batch:
            told = "head.batches(head.examples(texts)), got one of a stream, with targets"
            raise ValueError(f"expected a batch of texts, such as those of {told}")
        wanted, labels = next_tokens(batch)
    elif head.per_token:
        wanted = labelled(batch)
        labels = labels[wanted]
    logits = head.output_of(batch)
    return logits if wanted is None else logits[wanted], labels
