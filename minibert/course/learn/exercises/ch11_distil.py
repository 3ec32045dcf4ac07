"""The second build of chapter 11: several teachers, one student."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import normal
from minibert.course.learn.exercises.ch11_tried import (
    COMMON,
    TOLERANCE,
    Batch,
    alike,
    ill_formed,
    linear,
    plain,
    trained,
)

SIZES, CLASSES, WIDTH = (4, 3, 6, 2, 5), 5, 4
CASES = ((0, 0.05, 3.0, 0.3), (1, 0.1, 2.0, 0.75), (2, 0.02, 1.5, 0.5))


class Distil(Exercise):
    id = "11.distil"
    title = "Build: the distillation loop"
    minutes, difficulty, importance, points = 25, 4, 5, 6
    hints = (
        "The teachers come first, under `torch.no_grad()`: for each the softmax of its logits "
        "divided by T; then the mean over the teachers.",
        "The student's side needs logarithms: `log_q = (student(x) / T).log_softmax(-1)`. Then "
        "`(p * (p.log() - log_q)).sum(-1).mean()`, times T squared.",
        "The gold part is an ordinary cross-entropy, without temperature; where `y` is None, the "
        "soft part is all there is.",
    )

    def as_functions(self, distil: Callable[..., Any]) -> tuple:
        return (partial(self.tried, distil),)

    @classmethod
    def tried(cls, distil: Callable[..., Any], seed: int, *settings: float) -> tuple:
        """(the list, matrix, bias, whether the teachers and the batches stayed as they were)."""
        student, teachers, batches = cls.problem(seed)
        weights, given = list(student.parameters()), list(batches)
        noted = distil(student, weights, list(teachers), given, *settings)
        before = cls.problem(seed)
        kept = all(
            p.grad is None and torch.equal(p, q)
            for a, b in zip(teachers, before[1], strict=True)
            for p, q in zip(a.parameters(), b.parameters(), strict=True)
        )
        kept = kept and len(given) == len(batches)
        kept = kept and all(torch.equal(a[0], b[0]) for a, b in zip(given, before[2], strict=True))
        return plain(noted), *(p.detach().clone() for p in student.parameters()), kept

    def untouched(self, tried: Callable[..., Any]) -> bool:
        noted, *weights, _ = tried(*CASES[0])
        same_weights = all(map(torch.equal, weights, self.problem(0)[0].parameters()))
        return same_weights and (noted is None or noted is Ellipsis or noted == [])

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        for case in CASES:
            noted, matrix, bias, kept = tried(*case)
            if wrong := ill_formed(noted, len(SIZES), "the loss"):
                return wrong
            if not kept:
                return Wrong("the teachers learn, too, or get gradients (or the batches are "
                             "changed): ask them under `torch.no_grad()`.", 3)  # fmt: skip
            want = self.variant(*case)
            if alike((noted, matrix, bias), want):
                continue
            for message, how in self.mistakes().items():
                if alike((noted, matrix, bias), self.variant(*case, **how)):
                    return Wrong(message, 2)
            if same(matrix, want[1], TOLERANCE) and same(bias, want[2], TOLERANCE):
                return self.told(case, noted)
            return self.differing(case, noted)
        return Right("The teachers' doubts reach the student, too; T only makes them audible.")

    @classmethod
    def told(cls, case: tuple, noted: Any) -> Wrong:
        """The weights are right, and the list is not."""
        if same(noted, cls.variant(*case, entropy=True)[0], TOLERANCE):
            return Wrong("this is the cross-entropy with the teachers' p: it teaches the same, "
                         "but is not 0 where both agree. Take `p * p.log()` into the sum.",
                         4)  # fmt: skip
        if same(noted, cls.variant(*case, each=True)[0], TOLERANCE):
            return Wrong("this is the mean of the KLs to each teacher: it teaches the same, but "
                         "p is the mean of the teachers' probabilities. Average them first.",
                         4)  # fmt: skip
        if same(noted, cls.variant(*case, note="soft")[0], TOLERANCE):
            return Wrong("the list holds the soft part alone: the whole loss of each update.", 4)
        return Wrong("the weights are right, but the list is not: the whole loss of each batch, "
                     "before its update, by `.item()`.", 4)  # fmt: skip

    @classmethod
    def differing(cls, case: tuple, noted: Any) -> Wrong:
        """The weights differ, by no mistake that has a name of its own."""
        first = noted[0] if isinstance(noted, list | tuple) and noted else None
        if same(first, cls.variant(*case)[0][0], TOLERANCE):
            return Wrong("the first loss is right, but the weights then go another way: is it "
                         "that whole loss on which `backward()` is called?", 2)  # fmt: skip
        return Wrong("the losses are not those of the formula: try one batch by hand, first with "
                     "gold = 1, then with gold = 0.", 1)  # fmt: skip

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> how the loop goes wrong."""
        return {
            "the factor T² is missing: without it a high temperature mutes the soft part.":
                {"factor": lambda t: 1.0},
            "the factor is T, not its square.": {"factor": lambda t: t},
            "the factor T² belongs to the soft part alone.": {"all": True},
            "the KL is the wrong way round: it is weighed by the teachers' p.": {"turned": True},
            "the student's logits are not divided by T.": {"student": False},
            "the teachers' logits are not divided by T.": {"teacher": False},
            "no temperature at all: divide both logits by T.":
                {"student": False, "teacher": False},
            "the gold labels are learned at temperature T, too: without it.": {"hard": True},
            "gold and soft are swapped: `gold` is the share of the labels.": {"swapped": True},
            "the gold labels are never used.": {"gold": "never"},
            "the gold part is added whole: gold * hard + (1 - gold) * soft.": {"gold": "added"},
            "where there are no labels, the soft part counts whole, without (1 - gold).":
                {"none": "share"},
            "batches without labels are left out: the teachers know something of them.":
                {"none": "skip"},
            "only the first teacher is asked.": {"teachers": slice(1)},
            "only the last teacher is asked.": {"teachers": slice(-1, None)},
            "the logits of the teachers are averaged: average their probabilities.":
                {"mean": "logits"},
            "the probabilities of the teachers are added up, not averaged.": {"mean": "sum"},
            "the teachers' likeliest class is taken for certain: keep their doubts, all of p.":
                {"mean": "hard"},
            "the soft part is a mean over texts and classes: sum over the classes, and take the "
            "mean over the texts.": {"over": "all"},
            "the soft part is a sum over the texts: take their mean.": {"over": "sum"},
            "squared differences of the probabilities: the formula has a KL.": {"square": True},
            **COMMON,
        }  # fmt: skip

    @classmethod
    def variant(
        cls, seed: int, rate: float, temperature: float, gold: float, /, **how: Any
    ) -> tuple:
        """(losses, matrix, bias) after the loop, or after one with a mistake."""
        student, teachers, batches = cls.problem(seed)

        def loss(x: Tensor, y: Tensor | None) -> tuple[Tensor, float]:
            soft = cls.soft(student, teachers, x, temperature, how=how)
            if y is None:
                whole = soft * ((1 - gold) if how.get("none") == "share" else 1.0)
            else:
                logits = student(x) / (temperature if how.get("hard") else 1.0)
                hard = F.cross_entropy(logits, y)
                hard = hard * (temperature**2 if how.get("all") else 1.0)
                share = 1 - gold if how.get("swapped") else gold
                share = 0.0 if how.get("gold") == "never" else share
                rest = 1.0 if how.get("gold") == "added" else 1 - share
                whole = share * hard + rest * soft
            return whole, (soft if how.get("note") == "soft" else whole).item()

        skip = how.get("none") == "skip"
        used = [pair for pair in batches if not (skip and pair[1] is None)]
        return trained(student, [partial(loss, *pair) for pair in used], rate, how)

    @staticmethod
    def soft(
        student: nn.Linear, teachers: list, x: Tensor, t: float, *, how: dict[str, Any]
    ) -> Tensor:
        """The soft part of the loss."""
        with torch.no_grad():
            logits = torch.stack([one(x) for one in teachers[how.get("teachers", slice(None))]])
            shares = (logits / (t if how.get("teacher", True) else 1.0)).softmax(-1)
            p = shares.sum(0) if how.get("mean") == "sum" else shares.mean(0)
            if how.get("mean") == "logits":
                p = (logits.mean(0) / t).softmax(-1)
            if how.get("mean") == "hard":
                p = F.one_hot(p.argmax(-1), p.shape[-1]).float()
        log_q = (student(x) / (t if how.get("student", True) else 1.0)).log_softmax(-1)
        terms = torch.xlogy(p, p) - p * log_q
        if how.get("turned"):
            terms = log_q.exp() * (log_q - p.log())
        if how.get("square"):
            terms = (p - log_q.exp()).square()
        if how.get("entropy"):
            terms = -p * log_q
        if how.get("each"):
            terms = (torch.xlogy(shares, shares) - shares * log_q).mean(0)
        over = {"all": terms.mean(), "sum": terms.sum()}
        value = over.get(how.get("over", ""), terms.sum(-1).mean())
        return how.get("factor", lambda t: t * t)(t) * value

    @staticmethod
    def problem(seed: int) -> tuple[nn.Linear, list[nn.Linear], list[Batch]]:
        """A student, three teachers, and five batches of unequal sizes, two without labels."""
        student = linear(CLASSES, WIDTH, 1_000 * seed + 1)
        teachers = [linear(CLASSES, WIDTH, 1_000 * seed + 100 * k, 1.5) for k in (1, 2, 3)]
        batches = list[Batch]()
        for number, size in enumerate(SIZES):
            draw = torch.Generator().manual_seed(1_000 * seed + number)
            y = torch.randint(0, CLASSES, (size,), generator=draw) if number not in (1, 4) else None
            batches.append((normal(size, WIDTH, seed=1_000 * seed + 10 + number), y))
        return student, teachers, batches
