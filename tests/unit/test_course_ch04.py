"""The checks of chapter 04: right answers pass, and known mistakes are called by their names."""

import math

import pytest
import torch
from torch import nn

from minibert.course.learn.exercise import Right, Wrong, find

CAUSAL = torch.ones(4, 4, dtype=torch.bool).tril()


def attention(query, key, value):
    return (query @ key.T / math.sqrt(key.shape[-1])).softmax(-1) @ value


class Good(nn.Module):
    def __init__(self, dim, attend, feed):
        super().__init__()
        self.attend, self.feed = attend, feed
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x):
        x = x + self.attend(self.norm_1(x))
        return x + self.feed(self.norm_2(x))


class Broken(Good):
    def forward(self, x):
        x = self.norm_1(x)
        x = x + self.attend(x)
        x = self.norm_2(x)
        return x + self.feed(x)


class HalfMended(Good):
    def forward(self, x):
        x = x + self.attend(self.norm_1(x))
        x = self.norm_2(x)
        return x + self.feed(x)


class Post(Good):
    def forward(self, x):
        x = self.norm_1(x + self.attend(x))
        return self.norm_2(x + self.feed(x))


def clock(length, dim, exponent=1, first=0):
    rate = 10_000 ** (-exponent * torch.arange(0, dim, 2) / dim)
    angle = torch.arange(first, first + length)[:, None] * rate
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(1)


def by_columns(length, dim, exponent=1):
    """A rate of its own for each column, not for each pair."""
    angle = torch.arange(length)[:, None] * 10_000 ** (-exponent * torch.arange(dim) / dim)
    return torch.where(torch.arange(dim) % 2 == 0, angle.sin(), angle.cos())


def both(mask):
    return mask.bool()[:, None, :] & CAUSAL[: mask.shape[1], : mask.shape[1]]


def split(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


RIGHT = {
    "04.attention": attention,
    "04.mask": both,
    "04.split_heads": split,
    "04.sinusoids": clock,
    "04.find_the_bug": Good,
}
MISTAKES = [
    ("04.attention", lambda q, k, v: (q @ k.T).softmax(-1) @ v, "not divided"),
    ("04.attention", lambda q, k, v: (q @ k.T / 8**0.5).softmax(0) @ v, "runs over the queries"),
    ("04.attention", lambda q, k, v: attention(q, k, k), "mix the values"),
    (
        "04.attention",
        lambda q, k, v: (q @ k.T / v.shape[-1] ** 0.5).softmax(-1) @ v,
        "not of a value",
    ),
    ("04.attention", lambda q, k, v: (q @ k.T / 8**0.5).softmax(-1) @ v, "right for four queries"),
    ("04.mask", lambda mask: ~both(mask), "turned round"),
    ("04.mask", lambda mask: both(mask).float(), "boolean"),
    ("04.mask", lambda mask: mask.bool()[:, :, None] & CAUSAL, "columns"),
    ("04.mask", lambda mask: torch.where(both(mask), 0.0, -torch.inf), "added to the scores"),
    ("04.mask", lambda mask: mask.bool()[:, None] & ~CAUSAL, "shows the future"),
    ("04.mask", lambda mask: CAUSAL.expand(len(mask), 4, 4), "padding can still"),
    ("04.mask", lambda mask: mask.bool()[:, None].expand(-1, 4, 4), "the future can still"),
    ("04.split_heads", lambda x, h: x.reshape(len(x), h, x.shape[1], -1), "scrambled"),
    ("04.split_heads", lambda x, h: x.unflatten(-1, (h, -1)), "come before the length"),
    ("04.sinusoids", by_columns, "of the even column"),
    ("04.sinusoids", lambda length, dim: by_columns(length, dim, 2), "counts pairs"),
    ("04.sinusoids", lambda n, dim: clock(n, dim, exponent=0.5), "half as far"),
    ("04.sinusoids", lambda n, dim: clock(n, dim, first=1), "number 0"),
    ("04.find_the_bug", HalfMended, "the second has the same mistake"),
    ("04.find_the_bug", Post, "post-LN"),
]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_is_right(name):
    exercise = find(name)
    answers = exercise.as_functions(RIGHT[name])
    assert not exercise.untouched(*answers)
    assert isinstance(exercise.check(*answers), Right)


@pytest.mark.parametrize(("name", "answer", "message"), MISTAKES)
def test_a_mistake_is_named(name, answer, message):
    exercise = find(name)
    verdict = exercise.check(*exercise.as_functions(answer))
    assert isinstance(verdict, Wrong) and message in verdict.message, verdict
    assert verdict.points < find(name).points


def test_the_broken_block_counts_as_untouched():
    exercise = find("04.find_the_bug")
    assert exercise.untouched(*exercise.as_functions(Broken))
