"""The experiments of chapter 00: what pre-training brings, and models against the exact floor.

``transfer``: the kind of a text from few labels, by logistic regression on the vectors of the
bundled GPT, of the same network without its training, and on counts of words (there, naive Bayes
is tried, too). Each seed draws its own texts and labels. Strength of the regularisation, layer
and method are chosen on the validation texts, and accuracy is measured on the test texts.

``ngrams`` and ``lstm``: nats per token of held-out text. Each seed draws its own training text (a
prefix of it for the smaller amounts) and test text. All models are charged for the same cased
text, divided by the world's tokens.
"""

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from torch.nn.utils.rnn import pad_sequence

import minibert as mb
from minibert.models import baselines

CONFIG = {
    "ngrams": {
        "tokens": [10_000, 30_000, 100_000, 300_000, 1_000_000],
        "orders": [1, 2, 3, 4, 5],
        "test": 30_000,
    },
    "transfer": {
        "labels": [20, 50, 100, 500],
        "valid": 300,
        "test": 500,
        "model": "minibert-gpt",
        "strengths": [1, 10, 100],
        "smoothing": [0.1, 1],
    },
    "lstm": {"tokens": 100_000, "orders": [1, 2, 3, 4, 5], "test": 30_000, "dim": 128, "epochs": 3},
}
SMOKE = {
    "ngrams": {"tokens": [5_000, 10_000], "test": 5_000},
    "transfer": {"labels": [20, 50], "valid": 50, "test": 50},
    "lstm": {"tokens": 5_000, "test": 5_000, "dim": 32, "epochs": 1},
}


def ngrams(seed, config):
    """Nats per token of held-out text by order, and by amount of training text."""
    test, every = texts(seed, max(config["tokens"]), config["test"])
    stream, measured = list(test.tokens()), {"floor": test.floor, "zero": 0.0}
    curves = {order: [] for order in config["orders"]}
    for amount in config["tokens"]:
        costs = counted(every[:amount], stream, config["orders"])
        for order, cost in costs.items():
            curves[order].append(float(cost.mean()))
    measured["above"] = float(min(differences(cost, test).mean() for cost in costs.values()))
    for order, curve in curves.items():
        measured |= {f"order{order}": curve}
        measured |= {f"order{order}_least": curve[0], f"order{order}_most": curve[-1]}
    return measured


def lstm(seed, config):
    """Nats per token of held-out text, of an LSTM and of n-grams that read the same text."""
    test, tokens = texts(seed, config["tokens"], config["test"])
    stream, vocab = list(test.tokens()), baselines.vocabulary(tokens)
    settings = {"dim": config["dim"], "epochs": config["epochs"], "seed": seed, "progress": False}
    model, _ = baselines.train_lstm(baselines.encode(tokens, vocab), len(vocab), **settings)
    costs = counted(tokens, stream, config["orders"])
    measured = {f"order{order}": float(cost.mean()) for order, cost in costs.items()}
    measured["lstm"] = float(baselines.costs(model, stream, vocab).mean())
    return measured | {"floor": test.floor}


def texts(seed, tokens, test):
    """The test corpus of a seed, and its training text as tokens."""
    train = mb.world.generate(tokens=tokens, seed=1000 + seed)
    return mb.world.generate(tokens=test, seed=2000 + seed), list(train.tokens())[:tokens]


def counted(tokens, stream, orders):
    """Order -> what each token of ``stream`` costs an n-gram model of ``tokens``, nats."""
    vocab = baselines.vocabulary(tokens)
    ids, size = baselines.encode(tokens, vocab), len(vocab)
    models = {order: baselines.NGram(ids, size, order) for order in orders}
    return {order: baselines.costs(model, stream, vocab) for order, model in models.items()}


def differences(cost, corpus):
    """What each document costs above the world's own probability, nats (documents,)."""
    ends = np.cumsum([document.n for document in corpus.documents])
    paid = np.diff(np.cumsum(cost)[ends - 1], prepend=0)
    return paid + np.array([document.log_prob for document in corpus.documents])


def transfer(seed, config):
    """Accuracy on test texts by number of labels: pre-trained, untrained, counts of words."""
    task = mb.world.task("topic", seed=seed)
    sizes = max(config["labels"]), config["valid"], config["test"]
    splits = [part[:n] for part, n in zip((task.train, task.valid, task.test), sizes, strict=True)]
    y = [np.array([example.label for example in part]) for part in splits]
    written = [[example.text for example in part] for part in splits]
    ways, measured = represented(written, seed, config), {"chance": majority(y[2])}
    for way, tried in ways.items():
        curve = [best(tried, y, labels) for labels in config["labels"]]
        measured[way] = curve
        pairs = zip(config["labels"], curve, strict=True)
        measured |= {f"{way}_{labels}": accuracy for labels, accuracy in pairs}
    return measured


def represented(written, seed, config):
    """Way -> (features of each split, classifier) pairs to choose from."""
    words = CountVectorizer(tokenizer=mb.text.tokenise, token_pattern=None, lowercase=False)
    words.fit(written[0])
    counts = [words.transform(texts) for texts in written]
    linear = [LogisticRegression(C=c, max_iter=300) for c in config["strengths"]]
    bayes = [MultinomialNB(alpha=alpha) for alpha in config["smoothing"]]
    gpt = mb.GPT.from_pretrained(config["model"]).eval()
    torch.manual_seed(seed)
    ways = {"counts": [(counts, classifier) for classifier in linear + bayes]}
    for way, model in {"pre_trained": gpt, "untrained": mb.GPT(gpt.config).eval()}.items():
        layers = zip(*[averages(model, gpt.tokenizer, texts) for texts in written], strict=True)
        ways[way] = [(splits, classifier) for splits in layers for classifier in linear]
    return ways


@torch.no_grad()
def averages(model, tokenizer, texts, size=50):
    """The mean of each text's last two layers of vectors: two arrays (texts, dim)."""
    found = []
    for at in range(0, len(texts), size):
        rows = [torch.tensor(tokenizer.encode(text)) for text in texts[at : at + size]]
        mask = pad_sequence([torch.ones(len(row)) for row in rows], batch_first=True)
        states = model(pad_sequence(rows, batch_first=True), attention_mask=mask).hidden_states
        weights = (mask / mask.sum(1, keepdim=True))[..., None]
        found.append(torch.stack([(layer * weights).sum(1) for layer in states[-2:]]))
    return torch.cat(found, 1).numpy()


def best(tried, y, labels):
    """Test accuracy of what is most often right on the validation texts."""
    scores = []
    for (train, valid, test), classifier in tried:
        classifier.fit(train[:labels], y[0][:labels])
        scores.append((classifier.score(valid, y[1]), classifier.score(test, y[2])))
    return float(max(scores, key=lambda score: score[0])[1])


def majority(labels):
    """Accuracy of always giving the commonest answer."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))
