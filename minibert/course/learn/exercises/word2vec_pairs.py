"""Chapter 01: pairs of words and their neighbours."""

from collections import Counter
from typing import Any

from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED


class Pairs(Exercise):
    id = "01.pairs"
    title = "Every word and its neighbours"
    minutes, difficulty, importance, points = 6, 1, 4, 2
    hints = (
        "Two loops: `i` over the centres, `j` over the positions around `i`.",
        "Clip both ends of the inner loop: `max(0, ...)` and `min(len(tokens), ...)`.",
        "A position is not its own neighbour. Compare positions, not words: a word may come twice.",
    )
    default: Any = []
    example = (list("abcde"), 2)
    TOKENS = "the cat saw the dog and the the owl".split()

    @staticmethod
    def mistakes() -> dict[str, Any]:
        """Message -> which (tokens, window, centre i, context j) that mistake keeps."""
        return {
            "a word counts as its own neighbour: skip `j == i`.": lambda t, w, i, j: True,
            "only the neighbours on the right are there: look left, too.": lambda t, w, i, j: j > i,
            "only the neighbours on the left are there: look right, too.": lambda t, w, i, j: j < i,
            "the last word of a window is missing: range stops before its end.": (
                lambda t, w, i, j: i != j and j - i < w
            ),
            "the window is too small by one on both sides.": lambda t, w, i, j: (
                i != j and abs(i - j) < w
            ),
            "words near the start have lost their left neighbours: `i - window` is negative there, "
            "and Python then counts from the end. Clip it with `max(0, ...)`.": lambda t, w, i, j: (
                j > i or (j < i and i >= w)
            ),
            "a pair of two equal words is missing: compare positions, `j != i`, not words.": (
                lambda t, w, i, j: t[i] != t[j]
            ),
            "only positions with a whole window are centres: at the ends it is just shorter.": (
                lambda t, w, i, j: i != j and w <= i < len(t) - w
            ),
        }

    def check(self, pairs: Any) -> Right | Wrong:
        for tokens, window in ((self.TOKENS, 2), (list("abcdefghijklmnop"), 5), (["alone"], 3)):
            given = list(tokens)
            found = [*pairs(given, window)]
            if given != tokens:
                return Wrong(CHANGED, 1)
            if found and all(type(pair) is list for pair in found):
                return Wrong("each pair is a list: write it in round brackets, as a tuple.", 1)
            got = Counter(tuple(pair) for pair in found)
            if got != self.pairs(tokens, window):
                return self.wrong(got, tokens, window)
        return Right("A word in the middle has 2 * window neighbours; at the ends there are fewer.")

    def wrong(self, got: Counter, tokens: list, window: int) -> Wrong:
        for message, keeps in self.mistakes().items():
            if got == self.pairs(tokens, window, keeps):
                return Wrong(message, 1)
        want = self.pairs(tokens, window)
        if got == with_index(tokens, window):
            return Wrong("`index` finds the first occurrence of a word: count with `enumerate`.", 1)
        if got == Counter(set(want)):
            return Wrong("each pair is there only once: a pair that occurs twice counts twice.", 1)
        if window == 5 and got == self.pairs(tokens, 2):
            return Wrong("right for a window of 2, but not for one of 5: is a 2 written in it?", 1)
        extra, missing = [*(got - want)], [*(want - got)]
        first = f"{extra[0]} should not be there" if extra else f"{missing[0]} is missing"
        total = f"expected {want.total()} pairs for {' '.join(tokens)!r} and a window of {window}"
        return Wrong(f"{total}, got {got.total()}: {first}.")

    @staticmethod
    def pairs(tokens: list, window: int, keeps: Any = lambda t, w, i, j: i != j) -> Counter:
        n = range(len(tokens))
        near = [(i, j) for i in n for j in n if abs(i - j) <= window]
        return Counter((tokens[i], tokens[j]) for i, j in near if keeps(tokens, window, i, j))


def with_index(tokens: list, window: int) -> Counter:
    """What ``tokens.index(word)`` gives in place of the position: the first occurrence's."""
    first = [tokens.index(token) for token in tokens]
    spans = [(token, i, range(max(0, i - window), min(len(tokens), i + window + 1)))
             for token, i in zip(tokens, first, strict=True)]  # fmt: skip
    return Counter((token, tokens[j]) for token, i, span in spans for j in span if j != i)
