"""Chapter 06: labels of words and pieces, names in IOB2, and two texts in one sequence."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from minibert.course.learn.compare import mistaken
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED
from minibert.text.batches import IGNORE


def watched(function: Callable, *arguments: Any) -> tuple[Any, bool]:
    """What ``function`` gives, and whether it changed a list or a tensor among its arguments."""
    before = [x if callable(x) else copy.deepcopy(x) for x in arguments]
    answer = function(*arguments)
    pairs = zip(before, arguments, strict=True)
    alike = [torch.equal(a, b) if torch.is_tensor(a) else a == b for a, b in pairs]
    return answer, not all(alike)


class Watched(Exercise):
    """An exercise whose check sees (value, whether an argument was changed)."""

    def as_functions(self, answer: Any) -> tuple:
        return (partial(watched, answer),)

    def untouched(self, answer: Any) -> bool:
        given = [x if callable(x) else copy.deepcopy(x) for x in self.example or ()]
        return answer(*given)[0] in (None, ..., self.default)


def two_lists(got: Any, second: str) -> Wrong | None:
    """What is wrong with the form of an answer that should be two lists."""
    if got is None:
        return Wrong("the answer is None: is there a `return`?")
    if not isinstance(got, tuple | list) or len(got) != 2:
        return Wrong(f"expected two lists: the ids, and {second}.")
    if any(isinstance(part, int | str) for part in got):
        return Wrong(f"expected two lists, the ids and {second}, not two values.")
    if any(torch.is_tensor(part) for part in got):
        return Wrong(f"expected two lists, the ids and {second}, not tensors: batches are padded "
                     "later.", 2)  # fmt: skip
    return None


class Align(Watched):
    id = "06.align"
    title = "A label for each word, pieces of words"
    minutes, difficulty, importance, points = 10, 3, 5, 4
    hints = (
        "Go through words and labels together; `encode(word)` gives the list of a word's pieces.",
        "All pieces go into the ids. How many of them have a label?",
        "`[CLS]` and `[SEP]` are no words. What stands in the labels there?",
    )
    default: tuple[list, list] = ([], [])
    WORDS, LABELS = ["kit", "in", "wolds", "kit"], [3, 2, 5, 0]  # "kit" twice, with two labels

    @staticmethod
    def encode(word: str) -> list[int]:
        """Pieces of two letters, numbered by the position of the first in the alphabet."""
        return [10 + ord(word[i]) - ord("a") for i in range(0, len(word), 2)]

    example = (["ab"], [1], encode, 1, 2)

    def check(self, align: Callable[..., tuple[Any, bool]]) -> Right | Wrong:
        words, labels, cls_id, sep_id = self.WORDS, self.LABELS, 2, 3
        got, changed = align(list(words), list(labels), self.encode, cls_id, sep_id)
        if changed:
            return Wrong(CHANGED, 2)
        wrong = two_lists(got, "the labels")
        if wrong:
            return wrong
        told = self.ids([*got[0]], cls_id, sep_id) or self.marks([*got[1]], [*got[0]])
        if told:
            return told
        for case in ((["a"], [4], self.encode, 7, 8), ([], [], self.encode, 2, 3)):
            got, _ = align(*case)
            if got is None or [[*part] for part in got] != [*self.solve(*case)]:
                return Wrong(f"right for these words, but not for the words {case[0]} with "
                             f"cls_id={case[3]} and sep_id={case[4]}.", 2)  # fmt: skip
        return Right("The loss leaves -100 out. The other pieces are read all the same: they tell "
                     "the first one which word it begins.")  # fmt: skip

    def ids(self, ids: list, cls_id: int, sep_id: int) -> Wrong | None:
        flat = [i for word in self.WORDS for i in self.encode(word)]
        firsts = [self.encode(word)[0] for word in self.WORDS]
        told = mistaken(ids, [
            (flat, "the ids lack [CLS] and [SEP].", 1),
            ([cls_id, *flat], "the ids lack [SEP] at the end.", 1),
            ([*flat, sep_id], "the ids lack [CLS] at the beginning.", 1),
            ([sep_id, *flat, cls_id], "[CLS] and [SEP] are swapped.", 1),
            ([cls_id, *firsts, sep_id],
             "only the first piece of each word is read: the model needs all.", 1),
            ([cls_id, *([*map(self.encode, self.WORDS)]), sep_id],
             "the pieces stand in lists of their own: `+=` or `extend` puts them into one list.",
             1),
        ])  # fmt: skip
        want = [cls_id, *flat, sep_id]
        if not told and len(ids) == len(want) and ids[0] == ids[-1] == IGNORE:
            return Wrong("the labels come first: return the ids, then the labels.", 2)
        if not told and ids != want and ids[1:-1] == flat:
            return Wrong("`cls_id` and `sep_id` are given: other models have other numbers.", 1)
        return told or (None if ids == want else Wrong(f"the ids should be {want}, but are {ids}."))

    def marks(self, marks: list, ids: list) -> Wrong | None:
        if len(marks) != len(ids):
            return Wrong(f"expected a label for each of {len(ids)} ids, got {len(marks)}.", 1)
        sizes, no = [len(self.encode(word)) for word in self.WORDS], IGNORE
        pairs = [*zip(self.LABELS, sizes, strict=True)]
        first = [x for y, n in pairs for x in [y] + [no] * (n - 1)]
        every = [x for y, n in pairs for x in [y] * n]
        last = [x for y, n in pairs for x in [no] * (n - 1) + [y]]
        zeros = [x for y, n in pairs for x in [y] + [0] * (n - 1)]
        known = [*zip(self.WORDS, self.LABELS, strict=True)]
        looked_up = [[x for word, n in zip(self.WORDS, sizes, strict=True)
                      for x in [dict(one)[word]] + [no] * (n - 1)]
                     for one in (known, known[::-1])]  # fmt: skip
        rows = [[y] + [y + 1] * (n - 1) for y, n in pairs]
        off = "the labels are one position off: [CLS] takes the first position."
        if marks == [no, *first, no]:
            return None
        told = mistaken(marks, [
            ([no, *every, no], "every piece has the word's label, so long words count more than "
             "short ones, and B- is said twice: label the first piece.", 2),
            ([no, *last, no], "the label stands at the last piece: put it at the first.", 2),
            ([no, *zeros, no],
             "the further pieces have the label 0, which is one: -100 is none.", 2),
            *(([no, *found, no], "a word that stands twice has one label twice: go through words "
               "and labels together, without looking a word up.", 2) for found in looked_up),
            ([no, *sum(rows, []), no], "the further pieces have the number behind the label's, as "
             "if they were I-: they have no label, -100.", 2),
            ([*first, no, no], off, 2), ([no, no, *first], off, 2),
            ([no] * len(ids), "no word has a label.", 1),
        ])  # fmt: skip
        if not told and (marks[0] != no or marks[-1] != no):
            return Wrong("[CLS] and [SEP] are no words: their label is -100, which is none.", 2)
        return told or Wrong(f"the labels should be {[no, *first, no]}, but are {marks}.", 1)

    @staticmethod
    def solve(*case: Any) -> tuple[list, list]:
        words, labels, encode, cls_id, sep_id = case
        pieces = [encode(word) for word in words]
        marks = [[y] + [IGNORE] * (len(p) - 1) for y, p in zip(labels, pieces, strict=True)]
        return [cls_id, *sum(pieces, []), sep_id], [IGNORE, *sum(marks, []), IGNORE]


class Names(Watched):
    id = "06.names"
    title = "From labels to names"
    minutes, difficulty, importance, points = 12, 3, 4, 4
    hints = (
        "Keep the start and the kind of the name that is open, if one is.",
        "An open name closes at `B-`, at `O`, at an `I-` of another kind, and at the end.",
        "One more `O` behind the last label saves a special case.",
    )
    CASES: tuple[list[str], ...] = (
        ["B-PER", "I-PER", "O", "B-LOC"],
        ["O", "B-PER", "B-PER", "I-PER"],
        ["O", "I-LOC", "I-LOC", "O", "B-PER"],
        ["B-PER", "I-LOC", "I-LOC", "O"],
        ["B-ORG", "O", "I-ORG"],
        ["O", "O"],
        ["B-creative-work", "I-creative-work", "O", "B-group"],  # so in WNUT 2017
        [],
        ["I-PER", "I-PER", "O", "B-PER"],  # before the first label there is none
    )

    def untouched(self, names: Callable[[list[str]], Any]) -> bool:
        got = [names(list(labels))[0] for labels in self.CASES]
        return all(one is None or one is ... or one == set() for one in got)

    def check(self, names: Callable[[list[str]], tuple[Any, bool]]) -> Right | Wrong:
        found = []
        for labels in self.CASES:
            got, changed = names(list(labels))
            if changed:
                return Wrong(CHANGED, 2)
            if got is None or isinstance(got, dict | str):
                return Wrong("expected a set of triples: is there a `return`?")
            if not isinstance(got, set | frozenset):
                return Wrong("expected a set of triples, not a list: the score will ask what two "
                             "sets share.", 2)  # fmt: skip
            triples = [tuple(one) if isinstance(one, tuple | list) else one for one in got]
            if any(not isinstance(one, tuple) or len(one) != 3 for one in triples):
                return Wrong("a name is a triple: (first word, the one behind the last, kind).", 1)
            found.append(set(triples))
        want = [self.solve(labels) for labels in self.CASES]
        if found == want:
            return Right("A name counts as found only if its kind and both of its ends are right.")
        labels, f, w = next(x for x in zip(self.CASES, found, want, strict=True) if x[1] != x[2])
        if found[:-1] == want[:-1]:
            return Wrong("an `I-` that begins the sentence begins a name: no label stands before "
                         "it (`labels[-1]` is the last one).", 2)  # fmt: skip
        return self.told(found, want) or Wrong(
            f"of {labels} the names are {sorted(w)}, got {sorted(f, key=str)}.", 1
        )

    def told(self, found: list[set], want: list[set]) -> Wrong | None:
        def each(change):
            return [set(filter(None, (change(*one, n) for one in names))) for names, n in
                    zip(want, map(len, self.CASES), strict=True)]  # fmt: skip

        ways: tuple[dict[str, Any], ...] = (
            {"loose": False}, {"merge": True}, {"kinds": False}, {"end": False}, {"only_b": True},
            {"kinds": False, "loose": False}, {"alone": True},
            {"only_b": True, "loose": False})  # fmt: skip
        made: list[Callable[[list[str]], set]] = [partial(self.solve, **how) for how in ways]
        strict, merged, mixed, open_end, heads, mixed_strict, alone, heads_strict = (
            [one(labels) for labels in self.CASES] for one in made
        )
        return mistaken(found, [
            (each(lambda a, b, k, n: (a, b - 1, k)),
             "the end is the word itself: it should be the one behind the last, as in a slice.", 2),
            (each(lambda a, b, k, n: (a, b, "B-" + k)), "the kind still has its `B-`.", 2),
            ([{(a, b, f"{labels[a]}") for a, b, _ in names} for names, labels in
              zip(want, self.CASES, strict=True)], "the kind is the whole label: take the part "
             "behind the `-`.", 2),
            (each(lambda a, b, k, n: (a, b - a, k)),
             "the second number is the length: it should be the word behind the last.", 2),
            (each(lambda a, b, k, n: (k, a, b)), "the kind comes last in a triple.", 2),
            (each(lambda a, b, k, n: (a + 1, b + 1, k)), "the words are counted from 1.", 2),
            (open_end, "a name that ends with the sentence is lost.", 2),
            (merged, "a `B-` next to a name begins another one: two names are merged.", 2),
            (mixed, "an `I-` of another kind does not continue the name.", 2),
            (strict, "an `I-` without a `B-` before it begins a name, too (so does the library).",
             2),
            (mixed_strict, "an `I-` of another kind does not continue the name, and one without a "
             "`B-` begins one.", 1),
            (heads, "only the first word of each name is there.", 1),
            (heads_strict, "only the first word of each name is there.", 1),
            *((each(lambda a, b, k, n, cut=cut: (a, b, cut(k))), "the kind is cut: it is all that "
               "stands behind the first `-`, such as `creative-work`.", 3) for cut in
              (lambda k: k[:3], lambda k: k[-3:], lambda k: k.split("-")[0],
               lambda k: k.split("-")[-1])),
            (alone, "each word of a name became a name of its own.", 1),
        ])  # fmt: skip

    @staticmethod
    def solve(
        labels: Sequence[str], *, loose: bool = True, merge: bool = False, kinds: bool = True,
        end: bool = True, only_b: bool = False, alone: bool = False,
    ) -> set[tuple[int, int, str]]:  # fmt: skip
        """The names, or what a mistake makes of them."""
        found, start, kind = set(), 0, None
        for place, label in enumerate([*labels, "O"]):
            mark, _, here = label.partition("-")
            goes_on = mark == "I" or (merge and mark == "B")
            if kind is not None and (alone or not goes_on or (kinds and here != kind)):
                if end or place < len(labels):
                    found.add((start, start + 1 if only_b else place, kind))
                kind = None
            if kind is None and (mark == "B" or (mark == "I" and loose)):
                start, kind = place, here
        return found


class Pair(Watched):
    id = "06.pair"
    title = "Two texts in one sequence"
    minutes, difficulty, importance, points = 4, 1, 4, 3
    hints = (
        "There are three special pieces: one `cls_id` at the very beginning, one `sep_id` after "
        "each of the two texts.",
        "Which text does the first `sep_id` belong to? Its segment follows from that.",
        "Check that both lists are equally long.",
    )
    default: tuple[list, list] = ([], [])
    example = ([7], [8], 1, 2)

    def check(self, pair: Callable[..., tuple[Any, bool]]) -> Right | Wrong:
        first, second, cls_id, sep_id = [11, 12, 13], [21, 22], 2, 3
        got, changed = pair(list(first), list(second), cls_id, sep_id)
        if changed:
            return Wrong(CHANGED, 2)
        wrong = two_lists(got, "the segment of each")
        if wrong:
            return wrong
        ids, segments = ([*part] for part in got)
        want, right = [cls_id, *first, sep_id, *second, sep_id], [0] * 5 + [1] * 3
        told = mistaken(ids, [
            (want[:-1], "the last [SEP] is missing: the second text is closed as well.", 1),
            ([cls_id, *first, sep_id, cls_id, *second, sep_id],
             "there is one [CLS] only, at the very beginning.", 1),
            ([cls_id, *first, *second, sep_id], "no [SEP] parts the two texts.", 1),
            ([cls_id, *first, *second], "both [SEP] are missing: one stands after each text.", 1),
            ([cls_id, *first, sep_id, sep_id, *second, sep_id],
             "there is one [SEP] between the texts, not two.", 1),
            (right, "the segments come first: return the ids, then the segments.", 2),
            ([101, *first, 102, *second, 102],
             "`cls_id` and `sep_id` are given: other models have other numbers.", 1),
            (want[1:], "[CLS] is missing at the beginning.", 1),
            ([cls_id, *second, sep_id, *first, sep_id], "the second text comes first.", 1),
            ([sep_id, *first, cls_id, *second, cls_id], "[CLS] and [SEP] are swapped.", 1),
            ([cls_id, first, sep_id, second, sep_id],
             "the texts stand as lists in a list: `*first` puts their ids into it.", 1),
        ])  # fmt: skip
        if told or ids != want:
            return told or Wrong(f"the ids should be {want}, but are {ids}.")
        if len(segments) != len(ids):
            return Wrong(f"expected a segment for each of {len(ids)} ids, got {len(segments)}.", 1)
        told = None if segments == right else self.segments(segments, right)
        if told:
            return told
        got, _ = pair([5], [6, 7, 8], 0, 9)
        if [[*part] for part in got] != [[0, 5, 9, 6, 7, 8, 9], [0] * 3 + [1] * 4]:
            return Wrong("right for these two texts, but not for others.", 2)
        return Right("Every token of one text can look at every token of the other, in all layers.")

    @staticmethod
    def segments(segments: list, right: list) -> Wrong:
        """What is wrong with the segments of the first case."""
        told = mistaken(segments, [
            ([0] * 4 + [1] * 4, "the first [SEP] belongs to the first text: its segment is 0.", 2),
            ([1 - value for value in right], "the segments are swapped: 0 is the first text.", 2),
            ([0] * 8, "all segments are 0: those of the second text are 1.", 1),
            ([1] * 8, "all segments are 1, as in a mask: those of the first text are 0.", 1),
            ([value + 1 for value in right], "the segments are 0 and 1, not 1 and 2.", 2),
            ([0] * 5 + [1, 1, 0], "the last [SEP] belongs to the second text: its segment is 1.",
             2),
        ])  # fmt: skip
        return told or Wrong(f"the segments should be {right}, but are {segments}.", 1)
