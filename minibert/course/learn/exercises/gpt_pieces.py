"""Chapter 07: byte-pair encoding, learned and used."""

import copy
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import Any

import torch

from minibert.course.learn.compare import mistaken
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED
from minibert.text.merges import merge

MERGES = [("e", "r</w>"), ("l", "o"), ("w", "er</w>"), ("lo", "w"), ("a", "n"), ("an", "an")]
MERGES += [("b", "anan"), ("low", "e"), ("o", "w")]
Pairs = list[tuple[str, str]]
TIES = itemgetter(-1), min, max  # other choices among equally frequent pairs


class Watched(Exercise):
    """An answer that is judged by its value and by what it leaves unchanged."""

    def as_functions(self, answer: Any) -> tuple:
        return (partial(self.seen, answer),)

    @staticmethod
    def seen(answer: Callable, *arguments: Any) -> dict:
        """What the answer gives, and whether it changed what it was given."""
        before = copy.deepcopy(arguments)
        value = answer(*arguments)
        pairs = zip(before, arguments, strict=True)
        same = (torch.equal(x, y) if torch.is_tensor(x) else x == y for x, y in pairs)
        return {"value": value, "changed": not all(same)}


def listed(found: Any) -> Any:
    """Pairs as tuples, where they are pairs; anything else as it is."""
    try:
        rows = list(found)
        pairs = [tuple(row) for row in rows if not isinstance(row, str) and len(row) == 2]
    except TypeError:
        return found
    return pairs if len(pairs) == len(rows) else rows


class Learn(Watched):
    id = "07.learn_merges"
    title = "Build: learn the merges"
    minutes, difficulty, importance, points = 20, 3, 4, 6
    hints = (
        "Keep a dictionary from each word to its list of symbols; the last symbol of a word is its "
        "last letter with `</w>`.",
        "In each round: count all neighbours, `zip(symbols, symbols[1:])`, each as often as its "
        "word occurs. A `Counter` adds such counts up.",
        "`max(pairs, key=pairs.get)` is the first of the most frequent pairs. Merge it in *every* "
        "word before you count again, and stop when there is no pair left.",
    )
    counts = {"low": 5, "lower": 2, "newest": 6, "widest": 3, "banana": 4, "bandana": 1}

    def untouched(self, seen: Callable) -> bool:
        found = seen(dict(self.counts), 4)["value"]
        return found is None or found is Ellipsis or found == []

    def check(self, seen: Callable) -> Right | Wrong:
        for step, (counts, number) in enumerate([
            ({"ab": 3}, 2), ({"low": 5, "lows": 9}, 1), (self.counts, 3), (self.counts, 12),
        ], 1):  # fmt: skip
            found = seen(dict(counts), number)
            if found["changed"]:
                return Wrong(CHANGED, 2)
            got, want = listed(found["value"]), self.learned(counts, number)
            if got != want:
                return self._told(got, want, counts, number, step)
        short = seen({"ab": 1, "a": 7}, 5)["value"]
        if listed(short) != [("a", "b</w>")]:
            return Wrong("a word of two letters that occurs once allows one merge: stop when no "
                         "pair is left, and not before.", 4)  # fmt: skip
        high = seen({"Am": 2, "am": 1}, 2)["value"]
        if listed(high) != [("A", "m</w>"), ("a", "m</w>")]:
            return Wrong("a capital is a letter of its own: leave the words as they are.", 4)
        for counts, message in (
            ({"ba": 3, "bao": 6}, "a merge joins whole symbols: `merge` does "
             "it; replacing text also joins a part of a longer symbol."),
            ({"ab": 2, "cab": 3, "cd": 5, "e": 1}, "of equally frequent pairs, take the one that "
             "you meet first, with the words in the order of `counts`: do not sort them."),
        ):  # fmt: skip
            if listed(seen(dict(counts), 4)["value"]) != self.learned(counts, 4):
                return Wrong(message, 4)
        if seen({}, 3)["value"] not in ([], ()):
            return Wrong("without any word there is nothing to learn: expected an empty list.", 4)
        return Right("The list in its order is the whole model: nothing else is kept of the text.")

    def _told(self, got: Any, want: Pairs, counts: dict, number: int, step: int) -> Wrong:
        variant = partial(self.learned, counts, number)
        ways: list[tuple] = [
            (variant(weigh=False), "each word counts once: its pairs count as often as it occurs."),
            (variant(mark=""), "the end of a word is not marked: its last letter takes `</w>`."),
            (variant(mark="apart"), "`</w>` is a symbol of its own, as in the paper's program: "
             "here it belongs to the last letter."),
            (variant(again=False), "the pairs are counted once: count again after each merge."),
            (variant(everywhere=False), "the pair is joined in one word only: join it in all."),
            (variant(rare=True), "the rarest pair was merged: take the most frequent one."),
            (variant(once=True), "a pair may stand in a word twice: count each place."),
            *((variant(tie=tie), "of equally frequent pairs, take the one that was met first.")
              for tie in TIES),
            (self.learned(dict(sorted(counts.items())), number),
             "the words were sorted: go through them in the order of `counts`."),
            (["".join(pair) for pair in want], "these are the joined pieces: return the pairs."),
            (self.learned(counts, number + 1), f"{number} merges were asked for, not one more."),
            (self.learned(counts, number - 1), f"{number} merges were asked for, not one less."),
            (want[::-1], "the merge that was learned first comes first."),
        ]  # fmt: skip
        if got is None:
            return Wrong("the answer is None: is there a `return`?")
        if not isinstance(got, list) or (number and any(
            not isinstance(pair, str | tuple) or not all(isinstance(x, str) for x in pair)
            for pair in got
        )):  # fmt: skip
            return Wrong(f"step {step}: return the list of merges, pairs of symbols, alone.", 0)
        if len(set(got)) < len(got):
            return Wrong(f"step {step}: a pair is learned twice: after a merge, the symbols of the "
                         "words are new ones.", step)  # fmt: skip
        if isinstance(got, list) and got[: len(want)] == want and len(want) < number:
            return Wrong(f"step {step}: stop when no pair is left: {want} is all there is.", step)
        for other, message in ways:
            if got == other and other != want:
                return Wrong(f"step {step}: {message}", step)
        return Wrong(f"step {step}: expected {want[:4]} ... for {counts}, got {str(got)[:80]}.", 1)

    @staticmethod
    def learned(
        counts: dict[str, int], number: int, *, weigh: bool = True, mark: str = "joined",
        again: bool = True, everywhere: bool = True, rare: bool = False, once: bool = False,
        tie: Callable = itemgetter(0),
    ) -> Pairs:  # fmt: skip
        ends = {"joined": lambda w: [*w[:-1], w[-1] + "</w>"], "apart": lambda w: [*w, "</w>"]}
        words = {word: ends.get(mark, list)(word) for word in counts}
        merges: Pairs = []
        while len(merges) < number:
            pairs: Counter[tuple[str, str]] = Counter()
            for word, symbols in words.items():
                for pair in dict.fromkeys(pairwise(symbols)) if once else pairwise(symbols):
                    pairs[pair] += counts[word] if weigh else 1
            if not again:
                return [pair for pair, _ in pairs.most_common(number)]
            if not pairs:
                break
            extreme = (min if rare else max)(pairs.values())
            best = tie([pair for pair, n in pairs.items() if n == extreme])
            merges.append(best)
            for word, symbols in words.items():
                words[word] = merge(symbols, best, "".join(best))
                if not everywhere and words[word] != symbols:
                    break
        return merges


class Encode(Watched):
    id = "07.bpe"
    title = "A word by its merges"
    minutes, difficulty, importance, points = 10, 3, 4, 3
    hints = (
        "Which pairs of neighbours are among the merges?",
        "Of these, the one that was learned *first* is merged, wherever it stands; then repeat.",
        "A merge can only use what earlier ones have made. So it is enough to go through `merges` "
        "once, in order.",
    )

    def untouched(self, seen: Callable) -> bool:
        got = seen(["a", "n", "e", "r</w>"], list(MERGES))["value"]
        return got is None or got is Ellipsis or list(got) in ([], ["a", "n", "e", "r</w>"])

    def check(self, seen: Callable) -> Right | Wrong:
        for word in ("lower", "lowe", "banana", "er", "xyz"):
            symbols = [*word[:-1], word[-1] + "</w>"]
            found, want = seen(list(symbols), list(MERGES)), self.merged(symbols)
            got = found["value"]
            if not isinstance(got, list | tuple):
                return Wrong(f"expected a list of pieces, got {type(got).__name__}.")
            if found["changed"]:
                return Wrong(CHANGED, 1)
            if list(got) != want:
                return self.told(list(got), want, word, symbols)
        if list(seen(["q", "u</w>"], [("q", "u</w>")])["value"]) != ["qu</w>"]:
            return Wrong("right for one list of merges, but not for another: use `merges`, to its "
                         "last pair.", 1)  # fmt: skip
        if list(seen(["I</w>"], list(MERGES))["value"]) != ["I</w>"]:
            return Wrong("a word of one letter has no pair to merge: it stays one piece.", 2)
        return Right(
            "`lower` is `lo` + `wer</w>`, although `low` is a piece: `w` + `er</w>` was learned "
            "before `lo` + `w`."
        )

    def told(self, got: list, want: list, word: str, symbols: list[str]) -> Wrong:
        return mistaken(got, [
            (self.longest(symbols),
             f"{word!r}: this cuts from the left, as WordPiece does: {got}. Here the order in "
             "which the merges were learned decides.", 1),
            (self.merged(symbols, MERGES[:1]), f"{word!r}: only the first merge is made.", 1),
            (self.first_place(symbols),
             f"{word!r}: a pair is merged wherever it stands, not only once.", 1),
            (self.merged(symbols, MERGES[::-1]),
             f"{word!r}: the merge that was learned *first* comes first.", 1),
            (["".join(symbols)], f"{word!r}: everything was joined: only learned pairs are. (And "
             "replacing text also joins a part of a longer symbol.)", 1),
            (symbols, f"{word!r}: nothing was merged.", 0),
            ([piece.removesuffix("</w>") for piece in want],
             "the mark `</w>` is gone: it is part of the last piece.", 2),
        ]) or Wrong(f"expected {want} for {word!r}, got {got}.", 1)  # fmt: skip

    @staticmethod
    def merged(symbols: list[str], merges: Pairs = MERGES) -> list[str]:
        for pair in merges:
            symbols = merge(symbols, pair, "".join(pair))
        return list(symbols)

    @staticmethod
    def longest(symbols: list[str]) -> list[str]:
        pieces, found, start = {"".join(pair) for pair in MERGES}, [], 0
        while start < len(symbols):
            ends = range(len(symbols), start, -1)
            end = next((e for e in ends if "".join(symbols[start:e]) in pieces), start + 1)
            found.append("".join(symbols[start:end]))
            start = end
        return found

    @staticmethod
    def first_place(symbols: list[str]) -> list[str]:
        symbols = list(symbols)
        for pair in MERGES:
            for i, other in enumerate(pairwise(symbols)):
                if other == pair:
                    symbols[i : i + 2] = ["".join(pair)]
                    break
        return symbols
