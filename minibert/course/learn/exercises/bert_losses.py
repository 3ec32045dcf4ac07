"""Chapter 05: what BERT is trained on: two losses."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, kept

DETACHED = (
    "the value is right, but no gradient can flow back from it: keep it a tensor, without "
    "`.item()`, `.detach()` and `torch.no_grad()`."
)


def floating(x: Any) -> bool:
    """True for a tensor that can have a gradient."""
    return torch.is_tensor(x) and x.is_floating_point()


class Trained(Exercise):
    """A loss that is judged by its value, its gradient, and by what it leaves unchanged."""

    def as_functions(self, loss: Any) -> tuple:
        return (partial(self.seen, loss),)

    @staticmethod
    def seen(loss: Any, *arguments: Tensor) -> dict:
        """The loss, whether an argument was changed, and whether each input gets a gradient.

        ``finite``: whether all gradients are numbers.
        """
        free = [x.clone().requires_grad_() if floating(x) else x for x in arguments]
        value, changed = kept(loss, *free)
        flows = torch.is_tensor(value) and value.requires_grad and value.dim() == 0
        if flows:
            value.backward()
        tables = [x for x in free if floating(x)]
        got = [x.grad is not None and bool(x.grad.any()) for x in tables]
        finite = all(x.grad is None or bool(x.grad.isfinite().all()) for x in tables)
        return {"loss": value, "changed": changed, "gradients": got, "finite": finite}


class MaskedLoss(Trained):
    id = "05.mlm_loss"
    title = "A loss at some positions"
    minutes, difficulty, importance, points = 10, 2, 5, 3
    hints = (
        "`wanted = labels != -100` is a boolean tensor (batch, length).",
        "`hidden[wanted]` has the shape (n, dim): only these rows are multiplied by the table.",
        "`F.cross_entropy(logits, labels[wanted])` is the mean over the n positions.",
    )

    def case(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(2)
        hidden = torch.randn(3, 7, 6, generator=generator)
        table, bias = torch.randn(11, 6, generator=generator), torch.randn(11, generator=generator)
        labels = torch.full((3, 7), -100)
        labels[0, 2], labels[0, 5], labels[2, 1], labels[2, 6] = 4, 0, 9, 4
        labels[0, 3] = 7
        return hidden, table, bias, labels

    def untouched(self, seen: Any) -> bool:
        value = seen(*self.case())["loss"]
        number = torch.is_tensor(value) or isinstance(value, float)
        return value is None or value is Ellipsis or (number and same(value, 0.0))

    def check(self, seen: Any) -> Right | Wrong:
        found, case = seen(*self.case()), self.case()
        if found["changed"]:
            return Wrong(CHANGED, 1)
        if isinstance(found["loss"], tuple | list):
            return Wrong("expected the mean loss alone, a tensor, without a count beside it.", 2)
        want, mistakes = self.values(*case)
        told = compare(found["loss"], want, mistakes, what="the loss")
        if not isinstance(told, Right):
            return told
        if not all(found["gradients"]):
            return Wrong(DETACHED, 1)
        fewer = (*case[:3], case[3].clone())
        fewer[3][0, 2] = -100
        if not same(seen(*fewer)["loss"], self.values(*fewer)[0]):
            return Wrong("right for five positions, but not for four: is a number fixed?", 2)
        return Right("Six of seven rows of the largest product of the model need not be computed.")

    @staticmethod
    def values(hidden: Tensor, table: Tensor, bias: Tensor, labels: Tensor) -> tuple[Tensor, list]:
        """The right loss, and what known mistakes give."""
        wanted = labels != -100
        logits = hidden @ table.T + bias
        each = F.cross_entropy(logits[wanted], labels[wanted], reduction="none")
        as_zero = F.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten())
        true = logits[wanted].gather(1, labels[wanted][:, None])  # (n, 1)
        true_share = logits[wanted].softmax(-1).gather(1, labels[wanted][:, None])
        rows = [each[wanted.nonzero()[:, 0] == row].mean() for row in range(3) if wanted[row].any()]
        return each.mean(), [
            (-each.mean(), "the wrong sign: the loss is *minus* the log-probability.", 2),
            (each.sum(), "the sum over the masked positions: divide by how many there are.", 2),
            (each.sum() / labels.numel(), "divided by all positions: only the masked ones count.",
             2),
            (each.sum() / len(labels), "divided by the number of sequences: divide by the number "
             "of masked positions.", 2),
            (torch.stack(rows).mean(), "a mean for each text, then their mean: all masked "
             "positions count alike.", 2),
            (each, "a loss for each position: take their mean.", 2),
            (-true.mean(), "minus the mean logit: `F.nll_loss` wants log-probabilities; use "
             "`F.cross_entropy`.", 1),
            (-true_share.mean(), "minus the mean probability: its logarithm is missing.", 1),
            (each.mean().exp(), "that is the perplexity: leave out the `exp`.", 2),
            (as_zero, "the positions without a label count as word 0: leave them out.", 1),
            (F.cross_entropy(logits[labels > 0], labels[labels > 0]),
             "word 0 is left out: `labels > 0` drops a word that may well be masked.", 2),
            (F.cross_entropy((logits - bias)[wanted], labels[wanted]), "the bias is missing.", 2),
            (F.cross_entropy(logits[wanted].softmax(-1), labels[wanted]),
             "`F.cross_entropy` wants logits, and takes the softmax itself.", 2),
            (each.mean() / math.log(2), "that is in bits: use the natural logarithm.", 2),
        ]  # fmt: skip


class FindTheBug(Trained):
    id = "05.find_the_bug"
    title = "Find the bug: the mask that does nothing"
    minutes, difficulty, importance, points = 15, 3, 5, 3
    hints = (
        "Change a label where the weight is 0: the loss should not move.",
        "What is the shape of what `nn.CrossEntropyLoss()` returns? And of the weights?",
        "A mean that is multiplied by the weights and divided by their sum is the same mean. Take "
        "`reduction='none'`, weigh each position, and only then add up.",
    )

    @staticmethod
    def case() -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(3)
        words = torch.randn(2, 4, 9, generator=generator)
        labels = torch.tensor([[3, 5, 0, 0], [7, 1, 2, 0]])
        weights = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
        pairs, follows = torch.randn(2, 2, generator=generator), torch.tensor([1, 0])
        return words, labels, weights, pairs, follows

    @staticmethod
    def losses(case: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        words, labels, weights, pairs, follows = case  # words: (batch, length, vocabulary)
        each = F.cross_entropy(words.flatten(0, 1), labels.flatten(), reduction="none")
        return each, weights.flatten(), F.cross_entropy(pairs, follows)

    def untouched(self, seen: Any) -> bool:
        value = seen(*self.case())["loss"]
        return value is None or value is Ellipsis or self.buggy(seen)

    def buggy(self, seen: Any) -> bool:
        """Whether it still gives what the broken code gives, for two ways to pad."""
        for padding in (0, 6):
            words, labels, *rest = self.case()
            labels[rest[0] == 0] = padding
            each, _, pair = self.losses((words, labels, *rest))
            if not same(seen(words, labels, *rest)["loss"], each.mean() + pair):
                return False
        return True

    def check(self, seen: Any) -> Right | Wrong:
        each, weights, pair = self.losses(self.case())
        words = (each * weights).sum() / weights.sum()
        found = seen(*self.case())
        if found["changed"]:
            return Wrong(CHANGED, 1)
        mistakes = self.mistakes(self.case(), words)
        told = compare(found["loss"], words + pair, mistakes, what="the loss")
        if not isinstance(told, Right):
            return told
        gradients = found["gradients"]  # of words, weights and pairs
        if not (gradients[0] and gradients[2]):
            return Wrong(DETACHED, 1)
        labels = (case := self.case())[1]
        labels[0, 0] = 0  # word 0, masked for real
        each, weights, pair = self.losses(case)
        if not same(seen(*case)["loss"], (each * weights).sum() / weights.sum() + pair):
            return Wrong("right here, but not where word 0 is masked for real: use the weights.", 2)
        return Right(
            "The positions without a word no longer count. Before, a model that learned to answer "
            "[PAD] where nothing was asked looked better from batch to batch."
        )

    def mistakes(self, case: tuple[Tensor, ...], words: Tensor) -> list:
        """What known mistakes give; ``words``: the right loss of the masked words."""
        each, weights, pair = self.losses(case)
        logits, labels, _, pairs, follows = case
        words_only = F.cross_entropy(logits.mT, labels, ignore_index=0)
        rows = (each * weights).view(2, 4).sum(1) / weights.view(2, 4).sum(1)
        pair_1 = F.cross_entropy(pairs, follows, ignore_index=0)
        pair_sum = F.cross_entropy(pairs, follows, reduction="sum")
        return [
            (each.mean() + pair, "the padded positions still count: changing their label is not "
             "enough, they have to be left out of the sum.", 1),
            (each.sum() / weights.sum() + pair, "the sum runs over all positions: multiply each "
             "loss by its weight first.", 1),
            (F.cross_entropy((logits * self.case()[2][..., None]).flatten(0, 1), labels.flatten())
             + pair, "the weights are multiplied with the scores: they belong to the losses.", 1),
            (words + F.cross_entropy(pairs, follows, reduction="none"), "a loss for each pair is "
             "left: only the masked words need `reduction='none'`.", 2),
            (each * weights + pair, "a loss for each position is left: add them up, and divide by "
             "the sum of the weights.", 1),
            (words * pair, "the loss is the sum of both, not their product.", 1),
            (words, "the loss of the next sentence is missing.", 1),
            (pair, "the loss of the masked words is missing.", 1),
            ((each * weights).mean() + pair,
             "nearly: divide by the sum of the weights, not by the number of positions.", 2),
            ((each * weights).sum() / 2 + pair,
             "divided by the number of texts: divide by the sum of the weights.", 2),
            (rows.mean() + pair,
             "a mean for each text, then their mean: all real positions count alike.", 2),
            (words_only + pair_1, "`ignore_index=0` for both losses: it drops word 0 wherever it "
             "stands, and next sentences with the label 0, too. The weights say what is padding.",
             1),
            ((each * weights).sum() + pair, "divide the sum by the sum of the weights.", 2),
            ((words + pair) / 2, "the loss is the sum of both means, not their mean.", 2),
            (words + pair_sum, "the loss of the next sentences should be a mean, not a sum.", 2),
            ((each * (1 - weights)).sum() / (1 - weights).sum() + pair,
             "turned round: weight 1 is a real word, and 0 is padding.", 1),
        ]  # fmt: skip
