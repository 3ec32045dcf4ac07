"""Chapter 02: the exercises about senses."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.exercise import Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import Answer, Careful, judged


def follows(
    answer: Answer, rules: dict[str, Answer], cases: Sequence[tuple], right: str
) -> Right | Wrong:
    """`Right` if the answer is the first rule's in all cases; else which rule it follows."""
    found = [answer(*case) for case in cases]
    given, faults = [said for said, _ in found], [fault for _, fault in found if fault]
    for said, case in zip(given, cases, strict=True):
        if said not in case[1]:
            return Wrong(f"expected one of the keys {list(case[1])}, got {said!r}.")
    for message, rule in rules.items():
        if given == [rule(*case) for case in cases]:
            return Wrong(message, 1) if message else judged(Right(right), "".join(faults[:1]))
    if len(set(given)) == 1:
        return Wrong(f"always {given[0]!r}, whatever is asked.", 1)
    wanted = next(iter(rules.values()))
    hits = sum(said == wanted(*case) for said, case in zip(given, cases, strict=True))
    return Wrong(f"correct in {hits} of {len(cases)} cases.")


def highest(score: Answer) -> Answer:
    """A rule that names the sense whose uses have the highest score."""
    return lambda v, uses: max(uses, key=lambda sense: float(score(v, uses[sense])))


class Sense(Careful):
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

        best, cos = highest, partial(F.cosine_similarity, dim=-1)
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
            "the uses are scaled to length one before the mean: take the mean of them as they are.":
                best(lambda v, x: cos(v, F.normalize(x, dim=-1).mean(0))),
            "the median of the uses: take their mean.":
                best(lambda v, x: cos(v, x.median(0).values)),
            "no absolute value: an opposite direction is not a similar one.":
                best(lambda v, x: cos(v, x.mean(0)).abs()),
            "the means are centred first: take the cosine as it is.":
                best(lambda v, x: cos(v - v.mean(), x.mean(0) - x.mean())),
            "that is the sense of the nearest single use: take the mean first.":
                best(lambda v, x: cos(v, x).max()),
            "the mean of the cosines: take the cosine with the mean vector.":
                best(lambda v, x: cos(v, x).mean()),
            "the sum of the cosines: senses with many uses win.":
                best(lambda v, x: cos(v, x).sum()),
            "the vector is ignored: this names the sense with the most uses.":
                best(lambda v, x: len(x)),
            "the vector is ignored: this names the sense with the fewest uses.":
                best(lambda v, x: -len(x)),
            "the vector is ignored: this names the sense with the longest mean.":
                best(lambda v, x: x.mean(0).norm()),
            "the first sense, whatever the vector is.": lambda v, uses: next(iter(uses)),
        }  # fmt: skip


class Bayes(Careful):
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
            words, labelled = [draw.choice("abcdefgh") for _ in range(9)], {}
            for sense in ("s.one", "s.two", "s.three"):
                letters = draw.sample("abcdefg", 4)
                sizes = [draw.randint(1, 7) for _ in range(draw.randint(1, 4))]
                labelled[sense] = [draw.choices(letters, k=size) for size in sizes]
            case = words[: draw.choice((2, 4, 6, 9))], labelled, draw.choice((0.1, 1.0, 3.0))
            if len({cls.score(more=more)(*case) for more in (-1, 0, 1)}) == 1:
                return case

    @staticmethod
    def score(
        *, more: int = 0, log: Answer = math.log, a: float | None = None, size: str = "all",
        once: bool = False, binary: bool = False, prior: bool = False, sign: int = 1,
        known: str = "", most: int | None = None,
        total: Answer = lambda n, a, v, uses: n + a * v,
    ) -> Answer:  # fmt: skip
        """Naive Bayes, or one of the mistakes."""

        def said(words, labelled, smooth=1.0):
            smooth = smooth if a is None else a
            everything = {w for uses in labelled.values() for use in uses for w in use}
            uses_in_all = sum(map(len, labelled.values()))

            def value(sense):
                uses = labelled[sense][:most]
                counts = Counter(w for use in uses for w in (set(use) if binary else use))
                sizes = {"own": len(counts), "asked": len(words)}
                kinds = sizes.get(size, len(everything) + more)
                below = total(counts.total(), smooth, kinds, uses)
                read = set(words) if once else words
                allowed = {"": read, "own": counts, "all": everything}[known]
                start = math.log(len(uses) / uses_in_all) if prior else 0
                scores = (log((counts[w] + smooth) / below) for w in read if w in allowed)
                return sign * (start + sum(scores))

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
            "`a` is ignored: 0.1 is written in.": cls.score(a=0.1),
            "`a` is ignored: 3 is written in.": cls.score(a=3.0),
            "`a` is left out: a word that was not counted gets probability 0.":
                cls.score(a=0.0, log=lambda p: math.log(p) if p else -math.inf),
            "words that a sense was never seen with cost nothing: smooth them, too.":
                cls.score(known="own"),
            "a word that no sense was seen with is left out: it counts, too.":
                cls.score(known="all"),
            "`a` stands only above the line: below it, add a V.":
                cls.score(total=lambda n, a, v, uses: n),
            "below the line stands V alone: multiply it by `a`.":
                cls.score(total=lambda n, a, v, uses: n + v),
            "below the line stands `a` alone: multiply it by V.":
                cls.score(total=lambda n, a, v, uses: n + a),
            "N is the number of words around the uses, not the number of uses.":
                cls.score(total=lambda n, a, v, uses: len(uses) + a * v),
            "the counts are added, and not divided: senses with more text win.":
                cls.score(log=float, a=0.0, total=lambda *_: 1),
            "each word of the sentence counts once: repeated words count again.":
                cls.score(once=True),
            "repeated words within a labelled use must be counted.": cls.score(binary=True),
            "senses with more text win: divide by their number of words plus a V.":
                cls.score(total=lambda *_: 1),
            "V is the number of different words of all senses together.": cls.score(size="own"),
            "V is the number of different words around all labelled uses, not of the words around "
            "the new one.": cls.score(size="asked"),
            "no share of the senses themselves: they are labelled equally often.":
                cls.score(prior=True),
            "that is the least probable sense.": cls.score(sign=-1),
            "only the first labelled use of each sense counts.": cls.score(most=1),
            "the first sense, whatever the words are.": lambda w, uses, a: next(iter(uses)),
        }  # fmt: skip
