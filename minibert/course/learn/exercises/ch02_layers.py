"""Chapter 02, second half: exercises about senses and the mix of layers."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch02_bilm import DETACHED, Answer, Learnable


def follows(
    answer: Answer, rules: dict[str, Answer], cases: Sequence[tuple], right: str
) -> Right | Wrong:
    """`Right` if the answer is the first rule's in all cases; else which rule it follows."""
    given = [answer(*case) for case in cases]
    for said, case in zip(given, cases, strict=True):
        if said not in case[1]:
            return Wrong(f"expected one of the keys {list(case[1])}, got {said!r}.")
    for message, rule in rules.items():
        if given == [rule(*case) for case in cases]:
            return Wrong(message, 1) if message else Right(right)
    wanted = next(iter(rules.values()))
    hits = sum(said == wanted(*case) for said, case in zip(given, cases, strict=True))
    return Wrong(f"correct in {hits} of {len(cases)} cases.")


class Sense(Exercise):
    id = "02.sense"
    title = "Name the sense by vectors"
    minutes, difficulty, importance, points = 6, 2, 5, 3
    hints = (
        "First one mean vector per sense: `uses.mean(0)` of a tensor `(n, width)`.",
        "Compare directions, not lengths: take the cosine of the vector with each mean.",
        "`max(labelled, key=...)` gives the key for which a function is largest.",
    )
    default = ""
    example = (torch.ones(2), {"x.one": torch.ones(1, 2), "x.two": -torch.ones(1, 2)})

    def check(self, by_vectors: Answer) -> Right | Wrong:
        cases = [self.case(random.Random(seed)) for seed in range(40)]
        right = "One mean per sense is all the training that this method has."
        return follows(by_vectors, self.rules(), cases, right)

    @staticmethod
    def case(draw: random.Random) -> tuple[Tensor, dict[str, Tensor]]:
        """A vector and the labelled uses of three senses."""
        generator = torch.Generator().manual_seed(draw.getrandbits(30))
        labelled = {}
        for name, scale in (("animal", 0.2), ("club", 1.0), ("hit", 5.0)):
            near = 3 * torch.randn(5, generator=generator)
            lengths = 2 * torch.rand(draw.choice((1, 2, 5)), 1, generator=generator)
            noise = 2 * torch.randn(len(lengths), 5, generator=generator)
            labelled[f"bat.{name}"] = scale * lengths * (near + noise)
        return torch.randn(5, generator=generator), labelled

    @staticmethod
    def rules() -> dict[str, Answer]:
        """Message -> what names the sense; the first is right."""

        def best(score):
            return lambda v, uses: max(uses, key=lambda sense: float(score(v, uses[sense])))

        def cos(v, x):
            return F.cosine_similarity(v, x, dim=-1)

        return {
            "": best(lambda v, x: cos(v, x.mean(0))),
            "long means win: divide by the lengths (cosine), not the product alone.":
                best(lambda v, x: v @ x.mean(0)),
            "senses with many uses win: take the mean, and the cosine.":
                best(lambda v, x: v @ x.sum(0)),
            "short means win: compare directions (cosine), not distances.":
                best(lambda v, x: -(x.mean(0) - v).norm()),
            "that is the sense that is farthest away.": best(lambda v, x: -cos(v, x.mean(0))),
            "only the first use of each sense counts: take the mean of all.":
                best(lambda v, x: cos(v, x[0])),
            "only the last use of each sense counts: take the mean of all.":
                best(lambda v, x: cos(v, x[-1])),
            "that is the sense of the nearest single use: take the mean first.":
                best(lambda v, x: cos(v, x).max()),
            "the mean of the cosines: take the cosine with the mean vector.":
                best(lambda v, x: cos(v, x).mean()),
            "the sum of the cosines: senses with many uses win.":
                best(lambda v, x: cos(v, x).sum()),
            "the vector is ignored: this names the sense with the most uses.":
                best(lambda v, x: len(x)),
            "the vector is ignored: this names the sense with the longest mean.":
                best(lambda v, x: x.mean(0).norm()),
            "the first sense, whatever the vector is.": lambda v, uses: next(iter(uses)),
        }  # fmt: skip


class Bayes(Exercise):
    id = "02.bayes"
    title = "Name the sense by counting"
    minutes, difficulty, importance, points = 12, 3, 4, 4
    hints = (
        "`Counter(w for use in uses for w in use)` counts the neighbours of one sense.",
        "The denominator is the same for all words of a sense: its number of words plus `a * V`.",
        "Add logarithms; a word that was never seen contributes log(a / denominator).",
    )
    default = ""
    example = (["x"], {"s.one": [["x"]], "s.two": [["y"]]}, 1.0)

    def check(self, by_counting: Answer) -> Right | Wrong:
        cases = [self.case(random.Random(seed)) for seed in range(60)]
        right = "Naive Bayes: it takes the neighbours as independent, and is hard to beat."
        return follows(by_counting, self.rules(), cases, right)

    @classmethod
    def case(cls, draw: random.Random) -> tuple[list[str], dict[str, list], float]:
        """Arguments on which the size of the vocabulary may be off by one."""
        while True:
            words, labelled = [draw.choice("abcdefgh") for _ in range(6)], {}
            for sense in ("s.one", "s.two", "s.three"):
                letters = draw.sample("abcdefg", 4)
                sizes = [draw.randint(1, 7) for _ in range(draw.randint(1, 4))]
                labelled[sense] = [draw.choices(letters, k=size) for size in sizes]
            case = words, labelled, draw.choice((0.1, 1.0, 3.0))
            if len({cls.score(more=more)(*case) for more in (-1, 0, 1)}) == 1:
                return case

    @staticmethod
    def score(
        *, more: int = 0, log: Answer = math.log, a: float | None = None, size: str = "all",
        once: bool = False, binary: bool = False, prior: bool = False, divide: bool = True,
        sign: int = 1, known: bool = False, most: int | None = None,
    ) -> Answer:  # fmt: skip
        """Naive Bayes, or one of the mistakes."""

        def said(words, labelled, smooth=1.0):
            smooth = smooth if a is None else a
            everything = len({w for uses in labelled.values() for use in uses for w in use})
            uses_in_all = sum(map(len, labelled.values()))

            def value(sense):
                uses = labelled[sense][:most]
                counts = Counter(w for use in uses for w in (set(use) if binary else use))
                kinds = len(counts) if size == "own" else everything + more
                total = counts.total() + smooth * kinds if divide else 1
                read = set(words) if once else words
                read = [w for w in read if w in counts] if known else read
                start = math.log(len(uses) / uses_in_all) if prior else 0
                return sign * (start + sum(log((counts[w] + smooth) / total) for w in read))

            return max(labelled, key=value)

        return said

    @classmethod
    def rules(cls) -> dict[str, Answer]:
        """Message -> what names the sense; the first is right."""
        return {
            "": cls.score(),
            "the probabilities are added: add their logarithms (or multiply).":
                cls.score(log=float),
            "`a` is ignored: a 1 is written in.": cls.score(a=1.0),
            "words that a sense was never seen with cost nothing: smooth them, too.":
                cls.score(known=True),
            "each word of the sentence counts once: repeated words count again.":
                cls.score(once=True),
            "repeated words within a labelled use must be counted.": cls.score(binary=True),
            "senses with more text win: divide by their number of words plus a V.":
                cls.score(divide=False),
            "V is the number of different words of all senses together.": cls.score(size="own"),
            "no share of the senses themselves: they are labelled equally often.":
                cls.score(prior=True),
            "that is the least probable sense.": cls.score(sign=-1),
            "only the first labelled use of each sense counts.": cls.score(most=1),
            "the first sense, whatever the words are.": lambda w, uses, a: next(iter(uses)),
        }  # fmt: skip


class Mix(Learnable):
    id = "02.mix"
    title = "The scalar mix"
    minutes, difficulty, importance, points = 5, 2, 5, 3
    hints = (
        "The weights are free numbers; their softmax `s` is positive and adds up to one.",
        "`layers[j] * s[j]`, added up over j: a loop, or `torch.einsum('l,l...->...', s, layers)`.",
        "`gamma` scales the result as a whole.",
    )
    default = torch.zeros(2, 3)
    example = (torch.ones(2, 2, 3), torch.tensor([1.0, 2.0]), 1.0)

    def check(self, mix: Answer) -> Right | Wrong:
        weights, gamma = torch.tensor([0.5, 2.0, -1.0]), 1.7
        for shape in ((3, 4, 6), (3, 2, 4, 3)):  # a sentence, a batch
            layers = torch.randn(*shape, generator=torch.Generator().manual_seed(5))
            s = torch.softmax(weights, 0)
            want = gamma * self.summed(s, layers)
            mistakes = [
                (want / gamma, "gamma is missing.", 2),
                (gamma * self.summed(weights, layers),
                 "the weights are used as they are: take their softmax first.", 1),
                (gamma * self.summed(weights / weights.sum(), layers),
                 "divided by their sum, weights may still be negative: take the softmax.", 1),
                (gamma * self.summed(weights.sigmoid(), layers),
                 "a sigmoid: the shares do not add up to one. Take the softmax.", 1),
                (self.summed((gamma * weights).softmax(0), layers),
                 "gamma belongs outside of the softmax.", 1),
                (gamma * self.summed(weights.log_softmax(0), layers),
                 "the logarithm of the softmax: take the softmax itself.", 1),
                (gamma * layers.mean(0), "all layers count alike: where are the weights?", 1),
                (gamma * layers.sum(0), "all layers count alike: where are the weights?", 1),
                (want / 3, "a mean in place of a sum: the shares add up to one already.", 2),
                (gamma * layers[-1], "that is the top layer alone.", 1),
                (gamma * layers[int(weights.argmax())], "only the heaviest layer: mix all.", 1),
            ]  # fmt: skip
            got, learns = mix(layers, weights, gamma)
            verdict = compare(got, want, mistakes, what="the mixed vectors")
            if not isinstance(verdict, Right):
                return verdict
        return verdict if learns else Wrong(DETACHED, 1)

    @staticmethod
    def summed(shares: Tensor, layers: Tensor) -> Tensor:
        """The layers, each times its share, added up."""
        return torch.einsum("l,l...->...", shares, layers)


class Normalise(Learnable):
    id = "02.normalise"
    title = "Layers of equal size"
    minutes, difficulty, importance, points = 6, 2, 4, 3
    hints = (
        "`layers.mean(-1, keepdim=True)` is one mean for each vector.",
        "Divide the difference by `layers.std(-1, keepdim=True) + 1e-5`: padding is all zeros, and "
        "zero divided by zero is no number.",
    )
    default = torch.zeros(2, 2, 4)
    example = (torch.arange(16.0).view(2, 2, 4) ** 2,)

    def check(self, normalise: Answer) -> Right | Wrong:
        for shape in ((3, 5, 256), (2, 3, 4, 128)):
            x = torch.randn(*shape, generator=torch.Generator().manual_seed(7))
            x = 5 * x * torch.arange(1.0, 1 + shape[0]).view(-1, *[1] * (len(shape) - 1)) + 2
            x[..., 0, :] = 0.0  # padding
            got, learns = normalise(x)
            if any(same(got, want, 1e-3) for want in self.wanted(x)):
                continue
            return compare(got, self.wanted(x)[0], self.mistakes(x), 1e-3, what="the vectors")
        fine = Right("Now a share of 1/3 means a third of the mix.")
        return fine if learns else Wrong(DETACHED, 1)

    @staticmethod
    def wanted(x: Tensor) -> list[Tensor]:
        """The standard deviation divided by n, and by n - 1."""
        centred = x - x.mean(-1, keepdim=True)
        return [centred / (x.std(-1, correction=n, keepdim=True) + 1e-5) for n in (0, 1)]

    @staticmethod
    def mistakes(x: Tensor) -> list[tuple]:
        """(what a mistake gives, its message, points)."""

        def scaled(dim, centre=True, power=1):
            y = x - x.mean(dim, keepdim=True) if centre else x
            return y / (x.std(dim, keepdim=True, correction=0) + 1e-5) ** power

        others, every = tuple(range(1, x.ndim)), tuple(range(x.ndim))
        axis = "one mean for each vector: along the last dimension."
        y, zero = x - x.mean(-1, keepdim=True), x.norm(dim=-1, keepdim=True)
        return [
            (x, "nothing has changed.", 0),
            (scaled(-2), "normalised over the words. " + axis, 1),
            (scaled(0), "normalised over the layers. " + axis, 1),
            (scaled(others), "one mean for a whole layer. " + axis, 1),
            (scaled(every), "one mean for all layers together. " + axis, 1),
            (scaled(-1, centre=False), "the mean is not subtracted.", 1),
            (y, "only centred: divide by the standard deviation.", 1),
            (scaled(-1, power=2), "divided by the variance: take its square root.", 1),
            (x / (zero + 1e-5), "scaled to length one: mean 0 and variance 1 were asked for.", 1),
            (y / (y.norm(dim=-1, keepdim=True) + 1e-5),
             "centred and scaled to length one: the variance must be 1.", 1),
            (y / x.std(-1, keepdim=True), NAN, 2),
            (y / x.std(-1, keepdim=True, correction=0), NAN, 2),
        ]  # fmt: skip


NAN = "not a number for a vector of zeros (padding): add a small number below the line."


class Rates(Exercise):
    id = "02.rates"
    title = "A rate of its own"
    minutes, difficulty, importance, points = 6, 2, 4, 3
    hints = (
        'A group is a dictionary, {"params": [...], "lr": rate}.',
        'The parameters of the mix have ".mixes." in their names.',
    )
    default = []
    example = ([("encoder.mixes.input.gamma", torch.ones(())), ("w", torch.ones(2))], 0.1, 0.2)

    def check(self, groups: Answer) -> Right | Wrong:
        named = self.named()
        got = groups(list(named), 0.01, 0.1)
        parts = isinstance(got, list | tuple) and all(isinstance(g, dict) for g in got)
        if not parts or any({"params", "lr"} - set(group) for group in got):
            return Wrong('expected a list of dictionaries, each with "params" and "lr".')
        rates: dict[float, list] = {}  # value of a parameter -> the rates at which it is trained
        for group in got:
            for p in group["params"]:
                value = p[1] if isinstance(p, list | tuple) else p
                if value is not p:
                    return Wrong("the parameters themselves, without their names.", 1)
                rates.setdefault(float(p.sum()), []).append(group["lr"])
        of = {name: rates.get(float(p.sum()), []) for name, p in named}
        return self.judged(of)

    def judged(self, of: dict[str, list[float]]) -> Right | Wrong:
        """The verdict, from the rates at which each parameter is trained."""
        mixes = [name for name in of if ".mixes." in name]
        others = [name for name in of if name not in mixes]
        fast, slow = ([of[name] for name in names] for names in (mixes, others))
        missing = [name for name, rates in of.items() if not rates]
        double = [name for name, rates in of.items() if len(rates) > 1]
        if missing:
            return Wrong(f"{missing[0]} is in no group: it would never be trained.", 1)
        if double:
            return Wrong(f"{double[0]} is in two groups: PyTorch refuses that.", 1)
        if all(r == [0.01] for r in fast) and all(r == [0.1] for r in slow):
            return Wrong("the two rates are swapped.", 1)
        if all(r == [0.01] for r in fast + slow):
            return Wrong("the mix has the rate of all others.", 1)
        if all(r == [0.1] for r in fast + slow):
            return Wrong("all parameters have the rate of the mix.", 1)
        for name in others:
            if of[name] != [0.01]:
                return Wrong(f"{name} does not belong to the mix: rate for it was {of[name][0]}.")
        for name in mixes:
            if of[name] != [0.1]:
                return Wrong(f"{name} belongs to the mix: rate for it was {of[name][0]}.", 1)
        return Right("Four numbers with a rate of their own: they may run while the rest walks.")

    @staticmethod
    def named() -> list[tuple[str, Tensor]]:
        """Parameters of a tagger with their names."""
        names = (
            "encoder.embedding.weight", "encoder.mixes.input.weights", "encoder.mixes.input.gamma",
            "encoder.mixes.output.weights", "encoder.mixes.output.gamma", "encoder.lstm.weight_ih",
            "output.weight", "output.mixture", "gamma",
        )  # fmt: skip
        return [(name, torch.full((2,), 1.0 + number)) for number, name in enumerate(names)]
