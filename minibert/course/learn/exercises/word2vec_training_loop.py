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
    title = "Build: the training"
    minutes, difficulty, importance, points = 20, 4, 5, 5
    hints = (
        "`torch.randperm(len(pairs)).split(batch)` gives the row numbers of each batch.",
        "`torch.multinomial(noise, n * k, replacement=True).view(n, k)` draws k words for n pairs; "
        "`u(...)` of that has the shape (n, k, dim).",
        "The step is always the same three lines: zero the gradients, `backward`, `step`.",
        "`v.weight` is one tensor, which each update changes in place: a snapshot of it is "
        "`v.weight.detach().clone()`.",
    )
    SHORT = {"dim": 3, "k": 2, "epochs": 3, "batch": 2}
    N, BATCH, EVERY = 11, 4, 2  # pairs: three batches, of 4, 4 and 3; updates between snapshots

    def as_functions(self, train: Any) -> tuple:
        return (partial(self.seen, train),)

    @staticmethod
    def seen(train: Any, pairs: Tensor, noise: Tensor, options: dict) -> dict:
        """A run from a fixed start, and the start itself; or what is wrong with what it gives."""
        torch.manual_seed(5)
        given = train(pairs, noise, **{**options, "epochs": 0})
        if not isinstance(given, tuple | list) or len(given) != 3:
            got = len(given) if isinstance(given, tuple | list) else type(given).__name__
            return {"form": f"expected (vectors, losses, snapshots), got {got}."}
        if not torch.is_tensor(given[0]):
            return {"form": "the vectors are a tensor: `v.weight`, without its graph."}
        start, torn = given[0].detach().clone(), given[0].requires_grad
        torch.manual_seed(5)
        with draws() as drawn:
            (answer, changed) = kept(partial(train, **options), pairs, noise)
        vectors, losses, snapshots = answer
        plain = all(isinstance(loss, float) for loss in losses)
        shown = [pair for pair in snapshots if isinstance(pair, tuple | list)]
        tied = any(torch.is_tensor(x) and x.requires_grad for pair in shown for x in pair)
        weights = drawn[0][0] if drawn else None
        return {
            "form": "",
            "start": start,
            "vectors": vectors,
            "tied": tied,
            "plain": plain,
            "torn": torn,
            "changed": changed,
            "weights": weights,
            "words": sum(n for _, n in drawn),
            "losses": [float(loss) for loss in losses],
            "snapshots": list(snapshots) if isinstance(snapshots, tuple | list) else [snapshots],
        }

    def untouched(self, seen: Any) -> bool:
        found = seen(torch.tensor([[1, 2]] * 4), torch.ones(4) / 4, self.SHORT)
        return not found["form"] and not found["losses"] and not found["start"].any()

    def check(self, seen: Any) -> Right | Wrong:
        pairs = torch.tensor([[0, 1]] * self.N)  # all alike, and one noise word: nothing is drawn
        noise = torch.tensor([0.0, 0.0, 1.0, 0.0])
        options = {"dim": 6, "k": 3, "epochs": 2, "batch": self.BATCH, "rate": 0.05}
        options["every"] = self.EVERY
        found = seen(pairs, noise, options)
        if found["form"]:
            return Wrong(found["form"])
        told = self.tables(seen) or self.length(len(found["losses"]))
        told = told or mistaken(found["losses"], self.mistakes(found["start"]), alike)
        if found["changed"]:
            return Wrong(CHANGED, 2)
        told = told or self.noise(seen) or self.order(seen) or self.values(found)
        return told or snapshots_wrong(found, self.EVERY) or self.groups(seen)

    @staticmethod
    def tables(seen: Any) -> Wrong | None:
        """The first step: does the table v begin as it should?"""
        words, dim = 60, 20
        start = seen(torch.tensor([[0, 1]]), torch.ones(words) / words,
                     {"dim": dim, "epochs": 0})["start"]  # fmt: skip
        if start.shape != (words, dim):
            return Wrong(f"the vectors should have the shape (V, dim), here {(words, dim)}, but "
                         f"have {tuple(start.shape)}: a row for each word in `noise`.")  # fmt: skip
        low, high, edge = start.min().item(), start.max().item(), 0.5 / dim
        if not start.any():
            return Wrong("the table v begins at zero, like u: then no gradient ever moves either.")
        if high > 1:
            return Wrong("the table v begins with normal numbers, as `nn.Embedding` does: draw it "
                         "again with `nn.init.uniform_`.", 1)  # fmt: skip
        if low >= 0:
            return Wrong("no number of v is negative: it begins between -0.5/dim and 0.5/dim.", 1)
        if high > 1.01 * edge or low < -1.01 * edge or high < 0.9 * edge:
            return Wrong(f"the table v begins between {low:.3f} and {high:.3f}; with {dim} numbers "
                         f"it should be {-edge:.3f} and {edge:.3f}.", 1)  # fmt: skip
        return None

    def values(self, found: dict) -> Wrong | None:
        """The second step: the losses, and the trained vectors."""
        want, tables = run(found["start"])
        if not same(found["losses"], want, 1e-4):
            verdict = compare(found["losses"], want, tolerance=1e-4, what="the list of losses")
            return Wrong(getattr(verdict, "message", ""), 1)
        if not found["plain"]:
            return Wrong("the losses are tensors, and keep their graphs: append `loss.item()`.", 3)
        if not same(found["vectors"], tables[-1], 1e-3):
            return Wrong("the losses are right, but the vectors are not the trained ones.", 2)
        if found["torn"]:
            return Wrong("the vectors are still tied to the training: `v.weight.detach()`.", 3)
        return None

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
        if found["changed"]:
            return Wrong(CHANGED, 2)
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
            (0, "the tables are right. No loss was appended: one for each batch."),
            (2, "one loss for each epoch: append that of each batch."),
            (once, "only one epoch has run: `epochs` says how many."),
            (2 * (self.N // self.BATCH), "the last batch, a smaller one, is missing."),
            (2 * self.N, "one step for each pair: take `batch` pairs at a time."),
        ]  # fmt: skip
        message = dict(reversed(named)).get(steps, f"expected {2 * once} losses, got {steps}.")
        return Wrong(message, 1) if message else None

    @staticmethod
    def mistakes(start: Tensor) -> list:
        k, made = 3, partial(run, start)
        first = (k + 1) * math.log(2)
        return [
            (made(steps=False)[0], "the losses stay the same: does the optimiser step, and does it "
             "have both tables?", 1),
            (made(zero=False)[0], "the gradients add up from batch to batch: zero them.", 2),
            (made(k=1)[0], "one noise word for each pair: draw `k`.", 2),
            (made(k=5)[0], "always five noise words: draw `k`.", 2),
            (made(swap=True)[0], "centre and context are exchanged: column 0 is the centre.", 2),
            (made(noise_from="context")[0], "the noise is taken from the table `v`: noise "
             "words are contexts, rows of `u`.", 2),
            (made(drawn=1)[0], "the noise words are not drawn from `noise`.", 2),
            (made(rate=0.01)[0], "the rate is always 0.01: use the argument `rate`.", 2),
            (made(rate=1e-3)[0], "Adam's own rate runs: give it `lr=rate`.", 2),
            (made(kind="SGD")[0], "this is `SGD`: take `torch.optim.Adam`.", 2),
            (made(kind="AdamW")[0], "this is `AdamW`, whose weights decay: take Adam.", 2),
            (made(anew=True)[0], "a new optimiser for every batch forgets its averages: make it "
             "once.", 2),
            (made(only="u")[0], "the optimiser does not have the table v: give it both.", 2),
            (Off(first), f"the first loss should be (k + 1) log 2, here {first:.3f}: the table u "
             "begins at zero.", 1),
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


class Off(float):
    """A number that the first loss should be, and is not."""


def alike(got: Any, value: Any) -> bool:
    """Whether these are the losses of a known mistake."""
    if isinstance(value, Off):
        return not same(got[0], float(value), 1e-4)
    return same(got, value)


def snapshots_wrong(found: dict, every: int) -> Wrong | None:
    """The third step: (updates so far, table v) before the first update and after every few."""
    snapshots, (_, tables) = found["snapshots"], run(found["start"])
    if not snapshots:
        return Wrong("the training is right. The snapshots are missing: the third step.", 3)
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in snapshots):
        return Wrong("a snapshot is a pair: (updates so far, the table).", 3)
    if any(torch.is_tensor(step) and step.ndim for step, _ in snapshots):
        return Wrong("first the number of updates, and then the table: `(0, v)`.", 3)
    got = [int(step) for step, _ in snapshots]
    want = list(range(0, len(tables), every))
    told = None if got == want else mistaken(got, [
        (want[1:], "the first snapshot is missing: `(0, ...)`, before any update.", 3),
        (list(range(len(tables))), "a snapshot after each update: `every` says how many apart.", 3),
        (list(range(len(want))), "these are the numbers of the snapshots: give the number of "
         "updates so far.", 3),
        ([0, *range(every - 1, len(tables) - 1, every)], "the number of updates is one too small: "
         "after the first update it is 1.", 3),
        ([0, 3, 6], "a snapshot for each epoch: after `every` updates, counted over all epochs.",
         3),
        ([0, 2, 2], "the updates are counted within each epoch: count over all of them.", 3),
        ([0, 2, 5], "the updates are counted within each epoch: count over all of them.", 3),
    ])  # fmt: skip
    if told or got != want:
        return told or Wrong(f"the snapshots should be of the updates {want}, but are of {got}.", 3)
    held = [table for _, table in snapshots]
    if all(same(table, tables[-1]) for table in held):
        return Wrong("all snapshots show the end of the training, because they are the same "
                     "tensor: keep a copy of each, `.clone()`.", 3)  # fmt: skip
    if found["tied"]:
        return Wrong("the snapshots are still tied to the training: `.detach().clone()`.", 3)
    for step, table in zip(want, held, strict=True):
        if step and same(table, tables[step - 1], 1e-3) and not same(table, tables[step], 1e-3):
            return Wrong("the snapshots show the table before the update: after `step()`.", 3)
        if not same(table, tables[step], 1e-3):
            return Wrong(f"the snapshot after {step} updates does not show the table v of that "
                         "moment.", 3)  # fmt: skip
    return None


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
    rate: float = 0.05,
    kind: str = "Adam",
    only: str = "vu",
    anew: bool = False,
) -> tuple[list[float], list[Tensor]]:
    """The run that `Train` asks for, perhaps with a mistake: its losses, v after each update."""
    v, u = start.clone().requires_grad_(), torch.zeros_like(start).requires_grad_()
    learned = [table for name, table in (("v", v), ("u", u)) if name in only]
    optimizer = getattr(torch.optim, kind)(learned, lr=rate)
    losses, tables = [], [start.clone()]
    for pair in pairs:
        if anew:
            optimizer = getattr(torch.optim, kind)(learned, lr=rate)
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
        tables.append(v.detach().clone())
    return losses, tables
