"""Chapter 01: the loss and its noise."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, NOT_A_TENSOR, kept


class Loss(Exercise):
    id = "01.sgns_loss"
    title = "The negative-sampling loss"
    minutes, difficulty, importance, points = 10, 3, 5, 3
    hints = (
        "Score first: one product per pair, `(batch,)`, and `k` products per pair, `(batch, k)`. "
        "`centre[:, None]` has the shape `(batch, 1, dim)`.",
        "The true pair should score high, the noise low: mind the sign inside the sigmoid.",
        "`F.logsigmoid` is exact where `log(sigmoid(x))` would round to -inf.",
    )
    example = (torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1, 3, 2))

    def as_functions(self, loss: Any) -> tuple:
        return (partial(self.seen, loss),)

    @staticmethod
    def seen(loss: Any, *arguments: Tensor) -> dict:
        """The loss, whether an argument was changed, and the gradients of the arguments."""
        leaves = [x.clone().requires_grad_() for x in arguments]
        value, changed = kept(loss, *(x * 1 for x in leaves))
        gradients: list = []
        if torch.is_tensor(value) and value.requires_grad and value.dim() == 0:
            gradients = [*torch.autograd.grad(value, leaves, allow_unused=True)]
        return {"loss": value, "changed": changed, "gradients": gradients}

    def untouched(self, seen: Any) -> bool:
        return super().untouched(lambda *arguments: seen(*arguments)["loss"])

    def check(self, seen: Any) -> Right | Wrong:
        generator = torch.Generator().manual_seed(1)
        for k in (4, 1):
            centre, context = torch.randn(2, 3, 6, generator=generator)
            told = self.judge(seen, centre, context, torch.randn(3, k, 6, generator=generator))
            if isinstance(told, Wrong):
                return told
        far = seen(torch.full((1, 2), 20.0), torch.full((1, 2), -20.0), torch.zeros(1, 1, 2))
        value = torch.as_tensor(far["loss"])
        if torch.isfinite(value) and not same(value, 800 + math.log(2)):
            return Wrong(
                "right, but too small for a very bad score: a small number added to a probability, "
                "or a clip, hides the loss and its gradient there. Use logsigmoid.", 2
            )  # fmt: skip
        if not torch.isfinite(value):
            return Wrong(
                "right, but infinite for a very bad score: use logsigmoid, which does not round "
                "the probability to zero before the logarithm is taken.", 2
            )  # fmt: skip
        return Right("With all vectors zero it is (k + 1) log 2, about 0.69 a term: pure guessing.")

    def judge(self, seen: Any, *arguments: Tensor) -> Right | Wrong:
        found = seen(*arguments)
        if found["changed"]:
            return Wrong(CHANGED, 1)
        leaves = [x.clone().requires_grad_() for x in arguments]
        want, mistakes = self.values(*leaves)
        verdict = compare(found["loss"], want, mistakes, what="the loss")
        if not isinstance(verdict, Right):
            return verdict
        if all(gradient is None for gradient in found["gradients"]):
            return Wrong(
                "the value is right, but no gradient can flow back from it: keep it a tensor, "
                "without `.item()` and `.detach()`.", 1
            )  # fmt: skip
        rows = zip(("centre", "context", "negatives"), found["gradients"],
                   torch.autograd.grad(want, leaves), strict=True)  # fmt: skip
        for name, gradient, right in rows:
            if gradient is None or not same(gradient, right):
                return Wrong(
                    f"the value is right, but the gradient of `{name}` is not: is a part detached, "
                    "or made into a number, on the way?", 1
                )  # fmt: skip
        return verdict

    @staticmethod
    def values(centre: Tensor, context: Tensor, negatives: Tensor) -> tuple[Tensor, list]:
        """The right loss, and what known mistakes give."""
        log = F.logsigmoid
        positive = (centre * context).sum(1)  # (batch,)
        negative = torch.einsum("bkd,bd->bk", negatives, centre)
        true, noise = -log(positive), -log(-negative).sum(1)
        want = (true + noise).mean()
        from_context = -log(-torch.einsum("bkd,bd->bk", negatives, context)).sum(1)
        return want, [
            ((true + noise).sum(), "summed over the batch: take the mean over its pairs.", 2),
            (true + noise, "one loss for each pair: take the mean of them.", 2),
            ((true - log(negative).sum(1)).mean(),
             "the noise words are pulled closer, not pushed away: sigmoid(-score) for them.", 1),
            ((true - log(-negative).mean(1)).mean(),
             "the noise terms are averaged: the paper sums over the k of them.", 2),
            (true.mean(), "the noise words are missing.", 1),
            (noise.mean(), "the true pair is missing.", 1),
            (torch.cat([positive[:, None], negative], 1).logsumexp(1).sub(positive).mean(),
             "a softmax over the pair and its noise: each score has a sigmoid of its own.", 1),
            (2 * want, "twice the expected value: is a term counted two times?", 2),
            (want / (negatives.shape[1] + 1), "divided by k + 1: the paper sums the terms.", 2),
            ((-positive.sigmoid() - (-negative).sigmoid().sum(1)).mean(),
             "these are probabilities: the loss adds up their logarithms.", 1),
            (want / math.log(2), "this is in bits: take the natural logarithm.", 2),
            ((true + from_context).mean(),
             "the noise is scored against the context word: score it against the centre.", 1),
            ((-positive + negative.sum(1)).mean(), "where is the sigmoid?", 1),
            (-log(positive.sum()) - log(-negative.sum()),
             "the scores are added up before the sigmoid: each has a term of its own.", 1),
        ]  # fmt: skip


class Noise(Exercise):
    id = "01.noise"
    title = "The noise distribution"
    minutes, difficulty, importance, points = 4, 1, 3, 1
    hints = ("Raise every count to the power.", "Then divide by the sum of the results.")
    example = (torch.tensor([8, 1, 1]), 0.75)

    def as_functions(self, noise: Any) -> tuple:
        return (partial(kept, noise),)

    def untouched(self, seen: Any) -> bool:
        return super().untouched(lambda *arguments: seen(*arguments)[0])

    def check(self, seen: Any) -> Right | Wrong:
        some, others = torch.tensor([81, 16, 1, 1, 256]), torch.tensor([625.0, 16.0, 1.0])
        never = torch.tensor([0, 0, 81, 16, 1])
        for counts, powers in ((some, (0.75, 0.5, 0.0)), (others, (0.75, 0.0)), (never, (0.75,))):
            for power in powers:
                got, changed = seen(counts, power)
                if changed:
                    return Wrong(CHANGED)
                if isinstance(got, list):
                    return Wrong(NOT_A_TENSOR)
                verdict = self.judge(got, counts, power)
                if isinstance(verdict, Wrong):
                    return verdict
        if not same(seen(some)[0], seen(some, 0.75)[0]):
            return Wrong("without an argument `power`, it is 3/4: keep the default.")
        return Right(
            "The 3/4 lifts rare words: a word seen once is drawn more often than by count."
        )

    @staticmethod
    def judge(got: Any, counts: Tensor, power: float) -> Right | Wrong:
        weights, share = counts.float() ** power, counts / counts.sum()
        lifted, least = share**0.75, counts.clamp(min=1).float() ** power
        mistakes = [
            (weights, "these are weights: divide by their sum, so that they add up to 1."),
            (share, "this is the plain unigram distribution: where is the power?"),
            (share**power, "these do not add up to 1: normalise after taking the power."),
            (torch.softmax(weights, 0), "no softmax here: divide by the sum."),
            (torch.softmax(counts.float(), 0), "no softmax here: divide by the sum."),
            (weights / counts.sum(), "divide by the sum of the powers, not of the counts."),
            (weights / weights.max(), "divided by the largest: divide by the sum."),
            (lifted / lifted.sum(), "always the power of 3/4: use the argument `power`."),
            (least / least.sum(), "a word with a count of 0 is never drawn: leave its count 0."),
            (weights.flip(0) / weights.sum(), "the order of the words has changed."),
            (weights.sort(descending=True).values / weights.sum(), "the order of the words has "
             "changed."),
            ((1 / weights) / (1 / weights).sum(), "rare words get the most: the power is above 0."),
        ]  # fmt: skip
        return compare(got, weights / weights.sum(), mistakes, what="the distribution")


class Subsample(Exercise):
    id = "01.subsample"
    title = "Thinning out the frequent words"
    minutes, difficulty, importance, points = 4, 2, 3, 1
    hints = (
        "A word is *discarded* with probability `1 - sqrt(t / f)`. What is the probability of "
        "keeping it?",
        "A probability is at most 1: what is `sqrt(t / f)` for a rare word?",
    )
    example = (torch.tensor([0.1, 0.001]), 1e-3)

    def as_functions(self, keep: Any) -> tuple:
        return (partial(kept, keep),)

    def untouched(self, seen: Any) -> bool:
        return super().untouched(lambda *arguments: seen(*arguments)[0])

    def check(self, seen: Any) -> Right | Wrong:
        for values, t in (([0.05, 0.01, 0.004, 0.0001], 1e-3), ([0.3, 0.002, 0.02], 1e-2)):
            share = torch.tensor(values)
            got, changed = seen(share, t)
            if changed:
                return Wrong(CHANGED)
            if isinstance(got, list):
                return Wrong(NOT_A_TENSOR)
            verdict = self.judge(got, share, t)
            if isinstance(verdict, Wrong):
                return verdict
        if not same(seen(share)[0], seen(share, 1e-3)[0]):
            return Wrong("without an argument `t`, it is 0.001: keep the default.")
        return Right("The most frequent word loses most; words rarer than t lose nothing.")

    @staticmethod
    def judge(got: Any, share: Tensor, t: float) -> Right | Wrong:
        root, program = (t / share).sqrt(), ((share / t).sqrt() + 1) * t / share
        discard = "this is the probability of discarding: we want to keep."
        mistakes = [
            (1 - root.clamp(max=1), discard),
            (1 - root, "this is the probability of discarding, and below 0 for the rare word: we "
             "want to keep, with at most 1."),
            (root, "more than 1 for the rare word: a probability is clipped at 1."),
            ((t / share).clamp(max=1), "the square root is missing."),
            (t / share, "the square root is missing, and a probability is at most 1."),
            ((1 / root).clamp(max=1), "the fraction is upside down: t / f."),
            (1 / root, "the fraction is upside down: t / f."),
            ((1e-3 / share).sqrt().clamp(max=1), "always t = 0.001: use the argument `t`."),
            ((share <= t).float(), "all or nothing: a word above t is kept with some probability."),
            (program, "this is the formula of the C program, not of the paper (and not clipped)."),
            (program.clamp(max=1), "this is the formula of the C program, sqrt(t/f) + t/f: a good "
             "one; the paper's is sqrt(t/f)."),
        ]  # fmt: skip
        return compare(got, root.clamp(max=1), mistakes, what="the probability")
