"""Chapter 01: the loss, its noise, and the training loop."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, mistaken, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, kept


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
        """The loss, whether an argument was changed, and the gradient at the centre."""
        centre = arguments[0].clone().requires_grad_()
        value, changed = kept(loss, centre, *arguments[1:])
        gradient = None
        if torch.is_tensor(value) and value.requires_grad and value.dim() == 0:
            gradient = torch.autograd.grad(value, centre, allow_unused=True)[0]
        return {"loss": value, "changed": changed, "gradient": gradient}

    def untouched(self, seen: Any) -> bool:
        return super().untouched(lambda *arguments: seen(*arguments)["loss"])

    def check(self, seen: Any) -> Right | Wrong:
        generator = torch.Generator().manual_seed(1)
        centre, context = torch.randn(2, 3, 6, generator=generator)
        negatives = torch.randn(3, 4, 6, generator=generator)
        found = seen(centre, context, negatives)
        if found["changed"]:
            return Wrong(CHANGED, 1)
        want, mistakes = self.values(centre, context, negatives)
        verdict = compare(found["loss"], want, mistakes, what="the loss")
        if not isinstance(verdict, Right):
            return verdict
        if found["gradient"] is None:
            return Wrong(
                "the value is right, but no gradient can flow back from it: keep it a tensor, "
                "without `.item()` and `.detach()`.", 1
            )  # fmt: skip
        far = seen(torch.full((1, 2), 20.0), torch.full((1, 2), -20.0), torch.zeros(1, 1, 2))
        if not torch.isfinite(torch.as_tensor(far["loss"])):
            return Wrong(
                "right, but infinite for a very bad score: use logsigmoid, which does not round "
                "the probability to zero before the logarithm is taken.", 2
            )  # fmt: skip
        return Right("With all vectors zero it is (k + 1) log 2, about 0.69 a term: pure guessing.")

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
            (2 * want, "twice the expected value: is a term counted two times?", 2),
            (want / 5, "divided by k + 1: the paper sums the terms.", 2),
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
        for counts in (torch.tensor([81, 16, 1, 1, 256]), torch.tensor([625.0, 16.0, 1.0])):
            for power in (0.75, 0.5, 0.0):
                got, changed = seen(counts, power)
                if changed:
                    return Wrong(CHANGED)
                verdict = self.judge(got, counts, power)
                if isinstance(verdict, Wrong):
                    return verdict
        return Right(
            "The 3/4 lifts rare words: a word seen once is drawn more often than by count."
        )

    @staticmethod
    def judge(got: Any, counts: Tensor, power: float) -> Right | Wrong:
        weights, share = counts.float() ** power, counts / counts.sum()
        lifted = share**0.75
        mistakes = [
            (weights, "these are weights: divide by their sum, so that they add up to 1."),
            (share, "this is the plain unigram distribution: where is the power?"),
            (share**power, "these do not add up to 1: normalise after taking the power."),
            (torch.softmax(weights, 0), "no softmax here: divide by the sum."),
            (torch.softmax(counts.float(), 0), "no softmax here: divide by the sum."),
            (weights / counts.sum(), "divide by the sum of the powers, not of the counts."),
            (weights / weights.max(), "divided by the largest: divide by the sum."),
            (lifted / lifted.sum(), "always the power of 3/4: use the argument `power`."),
            (weights.flip(0) / weights.sum(), "the order of the words has changed."),
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
            verdict = self.judge(got, share, t)
            if isinstance(verdict, Wrong):
                return verdict
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


class Train(Exercise):
    id = "01.train"
    title = "Build: the training loop"
    minutes, difficulty, importance, points = 15, 4, 5, 5
    hints = (
        "`torch.randperm(len(pairs)).split(batch)` gives the row numbers of each batch.",
        "`torch.multinomial(noise, n * k, replacement=True).view(n, k)` draws k words for n pairs; "
        "`u(...)` of that has the shape (n, k, dim).",
        "The step is always the same three lines: zero the gradients, `backward`, `step`.",
    )
    SHORT = {"dim": 3, "k": 2, "epochs": 3, "batch": 2}
    N, BATCH = 11, 4  # pairs: three batches, of 4, 4 and 3

    def as_functions(self, train: Any) -> tuple:
        return (partial(self.seen, train),)

    @staticmethod
    def seen(train: Any, pairs: Tensor, noise: Tensor, options: dict) -> dict:
        """A run from a fixed start, and the start itself."""
        torch.manual_seed(5)
        start, _ = train(pairs, noise, **{**options, "epochs": 0})
        start = start.clone()
        torch.manual_seed(5)
        vectors, losses = train(pairs, noise, **options)
        plain = all(isinstance(loss, float) for loss in losses)
        return {"start": start, "vectors": vectors, "plain": plain,
                "losses": [float(loss) for loss in losses]}  # fmt: skip

    def untouched(self, seen: Any) -> bool:
        found = seen(torch.tensor([[1, 2]] * 4), torch.ones(4) / 4, self.SHORT)
        return not found["losses"] and same(found["vectors"], found["start"])

    def check(self, seen: Any) -> Right | Wrong:
        pairs = torch.tensor([[0, 1]] * self.N)  # all alike, and one noise word: nothing is drawn
        noise = torch.tensor([0.0, 0.0, 1.0, 0.0])
        options = {"dim": 6, "k": 3, "epochs": 2, "batch": self.BATCH, "rate": 0.05}
        found = seen(pairs, noise, options)
        told = self.length(len(found["losses"]))
        told = told or mistaken(found["losses"], self.mistakes(found["start"]), same)
        if told:
            return told
        want, vectors = run(found["start"])
        if not same(found["losses"], want, 1e-4):
            verdict = compare(found["losses"], want, tolerance=1e-4, what="the list of losses")
            return Wrong(getattr(verdict, "message", ""), 1)
        if not found["plain"]:
            return Wrong("the losses are tensors, and keep their graphs: append `loss.item()`.", 3)
        if not same(found["vectors"], vectors, 1e-3):
            return Wrong("the losses are right, but the vectors are not the trained ones.", 2)
        return self.groups(seen)

    def length(self, steps: int) -> Wrong | None:
        once = math.ceil(self.N / self.BATCH)
        named = [
            (2 * once, None),
            (0, "no loss was appended: one for each batch."),
            (2, "one loss for each epoch: append that of each batch."),
            (once, "only one epoch has run: `epochs` says how many."),
            (2 * (self.N // self.BATCH), "the last batch, a smaller one, is missing."),
            (2 * self.N, "one step for each pair: take `batch` pairs at a time."),
        ]  # fmt: skip
        message = dict(reversed(named)).get(steps, f"expected {2 * once} losses, got {steps}.")
        return Wrong(message, 1) if message else None

    @staticmethod
    def mistakes(start: Tensor) -> list:
        return [
            (run(start, steps=False)[0], "the losses stay the same: does the optimiser step?", 1),
            (run(start, zero=False)[0], "the gradients add up from batch to batch: zero them.", 2),
            (run(start, k=1)[0], "one noise word for each pair: draw `k`.", 2),
            (run(start, k=5)[0], "always five noise words: draw `k`.", 2),
            (run(start, swap=True)[0], "centre and context are exchanged: column 0 is the "
             "centre.", 2),
            (run(start, noise_from="context")[0], "the noise is taken from the table `v`: noise "
             "words are contexts, rows of `u`.", 2),
            (run(start, drawn=1)[0], "the noise words are not drawn from `noise`.", 2),
        ]  # fmt: skip

    @staticmethod
    def groups(seen: Any) -> Right | Wrong:
        """Words 0 to 3 and words 4 to 7 keep company with their own group alone."""
        rows = [(a, b) for a in range(8) for b in range(8) if a != b and a // 4 == b // 4]
        pairs, noise = torch.tensor(rows * 8), torch.full((8,), 1 / 8)
        options = {"dim": 4, "k": 4, "epochs": 12, "batch": 16, "rate": 0.05}
        found = seen(pairs, noise, options)
        unit = F.normalize(found["vectors"], dim=1)
        same_group = torch.arange(8)[:, None] // 4 == torch.arange(8) // 4
        cosines = unit @ unit.T
        inside, across = (cosines[same_group].sum() - 8) / 24, cosines[~same_group].mean()
        if not inside > across + 0.5:
            return Wrong(
                "words with the same company do not come together: are all the pairs used, and the "
                "noise words drawn separately for each?", 2
            )  # fmt: skip
        return Right("Words of one company have come together, and nobody told which they are.")


def run(
    start: Tensor,
    *,
    k: int = 3,
    zero: bool = True,
    steps: bool = True,
    swap: bool = False,
    drawn: int = 2,
    noise_from: str = "",
) -> tuple[list[float], Tensor]:
    """The run that `Train` asks for, perhaps with a mistake: its losses and vectors."""
    v, u = start.clone().requires_grad_(), torch.zeros_like(start).requires_grad_()
    optimizer = torch.optim.Adam([v, u], lr=0.05)
    centre, context = (1, 0) if swap else (0, 1)
    losses = []
    for _ in range(6):
        score = v[centre] @ u[context]
        noise = (v if noise_from else u)[drawn] @ v[centre]
        loss = -F.logsigmoid(score) - k * F.logsigmoid(-noise)
        losses.append(loss.item())
        if zero:
            optimizer.zero_grad()
        loss.backward()
        if steps:
            optimizer.step()
    return losses, v.detach()
