"""Hidden tests of chapter 09."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from minibert.course.learn.exercise import Right
from minibert.course.learn.exercises.ch09 import (
    Control,
    Erase,
    FindTheBug,
    LinearProbe,
    Pairs,
    TreeLoss,
    TreeProbe,
)
from minibert.course.learn.exercises.ch09_training import best
from minibert.course.learn.exercises.ch09_tree_training import variant
from minibert.course.teach.hidden import Case, Draw, alike, fresh, hidden


@hidden("09.pairs")
def pairs(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(5):
        count = draw.randint(6, 15)
        good = [draw.choice((0.0, 0.01)) - draw.randint(1, 6) for _ in range(count)]
        bad = [draw.choice((0.0, 0.01)) - draw.randint(1, 6) for _ in range(count)]
        groups = [draw.choice(["verbs", "nouns", "names"]) for _ in range(count)]
        want, got = Pairs.solve(good, bad, groups), answer(good, bad, groups)
        if {*got} != {*want} or not all(alike(got[name], want[name]) for name in want):
            return False
    return True


@fresh("09.find_the_bug")
def pseudo(draw: Draw) -> Case:
    count = draw.randint(4, 12)
    starts = [0] + [i for i in range(1, count) if draw.random() < 0.5]
    ids = [draw.randint(1, 60) for _ in range(count)]
    wanted = FindTheBug.solve(ids, starts)
    return (FindTheBug.log_p, ids, starts, FindTheBug.MASK), wanted


@hidden("09.linear_probe")
def linear_probe(draw: Draw, run: Callable[..., Any]) -> bool:
    case = LinearProbe.case(draw.getrandbits(30))
    x, y, (valid_x, valid_y) = case["x"], case["y"], case["valid"]
    _, _, mean, scale, W, b = case["set"]
    rows = (valid_x - mean) / scale
    share = ((rows @ W + b).argmax(1) == valid_y).float().mean()
    if not alike(run("standard", case["set"], valid_x), rows):
        return False
    if not alike(run("score", case["set"], valid_x, valid_y), share):
        return False
    inside, penalty = (x - mean) / scale, draw.choice([2.0, 8.0, 30.0])
    got = run("train", case["set"], inside, y, penalty)
    if not LinearProbe.alike(got, best(inside, y, penalty), inside):
        return False
    labels, penalties, *held = case["set"]
    factor = draw.uniform(0.8, 1.25)
    case["set"] = (labels, tuple(factor * one for one in penalties), *held)
    return isinstance(LinearProbe().fit(run, case), Right)


@hidden("09.control")
def control(draw: Draw, tried: Callable[..., Any]) -> bool:
    words, labels = Control.case(draw.randint(700, 900), draw.getrandbits(30))
    first, again = tried(words, labels, [draw.randint(0, 99)] * 2)["drawn"]
    forms, every = {word for row in words for word in row}, [y for row in labels for y in row]
    shares = Counter(first.values())
    close = all(abs(shares[y] / len(forms) - n / len(every)) < 0.09
                for y, n in Counter(every).items())  # fmt: skip
    return {*first} == forms and first == again and close


@hidden("09.structural_loss")
def tree_loss(draw: Draw, seen: Callable[..., Any]) -> bool:
    for _ in range(5):
        case = TreeLoss.case(draw.getrandbits(30), draw.randint(2, 9))
        found = seen(*case)
        if not alike(found["loss"], TreeLoss.solve(*case)) or not all(found["gradients"][:2]):
            return False
        if not found["finite"]:
            return False
    return True


@hidden("09.tree_probe")
def tree_probe(draw: Draw, tried: Callable[..., Any]) -> bool:
    for _ in range(4):
        one = (draw.randint(100, 9_999), draw.randint(5, 11), 4, 3, draw.randint(0, 3))
        x, B, ignored = TreeProbe.sentence(*one)
        far = TreeProbe.solve(x, B)
        if not alike(tried("distances", *one), far):
            return False
        kind, arcs = tried("arcs", *one)
        if not TreeProbe.found(kind, arcs, far.tolist(), ignored):
            return False
    while True:  # a case without a tie
        case = (draw.randint(100, 9_999), draw.uniform(0.3, 0.7), 8, 2)
        losses, B = variant(case)
        ranked = sorted(losses)
        if len(ranked) > 3 and min(b - a for a, b in pairwise(ranked)) > 0.004:
            return TreeProbe.alike(tried("fit", case), (losses, B))


@fresh("09.erase")
def erase(draw: Draw) -> Case:
    k = draw.randint(1, 3)
    H = draw.normal(draw.randint(4, 9), draw.randint(4, 7)) + 1
    directions = draw.normal(k, H.shape[1])
    directions = directions + torch.ones(k, 1) * directions[0]
    return (H, directions), Erase.solve(H, directions)
