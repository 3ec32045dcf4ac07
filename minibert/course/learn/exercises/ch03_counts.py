"""Chapter 03: the baseline that counts words, and how a rate is chosen."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import Answer, Learnable, judged


class Count(Exercise):
    id = "03.count"
    title = "A text as counted words"
    minutes, difficulty, importance, points = 6, 1, 4, 3
    hints = (
        "A dictionary from each word to its column saves searching: `enumerate(words)`.",
        "Start from `torch.zeros(len(texts), len(words))`, and add 1 at a row and a column.",
        "What does your code do with a word that `words` does not have?",
    )
    TEXTS: tuple[list[str], ...] = (
        ["the", "cat", "saw", "the", "dog"],
        ["a", "dog", "a", "dog", "a"],
        [],
        ["a", "fox"],
    )
    WORDS = ("dog", "the", "a", "cat", "owl")

    def untouched(self, count: Answer) -> bool:
        got = count([["a"]], ["a", "b"])
        return got is None or same(got, torch.zeros(1, 2))

    def check(self, count: Answer) -> Right | Wrong:
        texts, words = [list(text) for text in self.TEXTS], list(self.WORDS)
        given = [list(text) for text in texts], list(words)
        got = count(*given)
        if not torch.is_tensor(got):
            return Wrong(f"expected a tensor, got {type(got).__name__}.")
        if got.dtype != torch.float32:
            return Wrong("expected a tensor of floats (`torch.float32`): it is to be multiplied by "
                         "weights.", 2)  # fmt: skip
        if given != (texts, words):
            return Wrong("`texts` or `words` was changed: leave the arguments as they are.", 2)
        want = torch.tensor([[float(text.count(word)) for word in words] for text in texts])
        order = sorted(words)
        mistakes = [
            ((want > 0).float(), "a word that stands twice counts once: count how often.", 1),
            (want.T, "turned round: a row for each text, a column for each word.", 1),
            (want[:, [words.index(word) for word in order]], "the columns are sorted: keep the "
             "order of `words`.", 1),
            (want.log1p(), "logarithms: give the counts themselves.", 1),
            (want.sum(0).expand_as(want), "all texts are counted together: a row for each.", 1),
            (want.sum(0), "all texts are counted together: a row for each.", 1),
            (want[:, :4], "the last word has no column: `words` may have words that no text has.",
             1),
            (want[[0, 1, 3]], "an empty text has a row, too: a row of zeros.", 2),
            (self.last(want, texts, words), "a word that is not in `words` is counted in the last "
             "column: leave it out.", 1),
        ]  # fmt: skip
        sizes = torch.tensor([[float(len(text))] for text in texts])
        for total in (want.sum(1, keepdim=True), sizes):
            mistakes += [(want / total.clamp(min=least), "shares of the text: give the counts.", 1)
                         for least in (0, 1)]  # fmt: skip
        verdict = compare(got, want, mistakes, what="the table")
        if not isinstance(verdict, Right):
            return verdict
        if not same(count([["b", "b"]], ["b"]), [[2.0]]):
            return Wrong("right for five words, but not for one: is a number fixed?", 2)
        if not same(count([["The", "the"]], ["the", "The"]), [[1.0, 1.0]]):
            return Wrong("“The” and “the” are two words here: compare them as they are.", 2)
        return Right("A text is a row of numbers now. The order of its words is gone.")

    @staticmethod
    def last(want: Tensor, texts: list, words: list) -> Tensor:
        """The table in which unknown words stand in the last column."""
        more = torch.zeros_like(want)
        more[:, -1] = torch.tensor([float(sum(w not in words for w in text)) for text in texts])
        return want + more


class Regression(Learnable):
    id = "03.regression"
    title = "Logistic regression: what it minimises (optional)"
    minutes, difficulty, importance, points = 8, 2, 4, 3
    hints = (
        "The scores are `x @ weight.T + bias`, of the shape (texts, classes).",
        "`F.cross_entropy` takes a mean where it is not told `reduction=...`.",
        "Which of the two holds the weights of the words, and which one only shifts a class?",
    )
    default = torch.tensor(0.0)
    example = (torch.eye(2), torch.tensor([0, 1]), torch.ones(3, 2), torch.zeros(3), 1.0)

    def check(self, loss: Answer) -> Right | Wrong:
        for seed, penalty in ((0, 0.5), (1, 3.0), (2, 0.0)):
            generator = torch.Generator().manual_seed(seed)
            x, y = torch.rand(6, 4, generator=generator), torch.tensor([0, 2, 1, 1, 0, 2])
            weight, bias = (torch.randn(*s, generator=generator) for s in ((3, 4), (3,)))
            got, fault = loss(x, y, weight, bias, penalty)
            each = F.cross_entropy(x @ weight.T + bias, y, reduction="none")
            norm = weight.square().sum()
            mistakes = self.mistakes(x, y, weight, bias) if penalty == 0.5 else []
            mistakes += [
                (each.mean() + penalty / 2 * norm, "the mean of the losses: add them up, or the "
                 "penalty grows with every text that you add.", 1),
                (each + penalty / 2 * norm, "a loss for each text: add them up.", 1),
                (each.sum() + penalty / 2 * weight.square().mean(), "the mean of the squares: the "
                 "penalty takes their sum.", 1),
                (each.sum() + penalty * norm, "the penalty has a factor of one half.", 2),
                (each.sum() + penalty / 2 * norm.sqrt(), "the penalty takes the squares, without "
                 "a root.", 1),
                (each.sum() + penalty / 2 * weight.abs().sum(), "absolute values are another "
                 "penalty (L1): take the squares.", 1),
                (each.sum() + penalty / 2 * (norm + bias.square().sum()), "the biases are free: "
                 "only `weight` is penalised.", 2),
                (each.sum() - penalty / 2 * norm, "the penalty makes the loss larger: add it.", 1),
                (penalty / 2 * norm, "the losses of the texts are missing.", 0),
            ]  # fmt: skip
            told = [row for row in mistakes if not same(row[0], each.sum() + penalty / 2 * norm)]
            verdict = compare(got, each.sum() + penalty / 2 * norm, told, what="the loss")
            if not isinstance(verdict, Right) or fault:
                return judged(verdict, fault) if isinstance(verdict, Right) else verdict
        return Right("It is convex: any minimum that an optimiser finds is the best.")

    def reference(self, *parts: Any) -> Tensor:
        x, y, weight, bias, size = parts
        total = F.cross_entropy(x @ weight.T + bias, y, reduction="sum")
        return total + size / 2 * weight.square().sum()

    @staticmethod
    def mistakes(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor) -> list[tuple]:
        """What goes wrong without the penalty, and with another softmax; the penalty is 0.5."""
        total, scores = partial(F.cross_entropy, reduction="sum"), x @ weight.T + bias
        norm = weight.square().sum() / 4
        own = F.one_hot(y, len(bias)).float()
        softmax = "the probabilities of a text add up to 1: the softmax is over the classes, once."
        return [
            (total(scores, y), "the penalty is missing.", 1),
            (total(x @ weight.T, y), "bias and penalty are missing.", 0),
            (total(x @ weight.T, y) + norm, "the bias is missing.", 1),
            (total(scores.softmax(1), y) + norm, "a second softmax: `F.cross_entropy` takes the "
             "scores as they are.", 1),
            (F.nll_loss(scores.softmax(1), y, reduction="sum") + norm,
             "there is no logarithm: add up the losses, not the probabilities.", 1),
            (F.binary_cross_entropy_with_logits(scores, own, reduction="sum") + norm,
             "each class is judged alone: one softmax over all of them.", 1),
            (total(scores, y) + len(y) * norm, "the penalty is added for each text: once is "
             "enough.", 2),
            (F.nll_loss(scores, y, reduction="sum") + norm, "there is no softmax: the "
             "scores are no probabilities.", 1),
            (F.nll_loss(scores.log_softmax(0), y, reduction="sum") + norm, softmax, 1),
        ]  # fmt: skip


class BestRate(Exercise):
    id = "03.best_rate"
    title = "The rate that is best on validation texts"
    minutes, difficulty, importance, points = 6, 2, 5, 3
    hints = (
        "For one rate: the mean of `error(rate, seed)` over the seeds.",
        "`min(rates, key=...)` gives the first of several that are equally good. Which should be "
        "first?",
    )
    RATES = (0.01, 0.001, 0.1, 0.02)
    TABLE = {  # the errors of three seeds
        0.01: (0.30, 0.20, 0.25), 0.001: (0.40, 0.45, 0.50), 0.1: (0.10, 0.50, 0.60),
        0.02: (0.35, 0.15, 0.25),
    }  # fmt: skip

    def untouched(self, best_rate: Answer) -> bool:
        return best_rate(self.error_of(self.TABLE), list(self.RATES), [0]) is None

    @staticmethod
    def error_of(table: dict, tried: list | None = None) -> Callable[[float, int], float]:
        """The error function of a table; ``tried`` collects what is asked for."""

        def error(rate, seed):
            if tried is not None:
                tried.append((float(rate), int(seed)))
            errors = table[rate]
            return errors.get(seed, 0.5) if isinstance(errors, dict) else errors[seed]

        return error

    def check(self, best_rate: Answer) -> Right | Wrong:
        tried: list[tuple[float, int]] = []
        rates, seeds = list(self.RATES), [0, 1, 2]
        got = best_rate(self.error_of(self.TABLE, tried), rates, seeds)
        if rates != list(self.RATES):
            return Wrong("the list of rates was changed: `sorted` makes a new one.", 2)
        if got is None:
            return Wrong("best_rate gives None: is there a `return`?")
        missing = [(rate, seed) for rate in rates for seed in seeds if (rate, seed) not in tried]
        if missing and len({seed for _, seed in tried}) < len(seeds):
            return Wrong("not all seeds are tried: one seed may be luck.", 1)
        if missing:
            return Wrong(f"the rate {missing[0][0]:g} is not tried with all seeds.", 1)
        if len(tried) > 12:
            return Wrong("some runs are made twice: each is a whole training.", 2)
        if isinstance(got, tuple | list):
            return Wrong("expected the rate alone.", 2)
        told = {
            0.001: "the largest error was chosen: an error should be small.",
            0.1: "that rate has the best single seed and the worst mean: take the mean.",
            0.02: "0.01 and 0.02 have the same mean: of several, take the lowest rate.",
        }
        if got in told:
            return Wrong(told[got], 1)
        if got != 0.01:
            return Wrong(f"expected one of the rates, got {got!r}.", 0)
        return self.elsewhere(best_rate)

    def elsewhere(self, best_rate: Answer) -> Right | Wrong:
        """The verdict on one seed, on other rates, and on another order."""
        single = {0.5: (0.3,), 0.05: (0.2,), 0.005: (0.4,)}
        got = best_rate(self.error_of(single), [0.5, 0.05, 0.005], [0])
        if got != 0.05:
            return Wrong("right for four rates and three seeds, but not for three and one: is "
                         "something fixed?", 1)  # fmt: skip
        even = {0.2: (0.5, 0.1), 0.1: (0.3, 0.3), 0.3: (0.1, 0.5)}
        got = best_rate(self.error_of(even), [0.3, 0.2, 0.1], [0, 1])
        if got != 0.1:
            return Wrong("three rates have the same mean, 0.3: take the lowest rate, 0.1. (A "
                         "lowest error or a middle one says something else.)", 2)  # fmt: skip
        tried: list[tuple[float, int]] = []
        uneven = {0.1: {7: 0.0, 4: 0.4, 9: 0.5}, 0.2: dict.fromkeys((7, 4, 9), 0.35)}
        got = best_rate(self.error_of(uneven, tried), [0.2, 0.1], [7, 4, 9])
        if {seed for _, seed in tried} - {7, 4, 9}:
            return Wrong("it is called with seeds that are not in `seeds`.", 1)
        if got != 0.1:
            return Wrong("the mean decides: not the middle one of the seeds, nor the worst.", 1)
        return Right("Tuned on validation texts. What it is worth is told on test texts, once.")
