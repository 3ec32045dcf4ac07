"""Chapter 06: the rate of the fine-tuning loop."""

from collections.abc import Callable
from functools import partial

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong

WARMUP = (
    "the warm-up is `steps // 10` updates, rounded down, perhaps none: yours has another number"
)


def rate_at(
    step: int, steps: int, top: float, *, off: int = 1, late: int = 0, rise: bool = True,
    fall: bool = True, share: int = 10, count: Callable[[int], float] | None = None,
) -> float:  # fmt: skip
    """The rate of update ``step`` of ``steps``; the options are how it goes wrong."""
    warmup = count(steps) if count else steps // share
    up = (step + off) / (warmup + 1) if rise else 1.0
    down = (steps - step - late) / (steps - warmup) if fall else 1.0
    return top * min(1.0, up, down)


MORE: dict[str, Callable[..., float]] = {  # less common mistakes
    "`top` is among those of which the smallest is taken: multiply by it.":
        lambda s, n, top: min(top, (s + 1) / (n // 10 + 1), (n - s) / (n - n // 10)),
    "each update has the rate of the next one: `step` counts from 0.":
        lambda s, n, top: rate_at(s + 1, n, top),
}  # fmt: skip


class Rate(Exercise):
    id = "06.rate"
    title = "Up, then down"
    minutes, difficulty, importance, points = 6, 2, 4, 3
    hints = (
        "`warmup = steps // 10`. Write down both factors, the rising and the falling one.",
        "Outside of its own part each factor is above 1. Which function picks the right one?",
        "Check the ends by hand: with `steps = 20` the first factor is 1/3, the one of step 2 is "
        "1, and the last is 1/18.",
    )
    default = 0.0
    example = (2, 20, 1.0)
    CASES = ((20, 1.0), (37, 0.3), (7, 2.0))

    @staticmethod
    def mistakes() -> dict[str, Callable[..., float]]:
        """Message -> the rate that goes so wrong."""
        wrong: dict[str, Callable[..., float]] = {
            "the peak is ignored: multiply the factor by `top`.":
                lambda s, n, _: rate_at(s, n, 1.0),
            "the first update has the rate 0 and does nothing: `step + 1` above the line.":
                partial(rate_at, off=0),
            "the last update has the rate 0: the fall reaches 0 at `steps`, one later.":
                partial(rate_at, late=1),
            "the first update has the rate 0 and does nothing: add 1 above and below the line.":
                lambda s, n, top: top * min(1, s / max(1, n // 10), (n - s) / (n - n // 10)),
            "there is no warm-up: the first updates should be small.": partial(rate_at, rise=False),
            "it rises and stays up: after the warm-up the rate falls to zero.":
                partial(rate_at, fall=False),
            "there is no warm-up: the first updates should be small, and the fall begins after "
            "them.": lambda s, n, top: top * (n - s) / n,
            "it is constant: it should rise, then fall.": lambda s, n, top: top,
            "the warm-up is a fifth of the updates: a tenth was asked for.":
                partial(rate_at, share=5),
            "the fall is over all updates: it begins after the warm-up, at 1.":
                lambda s, n, top: top * min(1, (s + 1) / (n // 10 + 1), (n - s) / n),
            "the larger factor was taken: the smaller one counts.": lambda s, n, top: top * max(
                (s + 1) / (n // 10 + 1), (n - s) / (n - n // 10)),
            "both factors are multiplied, and one of them is above 1: take the smallest of three.":
                lambda s, n, top: top * (s + 1) / (n // 10 + 1) * (n - s) / (n - n // 10),
            "`//` rounds down to a whole number: divide the factors by `/`.":
                lambda s, n, top: top * min(1, (s + 1) // (n // 10 + 1), (n - s) // (n - n // 10)),
            "not limited by 1: the rate should never exceed `top`.": lambda s, n, top: top * (
                (s + 1) / (n // 10 + 1) if s < n // 10 else (n - s) / (n - n // 10 - 1)),
            **MORE,
            "the warm-up divides by `warmup`: the rise reaches 1 at step `warmup`, so by "
            "`warmup + 1`.": lambda s, n, top: top * min(
                1, (s + 1) / max(1, n // 10), (n - s) / (n - n // 10)),
        }  # fmt: skip
        for count in (lambda n: n / 10, lambda n: round(n / 10), lambda n: max(1, n // 10),
                      lambda n: 2):  # fmt: skip
            told = f"{WARMUP} ({count(37):g} of 37, {count(7):g} of 7)."
            wrong[told] = partial(rate_at, count=count)
        return wrong

    def check(self, rate: Callable[..., float]) -> Right | Wrong:
        def curve(made):
            return [[float(made(step, n, top)) for step in range(n)] for n, top in self.CASES]

        def alike(got, want):
            return all(same(a, b) for a, b in zip(got, want, strict=True))

        if isinstance(rate(2, 20, 1.0), str):
            return Wrong("a rate is a number, not a text.")
        got = curve(rate)
        if alike(got, curve(rate_at)):
            return Right("Small first steps, because AdamW's averages know nothing yet.")
        for message, made in self.mistakes().items():
            if alike(got, curve(made)):
                return Wrong(message, 1)
        first = next(i for i, (a, b) in enumerate(zip(got, curve(rate_at), strict=True))
                     if not same(a, b))  # fmt: skip
        n, top = self.CASES[first]
        return compare(got[first], curve(rate_at)[first],
                       what=f"the list of the {n} rates with the peak {top}")  # fmt: skip
