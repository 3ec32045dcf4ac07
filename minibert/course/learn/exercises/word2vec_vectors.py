"""Chapter 01: what finished vectors are asked."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, NOT_A_TENSOR, kept


class Neighbours(Exercise):
    id = "01.neighbours"
    title = "The nearest words"
    minutes, difficulty, importance, points = 5, 2, 4, 2
    hints = (
        "Divide every row by its length first: then the product of two rows is their cosine.",
        "All cosines at once are one matrix product. Give the query's own one `-inf`.",
        "`topk(k).indices` has the best first.",
    )
    example = (torch.eye(5), 0, 2)

    def as_functions(self, neighbours: Any) -> tuple:
        return (partial(kept, neighbours),)

    def untouched(self, seen: Any) -> bool:
        return super().untouched(lambda *arguments: seen(*arguments)[0])

    def check(self, seen: Any) -> Right | Wrong:
        for seed, k in ((0, 3), (1, 6), (2, 1)):
            generator = torch.Generator().manual_seed(seed)
            vectors = torch.randn(30, 5, generator=generator)
            vectors *= 0.3 + 3 * torch.rand(30, 1, generator=generator)
            query = 7 + seed
            got, changed = seen(vectors, query, k)
            if changed:
                return Wrong(CHANGED, 1)
            verdict = self.judge(got, vectors, query, k)
            if isinstance(verdict, Wrong):
                return verdict
        if len(seen(vectors, query)[0]) != 6:
            return Wrong("without an argument `k`, there are six rows: keep the default.", 1)
        return Right("This is all that a search for similar words needs.")

    @staticmethod
    def judge(got: Any, vectors: Tensor, query: int, k: int) -> Right | Wrong:
        unit = F.normalize(vectors, dim=1)
        cosines = unit @ unit[query]
        order = cosines.argsort(descending=True).tolist()
        want, others = order[1 : k + 1], torch.arange(30) != query
        far = torch.cdist(vectors, vectors[[query]])[:, 0].masked_fill(~others, 1e9)
        product = (vectors @ vectors[query]).masked_fill(~others, -1e9)
        mistakes = [
            (order[:k], "the query itself is among the answers: leave it out.", 1),
            (order[: k + 1], "the query itself is among the answers: leave it out.", 1),
            (order[::-1][:k], "these are the farthest words: the largest cosines come first.", 1),
            ((vectors @ vectors[query]).argsort(descending=True)[1 : k + 1].tolist(),
             "long vectors win: divide by the lengths.", 1),
            (product.topk(k).indices.tolist(), "long vectors win: divide by the lengths.", 1),
            (far.argsort()[:k].tolist(), "these are nearest by distance: use the cosine.", 1),
            (cosines[want].tolist(), "these are cosines: return the numbers of the rows.", 1),
            (sorted(want), "the right rows in the wrong order: the best comes first.", 1),
            (want[::-1], "the right rows in the wrong order: the best comes first.", 1),
            (order[1:4], "always three rows: `k` says how many.", 1),
            (order[1:7], "always six rows: `k` says how many.", 1),
        ]  # fmt: skip
        return compare(list(got) if isinstance(got, tuple) else got, want, mistakes)


class Kinds(Exercise):
    id = "01.kinds"
    title = "Sort words by a few examples"
    minutes, difficulty, importance, points = 8, 3, 4, 3
    hints = (
        "Make every row one unit long; then take the mean of each kind's example rows.",
        "A mean of unit vectors is shorter than one: normalise it, too, before comparing cosines.",
        "One matrix product gives (words, kinds); take `argmax` along the kinds.",
    )
    example = (torch.eye(4), [[2], [3]], torch.tensor([3, 3]))

    def as_functions(self, nearest_kind: Any) -> tuple:
        return (partial(kept, nearest_kind),)

    def untouched(self, seen: Any) -> bool:
        return super().untouched(lambda *arguments: seen(*arguments)[0])

    def check(self, seen: Any) -> Right | Wrong:
        for seed in range(4):
            generator = torch.Generator().manual_seed(seed)
            vectors = torch.randn(60, 4, generator=generator)
            vectors *= 0.3 + 3 * torch.rand(60, 1, generator=generator)
            rows = torch.randperm(60, generator=generator)
            examples = [rows[:2], rows[2:5], rows[5:6], rows[6:12]]
            words = rows[12:]
            got, changed = seen(vectors, examples, words)
            if changed:
                return Wrong(CHANGED, 2)
            verdict = self.judge(got, vectors, examples, words)
            if isinstance(verdict, Wrong):
                return verdict
        return Right("Nothing is trained here: a few labels and good vectors are a classifier.")

    @staticmethod
    def judge(got: Any, vectors: Tensor, examples: list, words: Tensor) -> Right | Wrong:
        unit = F.normalize(vectors, dim=1)

        def by(table: Tensor, means: list) -> Tensor:
            return table[words] @ torch.stack(means).T

        means = [unit[rows].mean(0) for rows in examples]
        cosines = by(unit, [F.normalize(mean, dim=0) for mean in means])
        sums = [unit[rows].sum(0) for rows in examples]
        single = torch.stack([(unit[words] @ unit[rows].T).amax(1) for rows in examples], 1)
        mistakes = [
            (by(unit, means).argmax(1), "the means are not of length one, so kinds whose "
             "examples agree have an advantage: normalise the means, too.", 2),
            (by(unit, sums).argmax(1), "these are sums of cosines, so kinds with many examples "
             "have an advantage: normalise the means.", 2),
            (torch.cdist(unit[words], torch.stack(means)).argmin(1), "nearest by distance to a "
             "mean that is not of length one: use the cosine.", 2),
            (by(unit, [F.normalize(vectors[rows].mean(0), dim=0) for rows in examples]).argmax(1),
             "long examples weigh more: take the mean of the unit vectors.", 2),
            (by(vectors, [vectors[rows].mean(0) for rows in examples]).argmax(1),
             "long vectors win: compare by cosine, with rows of length one.", 1),
            (by(unit, [unit[rows[0]] for rows in examples]).argmax(1),
             "only the first example of each kind counts: take their mean.", 1),
            (single.argmax(1), "this is the kind of the nearest example: compare with the mean "
             "of each kind's examples.", 1),
            (cosines.argmin(1), "this is the farthest kind: take the largest cosine.", 1),
            (cosines.argmax(0), "the maximum runs over the words: take it over the kinds.", 1),
            (cosines, "these are the cosines: return the number of the best kind.", 1),
        ]  # fmt: skip
        return compare(got, cosines.argmax(1), mistakes, what="the kinds")


class PPMI(Exercise):
    id = "01.ppmi"
    title = "Counting, made comparable"
    minutes, difficulty, importance, points = 8, 3, 3, 3
    hints = (
        "What would chance give? Row sum times column sum, divided by the sum of everything.",
        "Keep shapes for broadcasting: `X.sum(1, keepdim=True)` is (V, 1).",
        "Take the logarithm only where `X > 0`; the other entries stay 0. Then clip below at 0.",
    )
    example = (torch.tensor([[3.0, 1.0], [0.0, 2.0]]),)

    def as_functions(self, ppmi: Any) -> tuple:
        return (partial(kept, ppmi),)

    def untouched(self, seen: Any) -> bool:
        return super().untouched(lambda *arguments: seen(*arguments)[0])

    def check(self, seen: Any) -> Right | Wrong:
        X = torch.tensor([[4.0, 0.5, 0.0, 1.0], [2.0, 3.0, 0.2, 0.0], [0.0, 1.0, 6.0, 0.7],
                          [0.1, 0.0, 2.5, 1.0]]) / 10  # fmt: skip
        rows, columns, total = X.sum(1, keepdim=True), X.sum(0, keepdim=True), X.sum()
        information = (X * total / (rows * columns)).log()
        want = information.clamp(min=0)
        swapped = (X * total / (rows.T * columns.T)).log().clamp(min=0)
        mistakes = [
            (torch.zeros(4, 4), "every entry is 0: divide by the rows and by the columns, too, and "
             "multiply by the sum of everything.", 1),
            (information, "minus infinity where X is 0: such a pair gets 0."),
            (want / math.log(10), "powers of ten: take the natural logarithm, `log`.", 2),
            (information.where(X > 0, 0), "negative entries are left: the P says *positive*.", 2),
            (want.where(X == 0, want / want.new_tensor(2).log()), "bits: take `log`.", 2),
            ((X * total / (rows * columns)), "this is the ratio: take its logarithm.", 1),
            ((1 + X * total / (rows * columns)).log(), "log(1 + ratio) is something else.", 1),
            ((X / (rows * columns)).log().clamp(min=0), "the sum of everything is missing.", 1),
            ((X / rows).log().clamp(min=0), "only the rows count: divide by the columns, too.", 1),
            ((X * total / rows).log().clamp(min=0), "only the rows count: divide by the columns, "
             "too.", 1),
            ((X * total / columns).log().clamp(min=0), "only the columns count: divide by the "
             "rows, too.", 1),
            (swapped, "the sums of rows and columns are exchanged: `keepdim=True` shows which is "
             "which.", 2),
        ]  # fmt: skip
        got, changed = seen(X)
        if changed:
            return Wrong(CHANGED, 2)
        if isinstance(got, list):
            return Wrong(NOT_A_TENSOR, 1)
        verdict = compare(got, want, mistakes, what="the PPMI")
        if isinstance(verdict, Wrong):
            return verdict
        X[0] = X[:, 0] = 0
        return compare(
            seen(X)[0][0], torch.zeros(4),
            [(torch.full((4,), torch.nan), "NaN for a word without neighbours: its row is 0.", 2)],
            what="the row of a word without neighbours", right="Counting with a sense of chance.",
        )  # fmt: skip


class TextVector(Exercise):
    id = "01.text_vector"
    title = "The mean vector of a text"
    minutes, difficulty, importance, points = 4, 1, 3, 2
    hints = (
        "Keep the row numbers above 1; `vectors[list of numbers]` gives their rows.",
        "An empty list has no mean: return the zeros.",
    )
    example = (torch.ones(4, 3), [2, 3])

    def as_functions(self, text_vector: Any) -> tuple:
        return (partial(kept, text_vector),)

    def untouched(self, seen: Any) -> bool:
        return super().untouched(lambda *arguments: seen(*arguments)[0])

    def check(self, seen: Any) -> Right | Wrong:
        vectors = torch.randn(9, 4, generator=torch.Generator().manual_seed(3))
        ids = [5, 1, 2, 5, 0, 8, 1, 0]
        known = vectors[[5, 2, 5, 8]]
        mistakes = [
            (known.sum(0), "this is the sum: divide by the number of known words.", 1),
            (vectors[ids].mean(0), "rows 0 and 1 are among the words: leave them out.", 1),
            (known.sum(0) / len(ids), "divided by the length of the whole text: unknown words "
             "must not count.", 1),
            (vectors[[5, 2, 8]].mean(0), "a word that occurs twice counts twice.", 1),
            (vectors[[5, 1, 2, 5, 8, 1]].mean(0), "row 1, the unknown word, is left in.", 1),
            (vectors[[5, 2, 5, 0, 8, 0]].mean(0), "row 0, the padding, is left in.", 1),
            (known.amax(0), "this is the maximum of each number: take the mean.", 1),
            (known.mean(), "one number: the mean runs over the words alone, `mean(0)`.", 1),
            (known.mean(1), "the mean runs over the numbers of each word: take `mean(0)`.", 1),
            (vectors[5], "this is the first word alone.", 1),
        ]  # fmt: skip
        got, changed = seen(vectors, ids)
        if changed:
            return Wrong(CHANGED, 1)
        if isinstance(got, list):
            return Wrong(NOT_A_TENSOR, 1)
        verdict = compare(got, known.mean(0), mistakes, what="the mean")
        if isinstance(verdict, Wrong):
            return verdict
        empty, _ = seen(vectors, [1, 0])
        if not same(empty, torch.zeros(4)):
            return Wrong("a text without any known word should give zeros (a mean of none is NaN).")
        if not same(seen(torch.ones(3, 7), [1, 0])[0], torch.zeros(7)):
            return Wrong("the zeros have a length written in: take it from `vectors`.", 1)
        return Right("The order of the words is lost, and still the topic is there.")


class Analogy(Exercise):
    id = "01.analogy"
    title = "Analogies by arithmetic"
    minutes, difficulty, importance, points = 6, 3, 4, 3
    hints = (
        "Divide every row by its length first: then a product of two rows is their cosine.",
        "The target is `v[b] - v[a] + v[c]`; score all words with it at once.",
        "The question's own words often score highest: set their scores to `-inf` before `argmax`.",
    )
    example = (torch.eye(5), 0, 1, 2)
    MISTAKES: Any = (  # named only where all the answers are explained by it
        ({"factors": (1, -1, 1)}, "the difference is turned round: b - a, plus c."),
        ({"factors": (-1, 1, -1)}, "c is taken away: add it."),
        ({"factors": (0, 0, 1)}, "this is c's nearest neighbour: where is b - a?"),
        ({"factors": (0, 1, 1)}, "this is the word nearest to b + c: take a away, too."),
        ({"factors": (-1, 0, 1)}, "this is the word nearest to c - a: add b, too."),
        ({"target": False},
         "long vectors weigh more in the sum: use rows of length one there, too."),
        ({"normalise": False},
         "long vectors win: compare by cosine, with rows of length one."),
    )  # fmt: skip

    def as_functions(self, analogy: Any) -> tuple:
        return (partial(kept, analogy),)

    def untouched(self, seen: Any) -> bool:
        return super().untouched(lambda *arguments: seen(*arguments)[0])

    def check(self, seen: Any) -> Right | Wrong:
        wrong = []
        cases = [self.near(), *map(self.case, range(20))]
        answers = []
        for vectors, (a, b, c) in cases:
            got, changed = seen(vectors, a, b, c)
            if changed:
                return Wrong(CHANGED, 1)
            if isinstance(got, bool) or got is None or same(got, torch.zeros(len(vectors))):
                return Wrong("the answer is None or a truth value: return the number of a word.")
            if any(same(got, word) for word in (a, b, c)):
                return Wrong("the answer is a word of the question: leave a, b and c out.", 1)
            answers.append(got)
            want = self.solve(vectors, [a, b, c])
            wrong += [] if same(got, want) else [compare(got, want, what="the word")]
        for options, message in self.MISTAKES if wrong else ():
            if all(same(got, self.solve(*case, **options))
                   for got, case in zip(answers, cases, strict=True)):  # fmt: skip
                return Wrong(message, 1)
        if wrong:
            return wrong[0]
        return Right("`a is to b as c is to ?` is a translation in the space of words.")

    @staticmethod
    def near() -> tuple:
        """A question whose sum lies nearest to a itself."""
        angles = torch.tensor([0.0, 0.3, -0.3, 1.4, 2.0, 3.0])
        return torch.stack([angles.cos(), angles.sin()], 1), [0, 1, 2]

    @staticmethod
    def case(seed: int) -> tuple:
        generator = torch.Generator().manual_seed(seed)
        vectors = torch.randn(40, 5, generator=generator)
        vectors *= 0.5 + 2 * torch.rand(40, 1, generator=generator)
        return vectors, torch.randperm(40, generator=generator)[:3].tolist()

    @staticmethod
    def solve(vectors: Tensor, words: Any, factors: tuple = (-1, 1, 1), *,
              normalise: bool = True, target: bool = True) -> int:  # fmt: skip
        """The word nearest to the sum of a, b and c, each times its factor."""
        unit = F.normalize(vectors, dim=1)
        rows = unit if normalise and target else vectors
        scores = (unit if normalise else vectors) @ (torch.tensor(factors).float() @ rows[words])
        scores[words] = -torch.inf
        return int(scores.argmax())
