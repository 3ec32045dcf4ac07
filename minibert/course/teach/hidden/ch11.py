"""Hidden tests of chapter 11."""

from collections.abc import Callable
from typing import Any

import torch

from minibert.course.learn.exercises.ch11 import (
    Chances,
    Consistent,
    Distil,
    FindTheBug,
    Rules,
    Suspects,
)
from minibert.course.learn.exercises.ch11_rules import COVERED, PRECISE, judgements
from minibert.course.learn.exercises.ch11_tried import alike
from minibert.course.teach.hidden import Case, Draw, fresh, hidden


@fresh("11.chances", trials=10)
def chances(draw: Draw) -> Case:
    epochs = draw.randint(1, 6)
    sizes = torch.tensor([draw.randint(5, 2000) for _ in range(draw.randint(2, 5))])
    first, last = draw.choice([(1.0, 1.0), (0.5, 0.5), (1.0, 0.2), (0.9, 0.1)])
    case = (sizes, first, last, draw.randrange(epochs), epochs)
    return case, Chances.solve(*case)


@hidden("11.suspects")
def suspects(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(4):
        texts, right = Suspects.case(draw.getrandbits(32), draw.randint(15, 40))
        least = draw.randint(2, 5)
        got = answer([list(one) for one in texts], list(right), least)
        if Suspects.judged(got, texts, right, least) is not None:
            return False
    return True


@hidden("11.consistency")
def consistency(draw: Draw, tried: Callable[..., Any]) -> bool:
    case = (draw.randint(10, 9_999), 0.03, draw.uniform(0.3, 2.0), draw.uniform(0.4, 0.7))
    *found, calls = tried(*case)
    return alike(found, Consistent.variant(*case)) and calls == [0, 1, 2, 3]


@hidden("11.distil")
def distil(draw: Draw, tried: Callable[..., Any]) -> bool:
    case = (draw.randint(10, 9_999), 0.03, draw.uniform(1.2, 4.0), draw.uniform(0.1, 0.9))
    *found, kept = tried(*case)
    return alike(found, Distil.variant(*case)) and kept


@fresh("11.find_the_bug")
def votes(draw: Draw) -> Case:
    classes = draw.randint(2, 5)
    case = FindTheBug.case(draw.getrandbits(31), draw.randint(6, 12), draw.randint(2, 6), classes)
    return (case, classes), FindTheBug.solve(case, classes)


@hidden("11.rules")
def rules(draw: Draw, tried: Callable[..., Any]) -> bool:
    pairs = judgements(draw.randint(100, 9_999), 20_000)
    found = tried([text for text, _ in pairs])
    coverage, precision = Rules.measured(found, pairs)
    return coverage >= COVERED - 0.1 and precision >= PRECISE - 0.1  # other sentences: a margin
