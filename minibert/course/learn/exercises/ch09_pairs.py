"""Chapter 09: asking by behaviour: shares of pairs, and a score that gives nothing away."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, kept

LogP = Callable[[list[int], int, int], float]


class Pairs(Exercise):
    id = "09.pairs"
    title = "Minimal pairs, sorted"
    minutes, difficulty, importance, points = 5, 1, 4, 3
    hints = (
        "Go through `zip(good, bad, groups)` and collect the answers of each group in a list.",
        "An answer is `a > b`. What does `a >= b` say of a model that gives all sentences the "
        "same score?",
    )
    default: Any = {}  # noqa: RUF012
    example = ([-1.0, -2.0], [-2.0, -1.0], [0, 0])
    CASES: Any = (
        ([-5.0, -3.0, -2.0, -4.0, -7.0, -1.0, -6.0, -9.0],
         [-5.0, -4.0, -1.0, -4.5, -8.0, -3.0, -5.9, -8.0], [0, 0, 1, 1, 0, 2, 0, 3]),
        (np.array([-3.0, -2.5, -4.0, -3.0, -1.0]), np.array([-2.0, -2.5, -3.5, -3.01, -9.0]),
         ["verbs", "nouns", "verbs", "nouns", "verbs"]),
    )  # fmt: skip

    def check(self, share_right: Callable[..., Any]) -> Right | Wrong:
        for good, bad, groups in self.CASES:
            groups = list(groups)
            got, changed = kept(share_right, good, bad, groups)
            if changed:
                return Wrong(CHANGED, 1)
            want = self.solve(good, bad, groups)
            if not isinstance(got, dict):
                return Wrong(f"expected a dictionary {{label: share}}, got {got!r:.60}.", 1)
            if {*got} != {*want}:
                told = f"the keys should be the labels {sorted(want)}, not {sorted(got, key=str)}"
                if {*got} < {*want}:
                    told += ": a group without a right pair has the share 0"
                return Wrong(f"{told:.200}.", 1)
            names = list(want)
            shares, rights = ([one[name] for name in names] for one in (got, want))
            wrong = self.mistakes(good, bad, groups)
            told = compare(shares, rights, wrong, what=f"the shares of {names}")
            if not isinstance(told, Right):
                return told
        return Right("A model that cannot tell two sentences apart gets no point for a tie.")

    @staticmethod
    def solve(good: Sequence, bad: Sequence, groups: Sequence) -> dict:
        right = defaultdict(list)
        for a, b, group in zip(good, bad, groups, strict=True):
            right[group].append(float(a > b))
        return {group: sum(hits) / len(hits) for group, hits in right.items()}

    def mistakes(self, good: Sequence, bad: Sequence, groups: Sequence) -> list[tuple]:
        """What known mistakes give, in the order of the groups."""
        a, b, want = np.array(good), np.array(bad), self.solve(good, bad, groups)
        rows = [np.array([g == name for g in groups]) for name in want]

        def by(made: Callable[[np.ndarray], float]) -> list[float]:
            return [float(made(row)) for row in rows]

        return [
            (by(lambda r: (a >= b)[r].mean()), "a tie counts as a success here: equal scores mean "
             "that the model cannot tell them apart.", 2),
            (by(lambda r: ((a > b) + 0.5 * (a == b))[r].mean()),
             "a tie counts as half a success here: it is none.", 2),
            (by(lambda r: (a < b)[r].mean()),
             "turned round: these are the shares of pairs that are wrong. (Scores are negative: "
             "no `abs`.)", 1),
            (by(lambda r: (a <= b)[r].mean()),
             "turned round: these are the shares of pairs that are not right.", 1),
            (by(lambda r: (a > b)[r].sum()), "these are counts: divide by the group's pairs.", 2),
            (by(lambda r: (a > b)[r].sum() / len(a)),
             "divided by all pairs: divide by the pairs of the group.", 2),
            (by(lambda r: 100 * (a > b)[r].mean()), "a share lies between 0 and 1: no percent.", 2),
            (by(lambda r: (a > b).mean()), "every group has the share of all pairs.", 1),
            (by(lambda r: a[r].mean() > b[r].mean()),
             "this compares the means of the group: compare pair by pair.", 1),
            (by(lambda r: (a - b)[r].mean()),
             "that is the mean difference of the scores: count how often the good one is higher.",
             1),
            (by(lambda r: (a > b)[r][-1]),
             "only the last pair of each group counts: collect them all.", 1),
            (by(lambda r: (a > b)[r][0]),
             "only the first pair of each group counts: collect them all.", 1),
            (by(lambda r: (a > b)[r].sum() / max(1, (a != b)[r].sum())),
             "pairs with a tie are left out: they count as pairs that are not right.", 2),
            (by(lambda r: (a > b)[r].mean() - (a < b)[r].mean()),
             "a pair that is wrong counts as -1 here: it is 0.", 2),
            (by(lambda r: (a > b)[r].sum() / (a > b).sum()),
             "divided by all pairs that are right: divide by the pairs of the group.", 2),
            *self.rarer(by, a, b),
        ]  # fmt: skip

    @staticmethod
    def rarer(by: Callable[..., list[float]], a: np.ndarray, b: np.ndarray) -> list[tuple]:
        """Mistakes that few make."""
        return [
            (by(lambda r: (a > b)[r].any()), "one right pair makes the whole group right here: "
             "divide what is right by the pairs of the group.", 1),
            (by(lambda r: (a > b + 0.1)[r].mean()),
             "a small difference counts as a tie here: the higher score is right, by however "
             "little.", 2),
            (by(lambda r: (np.sort(a[r]) > np.sort(b[r])).mean()),
             "the scores are sorted within the group: compare each good sentence with its own bad "
             "one.", 1),
        ]  # fmt: skip


class FindTheBug(Exercise):
    id = "09.find_the_bug"
    title = "Find the bug: the name that costs nothing (optional)"
    minutes, difficulty, importance, points = 10, 3, 5, 3
    hints = (
        "Write down what the model reads when it is asked for the second piece of "
        "*feather ##stone ##haugh*. What tells it the answer?",
        "With *feather* and *##haugh* in sight, *##stone* is no surprise. Which of them would a "
        "reader know who reads from the left?",
        "Hide the piece that is scored and the later pieces of the same word: all places from "
        "`place` to the start of the next word.",
    )
    MASK = 99
    CASES = (
        ([4, 7, 8, 9, 3, 5, 6, 2], [0, 1, 4, 5, 7]),
        ([5, 3, 8, 2, 6, 1, 7, 4, 9], [0, 2, 3]),
    )

    @classmethod
    def log_p(cls, read: list[int], place: int, piece: int) -> float:
        """A made-up model, whose answer depends on what is hidden, on the rest and on the place."""
        hidden = sum((1.1 + 0.05 * place) ** i for i, one in enumerate(read) if one == cls.MASK)
        seen = sum((i + 2) * one for i, one in enumerate(read) if one != cls.MASK)
        told = 5.0 if read[place] != cls.MASK else 0.0
        return -(0.3 * piece + 0.1 * hidden + 0.001 * seen + 0.01 * place) + told

    def untouched(self, pseudo: Callable[..., Any]) -> bool:
        ids, starts = self.CASES[0]
        got = pseudo(self.log_p, list(ids), list(starts), self.MASK)
        return got is None or same(got, self.total(ids, lambda i: {i}))

    def check(self, pseudo: Callable[..., Any]) -> Right | Wrong:
        for ids, starts in self.CASES:
            given = list(ids), list(starts)
            got, changed = kept(pseudo, self.log_p, *given, self.MASK)
            if changed or given != (list(ids), list(starts)):
                return Wrong(CHANGED, 2)
            told = compare(got, self.solve(ids, starts), self.mistakes(ids, starts),
                           what="the sum")  # fmt: skip
            if not isinstance(told, Right):
                return told
        return Right("Within a word it now reads from the left, as a writer would; between words "
                     "it sees both sides.")  # fmt: skip

    @classmethod
    def total(cls, ids: Sequence[int], hidden: Callable[[int], Any]) -> float:
        """The sum where, at each place, these places are hidden."""
        found = 0.0
        for place, piece in enumerate(ids):
            out = set(hidden(place))
            read = [cls.MASK if i in out else one for i, one in enumerate(ids)]
            found += cls.log_p(read, place, piece)
        return found

    @classmethod
    def solve(cls, ids: Sequence[int], starts: Sequence[int]) -> float:
        return cls.total(ids, lambda i: range(i, cls.span(ids, starts, i)[1]))

    @staticmethod
    def span(ids: Sequence[int], starts: Sequence[int], place: int) -> tuple[int, int]:
        """(start, end) of the word at a place."""
        end = next((start for start in starts if start > place), len(ids))
        return max(start for start in starts if start <= place), end

    @classmethod
    def mistakes(cls, ids: Sequence[int], starts: Sequence[int]) -> list[tuple]:
        """What known mistakes give."""
        n, want = len(ids), cls.solve(ids, starts)
        ends = [cls.span(ids, starts, i) for i in range(n)]

        return [
            (cls.total(ids, lambda i: range(*ends[i])), "the whole word is hidden, the earlier "
             "pieces too: then the pieces of a name cost too much. Hide the later ones.", 2),
            (cls.total(ids, lambda i: range(ends[i][0], i + 1)),
             "the earlier pieces are hidden: hide the later ones, which give the piece away.", 1),
            (cls.total(ids, lambda i: range(n)), "the whole sentence is hidden: only the later "
             "pieces of the same word, and the piece itself.", 1),
            (cls.total(ids, lambda i: range(i + 1)), "everything to the left is hidden: hide the "
             "later pieces of the same word.", 1),
            (cls.total(ids, lambda i: {i, i - 1}), "the piece before is hidden: hide the later "
             "ones, which give the piece away.", 1),
            (cls.total(ids, lambda i: range(i, ends[i][1]) if i in starts else {i}),
             "the later pieces are hidden for the first piece of a word only: for each one.", 2),
            (cls.total(ids, lambda i: range(i, max(i + 1, ends[i][1] - 1))),
             "the last piece of the word stays in sight: hide all up to the next word's start.",
             2),
            (cls.total(ids, lambda i: {i, *range(ends[i][1], n)}), "the later *words* are hidden: "
             "hide the later pieces of the same word.", 1),
            (cls.total(ids, lambda i: range(i, n)), "everything to the right is hidden, the later "
             "words too: only the later pieces of the same word.", 2),
            (cls.total(ids, lambda i: range(i, min(i + 2, n))),
             "the next piece is always hidden, even where another word begins.", 1),
            (cls.total(ids, lambda i: range(i, min(i + 2, ends[i][1]))),
             "only one later piece is hidden: a word may have more.", 2),
            (cls.total(ids, lambda i: range(i, min(ends[i][1] + 1, n))),
             "one piece too many is hidden: the first of the next word stays in sight.", 2),
            (cls.total(ids, lambda i: range(i + 1, ends[i][1])),
             "the piece that is scored is in sight: it must be hidden as well.", 1),
            (cls.total(ids, lambda i: range(i, ends[i][1]) if ends[i][1] < n else {i}),
             "the last word has no next start: its end is that of the sentence.", 2),
            *cls.other_places(ids, starts, ends),
            (want / n, "that is the mean: sums are asked for.", 2),
            (want / len(starts), "that is the mean over the words: sums are asked for.", 2),
            (-want, "the sign is turned: log p is negative, and it is added.", 2),
            *cls.left_out(ids, starts, ends),
        ]  # fmt: skip

    @classmethod
    def other_places(cls, ids: Sequence[int], starts: Sequence[int], ends: list) -> list[tuple]:
        """Mistakes in what is hidden, or in what the model is asked."""
        n = len(ids)
        inner = {i for i in range(n) if i not in starts}  # later pieces of all words

        def at(place: int, end: int) -> float:  # the later pieces are cut out
            return cls.log_p([*ids[:place], cls.MASK, *ids[end:]], place, ids[place])

        def not_before(i: int) -> int:
            return next((start for start in starts if start >= i), n)

        def some(most: int) -> float:
            return cls.total(ids, lambda i: range(i, min(i + 1 + most, ends[i][1])))

        hidden = [[cls.MASK if i <= j < ends[i][1] else ids[j] for j in range(n)] for i in range(n)]
        return [
            (sum(at(i, ends[i][1]) for i in range(n)), "the later pieces are cut out: put "
             "`mask_id` in their place, so that the model sees how many there are.", 2),
            (cls.total(ids, lambda i: {i, *(j for j in inner if j > i)}),
             "the later pieces of *other* words are hidden, too: up to the next word's start.", 2),
            (some(2), "only two later pieces are hidden: a word may have more.", 2),
            (some(3), "only three later pieces are hidden: a word may have more.", 2),
            (cls.total(ids, lambda i: {i, *inner}),
             "all later pieces of all words are hidden: only those of the same word.", 1),
            (cls.total(ids, lambda i: range(i, [*starts, n][min(i + 1, len(starts))])),
             "`starts[place + 1]` is the start of another word: `place` counts pieces, not words.",
             1),
            (cls.total(ids, lambda i: range(i, not_before(i))),
             "`start >= place` finds the word itself: the next one starts after `place`.", 1),
            (cls.total(ids, lambda i: {i, *range(i, not_before(i))}),
             "`start >= place` finds the word itself: the next one starts after `place`.", 1),
            (cls.total(ids, lambda i: range(ends[i][1])),
             "what was hidden once stays hidden: begin with the whole sentence at each piece.", 1),
            (cls.total(ids, lambda i: ()), "the model reads `ids`, where nothing is hidden: give "
             "it `read`.", 1),
            (sum(cls.log_p(row, i, cls.MASK) for i, row in enumerate(hidden)),
             "the model is asked for the mask: ask for `piece`.", 1),
        ]  # fmt: skip

    @classmethod
    def left_out(cls, ids: Sequence[int], starts: Sequence[int], ends: list) -> list[tuple]:
        """Mistakes that leave the scores of some pieces out."""
        n = len(ids)
        firsts = [i for i in range(n) if i in starts]

        def some(places: list[int], hidden: Callable[[int], Any]) -> float:
            return cls.total(ids, hidden) - sum(
                cls.log_p([cls.MASK if j in set(hidden(i)) else one for j, one in enumerate(ids)],
                          i, ids[i]) for i in range(n) if i not in places)  # fmt: skip

        return [
            (some(firsts, lambda i: range(i, ends[i][1])),
             "only the first piece of each word is scored: all of them count.", 1),
            (some(list(range(1, n)), lambda i: range(i, ends[i][1])),
             "the first piece has no score: it counts like the others.", 2),
        ]  # fmt: skip
