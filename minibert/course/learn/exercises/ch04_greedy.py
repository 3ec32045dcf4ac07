"""An exercise of chapter 04: write a text word by word."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import compare
from minibert.course.learn.exercise import Exercise, Right, Wrong


class Greedy(Exercise):
    id = "04.greedy"
    title = "Write word by word (optional)"
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
        cls, words: list[int], shift: float = 0.0, wrong: list[str] | None = None, start: int = 1
    ) -> Callable[[Any], Tensor]:
        """(A function: what was written -> scores of the next id, negative below ``shift`` 0).

        After ``[start]`` it wants ``words``, one after the other, if it sees all that was written;
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
            fits = 0 <= count < len(words) and written == [start, *words[:count]]
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

    @staticmethod
    def listed(got: Any) -> Any:
        """A list of whole numbers, where ``got`` is one or a tensor."""
        got = got.tolist() if torch.is_tensor(got) else got
        return [int(i) for i in got] if isinstance(got, list | tuple) else got

    def tried(self, greedy: Callable[..., Any], wrong: list[str]) -> Right | Wrong:
        """The verdict; why the writer would not answer is added to ``wrong``."""
        words = [4, 5, 5, 3, 6]
        got = self.listed(greedy(self.writer([*words, 2], wrong=wrong), 1, 2, 10))
        verdict = compare(got, words, self.mistakes(words), what="what is written")
        if not isinstance(verdict, Right):
            again = self.listed(greedy(self.writer([*words, 2], wrong=wrong), 1, 2, 10))
            if isinstance(got, list) and len(got) > 10:
                return Wrong("more than `steps` words: does each call begin with a new list?", 1)
            if got != again:
                return Wrong("another text at each call: take the *best* id, no random one.", 1)
            return verdict
        short = self.listed(greedy(self.writer([*words, 2], wrong=wrong), 1, 2, 3))
        if short != words[:3]:
            count = len(short) if isinstance(short, list) else 0
            tip = "; is the start counted, or the last word cut off?" if count == 2 else "."
            return Wrong("right up to the end; but with steps=3 it must stop after 3 words, and "
                         f"writes {count}{tip}", 3)  # fmt: skip
        other = self.writer([3, 5, 0], shift=5.0, wrong=wrong)
        if self.listed(greedy(other, 1, 0, 10)) != [3, 5]:
            return Wrong("right here, but not where the end is another id: use `end_id`.", 3)
        if self.listed(greedy(self.writer([3, 5, 2], wrong=wrong, start=6), 6, 2, 10)) != [3, 5]:
            return Wrong("right here, but not where the start is another id: use `start_id`.", 3)
        if self.listed(greedy(self.writer([2], wrong=wrong), 1, 2, 10)) != []:
            return Wrong("right here, but where the end comes first nothing is to be written: look "
                         "at each best id before you append it.", 3)  # fmt: skip
        return Right("Greedy: the best word in each step. The best sentence may be another.")

    @staticmethod
    def mistakes(words: list[int]) -> list[tuple]:
        return [
            ([1, *words, 2], "start and end are in it: give back what stands between.", 3),
            ([1, *words], "the start is in it: it was given, not written.", 3),
            ([*words, 2], "the end is in it: stop before it.", 3),
            ([4] + [7] * 9, "each step sees too little: ask about *all* that was written.", 2),
            ([4] * 10, "each step gets the same input: append what was written.", 1),
            ([*words, 2, 7, 7, 7, 7], "it does not stop at the end.", 2),
            ([*words, 7, 7, 7, 7], "the end is skipped, but it does not stop there.", 2),
            ([7] * 10, "is the start, `start_id`, what the first step is asked about?", 1),
            ([8] * 10, "that is the worst word each time: argmax, not argmin.", 1),
            ([-1] * 10, "these are scores, not ids: argmax, not max.", 1),
            (words[:1], "only one word is written: repeat it.", 1),
            (words[:-1], "the last word is missing: it is no end, and needs no cutting off.", 2),
            (words[1:], "the first word is missing: it was written, it is not the start.", 2),
            (words[-1], "that is the last word alone: give the list.", 2),
            (list(dict.fromkeys(words)), "a repeated word is left out: it may come twice.", 2),
            ([], "nothing is written: does the loop stop at once?", 0),
        ]  # fmt: skip
