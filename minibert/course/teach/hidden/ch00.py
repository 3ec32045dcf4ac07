"""Hidden tests of chapter 00."""

import math
from collections.abc import Callable
from typing import Any

from minibert.course.learn.exercises.ngram_model import wrong_model
from minibert.course.learn.exercises.ngrams import grams, table_of, witten_bell
from minibert.course.teach.hidden import Case, Draw, fresh, hidden


@fresh("00.entropy")
def entropy(draw: Draw) -> Case:
    p = draw.normal(draw.randint(3, 9)).softmax(0)
    return (p,), -(p * p.log()).sum()


@fresh("00.perplexity")
def perplexity(draw: Draw) -> Case:
    surprises = [-math.log(draw.uniform(0.02, 0.98)) for _ in range(draw.randint(3, 9))]
    return (surprises,), math.exp(math.fsum(surprises) / len(surprises))


def words(draw: Draw, most: int = 30) -> list[str]:
    """A text of a few different words."""
    return draw.choices(["the", "cat", "dog", "saw", "and", "<eod>"], k=draw.randint(4, most))


@fresh("00.count", view=lambda table: sorted((h, sorted(a.items())) for h, a in table.items()))
def count(draw: Draw) -> Case:
    tokens, n = words(draw), draw.randint(1, 5)
    return (tokens, n), table_of(grams(tokens, n))


@fresh("00.interpolate")
def interpolate(draw: Draw) -> Case:
    total = draw.randint(5, 50)
    together, different = draw.randint(0, total), draw.randint(1, total)
    shorter = draw.uniform(0.001, 0.4)
    wanted = (together + different * shorter) / (total + different)
    return (together, total, different, shorter), wanted


@fresh("00.probability")
def probability(draw: Draw) -> Case:
    tokens, most = words(draw), draw.randint(1, 5)
    tables = [table_of(grams(tokens, n)) for n in range(1, most + 1)]
    history = tuple(draw.choices(tokens, k=most - 1 + draw.randint(0, 2)))
    asked = draw.choice([*tokens, "new"]), history, tables, draw.randint(7, 50)
    return asked, witten_bell(*asked)


@hidden("00.model")
def model(draw: Draw, asked: Callable[..., Any]) -> bool:
    tokens, known = words(draw), ["the", "cat", "dog", "saw", "and", "<eod>", "<new>"]
    draw.shuffle(known)
    return wrong_model(asked, tokens, draw.randint(1, 4), known) is None


@fresh("00.find_the_bug")
def evaluate(draw: Draw) -> Case:
    counts = draw.sample(range(1, 60), draw.randint(2, 6))
    batches = [(draw.uniform(0.2, 4) * count, count) for count in counts]
    return (batches,), math.exp(math.fsum(loss for loss, _ in batches) / sum(counts))
