"""Chapter 00: surprise, a language model from counts, and a bug in a perplexity."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ngrams import (
    Table,
    grams,
    table_of,
    wrong_probability,
    wrong_table,
)


class Entropy(Exercise):
    id = "00.entropy"
    title = "The entropy of a distribution"
    minutes, difficulty, importance, points = 5, 1, 5, 2
    hints = (
        "The surprise at outcome $i$ is `-log(p[i])`, and it happens with probability `p[i]`.",
        "The mean weighs each surprise by its probability: multiply the two, and add up.",
        "An outcome with probability 0 adds nothing, but `0 * log(0)` is NaN: keep only the "
        "entries above 0, or look up `torch.special.entr`.",
    )
    default = torch.tensor(0.0)
    example = (torch.tensor([0.5, 0.5]),)

    def check(self, entropy: Callable[[Tensor], Tensor]) -> Right | Wrong:
        p = torch.tensor([0.5, 0.3, 0.15, 0.05])
        want = -(p * p.log()).sum()
        mistakes = [
            (want / math.log(2), "this is in bits: take the natural logarithm.", 1),
            (-p.log().sum(), "every surprise counts the same: weigh each by its probability.", 1),
            (-p.log().mean(), "a plain mean: weigh each surprise by its probability.", 1),
            (want / 4, "divided by the number of outcomes: the probabilities are the weights.", 1),
            (want.exp(), "this is the perplexity, exp(H): leave the exponential out."),
            (want / math.log(4), "divided by log V: entropy is not a share of the largest one."),
            (math.log(4), "this is log V, the largest entropy possible: use the probabilities."),
            (want / math.log(10), "this is to the base 10: take the natural logarithm.", 1),
            (-p.max().log(), "only the likeliest outcome counts here: take the mean over all."),
            (-(p * p.log_softmax(0)).sum(), "`cross_entropy` expects logits and does a softmax."),
            (torch.special.entr(p.softmax(0)).sum(), "a softmax came first: leave it out."),
            (1 - p.square().sum(), "this is 1 minus the sum of squares: take -p log p.", 0),
        ]
        verdict = compare(entropy(p.clone()), want, mistakes, what="the entropy")
        if not isinstance(verdict, Right):
            return verdict
        q = torch.tensor([0.5, 0.5, 0.0])
        if not same(entropy(q), math.log(2)):
            return Wrong("right, but not where an outcome has probability 0: it adds nothing.", 1)
        if not torch.equal(q, torch.tensor([0.5, 0.5, 0.0])):
            return Wrong("right, but your function has changed `p` itself.", 1)
        few = torch.tensor([0.9, 0.0, 0.0995, 0.0005])
        if not same(entropy(few), torch.special.entr(few).sum()):
            return Wrong("right, but not for [0.9, 0, 0.0995, 0.0005]: leave out only 0.", 1)
        return Right("Largest when all outcomes are equally likely: log V. Zero when one is sure.")


class Perplexity(Exercise):
    id = "00.perplexity"
    title = "From surprises to perplexity"
    minutes, difficulty, importance, points = 3, 1, 5, 2
    hints = (
        "First the mean surprise: the loss in nats per token.",
        "The perplexity is the exponential of that mean.",
    )
    default = 1.0
    example = ([math.log(4), math.log(2)],)

    def check(self, perplexity: Callable[[list[float]], float]) -> Right | Wrong:
        p = torch.tensor([0.5, 0.1, 0.02, 0.9, 0.05])
        surprises, mean = (-p.log()).tolist(), -p.log().mean()
        mistakes = [
            (mean, "this is the loss in nats per token: take its exponential.", 1),
            ((-mean).exp(), "the sign is wrong: a surprise is positive, so no minus is needed.", 1),
            ((1 / p).mean(), "this is the mean of the exponentials: average first, then exp.", 1),
            ((5 * mean).exp(), "the sum was not divided by the number of tokens.", 1),
            (2**mean, "the surprises are in nats, so the base is e, not 2.", 1),
            ((5 * mean / 4).exp(), "divided by n - 1: a mean divides by the number of tokens.", 1),
            ((-p.log()).quantile(0.5).exp(), "this takes the median: take the mean.", 1),
            (1 / p[-1], "this takes only the last surprise: take the mean of all.", 1),
            (1 / p.max(), "this takes only the smallest surprise: take the mean of all.", 1),
            (1 / p.min(), "this takes only the largest surprise: take the mean of all.", 1),
            (1 / p[0], "this takes only the first surprise: take the mean of all.", 1),
            (1 / p.mean(), "this averages the probabilities: average the surprises.", 1),
            (10**mean, "the surprises are in nats, so the base is e, not 10.", 1),
            ((5 * mean / 6).exp(), "divided by n + 1: a mean divides by the number of tokens.", 1),
            (5 * mean, "this is the sum of the surprises: take the exponential of their mean."),
            (mean.log(), "this is the logarithm of the mean: take its exponential."),
        ]
        given = list(surprises)
        verdict = compare(perplexity(given), mean.exp(), mistakes, what="the perplexity")
        if not isinstance(verdict, Right):
            return verdict
        if given != surprises:
            return Wrong("right, but your function has changed the list `surprises` itself.", 1)
        if not same(perplexity([math.log(2), math.log(2), math.log(16)]), 4):
            return Wrong("right for five tokens, but three of log 2, log 2 and log 16 give 4.", 1)
        return Right("As unsure as when choosing among that many equally likely words.")


class Count(Exercise):
    id = "00.count"
    title = "Build a table of n-grams"
    minutes, difficulty, importance, points = 10, 2, 5, 4
    hints = (
        'Put `n - 1` times `"<eod>"` before the text. Then every token has a history.',
        "Go through the positions from `n - 1` to the end. The history of position `i` is a slice "
        "that ends at `i`, made a tuple.",
        "`table.setdefault(history, {})` gives the inner dictionary of a history, and makes an "
        "empty one where there is none.",
    )
    tokens = "the cat saw the cat and the dog saw the cat run".split()
    others = "The cat ran <eod> The dog saw the cat <eod> The cat saw it".split()

    def untouched(self, count: Callable[[list[str], int], Table]) -> bool:
        return count(["a", "b", "a"], 2) in (None, {})

    def check(self, count: Callable[[list[str], int], Table]) -> Right | Wrong:
        for tokens, n in ((self.tokens, 3), (self.tokens, 2), (self.tokens, 1), (self.others, 4)):
            given = list(tokens)
            wrong = wrong_table(count(given, n), tokens, n)
            if wrong is None and given != tokens:
                wrong = Wrong("right, but your function has changed the list `tokens` itself.", 3)
            if wrong:
                return wrong
        return Right("A history with many different followers is hard to predict from.")


class Interpolate(Exercise):
    id = "00.interpolate"
    title = "Mix a count with a shorter history"
    minutes, difficulty, importance, points = 6, 2, 4, 3
    hints = (
        "The numerator is what was counted, plus `different` times the shorter model's guess.",
        "With that denominator, all words together get 1.",
        "Which argument tells you that a history was never seen?",
    )

    def untouched(self, interpolate: Callable[[int, int, int, float], float]) -> bool:
        try:
            got = {interpolate(3, 11, 4, 0.1), interpolate(0, 0, 0, 1)}
        except (ZeroDivisionError, TypeError):  # it was written, and is judged below
            return False
        return got <= {None, 0.0}

    def check(self, interpolate: Callable[[int, int, int, float], float]) -> Right | Wrong:
        c, total, different, shorter = 3, 11, 4, 0.1
        want = (c + different * shorter) / (total + different)
        mistakes = [
            (c / total, "only the counts: what about words that were never seen here?"),
            (c / total + different * shorter, "this can exceed 1: divide the whole sum.", 1),
            ((c + different * shorter) / total, "T(h) is missing below: the sum exceeds 1.", 1),
            ((c + shorter) / (total + different), "the shorter model has the weight T(h).", 1),
            ((c + 1) / (total + different), "this adds one: add T(h) times the shorter guess.", 1),
            (c / (total + different), "what is taken from the seen words is given to nobody.", 1),
            (c + different * shorter / (total + different), "only the second part is divided: put "
             "brackets round the whole sum above.", 1),
            ((c + different * shorter) / total + different, "put brackets round the sum below.", 1),
            (c / (total + different) + different * shorter, "only the counts are divided: put "
             "brackets round the whole sum above.", 1),
            (shorter, "only the shorter history speaks: add what was counted."),
            ((c + shorter) / (total + 1), "the weight is T(h), not 1.", 1),
            ((c + total * shorter) / (total + different), "the shorter model has the weight T(h), "
             "`different`, not c(h).", 1),
            (different * shorter / (total + different), "the counts are missing: add c(h w)."),
            ((c / total + shorter) / 2, "a plain mean of the two: weigh them by c(h) and T(h)."),
            ((different * c / total + total * shorter) / (total + different), "the weights are "
             "swapped: the counts have c(h), the shorter model has T(h).", 1),
            (math.log(want), "this is the logarithm: give the probability itself.", 1),
            (0.0, "0 for a word that did follow: `//` drops the fraction, so use `/`.", 1),
        ]  # fmt: skip
        got = interpolate(c, total, different, shorter)
        verdict = compare(got, want, mistakes, what="p(w | h)")
        return verdict if not isinstance(verdict, Right) else self.edges(interpolate)

    def edges(self, interpolate: Callable[[int, int, int, float], float]) -> Right | Wrong:
        """The verdict on a history never seen, a word never seen after one, and other counts."""
        try:
            unseen = interpolate(0, 0, 0, 0.25)
        except ZeroDivisionError:
            return Wrong("right, but it divides by zero after a history never seen.", 2)
        if not same(unseen, 0.25):
            return Wrong("right, but after a history never seen it should give `shorter`.", 2)
        new = interpolate(0, 10, 4, 0.1)
        if not same(new, 0.4 / 14):
            return Wrong("right, but a new word after a history that was seen needs it, too.", 1)
        if not same(interpolate(7, 9, 2, 0.3), 7.6 / 11):
            return Wrong("right for 3, 11, 4 and 0.1, but not for other arguments.")
        return Right("Many different followers: trust the counts less, the shorter history more.")


class Probability(Exercise):
    id = "00.probability"
    title = "Build the probability from all histories"
    minutes, difficulty, importance, points = 12, 3, 5, 4
    hints = (
        "Begin with `p = 1 / V`, and go through `tables` from the shortest history to the longest.",
        "In round `k` the history is the last `k` tokens. (Careful: `history[-0:]` is everything.)",
        "`table.get(h, {})` gives an empty dictionary for a history never seen. The rest is "
        "`interpolate`, with the `p` of the round before as `shorter`.",
    )
    default = 0.0
    tokens = "a b c a b d a b c b b c a d".split()

    def tables(self) -> list[Table]:
        return [table_of(grams(self.tokens, n)) for n in (1, 2, 3)]

    def untouched(self, probability: Callable[..., float]) -> bool:
        return probability("c", ("a", "b"), self.tables(), 10) in (None, 0.0)

    def check(self, probability: Callable[..., float]) -> Right | Wrong:
        cases = [("c", ("a", "b")), ("a", ("d", "c")), ("d", ("c", "c")), ("e", ("a", "b"))]
        for size, keep, drop in ((10, 3, 0), (25, 2, 1), (12, 2, 0)):
            tables = self.tables()[:keep]
            for token, history in cases:
                history = history[drop:]  # in the last round longer than the tables need
                try:
                    got = probability(token, history, tables, size)
                except KeyError as error:
                    message = f"is {error} always in the dictionary? Use `.get` with a default."
                    return Wrong(message, 1)
                wrong = wrong_probability(got, token, history, self.tables()[:keep], size=size)
                if wrong is None and tables != self.tables()[:keep]:
                    wrong = Wrong("right, but your function has changed the tables.", 3)
                if wrong:
                    return wrong
        return Right("Each longer history corrects the shorter one as far as its counts allow.")


class FindTheBug(Exercise):
    id = "00.find_the_bug"
    title = "Find the bug: a perplexity that depends on the batch size"
    minutes, difficulty, importance, points = 10, 3, 5, 3
    hints = (
        "Work it out by hand for two batches, one with 1 token and one with 99.",
        "Which tokens count more than others? And is the mean of exponentials the exponential of "
        "the mean?",
        "Add up all losses, add up all counts, divide once, and take the exponential last.",
    )
    batches = [(30.0, 10), (2.0, 4), (9.0, 1)]  # (sum of losses, number of tokens)

    def untouched(self, evaluate: Callable[[list[tuple[float, int]]], float]) -> bool:
        wrong = sum(math.exp(loss / count) for loss, count in self.batches) / 3
        return evaluate is None or same(evaluate(list(self.batches)), wrong)

    def check(self, evaluate: Callable[[list[tuple[float, int]]], float]) -> Right | Wrong:
        untouched = (math.exp(3.0) + math.exp(0.5) + math.exp(9.0)) / 3
        mean_of_means = math.exp((3.0 + 0.5 + 9.0) / 3)
        weighted = (10 * math.exp(3.0) + 4 * math.exp(0.5) + math.exp(9.0)) / 15
        mistakes = [
            (mean_of_means, "exp comes last now, but every batch still counts the same: the one "
             "token of the last batch weighs as much as the ten of the first.", 1),
            (weighted, "every token counts the same now, but a mean of exponentials is more than "
             "the exponential of the mean: take exp last.", 1),
            (41 / 15, "this is the loss in nats per token: take its exponential.", 2),
            (math.exp(41 / 3), "the sum is divided by the number of batches, not of tokens.", 1),
            (2 ** (41 / 15), "the losses are in nats, so the base is e, not 2.", 2),
            (math.exp(32 / 14), "the last batch is left out.", 1),
            (math.exp(41), "the sum of the losses is not divided by the number of tokens.", 1),
            (math.exp(0.5), "only the best batch is counted: count all tokens.", 1),
            (math.exp(-41 / 15), "the sign is wrong: a loss is positive already.", 2),
            (math.exp(9.0), "only the worst batch is counted: count all tokens.", 1),
            (math.exp(3.0), "only the first batch is counted: count all tokens.", 1),
            (math.exp(12.5), "the mean losses are added up: add the sums, then divide once.", 1),
            (3 * untouched, "the perplexities are added up: add the losses, then divide once."),
            (10 ** (41 / 15), "the losses are in nats, so the base is e, not 10.", 2),
        ]  # fmt: skip
        want = math.exp(41 / 15)
        given = list(self.batches)
        verdict = compare(evaluate(given), want, mistakes, what="the perplexity")
        if not isinstance(verdict, Right):
            return verdict
        if given != self.batches:
            return Wrong("right, but your function has changed the list `batches` itself.", 2)
        if not same(evaluate([(41.0, 15)]), want):
            return Wrong("right for three batches, but not for the same tokens in one.", 1)
        if not same(evaluate([(6.0, 3), (4.0, 2)]), math.exp(2)):
            return Wrong("right for these batches, but not for others: use the argument.")
        return Right("Sums and counts, one division: that is why `model.loss` returns both.")
