"""The first build of chapter 11: learning from labels and from texts without any."""

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

SIZES, FREE, CLASSES, WIDTH = (4, 3, 5, 2), (6, 5, 4, 7), 3, 4
CASES = ((0, 0.05, 1.0, 0.6), (1, 0.1, 0.5, 0.45), (2, 0.02, 2.0, 0.7))
MASK = (1.0, 0.0, 1.0, 1.0)  # what the change keeps of a "text"


class Consistent(Exercise):
    id = "11.consistency"
    title = "Build: training for consistency"
    minutes, difficulty, importance, points = 25, 4, 5, 6
    hints = (
        "Make the optimiser once. Then `for (x, y), free in zip(labelled, unlabelled)`: the "
        "labelled loss is an ordinary cross-entropy.",
        "The target `p` is what the model says of the *unchanged* text, under `torch.no_grad()`. "
        "`sure = p.amax(-1) > confidence` is true or false for each text.",
        "`log_q = predict(change(free)).log_softmax(-1)`; the KL of a text is "
        "`(p * (p.log() - log_q)).sum(-1)`. Multiply it by `sure`, and take the mean over *all* "
        "texts of the batch.",
    )

    def as_functions(self, consistent: Callable[..., Any]) -> tuple:
        return (partial(self.tried, consistent),)

    @classmethod
    def tried(cls, consistent: Callable[..., Any], seed: int, *settings: float) -> tuple:
        """(the list, matrix, bias, how often each batch was changed: once each is right)."""
        model, labelled, free = cls.problem(seed)
        calls = list[int]()

        def change(x: Tensor) -> Tensor:
            calls.append(next((i for i, one in enumerate(free) if one is x or same(one, x)), -1))
            return x * torch.tensor(MASK)

        given = list(labelled), list(free)
        noted = consistent(model, list(model.parameters()), *given, change, *settings)
        return plain(noted), *(p.detach().clone() for p in model.parameters()), calls

    def untouched(self, tried: Callable[..., Any]) -> bool:
        noted, *weights, _ = tried(*CASES[0])
        same_weights = all(map(torch.equal, weights, self.problem(0)[0].parameters()))
        return same_weights and (noted is None or noted is Ellipsis or noted == [])

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        for case in CASES:
            noted, matrix, bias, calls = tried(*case)
            if wrong := ill_formed(noted, len(SIZES), "both losses"):
                return wrong
            want = self.variant(*case)
            if alike((noted, matrix, bias), want):
                if calls != [0, 1, 2, 3]:
                    return Wrong("the numbers are right, but `change` is not called just once for "
                                 "each unlabelled batch: it may draw.", 4)  # fmt: skip
                continue
            for message, how in self.mistakes().items():
                if alike((noted, matrix, bias), self.variant(*case, **how)):
                    return Wrong(message, 2)
            if same(matrix, want[1], TOLERANCE) and same(bias, want[2], TOLERANCE):
                return self.told(case, noted)
            return Wrong("the losses are not those of the formula: look at one batch, first with "
                         "weight = 0 (labels alone), then with confidence = 0.", 1)  # fmt: skip
        return Right("One model, twice: its own answer to the plain text teaches the changed one.")

    @classmethod
    def told(cls, case: tuple, noted: Any) -> Wrong:
        """The weights are right, and the list is not."""
        for note, message in {
            "turned": "the pairs are turned round: (labelled loss, consistency loss).",
            "weighed": "the second of each pair is multiplied by `weight`: note it without.",
            "sum": "the list holds sums: the pair (labelled loss, consistency loss) of each batch.",
            "own": "the list holds the labelled losses alone: a pair for each batch.",
        }.items():
            if same(noted, cls.variant(*case, note=note)[0], TOLERANCE):
                return Wrong(message, 4)
        return Wrong("the weights are right, but the list is not: a pair (labelled loss, "
                     "consistency loss) of each batch, before its update, by `.item()`.",
                     4)  # fmt: skip

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> how the loop goes wrong."""
        return {
            "a gradient flows through the target `p`: it should only teach. Compute it under "
            "`torch.no_grad()`, or `.detach()` it.": {"through": True},
            "the KL is the wrong way round: KL(p || q) is weighed by p, the answer to the "
            "unchanged text.": {"turned": True},
            "the roles are swapped: the *changed* text learns from the answer to the unchanged "
            "one.": {"roles": True},
            "there is no confidence mask: a text counts only if the largest of p is above "
            "`confidence`.": {"mask": "none"},
            "the mask is turned round: texts count where the model is *sure*.": {"mask": "unsure"},
            "the mask asks the answer to the changed text: it is p that must be sure.":
                {"mask": "q"},
            "the mean is over the sure texts alone: over all texts of the batch, with 0 for the "
            "others, so that few sure texts teach little.": {"mask": "mean"},
            "the labelled texts are changed, too: only the unlabelled ones.": {"labelled": True},
            "p and q are answers to the same text: p is of `free`, q of `change(free)`.":
                {"change": False},
            "the consistency loss is a mean over texts and classes: sum over the classes, and "
            "take the mean over the texts.": {"over": "all"},
            "the consistency loss is a sum over the texts: take their mean.": {"over": "sum"},
            "`weight` is not used.": {"weight": 1.0},
            "the unlabelled texts teach nothing: add `weight` times the consistency loss, with a "
            "gradient that flows through q.": {"weight": 0.0},
            "`weight` belongs to the consistency loss, not to the labelled one.":
                {"weight": "own"},
            "the likeliest class is taken for certain: the target is all of p.": {"hard": True},
            "squared differences of the probabilities: the formula has a KL.": {"square": True},
            "this is the cross-entropy, which is not 0 where p and q agree: the KL takes p log p "
            "into the sum.": {"entropy": True},
            "the labelled loss is a sum over its texts: take their mean.": {"own": "sum"},
            **COMMON,
        }  # fmt: skip

    @classmethod
    def variant(cls, seed: int, rate: float, weight: float, sure: float, /, **how: Any) -> tuple:
        """(pairs of losses, matrix, bias) after the loop, or after one with a mistake."""
        model, labelled, free = cls.problem(seed)

        def loss(x: Tensor, y: Any, free: Tensor) -> tuple[Tensor, Any]:
            x = x * torch.tensor(MASK) if how.get("labelled") else x
            own = F.cross_entropy(model(x), y, reduction=how.get("own", "mean"))
            extra = cls.gap(model, free, sure, how)
            used = how.get("weight", weight)
            whole = weight * own + extra if used == "own" else own + used * extra
            a, b = own.item(), extra.item()
            notes = {"turned": (b, a), "weighed": (a, weight * b), "sum": whole.item(), "own": a}
            return whole, notes.get(how.get("note", ""), (a, b))

        pairs = zip(labelled, free, strict=True)
        losses = [partial(loss, x, y, one) for (x, y), one in pairs]
        return trained(model, losses, rate, how)

    @staticmethod
    def gap(model: nn.Linear, free: Tensor, sure: float, how: dict[str, Any]) -> Tensor:
        """The consistency loss of a batch."""
        changed = free * torch.tensor(MASK)
        plain, other = (changed, free) if how.get("roles") else (free, changed)
        other = other if how.get("change", True) else plain
        p, log_q = model(plain).softmax(-1), model(other).log_softmax(-1)
        p = p if how.get("through") else p.detach()
        counts = (log_q.exp() if how.get("mask") == "q" else p).amax(-1) > sure
        counts = {"none": counts | True, "unsure": ~counts}.get(how.get("mask", ""), counts)
        if how.get("hard"):
            p = F.one_hot(p.argmax(-1), p.shape[-1]).float()
        terms = torch.xlogy(p, p) - p * log_q
        if how.get("turned"):
            terms = log_q.exp() * (log_q - p.log())
        if how.get("square"):
            terms = (p - log_q.exp()).square()
        if how.get("entropy"):
            terms = -p * log_q
        gaps = terms.sum(-1) * counts
        if how.get("mask") == "mean":
            return gaps.sum() / counts.sum().clamp(min=1)
        over = {"all": gaps.mean() / p.shape[-1], "sum": gaps.sum()}
        return over.get(how.get("over", ""), gaps.mean())

    @staticmethod
    def problem(seed: int) -> tuple[nn.Linear, list[Batch], list[Tensor]]:
        """A model, four labelled batches and four without labels, of unequal sizes."""
        labelled = list[Batch]()
        for number, size in enumerate(SIZES):
            draw = torch.Generator().manual_seed(1_000 * seed + number)
            y = torch.randint(0, CLASSES, (size,), generator=draw)
            labelled.append((normal(size, WIDTH, seed=1_000 * seed + 10 + number), y))
        free = [normal(n, WIDTH, seed=1_000 * seed + 50 + k) for k, n in enumerate(FREE)]
        return linear(CLASSES, WIDTH, 1_000 * seed + 1, 0.7), labelled, free
