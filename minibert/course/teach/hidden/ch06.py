"""Hidden tests of chapter 06."""

from typing import Any

import torch

from minibert.course.learn.exercises.ch06_none import NoAnswer
from minibert.course.learn.exercises.ch06_rate import rate_at
from minibert.course.learn.exercises.ch06_score import Score
from minibert.course.learn.exercises.ch06_spans import BestSpan, SpanLoss
from minibert.course.learn.exercises.ch06_train import FineTune
from minibert.course.learn.exercises.ch06_words import Align, Names
from minibert.course.teach.hidden import Case, Draw, fresh


def value_of(found: Any) -> Any:
    """What an answer gave, out of what its exercise has seen of it."""
    if isinstance(found, dict):
        return found["loss"]
    fits = isinstance(found, tuple | list) and len(found) == 2 and isinstance(found[1], bool)
    return found[0] if fits else found


def lists(found: Any) -> list[list[int]]:
    """Parts as lists of plain numbers."""
    return [[int(value) for value in part] for part in value_of(found)]


def places(found: Any) -> Any:
    """A pair of whole numbers, or None."""
    span = value_of(found)
    return span if span is None else tuple(int(place) for place in span)


@fresh("06.rate", view=float, trials=20)
def rate(draw: Draw) -> Case:
    steps, top = draw.randint(5, 300), draw.choice([3e-4, 0.02, 1.5])
    case = draw.randint(0, steps - 1), steps, top
    return case, rate_at(*case)


def losses_and_weights(found: Any) -> tuple:
    """Without the last part, whether the batches were kept."""
    losses, *weights = found
    return [float(x) for x in losses], *weights[:2]


@fresh("06.fine_tune", view=losses_and_weights)
def fine_tune(draw: Draw) -> Case:
    case = draw.randint(10, 10_000), draw.choice([0.01, 0.05, 0.2]), draw.randint(2, 4)
    return case, FineTune.variant(*case)


@fresh("06.align", view=lists)
def align(draw: Draw) -> Case:
    size = draw.randint(2, 3)

    def encode(word: str) -> list[int]:
        return [10 + ord(word[i]) for i in range(0, len(word), size)]

    words = ["".join(draw.choices("abcdef", k=draw.randint(1, 8))) for _ in range(5)]
    words.append(words[0])
    labels, (cls_id, sep_id) = [draw.randint(0, 9) for _ in words], draw.sample(range(10), 2)
    case = words, labels, encode, cls_id, sep_id
    return case, Align.solve(*case)


@fresh("06.names", view=lambda found: {tuple(one) for one in value_of(found)}, trials=20)
def names(draw: Draw) -> Case:
    labels = draw.choices(
        ["O", "B-PER", "I-PER", "B-creative-work", "I-creative-work"], k=draw.randint(0, 12)
    )
    return (labels,), Names.solve(labels)


@fresh("06.pair", view=lists)
def pair(draw: Draw) -> Case:
    first = draw.sample(range(10, 99), draw.randint(1, 6))
    second = draw.sample(range(10, 99), draw.randint(1, 6))
    cls_id, sep_id = draw.sample(range(10), 2)
    ids = [cls_id, *first, sep_id, *second, sep_id]
    kinds = [int(i > len(first) + 1) for i in range(len(ids))]
    return (first, second, cls_id, sep_id), (ids, kinds)


@fresh("06.span_loss", view=value_of)
def span_loss(draw: Draw) -> Case:
    rows, length, dim = draw.randint(2, 4), draw.randint(4, 9), draw.randint(3, 6)
    sizes = draw.integers(2, length + 1, rows)
    states, mask = draw.normal(rows, length, dim), (torch.arange(length) < sizes[:, None]).long()
    first, last = (draw.integers(0, 2, rows) for _ in range(2))
    case = states, mask, draw.normal(dim), draw.normal(dim), first, last
    return case, SpanLoss.solve(*case)


@fresh("06.best_span", view=places, trials=20)
def best_span(draw: Draw) -> Case:
    length, low = draw.randint(4, 15), draw.choice([0, 5])
    case = draw.normal(length) - low, draw.normal(length) - low, draw.randint(1, length)
    return case, BestSpan.solve(*case)


@fresh("06.no_answer", view=places, trials=20)
def no_answer(draw: Draw) -> Case:
    length, passage = draw.randint(8, 15), draw.randint(3, 5)
    scores = 2 * draw.normal(length), 2 * draw.normal(length)
    case = *scores, passage, draw.randint(1, 5), draw.choice([0.0, 1.5, -1.5])
    return case, NoAnswer.solve(*case)


@fresh("06.f1", view=float, trials=20)
def f1(draw: Draw) -> Case:
    words = ["the", "a", "old", "Mill", "mill", "river,", "Aire", "1912", "Bell.", "tower"]
    said, true = (" ".join(draw.choices(words, k=draw.randint(0, 6))) for _ in range(2))
    return (said, true), Score.solve(said, true)


@fresh("06.find_the_bug", view=value_of)
def classify(draw: Draw) -> Case:
    rows, length, dim = draw.randint(2, 5), draw.randint(3, 8), draw.randint(3, 9)
    hidden, weight = draw.normal(rows, length, dim), draw.normal(dim, 3)
    mask = (torch.arange(length) < draw.integers(1, length + 1, rows)[:, None]).long()
    real = mask[..., None].float()
    return (hidden, mask, weight), (hidden * real).sum(1) / real.sum(1) @ weight
