"""Chapter 02: the exercises about senses."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import Answer


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
