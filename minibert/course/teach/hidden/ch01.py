"""Hidden tests of chapter 01."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from minibert.course.learn.compare import same
from minibert.course.learn.exercises.ch01 import Analogy, Pairs
from minibert.course.teach.hidden import Case, Draw, fresh, hidden


@fresh("01.pairs", view=lambda pairs: sorted(tuple(pair) for pair in pairs))
def pairs(draw: Draw) -> Case:
    tokens = [f"w{i}" for i in draw.sample(range(1000), draw.randint(6, 15))]
    window = draw.randint(1, 5)
    return (tokens, window), Pairs.pairs(tokens, window)


@fresh("01.sgns_loss")
def loss(draw: Draw) -> Case:
    dim = draw.randint(3, 8)
    centre, context = draw.normal(2, dim)
    negatives = draw.normal(draw.randint(2, 7), dim)
    log_sigmoid = nn.functional.logsigmoid
    wanted = -log_sigmoid(centre @ context) - log_sigmoid(-negatives @ centre).sum()
    return (centre, context, negatives), wanted


@fresh("01.noise")
def noise(draw: Draw) -> Case:
    counts, power = draw.integers(1, 300, draw.randint(3, 9)), draw.choice([0.5, 0.75, 0.9])
    weights = counts.float() ** power
    return (counts, power), weights / weights.sum()


@fresh("01.subsample")
def subsample(draw: Draw) -> Case:
    share, t = draw.uniform_tensor(6) / 20 + 1e-5, draw.choice([1e-2, 1e-3, 1e-4])
    return (share, t), (t / share).sqrt().clamp(max=1)


@fresh("01.analogy", view=int, trials=20)
def analogy(draw: Draw) -> Case:
    vectors = draw.normal(40, 5) * (0.5 + 2 * draw.uniform_tensor(40, 1))
    question = draw.sample(range(40), 3)
    return (vectors, *question), Analogy.solve(vectors, *question)


@hidden("01.find_the_bug")
def tuned(draw: Draw, seen: Callable[..., Any]) -> bool:
    vectors = draw.normal(draw.randint(8, 15), draw.randint(4, 6))
    ids, targets = draw.integers(0, len(vectors), 3, 2), draw.integers(0, 3, 3)
    found = seen(vectors, ids, targets)
    ((weight, bias),) = found["layers"]
    table, weight = vectors.clone().requires_grad_(), weight.detach()
    logits = nn.functional.linear(table[ids].mean(1), weight, bias)
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(logits, targets), table)
    moved = set(gradient.any(1).nonzero().flatten().tolist())
    if moved != set(ids.flatten().tolist()):  # a layer of zeros would hide what was computed
        return False
    return same(found["logits"], logits) and same(found["gradient"], gradient)
