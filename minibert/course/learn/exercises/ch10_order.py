"""Exercises of chapter 10: a schedule as a matrix, and the methods that no other one beats."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minibert.course.learn.compare import array, compare, mistaken, same, short
from minibert.course.learn.exercise import Exercise, Right, Wrong

NAN = np.nan
Plan = tuple[int, int, float, float]  # layers, updates, rate, share
Points = dict[str, tuple[float, float]]  # numbers that learn and score, by name


class ChainThaw(Exercise):
    id = "10.chain_thaw"
    title = "Chain-thaw as a matrix"
    minutes, difficulty, importance, points = 12, 3, 4, 5
    hints = (
        "Make the list of stages first: `[[top], [0], [1], ..., all layers]`. The top is layer "
        "`layers - 1`.",
        "A stage is a list of layers, so one line sets the rows of an update: "
        "`found[stage, step] = rate`.",
        "The stage of an update before `last` is `step * layers // last`; from `last` on it is the "
        "last one.",
    )
    CASES: tuple[Plan, ...] = ((4, 16, 0.01, 0.5), (3, 20, 0.5, 0.6), (5, 23, 0.002, 0.73))

    def untouched(self, thaw: Callable[..., Any]) -> bool:
        got = array(thaw(*self.CASES[0]))
        return got is None or bool(np.isnan(got).all())

    def check(self, thaw: Callable[..., Any]) -> Right | Wrong:
        for case in self.CASES:
            want, got = self.solve(*case), thaw(*case)
            if (numbers := array(got)) is not None and numbers.shape == want.shape[::-1]:
                return Wrong("rows are layers, and columns updates: (layers, steps).", 3)
            told = mistaken(numbers, self.mistakes(*case), same) or self.off(numbers, want, case)
            verdict = compare(got, want, what=f"chain_thaw{case}")
            if not isinstance(verdict, Right):
                return told or verdict
        if bool(np.isnan(np.asarray(array(thaw(3, 4, 0.1, 0.0)))).any()):
            return Wrong("right, but with share=0 all layers learn from the first update on.", 4)
        return Right("Any order of layers and any rates fit into such a matrix.")

    @staticmethod
    def off(got: np.ndarray | None, want: np.ndarray, plan: Plan) -> Wrong | None:
        """The first update in which other layers learn than should, or at another rate."""
        if got is None or got.shape != want.shape:
            return None
        for step, (mine, right) in enumerate(zip(got.T, want.T, strict=True)):
            told, wanted = ([*map(int, np.flatnonzero(~np.isnan(x)))] for x in (mine, right))
            if told != wanted:
                return Wrong(f"of chain_thaw{plan}: at update {step} the layers {wanted} should "
                             f"learn, but in yours {told} do.", 1)  # fmt: skip
            if not same(mine, right):
                return Wrong(f"of chain_thaw{plan}: at update {step} the right layers learn, but "
                             f"at the rate {short(mine[wanted[0]])}, not `rate`.", 2)  # fmt: skip
        return None

    @classmethod
    def solve(cls, layers: int, steps: int, rate: float, share: float) -> np.ndarray:
        return cls.planned(cls.stages(layers), (layers, steps, rate, share))

    @staticmethod
    def stages(layers: int) -> list[list[int]]:
        return [[layers - 1], *([one] for one in range(layers - 1)), [*range(layers)]]

    @staticmethod
    def planned(stages: list[list[int]], plan: Plan) -> np.ndarray:
        """The matrix of any list of stages, the last of which begins after ``share``."""
        layers, steps, rate, share = plan
        found, before, last = np.full((layers, steps), NAN), len(stages) - 1, int(steps * share)
        for step in range(steps):
            found[stages[step * before // last if step < last else before], step] = rate
        return found

    @classmethod
    def mistakes(cls, layers: int, steps: int, rate: float, share: float) -> list[tuple]:
        """(matrix, message, points) of known mistakes."""
        plan, want = (layers, steps, rate, share), cls.solve(layers, steps, rate, share)
        stages, every = cls.stages(layers), [*range(layers)]
        down, up = [[one] for one in reversed(every)], [[one] for one in every]
        gradual = [every[lowest:] for lowest in reversed(every)]
        growing = [[layers - 1], *(every[: n + 1] + [layers - 1] for n in range(layers - 1)), every]
        with_top = [[layers - 1], *([n, layers - 1] for n in range(layers - 1)), every]
        last, even = int(steps * share), steps // (layers + 1)
        at_ends = [stages[min(n // max(1, last // layers), layers)] for n in range(steps)]
        evenly = [stages[min(n // max(1, even), layers)] for n in range(steps)]
        return [
            (want[::-1], "the rows are upside down: row 0 is the lowest layer.", 3),
            (np.nan_to_num(want), "a frozen layer has NaN, not the rate 0.", 3),
            (want / rate, "the rate is 1 everywhere: it is `rate`.", 3),
            (cls.planned([*down, every], plan), "after the top, the layers follow from the lowest "
             "up: yours go down.", 2),
            (cls.planned([*up, every], plan), "the top learns first of all, not last.", 2),
            (cls.planned([stages[0], *down[1:][::-1], down[0], every], plan), "the top has a turn "
             "of its own twice: at first only.", 2),
            (cls.planned([*gradual[:-1], every, every], plan), "that is gradual unfreezing: in "
             "chain-thaw the others freeze again when a layer has its turn.", 2),
            (cls.planned(gradual, plan), "that is gradual unfreezing: in chain-thaw the others "
             "freeze again when a layer has its turn.", 2),
            (cls.planned(growing, plan), "a layer that had its turn freezes again.", 2),
            (cls.planned(with_top, plan), "the top freezes again, too, when another layer has its "
             "turn.", 2),
            (cls.planned([*stages[:-1], stages[-2]], plan), "at the end all layers learn.", 2),
            (cls.planned([stages[0], every], plan), "between the top and all layers, each of the "
             "others learns alone.", 1),
            (cls.planned([every], plan), "all layers learn from the first update on.", 1),
            (cls.planned([[layers - 1]], plan), "only the top ever learns.", 1),
            (cls.drawn(at_ends, plan), "the stages are not equally long: the stage of an update "
             "is `step * layers // last`.", 3),
            (cls.drawn(evenly, plan), "the last stage begins at `last = int(steps * share)`; "
             "yours gives all stages the same length.", 3),
            (cls.planned(stages, (*plan[:3], (last + 1.01) / steps)),
             "the last stage begins one update too late: `int` rounds down.", 3),
            (cls.planned(stages, (*plan[:3], 1 - share)),
             "the last stage takes up 1 - share of the updates: it begins *after* share.", 3),
        ]  # fmt: skip

    @staticmethod
    def drawn(stages: list[list[int]], plan: Plan) -> np.ndarray:
        """The matrix of a stage for each update."""
        layers, steps, rate, _ = plan
        found = np.full((layers, steps), NAN)
        for step, stage in enumerate(stages):
            found[stage, step] = rate
        return found


class Frontier(Exercise):
    id = "10.frontier"
    title = "What no other method beats"
    minutes, difficulty, importance, points = 8, 2, 4, 4
    hints = (
        "For two points, write down when the first beats the second: `a[0] <= b[0]`, `a[1] >= "
        "b[1]`, and `a != b`.",
        "`[name for name in ... if not any(...)]`, and `sorted(..., key=...)` by the first number.",
    )

    def as_functions(self, frontier: Callable[..., Any]) -> tuple:
        return (partial(self.tried, frontier),)

    @staticmethod
    def tried(frontier: Callable[..., Any], points: Points) -> dict[str, Any]:
        """What the answer gives, and whether it leaves the points as they are."""
        given = dict(points)
        return {"got": frontier(given), "kept": given == points}

    def untouched(self, tried: Callable[..., Any]) -> bool:
        return tried(self.case(0))["got"] is None

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        for seed in range(6):
            points = self.case(seed)
            found = tried(points)
            want, got = self.solve(points), found["got"]
            if not isinstance(got, list | tuple):
                kind = type(got).__name__
                return Wrong(f"the result should be a list of names, but is a {kind}.", 1)
            if list(got) == want and found["kept"]:
                continue
            if list(got) == want:
                return Wrong("the names are right, but `points` is changed: the figure needs all "
                             "methods. Make a new list.", 3)  # fmt: skip
            if set(got) == set(want):
                return Wrong("the names are right, but not sorted by the numbers that learn.", 3)
            told = mistaken(list(got), self.mistakes(points)) or mistaken(
                set(got), [(set(names), *rest) for names, *rest in self.mistakes(points)]
            )
            return told or Wrong(f"of {points} the frontier is {want}, not {list(got)}.", 1)
        return Right("A method off this line costs more and gives less than some other one.")

    @staticmethod
    def case(seed: int) -> Points:
        """Some methods, two of them equal, and two pairs that share one number."""
        draw = np.random.default_rng(seed + 5)
        sizes, scores = draw.permutation(9)[:7] * 100 + 100, draw.integers(50, 99, 7) / 100
        pairs = zip(sizes.tolist(), scores.tolist(), strict=True)
        points = {f"m{n}": (float(a), float(b)) for n, (a, b) in enumerate(pairs)}
        best = max(points.values(), key=lambda p: p[1])
        least = min(points.values())
        points |= {"twin": (*best,), "slower": (best[0] + 50, best[1])}
        points["worse"] = (least[0], least[1] - 0.01)
        names = [*points]
        draw.shuffle(names)
        return {name: points[name] for name in names}

    @classmethod
    def solve(cls, points: Points) -> list[str]:
        kept = [n for n, p in points.items() if not any(cls.beats(q, p) for q in points.values())]
        return sorted(kept, key=lambda name: points[name][0])

    @staticmethod
    def beats(a: tuple, b: tuple) -> bool:
        """At least as good in both, and better in one."""
        return a[0] <= b[0] and a[1] >= b[1] and a != b

    @classmethod
    def mistakes(cls, points: Points) -> list[tuple]:
        """(names, message, points) of known mistakes."""

        def kept(beats: Callable[[tuple, tuple], bool], others: bool = False) -> list[str]:
            """Those that nothing beats; ``others``: that no method of another name beats."""
            pairs = points.items()
            found = [n for n, p in pairs
                     if not any(beats(q, p) for m, q in pairs if m != n or not others)]  # fmt: skip
            return sorted(found, key=lambda name: points[name][0])

        best = max(score for _, score in points.values())
        few = min(size for size, _ in points.values())
        want = cls.solve(points)
        return [
            (kept(lambda a, b: a[0] < b[0] and a[1] > b[1]),
             "a method that is as good with fewer numbers, or better with as many, beats another, "
             "too: <= and >=, and not both equal.", 2),
            (kept(lambda a, b: a[0] < b[0] and a[1] >= b[1]),
             "of two with equally many numbers, the better one beats the other.", 2),
            (kept(lambda a, b: a[0] <= b[0] and a[1] > b[1]),
             "of two with the same score, the one with fewer numbers beats the other.", 2),
            (kept(lambda a, b: a[0] <= b[0] and a[1] >= b[1], others=True),
             "two methods that are equal beat each other, and both are gone: one must be better "
             "in something.", 2),
            ([n for n in want if list(points.values()).index(points[n]) == [*points].index(n)],
             "of two methods that are equal, neither beats the other: both stay.", 2),
            (kept(lambda a, b: a[0] >= b[0] and a[1] <= b[1] and a != b),
             "turned round, twice: fewer numbers and higher scores are better.", 2),
            ([], "every method is beaten by itself: one must be better in something.", 2),
            (kept(lambda a, b: a[0] >= b[0] and a[1] >= b[1] and a != b),
             "turned round: fewer numbers are better.", 2),
            (kept(lambda a, b: a[0] <= b[0] and a[1] <= b[1] and a != b),
             "turned round: higher scores are better.", 2),
            ([n for n, p in points.items() if p[1] == best], "only the best score: a method with "
             "fewer numbers may stand on the line as well.", 1),
            ([n for n, p in points.items() if p[0] == few], "only the smallest: a method with a "
             "better score may stand on the line as well.", 1),
            ([n for n in points if n not in want], "those are the methods that *are* beaten.", 2),
            ([*points], "all of them: leave out those that another one beats.", 1),
        ]  # fmt: skip
