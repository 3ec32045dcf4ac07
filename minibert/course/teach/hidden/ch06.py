"""Hidden tests of chapter 06."""

from collections.abc import Iterable

import torch

from minibert.course.learn.exercises.ch06 import BestSpan, Score
from minibert.course.teach.hidden import Case, Draw, fresh
from minibert.text.batches import IGNORE


def lists(parts: Iterable) -> list[list[int]]:
    """Parts as lists of plain numbers."""
    return [[int(value) for value in part] for part in parts]


@fresh("06.pair", view=lists)
def pair(draw: Draw) -> Case:
    first = draw.sample(range(10, 99), draw.randint(1, 6))
    second = draw.sample(range(10, 99), draw.randint(1, 6))
    cls_id, sep_id = draw.sample(range(10), 2)
    ids = [cls_id, *first, sep_id, *second, sep_id]
    return (first, second, cls_id, sep_id), (
        ids,
        [int(i > len(first) + 1) for i in range(len(ids))],
    )


@fresh("06.align", view=lists)
def align(draw: Draw) -> Case:
    size = draw.randint(2, 3)

    def encode(word: str) -> list[int]:
        return [10 + ord(word[i]) for i in range(0, len(word), size)]

    words = ["".join(draw.choices("abcdef", k=draw.randint(1, 8))) for _ in range(5)]
    labels, (cls_id, sep_id) = [draw.randint(0, 9) for _ in words], draw.sample(range(10), 2)
    ids, marks = [cls_id], [IGNORE]
    for word, label in zip(words, labels, strict=True):
        pieces = encode(word)
        ids += pieces
        marks += [label, *[IGNORE] * (len(pieces) - 1)]
    return (words, labels, encode, cls_id, sep_id), ([*ids, sep_id], [*marks, IGNORE])


@fresh("06.best_span", view=lambda span: tuple(int(place) for place in span), trials=20)
def best_span(draw: Draw) -> Case:
    length = draw.randint(4, 15)
    case = draw.normal(length), draw.normal(length), draw.randint(1, length)
    return case, BestSpan.solve(*case)


@fresh("06.f1", view=float, trials=20)
def f1(draw: Draw) -> Case:
    words = ["the", "a", "old", "Mill", "mill", "river,", "Aire", "1912", "Bell.", "tower"]
    said, true = (" ".join(["Ada", *draw.choices(words, k=draw.randint(1, 6))]) for _ in range(2))
    return (said, true), Score.solve(said, true)


@fresh("06.find_the_bug")
def classify(draw: Draw) -> Case:
    rows, length, dim = draw.randint(2, 5), draw.randint(3, 8), draw.randint(3, 9)
    hidden, weight = draw.normal(rows, length, dim), draw.normal(dim, 3)
    mask = (torch.arange(length) < draw.integers(1, length + 1, rows)[:, None]).long()
    real = mask[..., None].float()
    return (hidden, mask, weight), (hidden * real).sum(1) / real.sum(1) @ weight
