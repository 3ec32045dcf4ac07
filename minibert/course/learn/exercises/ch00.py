"""The exercises and the quiz of chapter 00, start here."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Choice, Exercise, Quiz, Right, Written, Wrong


class Entropy(Exercise):
    id = "00.entropy"
    title = "The entropy of a distribution"
    minutes, difficulty, importance, points = 6, 1, 5, 2
    hints = (
        "The surprise at outcome $i$ is `-log(p[i])`; it happens with probability `p[i]`.",
        "So the mean surprise is `-(p * p.log()).sum()`.",
        "An outcome with probability 0 never happens and adds nothing, but `0 * log(0)` is NaN: "
        "use `torch.special.entr(p)`, or keep only `p[p > 0]`.",
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
        ]
        verdict = compare(entropy(p), want, mistakes, what="the entropy")
        if not isinstance(verdict, Right):
            return verdict
        if not same(entropy(torch.tensor([0.5, 0.5, 0.0])), math.log(2)):
            return Wrong("right, but not where an outcome has probability 0: it adds nothing.", 1)
        return Right("Largest when all outcomes are equally likely: log V. Zero when one is sure.")


class Perplexity(Exercise):
    id = "00.perplexity"
    title = "From log-probabilities to perplexity"
    minutes, difficulty, importance, points = 5, 1, 5, 2
    hints = (
        "First the mean loss in nats a token: minus the mean of the log-probabilities.",
        "The perplexity is the exponential of that mean.",
    )
    default = 1.0
    example = ([math.log(0.25), math.log(0.5)],)

    def check(self, perplexity: Callable[[list[float]], float]) -> Right | Wrong:
        p = torch.tensor([0.5, 0.1, 0.02, 0.9])
        logs, mean = p.log().tolist(), -p.log().mean()
        mistakes = [
            (mean, "this is the loss in nats: take its exponential.", 1),
            ((-mean).exp(), "turned round: this is the mean probability; put a minus in front.", 1),
            ((1 / p).mean(), "the mean of the exponentials: average first, then exp.", 1),
            ((4 * mean).exp(), "the sum was not divided by the number of tokens.", 1),
            (2**mean, "the logarithms are natural ones, so the base is e, not 2.", 1),
        ]
        right = "As unsure as when choosing among that many equally likely words."
        got = perplexity(logs)
        return compare(got, mean.exp(), mistakes, what="the perplexity", right=right)


class Trigram(Exercise):
    id = "00.trigram"
    title = "An interpolated probability"
    minutes, difficulty, importance, points = 10, 2, 4, 3
    hints = (
        "The numerator is what was counted, plus `different` times the shorter model's guess.",
        "The denominator is `total + different`, so that all words together get 1.",
        "A history that was never seen has `total == 0`: there, return `shorter`.",
    )
    default = 0.0
    example = (3, 10, 4, 0.1)

    def check(self, interpolate: Callable[[int, int, int, float], float]) -> Right | Wrong:
        c, total, different, shorter = 3, 10, 4, 0.1
        want = (c + different * shorter) / (total + different)
        mistakes = [
            (c / total, "only the counts: where do the words come in that were never seen here?"),
            (c / total + different * shorter, "this can exceed 1: divide the whole sum.", 1),
            ((c + different * shorter) / total, "T(h) is missing below: the sum exceeds 1.", 1),
            ((c + shorter) / (total + different), "the shorter model has the weight T(h).", 1),
            ((c + 1) / (total + different), "this adds one: add T(h) times the shorter guess.", 1),
            (c / (total + different), "what is taken from the seen words is given to nobody.", 1),
        ]  # fmt: skip
        got = interpolate(c, total, different, shorter)
        verdict = compare(got, want, mistakes, what="p(w | h)")
        if not isinstance(verdict, Right):
            return verdict
        try:
            unseen = interpolate(0, 0, 0, 0.25)
        except ZeroDivisionError:
            return Wrong("right, but it divides by zero after a history never seen.", 2)
        if not same(unseen, 0.25):
            return Wrong("right, but after a history never seen it should give `shorter`.", 2)
        return Right("Many different successors: trust the counts less, the shorter model more.")


class FindTheBug(Exercise):
    id = "00.find_the_bug"
    title = "Find the bug: a perplexity that depends on the batch size"
    minutes, difficulty, importance, points = 12, 3, 5, 3
    hints = (
        "Work it out by hand for two batches, one with 1 token and one with 99.",
        "Which tokens count more than others? And is the mean of exponentials the exponential of "
        "the mean?",
        "Add up all losses, add up all counts, divide once, and take the exponential last.",
    )
    batches = [(30.0, 10), (2.0, 4), (9.0, 1)]  # (sum of losses, number of tokens)

    def untouched(self, evaluate: Callable[[list[tuple[float, int]]], float]) -> bool:
        wrong = sum(math.exp(loss / count) for loss, count in self.batches) / 3
        return evaluate is None or same(evaluate(self.batches), wrong)

    def check(self, evaluate: Callable[[list[tuple[float, int]]], float]) -> Right | Wrong:
        mean_of_means = math.exp((3.0 + 0.5 + 9.0) / 3)
        weighted = (10 * math.exp(3.0) + 4 * math.exp(0.5) + math.exp(9.0)) / 15
        mistakes = [
            (mean_of_means, "exp comes last now, but every batch still counts the same: the one "
             "token of the last batch weighs as much as the ten of the first.", 1),
            (weighted, "every token counts the same now, but a mean of exponentials is more than "
             "the exponential of the mean: take exp last.", 1),
            (41 / 15, "this is the loss in nats a token: take its exponential.", 2),
            (math.exp(41 / 3), "the sum is divided by the number of batches, not of tokens.", 1),
        ]  # fmt: skip
        want = math.exp(41 / 15)
        verdict = compare(evaluate(self.batches), want, mistakes, what="the perplexity")
        if not isinstance(verdict, Right):
            return verdict
        if not same(evaluate([(41.0, 15)]), want):
            return Wrong("right for three batches, but not for the same tokens in one.", 1)
        return Right("Sums and counts, one division: that is why `model.loss` returns both.")


class BelowTheFloor(Written):
    id = "00.below"
    title = "Below the floor?"
    minutes, difficulty, importance, points = 10, 3, 5, 3
    hints = (
        "The floor is a statement about one text, one way of counting, and models that read left "
        "to right. Go through the three.",
    )
    rubric = """
- 1 point: something about the text: test documents seen in training, another text, lower case,
  rare words replaced by `<unk>`, a test set so small that luck decides.
- 1 point: something about the counting: subwords or letters in the denominator, ends of sentence
  left out of the sum, padding counted in, a mean of means.
- 1 point: something about the model: it sees the word that it predicts (no causal mask, a model
  that reads both sides), or its probabilities do not sum to one.
"""


class WhatIsTransferred(Quiz):
    id = "00.q1"
    question = "What does a pre-trained model hand on to the next task?"
    choices = (
        Choice("The labels of its training data.", "It had none: text alone was enough."),
        Choice(
            "Its weights, and so its way of turning text into vectors.",
            "Yes. The next task starts from them instead of from random numbers.",
            right=True,
        ),
        Choice("A list of the sentences that it has read.", "It keeps no text, only weights."),
    )


class FeaturesOrTuning(Quiz):
    id = "00.q2"
    question = "Which of these is *fine-tuning*?"
    choices = (
        Choice(
            "The pre-trained weights stay as they are, and a new model reads its vectors.",
            "That is the feature-based way.",
        ),
        Choice(
            "The pre-trained weights are trained further, together with a small new layer.",
            "Yes. Everything moves, a little.",
            right=True,
        ),
        Choice(
            "The model is trained on the new task from random weights.",
            "That is training from scratch: nothing is transferred.",
        ),
    )


class WhatTheFloorIs(Quiz):
    id = "00.q3"
    question = "A model's loss is 0.3 nats a token above the floor. What would more text bring?"
    choices = (
        Choice(
            "It could lower the loss by 0.3 nats at the very most.",
            "Yes, on average over enough text: the rest is chance that nobody can foresee.",
            right=True,
        ),
        Choice(
            "The loss could fall to zero.",
            "Only if nothing in the text were random. The writer draws, and the floor counts that.",
        ),
        Choice(
            "Nothing: the floor says what this model can reach.",
            "The floor belongs to the text, not to the model; a better model comes closer.",
        ),
    )
