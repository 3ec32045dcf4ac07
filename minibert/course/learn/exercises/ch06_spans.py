"""Chapter 06: answers as spans: the loss, the best span, and no answer."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, mistaken, same
from minibert.course.learn.exercise import Right, Wrong
from minibert.course.learn.exercises.bert_losses import DETACHED, Trained
from minibert.course.learn.exercises.ch06_words import Watched
from minibert.course.learn.exercises.kept import CHANGED

Scores = tuple[Tensor, Tensor, int]  # of starts, of ends; the longest span


class SpanLoss(Trained):
    id = "06.span_loss"
    title = "The loss of a span"
    minutes, difficulty, importance, points = 10, 3, 5, 4
    hints = (
        "`states @ S` has the shape (batch, length): a score for each token to be the start.",
        "A token of the padding must get the probability 0. Which score does that in a softmax?",
        "`masked_fill` gives a copy. `F.cross_entropy` takes the softmax over the last axis, and "
        "the positions as the right classes.",
    )

    def case(self, seed: int = 4) -> tuple[Tensor, ...]:
        g = torch.Generator().manual_seed(seed)
        states, mask = torch.randn(3, 6, 4, generator=g), torch.ones(3, 6, dtype=torch.long)
        mask[1, 4:] = 0
        mask[2, 2:] = 0
        S, E = torch.randn(4, generator=g), torch.randn(4, generator=g)
        return states, mask, S, E, torch.tensor([2, 1, 0]), torch.tensor([4, 3, 0])

    def untouched(self, seen: Any) -> bool:
        value = seen(*self.case())["loss"]
        number = torch.is_tensor(value) or isinstance(value, float)
        return value is None or value is Ellipsis or (number and same(value, 0.0))

    def check(self, seen: Any) -> Right | Wrong:
        for seed in (4, 5):
            found = seen(*self.case(seed))
            if found["changed"]:
                return Wrong(CHANGED, 1)
            if isinstance(found["loss"], tuple | list):
                return Wrong("expected the mean loss alone, a tensor, without a count.", 2)
            told = compare(found["loss"], self.solve(*self.case(seed)),
                           self.mistakes(*self.case(seed)), what="the loss")  # fmt: skip
            if not isinstance(told, Right):
                return told
            if not all(found["gradients"]):
                return Wrong(DETACHED, 1)
        return Right("Two vectors are all that is new: 2 d numbers, whatever the length.")

    @staticmethod
    def solve(states: Tensor, mask: Tensor, S: Tensor, E: Tensor, *spans: Tensor) -> Tensor:
        scores = [(states @ x).masked_fill(mask == 0, -torch.inf) for x in (S, E)]
        return sum(map(F.cross_entropy, scores, spans), torch.tensor(0.0)) / 2

    def mistakes(self, states: Tensor, mask: Tensor, S: Tensor, E: Tensor, *spans: Tensor) -> list:
        """What known mistakes give."""
        first, last = spans
        starts, ends = ((states @ x).masked_fill(mask == 0, -torch.inf) for x in (S, E))
        more = self.more((starts, ends), spans)
        right, ce = self.solve(states, mask, S, E, *spans), F.cross_entropy
        shares = [x.softmax(-1) for x in (starts, ends)]
        sums = starts[:, :, None] + ends[:, None, :]  # (batch, length, length)
        allowed = torch.ones_like(sums).triu() > 0
        joint = sums.masked_fill(~allowed, -torch.inf).flatten(1)
        n = states.shape[1]
        return [
            (-right, "the wrong sign: the loss is *minus* the log-probability.", 2),
            (2 * right, "that is the sum of both (as the paper has it): the mean is asked for.", 3),
            (len(first) * right, "the sum over the batch: divide by its size.", 2),
            (2 * len(first) * right, "the sums over the batch, and of both: take the means.", 2),
            (ce(starts, first), "only the starts are there: the ends count as much.", 1),
            (ce(ends, last), "only the ends are there: the starts count as much.", 1),
            (self.solve(states, torch.ones_like(mask), S, E, *spans),
             "padding takes part in the softmax: its score should be minus infinity.", 2),
            ((ce((states @ S) * mask, first) + ce((states @ E) * mask, last)) / 2,
             "the padding has the score 0, not the probability 0: minus infinity is needed.", 2),
            ((ce(states @ S * mask - (1 - mask), first) + ce(states @ E * mask - (1 - mask), last))
             / 2, "the padding has the score -1: minus infinity is needed.", 2),
            (self.solve(states, mask, S, S, *spans), "the ends are scored by `S`: take `E`.", 2),
            (self.solve(states, mask, E, S, *spans), "`S` and `E`, or `first` and `last`, are "
             "swapped: `S` scores the starts, whose positions are in `first`.", 2),
            ((ce(shares[0], first) + ce(shares[1], last)) / 2,
             "`F.cross_entropy` wants scores, and takes the softmax itself.", 2),
            (ce(joint, first * n + last), "that is one softmax over all spans: two were asked "
             "for, over starts and over ends.", 1),
            (-(starts.gather(1, first[:, None]) + ends.gather(1, last[:, None])).mean() / 2,
             "the softmax is missing: these are scores, not log-probabilities.", 1),
            *more,
            (1 - (shares[0].gather(1, first[:, None]) * shares[1].gather(1, last[:, None])).mean(),
             "one minus a probability is no log-likelihood.", 1),
        ]  # fmt: skip

    @staticmethod
    def more(scores: tuple[Tensor, Tensor], spans: tuple[Tensor, ...]) -> list[tuple]:
        """Less common ones."""
        (starts, ends), (first, last), ce = scores, spans, F.cross_entropy
        shares = [x.softmax(-1) for x in scores]
        return [
            ((ce(starts, first) + ce(ends, first)) / 2, "`last` is ignored.", 2),
            ((ce(starts, last) + ce(ends, last)) / 2, "`first` is ignored.", 2),
            (-sum(p.gather(1, at[:, None]).mean() for p, at in zip(shares, spans, strict=True)) / 2,
             "the logarithm is missing: these are probabilities.", 1),
            (-sum(x.log_softmax(0).gather(1, at[:, None]).mean() for x, at in
                  zip((starts, ends), spans, strict=True)) / 2,
             "the softmax goes over the texts of the batch: it goes over the tokens.", 1),
        ]  # fmt: skip


class BestSpan(Watched):
    id = "06.best_span"
    title = "The best span"
    minutes, difficulty, importance, points = 12, 3, 5, 4
    hints = (
        "There are not many pairs. Which `j` belong to a start `i`?",
        "Keep the best score so far. All scores may be negative: where does it begin?",
        "With tensors: `starts[:, None] + ends[None, :]` has all sums. Which of them are spans?",
    )
    LOW = (torch.tensor([-3.0, -1.0, -2.0]), torch.tensor([-2.0, -4.0, -1.0]), 3)  # (1, 2)

    def untouched(self, best_span: Any) -> bool:
        got = [best_span(*case)[0] for case in self.cases()[:4]]
        return all(x is None or tuple(map(int, x)) == (0, 0) for x in got)

    def check(self, best_span: Any) -> Right | Wrong:
        cases, found = self.cases(), []
        for starts, ends, longest in cases:
            got, changed = best_span(starts.clone(), ends.clone(), longest)
            if changed:
                return Wrong(CHANGED, 2)
            low = bool((starts < 0).all())
            if low and got is None:
                return Wrong("all scores may be negative: the best of them is still the best. "
                             "Begin at minus infinity, not at 0.", 2)  # fmt: skip
            if not isinstance(got, tuple | list) or len(got) != 2:
                return Wrong("expected a pair: the first and the last token.")
            found.append(tuple(map(int, got)))
        want = [self.solve(*case) for case in cases]
        if found == want:
            return Right("The best start alone and the best end alone may be no span at all.")
        kinds = [*zip(*(self.mistakes(*case) for case in cases), strict=True)]  # one a mistake
        told = mistaken(found, [([pair for pair, *_ in kind], *kind[0][1:]) for kind in kinds])
        if told:
            return told
        fixed = {n for n in range(1, 13) if found == [self.solve(*x[:2], n) for x in cases]}
        if fixed:
            return Wrong(f"`longest` is ignored: the limit is {max(fixed)} in all cases.", 2)
        high = [i for i, (starts, *_) in enumerate(cases) if (starts > 0).any()]
        if all(found[i] == want[i] for i in high):
            return Wrong("right, but not where all scores are negative: the best of them is still "
                         "the best. Begin at minus infinity, not at 0.", 2)  # fmt: skip
        right = sum(a == b for a, b in zip(found, want, strict=True))
        return Wrong(f"right in {right} of {len(cases)} cases.")

    @classmethod
    def mistakes(cls, starts: Tensor, ends: Tensor, longest: int) -> list[tuple]:
        """[(the pair that a mistake gives, the message, points)]."""
        first, last = cls.solve(starts, ends, longest)
        start, end, n = int(starts.argmax()), int(ends.argmax()), len(starts)
        before = max(0, end - longest + 1)
        sums = starts[:, None] + ends[None, :]
        place, inside = torch.arange(n), torch.ones(n, n).triu().tril(longest - 1)

        def over(allowed, scores=sums):
            found = scores.masked_fill(~allowed.bool(), -torch.inf).argmax()
            return divmod(int(found), n)

        gap = place[None, :] - place[:, None]
        return [
            ((start, end), "the best start and the best end taken apart: the end may come first.",
             1),
            ((start, start + int(ends[start : start + longest].argmax())),
             "the best start, then the best end for it: another start may give a better sum.", 2),
            ((before + int(starts[before : end + 1].argmax()), end),
             "the best end, then the best start for it: another end may give a better sum.", 2),
            (cls.solve(starts, ends, n), "right, but for the limit: a span has at most `longest` "
             "tokens.", 2),
            (cls.solve(starts, ends, longest + 1), "one token too many: j - i + 1 is the length.",
             3),
            (cls.solve(starts, ends, max(1, longest - 1)),
             "one token too few: a span may have `longest` tokens.", 3),
            ((first, last + 1), "the end is the last token itself, not the one behind it.", 3),
            ((last, first), "the pair is turned round: the first token, then the last.", 3),
            (divmod(int((sums * inside).argmax()), n),
             "the mask is multiplied: what is no span gets 0, which beats a negative score. "
             "Give it minus infinity.", 2),
            (over(inside * (gap > 0)) if longest > 1 else (0, 0),
             "an answer of one token is a span, too: i = j is allowed.", 2),
            (over(gap.abs() < longest), "the end stands before the start in some: i <= j.", 2),
            (over(gap < longest), "the end stands before the start in some: i <= j.", 2),
            (over(inside, starts[:, None] * ends[None, :]),
             "the scores are multiplied: they are added.", 2),
            *cls.more(starts, ends, longest, over),
        ]  # fmt: skip

    @classmethod
    def more(cls, starts: Tensor, ends: Tensor, longest: int, over: Callable) -> list[tuple]:
        """Less common ones; ``over(allowed, scores)``: the best pair of those allowed."""
        (first, last), n = cls.solve(starts, ends, longest), len(starts)
        sums, place = starts[:, None] + ends[None, :], torch.arange(n)
        inside, gap = torch.ones(n, n).triu().tril(longest - 1), place[None, :] - place[:, None]
        return [
            ((first, last - first + 1), "the second number is the length: it should be the "
             "position of the last token.", 3),
            (cls.solve(starts, starts, longest), "the scores of the ends are not used.", 1),
            (cls.solve(starts, 0 * ends, longest), "the scores of the ends are not used.", 1),
            (cls.solve(ends, ends, longest), "the scores of the starts are not used.", 1),
            (cls.solve(0 * starts, ends, longest), "the scores of the starts are not used.", 1),
            (cls.solve(starts, ends[:-1], longest), "the last token can end a span, too.", 3),
            (over(inside, starts.softmax(0)[:, None] + ends.softmax(0)[None, :]),
             "probabilities are added: add the scores, or multiply the probabilities.", 2),
            (over(inside, sums / (gap + 1)), "the score is divided by the length.", 2),
            (over(inside, -sums), "that is the worst span.", 1),
            (cls.solve(ends, starts, longest), "starts and ends are swapped.", 2),
        ]  # fmt: skip

    @classmethod
    def cases(cls) -> list[Scores]:
        generator = torch.Generator().manual_seed(6)
        random = [
            (torch.randn(12, generator=generator), torch.randn(12, generator=generator), longest)
            for longest in (1, 3, 5, 12) * 8
        ]
        lower = [
            (starts - down, ends - down, longest)
            for down, (starts, ends, longest) in zip([9] * 6 + [700] * 2, random[:8], strict=True)
        ]
        return [*random, cls.LOW, *lower]

    @staticmethod
    def solve(starts: Tensor, ends: Tensor, longest: int) -> tuple[int, int]:
        pairs = [(i, j) for i in range(len(starts)) for j in range(i, min(len(ends), i + longest))]
        return max(pairs, key=lambda pair: starts[pair[0]] + ends[pair[1]])


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
        return all(one is ... or (one is not None and tuple(one) == (0, 0)) for one in got)

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
            if got is not None and (not isinstance(got, tuple | list) or len(got) != 2):
                return Wrong("expected a pair of positions, or None for no answer.", 1)
            found.append(got if got is None else tuple(map(int, got)))
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
        best, at = starts[begin + i] + ends[begin + j], how.get("at", 0)
        at = passage - 1 if how.get("before") else at
        first, second = how.get("null", (1, 1))
        nothing = first * starts[at] + second * ends[at]
        sign = 2 if how.get("twice") else how.get("sign", 1)
        answers = best > nothing + sign * how.get("tau", threshold)
        shift = how.get("shift", begin)
        if how.get("never") or bool(answers) != how.get("swap", False):
            return shift + i, shift + j
        return how.get("none")
