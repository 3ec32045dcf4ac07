"""Exercises of chapter 04 on positions."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Written, Wrong
from minibert.course.learn.exercises.ch04_tried import foreign


class Order(Written):
    id = "04.order"
    title = "Why the causal mask tells order (optional)"
    minutes, difficulty, importance, points = 8, 4, 3, 3
    hints = (
        "What is the set of tokens that the third position can look at, with and without the mask?",
        "Suppose the two words of *dog bites* change places. Whose set changes?",
    )
    rubric = """
- 1 point: with no mask and no marks each position finds a mixture over the same *set* of keys, and
  a sum does not depend on its order; a permuted input gives the same states, permuted.
- 1 point: with the causal mask position i sees only the first i tokens, so that its set, and with
  it what it finds, depends on what stands before: order is in the nested sets.
- 1 point: says a limit or a test: e.g. the first layer still cannot tell the order *within* what it
  sees (the last position sees the same set whichever way), so that more than one layer is needed;
  or a test by permuting the input and comparing the states at the last position.
"""


class Sinusoids(Exercise):
    id = "04.sinusoids"
    title = "A clock with many hands (optional)"
    minutes, difficulty, importance, points = 10, 3, 3, 3
    hints = (
        "One rate for every pair of columns: `rate = 10000 ** (-torch.arange(0, dim, 2) / dim)`.",
        "Every position times every rate: `torch.arange(length)[:, None] * rate`, "
        "`(length, dim / 2)`.",
        "Even columns are sines, odd ones cosines: `table[:, 0::2] = angle.sin()`.",
    )
    default = torch.zeros(2, 4)
    example = (2, 4)

    def check(self, sinusoids: Callable[..., Any]) -> Right | Wrong:
        length, dim = 9, 6
        right = "The first pair turns once in about 6 positions, the last in thousands."
        got = sinusoids(length, dim)
        if strange := foreign(got, "the table"):
            return strange
        verdict = compare(got, self.solve(length, dim), self.mistakes(length, dim), tolerance=1e-4,
                          what="the table", right=right)  # fmt: skip
        for other in ((4, 10), (12, 2)):
            if isinstance(verdict, Right) and not same(sinusoids(*other), self.solve(*other), 1e-4):
                return Wrong(f"right for (9, 6), but not for {other}: use both arguments.", 2)
        return verdict

    @classmethod
    def mistakes(cls, length: int, dim: int) -> list[tuple]:
        at, pairs = torch.arange(length)[:, None], torch.arange(0, dim, 2)
        rate = 10_000 ** (-pairs / dim)
        angle = at * rate
        halved = at * 10_000 ** (-torch.arange(dim // 2) / dim)
        late = (at + 1) * rate
        columns = at * 10_000 ** (-torch.arange(dim) / dim)
        twice = at * 10_000 ** (-2 * torch.arange(dim) / dim)
        return [
            (torch.cat((angle.sin(), angle.cos()), 1),
             "all sines, then all cosines: many libraries do so, and it works as well; the paper "
             "has them in turn.", 2),
            (cls.woven(angle.cos(), angle.sin()), "sine and cosine have changed places.", 2),
            (cls.turned(halved),
             "the exponent is 2i / dim: the rates fall only half as far as they should.", 2),
            (cls.turned(late), "the first position is number 0.", 2),
            (cls.woven(columns[:, 0::2].sin(), columns[:, 1::2].cos()),
             "a sine and its cosine turn at one rate, that of the even column.", 2),
            (cls.woven(twice[:, 0::2].sin(), twice[:, 1::2].cos()),
             "2i is the number of the even column: i counts pairs of columns.", 2),
            (at * 10_000 ** (pairs / dim),
             "these are angles, and the rates grow: divide by 10000^(2i / dim).", 1),
            (angle, "these are the angles: take their sines and cosines.", 1),
            (cls.turned(at / rate),
             "the rates grow instead of falling: divide by 10000^(2i / dim).", 1),
            (cls.woven(angle.sin(), angle.sin()), "the odd columns are cosines.", 2),
            (cls.turned(torch.deg2rad(angle)),
             "these angles are taken as degrees: sine and cosine want them as they are.", 2),
            *cls.wrong_rates(at, dim),
            (cls.turned(2 * torch.pi * angle), "no 2 pi: sine and cosine want the angles as they "
             "are.", 2),
            (cls.turned(angle / length), "the positions are divided by the length.", 2),
            (cls.woven(angle.sin(), -angle.cos()), "the cosines have no minus.", 2),
            (cls.woven(angle, angle), "these are the angles: take their sines and cosines.", 1),
        ]  # fmt: skip

    @classmethod
    def turned(cls, angle: Tensor) -> Tensor:
        """Sines and cosines of these angles in turn."""
        return cls.woven(angle.sin(), angle.cos())

    @classmethod
    def wrong_rates(cls, at: Tensor, dim: int) -> list[tuple]:
        """Tables of positions ``at`` whose pairs turn at other rates."""
        pairs = torch.arange(0, dim, 2)
        return [
            *((cls.turned(at * base ** (-pairs / dim)), f"{base} is not the base: 10000.", 2)
              for base in (100, 1_000, 100_000)),
            (cls.turned(at * 10_000 ** (-pairs / (dim - 1))),
             "the exponent is 2i / dim, not 2i / (dim - 1).", 2),
            (cls.turned(at * 10_000 ** (-torch.arange(dim // 2) / (dim // 2 - 1))),
             "the exponent is 2i / dim: here the last pair turns 10000 times slower than the "
             "first, as in some libraries; the paper's is a little faster.", 2),
            (cls.turned(at * 10_000 ** (-2 * pairs / dim)),
             "the exponent is twice too large: the even columns are 2i already.", 2),
            (cls.turned(at * 10_000 ** (-(pairs + 2) / dim)),
             "the first pair is number 0: its rate is 1.", 2),
            (cls.turned(at * 10_000 ** (-(pairs // dim))),
             "`//` drops the fraction, so that all pairs turn alike: use `/`.", 2),
        ]  # fmt: skip

    @classmethod
    def solve(cls, length: int, dim: int) -> Tensor:
        angle = torch.arange(length)[:, None] * 10_000 ** (-torch.arange(0, dim, 2) / dim)
        return cls.turned(angle)

    @staticmethod
    def woven(even: Tensor, odd: Tensor) -> Tensor:
        return torch.stack((even, odd), -1).flatten(1)


class LookBack(Exercise):
    id = "04.look_back"
    title = "A head by hand: look one position back (optional)"
    minutes, difficulty, importance, points = 15, 4, 4, 4
    hints = (
        "Turn the hand of each clock back: sin(a - b) = sin a cos b - cos a sin b, and cos(a - b) "
        "= cos a cos b + sin a sin b. Here b = steps * rate, another one for each pair.",
        "Rows of `matrix` belong to what goes in, columns to what comes out. Column 2i, the sine, "
        "takes cos(b) of row 2i and -sin(b) of row 2i + 1.",
        "Column 2i + 1, the cosine, takes sin(b) of row 2i and cos(b) of row 2i + 1.",
    )
    default = torch.eye(4)
    example = (1, 4)

    def check(self, look_back: Callable[..., Any]) -> Right | Wrong:
        for steps, dim in ((1, 8), (3, 8), (2, 6), (1, 2), (1, 32)):
            marks = Sinusoids.solve(40, dim)
            got = look_back(steps, dim)
            if strange := foreign(got, "the matrix"):
                return strange
            if not torch.is_tensor(got) or got.shape != (dim, dim):
                return compare(got, torch.eye(dim), what="the matrix")
            mistakes = self.mistakes(steps, dim, marks)
            verdict = compare(marks[steps:] @ got, marks[:-steps], mistakes,
                              tolerance=2e-3, what=f"marks[{steps}:] @ matrix")  # fmt: skip
            if not isinstance(verdict, Right):
                return verdict
        return Right("One matrix for all positions: how far back is a matter of angles alone.")

    @classmethod
    def mistakes(cls, steps: int, dim: int, marks: Tensor) -> list[tuple]:
        matrix, later = cls.solve(steps, dim), marks[steps:]
        one, angle = torch.eye(dim), steps * 10_000 ** (-torch.arange(0, dim, 2) / dim)
        return [
            (later @ matrix.T, "this turns the hands forward, so the head looks ahead: change the "
             "signs of the sines (marks stand on the left of the matrix).", 2),
            (later @ cls.solve(1, dim), "right for one step back: use `steps`.", 3),
            (later @ cls.turn(angle[:1].expand(dim // 2)),
             "all pairs turn at the rate of the first: each has its own.", 2),
            (later @ cls.turn(10_000 ** (-torch.arange(0, dim, 2) / dim) ** steps),
             "the angle is steps * rate, not a power of it.", 2),
            (later @ torch.diag(angle.cos().repeat_interleave(2)),
             "the sines are missing: each column takes from both of its pair.", 1),
            (later @ matrix.abs(), "one of the sines needs a minus.", 2),
            (later @ one.roll(steps, 0), "this moves columns: turn each pair of them instead.", 1),
            (later @ one.roll(-steps, 0), "this moves columns: turn each pair of them instead.", 1),
            (later @ cls.turn(steps * 10_000 ** (-torch.arange(dim // 2) / dim)),
             "the exponent is 2i / dim: use the rates of `sinusoids`.", 2),
            (later @ (steps * cls.solve(1, dim)), "steps times the matrix makes the marks larger: "
             "turn the angle, steps * rate.", 2),
            (later @ cls.halves(angle), "this is for all sines first, then all cosines: here they "
             "come in turn.", 2),
            *((later @ part, "half of the matrix is missing: each column takes from both of its "
               "pair.", 1) for part in (matrix.tril(), matrix.triu())),
            (later @ cls.turn(torch.pi / 2 - angle), "sine and cosine have changed places.", 1),
        ]  # fmt: skip

    @classmethod
    def solve(cls, steps: int, dim: int) -> Tensor:
        return cls.turn(steps * 10_000 ** (-torch.arange(0, dim, 2) / dim))

    @staticmethod
    def halves(angle: Tensor) -> Tensor:
        """(dim, dim): the same turn for marks with all sines before all cosines."""
        sin, cos = angle.sin().diag(), angle.cos().diag()
        return torch.cat((torch.cat((cos, sin), 1), torch.cat((-sin, cos), 1)))

    @staticmethod
    def turn(angle: Tensor) -> Tensor:
        """(dim, dim): each pair of columns turned back by its angle."""
        sin, cos = angle.sin(), angle.cos()
        blocks = torch.stack((cos, sin, -sin, cos), -1).view(-1, 2, 2)
        return torch.block_diag(*blocks)
