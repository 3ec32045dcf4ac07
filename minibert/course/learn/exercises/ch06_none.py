"""Chapter 06: a span as the answer, or none."""

from typing import Any

import torch

from minibert.course.learn.exercise import Right, Wrong
from minibert.course.learn.exercises.ch06_spans import BestSpan, places
from minibert.course.learn.exercises.ch06_words import Watched
from minibert.course.learn.exercises.kept import CHANGED


class NoAnswer(Watched):
    id = "06.no_answer"
    title = "An answer, or none"
    minutes, difficulty, importance, points = 8, 3, 4, 3
    hints = (
        "Call `best_span` on the part of both tensors that belongs to the passage: from `passage` "
        "to before the last `[SEP]`.",
        "Its positions count from the beginning of the passage. Which number is missing?",
        "Compare the score of that span with the score of the span `(0, 0)`, plus `tau`.",
    )

    EQUAL = (torch.tensor([1.0, 0, 3, 0]), torch.tensor([0.0, 0, 1, 0]), 2, 1, 3.0)

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> what goes wrong, as `solve` takes it."""
        return {
            "the threshold is ignored: compare with the score of `[CLS]` plus `tau`.": {"tau": 0.0},
            "the sign of `tau` is turned round: a higher one should give fewer answers.":
                {"sign": -1},
            "no answer is never given: compare with the score of the span (0, 0).": {"never": True},
            "the positions count from the beginning of the passage: add `passage`.": {"shift": 0},
            "the question is searched, too: an answer comes from the passage.": {"begin": 1},
            "`[CLS]` and the question are searched, too.": {"begin": 0},
            "all tokens, the last `[SEP]` as well, are searched: an answer comes from the passage.":
                {"begin": 0, "stop": None},
            "no answer is `None`, not the span (-1, -1).": {"none": (-1, -1)},
            "the best start and the best end are taken apart: call `best_span`.": {"apart": True},
            "starts and ends are swapped.": {"exchange": True},
            "the score of no answer is that of position 0, `[CLS]`, not of the last `[SEP]`.":
                {"at": -1},
            "the score of no answer is that of position 0, `[CLS]`, not of the `[SEP]` before the "
            "passage.": {"before": True},
            "the score of no answer is that of position 0, `[CLS]`, not of the first token of the "
            "passage.": {"first": True},
            "only the ends are compared: compare the sums of both scores.": {"ends": True},
            "`tau` is added to the score of `[CLS]`, not multiplied by it.": {"times": True},
            "a limit of its own: `tau` is how far the best span must lie above `[CLS]`.":
                {"limits": True},
            "`tau` counts twice: it is added once, to the sum of both scores.": {"twice": True},
            "only the starts are compared: compare the sums of both scores.": {"half": True},
            "the last `[SEP]` belongs to no passage: leave it out.": {"stop": None},
            "the score of `[CLS]` is that of the start alone: add both scores.": {"null": (1, 0)},
            "the score of `[CLS]` is that of the end alone: add both scores.": {"null": (0, 1)},
            "the score of `[CLS]` is left out: compare with it, plus `tau`.": {"null": (0, 0)},
            "the score of `[CLS]` is a sum of two, not their mean.": {"null": (0.5, 0.5)},
            "no answer is `None`, not the span (0, 0).": {"none": (0, 0)},
            "turned round: no answer where the best span is clearly better.": {"swap": True},
            "`longest` is ignored.": {"longest": 99},
            "one token too many: `passage` is the position of its first token.": {"late": 1},
        }  # fmt: skip

    def untouched(self, find: Any) -> bool:
        got = [find(*case)[0] for case in self.cases()[:20]]
        return all(one is ... or places(one) == (0, 0) for one in got)

    @classmethod
    def cases(cls) -> list[tuple]:
        g = torch.Generator().manual_seed(8)
        draws = [(2 * torch.randn(12, generator=g), 2 * torch.randn(12, generator=g))
                 for _ in range(72)]  # fmt: skip
        taus = (3.0, 0.0, -3.0, 1.5, 4.0, -4.0) * 12
        numbers = zip(draws, (3, 4, 5) * 24, (2, 4, 7, 3) * 18, taus, strict=True)
        return [(a, b, passage, longest, tau) for (a, b), passage, longest, tau in numbers]

    def check(self, find: Any) -> Right | Wrong:
        found = []
        for case in self.cases():
            got, changed = find(*case)
            if changed:
                return Wrong(CHANGED, 2)
            if got is not None and places(got) is None:
                return Wrong("expected a pair of positions, or None for no answer.", 1)
            found.append(places(got))
        want = [self.solve(*case) for case in self.cases()]
        if found == want:
            if find(*self.EQUAL)[0] is not None:
                return Wrong("a span that is better by exactly `tau` is no answer: `>`.", 2)
            return Right("One number, tau, decides how sure the model must be. It is chosen on "
                         "validation questions.")  # fmt: skip
        for message, how in self.mistakes().items():
            if found == [self.solve(*case, **how) for case in self.cases()]:
                return Wrong(message, 2)
        if all(one is None for one in found):
            return Wrong("there is never an answer.")
        if all((a is None) == (b is None) for a, b in zip(found, want, strict=True)):
            return Wrong("answer and no answer are right; the positions of the spans are not.", 2)
        right = sum(a == b for a, b in zip(found, want, strict=True))
        return Wrong(f"right in {right} of {len(want)} cases.", 1)

    @staticmethod
    def solve(*case: Any, **how: Any) -> tuple[int, int] | None:
        """The span or None of a case, the arguments of an answer; ``how``: what goes wrong."""
        starts, ends, passage, most, threshold = case
        if how.get("exchange"):
            starts, ends = ends, starts
        begin, stop = how.get("begin", passage) + how.get("late", 0), how.get("stop", -1)
        a, b = starts[begin:stop], ends[begin:stop]
        i, j = BestSpan.solve(a, b, how.get("longest", most))
        if how.get("apart"):
            i, j = int(a.argmax()), int(b.argmax())
        ends = 0 * ends if how.get("half") else ends
        starts = 0 * starts if how.get("ends") else starts
        best, at = starts[begin + i] + ends[begin + j], how.get("at", 0)
        at = passage - 1 if how.get("before") else passage if how.get("first") else at
        first, second = how.get("null", (1, 1))
        nothing = first * starts[at] + second * ends[at]
        sign = 2 if how.get("twice") else how.get("sign", 1)
        answers = best > nothing + sign * how.get("tau", threshold)
        answers = best > nothing * threshold if how.get("times") else answers
        answers = best > max(nothing, threshold) if how.get("limits") else answers
        shift = how.get("shift", begin)
        if how.get("never") or bool(answers) != how.get("swap", False):
            return shift + i, shift + j
        return how.get("none")
