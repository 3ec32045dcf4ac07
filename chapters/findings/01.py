"""The experiments of chapter 01: what word2vec's papers claim, measured on the embedded world.

Every experiment trains on one sample of the world and tests on questions that the settings were
not chosen on. The seed draws the text, the initial vectors and the noise.
"""

from collections import Counter
from functools import lru_cache, partial

import torch
from torch.nn import functional as F

import minibert as mb
from minibert.models.word2vec import scores as word_scores
from minibert.models.word2vec.fasttext import Pieces
from minibert.models.word2vec.glove import GloVe, cells, cooccurrences

TEXT = {"tokens": 600_000, "dim": 64, "epochs": 5}
SHORT = {"tokens": 200_000, "dim": 64, "epochs": 3}
CONFIG = {
    "kinds": TEXT | {"examples": [1, 2, 3], "draws": 20},
    "topic": TEXT | {"labels": [20, 50, 100, 300, 1000]},
    "sentiment": TEXT | {"labels": [100, 500]},
    "homographs": {"tokens": 400_000, "dim": 64, "epochs": 5},
    "negatives": SHORT | {"epochs": 12, "k": [1, 5, 20], "rates": [0.05, 0.1, 0.2, 0.4]},
    "frequencies": SHORT | {"epochs": 12},
    "methods": SHORT,
    "first_layer": TEXT | {"labels": [100, 500], "steps": 100, "scale": 3.0, "test": 500},
    "subwords": SHORT | {"epochs": 2, "hidden": 100},
}
LITTLE = {"tokens": 20_000, "epochs": 1}
SMOKE = {
    "kinds": LITTLE | {"examples": [1, 3], "draws": 2},
    "topic": LITTLE | {"labels": [20, 50]},
    "sentiment": LITTLE | {"labels": [100, 200]},
    "first_layer": LITTLE | {"labels": [20, 40], "steps": 5, "test": 50},
    "homographs": LITTLE | {"tokens": 60_000},
    "methods": LITTLE,
    "negatives": LITTLE | {"k": [1, 2, 5, 20], "rates": [0.1]},
    "frequencies": LITTLE,
    "subwords": LITTLE | {"hidden": 10},
}
# Kinds of things that a reader knows; words that stand in two of these lists are left out.
KINDS = (
    "farm_animal wild_animal bird tree landform material body clothing furniture building tool "
    "vehicle instrument dish fruit drink colour weekday month trade kin woman_name man_name "
    "last_name pet_name town_name country_name"
).split()


def sample(tokens, seed):
    """A sample of the world."""
    return mb.world.generate(tokens=tokens, seed=1000 + seed)


@lru_cache(maxsize=12)
def text(tokens, seed):
    """Lower-case sentences of a sample of the world, and their vocabulary."""
    sentences = [
        [token.lower() for token in sentence] for sentence in sample(tokens, seed).sentences()
    ]
    return sentences, mb.text.Vocab.train(sentences, min_count=5)


# First learning rates, the best of a few on the validation analogies of seed 7.
RATES = {"negative": 0.1, "cbow": 0.03, "hierarchical": 0.01}


def trained(vocab, sentences, config, seed, *, rate=None, **settings):
    """A Word2Vec model after training."""
    mb.seed_everything(seed)
    rate = rate or RATES[settings.get("mode", settings.get("loss", "negative"))]
    settings = mb.Word2VecConfig(vocab_size=len(vocab), dim=config["dim"], **settings)
    model = mb.Word2Vec(settings, vocab)
    mb.models.word2vec.learn(
        model, sentences, epochs=config["epochs"], rate=rate, seed=seed, progress=False
    )
    return model


@lru_cache(maxsize=12)
def starts(tokens, dim, epochs, seed):
    """Three tables of vectors for one vocabulary, rows of length one: from reading, from counting
    (the first ``dim`` directions of the matrix of `surprise`), and drawn at random."""
    sentences, vocab = text(tokens, seed)
    read = trained(vocab, sentences, {"dim": dim, "epochs": epochs}, seed).vectors.cpu()
    torch.manual_seed(seed)
    u, s, _ = torch.svd_lowrank(surprise(vocab, sentences), q=dim, niter=3)
    tables = {"vectors": read, "counted": u * s.sqrt(), "random": torch.randn(read.shape)}
    return {name: F.normalize(table, dim=1) for name, table in tables.items()}


def tables(config, seed):
    """The tables of `starts` for the text of one seed."""
    return starts(config["tokens"], config["dim"], config["epochs"], seed)


def surprise(vocab, sentences):
    """Positive pointwise mutual information with the context, (V, V): plain counting.

    The share of a context word is smoothed by the power of 3/4 (Levy et al. 2015).
    """
    X = cooccurrences(*vocab.encode_corpus(sentences), len(vocab))
    smooth = X.sum(0) ** 0.75
    expected = X.sum(1, keepdim=True) * (smooth / smooth.sum())
    return (X / expected.clamp(min=1e-12)).clamp(min=1e-12).log().clamp(min=0)


def spelling(words):
    """One row a word: how often it has each run of up to three letters, with "<" and ">"."""
    runs = [
        [f"<{word}>"[i : i + n] for n in (1, 2, 3) for i in range(len(word) + 3 - n)]
        for word in words
    ]
    column = {run: i for i, run in enumerate(dict.fromkeys(run for some in runs for run in some))}
    rows = torch.zeros(len(words), len(column))
    for row, some in zip(rows, runs, strict=True):
        row += torch.bincount(torch.tensor([column[run] for run in some]), minlength=len(column))
    return F.normalize(rows, dim=1)


def kinds(seed, config):
    """Which of 27 kinds is a word, told by the nearest mean of a few examples of each?"""
    sentences, vocab = text(config["tokens"], seed)
    lexicon = mb.world.world(0).lexicon
    found = {kind: {word.name.lower() for word in lexicon[kind]} for kind in KINDS}
    times = Counter(word for words in found.values() for word in words)
    members = [
        sorted(vocab[word] for word in words if word in vocab and times[word] == 1)
        for words in found.values()
    ]
    features = tables(config, seed) | {
        "letters": spelling(vocab.tokens),
        "counts": F.normalize(surprise(vocab, sentences), dim=1),
    }
    members = [some for some in members if len(some) > max(config["examples"])]
    measured = {}
    for name, table in features.items():
        curve = [_told(table, members, n, seed, config["draws"]) for n in config["examples"]]
        measured |= {name: curve, f"{name}_one": curve[0], f"{name}_three": curve[-1]}
    return measured | {"kinds": len(members), "words": sum(len(some) for some in members)}


def _told(table, members, examples, seed, draws):
    """Share of words that are nearest to the examples of their own kind, mean over draws."""
    generator = torch.Generator().manual_seed(seed)
    shares = []
    for _ in range(draws):
        orders = [torch.randperm(len(some), generator=generator) for some in members]
        rows = [torch.tensor(some)[order] for some, order in zip(members, orders, strict=True)]
        means = F.normalize(torch.stack([table[row[:examples]].mean(0) for row in rows]), dim=1)
        right = [(table[row[examples:]] @ means.T).argmax(1) == i for i, row in enumerate(rows)]
        shares.append(torch.cat(right).float().mean().item())
    return sum(shares) / len(shares)


def topic(seed, config):
    """Which kind of text do three sentences come from? By the number of labels."""
    return by_labels("topic", seed, config)


def sentiment(seed, config):
    """Does the writer of a review like the thing? By the number of labels."""
    return by_labels("sentiment", seed, config)


def by_labels(name, seed, config):
    """Test accuracy of a linear layer on means of vectors and on counted words; its decay is
    tuned on the validation set. ``one_answer``: always the most frequent label."""
    _, vocab = text(config["tokens"], seed)
    task = mb.world.task(name, seed=seed)
    splits = [bags(task, examples, vocab) for examples in (task.train, task.valid, task.test)]
    truth = splits[2][1]
    measured = {"one_answer": truth.bincount().max().item() / len(truth)}
    features = {"words": lambda bag: (bag > 0).float()}
    for start, table in tables(config, seed).items():
        features[start] = partial(_means, table)
    for way, seen in features.items():
        X = [seen(bag) for bag, _ in splits]
        y = [labels for _, labels in splits]
        curve = [_linear(X, y, n, len(task.labels)) for n in config["labels"]]
        measured |= {way: curve, f"{way}_fewest": curve[0], f"{way}_most": curve[-1]}
    return measured


def _means(table, bag):
    """Means of the vectors of texts, (texts, dim), about as large as one."""
    return bag @ table / bag.sum(1, keepdim=True) * table.shape[1] ** 0.5


def bags(task, examples, vocab):
    """How often each text has each known word, (texts, V), and the labels."""
    rows = torch.zeros(len(examples), len(vocab))
    for row, example in zip(rows, examples, strict=True):
        row += torch.bincount(torch.tensor(vocab.encode(example.text.lower())), minlength=len(row))
    rows[:, [vocab[token] for token in vocab.specials]] = 0
    return rows, torch.tensor([task.labels.index(example.label) for example in examples])


def _linear(X, y, labelled, classes):
    """Test accuracy of multinomial logistic regression on the first ``labelled`` examples."""
    best = (-1.0, 0.0)
    for decay in (1e-3, 1e-2, 1e-1):
        layer = torch.nn.Linear(X[0].shape[1], classes)
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=40)

        def loss(layer=layer, optimizer=optimizer, decay=decay):
            optimizer.zero_grad()
            value = F.cross_entropy(layer(X[0][:labelled]), y[0][:labelled])
            value = value + decay * layer.weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        valid, test = ((layer(X[i]).argmax(1) == y[i]).float().mean().item() for i in (1, 2))
        best = max(best, (valid, test))
    return best[1]


def analogies(model, split="test", alone=False):
    """Share of analogies answered correctly: the mean over the kinds of question.

    ``alone``: by the nearest neighbour of c, without a and b.
    """
    questions = {}
    for example in getattr(mb.world.task("analogies", seed=0), split):
        a, b, c = example.tokens
        words = (a, a, c) if alone else (a, b, c)  # a - a + c
        questions.setdefault(example.info["section"], []).append((*words, example.label))
    answered = word_scores.analogies(model, questions)
    return sum(answered.by_section.values()) / len(answered.by_section)


def methods(seed, config):
    """Analogies by model and loss, all on the same text."""
    sentences, vocab = text(config["tokens"], seed)

    def score(**settings):
        return analogies(trained(vocab, sentences, config, seed, **settings))

    mb.seed_everything(seed)
    untrained = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=config["dim"]), vocab)
    model = trained(vocab, sentences, config, seed)
    return {
        "negative": analogies(model),
        "alone": analogies(model, alone=True),
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
    """Analogies by the number of noise words, on little text; each number with its own rate."""
    sentences, vocab = text(config["tokens"], seed)
    measured = {}
    for k in config["k"]:
        best = (-1.0, 0.0)
        for rate in config["rates"]:
            model = trained(vocab, sentences, config, seed, rate=rate, negatives=k)
            best = max(best, (analogies(model, "valid"), analogies(model)))
        measured[f"k{k}"] = best[1]
    return measured


def frequencies(seed, config):
    """Analogies by the exponent of the noise, and with or without subsampling."""
    sentences, vocab = text(config["tokens"], seed)
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
    corpus = sample(config["tokens"], seed)
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
    seen = {name: [] for name in "near random_near between inside random_inside".split()}
    gaps, shares = [], []
    generator = torch.Generator().manual_seed(seed)
    whole = torch.tensor([i for i, token in enumerate(vocab.tokens) if i > 1 and "#" not in token])
    for word, (n1, first), (n2, second) in marked(vocab, least=20 if config["epochs"] > 1 else 1):
        senses = unit[[vocab[first], vocab[second]]]  # (2, dim)
        others = unit[whole[torch.randint(len(whole), (50,), generator=generator)]]
        plain, random = unit[[vocab[word]]] @ senses.T, others @ senses.T  # (1, 2), (50, 2)
        plane = torch.linalg.qr(senses.T)[0]  # (dim, 2)
        seen["near"].append(plain.mean())
        seen["random_near"].append(random.mean())
        seen["between"].append(senses[0] @ senses[1])
        seen["inside"].append((unit[vocab[word]] @ plane).square().sum())
        seen["random_inside"].append((others @ plane).square().sum(1).mean())
        gaps.append(float(plain[0, 0] - plain[0, 1]))
        shares.append(n1 / (n1 + n2))
    means = {name: float(torch.stack(values).mean()) for name, values in seen.items()}
    correlation = float(torch.corrcoef(torch.tensor([gaps, shares]))[0, 1])
    return means | {"words": len(gaps), "correlation": correlation}


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
    corpus = sample(config["tokens"], seed)
    sentences, vocab = text(config["tokens"], seed)
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
    letters = spelling([*small.tokens, *sorted(hidden)])
    alike = (letters[len(small) :] @ letters[2 : len(small)].T).argmax(1) + 2
    right, spelt = [], []
    for word, i in zip(sorted(hidden), alike.tolist(), strict=True):
        nearest = model.neighbours(model.input.vector(word), k=1)[0][0]
        right.append(pos[nearest] == pos[word])
        spelt.append(pos[small.tokens[i]] == pos[word])
    tags = [pos[word] for word in small.tokens[2:]]
    chance = sum(tags.count(pos[word]) / len(tags) for word in hidden) / len(hidden)
    shares = {"pieces": sum(right) / len(right), "spelt_alike": sum(spelt) / len(spelt)}
    return shares | {"chance": chance}


def first_layer(seed, config):
    """Topic by a small CNN on random, frozen and tuned vectors, by the number of labels."""
    _, vocab = text(config["tokens"], seed)
    given = tables(config, seed)
    starts = {"random": ("random", False), "frozen": ("vectors", True), "tuned": ("vectors", False)}
    task = mb.world.task("topic", seed=seed)
    train, test = (
        [
            {"input_ids": vocab.encode(e.text.lower()), "labels": task.labels.index(e.label)}
            for e in examples
        ]
        for examples in (task.train, task.test[: config["test"]])
    )
    truth = torch.tensor([example["labels"] for example in test])
    batches = mb.text.PaddedBatches(test, 100, shuffle=False, by_length=False)
    measured = {}
    for name, (start, freeze) in starts.items():
        curve = []
        for labelled in config["labels"]:
            mb.seed_everything(seed)
            vectors = config["scale"] * given[start]
            model = mb.heads.CNNClassifier(vectors, labels=len(task.labels), freeze=freeze)
            some = mb.text.PaddedBatches(train[:labelled], batch_size=20, seed=seed)
            mb.fit(model, some, steps=config["steps"], progress=False)
            curve.append((mb.heads.predict(model, batches) == truth).float().mean().item())
        measured |= {name: curve, f"{name}_fewest": curve[0], f"{name}_most": curve[-1]}
    return measured
