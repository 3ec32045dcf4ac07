"""Chapter 06: answers as spans: the loss, and the best span."""

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
            (torch.tensor(torch.nan), "the loss is not a number: is the mask turned round, so that "
             "a text has no token left, or is minus infinity multiplied by 0?", 1),
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


def places(found: Any) -> tuple[int, ...] | None:
    """Two positions as whole numbers, None for anything else."""
    found = found.tolist() if torch.is_tensor(found) and found.ndim == 1 else found
    pair = isinstance(found, tuple | list) and len(found) == 2
    try:
        return tuple(map(int, found)) if pair else None
    except (TypeError, ValueError):
        return None


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
        return all(x is None or places(x) == (0, 0) for x in got)

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
            if places(got) is None:
                return Wrong("expected a pair: the first and the last token.")
            found.append(places(got))
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
        few = next((k for k in range(2, 30) if found == [self.few(k, *x) for x in cases]), None)
        if few or found[:-1] == want[:-1]:
            return Wrong("only the few best starts and ends are paired: another pair may give a "
                         "better sum.", 2)  # fmt: skip
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
            (tuple(sorted((int(starts.argmax()), int(ends.argmax())))),
             "the best start and the best end, put in order: they are two other scores then.", 1),
            (over(inside * (place[:, None] > 0)), "the first token can start a span, too.", 3),
            (over(inside * (place[:, None] < n - 1)), "the last token can start a span, too.", 3),
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
        place = torch.arange(40.0)  # the best span is no pair of good starts and good ends
        crossed = 0.3 * place + (place == 5), -0.31 * place, 40
        return [*random, cls.LOW, *lower, crossed]

    @staticmethod
    def few(k: int, starts: Tensor, ends: Tensor, longest: int) -> tuple[int, int]:
        """The best span of the ``k`` best starts and the ``k`` best ends."""
        first, last = (x.topk(min(k, len(x))).indices.tolist() for x in (starts, ends))
        pairs = [(i, j) for i in first for j in last if i <= j < i + longest]
        return max(pairs, key=lambda pair: starts[pair[0]] + ends[pair[1]], default=(0, 0))

    @staticmethod
    def solve(starts: Tensor, ends: Tensor, longest: int) -> tuple[int, int]:
        pairs = [(i, j) for i in range(len(starts)) for j in range(i, min(len(ends), i + longest))]
        return max(pairs, key=lambda pair: starts[pair[0]] + ends[pair[1]])
