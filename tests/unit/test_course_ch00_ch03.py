"""The checks of chapters 00 to 03: right answers pass, known mistakes are called by their names."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minibert.course.learn.exercise import Right, Wrong, find


def locked(x, p, length=1, scale=True):
    mask = (torch.rand(len(x), length, x.shape[-1]) >= p).float()
    return x * (mask / (1 - p) if scale else mask)


class WeightDrop(nn.Module):
    def __init__(self, lstm, p):
        super().__init__()
        self.lstm, self.p = lstm, p

    def forward(self, x):
        dropped = F.dropout(self.lstm.weight_hh_l0, self.p, self.training)
        return torch.func.functional_call(self.lstm, {"weight_hh_l0": dropped}, (x,))


class AlwaysDrops(WeightDrop):
    def forward(self, x):
        dropped = F.dropout(self.lstm.weight_hh_l0, self.p)
        return torch.func.functional_call(self.lstm, {"weight_hh_l0": dropped}, (x,))


def penalty(dropped, raw, alpha, beta):
    return alpha * dropped.square().mean() + beta * raw.diff(dim=1).square().mean()


def triangle(t, steps, highest, cut=0.1, ratio=32):
    top = math.floor(steps * cut)
    p = t / top if t < top else 1 - (t - top) / (top * (1 / cut - 1))
    return highest * (1 + p * (ratio - 1)) / ratio


def pool(hidden, mask):
    lengths, padding = mask.sum(1).long(), mask[..., None] == 0
    last = hidden[torch.arange(len(hidden)), lengths - 1]
    most = hidden.masked_fill(padding, -torch.inf).amax(1)
    return torch.cat([last, most, hidden.masked_fill(padding, 0).sum(1) / lengths[:, None]], 1)


RIGHT = {
    "03.locked": locked,
    "03.penalty": penalty,
    "03.rates": lambda n, rate, factor=2.6: [rate / factor**k for k in range(n)][::-1],
    "03.triangle": triangle,
    "03.pool": pool,
    "03.find_the_bug": WeightDrop,
}
MISTAKES = [
    ("03.locked", lambda x, p: locked(x, p, length=x.shape[1]), "from place to place"),
    ("03.locked", lambda x, p: locked(x, p, scale=False), "divide them by 1 - p"),
    ("03.locked", lambda x, p: locked(x, 1 - p), "swapped"),
    ("03.penalty", lambda d, h, a, b: penalty(d, h, b, a), "swapped"),
    ("03.penalty", lambda d, h, a, b: penalty(h, d, a, b), "two states are swapped"),
    ("03.rates", lambda n, rate, factor=2.6: [rate / factor**k for k in range(n)], "turned round"),
    ("03.triangle", lambda *a: triangle(*a[:2], 1.0, *a[3:]), "highest rate"),
    ("03.pool", lambda h, mask: torch.cat([h[:, -1], h.amax(1), h.mean(1)], 1), "not used"),
    ("03.find_the_bug", AlwaysDrops, "eval mode"),
]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_is_right(name):
    exercise = find(name)
    answers = exercise.as_functions(RIGHT[name])
    assert not exercise.untouched(*answers)
    verdict = exercise.check(*answers)
    assert isinstance(verdict, Right), verdict


@pytest.mark.parametrize(("name", "answer", "message"), MISTAKES)
def test_a_mistake_is_named(name, answer, message):
    exercise = find(name)
    verdict = exercise.check(*exercise.as_functions(answer))
    assert isinstance(verdict, Wrong) and message in verdict.message, verdict
    assert verdict.points < find(name).points


@pytest.mark.parametrize("name", ["00.find_the_bug"])
def test_the_broken_version_counts_as_untouched(name):
    broken = {
        "00.find_the_bug": lambda b: sum(math.exp(loss / n) for loss, n in b) / len(b),
    }
    assert find(name).untouched(broken[name])
