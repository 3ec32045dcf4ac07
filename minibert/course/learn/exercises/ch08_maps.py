"""Exercises of chapter 08 on vectors: the gradient of t-SNE, and units against a label."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import (
    IN_PLACE,
    RANDOM,
    called,
    foreign,
    normal,
)


class Gradient(Exercise):
    id = "08.tsne"
    title = "The gradient of t-SNE"
    minutes, difficulty, importance, points = 12, 3, 4, 4
    hints = (
        "All differences at once: `y[:, None] - y[None]` is (n, n, 2), with $y_i - y_j$ at [i, j].",
        "`near = 1 / (1 + difference.square().sum(-1))` is (n, n). Its diagonal must be 0 before "
        "you add everything up: q is a share of the *pairs*, and no point is a pair with itself.",
        "`((p - q) * near)[..., None] * difference` is one arrow for each pair. Sum over j, times "
        "4.",
    )
    default = torch.zeros(3, 2)
    example = (torch.ones(3, 3) / 6, torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]]))

    def check(self, gradient: Callable[..., Any]) -> Right | Wrong:
        for seed, n in ((1, 5), (2, 8)):
            given = self.case(seed, n)
            got, kept = called(gradient, *given)
            if strange := foreign(got, "the gradient"):
                return strange
            verdict = compare(got, self.solve(*given), self.mistakes(*given), what="the gradient")
            if not isinstance(verdict, Right):
                return verdict if same(got, gradient(*given)) else Wrong(RANDOM, 1)
            if not kept:
                return Wrong(IN_PLACE, 2)
        return Right(
            "Pairs with p above q attract, the others repel: clumps are where attraction wins."
        )

    @staticmethod
    def case(seed: int, n: int) -> tuple[Tensor, Tensor]:
        """Probabilities (n, n), symmetric, and points (n, 2)."""
        p = normal(n, n, seed=seed).exp().fill_diagonal_(0.0)
        p = p + p.T
        return p / p.sum(), 1.5 * normal(n, 2, seed=seed + 100)

    @staticmethod
    def solve(
        p: Tensor, y: Tensor, *, power: float = 1.0, own: bool = False, rows: bool = False
    ) -> Tensor:
        """The gradient, or what it becomes with a mistake."""
        difference = y[:, None] - y[None]
        near = 1 / (1 + difference.square().sum(-1))
        kept = near if own else near.clone().fill_diagonal_(0.0)
        q = kept / (kept.sum(1, keepdim=True) if rows else kept.sum())
        return 4 * (((p - q) * near**power)[..., None] * difference).sum(1)

    @classmethod
    def mistakes(cls, p: Tensor, y: Tensor) -> list[tuple]:
        right = cls.solve(p, y)
        difference = y[:, None] - y[None]
        near = (1 / (1 + difference.square().sum(-1))).fill_diagonal_(0.0)
        q = near / near.sum()

        def arrows(weight: Tensor) -> Tensor:
            return 4 * (weight[..., None] * difference).sum(1)

        return [
            (right / 4, "the factor 4 is missing.", 3),
            (right / 2, "the factor is 4, not 2.", 3),
            (-right, "turned round: $y_i - y_j$, and $p - q$.", 2),
            (cls.solve(p, y, power=0), "the factor (1 + distance²)⁻¹ of each pair is missing.", 2),
            (cls.solve(p, y, power=-1), "multiplied by 1 + distance²: divide by it.", 2),
            (cls.solve(p, y, power=2), "the factor (1 + distance²)⁻¹ stands there twice.", 2),
            (arrows((p - q) * q), "the last factor is (1 + distance²)⁻¹ itself, not q.", 2),
            (arrows(p * near), "only the attraction is there: p - q, not p.", 1),
            (arrows(-q * near), "only the repulsion is there: p - q, not -q.", 1),
            (arrows((p - q).abs() * near), "the sign of p - q is lost: all pairs attract.", 2),
            (right / len(y), "that is the mean over j: the formula has a sum.", 3),
            (right.sum(0), "summed over all points: each point has its own row.", 2),
            *cls.wrong_arrows(4 * (p - q) * near, y),
            *cls.wrong_shares(p, y),
        ]

    @staticmethod
    def wrong_arrows(w: Tensor, y: Tensor) -> list[tuple]:
        """Mistakes in what is weighed by w (n, n): as in `mistakes`."""
        difference = y[:, None] - y[None]
        length = difference.norm(dim=-1, keepdim=True).clamp(min=1e-12)
        one = "only {} is there: each pair is weighed by $y_i - y_j$."
        found = [
            ((w[..., None] * difference / length).sum(1),
             "each arrow has the length 1 here: $y_i - y_j$ keeps its own length.", 2),
            ((w[..., None] * (y[:, None] + y[None])).sum(1),
             "added up: the arrow of a pair is the *difference* of the two points.", 2),
        ]  # fmt: skip
        for sign in (1, -1):
            found.append((sign * (w @ y), one.format("$y_j$"), 1))
            found.append((sign * w.sum(1, keepdim=True) * y, one.format("$y_i$"), 1))
        return found

    @classmethod
    def wrong_shares(cls, p: Tensor, y: Tensor) -> list[tuple]:
        """Mistakes in q and in the nearness of two points: as in `mistakes`."""
        difference = y[:, None] - y[None]
        far = difference.square().sum(-1)
        near = (1 / (1 + far)).fill_diagonal_(0.0)
        bell = (-far).exp().fill_diagonal_(0.0)
        bare = (1 / far).fill_diagonal_(0.0)
        root = (1 / (1 + far.sqrt())).fill_diagonal_(0.0)
        block = (1 / (1 + difference.abs().sum(-1))).fill_diagonal_(0.0)

        def arrows(q: Tensor, near: Tensor | float = near) -> Tensor:
            return 4 * (((p - q) * near)[..., None] * difference).sum(1)

        return [
            (cls.solve(p, y, own=True),
             "q counts each point as its own neighbour: the diagonal of the sum must be 0.", 2),
            (cls.solve(p, y, rows=True),
             "q is divided by the sum of its row: one sum over all pairs belongs there.", 2),
            (arrows(near / near.sum(0)),
             "here q is divided by the sum of its column: one sum over all pairs is needed.", 2),
            (arrows(2 * near / near.sum()),
             "here q is twice too large: the sum has each pair twice, (k, l) and (l, k).", 2),
            (arrows(near), "q is not divided by the sum over all pairs.", 2),
            (arrows(bell / bell.sum()),
             "q here is a bell curve (SNE); t-SNE has 1 / (1 + distance²).", 2),
            (arrows(bell / bell.sum(), 1.0), "that is SNE, with a bell curve on the map: t-SNE has "
             "1 / (1 + distance²), in q and as a factor.", 2),
            (arrows(bell / bell.sum(1, keepdim=True)), "q is a softmax of each row, as in SNE: "
             "t-SNE has 1 / (1 + distance²), and one sum over all pairs.", 2),
            (arrows(bare / bare.sum(), bare),
             "the 1 in 1 / (1 + distance²) is forgotten, in q and as a factor.", 2),
            (arrows(root / root.sum(), root),
             "that is 1 / (1 + distance): the distance must be squared.", 2),
            (arrows(block / block.sum(), block),
             "the *squares* of the two differences are added up, not their sizes.", 2),
        ]  # fmt: skip


class Units(Exercise):
    id = "08.unit"
    title = "Which unit tells the label?"
    minutes, difficulty, importance, points = 8, 2, 4, 4
    hints = (
        "`x[positive]` are the positive rows, `x[~positive]` the others; `.mean(0)` is the mean of "
        "each unit.",
        "Sum the squared differences from the mean *of its own group*, add both sums, divide by "
        "`len(x) - 2`, and take the root.",
    )
    default = torch.zeros(2)
    example = (
        torch.tensor([[0.0, 1.0], [2.0, 5.0], [4.0, 0.0], [9.0, 3.0], [1.0, 8.0]]),
        torch.tensor([True, True, False, False, False]),
    )

    def check(self, differences: Callable[..., Any]) -> Right | Wrong:
        for seed, n, positive in ((1, 9, 3), (2, 12, 6)):
            given = self.case(seed, n, positive)
            got, kept = called(differences, *given)
            if strange := foreign(got, "d"):
                return strange
            verdict = compare(got, self.solve(*given), self.mistakes(*given), what="d")
            if not isinstance(verdict, Right):
                return verdict if same(got, differences(*given)) else Wrong(RANDOM, 1)
            if not kept:
                return Wrong(IN_PLACE, 2)
        return Right("A d of 1 or more is large: the groups lie a standard deviation apart.")

    @staticmethod
    def case(seed: int, n: int, positive: int) -> tuple[Tensor, Tensor]:
        """Rows (n, 5), and which of them are positive."""
        x, is_positive = 2 * normal(n, 5, seed=seed) + 1, torch.arange(n) < positive
        is_positive = is_positive[normal(n, seed=seed + 7).argsort()]
        return x + is_positive[:, None] * normal(5, seed=seed + 9), is_positive

    @staticmethod
    def solve(x: Tensor, positive: Tensor) -> Tensor:
        a, b = x[positive], x[~positive]
        return (a.mean(0) - b.mean(0)) / Units.within(a, b).sqrt()

    @staticmethod
    def within(a: Tensor, b: Tensor, less: int = 2) -> Tensor:
        """The variance within the two groups."""
        squares = (a - a.mean(0)).square().sum(0) + (b - b.mean(0)).square().sum(0)
        return squares / (len(a) + len(b) - less)

    @classmethod
    def mistakes(cls, x: Tensor, positive: Tensor) -> list[tuple]:
        a, b = x[positive], x[~positive]
        gap, d, n = a.mean(0) - b.mean(0), cls.solve(x, positive), len(x)
        s = cls.within(a, b).sqrt()
        table = torch.stack([*x.T, positive.float()])
        return [
            (gap, "the difference of the means is not divided by the standard deviation.", 2),
            (d.abs(), "the sign is lost: d tells the direction, too.", 3),
            (-d, "turned round: positive minus the others.", 3),
            (d / s, "divided by the variance: take its root.", 2),
            (d * (1 - 3 / (4 * n - 9)),
             "that is Hedges' g, corrected for small groups: d has no such factor.", 3),
            (d * (len(a) * len(b) / n) ** 0.5,
             "that is a t-value, which grows with n: divide by s alone.", 2),
            (gap / (a.var(0) / len(a) + b.var(0) / len(b)).sqrt(), "that is a t-value, which grows "
             "with n: divide by the standard deviation, not by the error of the mean.", 2),
            (torch.corrcoef(table)[-1, :-1],
             "that is a correlation, between -1 and 1: d is a difference of means.", 2),
            (d.sort().values, "sorted: give d in the order of the units.", 3),
            (d.sort(descending=True).values, "sorted: give d in the order of the units.", 3),
            (d * 0 + d.argmax(), "the number of a unit: give all d.", 1),
            (a.mean(0) / s, "the mean of the others is not taken away.", 1),
            ((a.mean() - b.mean()) / s, "one mean for all units: each has its own, `.mean(0)`.", 2),
            ((a.median(0).values - b.median(0).values) / s, "those are medians: take means.", 2),
            ((a.sum(0) - b.sum(0)) / s, "those are sums: the formula has means.", 2),
            *cls.wrong_deviations(x, positive),
            *cls.wrong_groups(x, positive),
        ]  # fmt: skip

    @classmethod
    def wrong_deviations(cls, x: Tensor, positive: Tensor) -> list[tuple]:
        """Mistakes in s: as in `mistakes`."""
        a, b = x[positive], x[~positive]
        both = "the deviation of all rows together: it holds the difference itself. Take it within "
        both += "each group."
        squares = (a - x.mean(0)).square().sum(0) + (b - x.mean(0)).square().sum(0)
        wrong = [
            (x.std(0), both, 2),
            (x.std(0, correction=0), both, 2),
            ((squares / (len(x) - 2)).sqrt(), "the squares are taken from the mean of all rows: "
             "each row has the mean of its own group.", 2),
            (x.std(), "one deviation for all units: each unit has its own.", 2),
            (cls.within(a, b, 0).sqrt(), "divided by n: the formula has n - 2.", 3),
            (cls.within(a, b, 1).sqrt(), "divided by n - 1: the formula has n - 2.", 3),
            (cls.within(a, b, len(x) - 1).sqrt(), "the sum of squares is not divided by n - 2.", 2),
            (a.std(0) + b.std(0), "the two deviations are added up: add the squares of both "
             "groups, then divide and take the root.", 2),
            ((a.std(0) + b.std(0)) / 2, "that is the mean of two deviations: add the squares of "
             "both groups, divide by n - 2, take the root.", 2),
            ((a.var(0) + b.var(0)).sqrt(), "the two variances are added up: add the *squares* of "
             "both groups, and divide by n - 2.", 2),
            (((a.var(0) + b.var(0)) / 2).sqrt(), "that gives both groups the same weight: add "
             "their squares, and divide by n - 2.", 3),
        ]  # fmt: skip
        for correction in (0, 1):
            wrong += [
                (rows.std(0, correction=correction), f"the deviation of the {name} rows alone: "
                 "both groups count.", 2)
                for rows, name in ((a, "positive"), (b, "other"))
            ]  # fmt: skip
        gap = a.mean(0) - b.mean(0)
        return [(gap / s, message, points) for s, message, points in wrong]

    @classmethod
    def wrong_groups(cls, x: Tensor, positive: Tensor) -> list[tuple]:
        """Mistakes in the groups and in the sums over them: as in `mistakes`."""
        a, b = x[positive], x[~positive]
        gap, d, n = a.mean(0) - b.mean(0), cls.solve(x, positive), len(x)
        s = cls.within(a, b).sqrt()
        mean = a.var(0, correction=0) + b.var(0, correction=0)  # mean squares, added up
        means = "the squares are averaged in each group: the formula has their sum."
        weights = "a group's size times `.var(0)` is more than its sum of squares: `.var` has "
        weights += "divided by one less."
        found = [
            (d.square(), "d is squared: give d itself, with its sign.", 2),
            ((a.mean(0) - x.mean(0)) / s,
             "the mean of all rows is taken away: take that of the others.", 2),
            (gap / (mean / (n - 2)).sqrt(), means, 2),
            (gap / (mean / 2).sqrt(), "that gives both groups the same weight: add their "
             "squares, and divide by n - 2.", 3),
            (gap / mean.sqrt(), means, 2),
            (gap / (s * (n - 2) ** 0.5) * (n - 2),
             "n - 2 stands outside the root: take the root of the whole fraction.", 2),
        ]  # fmt: skip
        for less in (0, 2):
            both = (len(a) * a.var(0) + len(b) * b.var(0)) / (n - less)
            found.append((gap / both.sqrt(), weights, 2))
        for other in ((~positive).long(), ~positive.long()):
            first, second = x[positive.long()], x[other]
            s = cls.within(first, second, n + 2).sqrt()
            found.append(
                (
                    (first.mean(0) - second.mean(0)) / s,
                    "whole numbers choose rows by "
                    "their place, 0 and 1: choose by the booleans, `x[positive]`.",
                    2,
                )
            )
        return found  # fmt: skip
