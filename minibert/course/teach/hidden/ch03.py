"""Hidden tests of chapter 03."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from minibert.course.learn.compare import same
from minibert.course.learn.exercises.ch03_gentle import Triangle
from minibert.course.learn.exercises.ch03_parts import built
from minibert.course.learn.exercises.ch03_tune import Tune
from minibert.course.learn.exercises.ch03_windows import read
from minibert.course.teach.hidden import TOLERANCE, Case, Draw, fresh, hidden


def value_of(seen: Any) -> Any:
    """What an answer gave, without what was seen of its gradient."""
    return seen[0] if isinstance(seen, tuple | list) else seen


@hidden("03.locked")
def locked(draw: Draw, answer: Callable[..., Any]) -> bool:
    p = draw.choice([0.15, 0.3, 0.6])
    x = draw.normal(80, draw.randint(3, 7), 60).abs() + 0.5
    factor = value_of(answer(x, p)) / x  # (batch, length, width): 0, or 1 / (1 - p)
    kept = factor != 0
    return (
        same(factor, factor[:, :1].expand_as(factor))
        and same(factor[kept], torch.full_like(factor[kept], 1 / (1 - p)))
        and abs(float(kept.float().mean()) - (1 - p)) < 0.06
        and not same(factor, factor[:1].expand_as(factor))
        and not same(value_of(answer(x, p)) / x, factor)
    )


@fresh("03.penalty", view=value_of)
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
    return (t, steps, highest, cut, ratio), Triangle.rate(t, steps, highest, cut, ratio=ratio)


@fresh("03.count")
def count(draw: Draw) -> Case:
    words = draw.sample(list("abcdefghij"), draw.randint(1, 6))
    texts = [draw.choices("abcdefghij", k=draw.randint(0, 9)) for _ in range(draw.randint(1, 5))]
    return (texts, words), torch.tensor([[float(t.count(word)) for word in words] for t in texts])


@fresh("03.regression", view=value_of)
def regression(draw: Draw) -> Case:
    texts, words, classes = draw.randint(2, 6), draw.randint(1, 5), draw.randint(2, 4)
    x, y = draw.uniform_tensor(texts, words), draw.integers(0, classes, texts)
    weight, bias, penalty = draw.normal(classes, words), draw.normal(classes), draw.uniform(0.1, 5)
    each = -(x @ weight.T + bias).log_softmax(1)[torch.arange(texts), y]
    return (x, y, weight, bias, penalty), each.sum() + penalty / 2 * weight.square().sum()


def error_of(table: dict[float, dict[int, float]], rate: float, seed: int) -> float:
    """What a run with this rate and seed gives."""
    return table[rate][seed]


@hidden("03.best_rate")
def best_rate(draw: Draw, answer: Callable[..., Any]) -> bool:
    for _ in range(5):
        rates = [draw.uniform(0.001, 0.1) for _ in range(draw.randint(2, 6))]
        seeds = draw.sample(range(100), draw.randint(1, 4))
        table = {rate: {seed: draw.random() for seed in seeds} for rate in rates}
        total = {rate: sum(table[rate].values()) for rate in rates}
        best = min(rates, key=total.__getitem__)
        if answer(partial(error_of, table), rates, seeds) != best:
            return False
    return True


@hidden("03.groups")
def groups(draw: Draw, tried: Callable[..., Any]) -> bool:
    for _ in range(5):
        names = [[f"{i} {j}" for j in range(draw.randint(1, 3))] for i in range(draw.randint(2, 6))]
        names[-1].append(names[draw.randrange(len(names) - 1)][0])
        rate, factor = draw.uniform(0.001, 0.1), draw.uniform(1.5, 3)
        got = tried(names, rate, factor)
        if not isinstance(got, list):
            return False
        flat = [name for group in got for name in group["params"]]
        if sorted(flat) != sorted({name for layer in names for name in layer}):
            return False
        for group in got:
            for name in group["params"]:
                depth = len(names) - 1 - min(i for i, layer in enumerate(names) if name in layer)
                if not same(group["lr"], rate / factor**depth, TOLERANCE):
                    return False
    return True


@hidden("03.unfreeze")
def unfreeze(draw: Draw, tried: Callable[..., Any]) -> bool:
    for _ in range(5):
        sizes = [draw.randint(1, 3) for _ in range(draw.randint(1, 6))]
        every, steps = draw.randint(1, 9), [draw.randrange(60) for _ in range(6)]
        n = len(sizes)
        for step, seen in zip(steps, tried(sizes, steps, every)[0], strict=True):
            awake = min(n, 1 + step // every)
            if seen != [[i >= n - awake] * size for i, size in enumerate(sizes)]:
                return False
    return True


@hidden("03.tune")
def tune(draw: Draw, tried: Callable[..., Any]) -> bool:
    for _ in range(3):
        seed, every = draw.randrange(1000), draw.choice([None, 1, 2, 4, 5])
        given: dict[str, Any] = {
            "rate": draw.uniform(0.05, 0.5),
            "factor": draw.uniform(1.2, 3),
            "every": every,
        }
        losses, seen, free, _ = tried(seed, "SGD", given)
        weights, said = Tune.simulated(seed, **given)
        if not (free and same(seen, weights, TOLERANCE) and same(losses, said, TOLERANCE)):
            return False
    return True


@fresh("03.pool", view=value_of)
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


@hidden("03.classifier")
def classifier(draw: Draw, shown: Callable[..., Any]) -> bool:
    for _ in range(3):
        lengths, window = draw.sample(range(1, 12), draw.randint(2, 4)), draw.randint(2, 6)
        found = shown(lengths, window)
        if found["lacks"] or built(found) or read(found, lengths, window):
            return False
    return True


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
    kept = (raw * reached / (1 - p)).requires_grad_()
    output = functional_call(lstm, {"weight_hh_l0": kept}, (x,))[0]
    output.sum().backward()
    gradient = kept.grad * reached / (1 - p)
    if not (same(last, output, TOLERANCE) and same(found["gradient"], gradient, TOLERANCE)):
        return False
    return found["kept"] and same(found["raw"], raw) and same(found["eval"], lstm(x)[0])
