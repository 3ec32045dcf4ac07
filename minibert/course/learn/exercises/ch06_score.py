"""Chapter 06: how right an answer is."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from minibert.course.learn.compare import compare
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.heads.spans import normalise_answer


def normalise(text: str) -> list[str]:
    """The words of an answer as SQuAD's script compares them."""
    return normalise_answer(text).split()


def loose(said: str, true: str) -> int:
    """How many words of the first answer stand in the second, however often."""
    words = normalise(true)
    return sum(word in words for word in normalise(said))


def in_place(said: str, true: str) -> int:
    """How many words are the same at the same place."""
    return sum(a == b for a, b in zip(normalise(said), normalise(true), strict=False))


class Score(Exercise):
    id = "06.f1"
    title = "How right is an answer?"
    minutes, difficulty, importance, points = 8, 2, 4, 3
    hints = (
        "`Counter(a) & Counter(b)` has the words of both, each with the smaller of its two counts.",
        "Precision is the shared words over those that were said, recall over those of the truth.",
        "Which of your divisions can be by zero? What is right where nobody says anything?",
    )
    default = 0.0
    example = ("a cat", "the cat")
    CASES = (
        ("The cat.", "a cat"), ("river Aire", "the Aire"), ("dog", "cat"), ("", ""), ("", "cat"),
        ("the old old mill", "old mill"), ("Ada Bell", "Bell, Ada"), ("in May 1912", "1912"),
        ("mill", ""), ("The", ""), ("old old mill", "old old"),
        ("mill of Ada", "Ada Bell, mill and inn"), ("old mill", "old inn, old mill, old barn"),
        ("old inn, mill and barn of Ada", "barn of Ada Bell"),
    )  # fmt: skip

    def check(self, f1: Callable[[str, str], float]) -> Right | Wrong:
        got: list[Any] = []
        for case in self.CASES:
            try:
                got.append(f1(*case))
            except ZeroDivisionError:
                empty = not normalise(case[0]) and not normalise(case[1])
                return Wrong("divided by zero on two empty texts: nothing was asked and nothing "
                             "said, which is right, so 1." if empty else "divided by zero where no "
                             "word is shared: F1 is 0 there.", 2)  # fmt: skip
        got = [x.item() if torch.is_tensor(x) and x.numel() == 1 else x for x in got]
        if any(value is None for value in got):
            return Wrong("the answer is None: is there a `return`?")
        if any(not isinstance(value, int | float) for value in got):
            return Wrong("F1 of two texts should be one number.")
        want = [self.solve(*case) for case in self.CASES]
        told = compare(got, want, self.mistakes(want), what="the list of F1 of some answers",
                       right="An empty answer is right where the truth is empty: so SQuAD 2.0 "
                       "counts “no answer”.")  # fmt: skip
        return told

    SLIPS: tuple[tuple[Any, ...], ...] = (
        ({"clean": str.split}, "the words are compared as they stand: `normalise` both first.",
         1),
        ({"bag": lambda words: Counter(set(words))},
         "a word that is said twice counts once: use a Counter, not a set.", 2),
        ({"clean": lambda t: [*" ".join(normalise(t))]},
         "letters are compared: `normalise` gives a list of words.", 1),
        ({"clean": lambda t: normalise(t.lower())[::1] if t.strip() else [""]},
         "an empty text has no words, not one empty word.", 2),
    )  # fmt: skip

    def mistakes(self, want: list[float]) -> list[tuple]:
        cases = self.CASES
        said, true = ([len(normalise(case[part])) for case in cases] for part in (0, 1))
        both = [a + b == 0 for a, b in zip(said, true, strict=True)]
        empty = "on two empty texts F1 is 1: no answer was right, and none was given."
        made = [([self.solve(*case, **how) for case in cases], *told) for how, *told in self.SLIPS]
        made += self.slips(want)
        zero = [([0.0 if none else v for v, none in zip(values, both, strict=True)], *told)
                for values, *told in made]  # fmt: skip
        lone = [1.0 if not a or not b else f for f, a, b in zip(want, said, true, strict=True)]
        return [
            ([0.0 if none else v for v, none in zip(want, both, strict=True)], empty, 2),
            ([0.0 if not a and not b and not x else v for v, a, b, x in
              zip(want, said, true, [c[0] for c in cases], strict=True)], empty, 2),
            ([0.0 if c == ("The", "") else v for v, c in zip(want, cases, strict=True)],
             "“The” has no word that counts: `normalise` first, then ask whether it is empty.", 2),
            (lone, "one empty text and one that is not: nothing is shared, so F1 is 0.", 2),
            *made, *zero,
        ]  # fmt: skip

    def slips(self, want: list[float]) -> list[tuple]:
        """What other scores give, 1 where both are empty."""
        cases = self.CASES
        said, true = ([len(normalise(case[part])) for case in cases] for part in (0, 1))
        shared = [f * (a + b) / 2 for f, a, b in zip(want, said, true, strict=True)]
        both = [a + b == 0 for a, b in zip(said, true, strict=True)]

        def over(sizes):
            rows = zip(shared, sizes, both, strict=True)
            return [1.0 if none else s / n if n else 0.0 for s, n, none in rows]

        single = [len({*normalise(a)} & {*normalise(b)}) for a, b in cases]
        exact = [float(normalise(a) == normalise(b)) for a, b in cases]
        return [
            ([1.0 if none else 2 * s / (a + b) for s, a, b, none in
              zip(single, said, true, both, strict=True)],
             "a word that both say twice is shared twice: use a Counter, not a set.", 2),
            (exact, "that is the exact match: F1 gives a share for a part.", 1),
            (over(said), "that is the precision: F1 is the harmonic mean of both.", 2),
            (over(true), "that is the recall: F1 is the harmonic mean of both.", 2),
            ([(a + b) / 2 for a, b in zip(over(said), over(true), strict=True)],
             "that is the arithmetic mean of precision and recall: take the harmonic one.", 2),
            ([1.0 if none else s / max(1, a + b - s) for s, a, b, none in
              zip(shared, said, true, both, strict=True)], "that is the shared words over all "
             "different ones: F1 has 2 * shared over the sum of both numbers.", 2),
            ([1.0 if none else 2 * loose(*case) / max(1, a + b) for case, a, b, none in
              zip(cases, said, true, both, strict=True)], "a word is shared as often as both have "
             "it, not as often as one has: `Counter(a) & Counter(b)`.", 2),
            ([1.0 if none else 2 * in_place(*case) / max(1, a + b) for case, a, b, none in
              zip(cases, said, true, both, strict=True)],
             "the words are compared place by place: their order does not count.", 2),
            *((over([one(a, b) for a, b in zip(said, true, strict=True)]), f"divided by the {name} "
               "of both lengths: F1 has 2 * shared over their sum.", 2)
              for one, name in ((min, "smaller"), (max, "larger"))),
            ([value / 2 for value in want], "half the right value: F1 has a factor 2.", 2),
            ([100 * value for value in want], "these are percents: a share was asked for.", 2),
        ]  # fmt: skip

    @staticmethod
    def solve(said: str, true: str, clean: Callable = normalise, bag: Callable = Counter) -> float:
        ours, theirs = bag(clean(said)), bag(clean(true))
        shared = sum((ours & theirs).values())
        total = sum(ours.values()) + sum(theirs.values())
        return 2 * shared / total if total else 1.0
