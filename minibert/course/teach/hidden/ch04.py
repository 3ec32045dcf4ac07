"""Hidden tests of chapter 04."""

from collections.abc import Callable
from typing import Any

import torch

from minibert.course.learn.exercises.ch04 import (
    Attention,
    FindTheBug,
    Greedy,
    Lookup,
    Mask,
    MultiHead,
    Reader,
    Sinusoids,
    SplitHeads,
)
from minibert.course.teach.hidden import Case, Draw, alike, fresh, hidden


@hidden("04.attention")
def attention(draw: Draw, attention: Callable[..., Any], slopes: Callable[..., Any]) -> bool:
    for _ in range(5):
        length, dim = draw.randint(2, 6), draw.randint(3, 20)
        query, key = 2 * draw.normal(2, length, dim), draw.normal(2, length, dim)
        value = draw.normal(2, length, draw.randint(2, 5))
        mask = torch.ones(length, length, dtype=torch.bool).tril()
        for given in ((query[0], key[0], value[0]), (query, key, value, mask)):
            if not alike(attention(*given), Attention.solve(*given)):
                return False
    return all(slopes(query, key, value, mask))


@hidden("04.lookup")
def lookup(draw: Draw, run: Callable[..., Any]) -> bool:
    case = Lookup.case(
        draw.getrandbits(32), draw.randint(2, 4), draw.randint(2, 7), draw.randint(3, 9)
    )
    got, lost = run(*case)
    return alike(got, Lookup.solve(*case)) and not lost


@fresh("04.mask")
def mask(draw: Draw) -> Case:
    rows, length = draw.randint(2, 4), draw.randint(3, 8)
    attention_mask = (torch.arange(length) < draw.integers(1, length + 1, rows)[:, None]).long()
    return (attention_mask,), Mask.solve(attention_mask)


@hidden("04.split_heads")
def split_heads(draw: Draw, split: Callable[..., Any], slopes: Callable[..., Any]) -> bool:
    for _ in range(5):
        heads, head = draw.randint(2, 5), draw.randint(2, 5)
        x = draw.normal(draw.randint(1, 4), draw.randint(3, 7), heads * head)
        if not alike(split(x, heads), SplitHeads.solve(x, heads)):
            return False
    return slopes(x, heads) == [True]


@hidden("04.multi_head")
def multi_head(draw: Draw, run: Callable[..., Any]) -> bool:
    length = draw.randint(2, 6)
    case = MultiHead.case(
        draw.getrandbits(32),
        draw.randint(1, 3),
        length,
        heads=draw.randint(2, 4),
        head=draw.randint(2, 4),
    )
    weights, heads, x = case
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return all(
        alike(run(case, mask)[0], MultiHead.solve(weights, heads, x, mask))
        for mask in (None, causal, causal.expand(len(x), 1, length, length))
    )


@fresh("04.sinusoids")
def sinusoids(draw: Draw) -> Case:
    length, dim = draw.randint(3, 20), 2 * draw.randint(1, 8)
    return (length, dim), Sinusoids.solve(length, dim)


@hidden("04.look_back")
def look_back(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(5):
        steps, dim = draw.randint(1, 6), 2 * draw.randint(1, 8)
        marks = Sinusoids.solve(40, dim)
        turned = marks @ answer(steps, dim).float()
        if not torch.allclose(turned[steps:], marks[:-steps], atol=5e-3):
            return False
    return True


@hidden("04.find_the_bug")
def block(draw: Draw, output: Callable[..., Any]) -> bool:
    dim = draw.randint(3, 12)
    made, x = FindTheBug.made(dim, draw.getrandbits(32)), 3 * draw.normal(2, 4, dim) + 1
    got, behind = output(*FindTheBug.given(made), x)
    return alike(got, FindTheBug.solve(made, x)) and not behind


@hidden("04.reader")
def reader(draw: Draw, run: Callable[..., Any]) -> bool:
    for causal in (False, True):
        dim, length = 4 * draw.randint(1, 4), draw.randint(4, 8)
        case = Reader.case(draw.getrandbits(32), causal=causal, dim=dim, length=length, pad=True)
        labels = draw.integers(0, 2, 3)
        found, want = run("loss", case, labels), Reader.solve(*case)
        total = torch.nn.functional.cross_entropy(want, labels, reduction="sum")
        if not alike(found["logits"], want) or not alike(found["loss"], (total, 3)):
            return False
    return True


@hidden("04.greedy")
def greedy(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(5):
        words = [draw.randint(3, 6) for _ in range(draw.randint(2, 9))]
        start = draw.randint(0, 1)
        next_scores = Greedy.writer([*words, 2], shift=draw.uniform(-3, 3), start=start)
        for steps in (20, draw.randint(1, len(words))):
            if list(answer(next_scores, start, 2, steps)) != words[:steps]:
                return False
    return True
