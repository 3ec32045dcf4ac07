"""Hidden tests of chapter 08."""

from collections.abc import Callable
from typing import Any

from minibert.course.learn.exercises.ch08 import FindTheBug, Gradient, Hits, Patch, Units
from minibert.course.learn.exercises.ch08_cut import Failed
from minibert.course.teach.hidden import Case, Draw, alike, fresh, hidden


@fresh("08.tsne")
def gradient(draw: Draw) -> Case:
    case = Gradient.case(draw.getrandbits(32), draw.randint(3, 9))
    return case, Gradient.solve(*case)


@fresh("08.unit")
def units(draw: Draw) -> Case:
    rows = draw.randint(6, 20)
    case = Units.case(draw.getrandbits(32), rows, draw.randint(2, rows - 3))
    return case, Units.solve(*case)


@hidden("08.heads")
def hits(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(5):
        weights, heads = Hits.case(draw.getrandbits(32), draw.randint(4, 12))
        got = answer(weights.clone(), list(heads))
        got = got.tolist() if hasattr(got, "tolist") else got
        if [bool(one) for one in got] != Hits.solve(weights, heads):
            return False
    return True


@hidden("08.find_the_bug")
def cut(draw: Draw, tried: Callable[..., Any]) -> bool:
    heads, size = draw.randint(2, 5), draw.randint(2, 4)
    case = (heads * size, heads, draw.randrange(heads), draw.getrandbits(32))
    found, failed = tried(case), tried(case, True)
    clean = not FindTheBug.left(found) and not FindTheBug.left(failed)
    return (
        alike(found["got"], FindTheBug.solve(case)) and clean and failed["error"] == Failed.__name__
    )


@hidden("08.patch")
def patch(draw: Draw, run: Callable[..., Any]) -> bool:
    case = Patch.case(draw.getrandbits(31), draw.randint(1, 4), draw.randint(4, 7))
    found, failed = run(case), run(case, draw.randint(1, 5))
    clean = not Patch.left(found) and not Patch.left(failed)
    clean = clean and not found["hooks"] + failed["hooks"] and failed["error"] == Failed.__name__
    return alike(found["map"], Patch.solve(case)) and clean
