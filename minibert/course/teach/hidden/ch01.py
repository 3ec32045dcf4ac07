"""Hidden tests of chapter 01."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from minibert.course.learn.compare import same
from minibert.course.learn.exercises.word2vec_pairs import Pairs
from minibert.course.learn.exercises.word2vec_training import Loss
from minibert.course.learn.exercises.word2vec_training_loop import run, snapshots_wrong
from minibert.course.learn.exercises.word2vec_vectors import Analogy
from minibert.course.teach.hidden import Case, Draw, fresh, hidden


def answered(found: Any) -> Any:
    """The answer, of what `kept` gives, or what was wanted."""
    return found[0] if isinstance(found, tuple) else found


@fresh("01.pairs", view=lambda pairs: sorted(tuple(pair) for pair in pairs))
def pairs(draw: Draw) -> Case:
    tokens = [f"w{draw.randint(0, 8)}" for _ in range(draw.randint(6, 15))]
    window = draw.randint(1, 5)
    return (tokens, window), list(Pairs.pairs(tokens, window).elements())


@fresh("01.sgns_loss", view=lambda found: found["loss"] if isinstance(found, dict) else found)
def loss(draw: Draw) -> Case:
    batch, dim = draw.randint(2, 5), draw.randint(3, 8)
    centre, context = draw.normal(batch, dim), draw.normal(batch, dim)
    negatives = draw.normal(batch, draw.randint(2, 7), dim)
    return (centre, context, negatives), Loss.values(centre, context, negatives)[0]


@fresh("01.noise", view=answered)
def noise(draw: Draw) -> Case:
    counts, power = draw.integers(1, 300, draw.randint(3, 9)), draw.choice([0.5, 0.75, 0.9])
    weights = counts.float() ** power
    return (counts, power), weights / weights.sum()


@fresh("01.subsample", view=answered)
def subsample(draw: Draw) -> Case:
    share, t = draw.uniform_tensor(6) / 20 + 1e-5, draw.choice([1e-2, 1e-3, 1e-4])
    return (share, t), (t / share).sqrt().clamp(max=1)


@hidden("01.train")
def train(draw: Draw, seen: Callable[..., Any]) -> bool:
    count, dim = draw.randint(3, 6), draw.randint(3, 7)  # two batches of alike pairs, three epochs
    pairs, noise = torch.tensor([[0, 1]] * (2 * count)), torch.tensor([0.0, 0.0, 1.0])
    every = draw.randint(1, 4)
    options = {"dim": dim, "k": 3, "epochs": 3, "batch": count, "rate": 0.05, "every": every}
    found = seen(pairs, noise, options)
    losses, tables = run(found["start"])
    if snapshots_wrong(found, every):
        return False
    return same(found["losses"], losses, 1e-4) and same(found["vectors"], tables[-1], 1e-3)


@fresh("01.neighbours", view=lambda found: [int(row) for row in answered(found)])
def neighbours(draw: Draw) -> Case:
    vectors = draw.normal(25, 4) * (0.5 + 2 * draw.uniform_tensor(25, 1))
    query, k = draw.randint(0, 24), draw.randint(1, 8)
    cosines = F.cosine_similarity(vectors, vectors[[query]], dim=1)
    cosines[query] = -2
    return (vectors, query, k), cosines.topk(k).indices.tolist()


@fresh("01.kinds", view=answered)
def kinds(draw: Draw) -> Case:
    vectors = draw.normal(40, 4) * (0.5 + 2 * draw.uniform_tensor(40, 1))
    rows = torch.tensor(draw.sample(range(40), 40))
    examples, words = [rows[:3], rows[3:4], rows[4:9]], rows[9:]
    unit = F.normalize(vectors, dim=1)
    means = F.normalize(torch.stack([unit[some].mean(0) for some in examples]), dim=1)
    return (vectors, examples, words), (unit[words] @ means.T).argmax(1)


@fresh("01.ppmi", view=answered)
def ppmi(draw: Draw) -> Case:
    X = (draw.uniform_tensor(5, 5) * 9 - 3).clamp(min=0)
    X.fill_diagonal_(1.0)
    expected = X.sum(1, keepdim=True) * X.sum(0, keepdim=True) / X.sum()
    return (X,), (X / expected).clamp(min=1).log()


@fresh("01.text_vector", view=answered)
def text_vector(draw: Draw) -> Case:
    vectors, ids = draw.normal(12, 5), [draw.randint(0, 11) for _ in range(draw.randint(8, 15))]
    ids += [0, 1, 7]
    return (vectors, ids), torch.stack([vectors[i] for i in ids if i > 1]).mean(0)


@fresh("01.analogy", view=lambda found: int(answered(found)), trials=20)
def analogy(draw: Draw) -> Case:
    vectors = draw.normal(40, 5) * (0.5 + 2 * draw.uniform_tensor(40, 1))
    question = draw.sample(range(40), 3)
    return (vectors, *question), Analogy.solve(vectors, question)


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
