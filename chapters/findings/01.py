"""The experiments of chapter 01: what word2vec's papers claim, measured on the embedded world.

Every experiment trains on one sample of the world and tests on questions that the settings were
not chosen on. The seed draws the text, the initial vectors and the noise.
"""

from functools import lru_cache

import torch
from torch.nn import functional as F

import minibert as mb
from minibert.models.word2vec import scores as word_scores
from minibert.models.word2vec.fasttext import Pieces
from minibert.models.word2vec.glove import GloVe, cells, cooccurrences

CONFIG = {
    "methods": {"tokens": 300_000, "dim": 64, "epochs": 3},
    "negatives": {"tokens": 300_000, "dim": 64, "epochs": 3, "k": [1, 2, 5, 10, 20]},
    "frequencies": {"tokens": 300_000, "dim": 64, "epochs": 3},
    "homographs": {"tokens": 400_000, "dim": 64, "epochs": 5},
    "subwords": {"tokens": 200_000, "dim": 64, "epochs": 2, "hidden": 100},
    "first_layer": {
        "tokens": 400_000,
        "dim": 64,
        "epochs": 5,
        "labels": [20, 100, 500],
        "steps": 100,
    },
}
SMOKE = {
    "methods": {"tokens": 20_000, "epochs": 1},
    "negatives": {"tokens": 20_000, "epochs": 1, "k": [1, 5]},
    "frequencies": {"tokens": 20_000, "epochs": 1},
    "homographs": {"tokens": 20_000, "epochs": 1},
    "subwords": {"tokens": 20_000, "epochs": 1, "hidden": 10},
    "first_layer": {"tokens": 20_000, "epochs": 1, "labels": [20], "steps": 5},
}


@lru_cache(maxsize=1)
def text(tokens, seed):
    """Lower-case sentences of a sample of the world, and their vocabulary."""
    corpus = mb.world.generate(tokens=tokens, seed=1000 + seed)
    sentences = [[token.lower() for token in sentence] for sentence in corpus.sentences()]
    return corpus, sentences, mb.text.Vocab.train(sentences, min_count=5)


# First learning rates, the best of a few on the validation analogies of seed 7.
RATES = {"negative": 0.1, "cbow": 0.03, "hierarchical": 0.01}


def trained(vocab, sentences, config, seed, **settings):
    """A Word2Vec model after training."""
    mb.seed_everything(seed)
    rate = RATES[settings.get("mode", settings.get("loss", "negative"))]
    settings = mb.Word2VecConfig(vocab_size=len(vocab), dim=config["dim"], **settings)
    model = mb.Word2Vec(settings, vocab)
    mb.models.word2vec.learn(
        model, sentences, epochs=config["epochs"], rate=rate, seed=seed, progress=False
    )
    return model


def analogies(model):
    """Share of analogies answered correctly: the mean over the kinds of question."""
    questions = {}
    for example in mb.world.task("analogies", seed=0).test:
        questions.setdefault(example.info["section"], []).append((*example.tokens, example.label))
    answered = word_scores.analogies(model, questions)
    shares = [answered.right[name] / answered.known[name] for name in questions]
    return sum(shares) / len(shares)


def methods(seed, config):
    """Analogies by model and loss, all on the same text."""
    _, sentences, vocab = text(config["tokens"], seed)

    def score(**settings):
        return analogies(trained(vocab, sentences, config, seed, **settings))

    mb.seed_everything(seed)
    untrained = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=config["dim"]), vocab)
    return {
        "negative": score(),
        "hierarchical": score(loss="hierarchical"),
        "cbow": score(mode="cbow"),
        "glove": analogies(glove(vocab, sentences, config, seed)),
        "untrained": analogies(untrained),
    }


def glove(vocab, sentences, config, seed):
    """GloVe's vectors in a Word2Vec model, so that they can be asked the same questions."""
    mb.seed_everything(seed)
    X = cooccurrences(*vocab.encode_corpus(sentences), len(vocab))
    model = GloVe(len(vocab), config["dim"])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    epochs = 3 * config["epochs"]
    mb.fit(model, cells(X, seed=seed), epochs=epochs, optimizer=optimizer, progress=False)
    found = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=config["dim"]), vocab)
    found.input.weight.data = model.vectors.cpu()
    return found


def negatives(seed, config):
    """Analogies by the number of noise words, on little text."""
    _, sentences, vocab = text(config["tokens"], seed)
    return {
        f"k{k}": analogies(trained(vocab, sentences, config, seed, negatives=k))
        for k in config["k"]
    }


def frequencies(seed, config):
    """Analogies by the exponent of the noise, and with or without subsampling."""
    _, sentences, vocab = text(config["tokens"], seed)
    ways = {
        "three_quarters": {},
        "uniform": {"power": 0.0},
        "unigram": {"power": 1.0},
        "all_words": {"subsample": 0.0},
    }
    return {
        name: analogies(trained(vocab, sentences, config, seed, **settings))
        for name, settings in ways.items()
    }


def homographs(seed, config):
    """Where the vector of a homograph lies when its senses are marked in half of the text."""
    corpus, _, _ = text(config["tokens"], seed)
    sentences = [
        [
            f"{token}#{sense.split('.')[-1]}".lower() if sense and number % 2 else token.lower()
            for token, sense in zip(sentence.tokens, sentence.sense, strict=True)
        ]
        for number, document in enumerate(corpus.documents)
        for sentence in document.sentences
    ]
    vocab = mb.text.Vocab.train(sentences, min_count=5)
    model = trained(vocab, sentences, config, seed)
    unit = F.normalize(model.vectors, dim=1)
    to_senses, between, places, shares = [], [], [], []
    for word, (n1, first), (n2, second) in marked(vocab, least=10 if config["epochs"] > 1 else 1):
        v, one, two = unit[[vocab[word], vocab[first], vocab[second]]]
        to_senses.append(min(float(v @ one), float(v @ two)))
        between.append(float(one @ two))
        places.append(float((v - two) @ (one - two) / (one - two).square().sum()))
        shares.append(n1 / (n1 + n2))
    return {
        "words": len(places),
        "to_senses": sum(to_senses) / len(places),
        "between_senses": sum(between) / len(places),
        "inside": sum(0 < place < 1 for place in places) / len(places),
        "correlation": float(torch.corrcoef(torch.tensor([places, shares]))[0, 1]),
    }


def marked(vocab, least):
    """Homographs with two senses seen often enough: (word, (count, sense), (count, sense))."""
    found = {}
    for token, count in zip(vocab.tokens, vocab.counts.tolist(), strict=True):
        if "#" in token and count >= least:
            found.setdefault(token.split("#")[0], []).append((count, token))
    for word, senses in sorted(found.items()):
        if len(senses) > 1 and word in vocab:
            pair = sorted(senses, reverse=True)[:2]
            yield (word, *(pair if len(word) % 2 else pair[::-1]))


def subwords(seed, config):
    """Do hidden words find a neighbour of their own part of speech through their pieces?"""
    corpus, sentences, vocab = text(config["tokens"], seed)
    pos = {}
    for document in corpus.documents:
        for sentence in document.sentences:
            for token, tag in zip(sentence.tokens, sentence.pos, strict=True):
                pos.setdefault(token.lower(), tag)
    words = [word for word in vocab.tokens[2:] if word.isalpha() and len(word) > 3]
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(words), generator=generator)[: config["hidden"]]
    hidden = {words[i] for i in order.tolist()}
    kept = [[token for token in sentence if token not in hidden] for sentence in sentences]
    small = mb.text.Vocab.train(kept, min_count=5)
    mb.seed_everything(seed)
    model = mb.Word2Vec(mb.Word2VecConfig(len(small), dim=config["dim"]), small)
    model.input = Pieces(small.tokens, config["dim"])
    batches = mb.text.WindowBatches.of(model, kept, batch_size=4096, seed=seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    mb.fit(model, batches, epochs=config["epochs"], optimizer=optimizer, progress=False)
    right = []
    for word in sorted(hidden):
        nearest = model.neighbours(model.input.vector(word), k=1)[0][0]
        right.append(pos[nearest] == pos[word])
    tags = [pos[word] for word in small.tokens[2:]]
    chance = sum(tags.count(pos[word]) / len(tags) for word in hidden) / len(hidden)
    return {"pieces": sum(right) / len(right), "chance": chance}


def first_layer(seed, config):
    """Sentiment by a small CNN on random, frozen and tuned vectors, by the number of labels."""
    _, sentences, vocab = text(config["tokens"], seed)
    vectors = F.normalize(trained(vocab, sentences, config, seed).vectors, dim=1).cpu()
    generator = torch.Generator().manual_seed(seed)
    noise = F.normalize(torch.randn(vectors.shape, generator=generator), dim=1)
    starts = {"random": (noise, False), "frozen": (vectors, True), "tuned": (vectors, False)}
    task = mb.world.task("sentiment", seed=seed)
    train, test = (
        [
            {"input_ids": vocab.encode(e.text.lower()), "labels": task.labels.index(e.label)}
            for e in examples
        ]
        for examples in (task.train, task.test)
    )
    truth = torch.tensor([example["labels"] for example in test])
    batches = mb.text.PaddedBatches(test, 100, shuffle=False, by_length=False)
    measured = {}
    for name, (start, freeze) in starts.items():
        curve = []
        for labelled in config["labels"]:
            mb.seed_everything(seed)
            model = mb.heads.CNNClassifier(start, labels=2, freeze=freeze)
            some = mb.text.PaddedBatches(train[:labelled], batch_size=20, seed=seed)
            mb.fit(model, some, steps=config["steps"], progress=False)
            curve.append((mb.heads.predict(model, batches) == truth).float().mean().item())
        measured |= {name: curve, f"{name}_fewest": curve[0], f"{name}_most": curve[-1]}
    return measured
