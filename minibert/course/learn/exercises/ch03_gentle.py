"""Chapter 03: tuning gently: layers, their rates, a triangle, and when each begins to learn."""

import math

import torch
from torch import nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import Answer

COPY = "a copy"  # in place of a parameter's name, where a group holds another tensor
NEVER = "it would never be trained. (What is frozen now may learn later.)"
Names = list[list[str]]  # the parameters of each layer, by name


def layers_of(names: Names) -> tuple[list[list[nn.Parameter]], dict[str, nn.Parameter]]:
    """Parameters of two numbers for the names, one for a name that stands twice; some rest."""
    known = {name: nn.Parameter(torch.zeros(2)) for layer in names for name in layer}
    for name in names[0]:
        known[name].requires_grad_(name == "words")
    return [[known[name] for name in layer] for layer in names], known


class Groups(Exercise):
    id = "03.groups"
    title = "A rate for each layer"
    minutes, difficulty, importance, points = 8, 2, 5, 4
    hints = (
        "The highest of `n` layers has the full rate; layer `i` is `n - 1 - i` below it.",
        'A group is a dictionary, `{"params": [...], "lr": ...}`.',
        "Keep a list or a set of the `id(p)` that you have met: a parameter that two layers share "
        "may stand in one group only.",
    )
    NAMES = [["words"], ["lstm 1", "bias 1"], ["lstm 2", "words"], ["head", "bias"]]

    def as_functions(self, groups: Answer) -> tuple[Answer]:
        def tried(names, *rates):
            """The groups, with names in place of the parameters (by identity)."""
            layers, known = layers_of(names)
            name_of = {id(p): name for name, p in known.items()}
            before = [list(map(id, layer)) for layer in layers]
            got = groups(layers, *rates)
            if [list(map(id, layer)) for layer in layers] != before:
                return "changed"
            fits = isinstance(got, list | tuple) and all(isinstance(g, dict) for g in got)
            if not fits or any({"params", "lr"} - set(group) for group in got):
                return got if got in (None, [], ...) else "form"
            return [{"params": [name_of.get(id(p), COPY) for p in group["params"]],
                     "lr": float(group["lr"])} for group in got]  # fmt: skip

        return (tried,)

    def untouched(self, tried: Answer) -> bool:
        return tried(self.NAMES, 0.01) in (None, [], ...)

    def check(self, tried: Answer) -> Right | Wrong:
        cases = (self.NAMES, (0.04, 2.0)), (self.NAMES[1:], (0.01, 4.0)), (self.NAMES, (0.1,))
        for names, given in cases:
            rate, factor = (*given, 2.6)[:2]
            got = tried(names, *given)
            if got == "changed":
                return Wrong("the list of layers was changed: leave it as it is.", 2)
            if not isinstance(got, list):
                return Wrong('expected a list of dictionaries, each with "params" and "lr".')
            if any(COPY in group["params"] for group in got):
                return Wrong("copies: the optimiser would train them, and not the model.", 1)
            verdict = self.judged(got, names, rate, factor)
            if isinstance(verdict, Wrong):
                return verdict
        return Right("An optimiser takes such a list, and every layer has a rate of its own.")

    @staticmethod
    def judged(got: list, names: Names, rate: float, factor: float) -> Right | Wrong:
        """The verdict on the groups of some layers."""
        flat = [name for group in got for name in group["params"]]
        every = list(dict.fromkeys(name for layer in names for name in layer))
        for name in every:
            if flat.count(name) > 1:
                return Wrong(f"“{name}” is in two groups: a shared parameter belongs to the lower "
                             "layer, and only there.", 2)  # fmt: skip
            if name not in flat:
                return Wrong(f"“{name}” is in no group: {NEVER}", 1)
        of = {name: group["lr"] for group in got for name in group["params"]}
        home = {name: i for i, layer in reversed(list(enumerate(names))) for name in layer}
        deep = {name: len(names) - 1 - i for name, i in home.items()}
        variants = {
            "turned round: the highest layer has the full rate, the lowest the least.":
                lambda n: rate / factor ** home[n],
            "divided once too often: the highest layer has the full rate.":
                lambda n: rate / factor ** (deep[n] + 1),
            "all layers have the same rate: each one below learns more slowly.": lambda n: rate,
            "each layer below is *divided* by the factor: the rates are not a straight line.":
                lambda n: rate - rate / factor * deep[n],
            "divided by the factor times the depth: divide by the factor again at each layer.":
                lambda n: rate / max(1, factor * deep[n]),
            "the lower layers learn *faster*: divide by the factor.":
                lambda n: rate * factor ** deep[n],
            "the factor is fixed: take it from the argument.": lambda n: rate / 2.6 ** deep[n],
        }  # fmt: skip
        want = {name: rate / factor ** deep[name] for name in every}
        if same([of[n] for n in every], [want[n] for n in every]):
            return Right()
        for message, variant in variants.items():
            if same([of[n] for n in every], [variant(n) for n in every]):
                return Wrong(message, 1)
        shared = "words" in names[0] and not same(of["words"], want["words"])
        others = [n for n in every if n != "words"]
        if shared and same([of[n] for n in others], [want[n] for n in others]):
            return Wrong("“words” belongs to two layers: the lower one decides on its rate.", 2)
        name = next(n for n in every if not same(of[n], want[n]))
        return Wrong(f"with the factor {factor:g} (2.6 where none is given) the rate of “{name}” "
                     f"should be {want[name]:.4g}, but is {of[name]:.4g}.", 1)  # fmt: skip


class Triangle(Exercise):
    id = "03.triangle"
    title = "The slanted triangle (optional)"
    minutes, difficulty, importance, points = 8, 2, 4, 3
    hints = (
        "`top = max(1, math.floor(steps * cut))`: the update at which the rate is highest.",
        "The height rises from 0 to 1 in `top` updates, and falls to 0 in `steps - top`.",
        "The rate runs between `highest / ratio` and `highest`, as the height runs from 0 to 1.",
    )
    default = 0.0
    example = (10, 100, 0.01)

    def check(self, triangle: Answer) -> Right | Wrong:
        cases = [(t, 100, 0.02, 0.1, 32) for t in (10, 0, 4, 55, 99)]
        cases += [(t, 200, 0.05, 0.25, 10) for t in (50, 20, 120, 0)]
        for t, steps, highest, cut, ratio in cases:
            want = self.rate(t, steps, highest, cut, ratio=ratio)
            height = self.height(t, steps, cut)
            mistakes = [
                (want / highest, "this is the factor: multiply it by the highest rate.", 2),
                (highest * (1 + self.height(t, steps, cut, falling=False) * (ratio - 1)) / ratio,
                 "it rises on and on: after `top` the rate falls.", 1),
                (highest * height, "at its ends the rate is not 0 but highest / ratio.", 2),
                (self.rate(steps - t, steps, highest, cut, ratio=ratio),
                 "the triangle leans the other way: a short rise first.", 1),
                (highest * (1 + height * ratio) / ratio,
                 "too high at the top: (ratio - 1), so that the top is exactly the highest.", 2),
                (self.rate(t, steps, highest, 0.1, ratio=ratio),
                 "`cut` is ignored: a number is fixed.", 1),
                (self.rate(t, steps, highest, cut, ratio=32),
                 "`ratio` is ignored: a number is fixed.", 1),
                (self.rate(t, steps, highest, 0.1, ratio=32),
                 "`cut` and `ratio` are ignored: numbers are fixed.", 1),
                (self.rate(t, 100, highest, cut, ratio=ratio),
                 "`steps` is ignored: a number is fixed.", 1),
                (self.rate(t, 100, highest, 0.1, ratio=32),
                 "`steps`, `cut` and `ratio` are ignored: numbers are fixed.", 1),
                (highest, "the rate is highest from the start, or does not change: where is `t`?",
                 0),
                (highest * (1 + height * (ratio - 1)), "too high by a factor: divide by `ratio`.",
                 2),
                (highest * (1 - height * (ratio - 1) / ratio), "upside down: it falls first, and "
                 "then rises.", 1),
            ]  # fmt: skip
            mistakes += self.shifted(t, steps, highest, cut, ratio=ratio)
            mistakes = [m for m in mistakes if not math.isclose(m[0], want)]
            what = f"triangle({t}, {steps}, {highest}, cut={cut}, ratio={ratio})"
            verdict = compare(triangle(t, steps, highest, cut, ratio), want, mistakes, what=what)
            if not isinstance(verdict, Right):
                return verdict
        return self.short(triangle)

    @classmethod
    def shifted(
        cls, t: int, steps: int, highest: float, cut: float, *, ratio: float
    ) -> list[tuple[float, str, int]]:
        """What comes of another start of the rise or the fall, or of a fixed rate."""
        return [
            (0.01 * cls.rate(t, steps, 1.0, cut, ratio=ratio),
             "`highest` is ignored: a number is fixed.", 1),
            (cls.rate(t + 1, steps, highest, cut, ratio=ratio) if t < steps - 1 else math.nan,
             "one update ahead: the first update is number 0.", 2),
            (highest * (1 + cls.slow(t, steps, cut) * (ratio - 1)) / ratio,
             "it falls too slowly: from 1 to 0 in `steps - top` updates.", 2),
            (highest * (1 + (1 - t / steps) * (ratio - 1)) / ratio,
             "the fall is counted from update 0: count it from `top`.", 2),
        ]  # fmt: skip

    def short(self, triangle: Answer) -> Right | Wrong:
        """The verdict on a run of five updates."""
        try:
            first = [triangle(t, 5, 0.02) for t in (0, 1)]
        except ZeroDivisionError:
            return Wrong("five updates times 0.1 is less than one: `top` should be at least 1, or "
                         "zero divides.", 2)  # fmt: skip
        if not same(first, [0.02 / 32, 0.02]):
            return Wrong("with five updates `top` is 1: the rate should begin at highest / 32 and "
                         "be highest at update 1 (cut=0.1 and ratio=32 are the defaults).",
                         2)  # fmt: skip
        if not same(triangle(7, 75, 0.02), 0.02):
            return Wrong("with 75 updates `top` is 7, the whole part of 7.5: use `math.floor`.", 2)
        if triangle(74, 75, 0.02) < 0:
            return Wrong("with 75 updates the paper's second case ends below zero, and the weights "
                         "would climb: divide by `steps - top`.", 2)  # fmt: skip
        if not same(triangle(74, 75, 0.02), self.rate(74, 75, 0.02, 0.1, ratio=32)):
            return Wrong("right for 100 and 200 updates, but not at the end of 75.", 2)
        return Right("A quick rise to where it should learn, and a long time to settle.")

    @staticmethod
    def slow(t: float, steps: int, cut: float) -> float:
        """The height where the fall is divided by all updates."""
        top = max(1, math.floor(steps * cut))
        return t / top if t < top else 1 - (t - top) / steps

    @staticmethod
    def height(t: float, steps: int, cut: float, falling: bool = True) -> float:
        """The height of the triangle at update ``t``, from 0 to 1."""
        top = max(1, math.floor(steps * cut))
        return t / top if t < top or not falling else 1 - (t - top) / (steps - top)

    @classmethod
    def rate(cls, t: float, steps: int, highest: float, cut: float, *, ratio: float) -> float:
        """The rate at update ``t``."""
        return highest * (1 + cls.height(t, steps, cut) * (ratio - 1)) / ratio


class Unfreeze(Exercise):
    id = "03.unfreeze"
    title = "Layers that begin later"
    minutes, difficulty, importance, points = 8, 2, 5, 3
    hints = (
        "At update `step`, `1 + step // every` layers learn, counted from the top.",
        "A layer of height `i` among `n` learns if `n - i` is at most that number.",
        "`p.requires_grad_(True)` lets a parameter learn, `requires_grad_(False)` freezes it.",
    )

    def as_functions(self, unfreeze: Answer) -> tuple[Answer]:
        def tried(sizes, steps, every, awake=True):
            """Which parameters learn at each of these updates, by layer, and what else changed."""
            given = [[nn.Parameter(torch.zeros(2), awake) for _ in range(size)] for size in sizes]
            layers, shown = [list(layer) for layer in given], []
            for step in steps:
                unfreeze(layers, step, every)
                shown.append([[p.requires_grad for p in layer] for layer in given])
            if [list(map(id, layer)) for layer in layers] != [list(map(id, g)) for g in given]:
                return shown, "the lists hold other parameters now, or in another order: leave them"
            moved = any(bool(p.any()) for layer in given for p in layer)
            return shown, "the values of the parameters have changed: only freeze them" * moved

        return (tried,)

    def untouched(self, tried: Answer) -> bool:
        return all(tried([1, 1, 1, 1], [0], 3, start) == ([[[start]] * 4], "")
                   for start in (True, False))  # fmt: skip

    def check(self, tried: Answer) -> Right | Wrong:
        for sizes, every in (([1, 3, 2, 1], 5), ([2, 1], 2), ([1, 1, 1], 1)):
            steps = [0, every - 1, every, 2 * every - 1, 2 * every, 9 * every]
            shown, changed = tried(sizes, steps, every)
            if changed:
                return Wrong(f"{changed}.", 1)
            for step, seen in zip(steps, shown, strict=True):
                verdict = self.judged(seen, step, every)
                if isinstance(verdict, Wrong):
                    return verdict
            if tried(sizes, [0], every, False)[0] != shown[:1]:
                return Wrong("where all layers begin frozen, the highest does not learn.", 2)
            last = tried(sizes, [9 * every, 0], every)[0][1]
            if last != shown[0]:
                return Wrong("called at a late update and then at 0, it leaves layers awake: "
                             "freeze those that should rest.", 2)  # fmt: skip
        return Right("The head learns alone first; each layer joins when those above make sense.")

    @staticmethod
    def judged(seen: list[list[bool]], step: int, every: int) -> Right | Wrong:
        """The verdict on one update."""
        n, number = len(seen), min(1 + step // every, len(seen))
        if any(any(layer) != all(layer) for layer in seen):
            return Wrong("a layer is frozen in part: freeze all of its parameters.", 1)
        awake = [layer[0] for layer in seen]
        if awake == [i >= n - number for i in range(n)]:
            return Right()
        at = f"at update {step}, with every = {every} and {n} layers, "
        if not any(awake):
            return Wrong(f"{at}nothing learns: the head does from the start.", 1)
        if awake == [i < number for i in range(n)] and number < n:
            return Wrong(f"{at}the lowest layers learn: begin at the top, the end of the list.", 1)
        if awake == [i < n - number for i in range(n)]:
            return Wrong(f"{at}frozen and learning are swapped.", 1)
        if awake == [i == n - number for i in range(n)]:
            return Wrong(f"{at}only one layer learns: those above it should go on.", 1)
        if all(awake):
            return Wrong(f"{at}all layers learn: only {number} of them should.", 1)
        return Wrong(f"{at}{sum(awake)} of the layers learn, but it should be the {number} "
                     "highest.", 1)  # fmt: skip
