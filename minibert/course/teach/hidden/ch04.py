"""Hidden tests of chapter 04."""

from collections.abc import Callable
from typing import Any

import torch

from minibert.course.learn.exercises.ch04 import Attention, FindTheBug, Mask, Sinusoids
from minibert.course.teach.hidden import Case, Draw, alike, fresh, hidden


@fresh("04.attention")
def attention(draw: Draw) -> Case:
    length, keys, dim = draw.randint(2, 6), draw.randint(2, 6), draw.randint(3, 20)
    query, key = 2 * draw.normal(length, dim), draw.normal(keys, dim)
    value = draw.normal(keys, draw.randint(2, 5))
    return (query, key, value), Attention.solve(query, key, value)


@fresh("04.mask")
def mask(draw: Draw) -> Case:
    rows, length = draw.randint(2, 4), draw.randint(3, 8)
    attention_mask = (torch.arange(length) < draw.integers(1, length + 1, rows)[:, None]).long()
    return (attention_mask,), Mask.solve(attention_mask)


@fresh("04.split_heads")
def split_heads(draw: Draw) -> Case:
    heads, head = draw.randint(2, 5), draw.randint(2, 5)
    x = draw.normal(draw.randint(1, 4), draw.randint(3, 7), heads * head)
    return (x, heads), x.view(*x.shape[:2], heads, head).transpose(1, 2)


@fresh("04.sinusoids")
def sinusoids(draw: Draw) -> Case:
    length, dim = draw.randint(3, 20), 2 * draw.randint(1, 8)
    angle = torch.arange(length)[:, None] * 10_000 ** (-torch.arange(0, dim, 2) / dim)
    return (length, dim), Sinusoids.woven(angle.sin(), angle.cos())


@hidden("04.find_the_bug")
def block(draw: Draw, output: Callable[..., Any]) -> bool:
    dim = draw.randint(3, 12)
    made, x = FindTheBug.made(dim, draw.getrandbits(32)), 3 * draw.normal(2, 4, dim) + 1
    half = x + made.attend(made.norm_1(x))
    return alike(output(*FindTheBug.given(made), x), half + made.feed(made.norm_2(half)))
