"""Hidden tests of chapter 10."""

from collections.abc import Callable
from typing import Any

from minibert.course.learn.compare import same
from minibert.course.learn.exercises.ch10 import (
    AdapterBlock,
    Anchor,
    ChainThaw,
    FindTheBug,
    Frontier,
    LowRank,
)
from minibert.course.learn.exercises.ch10_anchor import alike as all_alike
from minibert.course.teach.hidden import Case, Draw, alike, fresh, hidden


@hidden("10.adapter")
def adapter(draw: Draw, tried: Callable[..., Any]) -> bool:
    case = AdapterBlock.case(draw.getrandbits(31), draw.randint(3, 9), draw.randint(1, 6))
    return alike(tried(*case)["got"], AdapterBlock.solve(case)) and not AdapterBlock.start(
        tried, case
    )


@hidden("10.lora")
def lora(draw: Draw, tried: Callable[..., Any]) -> bool:
    inputs, outputs = draw.randint(2, 9), draw.randint(2, 9)
    case = (inputs, outputs, draw.randint(1, 4), draw.uniform(0.5, 8.0), draw.getrandbits(31))
    steps = "forward merge forward again weight unmerge weight forward"
    before, _, merged, raised, weight, _, back, after = tried(case, steps)
    want, start = LowRank.solve(case), LowRank.layer(case).weight.detach()
    right = all(alike(got, want) for got in (before, merged, after)) and alike(back, start)
    return right and alike(weight, start + LowRank.change(case)) and raised == "ValueError"


@fresh("10.chain_thaw")
def thaw(draw: Draw) -> Case:
    layers, share = draw.randint(2, 8), draw.uniform(0.3, 0.9)
    case = layers, draw.randint(4 * layers, 60), draw.uniform(1e-4, 1.0), share
    return case, ChainThaw.solve(*case)


@hidden("10.frontier")
def frontier(draw: Draw, tried: Callable[..., Any]) -> bool:
    points = Frontier.case(draw.randint(10, 10_000))
    return list(tried(points)["got"]) == Frontier.solve(points)


@hidden("10.find_the_bug")
def fisher(draw: Draw, tried: Callable[..., Any]) -> bool:
    case = (draw.randint(3, 6), draw.randint(2, 4), draw.randint(2, 7), draw.getrandbits(30))
    found = tried(case, True)
    return all_alike(found["got"], FindTheBug.solve(case)) and not found["changed"]


@hidden("10.ewc")
def ewc(draw: Draw, tried: Callable[..., Any]) -> bool:
    case = Anchor.case(draw.getrandbits(30), draw.uniform(0.1, 20.0))
    found = tried(case)
    right = same(found["got"], Anchor.solve(case), 1e-4) and found["grads"] is not None
    return right and all(map(alike, found["grads"], Anchor.slopes(case)))
