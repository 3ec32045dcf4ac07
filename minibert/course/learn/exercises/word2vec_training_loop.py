"""Chapter 01: the training loop."""

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, mistaken, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, kept


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
        with draws() as drawn:
            (vectors, losses), changed = kept(partial(train, **options), pairs, noise)
        plain = all(isinstance(loss, float) for loss in losses)
        weights = drawn[0][0] if drawn else None
        return {"start": start, "vectors": vectors, "plain": plain, "changed": changed,
                "weights": weights, "words": sum(n for _, n in drawn),
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
        if found["changed"]:
            return Wrong(CHANGED, 2)
        told = told or self.noise(seen) or self.order(seen)
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

    def noise(self, seen: Any) -> Wrong | None:
        """Are the words drawn from `noise`, and separately for each pair?"""
        noise, options = torch.tensor([0.1, 0.2, 0.3, 0.4]), {**self.SHORT, "k": 3, "rate": 0.05}
        found = seen(torch.tensor([[0, 1]] * self.N), noise, options)
        if found["weights"] is None:  # drawn without `multinomial`
            return None
        lifted = noise**0.75
        mistakes = [
            (torch.full((4,), 0.25), "the noise words are drawn uniformly: draw from `noise`.", 2),
            (lifted / lifted.sum(), "`noise` has the power of 3/4 in it: do not take it again.", 2),
        ]
        weights = found["weights"] / found["weights"].sum()
        verdict = compare(weights, noise, mistakes, what="the distribution of the noise words")
        if isinstance(verdict, Wrong):
            return verdict
        if found["words"] < 3 * 3 * self.N:  # epochs, k
            return Wrong("the pairs of a batch share noise words: draw `k` for each pair.", 2)
        return None

    @staticmethod
    def order(seen: Any) -> Wrong | None:
        """Are the pairs in another order in each epoch? One noise word: nothing else is drawn."""
        pairs, noise = [(0, 1), (1, 2), (2, 3), (3, 0)], torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0])
        options = {"dim": 4, "k": 1, "epochs": 5, "batch": 1, "rate": 0.05}
        found = seen(torch.tensor(pairs), noise, options)
        for order in itertools.permutations(pairs):
            losses, _ = run(found["start"], pairs=order * 5, k=1, drawn=4)
            if same(found["losses"], losses, 1e-4):
                return Wrong("every epoch has the same order: draw a new one for each.", 3)
        return Train.batches(seen)

    @staticmethod
    def batches(seen: Any) -> Wrong | None:
        """Does each pair come once in an epoch, and are the batches made of mixed pairs?

        The context vectors begin at zero, so the first batch gives its centres no gradient: after
        one epoch these rows, and those of pairs that never came, are as they were.
        """
        pairs, noise = torch.arange(96).view(48, 2), torch.zeros(97)
        noise[96] = 1.0
        options = {"dim": 4, "k": 1, "epochs": 1, "batch": 8, "rate": 0.05}
        found = seen(pairs, noise, options)
        still = (found["vectors"] == found["start"]).all(1)[:96:2].nonzero()[:, 0].tolist()
        if 8 < len(still) < len(pairs):  # all of them: not the trained vectors, see ``check``
            return Wrong("some pairs do not come in an epoch, and others come twice: cut one "
                         "random order of all the pairs into batches.", 3)  # fmt: skip
        if still in [[*range(i, i + 8)] for i in range(0, 48, 8)]:
            return Wrong("the same pairs always share a batch: mix the pairs, not the batches.", 3)
        return None

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


@contextmanager
def draws() -> Iterator[list]:
    """Within it, a list of what is drawn by `multinomial`: (weights of a row, how many words)."""
    drawn: list = []
    function = torch.multinomial

    def recorded(weights: Tensor, *args: Any, **options: Any) -> Tensor:
        words = function(weights, *args, **options)
        drawn.append((weights.detach().reshape(-1, weights.shape[-1])[0].clone(), words.numel()))
        return words

    torch.multinomial = torch.Tensor.multinomial = recorded  # type: ignore[assignment]
    try:
        yield drawn
    finally:
        torch.multinomial = function
        del torch.Tensor.multinomial  # the base class has it


def run(
    start: Tensor,
    *,
    pairs: tuple = ((0, 1),) * 6,
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
    losses = []
    for pair in pairs:
        centre, context = pair[::-1] if swap else pair
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
