"""The second build of chapter 09: a structural probe, and the trees that it reads."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import foreign, normal
from minibert.course.learn.exercises.ch09_tree_search import Arcs, named, spanning
from minibert.course.learn.exercises.ch09_tree_training import (
    MISTAKES,
    TOLERANCE,
    Case,
    problem,
    variant,
)

SMOOTH: tuple[Case, ...] = ((3, 0.05, 4, 9), (6, 0.05, 3, 9))  # better after each epoch
BOUNCING: tuple[Case, ...] = ((5, 0.8, 14, 2), (9, 0.6, 16, 3))  # up and down, until it ends
READ = ((9, 4, 3, 0), (7, 5, 2, 2), (8, 3, 3, 5), (3, 4, 2, 2), (2, 4, 2, 2))
# words, dim, rank, how many of the words are ignored


class TreeProbe(Exercise):
    id = "09.tree_probe"
    title = "Build: a structural probe and its trees"
    minutes, difficulty, importance, points = 25, 4, 5, 8
    hints = (
        "`distances` is the first half of `tree_loss`. For `arcs`, keep two lists of positions, "
        "`inside` and `outside`, and begin with the words that are not ignored.",
        "`min(((far[i, j], i, j) for i in inside for j in outside))` gives the closest pair, "
        "with its distance in front. Add the pair, and move `j` from one list to the other.",
        "In `fit`: `B = self.B.clone().requires_grad_()` is what Adam changes. The loss of a batch "
        "is `sum(tree_loss(h, B, gold) for h, gold in batch) / len(batch)`. Measure the validation "
        "sentences within `torch.no_grad()`.",
        "Where the loss is the smallest so far, `self.B = B.detach().clone()`: without the copy, "
        'the next update changes what you have kept. `optimizer.param_groups[0]["lr"] /= 2` '
        "halves the rate.",
    )

    def as_functions(self, made: type) -> tuple:
        return (partial(self.tried, made),)

    @classmethod
    def tried(cls, made: type, what: str, *given: Any) -> Any:
        """What one part gives: "distances" and "arcs" of a sentence, "fit" of a case.

        arcs: (name of the type, pairs of positions); fit: (losses, B).
        """
        if what == "fit":
            return cls.fitted(made, *given)
        x, B, ignored = cls.sentence(*given)
        probe: Any = made(B)
        if what == "distances":
            got = probe.distances(x)
            return got.detach() if torch.is_tensor(got) else got
        found = probe.arcs(x, ignored)
        if not isinstance(found, set | frozenset | list | tuple):
            return type(found).__name__, []
        pairs = [[int(k) for k in arc] if np.iterable(arc) else [int(arc)] for arc in found]
        return type(found).__name__, sorted(pairs)

    @staticmethod
    def fitted(made: type, case: Case) -> tuple:
        """(what `fit` gives, B after it)."""
        seed, rate, epochs, patience = case
        start, batches, valid = problem(seed)
        probe: Any = made(start, rate, epochs, patience)
        losses = probe.fit(batches, valid)
        if isinstance(losses, list | tuple):
            losses = [float(one) for one in losses]
        return losses, probe.B.detach().clone() if torch.is_tensor(probe.B) else probe.B

    @staticmethod
    def sentence(*case: int) -> tuple:
        """(states, B, which words are ignored) of (seed, words, dim, rank, how many ignored)."""
        seed, words, dim, rank, out = case
        order = torch.randperm(words, generator=torch.Generator().manual_seed(seed)).tolist()
        x, B = normal(words, dim, seed=seed + 1), normal(dim, rank, seed=seed + 2)
        return x, B, [i in order[:out] for i in range(words)]

    def untouched(self, tried: Callable[..., Any]) -> bool:
        case = (0, *READ[0])
        far, (_, arcs), (losses, _) = tried("distances", *case), tried("arcs", *case), tried(
            "fit", SMOOTH[0])  # fmt: skip
        blank = far is None or far is Ellipsis or (torch.is_tensor(far) and not far.any())
        return blank and not arcs and (losses is None or losses is Ellipsis or losses == [])

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        for part in (self.far, self.read, self.learned):
            if wrong := part(tried):
                return wrong
        return Right("A spanning tree joins all words, whatever the distances are. Whether its "
                     "arcs are those of the grammar is up to B and the states.")  # fmt: skip

    @classmethod
    def far(cls, tried: Callable[..., Any]) -> Wrong | None:
        """What is wrong with the distances."""
        for seed, sizes in enumerate(READ):
            x, B, _ = cls.sentence(10 * seed, *sizes)
            got = tried("distances", 10 * seed, *sizes)
            if isinstance(got, np.ndarray):
                got = torch.from_numpy(got)
            if strange := foreign(got, "1. the result of `distances`"):
                return strange
            mistakes = cls.wrong_distances(x, B)
            verdict = compare(got, cls.solve(x, B), mistakes, 1e-4, what="1. distances(x)")
            if not isinstance(verdict, Right):
                return verdict
        return None

    @staticmethod
    def solve(x: Tensor, B: Tensor) -> Tensor:
        """The squared distances after B."""
        z = x @ B
        return (z[:, None] - z[None, :]).square().sum(-1)

    @classmethod
    def wrong_distances(cls, x: Tensor, B: Tensor) -> list[tuple]:
        """What known mistakes give."""
        far, z = cls.solve(x, B), x @ B
        apart = z[:, None] - z[None, :]
        return [
            (far.sqrt(), "1. the distances are squared: leave out the root.", 0),
            (cls.solve(x, torch.eye(len(B))), "1. the distances of the states themselves: multiply "
             "them by `self.B` first.", 0),
            (apart.abs().sum(-1), "1. sums of absolute differences: squares are asked for.", 0),
            (apart.square().mean(-1), "1. the mean over the columns of B: take their sum.", 0),
            (apart.sum(-1).square(), "1. the sum is squared: square first, then sum.", 0),
            (z @ z.T, "1. products of vectors, not distances between them.", 0),
            (apart.square(), "1. (n, n, rank): sum over the last axis.", 0),
            (torch.zeros_like(far), "1. all distances are 0: `distances` is not written yet.", 0),
        ]  # fmt: skip

    @classmethod
    def read(cls, tried: Callable[..., Any]) -> Wrong | None:
        """What is wrong with the trees."""
        for seed, sizes in enumerate(READ):
            x, B, ignored = cls.sentence(10 * seed, *sizes)
            kind, got = tried("arcs", 10 * seed, *sizes)
            far = cls.solve(x, B).tolist()
            if not cls.found(kind, got, far, ignored):
                return cls.wrong_arcs(kind, got, far, ignored)
        return None

    @staticmethod
    def found(kind: str, got: list, far: list, ignored: list[bool]) -> bool:
        """Whether these are the arcs of the minimum spanning tree, in a set."""
        right = sorted(map(list, spanning(far, ignored)))
        return kind in ("set", "frozenset") and [list(arc) for arc in got] == right

    @staticmethod
    def wrong_arcs(kind: str, got: list, far: list, ignored: list[bool]) -> Wrong:
        """What is wrong with the arcs of one sentence."""
        want = spanning(far, ignored)
        pairs: Arcs = {tuple(arc) for arc in got}
        if kind not in ("set", "frozenset", "list", "tuple"):
            return Wrong(f"2. `arcs` gives {kind}: a set of pairs of positions.", 1)
        if not pairs and want:
            return Wrong("2. `arcs` finds no arc: is it written, and does its loop begin?", 1)
        if any(len(arc) != 2 for arc in pairs):
            return Wrong("2. an arc is a pair (smaller position, larger position), without its "
                         "distance.", 2)  # fmt: skip
        if pairs != want and {(min(a, b), max(a, b)) for a, b in pairs} == want:
            return Wrong("2. the arcs are right, but some pairs, or all of them, have the larger "
                         "position in front: (smaller, larger), and each arc once.", 2)  # fmt: skip
        if pairs == want:
            return Wrong(f"2. the arcs are right, but they are in a {kind}: a set is asked for, in "
                         "which each is once.", 2)  # fmt: skip
        if message := named(pairs, far, ignored):
            return Wrong(f"2. {message}", 1)
        words = ignored.count(False)
        if len(pairs) != max(words - 1, 0):
            return Wrong(f"2. {len(pairs)} arcs for {words} words that count: a tree has "
                         f"{max(words - 1, 0)}.", 1)  # fmt: skip
        return Wrong("2. these arcs have a larger sum of distances than need be: of all pairs of "
                     "one word inside and one outside, take the closest, every time.",
                     1)  # fmt: skip

    @classmethod
    def learned(cls, tried: Callable[..., Any]) -> Wrong | None:
        """What is wrong with the training."""
        for case in (*SMOOTH, *BOUNCING):
            losses, B = tried("fit", case)
            if not isinstance(losses, list):
                return Wrong("3. expected a list with the validation loss of each epoch: is there "
                             "a `return` behind the loop?", 3)  # fmt: skip
            if not torch.is_tensor(B):
                return Wrong("3. after `fit`, `self.B` should be a tensor (dim, rank).", 3)
            if cls.alike((losses, B), variant(case)):
                continue
            return cls.explained(tried, case, losses, B)
        return None

    @staticmethod
    def alike(got: tuple, want: tuple) -> bool:
        return all(same(a, b, TOLERANCE) for a, b in zip(got, want, strict=True))

    @classmethod
    def explained(cls, tried: Callable[..., Any], case: Case, losses: list, B: Tensor) -> Wrong:
        """The mistake that gives these losses and this B."""
        if not losses:
            return Wrong("3. the list of losses is empty: is `fit` written?", 3)
        for message, how in MISTAKES.items():
            if cls.alike((losses, B), variant(case, **how)):
                return Wrong(message, 3 if message.startswith("3") else 5)
        want, kept = variant(case)
        if same(losses, want, TOLERANCE):
            if same(B, problem(case[0])[0]):
                return Wrong("4. the losses are right, but `self.B` is still that of the start: "
                             "set it.", 5)  # fmt: skip
            return Wrong("4. the losses are right, but `self.B` is not that of the epoch with the "
                         "smallest one.", 5)  # fmt: skip
        if not cls.alike(tried("fit", case), (losses, B)):
            return Wrong("3. two runs give two results: begin from `self.B`, and go through the "
                         "batches in the order given.", 3)  # fmt: skip
        if case in SMOOTH:
            told = "3. the losses on `valid` are not those of the statement"
        else:
            told = "4. where an epoch is no better, the losses are not those of the statement"
        shown = ", ".join(f"{one:.3f}" for one in want[:3])
        first = ", ".join(f"{one:.3f}" for one in losses[:3])
        return Wrong(f"{told}: they begin with {shown}, yours with {first}; {len(want)} epochs, "
                     f"yours {len(losses)}.", 3 if case in SMOOTH else 5)  # fmt: skip
