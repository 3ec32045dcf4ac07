"""Chapter 12: reading a long document: the best span over windows, and scores that compare."""

import math
from typing import Any

import torch

from minibert.course.learn.compare import short
from minibert.course.learn.exercise import Wrong
from minibert.course.learn.exercises.ch12_tried import Tried, like

Window = dict[str, Any]  # starts, ends, first, offsets, central


def window(generator: torch.Generator, question: int, part: tuple[int, int, range]) -> Window:
    """Drawn scores of ``[CLS] question [SEP] part [SEP]``; part:
    its first token, the one after its last, and the central ones.
    """
    begin, stop, mid = part
    first, count = question + 2, stop - begin
    starts, ends = 3 * torch.randn(2, first + count + 1, generator=generator)
    starts[0] += 6.0  # so that "no answer" often comes close to the best span
    ends[0] += 6.0
    offsets = [(5 * place, 5 * place + 3 + place % 2) for place in range(begin, stop)]
    central = [place in mid for place in range(begin, stop)]
    found = {"starts": starts, "ends": ends, "first": first}
    return found | {"offsets": offsets, "central": central}


def document(seed: int, question: int = 3) -> list[Window]:
    """Three windows of six tokens over a text of twelve; the next one begins three later."""
    g = torch.Generator().manual_seed(seed)
    parts = [(0, 6, range(0, 5)), (3, 9, range(5, 8)), (6, 12, range(8, 12))]
    return [window(g, question, part) for part in parts]


def closed(windows: list[Window]) -> list[Window]:
    """The same without any span: all scores of the text are minus infinity."""
    found = []
    for one in windows:
        inside = torch.zeros(len(one["starts"]), dtype=torch.bool)
        inside[one["first"] : one["first"] + len(one["offsets"])] = True
        scores = {n: one[n].masked_fill(inside, -torch.inf) for n in ("starts", "ends")}
        found.append(one | scores)
    return found


class ReadLong(Tried):
    id = "12.read_long"
    title = "Build: the best span over all windows"
    minutes, difficulty, importance, points = 25, 4, 5, 8
    hints = (
        "In a window, the scores of the text's tokens are `starts[first : first + len(offsets)]`. "
        "Token `i` of the part is at `offsets[i]` in the document.",
        "Two loops: `i` over the tokens with `central[i]`, `j` from `i` to below `i + longest`. "
        "Collect `(score, offsets[i][0], offsets[j][1])` of all windows in *one* list.",
        'The score of "no answer" is that of position 0, start plus end. Keep the lowest: a '
        "window without the answer is right to say that it has none.",
        "`sorted(found, reverse=True)[:n_best]`. What if nothing was found?",
    )
    default: Any = ([], None)
    right = ("The sums of all windows are ranked on one scale. Where no span is left, the function "
             "says so, and does not crash.")  # fmt: skip
    mistakes = (
        ("each window has its own softmax here: a window without the answer spreads the same "
         "probability as one with it. Compare the sums of the scores.", 3, {"own": "softmax"}),
        ("each window has its own `log_softmax` here: its normaliser hides how sure the window "
         "is. Compare the sums of the scores.", 3, {"own": "log_softmax"}),
        ("\"no answer\" has the *highest* score of all windows: most windows are right to have no "
         "answer. Take the lowest.", 5, {"null": max}),
        ("\"no answer\" has the score of the last window only: take the lowest of all.", 4,
         {"null": lambda s: s[-1]}),
        ("\"no answer\" has the score of the first window only: take the lowest of all.", 4,
         {"null": lambda s: s[0]}),
        ("\"no answer\" has the mean score of the windows: take the lowest.", 4,
         {"null": lambda s: math.fsum(s) / len(s)}),
        ("\"no answer\" has the score of the window with the best span: take the lowest of all "
         "windows.", 4, {"null": "best"}),
        ("the lowest start and the lowest end of \"no answer\" come from two windows: add the two "
         "of a window, then take the lowest sum.", 5, {"null": "apart"}),
        ("the answers stand in the order of the text: the highest score comes first.", 5,
         {"place": True}),
        ("the length of a span is counted in characters here: `longest` is in tokens.", 5,
         {"letters": True}),
        ("a window's spans count only where its own \"no answer\" is low: collect all, and ask "
         "for \"no answer\" once, at the end.", 4, {"each_null": True}),
        ("\"no answer\" has the score of the start alone: add that of the end.", 5, {"half": True}),
        ("the threshold is ignored.", 5, {"threshold": 0.0}),
        ("the sign of the threshold is turned round: \"no answer\" has to be better by more than "
         "it.", 5, {"sign": -1}),
        ("there is always an answer: compare with \"no answer\", too.", 4, {"always": True}),
        ("turned round: nothing is said where the span is clearly better.", 4, {"swap": True}),
        ("the positions of the scores are not shifted: those of the text begin at `first`, so the "
         "question is searched.", 3, {"shift": 0}),
        ("the positions are shifted by one: the text's first token stands at `first`.", 3,
         {"shift": 1}),
        ("an answer may be longer than `longest` tokens.", 5, {"more": 99}),
        ("one token too many: from i to j there are j - i + 1.", 6, {"more": 1}),
        ("one token too few: an answer may have `longest` tokens.", 6, {"more": -1}),
        ("`central` is not used: spans that two windows share come twice, or from the edge of a "
         "window.", 4, {"central": "none"}),
        ("`central` is asked of the last token of a span: ask it of the first.", 6,
         {"central": "end"}),
        ("spans may end before they start: j >= i.", 4, {"back": True}),
        ("`n_best` is ignored.", 6, {"n_best": 999}),
        ("the worst come first.", 5, {"worst": True}),
        ("only the best span of each window is kept: collect all, then take the best.", 4,
         {"each": 1}),
        ("the end is where the last token *begins*: take its second number.", 5, {"end": 0}),
        ("spans with the score minus infinity are no answers: leave them out.", 6,
         {"infinite": True}),
        ("the scores of start and end are multiplied: add them.", 3, {"times": True}),
        ("only the first window is read.", 2, {"parts": slice(0, 1)}),
        ("only the last window is read: collect the spans of all.", 2, {"parts": slice(-1, None)}),
        ("no answer is None, not (0, 0).", 6, {"none": (0, 0)}),
        ("only the starts are scored: add the scores of the ends.", 3, {"times": "start"}),
        ("starts and ends are exchanged: a span begins at a start.", 4, {"exchanged": True}),
        ("a span has two tokens or more here: one token may be an answer.", 4, {"fewest": 1}),
        ("each window has its own `log_softmax` here, over all of its positions. Compare the sums "
         "of the scores.", 3, {"whole": True}),
        ("the list of answers does not depend on the threshold: only what is said does.", 5,
         {"emptied": True}),
        ("\"no answer\" is compared with the threshold alone: compare it with the best span.", 4,
         {"threshold_alone": True}),
    )  # fmt: skip

    @classmethod
    def cases(cls) -> list[tuple]:
        drawn = [(document(seed, 2 + seed % 3), 1 + (seed + 1) % 4, 3 + 2 * (seed % 4),
                  (0.0, 3.0, -4.0, 7.0, -9.0, 12.0)[seed % 6]) for seed in range(24)]  # fmt: skip
        high = [(FindTheBug.lifted(document(50 + i), 20.0), 2, 4, 6.0) for i in range(4)]
        long = (document(30), 3, 200, 2.5)
        none = (closed(document(40)), 3, 5, 100.0)
        return [*drawn, *high, long, none, (document(41)[:1], 2, 4, 50.0)]

    def untouched(self, answer: Any) -> bool:
        return all(got is None or got is ... or like(got, self.default)
                   for got, _ in (answer(*self.cases()[at]) for at in (0, -3)))  # fmt: skip

    def differs(self, got: Any, want: Any) -> str:
        if any(one[1] is None or (one[1], one[2]) == (0, 0) for one in got[0]):
            return '"no answer" stands in the list of answers: it is no span of the document'
        at = 1 if like(got[0], want[0]) else 0
        if not at and like([one[0] for one in got[0]], [one[0] for one in want[0]]):
            return (
                "the scores are right, but not the places: a span goes from `offsets[i][0]` to "
                f"`offsets[j][1]`. They should be {short(want[0])}, but are {short(got[0])}"
            )
        name = ("the list of answers", "what is said")[at]
        return f"{name} should be {short(want[at])}, but is {short(got[at])}"

    def form(self, got: Any, case: tuple) -> str:
        if (
            not isinstance(got, tuple | list)
            or len(got) != 2
            or not isinstance(got[0], list | tuple)
        ):
            return "expected two things: the list of answers, and the (start, end) to be said."
        if any(not isinstance(one, tuple | list) or len(one) != 3 for one in got[0]):
            return "each of the answers should be (score, start, end)."
        if got[1] is not None and (not isinstance(got[1], tuple | list) or len(got[1]) != 2):
            return "what is said should be (start, end) in the document, or None for no answer."
        return ""

    @classmethod
    def solve(cls, *case: Any, **how: Any) -> tuple[list, tuple | None]:
        """(score, start, end) of the best spans, and what is said of a document."""
        windows, longest, n_best, threshold = case
        windows = windows[how.get("parts", slice(None))]
        each = [cls.spans(one, longest + how.get("more", 0), how) for one in windows]
        nulls = cls.nulls(windows, each, how)
        if "each" in how:
            each = [sorted(spans, reverse=True)[: how["each"]] for spans in each]
        found = sorted((one for spans in each for one in spans), reverse=not how.get("worst"))
        found = found[: how.get("n_best", n_best)]
        threshold = how.get("threshold", threshold) * how.get("sign", 1)
        way = how.get("null", min)
        best = 0.0 if how.get("threshold_alone") or not found else found[0][0]
        none = not found or (way if callable(way) else min)(nulls) - best > threshold
        none = none != bool(how.get("swap") and found)
        silent = none and not (how.get("always") and found)
        said = how.get("none") if silent else found[0][1:]
        found = sorted(found, key=lambda one: one[1:]) if how.get("place") else found
        return [] if how.get("emptied") and silent else found, said

    @staticmethod
    def nulls(windows: list[Window], each: list[list[tuple]], how: dict) -> list[float]:
        """The scores of "no answer"; with ``each_null`` their windows lose what is below."""
        starts = [float(one["starts"][0]) for one in windows]
        ends = [0.0 if how.get("half") else float(one["ends"][0]) for one in windows]
        found = [a + b for a, b in zip(starts, ends, strict=True)]
        if how.get("each_null"):
            for spans, null in zip(each, found, strict=True):
                spans[:] = [one for one in spans if one[0] >= null]
        if how.get("null") == "best":
            best = max(range(len(each)), key=lambda i: max(each[i], default=(-math.inf,)))
            return [found[best]]
        return [min(starts) + min(ends)] if how.get("null") == "apart" else found

    @staticmethod
    def spans(one: Window, longest: int, how: dict) -> list[tuple]:
        """(score, start, end) of the spans of one window."""
        count, first = len(one["offsets"]), one["first"]
        first = {None: first, 0: 0, 1: min(first + 1, len(one["starts"]) - count)}[how.get("shift")]
        names = ("ends", "starts") if how.get("exchanged") else ("starts", "ends")
        scores = [one[n].log_softmax(0) if how.get("whole") else one[n] for n in names]
        scores = [x[first : first + count] for x in scores]
        if "own" in how:
            scores = [getattr(x, how["own"])(0) for x in scores]
        starts, ends = (x.tolist() for x in scores)
        way, found = how.get("central", "first"), []
        for i in range(count):
            stop = count if how.get("letters") else min(count, i + longest)
            for j in range(0 if how.get("back") else i + how.get("fewest", 0), stop):
                kept = {"first": one["central"][i], "end": one["central"][j], "none": True}[way]
                score = starts[i] + ends[j] if "times" not in how else starts[i]
                product = how.get("times") is True or how.get("own") == "softmax"
                score = starts[i] * ends[j] if product else score
                if how.get("letters"):
                    kept = kept and one["offsets"][j][1] - one["offsets"][i][0] <= longest
                if kept and (score > -math.inf or how.get("infinite")):
                    end = one["offsets"][j][how.get("end", 1)]
                    found.append((score, one["offsets"][i][0], end))
        return found


class FindTheBug(Tried):
    id = "12.find_the_bug"
    title = "Find the bug: sure, window by window"
    minutes, difficulty, importance, points = 8, 3, 5, 4
    hints = (
        "A window that holds no answer has two poor starts, with the scores -8 and -14. What does "
        "the softmax make of them? And of the good ones, 9 and 8, in another window?",
        "Softmax forgets by how much all scores of a window lie above those of another.",
        "Compare `starts[i] + ends[j]` themselves. One layer made the scores of all windows.",
    )
    right = ("Probabilities are shares *within* what they are normalised over. Over all windows "
             "together, a softmax would be harmless: it would keep the order.")  # fmt: skip
    mistakes = (
        ("the softmax is still there, in logarithms: each window is still measured against itself "
         "alone.", 2, {"own": "softmax"}),
        ("the probabilities of a window are added in place of multiplied: the softmax itself is "
         "the mistake.", 2, {"own": "shares"}),
        ("`[CLS]` takes part in the softmax of its window now. That reads well (the page measures "
         "it below), but here the sums of the scores are asked for.", 2, {"own": "silent"}),
        ("the softmax of a window goes over `[CLS]` and the question now. That reads well (the "
         "page measures it below), but here the sums of the scores are asked for.", 2,
         {"own": "whole"}),
        ("only one of the two scores is free of the softmax.", 2, {"own": "starts"}),
        ("only one of the two scores is free of the softmax.", 2, {"own": "ends"}),
        ("each window's scores are divided by their spread, or centred: that again is a measure "
         "of its own for each window.", 2, {"own": "standard"}),
        ("each window's mean is taken away: then the windows no longer compare.", 2,
         {"own": "centred"}),
        ("each window's best score is taken away: every window's best span is then worth 0.", 2,
         {"own": "highest"}),
        ("each window's score of \"no answer\" is taken away. That can be a good idea, but it is "
         "another score; here the sums themselves are asked for.", 2, {"own": "null"}),
        ("the sigmoid squeezes all high scores to 1, and all low ones to 0.", 2,
         {"own": "sigmoid"}),
        ("the scores are multiplied: two very low ones give a high product. Add them.", 2,
         {"times": True}),
        ("the last window always wins.", 1, {"which": "last"}),
        ("the first window always wins.", 1, {"which": "first"}),
        ("the *worst* window wins: compare with `>`.", 1, {"which": "worst"}),
    )  # fmt: skip

    @classmethod
    def cases(cls) -> list[tuple]:
        drawn = [(cls.levels(document(100 + seed, 3), seed), 1 + seed % 3) for seed in range(16)]
        return [*drawn, (cls.lifted(document(116, 3), -60.0), 2)]

    @staticmethod
    def levels(windows: list[Window], seed: int) -> list[Window]:
        """Windows of which one lies above the others, as one that holds an answer does."""
        g = torch.Generator().manual_seed(seed)
        moved = [2 * float(torch.randn(1, generator=g)) for _ in windows]
        return [one | {n: one[n] + up for n in ("starts", "ends")}
                for one, up in zip(windows, moved, strict=True)]  # fmt: skip

    @staticmethod
    def lifted(windows: list[Window], up: float) -> list[Window]:
        """The same with all scores so much higher."""
        return [one | {n: one[n] + up for n in ("starts", "ends")} for one in windows]

    @staticmethod
    def far() -> tuple[list[Window], int]:
        """A window in which products of probabilities are all 0, but not their logarithms."""
        starts, ends = ([0.0, *some, 0.0] for some in ((200.0, 0, 110, 0), (0.0, 0, 110, 200)))
        scores = {"starts": torch.tensor(starts), "ends": torch.tensor(ends), "first": 1}
        return [scores | {"offsets": [(5 * i, 5 * i + 3) for i in range(4)]}], 1

    def nothing(self, before: bool) -> Wrong:
        told = "nothing is found where all sums are far below 0: begin with `-math.inf`."
        return Wrong(told, 3) if before else super().nothing(before)

    def untouched(self, answer: Any) -> bool:
        found = [answer(*case)[0] for case in self.cases()]
        if all(got is None for got in found):
            return True
        same = self.all_like(found, {"own": "softmax"})
        return same and not like(answer(*self.far())[0], self.solve(*self.far()))

    def form(self, got: Any, case: tuple) -> str:
        if not isinstance(got, tuple | list) or len(got) != 2:
            return "expected (start, end) in the document."
        return ""

    @classmethod
    def solve(cls, *case: Any, **how: Any) -> tuple[int, int]:
        """The characters of the best span."""
        windows, longest = case
        best = []
        for one in windows:
            starts, ends = cls.scores(one, how.get("own"))
            count, times = len(starts), how.get("times")
            best.append(max(
                (starts[i] * ends[j] if times else starts[i] + ends[j],
                 (one["offsets"][i][0], one["offsets"][j][1]))
                for i in range(count) for j in range(i, min(count, i + longest))
            ))  # fmt: skip
        which = how.get("which")
        if which in ("first", "last"):
            return best[0 if which == "first" else -1][1]
        return (min if which == "worst" else max)(best, key=lambda one: one[0])[1]

    @staticmethod
    def scores(one: Window, own: str | None) -> tuple[list[float], list[float]]:
        """The scores of the text's tokens, as they are or as a mistake changes them."""
        inside, found = slice(one["first"], one["first"] + len(one["offsets"])), []
        for name in ("starts", "ends"):
            whole = one[name].double()
            x = whole[inside]
            changed = {
                "softmax": x.log_softmax(0),  # the order of products of probabilities
                "shares": x.softmax(0),
                "silent": torch.cat((whole[:1], x)).log_softmax(0)[1:],
                "whole": whole.log_softmax(0)[inside],
                "standard": (x - x.mean()) / x.std(),
                "centred": x - x.mean(),
                "highest": x - x.max(),
                "null": x - whole[0],
                "sigmoid": x.sigmoid(),
            }
            half = own in ("starts", "ends") and own != name
            found.append((x.softmax(0) if half else changed.get(own or "", x)).tolist())
        return found[0], found[1]
