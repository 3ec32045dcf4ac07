"""Chapter 09: the loss of the structural probe, and taking directions out of states."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.bert_losses import DETACHED, Trained
from minibert.course.learn.exercises.kept import CHANGED, kept


class TreeLoss(Trained):
    id = "09.structural_loss"
    title = "The loss of the structural probe"
    minutes, difficulty, importance, points = 10, 3, 5, 4
    hints = (
        "`z = h @ B` first, (n, rank): then a distance is one between rows of z.",
        "`z[:, None] - z[None, :]` has the shape (n, n, rank): all differences at once.",
        "Square, sum over the last axis, take away `gold`, `.abs().mean()`.",
    )

    @staticmethod
    def case(seed: int = 3, n: int = 5) -> tuple[Tensor, Tensor, Tensor]:
        g = torch.Generator().manual_seed(seed)
        places = torch.arange(n)
        gold = (places[:, None] - places[None, :]).abs().clamp(max=3).float()
        return torch.randn(n, 4, generator=g), torch.randn(4, 3, generator=g), gold

    def untouched(self, seen: Any) -> bool:
        value = seen(*self.case())["loss"]
        number = torch.is_tensor(value) or isinstance(value, float)
        return value is None or value is Ellipsis or (number and same(value, 0.0))

    def check(self, seen: Any) -> Right | Wrong:
        for seed, n in ((3, 5), (4, 7)):
            case = self.case(seed, n)
            found = seen(*case)
            if found["changed"]:
                return Wrong(CHANGED, 2)
            told = compare(found["loss"], self.solve(*case), self.mistakes(*case), what="the loss")
            if not isinstance(told, Right):
                return told
            if not all(found["gradients"][:2]):
                return Wrong(DETACHED, 2)
            if not found["finite"]:
                return Wrong("the value is right, but its gradient is not a number: a root has no "
                             "slope at distance 0, and each word is at 0 from itself. Leave the "
                             "root out, since you square it again.", 2)  # fmt: skip
        return Right("Rotate B's columns, and nothing changes: only distances count.")

    @staticmethod
    def solve(h: Tensor, B: Tensor, gold: Tensor) -> Tensor:
        z = h @ B
        return ((z[:, None] - z[None, :]).square().sum(-1) - gold).abs().mean()

    @staticmethod
    def mistakes(h: Tensor, B: Tensor, gold: Tensor) -> list[tuple]:
        """What known mistakes give."""
        z, n = h @ B, len(h)
        difference = z[:, None] - z[None, :]
        squared = difference.square().sum(-1)
        errors, above = squared - gold, torch.ones(n, n).triu(1) > 0
        plain = (h[:, None] - h[None, :]).square().sum(-1)
        return [
            ((squared.sqrt() - gold).abs().mean(), "the distance is not squared: without the root, "
             "||.||^2 is the number of arcs.", 2),
            (errors.mean(), "the absolute value is missing: errors cancel each other.", 2),
            (errors.square().mean(), "squared errors: the absolute ones are asked for.", 2),
            (errors.abs().sum(), "that is the sum: divide by n^2.", 3),
            (errors.abs().sum() / n, "divided by n: there are n^2 pairs.", 3),
            (errors.abs()[above].mean(), "the mean of the pairs i < j: the formula has all n^2, "
             "each pair twice and the diagonal.", 3),
            (errors.abs()[above].sum() / n**2, "each pair once: the formula has it twice.", 3),
            ((plain - gold).abs().mean(), "`B` is not used.", 1),
            ((difference.abs().sum(-1) - gold).abs().mean(),
             "sums of absolute differences: squares are asked for.", 2),
            ((difference.square().mean(-1) - gold).abs().mean(),
             "the mean over the columns of B: a squared distance is their sum.", 2),
            ((z @ z.T - gold).abs().mean(),
             "products of vectors, not distances between them.", 1),
            ((squared - gold.square()).abs().mean(),
             "gold is squared, too: only the distance after B is.", 2),
            (squared.mean(), "`gold` is not used.", 1),
            (errors.square().mean().sqrt(), "the root of the mean square: the mean of absolute "
             "errors is asked for.", 2),
        ]  # fmt: skip


class Erase(Exercise):
    id = "09.erase"
    title = "Take a property out (optional)"
    minutes, difficulty, importance, points = 10, 4, 3, 4
    hints = (
        "For one direction u of length 1, `x - (x @ u) u` has nothing left along u.",
        "Taking away each direction's part separately takes too much where they are not at right "
        "angles. `Q, _ = torch.linalg.qr(directions.T)` gives columns at right angles that span "
        "the same space.",
        "What lies in that space is `(H - mean) @ Q @ Q.T`.",
    )

    @staticmethod
    def case(seed: int = 6, k: int = 2) -> tuple[Tensor, Tensor]:
        g = torch.Generator().manual_seed(seed)
        H, directions = torch.randn(7, 5, generator=g) + 2, 2 * torch.randn(k, 5, generator=g)
        directions[-1] += 1.5 * directions[0]
        return H, directions

    def untouched(self, erase: Callable[..., Any]) -> bool:
        H, directions = self.case()
        got = erase(H.clone(), directions)
        return got is None or same(got, H)

    def check(self, erase: Callable[..., Any]) -> Right | Wrong:
        for seed, k in ((6, 2), (7, 1), (8, 3)):
            H, directions = self.case(seed, k)
            got, changed = kept(erase, H, directions)
            if changed:
                return Wrong(CHANGED, 2)
            told = compare(got, self.solve(H, directions), self.mistakes(H, directions), 1e-4,
                           what=f"with {k} directions, the result")  # fmt: skip
            if not isinstance(told, Right):
                return told
        return Right("Whatever a linear probe sees along these directions is now the same for all.")

    @staticmethod
    def solve(H: Tensor, directions: Tensor) -> Tensor:
        Q, _ = torch.linalg.qr(directions.T)
        return H - (H - H.mean(0)) @ Q @ Q.T

    @staticmethod
    def mistakes(H: Tensor, directions: Tensor) -> list[tuple]:
        """What known mistakes give."""
        mean, Q = H.mean(0), torch.linalg.qr(directions.T)[0]
        unit = directions / directions.norm(dim=1, keepdim=True)
        centred = H - mean
        inside = centred @ Q @ Q.T
        first = unit[:1]

        def alone(rows: Tensor) -> Tensor:
            for u in unit:
                rows = rows - (rows @ u)[:, None] * u
            return rows

        return [
            (H - H @ Q @ Q.T, "the mean is erased, too: take it away before, add it after.", 2),
            (centred - inside, "the mean is not put back.", 3),
            (inside + mean, "that is what should go: take it away from H.", 2),
            (inside, "that is what should go: take it away from H.", 2),
            (alone(H), "one direction after the other, which brings back some of the first, as "
             "they are not at right angles; and the mean goes, too.", 1),
            (H - H @ unit.T @ unit, "each direction is taken away by itself, though they are not "
             "at right angles; and the mean goes, too.", 1),
            (H - centred @ unit.T @ unit, "each direction is taken away by itself: they are not at "
             "right angles, so take the space that they span (`torch.linalg.qr`).", 2),
            (alone(centred) + mean, "one direction after the other: taking away the second brings "
             "back some of the first, as they are not at right angles.", 2),
            (H - centred @ directions.T @ directions,
             "the directions are not of length 1: divide them by their norm, or use `qr`.", 1),
            (H - H @ directions.T @ directions,
             "the directions are not of length 1: divide them by their norm, or use `qr`.", 1),
            (H - centred @ first.T @ first, "only the first direction is gone.", 1),
            (H - H @ first.T @ first, "only the first direction is gone, and the mean with it.", 1),
            (H - 2 * inside, "taken away twice: that mirrors the rows.", 1),
            (H + inside, "added: take it away.", 1),
            (H - H.mean(0), "the mean is gone, and the directions are still there.", 1),
            (mean.expand_as(H), "everything is gone: only what lies along the directions.", 1),
            *Erase.other_spaces(H, directions),
        ]  # fmt: skip

    @staticmethod
    def other_spaces(H: Tensor, directions: Tensor) -> list[tuple]:
        """Mistakes in what is erased, or in the mean that is put back."""

        def along(base: Tensor, middle: Tensor | None = None) -> Tensor:
            Q, _ = torch.linalg.qr(base.T)
            middle = H.mean(0) if middle is None else middle
            return H - (H - middle) @ Q @ Q.T

        return [
            (along(directions[-1:]), "only the last direction is gone: all of them, at once.", 1),
            (along(directions.sum(0)[None]),
             "only the sum of the directions is gone: take the space that they span.", 1),
            (along(directions, H.mean()), "one mean of all numbers: one for each column, "
             "`H.mean(0)`.", 2),
            (along(directions, H.mean(1, keepdim=True)), "a mean for each row: one for each "
             "column, `H.mean(0)`.", 2),
        ]  # fmt: skip
