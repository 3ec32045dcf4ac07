"""Chapter 02: the exercises about letters and the two directions."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import Answer, Careful, Learnable, judged


class Convolve(Learnable):
    id = "02.convolve"
    title = "One filter over the letters of a word"
    minutes, difficulty, importance, points = 8, 2, 4, 3
    hints = (
        "There are `len(x) - width + 1` positions at which a filter of that width fits.",
        "At position `i` it sees `width` rows of `x`. They have the shape of `weight`: multiply "
        "element by element, add everything up, add the bias.",
        "Max-pooling keeps the largest of these scores.",
    )
    default = 0.0
    example = (torch.arange(10.0).view(5, 2), torch.ones(3, 2), torch.tensor(0.0))

    def check(self, best_match: Answer) -> Right | Wrong:
        for x, weight, bias in self.cases():
            scores = self.scores(x, weight, bias)
            got, fault = best_match(x, weight, bias)
            verdict = self.named(got, scores, x, weight, bias=bias)
            if not isinstance(verdict, Right):
                return verdict
        return judged(Right("Where the match was is forgotten; how good it was is kept."), fault)

    def reference(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return self.scores(x, weight, bias).max()

    @staticmethod
    def cases() -> list[tuple[Tensor, Tensor, Tensor]]:
        """x, weight and bias: three good matches, and a word that matches nowhere."""
        found = []
        for best, shift, width, scale in ((9, 0.7, 3, 1), (5, 0.7, 3, 1), (0, -100.0, 2, 0.1)):
            generator = torch.Generator().manual_seed(0)
            x = torch.randn(12, 4, generator=generator)
            weight = torch.randn(width, 4, generator=generator)
            x[8 : 8 + width] = 2 * weight  # a good match
            x[best : best + width] = 4 * weight  # the best match
            found.append((scale * x, weight, torch.tensor(shift)))
        row = torch.tensor([0.5, -1.0, 0.3, 0.8])
        x = -torch.arange(1.5, 8.5)[:, None] * row
        return [*found, (x, row.repeat(3, 1), torch.tensor(0.7))]

    def named(
        self, got: object, scores: Tensor, x: Tensor, weight: Tensor, *, bias: Tensor
    ) -> Right | Wrong:
        """The verdict on one answer."""
        turned = self.scores(x, weight.flip(0), bias)
        padded = self.scores(nn.functional.pad(x, (0, 0, 1, 1)), weight, bias)
        rows = x @ weight.T  # each symbol with each row of the filter
        mistakes = [
            (0.0, "a match of 0 where every score is below zero: the best is the largest score all "
             "the same, so do not start from 0 (the ReLU comes later).", 2),
            (scores.max() - bias, "the bias is missing.", 2),
            (scores.max() + (weight.numel() - 1) * bias, "the bias is added once, not to each "
             "product.", 2),
            (scores.logsumexp(0), "a soft maximum (logsumexp): keep the largest score alone.", 1),
            (rows.max(0).values.sum() + bias, "each row of the filter has found a best "
             "match of its own: the filter moves as a whole.", 1),
            (rows.max() + bias, "single rows are compared: multiply `width` rows at a time.", 1),
            ((scores - bias).max() / weight.numel() + bias, "the products are averaged: add them "
             "up.", 1),
            ((scores.softmax(0) * scores).sum(), "a weighted mean of the scores: keep the largest "
             "score alone.", 1),
            (padded.max(), "zeros were added at the ends: only positions where the whole filter "
             "fits count.", 1),
            (scores[:-1].max(), "the last position is left out: `range` stops one before its end.",
             2),
            (scores[::2].max(), "every second position is left out: move by one symbol.", 1),
            (scores[:: len(weight)].max(), "the windows do not overlap: move by one symbol.", 1),
            (scores[-1], "only the last position counts: keep the best of all, do not overwrite "
             "it.", 1),
            (scores[0], "only the first position counts: move the filter along the word.", 1),
            (int(scores.argmax()), "that is the position of the best match (argmax): return its "
             "score.", 1),
            (scores.mean(), "that is the mean over the positions: keep the largest score.", 1),
            (scores.sum(), "that is the sum over the positions: keep the largest score.", 1),
            (scores.min(), "that is the smallest score.", 1),
            (scores.abs().max(), "no absolute value: a strong mismatch is no match.", 2),
            (turned.max(), "the filter is reversed: in deep learning a convolution does not flip "
             "it.", 2),
            (scores, "these are the scores at all positions: keep the largest.", 1),
        ]  # fmt: skip
        mistakes = [row for row in mistakes if not same(row[0], scores.max())]
        return compare(got, scores.max(), mistakes, what="the match")

    @staticmethod
    def scores(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The scores, (positions,), of a filter (width, dim) over letters (length, dim)."""
        positions = range(len(x) - len(weight) + 1)
        return torch.stack([(x[i : i + len(weight)] * weight).sum() + bias for i in positions])


class BothWays(Careful):
    id = "02.both_ways"
    title = "What each direction reads, and what it must predict"
    minutes, difficulty, importance, points = 8, 2, 5, 3
    hints = (
        "Forward: the model reads `<S>` first. Every token that it reads must predict the next.",
        "Backward is the same game on the reversed sentence, `words[::-1]`. There the sentence "
        "begins with `</S>` and ends with `<S>`.",
    )
    default: Any = ([], [], [], [])
    example = (["a", "b"],)

    def as_functions(self, both_ways: Answer) -> tuple[Answer]:
        def in_lists(words):
            """What was returned, with lists in place of tuples and iterators."""
            parts = both_ways(words)
            return list(map(_listed, parts)) if isinstance(parts, tuple | list) else parts

        return super().as_functions(in_lists)

    def untouched(self, both_ways: Answer) -> bool:
        parts, _ = both_ways(["a", "b"])
        return parts is None or parts == [[], [], [], []]

    def check(self, both_ways: Answer) -> Right | Wrong:
        faults: list[str] = []
        for words in ("a cat saw the dog saw a bird".split(), ["yes"]):
            got, fault = both_ways(words)
            faults.append(fault)
            if not isinstance(got, tuple | list) or len(got) != 4:
                return Wrong("expected four lists: forward inputs and targets, backward the same.")
            if not all(isinstance(part, list) and _are_words(part) for part in got):
                return Wrong("each of the four must be a list of words, `<S>` and `</S>`.")
            want = self.solve(words)
            for number, (mine, right) in enumerate(zip(got, want, strict=True)):
                if mine != right:
                    return self.named(number, mine, want)
        right = "n words give n + 1 predictions in each direction. None can see its answer."
        return judged(Right(right), max(faults))

    def named(self, number: int, mine: list[str], want: list[list[str]]) -> Wrong:
        """What is wrong with one of the four lists."""
        names = ("forward inputs", "forward targets", "backward inputs", "backward targets")
        name, right, points = names[number], want[number], 1 if number > 1 else 0
        swapped = {"<S>": "</S>", "</S>": "<S>"}
        if mine == want[number ^ 1]:
            return Wrong(f"{name}: these are the other side: inputs and targets are swapped.", 1)
        if number > 1 and mine == want[number - 2]:
            return Wrong("backward is the same as forward: reverse the sentence.", points)
        if [swapped.get(word, word) for word in mine] == right:
            return Wrong(
                f"{name}: the marks belong to the sentence and are reversed with it; read from "
                "the end, it begins with `</S>`.", points
            )  # fmt: skip
        if number > 1 and mine[::-1] == right:
            return Wrong(f"{name}: in the order of the text; list them in reading order.", points)
        if sorted(mine) == sorted(right):
            return Wrong(f"{name}: the right words, in another order.", points)
        if [word.strip("</>") for word in mine] == [word[::-1].strip("</>") for word in right]:
            return Wrong(f"{name}: the words go backward, not their letters.", points)
        if mine in (right[1:], right[:-1]):
            return Wrong(f"{name}: a mark or a word is missing at one end.", points)
        if sorted(set(mine)) == sorted(set(right)) and len(mine) < len(right):
            return Wrong(f"{name}: a word that occurs twice is listed once.", points)
        if len(mine) > len(right):
            return Wrong(f"{name}: too long. The last token is not read, the first is not a "
                         "target.", points)  # fmt: skip
        return Wrong(f"{name}: expected {right}, got {mine}.", points)

    @staticmethod
    def solve(words: list[str]) -> list[list[str]]:
        """The four lists."""
        back = words[::-1]
        return [["<S>", *words], [*words, "</S>"], ["</S>", *back], [*back, "<S>"]]


def _listed(part: Any) -> Any:
    return list(part) if isinstance(part, Iterable) and not isinstance(part, str) else part


def _are_words(part: list) -> bool:
    return all(isinstance(word, str) for word in part)
