"""Hidden tests of chapter 02."""

import torch
from torch import nn
from torch.nn import functional as F

from minibert.course.learn.exercises.ch02 import BothWays, Convolve
from minibert.course.teach.hidden import Case, Draw, fresh


@fresh("02.convolve")
def convolve(draw: Draw) -> Case:
    dim = draw.randint(2, 5)
    x, weight = draw.normal(draw.randint(5, 11), dim), draw.normal(draw.randint(2, 4), dim)
    bias = draw.normal(1)[0]
    return (x, weight, bias), Convolve.scores(x, weight, bias).max()


@fresh("02.both_ways", view=lambda parts: [list(part) for part in parts])
def both_ways(draw: Draw) -> Case:
    words = [f"w{i}" for i in draw.sample(range(1000), draw.randint(1, 8))]
    return (words,), BothWays.solve(words)


@fresh("02.mix")
def mix(draw: Draw) -> Case:
    count, gamma = draw.randint(2, 4), draw.uniform(0.3, 3)
    layers, weights = draw.normal(count, draw.randint(2, 6), 5), draw.normal(count)
    shares = torch.softmax(weights, 0)
    return (layers, weights, gamma), gamma * torch.einsum("l,lnd->nd", shares, layers)


@fresh("02.sense", trials=20)
def sense(draw: Draw) -> Case:
    scales = {f"s{i}": draw.choice([0.2, 1.0, 5.0]) for i in draw.sample(range(100), 4)}
    means = {name: scale * draw.normal(5) for name, scale in scales.items()}
    vector = draw.normal(5)
    wanted = max(means, key=lambda name: F.cosine_similarity(vector, means[name], dim=0))
    return (vector, means), wanted


@fresh("02.find_the_bug")
def backward_loss(draw: Draw) -> Case:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw.getrandbits(32))
        lstm, output = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 9)
        vectors, ids = nn.Embedding(9, 6), draw.integers(0, 9, 3, draw.randint(4, 9))
    states = lstm(vectors(ids).flip(1))[0].flip(1)
    logits = output(states[:, 1:])
    wanted = F.cross_entropy(logits.flatten(0, 1), ids[:, :-1].flatten())
    return (lstm, output, vectors, ids), wanted.detach()
