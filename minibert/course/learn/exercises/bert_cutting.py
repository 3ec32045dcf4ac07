"""Chapter 05: a word in pieces."""

from functools import partial
from typing import Any

from minibert.course.learn.compare import mistaken
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, kept

PIECES = {"un", "una", "##aff", "##a", "##able", "##ble", "##ffa", "a", "play", "##ing", "##s"}
PIECES |= {"##i", "##n", "##g", "p", "##l", "##y", "##f", "##b", "##e", "u"}
PIECES |= {"str", "stra", "##aw"}


class Pieces(Exercise):
    id = "05.wordpiece"
    title = "A word in pieces"
    minutes, difficulty, importance, points = 12, 2, 4, 3
    hints = (
        "Begin with `start = 0`. As long as `start < len(word)`, look for the longest piece there.",
        "Try `end` from `len(word)` down to `start + 1`; a piece that is not at the beginning of "
        "the word has `##` in front.",
        "If no piece fits at some position, the answer for the *whole* word is `['[UNK]']`.",
    )

    def as_functions(self, cut: Any) -> tuple:
        return (partial(kept, cut),)

    def untouched(self, cut: Any) -> bool:
        return cut("playing", {"play", "##ing"})[0] in (None, ..., [])

    def check(self, cut: Any) -> Right | Wrong:
        got, changed = cut("a", set(PIECES))
        if changed:
            return Wrong(CHANGED, 1)
        if isinstance(got, str):
            return Wrong("expected a list of pieces, not one string.", 1)
        if list(got) == ["[UNK]"]:
            return Wrong(
                "'a' is a piece, and is not found: where does the range of `end` begin and stop? "
                "A piece may be one letter, and may end the word.", 1
            )  # fmt: skip
        for word in ("playing", "unaffable", "plays", "a"):
            got, want = self.cut_by(cut, word), self.cut(word)
            if got == want:
                continue
            return mistaken(got, [
                ([piece.removeprefix("##") for piece in want],
                 f"{word!r}: a piece that continues a word is written with `##`.", 1),
                (self.cut(word, shortest=True),
                 f"{word!r}: the longest piece wins, and {got} are the shortest.", 1),
                (["[UNK]"], f"{word!r} can be cut into {want}: a piece that continues a word "
                 "has `##` in front in the vocabulary, and has to be looked for so.", 1),
                (want[:1], f"{word!r}: only the first piece is there; continue after it.", 1),
                (want[::-1], f"{word!r}: the pieces come in the order in which they are read.", 2),
            ]) or Wrong(f"expected {want} for {word!r}, got {got}.", 1)  # fmt: skip
        return self.unknown(cut)

    def unknown(self, cut: Any) -> Right | Wrong:
        """Words that cannot be cut: nothing fits, or the longest piece leads nowhere."""
        for word in ("playx", "xplay"):
            got = self.cut_by(cut, word)
            if got != ["[UNK]"]:
                return Wrong(
                    f"right where every letter is known; but {word!r} should be ['[UNK]'], the "
                    f"whole word, because nothing fits at 'x', and is {got}.", 2
                )  # fmt: skip
        got = self.cut_by(cut, "straw")
        if got != ["[UNK]"]:
            return Wrong(
                f"'straw' should be ['[UNK]'], but is {got}: WordPiece never goes back. It takes "
                "'stra', the longest piece, and then finds no '##w'.", 2
            )  # fmt: skip
        if list(cut("playing", {"play", "ing"})[0]) != ["[UNK]"]:
            return Wrong("'ing' without `##` cannot continue a word: of {'play', 'ing'}, "
                         "'playing' should be ['[UNK]'].", 2)  # fmt: skip
        if list(cut("play", {"##play", "pl", "##ay"})[0]) != ["pl", "##ay"]:
            return Wrong(
                "with another vocabulary, {'##play', 'pl', '##ay'}, 'play' should be "
                "['pl', '##ay']: '##play' cannot begin a word.", 2
            )  # fmt: skip
        return self.others(cut)

    def others(self, cut: Any) -> Right | Wrong:
        """A piece that comes twice, long pieces, a capital."""
        if self.cut_by(cut, "aff") != ["a", "##f", "##f"]:
            return Wrong("'aff' should be ['a', '##f', '##f']: a piece may come twice.", 2)
        word, want = "counterrevolutionaries", ["counterrevolution", "##aries"]
        if list(cut(word, {"counter", *want})[0]) != want:
            return Wrong(f"{word!r} should be {want}, where both are pieces: a word and a "
                         "piece may have any length.", 2)  # fmt: skip
        if self.cut_by(cut, "Play") != ["[UNK]"]:
            return Wrong("'Play' should be ['[UNK]'], because no piece here begins with a capital: "
                         "cut the word as it is given.", 2)  # fmt: skip
        return Right(
            "`unaffable` is `una ##ffa ##ble`: greedy, so not always what a linguist says."
        )

    @staticmethod
    def cut_by(cut: Any, word: str) -> list[str]:
        return list(cut(word, set(PIECES))[0])

    @staticmethod
    def cut(word: str, shortest: bool = False) -> list[str]:
        found, start = [], 0
        while start < len(word):
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            for end in reversed(ends) if shortest else ends:
                if mark + word[start:end] in PIECES:
                    found.append(mark + word[start:end])
                    start = end
                    break
            else:
                return ["[UNK]"]
        return found
