"""Exercises of chapter 04 on positions and on writing word by word."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Written, Wrong
from minibert.course.learn.exercises.ch04_tried import foreign


class Order(Written):
    id = "04.order"
    title = "Why the causal mask tells order"
    minutes, difficulty, importance, points = 8, 4, 3, 3
    hints = (
        "What is the set of tokens that the third position can look at, with and without the mask?",
        "Suppose the two words of *dog bites* change places. Whose set changes?",
    )
    rubric = """
- 1 point: without mask and positions each place finds a mixture over the same *set* of keys, and a
  sum does not depend on its order; a permuted input gives the same states, permuted.
- 1 point: with the causal mask position i sees only the first i tokens, so that its set, and with
  it what it finds, depends on what stands before: order is in the nested sets.
- 1 point: says a limit or a test: e.g. the first layer still cannot tell the order *within* what it
  sees (the last position sees the same set whichever way), so that more than one layer is needed;
  or a test by permuting the input and comparing the states at the last position.
"""


class Sinusoids(Exercise):
    id = "04.sinusoids"
    title = "A clock with many hands"
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
        places, pairs = torch.arange(length)[:, None], torch.arange(0, dim, 2)
        rate = 10_000 ** (-pairs / dim)
        angle = places * rate
        halved = places * 10_000 ** (-torch.arange(dim // 2) / dim)
        late = (places + 1) * rate
        columns = places * 10_000 ** (-torch.arange(dim) / dim)
        twice = places * 10_000 ** (-2 * torch.arange(dim) / dim)
        return [
            (torch.cat((angle.sin(), angle.cos()), 1),
             "all sines, then all cosines: many libraries do so, and it works as well; the paper "
             "has them in turn.", 2),
            (cls.woven(angle.cos(), angle.sin()), "sine and cosine have changed places.", 2),
            (cls.woven(halved.sin(), halved.cos()),
             "the exponent is 2i / dim: the rates fall only half as far as they should.", 2),
            (cls.woven(late.sin(), late.cos()), "the first position is number 0.", 2),
            (cls.woven(columns[:, 0::2].sin(), columns[:, 1::2].cos()),
             "a sine and its cosine turn at one rate, that of the even column.", 2),
            (cls.woven(twice[:, 0::2].sin(), twice[:, 1::2].cos()),
             "2i is the number of the even column: i counts pairs of columns.", 2),
            (places * 10_000 ** (pairs / dim),
             "these are angles, and the rates grow: divide by 10000^(2i / dim).", 1),
            (angle, "these are the angles: take their sines and cosines.", 1),
            (cls.woven((places / rate).sin(), (places / rate).cos()),
             "the rates grow instead of falling: divide by 10000^(2i / dim).", 1),
            (cls.woven(angle.sin(), angle.sin()), "the odd columns are cosines.", 2),
            (cls.woven(torch.deg2rad(angle).sin(), torch.deg2rad(angle).cos()),
             "these angles are taken as degrees: sine and cosine want them as they are.", 2),
        ]  # fmt: skip

    @classmethod
    def solve(cls, length: int, dim: int) -> Tensor:
        angle = torch.arange(length)[:, None] * 10_000 ** (-torch.arange(0, dim, 2) / dim)
        return cls.woven(angle.sin(), angle.cos())

    @staticmethod
    def woven(even: Tensor, odd: Tensor) -> Tensor:
        return torch.stack((even, odd), -1).flatten(1)


class LookBack(Exercise):
    id = "04.look_back"
    title = "A head by hand: look one position back"
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
            (later @ cls.turn(torch.pi / 2 - angle), "sine and cosine have changed places.", 1),
        ]  # fmt: skip

    @classmethod
    def solve(cls, steps: int, dim: int) -> Tensor:
        return cls.turn(steps * 10_000 ** (-torch.arange(0, dim, 2) / dim))

    @staticmethod
    def turn(angle: Tensor) -> Tensor:
        """(dim, dim): each pair of columns turned back by its angle."""
        sin, cos = angle.sin(), angle.cos()
        blocks = torch.stack((cos, sin, -sin, cos), -1).view(-1, 2, 2)
        return torch.block_diag(*blocks)


class Greedy(Exercise):
    id = "04.greedy"
    title = "Write word by word"
    minutes, difficulty, importance, points = 12, 3, 4, 4
    hints = (
        "Keep a list that begins as `[start_id]`. In each step, ask `next_scores` about the whole "
        "list, and append the best id: `int(scores.argmax())`.",
        "Stop as soon as the best id is `end_id`, or after `steps` words.",
        "Give back what was written, without the start and without the end.",
    )
    default = ()
    calls = 40  # more than any right answer asks

    def untouched(self, greedy: Callable[..., Any]) -> bool:
        try:
            got = greedy(self.writer([]), 1, 2, 3)
        except Exception:
            return False  # the check says what is wrong
        return got is None or (isinstance(got, list | tuple) and not len(got))

    @classmethod
    def writer(
        cls, words: list[int], shift: float = 0.0, wrong: list[str] | None = None
    ) -> Callable[[Any], Tensor]:
        """(A function: what was written -> scores of the next id, negative below ``shift`` 0).

        After ``[1]`` it wants ``words``, one after the other, if it sees all that was written;
        after anything else it wants 7. What it cannot answer it raises, and notes in ``wrong``.
        """
        asked: list[Any] = []
        wrong = [] if wrong is None else wrong

        def next_scores(written: Any) -> Tensor:
            asked.append(None)
            if len(asked) > cls.calls:
                wrong.append("it does not stop after `steps` words.")
            if not isinstance(written, list | tuple):
                wrong.append("`next_scores` takes a list of ids.")
            if wrong:
                raise ValueError(wrong[0])
            written = [int(i) for i in written]
            count = len(written) - 1
            fits = 0 <= count < len(words) and written == [1, *words[:count]]
            scores = torch.full((9,), shift - 2.0)
            scores[words[count] if fits else 7] = shift - 1.0
            scores[8] = shift - 3.0
            return scores

        return next_scores

    def check(self, greedy: Callable[..., Any]) -> Right | Wrong:
        wrong: list[str] = []
        try:
            return self.tried(greedy, wrong)
        except Exception:
            if not wrong:
                raise
        return Wrong(wrong[0], 1)

    def tried(self, greedy: Callable[..., Any], wrong: list[str]) -> Right | Wrong:
        """The verdict; why the writer would not answer is added to ``wrong``."""
        words = [4, 4, 5, 3, 6]
        next_scores = self.writer([*words, 2], wrong=wrong)
        got = greedy(next_scores, 1, 2, 10)
        got = got.tolist() if torch.is_tensor(got) else got
        got = [int(i) for i in got] if isinstance(got, list | tuple) else got
        short = greedy(next_scores, 1, 2, 3)
        mistakes = [
            ([1, *words, 2], "start and end are in it: give back what stands between.", 3),
            ([1, *words], "the start is in it: it was given, not written.", 3),
            ([*words, 2], "the end is in it: stop before it.", 3),
            ([4] + [7] * 9, "each step sees too little: ask about *all* that was written.", 2),
            ([4] * 10, "each step gets the same input: append what was written.", 1),
            ([*words, 2, 7, 7, 7, 7], "it does not stop at the end.", 2),
            ([*words, 7, 7, 7, 7], "the end is skipped, but it does not stop there.", 2),
            ([7] * 10, "is the start, `start_id`, what the first step is asked about?", 1),
            ([8] * 10, "that is the worst word each time: argmax, not argmin.", 1),
            (words[:1], "only one word is written: repeat it.", 1),
            (list(dict.fromkeys(words)), "a repeated word is left out: it may come twice.", 2),
            ([], "nothing is written: does the loop stop at once?", 0),
        ]  # fmt: skip
        verdict = compare(got, words, mistakes, what="what is written")
        if not isinstance(verdict, Right):
            return verdict
        if list(short) != words[:3]:
            return Wrong("right up to the end; but with steps=3 it must stop after 3 words.", 3)
        other = self.writer([3, 5, 0], shift=5.0, wrong=wrong)
        if list(greedy(other, 1, 0, 10)) != [3, 5]:
            return Wrong("right here, but not where the end is another id: use `end_id`.", 3)
        return Right("Greedy: the best word in each step. The best sentence may be another.")
