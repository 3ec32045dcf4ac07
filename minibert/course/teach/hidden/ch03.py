"""Hidden tests of chapter 03."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from minibert.course.learn.compare import same
from minibert.course.teach.hidden import TOLERANCE, Case, Draw, fresh, hidden


@hidden("03.locked")
def locked(draw: Draw, answer: Callable[..., Any]) -> bool:
    p = draw.choice([0.15, 0.3, 0.6])
    x = draw.normal(80, draw.randint(3, 7), 60).abs() + 0.5
    factor = answer(x.clone(), p) / x  # (batch, length, width): 0, or 1 / (1 - p)
    kept = factor != 0
    return (
        same(factor, factor[:, :1].expand_as(factor))
        and same(factor[kept], torch.full_like(factor[kept], 1 / (1 - p)))
        and abs(float(kept.float().mean()) - (1 - p)) < 0.06
        and not same(factor, factor[:1].expand_as(factor))
        and not same(answer(x.clone(), p) / x, factor)
    )


@fresh("03.penalty")
def penalty(draw: Draw) -> Case:
    dropped, raw = draw.normal(2, 3, draw.randint(4, 9), 4)
    alpha, beta = draw.uniform(0.5, 3), draw.uniform(0.5, 3)
    step = raw[:, 1:] - raw[:, :-1]
    wanted = alpha * dropped.square().mean() + beta * step.square().mean()
    return (dropped, raw, alpha, beta), wanted


@fresh("03.triangle", trials=20)
def triangle(draw: Draw) -> Case:
    steps, cut = draw.choice([200, 400, 1000]), draw.choice([0.1, 0.2, 0.25])
    t, highest, ratio = draw.randrange(steps), draw.uniform(0.001, 0.1), draw.choice([16, 32, 50])
    top = math.floor(steps * cut)
    p = t / top if t < top else 1 - (t - top) / (top * (1 / cut - 1))
    return (t, steps, highest, cut, ratio), highest * (1 + p * (ratio - 1)) / ratio


@fresh("03.rates", view=list)
def rates(draw: Draw) -> Case:
    layers, rate, factor = draw.randint(2, 6), draw.uniform(0.001, 0.1), draw.uniform(1.5, 3)
    return (layers, rate, factor), [rate / factor**depth for depth in reversed(range(layers))]


@fresh("03.pool")
def pool(draw: Draw) -> Case:
    rows, length = draw.randint(2, 5), draw.randint(4, 9)
    hidden_states, lengths = draw.normal(rows, length, 4) - 1.5, draw.integers(1, length + 1, rows)
    mask = (torch.arange(length) < lengths[:, None]).long()
    hidden_states[mask == 0] = 0.25
    padding = mask[..., None] == 0
    last = hidden_states[torch.arange(rows), lengths - 1]
    most = hidden_states.masked_fill(padding, -torch.inf).amax(1)
    mean = hidden_states.masked_fill(padding, 0).sum(1) / lengths[:, None]
    return (hidden_states, mask), torch.cat([last, most, mean], 1)


@hidden("03.find_the_bug")
def weight_drop(draw: Draw, seen: Callable[..., Any]) -> bool:
    wide, deep, p = draw.randint(2, 5), draw.randint(12, 20), 0.4
    lstm, x = nn.LSTM(wide, deep, batch_first=True), draw.normal(2, 5, wide)
    weights = {name: draw.normal(*value.shape) / 3 for name, value in lstm.state_dict().items()}
    lstm.load_state_dict(weights)
    found, raw = seen(weights, x, p), weights["weight_hh_l0"]
    first, _, last = found["outputs"]
    reached = found["gradient"] != 0
    if same(first, last) or not 0.3 < reached.float().mean() < 0.9:
        return False
    for scale in (1 / (1 - p), 1):  # the paper's code scales what is left; not to is no mistake
        kept = (raw * reached * scale).requires_grad_()
        output = functional_call(lstm, {"weight_hh_l0": kept}, (x,))[0]
        output.sum().backward()
        gradient = kept.grad * reached * scale
        if same(last, output, TOLERANCE) and same(found["gradient"], gradient, TOLERANCE):
            return found["kept"] and same(found["raw"], raw) and same(found["eval"], lstm(x)[0])
    return False
