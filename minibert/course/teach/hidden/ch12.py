"""Hidden tests of chapter 12."""

from collections.abc import Callable
from typing import Any

from minibert.course.learn.exercises.ch12 import (
    Biaffine,
    Cross,
    FindTheBug,
    Hits,
    Layout,
    ReadLong,
)
from minibert.course.learn.exercises.ch12_reading import closed, document
from minibert.course.learn.exercises.ch12_structure import drawn, linear
from minibert.course.learn.exercises.ch12_talking import IDS, WORDS, encode
from minibert.course.learn.exercises.ch12_tried import Tried, like
from minibert.course.teach.hidden import Draw, hidden

TRIALS = 6


def right(exercise: type[Tried], answer: Callable[..., Any], case: tuple) -> bool:
    """Whether a case is solved; answers come with a mark whether they changed what they got."""
    got, changed = answer(*case)
    return not changed and like(got, exercise.solve(*case))


@hidden("12.find_the_bug")
def surest(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(TRIALS):
        seed = draw.getrandbits(30)
        windows = FindTheBug.levels(document(seed, draw.randint(1, 5)), seed)
        if not right(FindTheBug, answer, (windows, draw.randint(1, 4))):
            return False
    return True


@hidden("12.read_long")
def read_long(draw: Draw, answer: Callable[..., Any]) -> bool:
    for trial in range(TRIALS):
        windows = document(draw.getrandbits(30), draw.randint(1, 5))
        windows = closed(windows) if trial == 0 else windows
        case = windows, draw.randint(1, 5), draw.randint(2, 30), draw.uniform(-6, 9)
        if not right(ReadLong, answer, case):
            return False
    return True


@hidden("12.layout")
def layout(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(TRIALS):
        texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 4))) for _ in range(8)]
        turns = [(draw.choice((1, 2)), text) for text in texts[: draw.randint(1, 4)]]
        ids = {name: i + 10 * draw.randint(1, 9) for name, i in IDS.items()}
        ids = {name: i + place for place, (name, i) in enumerate(ids.items())}
        if len({*ids.values()}) < len(ids):
            continue
        case = encode, texts[4 : draw.randint(5, 7)], turns, texts[7]
        case += draw.random() < 0.5, draw.randint(1, 4), ids
        if not right(Layout, answer, case):
            return False
    return True


@hidden("12.hits")
def hits(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(TRIALS):
        rows = [[draw.randint(0, 4) / 2 for _ in range(draw.randint(2, 6))] for _ in range(7)]
        if not right(Hits, answer, (rows, [draw.randrange(len(row)) for row in rows])):
            return False
    return True


@hidden("12.cross")
def cross(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(TRIALS):
        heads, g = draw.randint(1, 3), draw.generator
        dim, read = heads * draw.randint(2, 4), draw.randint(2, 5)
        seen = drawn(g, 2, read) > 0
        seen[:, 0] = True
        layers = [linear(g, dim, dim) for _ in range(4)]
        states, memory = drawn(g, 2, draw.randint(1, 4), dim), drawn(g, 2, read, dim)
        if not right(Cross, answer, (states, memory, seen, *layers, heads)):
            return False
    return True


@hidden("12.biaffine")
def biaffine(draw: Draw, answer: Callable[..., Any]) -> bool:
    sizes = [(draw.randint(1, 6), draw.randint(1, 6), draw.randint(1, 5)) for _ in range(TRIALS)]
    cases = [Biaffine.case(draw.getrandbits(30), *size) for size in sizes]
    return all(right(Biaffine, answer, case) for case in cases)
