"""Chapter 09: the control task that a probe is held against."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED


class Control(Exercise):
    id = "09.control"
    title = "Labels that mean nothing"
    minutes, difficulty, importance, points = 8, 2, 5, 4
    hints = (
        "Put all labels into one list. `draw.choice` of that list takes each label as often as it "
        "occurs.",
        "One draw for each word *form*, not for each time it occurs: `sorted({...})` has each form "
        "once, in an order that does not change from run to run.",
    )

    def as_functions(self, answer: Callable[..., Any]) -> tuple:
        return (partial(self.tried, answer),)

    @staticmethod
    def tried(answer: Callable[..., Any], words: list, labels: list, seeds: Sequence[int]) -> dict:
        """What the answer gives for each seed, and whether it changed what it was given."""
        copies = [list(row) for row in words], [list(row) for row in labels]
        got = [answer(words, labels, random.Random(seed)) for seed in seeds]
        return {"drawn": got, "changed": copies != (words, labels)}

    @staticmethod
    def case(count: int = 900, seed: int = 5) -> tuple[list[list[str]], list[list[str]]]:
        """Sentences whose words have usual labels, a, b or c; those of b are frequent words.

        Of the forms 72, 20 and 8 in a hundred have these labels, of the words about 35, 61 and 4.
        Some forms differ in their capital alone, some are marks, some are single letters.
        """
        draw = random.Random(seed)
        names = [",", ".", "a", "I", *(f"{'Ww'[i % 2]}{i // 2}" for i in range(count - 4))]
        usual = {name: "abc"[(i % 25 >= 18) + (i % 25 >= 23)] for i, name in enumerate(names)}
        often = [12 if usual[name] == "b" else 1 for name in names]
        order = names + draw.choices(names, often, k=3 * count)
        draw.shuffle(order)
        words = [order[i : i + 6] for i in range(0, len(order), 6)]
        words = [sorted(row, key=usual.__getitem__, reverse=True) for row in words]
        return words, [[usual[word] for word in row] for row in words]

    def untouched(self, tried: Callable[..., Any]) -> bool:
        words, labels = [[f"u{i}", f"v{i}"] for i in range(30)], [["x", "y"], ["y", "z"]] * 15
        got = tried(words, labels, [0])["drawn"][0]
        return got is None or got == {word: "x" for row in words for word in row}

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        words, labels = self.case()
        found = tried(words, labels, [0, 0, 1])
        if found["changed"]:
            return Wrong(CHANGED, 2)
        first, again, other = found["drawn"]
        if told := self.form(first, words) or self.meaning(first, words, labels):
            return told
        if first != again:
            return Wrong("the same `draw` gave two different results: draw with `draw` alone.", 3)
        if first == other:
            return Wrong("another `draw` gave the same labels: they are not drawn.", 2)
        return Right("Each form has one label, in training and in the test: to be right, a probe "
                     "must learn words by heart.")  # fmt: skip

    @staticmethod
    def form(got: Any, words: list) -> Wrong | None:
        """What is wrong with the dictionary itself."""
        forms = {word for row in words for word in row}
        if not isinstance(got, dict):
            return Wrong("expected a dictionary {word form: label}, got a "
                         f"{type(got).__name__}: with a label for each *form*.", 1)  # fmt: skip
        if missing := forms - {*got}:
            return Wrong(f"{len(missing)} of {len(forms)} word forms have no label, such as "
                         f"{min(missing)!r}: all forms of all sentences need one, as they are "
                         "written.", 1)  # fmt: skip
        if {*got} - forms:
            return Wrong("there are keys that are no word forms of the sentences.", 1)
        strange = [label for label in got.values() if not isinstance(label, str)]
        strange += [label for label in got.values() if label not in [*"abc", *strange]]
        if strange:
            return Wrong(f"{strange[0]!r:.40} is none of the labels.", 1)
        return None

    @staticmethod
    def meaning(got: dict, words: list, labels: list) -> Wrong | None:
        """Whether the labels are drawn, as often as they occur, and say nothing."""
        usual = {w: y for row, marks in zip(words, labels, strict=True)
                 for w, y in zip(row, marks, strict=True)}  # fmt: skip
        shares, types = ({name: count / len(got) for name, count in Counter(one.values()).items()}
                         for one in (got, usual))  # fmt: skip
        every = Counter(y for row in labels for y in row)
        wanted = {name: count / every.total() for name, count in sorted(every.items())}
        if len(shares) == 1:
            return Wrong("all forms have the same label.", 1)
        kept = sum(got[word] == usual[word] for word in got) / len(got)
        if kept > 0.9:
            return Wrong("these are the words' real labels, so that they mean something.", 1)
        told, want = (", ".join(f"{name} {share:.0%}" for name, share in sorted(one.items()))
                      for one in (shares, wanted))  # fmt: skip
        if all(abs(shares.get(name, 0) - 1 / 3) < 0.08 for name in "abc"):
            return Wrong("every label is equally frequent: draw them as often as they occur in "
                         "`labels` (the set of labels has lost that).", 2)  # fmt: skip
        if kept > sum(types[name] * share for name, share in shares.items()) + 0.1:
            return Wrong(f"{kept:.0%} of the forms have their real label, more than by chance: "
                         "draw from all labels, not from those of the word.", 2)  # fmt: skip
        if all(abs(shares.get(name, 0) - types[name]) < 0.05 for name in "abc"):
            return Wrong("each form counts once here: draw labels as often as they occur in the "
                         "text, with all repetitions.", 2)  # fmt: skip
        if any(abs(shares.get(name, 0) - share) > 0.07 for name, share in wanted.items()):
            return Wrong(f"the labels occur as {want}, and yours as {told}.", 2)
        met = list(dict.fromkeys(word for row in words for word in row))
        by_number = sorted(got, key=lambda word: int(word[1:] or 0))
        for forms in (by_number, sorted(got), met):
            order = [got[word] for word in forms]
            runs = sum(a == b for a, b in zip(order, order[1:], strict=False)) / len(order)
            if runs > 0.6:  # half of them, where labels are drawn
                return Wrong("neighbouring forms share their labels: draw one for each form.", 2)
        return None
