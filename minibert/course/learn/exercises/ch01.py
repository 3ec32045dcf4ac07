"""The exercises and the quiz of chapter 01, word2vec."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Choice, Exercise, Quiz, Right, Written, Wrong


class Pairs(Exercise):
    id = "01.pairs"
    title = "Every word and its neighbours"
    minutes, difficulty, importance, points = 8, 1, 4, 2
    hints = (
        "Two loops: `i` over the centres, `j` over the places from `i - window` to `i + window`.",
        "Clip both ends: `max(0, i - window)` and `min(len(tokens), i + window + 1)`.",
        "A word is not its own neighbour: skip `j == i`.",
    )
    default = []
    example = (["a", "b", "c"], 1)

    def check(self, pairs: Callable[[list[str], int], Iterable]) -> Right | Wrong:
        tokens, window = ["the", "cat", "sat", "on", "it"], 2
        want = self.pairs(tokens, window)
        got = [tuple(pair) for pair in pairs(list(tokens), window)]
        if sorted(got) == sorted(want):
            return self.longer(pairs)
        mistakes = {
            "a word counts as its own neighbour: skip `j == i`.": want
            + [(word, word) for word in tokens],
            "only the neighbours on the right are there: look left, too.": [
                p for p in want if tokens.index(p[0]) < tokens.index(p[1])
            ],
            "the last word of each window is missing: `range` stops one before its end.": [
                p for p in want if tokens.index(p[1]) - tokens.index(p[0]) < window
            ],
            "words near the start have lost their left neighbours: `i - window` is negative there, "
            "and Python then counts from the end. Clip it with `max(0, ...)`.": [
                p
                for p in want
                if tokens.index(p[0]) >= window or tokens.index(p[1]) > tokens.index(p[0])
            ],
        }
        for message, pairs_of_mistake in mistakes.items():
            if sorted(got) == sorted(pairs_of_mistake):
                return Wrong(message, 1)
        extra = [p for p in got if p not in want]
        missing = [p for p in want if p not in got]
        first = f"{extra[0]} should not be there" if extra else f"{missing[0]} is missing"
        text = " ".join(tokens)
        return Wrong(f"expected {len(want)} pairs for {text!r}, got {len(got)}: {first}.")

    def longer(self, pairs: Callable[[list[str], int], Iterable]) -> Right | Wrong:
        tokens = [str(i) for i in range(30)]
        want = self.pairs(tokens, 5)
        if sorted(tuple(p) for p in pairs(tokens, 5)) != sorted(want):
            return Wrong("right for a window of 2, but not for one of 5: is a 2 written in it?", 1)
        return Right("A word in the middle has 2 * window neighbours; at the ends there are fewer.")

    @staticmethod
    def pairs(tokens: list[str], window: int) -> list[tuple[str, str]]:
        return [
            (tokens[i], tokens[j])
            for i in range(len(tokens))
            for j in range(max(0, i - window), min(len(tokens), i + window + 1))
            if i != j
        ]


class Loss(Exercise):
    id = "01.sgns_loss"
    title = "The negative-sampling loss"
    minutes, difficulty, importance, points = 12, 3, 5, 3
    hints = (
        "Score first: `positive = centre @ context` is one number, "
        "`negative = negatives @ centre` has the shape `(k,)`.",
        "The true pair should score high, the noise low: "
        "`-log sigmoid(positive) - sum(log sigmoid(-negative))`.",
        "`torch.nn.functional.logsigmoid` is exact where `log(sigmoid(x))` would round to -inf.",
    )
    default = torch.tensor(0.0)
    example = (torch.zeros(2), torch.zeros(2), torch.zeros(3, 2))

    def check(self, loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Right | Wrong:
        generator = torch.Generator().manual_seed(1)
        centre, context = torch.randn(2, 6, generator=generator)
        negatives = torch.randn(4, 6, generator=generator)
        log_sigmoid = nn.functional.logsigmoid
        positive, negative = centre @ context, negatives @ centre
        want = -log_sigmoid(positive) - log_sigmoid(-negative).sum()
        mistakes = [
            (-log_sigmoid(positive) - log_sigmoid(negative).sum(),
             "the noise words are pulled closer, not pushed away: sigmoid(-score) for them.", 1),
            (-log_sigmoid(positive) - log_sigmoid(-negative).mean(),
             "the noise terms are averaged: the paper sums over the k of them.", 2),
            (-log_sigmoid(positive), "the noise words are missing.", 1),
            (2 * want, "twice the expected value: is a term counted two times?", 2),
            (want / 5, "divided by k + 1: the paper sums the terms.", 2),
            (-torch.sigmoid(positive) - torch.sigmoid(-negative).sum(),
             "these are probabilities: the loss adds up their logarithms.", 1),
            (want / math.log(2), "this is in bits: take the natural logarithm.", 2),
            (-log_sigmoid(positive) - log_sigmoid(-negatives @ context).sum(),
             "the noise is scored against the context word: score it against the centre.", 1),
        ]  # fmt: skip
        verdict = compare(loss(centre, context, negatives), want, mistakes, what="the loss")
        if not isinstance(verdict, Right):
            return verdict
        far = loss(torch.full((2,), 20.0), torch.full((2,), -20.0), torch.zeros(1, 2))
        if not torch.isfinite(torch.as_tensor(far)):
            return Wrong(
                "right, but infinite for a very bad score: use logsigmoid, which does not round "
                "the probability to zero before the logarithm is taken.", 2
            )  # fmt: skip
        return Right("With all vectors zero it is (k + 1) log 2, about 0.69 a term: pure guessing.")


class Noise(Exercise):
    id = "01.noise"
    title = "The noise distribution"
    minutes, difficulty, importance, points = 5, 1, 3, 1
    hints = (
        "Raise every count to the power, then divide by the sum of the results.",
        "`weights = counts.float() ** power`",
    )
    default = torch.zeros(3)
    example = (torch.tensor([8, 1, 1]), 0.75)

    def check(self, noise: Callable[[Tensor, float], Tensor]) -> Right | Wrong:
        counts = torch.tensor([81, 16, 1, 1, 256])
        weights = counts.float() ** 0.75
        share = counts / counts.sum()
        mistakes = [
            (weights, "these are weights: divide by their sum, so that they add up to 1."),
            (share, "this is the plain unigram distribution: where is the power?"),
            (share**0.75, "these do not add up to 1: normalise after taking the power."),
            (torch.softmax(weights, 0), "no softmax here: divide by the sum."),
        ]
        verdict = compare(noise(counts, 0.75), weights / weights.sum(), mistakes)
        if isinstance(verdict, Right) and not same(noise(counts, 0.0), torch.full((5,), 0.2)):
            return Wrong("right for 0.75; but with power 0 all words should be equally likely.")
        return verdict


class Subsample(Exercise):
    id = "01.subsample"
    title = "Thinning out the frequent words"
    minutes, difficulty, importance, points = 6, 2, 3, 1
    hints = (
        "A word is *discarded* with probability `1 - sqrt(t / f)`. What is the probability of "
        "keeping it?",
        "A probability is at most 1: rare words have `sqrt(t / f)` above that (`clamp`).",
    )
    default = torch.ones(2)
    example = (torch.tensor([0.1, 0.001]), 1e-3)

    def check(self, keep: Callable[[Tensor, float], Tensor]) -> Right | Wrong:
        share, t = torch.tensor([0.05, 0.01, 0.004, 0.0001]), 1e-3
        root = (t / share).sqrt()
        mistakes = [
            (1 - root.clamp(max=1), "this is the probability of discarding: we want to keep."),
            (1 - root, "this is the probability of discarding, and below 0 for the rare word: we "
             "want to keep, with at most 1."),
            (root, "more than 1 for the rare word: a probability is clipped at 1."),
            ((t / share).clamp(max=1), "the square root is missing."),
            (
                ((share / t).sqrt() + 1) * t / share,
                "this is the formula of the C program, not of the paper (and not clipped at 1).",
            ),
            (
                (((share / t).sqrt() + 1) * t / share).clamp(max=1),
                "this is the formula of the C program, sqrt(t/f) + t/f: a good one; the paper's "
                "is sqrt(t/f).",
            ),
        ]  # fmt: skip
        return compare(keep(share, t), root.clamp(max=1), mistakes)


class Analogy(Exercise):
    id = "01.analogy"
    title = "Analogies by arithmetic"
    minutes, difficulty, importance, points = 12, 3, 4, 3
    hints = (
        "Divide every row by its length first: then a product of two rows is their cosine.",
        "The target is `v[b] - v[a] + v[c]`; the scores of all words at once are `v @ target`.",
        "The question's own words often score highest: set their scores to `-inf` before `argmax`.",
    )
    default = 0
    example = (torch.eye(5), 0, 1, 2)

    def check(self, analogy: Callable[[Tensor, int, int, int], int]) -> Right | Wrong:
        for seed in range(20):
            vectors, question = self.case(seed)
            a, b, c = question
            got = analogy(vectors.clone(), a, b, c)
            got = int(got) if not isinstance(got, bool) and got is not None else None
            if got is None:
                return Wrong("the answer is None or a truth value: return the index of a word.")
            want = self.solve(vectors, a, b, c)
            if got == want:
                continue
            named = {
                self.solve(vectors, b, a, c): "the difference is turned round: b - a, then add c.",
                self.solve(vectors, a, b, c, normalise=False): "long vectors win: compare by "
                "cosine, with rows of length 1.",
            }
            if got in (a, b, c):
                return Wrong("the answer is a word of the question: leave a, b and c out.", 1)
            return Wrong(named.get(got, f"expected word {want}, got word {got}."), 1)
        return Right("`a is to b as c is to ?` is a translation in the space of words.")

    @staticmethod
    def case(seed: int) -> tuple[Tensor, list[int]]:
        generator = torch.Generator().manual_seed(seed)
        vectors = torch.randn(40, 5, generator=generator)
        vectors *= 0.5 + 2 * torch.rand(40, 1, generator=generator)
        return vectors, torch.randperm(40, generator=generator)[:3].tolist()

    @staticmethod
    def solve(vectors: Tensor, a: int, b: int, c: int, *, normalise: bool = True) -> int:
        unit = nn.functional.normalize(vectors, dim=1)
        rows = unit if normalise else vectors
        scores = rows @ (rows[b] - rows[a] + rows[c])
        scores[[a, b, c]] = -torch.inf
        return int(scores.argmax())


class FindTheBug(Exercise):
    id = "01.find_the_bug"
    title = "Find the bug: the vectors that never learn"
    minutes, difficulty, importance, points = 12, 3, 5, 3
    hints = (
        "Train it for a few steps and compare the table of vectors before and after.",
        "Which modules does `list(model.parameters())` know? Where is `nn.Embedding` created?",
        "A layer made inside `forward` is new at every call: make it once, in `__init__`.",
    )

    def as_functions(self, classifier: type[nn.Module]) -> tuple:
        return (partial(self.seen, classifier),)

    @staticmethod
    def seen(classifier: type[nn.Module], vectors: Tensor, ids: Tensor, targets: Tensor) -> dict:
        """What shows of a classifier of three labels: its tables, layers, outputs, a gradient."""
        model = classifier(vectors.clone(), 3)
        tables = [p for p in model.parameters() if p.shape == vectors.shape]
        embedding = any(isinstance(module, nn.Embedding) for module in model.modules())
        found: dict[str, Any] = {"tables": tables, "embedding": embedding}
        found["learns"] = [table.requires_grad for table in tables]
        if found["learns"] == [True]:
            linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
            found["layers"] = [(layer.weight, layer.bias) for layer in linear]
            found["logits"], found["again"] = model(ids), model(ids)
            nn.functional.cross_entropy(found["logits"], targets).backward()
            found["gradient"] = tables[0].grad
        return found

    def untouched(self, seen: Callable[..., dict]) -> bool:
        ids, targets = torch.tensor([[0]]), torch.tensor([0])
        found = seen(torch.eye(4), ids, targets)
        return not found["embedding"] and not found["tables"]

    def check(self, seen: Callable[..., dict]) -> Right | Wrong:
        vectors = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
        torch.manual_seed(0)
        ids, targets = torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([0, 2])
        found = seen(vectors, ids, targets)
        tables, gradient = found["tables"], found.get("gradient")
        if len(tables) != 1:
            return Wrong(f"expected one table of vectors among the parameters, got {len(tables)}.")
        if not found["learns"][0]:
            return Wrong("the table is there, but frozen: `from_pretrained(..., freeze=False)`.", 1)
        if not same(tables[0], vectors):
            return Wrong("the table does not begin with the pre-trained vectors.", 1)
        if not same(found["logits"], found["again"]):
            return Wrong("two calls on one input differ: something is still made in `forward`.", 1)
        if gradient is None or not gradient.abs().sum() > 0:
            return Wrong("no gradient reaches the table: does `forward` use it?", 1)
        return Right("Now the optimiser sees the vectors, and fine-tuning does what its name says.")


class Homographs(Written):
    id = "01.homographs"
    title = "One vector for two meanings"
    minutes, difficulty, importance, points = 10, 3, 4, 3
    hints = ("What does the loss ask of the one vector at each occurrence of the word?",)
    rubric = """
- 1 point: the vector is trained by all occurrences, so it serves both contexts at once.
- 1 point: the pull of each sense grows with its share: at 9 to 1 the vector lies near the frequent
  sense, and the neighbours of the rare one hardly show.
- 1 point: says how it could be tested (share of senses against cosine to each sense's neighbours),
  or what a remedy must have: a vector that depends on the sentence.
"""


class WhyVectorsMeet(Quiz):
    id = "01.q1"
    question = "*Puppy* and *kitten* seldom stand in one sentence. Why are their vectors alike?"
    choices = (
        Choice("They share a topic label.", "No label was used: the text is all there is."),
        Choice(
            "They are found among the same words.",
            "Yes. Both must predict the same contexts, and equal jobs make equal vectors.",
            right=True,
        ),
        Choice(
            "Their spelling is similar.",
            "Plain word2vec never looks inside a word; fastText does, later in this chapter.",
        ),
    )


class WhyNegatives(Quiz):
    id = "01.q2"
    question = "What would happen without any negative samples?"
    choices = (
        Choice("Training would be slower.", "It would be faster, and useless."),
        Choice(
            "All vectors would grow in one direction, and every pair would get probability 1.",
            "Yes. Nothing pushes apart, so one direction for everything is a perfect answer.",
            right=True,
        ),
        Choice(
            "Rare words would be lost.",
            "Rare words do depend on the noise, but this fails for every word.",
        ),
    )


class WhyTwoTables(Quiz):
    id = "01.q3"
    question = "Why does each word have two vectors, one as centre and one as context?"
    choices = (
        Choice(
            "A word seldom stands beside itself, but one vector times itself is never negative.",
            "Yes. With one table a word would have to predict itself as its own best neighbour.",
            right=True,
        ),
        Choice(
            "One is for the left context, one for the right.",
            "Skip-gram does not tell left from right; both sides use the same context table.",
        ),
        Choice(
            "One is for training, one for testing.",
            "Both are trained. Afterwards the centre table is the one that people keep.",
        ),
    )
