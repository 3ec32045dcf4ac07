"""Chapter 07: a question to a language model, without a label."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import same
from minibert.course.learn.exercise import Right, Wrong
from minibert.course.learn.exercises.gpt_pieces import Watched
from minibert.course.learn.exercises.kept import CHANGED


class ZeroShot(Watched):
    id = "07.zero_shot"
    title = "Build: ask without a label"
    minutes, difficulty, importance, points = 15, 3, 5, 7
    hints = (
        "For each ending, the ids are `start`, the context and the ending, of which the last "
        "`longest` are read at once.",
        "The logits at place t are about the token at place t + 1, as in the loss. Which of the "
        "places are about the ending?",
        "`log_softmax(-1)`, then pick from each row the token that really stands there: `gather`, "
        "or a list of `log_p[place, token]`. The *mean* over the ending is its score.",
    )
    V = 8

    @classmethod
    def table(cls) -> Tensor:
        return 2 * torch.randn(cls.V, cls.V, generator=torch.Generator().manual_seed(5))

    @classmethod
    def logits(cls, ids: list[int]) -> Tensor:
        """(length, V): what is seen up to each place, the nearer the more."""
        table, rows = cls.table(), []
        for t in range(len(ids)):
            weights = 0.6 ** torch.arange(t, -1, -1.0)
            rows.append((table[ids[: t + 1]] * weights[:, None]).sum(0))
        return torch.stack(rows)

    @classmethod
    def seen(cls, answer: Callable, *arguments: Any) -> dict:
        """As a `Watched`, with a toy for a model; and how much it was given to read."""
        lengths: list[int] = []

        def read(ids: Any) -> Tensor:
            ids = [int(i) for i in torch.as_tensor(ids).flatten()]
            lengths.append(len(ids))
            return cls.logits(ids)

        found = Watched.seen(lambda *given: answer(read, *given), *arguments)
        value = found["value"]
        if isinstance(value, tuple | list) and len(value) == 2 and not torch.is_tensor(value):
            best, scores = value
            try:
                value = [int(best), [float(score) for score in scores]]
            except (TypeError, ValueError):
                value = "not a pair of a number and a list"
        return {**found, "value": value, "longest": max(lengths, default=0)}

    cases = (  # context, endings, start, longest
        ([3, 1, 4], [[5, 3, 2], [2, 6, 4], [6, 6, 2], [1, 1, 6]], 0, 50),
        ([3, 1, 4, 1, 5], [[2], [6, 5, 3, 5], [7, 7, 2]], 0, 50),
        ([2, 7, 1, 7, 2], [[1, 6], [5, 4, 4]], 0, 6),
        ([3, 1, 4, 1, 5, 2, 6, 5, 3, 5], [[6, 2], [7]], 0, 50),
    )

    def untouched(self, seen: Any) -> bool:
        context, endings, start, longest = self.cases[0]
        value = seen(list(context), [list(e) for e in endings], start, longest)["value"]
        return value is None or value is Ellipsis or value == [0, []]

    def check(self, seen: Any) -> Right | Wrong:
        steps = "endings of one length", "endings of several lengths", "a long context"
        steps += ("a long context that fits",)
        for step, (case, what) in enumerate(zip(self.cases, steps, strict=True), 1):
            context, endings, start, longest = case
            found = seen(list(context), [list(e) for e in endings], start, longest)
            told = self.told(found, case, f"step {step}, {what}: ", min(2 * step - 1, 6))
            if told is not None:
                return told
        return Right(
            "No label, no new layer and no training: the model was asked, and answered with what "
            "predicting text has taught it."
        )

    def told(self, found: dict, case: tuple, step: str, points: int) -> Wrong | None:
        value, want = found["value"], self.scores(*case)
        if found["changed"]:
            return Wrong(step + CHANGED, points)
        if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], list):
            return Wrong(step + "expected a pair: the number of the best ending, and all scores.")
        best, scores = value
        if len(scores) != len(want):
            return Wrong(f"{step}expected {len(want)} scores, one an ending, got {len(scores)}.")
        if same(scores, [-x for x in want]):
            return Wrong(step + "these are losses: log-probabilities are negative.", points)
        ways = {way: self.scores(*case, way=way) for way in WAYS}
        for way, message in WAYS.items():
            if same(scores, ways[way]) and not same(want, ways[way]):
                return Wrong(step + message, points)
        if found["longest"] > case[3]:
            return Wrong(step + "the model reads at most `longest` tokens: cut what is in front.",
                         points)  # fmt: skip
        if not same(scores, want):
            told = [", ".join(f"{x:.3f}" for x in row) for row in (want, scores)]
            return Wrong(f"{step}expected the scores {told[0]}, got {told[1]}.", points)
        right = want.index(max(want))
        if best == right:
            return None
        if best == want.index(min(want)):
            return Wrong(step + "the scores are right, but the *un*likeliest was taken.", points)
        return Wrong(f"{step}the scores are right; the best is number {right}, counted from 0, "
                     f"and not {best}.", points)  # fmt: skip

    @classmethod
    def scores(
        cls, context: list, endings: list, start: int, longest: int, *, way: str = ""
    ) -> list[float]:
        """The score of each ending, or what a known mistake makes of it."""
        found = []
        for ending in endings:
            before = [*([] if way == "no start" else [start]), *context]
            whole = [start, *ending] if way == "no context" else [*before, *ending]
            ids = whole[:longest] if way == "cut behind" else whole[-longest:]
            ids = ids[-longest + 1 :] if way == "one less" else ids
            if way == "growing":
                context = [*context, *ending]
            if way == "one by one":
                steps = [(whole[:t][-longest:], whole[t]) for t in range(len(before), len(whole))]
                told = [float(cls.logits(a)[-1].log_softmax(-1)[b]) for a, b in steps]
                found.append(sum(told) / len(told))
                continue
            if way == "start kept":
                ids = [start, *whole[1:][1 - longest :]]
            logits = cls.logits(ids)
            p = logits if way == "logits" else logits.log_softmax(0 if way == "axis" else -1)
            p = p.exp() if way == "shares" else p
            shift = {"unshifted": 0, "backwards": -1}.get(way, 1)
            places = range(max(shift, 1), len(ids)) if way == "all" else range(
                max(len(ids) - len(ending), 1), len(ids))  # fmt: skip
            told = [float(p[min(t - shift, len(ids) - 1), ids[t]]) for t in places]
            told = {"first": told[:1], "last": told[-1:], "not first": told[1:]}.get(way, told)
            length = {"sum": 1, "by all": len(ids), "one more": len(told) + 1}.get(way, len(told))
            found.append(sum(told) / max(length, 1))
            found[-1] = {
                "exp": math.exp(found[-1]), "bits": found[-1] / math.log(2),
            }.get(way, found[-1])  # fmt: skip
        return found


WAYS = {  # of `ZeroShot.scores`, in the order in which they are looked for
    "sum": "a sum: a longer ending is less likely for its length alone; take the mean.",
    "all": "the context is scored, too: only the tokens of the ending count.",
    "unshifted": "nothing is shifted: the logits at a token's own place are about the next one.",
    "backwards": "shifted the wrong way: the place *before* a token tells of it.",
    "first": "only the first token of the ending counts.",
    "last": "only the last token of the ending counts.",
    "not first": "the first token of the ending counts, too: the context tells of it.",
    "by all": "divided by the length of the whole text: the mean is over the ending.",
    "one more": "divided by one more than there are tokens in the ending.",
    "growing": "the earlier endings are still there: each is read after the context alone.",
    "one less": "one token less is read than could be: the last `longest`.",
    "one by one": "each token was asked with a text cut again: cut the whole text once, its last "
    "`longest` tokens, and read that.",
    "bits": "these are bits: take the natural logarithm, as `log_softmax` does.",
    "exp": "these are probabilities: the mean of the logarithms is the score.",
    "start kept": "of the whole text, `start` in front, only the last `longest` are read: what is "
    "cut is the beginning, `start` too.",
    "no context": "the context is not read.",
    "no start": "`start` does not stand in front.",
    "logits": "these are logits: take `log_softmax` over the vocabulary.",
    "axis": "the softmax goes over the vocabulary, the last axis, not over the places.",
    "shares": "these are probabilities: take their logarithms.",
    "cut behind": "cut in front, not behind: the ending has to be read.",
}
