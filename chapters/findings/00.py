"""The experiment of chapter 00: a unigram, a trigram and an LSTM against the exact floor.

Each seed draws its own training text (a prefix of it for the smaller amounts), its own test text
and the LSTM's first weights. All models are charged for the same cased test text, divided by the
world's tokens.
"""

import numpy as np

import minibert as mb
from minibert.models import baselines

CONFIG = {
    "models": {
        "tokens": [30_000, 100_000],
        "test": 30_000,
        "dim": 128,
        "read": 300_000,  # tokens that the LSTM reads in all, unless one epoch is more
    }
}
SMOKE = {"models": {"tokens": [5_000, 10_000], "test": 5_000, "dim": 32, "read": 10_000}}


def models(seed, config):
    """Nats a token of held-out text by model and amount of training text."""
    test = mb.world.generate(tokens=config["test"], seed=2000 + seed)
    stream, curves = list(test.tokens()), {"unigram": [], "trigram": [], "lstm": []}
    text = mb.world.generate(tokens=max(config["tokens"]), seed=1000 + seed)
    every = list(text.tokens())
    for amount in config["tokens"]:
        tokens = every[:amount]
        vocab = baselines.vocabulary(tokens)
        costs = {
            name: baselines.costs(model, stream, vocab)
            for name, model in trained(tokens, vocab, seed, config).items()
        }
        for name, cost in costs.items():
            curves[name].append(float(cost.mean()))
    above = min(differences(cost, test).mean() for cost in costs.values())
    measured = {"floor": test.floor, "best_above": float(above), "zero": 0.0}
    for name, curve in curves.items():
        measured |= {name: curve, f"{name}_least": curve[0], f"{name}_most": curve[-1]}
    return measured


def trained(tokens, vocab, seed, config):
    """The three models, trained on a stream of tokens."""
    ids, size = baselines.encode(tokens, vocab), len(vocab)
    epochs = max(1, config["read"] // len(ids))
    settings = {"dim": config["dim"], "epochs": epochs, "seed": seed, "progress": False}
    return {
        "unigram": baselines.NGram(ids, size, order=1),
        "trigram": baselines.NGram(ids, size, order=3),
        "lstm": baselines.train_lstm(ids, size, **settings)[0],
    }


def differences(cost, corpus):
    """What each document costs above the world's own probability, nats (documents,)."""
    ends = np.cumsum([document.n for document in corpus.documents])
    paid = np.diff(np.cumsum(cost)[ends - 1], prepend=0)
    return paid + np.array([document.log_prob for document in corpus.documents])
