"""Hidden tests of chapter 02. Most answers come as (value, what else is at fault)."""

from collections.abc import Callable
from typing import Any

from minibert.course.learn.compare import same
from minibert.course.learn.exercise import Right
from minibert.course.learn.exercises.bilm_both_ways import judged
from minibert.course.learn.exercises.ch02_bilm import BothWays, Convolve
from minibert.course.learn.exercises.ch02_fit import FindTheBug, Train
from minibert.course.learn.exercises.ch02_layers import Bayes, Sense
from minibert.course.learn.exercises.ch02_lstm import Read, Step
from minibert.course.learn.exercises.ch02_mix import Mix, Normalise, Rates
from minibert.course.teach.hidden import TOLERANCE, Case, Draw, fresh, hidden


def faultless(got: Any) -> Any:
    """The value alone of (value, ""); None where something is at fault."""
    return got[0] if isinstance(got, tuple | list) and not got[1] else None


@hidden("02.convolve")
def convolve(draw: Draw, best_match: Callable[..., Any]) -> bool:
    for _ in range(5):
        dim = draw.randint(2, 5)
        x, weight = draw.normal(draw.randint(5, 11), dim), draw.normal(draw.randint(2, 4), dim)
        bias = draw.normal(1)[0]
        want = Convolve.scores(x, weight, bias).max()
        if not same(faultless(best_match(x, weight, bias)), want, TOLERANCE):
            return False
    return True


@fresh("02.both_ways", view=faultless)
def both_ways(draw: Draw) -> Case:
    words = [f"w{draw.randint(1, 6)}" for _ in range(draw.randint(1, 8))]
    return (words,), (BothWays.solve(words), "")


@fresh("02.step", view=faultless)
def step(draw: Draw) -> Case:
    parts = Step.parts(draw.getrandbits(32))
    return parts, (Step.variant(*parts), "")


@fresh("02.read", view=faultless)
def read(draw: Draw) -> Case:
    parts = Read.parts(draw.getrandbits(32))
    return parts, (Read.variant(*parts), "")


@hidden("02.train")
def train(draw: Draw, tried: Callable[..., Any]) -> bool:
    seed, rate = draw.getrandbits(32), draw.uniform(0.01, 0.2)
    losses, weight, fault = tried(seed, rate)
    wants = [Train.variant(seed, rate, kind=kind) for kind in ("Adam", "AdamW")]
    right = any(same(losses, a, TOLERANCE) and same(weight, b, TOLERANCE) for a, b in wants)
    return right and not fault


@hidden("02.bilm")
def bilm(draw: Draw, seen: Callable[..., Any], _: Callable[..., Any]) -> bool:
    sizes = draw.randint(10, 14), draw.randint(3, 8), draw.randint(3, 8)
    return judged(seen, (draw.randint(2, 10_000), *sizes)) is None


@hidden("02.find_the_bug")
def backward_loss(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(5):
        *layers, _ = FindTheBug.parts(draw.getrandbits(32))
        parts = *layers, draw.integers(0, 9, 3, draw.randint(4, 9))
        verdict = FindTheBug().named(faultless(answer(*parts)), parts)
        if not isinstance(verdict, Right):
            return False
    return True


@fresh("02.sense", view=faultless, trials=20)
def sense(draw: Draw) -> Case:
    case = Sense.case(draw)
    return case, (Sense.rules()[""](*case), "")


@fresh("02.bayes", view=faultless, trials=20)
def bayes(draw: Draw) -> Case:
    case = Bayes.case(draw)
    return case, (Bayes.rules()[""](*case), "")


@hidden("02.mix")
def mix(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(5):
        count, gamma = draw.randint(2, 4), draw.normal(1)[0].exp()
        layers, weights = draw.normal(count, draw.randint(2, 6), 5), draw.normal(count)
        want = gamma * Mix.summed(weights.softmax(0), layers)
        if not same(faultless(answer(layers, weights, gamma)), want, TOLERANCE):
            return False
    return True


@hidden("02.normalise")
def normalise(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(5):
        x = draw.uniform(0.5, 8) * draw.normal(draw.randint(2, 4), 3, 64) + draw.uniform(-2, 2)
        got = faultless(answer(x))
        if not any(same(got, want, 1e-3) for want in Normalise.wanted(x)):
            return False
    return True


@hidden("02.rates")
def rates(draw: Draw, answer: Callable[..., Any]) -> bool:
    slow, fast = draw.uniform(0.001, 0.01), draw.uniform(0.02, 0.3)
    named = draw.sample(Rates.named(), 6)
    groups = faultless(answer(named, slow, fast)) or []
    found = {name: group["lr"] for group in groups for name in group["params"]}
    return all(found.get(name) == (fast if ".mixes." in name else slow) for name, _ in named)
