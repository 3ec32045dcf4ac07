"""Hidden tests of chapter 01."""

import torch
from torch import nn

from minibert.course.compare import same
from minibert.course.exercises.ch01 import Analogy, Pairs
from minibert.course.hidden import fresh, hidden


@fresh("01.pairs", view=lambda pairs: sorted(tuple(pair) for pair in pairs))
def pairs(draw):
    tokens = [f"w{i}" for i in draw.sample(range(1000), draw.randint(6, 15))]
    window = draw.randint(1, 5)
    return (tokens, window), Pairs.pairs(tokens, window)


@fresh("01.sgns_loss")
def loss(draw):
    dim = draw.randint(3, 8)
    centre, context = draw.normal(2, dim)
    negatives = draw.normal(draw.randint(2, 7), dim)
    log_sigmoid = nn.functional.logsigmoid
    wanted = -log_sigmoid(centre @ context) - log_sigmoid(-negatives @ centre).sum()
    return (centre, context, negatives), wanted


@fresh("01.noise")
def noise(draw):
    counts, power = draw.integers(1, 300, draw.randint(3, 9)), draw.choice([0.5, 0.75, 0.9])
    weights = counts.float() ** power
    return (counts, power), weights / weights.sum()


@fresh("01.subsample")
def subsample(draw):
    share, t = draw.uniform_tensor(6) / 20 + 1e-5, draw.choice([1e-2, 1e-3, 1e-4])
    return (share, t), (t / share).sqrt().clamp(max=1)


@fresh("01.analogy", view=int, trials=20)
def analogy(draw):
    vectors = draw.normal(40, 5) * (0.5 + 2 * draw.uniform_tensor(40, 1))
    question = draw.sample(range(40), 3)
    return (vectors, *question), Analogy.solve(vectors, *question)


@hidden("01.find_the_bug")
def tuned(draw, classifier):
    vectors, labels = draw.normal(draw.randint(8, 15), draw.randint(3, 6)), draw.randint(2, 4)
    model = classifier(vectors.clone(), labels)
    ids = draw.integers(0, len(vectors), 3, 2)
    (table,) = (p for p in model.parameters() if p.shape == vectors.shape)
    (output,) = (module for module in model.modules() if isinstance(module, nn.Linear))
    logits = model(ids)
    if not same(logits, output(vectors[ids].mean(1))):
        return False
    nn.functional.cross_entropy(logits, torch.zeros(3, dtype=torch.long)).backward()
    moved = table.grad.abs().sum(1) > 0
    return set(moved.nonzero().flatten().tolist()) == set(ids.flatten().tolist())
