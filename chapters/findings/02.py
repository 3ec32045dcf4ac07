"""The experiments of chapter 02: what Peters et al. (2018) claim, measured on the embedded world.

Three ask the bundled model, frozen. ``senses``: each seed draws two texts and the labelled
uses. ``words``: each seed draws a tagging task and invents words. ``names``: each seed draws a task
of names, word vectors and the first weights of the taggers. ``name_rules`` says what it takes to
name them without any model: a list of words, and capitals.
"""

import math
import random
from collections import Counter

import torch
from torch.nn import functional as F

import minibert as mb
from minibert.commands.pretrain.elmo import with_ends

# Chosen on seed 100, on texts and validation sets that no seed below sees: the windows, the
# smoothing, and the rates of the taggers, each from the values named in TRIED.
CONFIG = {
    "senses": {
        "labelled": [1, 2, 5, 20],
        "draws": 2,
        "reference_tokens": 150_000,
        "test_tokens": 40_000,
        "count_window": 30,
        "smoothing": 0.03,
        "vector_window": 10,
        "rare_window": 10,
        "common": 1e-2,
    },
    "words": {"steps": 80, "train": 400, "tests": 200},
    "names": {
        "tokens": 60_000,
        "labels": 100,
        "steps": 100,
        "rate": 0.01,
        "mix_rate": 0.03,
        "tests": 200,
    },
    "name_rules": {"labels": 100, "tests": 200},
}
TRIED = {
    "count_window": [2, 4, 8, 30],
    "smoothing": [0.01, 0.03, 0.1, 0.3, 1.0],
    "vector_window": [2, 5, 10],
    "rare_window": [2, 5, 10, 30],
    "common": [1e-4, 1e-3, 1e-2],
    "rate": [0.003, 0.01, 0.03],
    "mix_rate": [0.03, 0.1, 0.3],
}
SMOKE = {
    "senses": {"labelled": [1, 2], "draws": 1, "reference_tokens": 20_000, "test_tokens": 5_000},
    "words": {"steps": 3, "train": 50, "tests": 50},
    "names": {"tokens": 6_000, "labels": 20, "steps": 3, "tests": 20},
    "name_rules": {"labels": 20, "tests": 20},
}
LAYERS = 3


def layers_of(model, sentences):
    """Every layer of every word, (layers, words, width), in the order of the text."""
    memory, rows = mb.heads.Remembered.of(model, sentences)
    return memory.table[:, torch.tensor([row for one in rows for row in one])]


# Word senses by labelled uses.


def senses(seed, config):
    """The share of uses whose sense is named, for each number of labelled uses per sense.

    Asked are uses in another text, in sentences that the first does not have, of words with two
    senses or more that can be labelled so often. ``least`` is the share of a guess among them.
    """
    model = mb.ELMo.from_pretrained("minibert-elmo")
    pool, asked = drawn(seed, config)
    uses = [use for found in pool.values() for use in found] + asked
    views = seen_as(model, uses, config)
    number = {id(use): row for row, use in enumerate(uses)}
    ways = (*(f"layer_{n}" for n in range(LAYERS)), "beside", "counts", "word2vec", "weighted")
    found = {name: [] for name in ways}
    for count in config["labelled"]:
        sums = Counter()
        for draw in range(config["draws"]):
            rng = random.Random(f"{seed} {count} {draw}")
            labelled = {
                sense: [number[id(use)] for use in rng.sample(pool[sense], count)] for sense in pool
            }
            for way in found:
                sums[way] += right(way, views, labelled, asked, number, config)
        for way in found:
            found[way].append(sums[way] / config["draws"])
    options = Counter(sense.split(".")[0] for sense in pool)
    chance = sum(1 / options[sense.split(".")[0]] for *_, sense in asked) / len(asked)
    flat = {
        f"{way}_{count}": value
        for way, values in found.items()
        for count, value in zip(config["labelled"], values, strict=True)
    }
    return {**flat, "chance": chance, "asked": len(asked), "senses": len(pool)}


def drawn(seed, config):
    """({sense: uses that may be labelled}, uses asked for); a use is (words, place, sense)."""
    reference = mb.world.generate(tokens=config["reference_tokens"], seed=60_000 + seed)
    test = mb.world.generate(tokens=config["test_tokens"], seed=70_000 + seed)
    pool, seen = {}, set()
    for use in uses_of(reference):
        if tuple(use[0]) not in seen:
            pool.setdefault(use[2], []).append(use)
        seen.add(tuple(use[0]))
    most = config["labelled"][-1]
    pool = {sense: uses for sense, uses in pool.items() if len(uses) >= most}
    words = Counter(sense.split(".")[0] for sense in pool)
    pool = {sense: uses for sense, uses in pool.items() if words[sense.split(".")[0]] > 1}
    asked = [use for use in uses_of(test) if use[2] in pool and tuple(use[0]) not in seen]
    return pool, asked


def uses_of(corpus):
    """(words of the sentence, place, sense) for each use of a homograph."""
    for document in corpus.documents:
        for sentence in document.sentences:
            for place, sense in enumerate(sentence.sense):
                if sense:
                    yield list(sentence.tokens), place, sense


def seen_as(model, uses, config):
    """way -> what it sees of each use: vectors (uses, width), or lists of words."""
    memory, rows = mb.heads.Remembered.of(model, [words for words, *_ in uses])
    at = [row[place] for row, (_, place, _) in zip(rows, uses, strict=True)]
    layers = F.normalize(memory.table[:, at], dim=-1)
    views = {f"layer_{n}": layer for n, layer in enumerate(layers)}
    views["beside"] = F.normalize(beside(memory, rows, uses), dim=-1)
    views["counts"] = [around(use, config["count_window"]) for use in uses]
    word2vec = mb.Word2Vec.from_pretrained("minibert-word2vec")
    table = F.normalize(word2vec.vectors, dim=1)
    plain, rare = torch.ones(len(table)), rarity(word2vec.vocab, uses, config["common"])
    for name, weights in (("word2vec", plain), ("weighted", rare)):
        means = []
        for use in uses:
            near = around(use, config["vector_window" if name == "word2vec" else "rare_window"])
            ids = [word2vec.vocab.ids[word] for word in near if word in word2vec.vocab.ids]
            means.append(weights[ids] @ table[ids] / max(1, len(ids)))
        views[name] = torch.stack(means)
    return views


def rarity(vocab, uses, common):
    """(words of the vocabulary,) a / (a + the word's share): Arora et al. (2017), equation 2."""
    times = Counter(word.lower() for words, *_ in uses for word in words)
    shares = torch.tensor([times[word] / times.total() for word in vocab.ids])
    return common / (common + shares)


def beside(memory, rows, uses):
    """The two states of layer 2 that predict the word: forward before it, backward after it."""
    padded = [([0, *row, 0], place + 1) for row, (_, place, _) in zip(rows, uses, strict=True)]
    half = memory.width // 2
    before = memory.table[2, [row[at - 1] for row, at in padded], :half]
    after = memory.table[2, [row[at + 1] for row, at in padded], half:]
    return torch.cat((before, after), -1)  # (uses, width)


def around(use, window):
    """The words up to ``window`` places away, in small letters."""
    words, place, _ = use
    near = words[max(0, place - window) : place] + words[place + 1 : place + 1 + window]
    return [word.lower() for word in near]


def right(way, views, labelled, asked, number, config):
    """The share of the uses asked for whose sense is named."""
    view, named = views[way], {}
    for sense, rows in labelled.items():
        if way == "counts":
            counts = Counter(word for row in rows for word in view[row])
            named.setdefault(sense.split(".")[0], {})[sense] = counts
        else:
            mean = F.normalize(view[rows].mean(0), dim=0)
            named.setdefault(sense.split(".")[0], {})[sense] = mean
    correct = 0
    for use in asked:
        options, seen = named[use[2].split(".")[0]], view[number[id(use)]]
        if way == "counts":
            said = by_counts(seen, options, config["smoothing"])
        else:
            scores = torch.stack(list(options.values())) @ seen
            said = list(options)[int(scores.argmax())]
        correct += said == use[2]
    return correct / len(asked)


def by_counts(words, options, smoothing):
    """Naive Bayes: the sense whose labelled uses make these neighbours most probable."""
    size = len(set().union(*options.values())) + 1  # and one for all words that are new

    def score(counts):
        total = counts.total() + smoothing * size
        return sum(math.log((counts[word] + smoothing) / total) for word in words)

    return max(options, key=lambda sense: score(options[sense]))


# Parts of speech, also of words that do not exist.


def words(seed, config):
    """Part of speech by a linear classifier on each layer, and of invented words.

    ``table``: each word's most frequent tag in the training set, or the most frequent of all.
    ``invented``: nouns, verbs, adjectives and adverbs with another stem and the same ending; a
    table says the same of all of them, at best ``invented_table``, their most frequent tag.
    """
    model = mb.ELMo.from_pretrained("minibert-elmo")
    task = mb.world.task("pos", seed=seed)
    train, test = task.train[: config["train"]], task.test[: config["tests"]]
    index = {tag: number for number, tag in enumerate(task.labels)}
    x = layers_of(model, [list(e.tokens) for e in train])
    y = torch.tensor([index[tag] for e in train for tag in e.labels])
    true = torch.tensor([index[tag] for e in test for tag in e.labels])
    new, changed = invented(test, random.Random(seed))
    plain = layers_of(model, [list(e.tokens) for e in test])
    strange = layers_of(model, new)
    found = {}
    for layer in range(LAYERS):
        both = torch.cat((plain[layer], strange[layer]))
        said = linear_probe(x[layer], y, both, len(index), config["steps"]).chunk(2)
        found[f"layer_{layer}"] = (said[0] == true).float().mean().item()
        found[f"invented_{layer}"] = (said[1] == true)[changed].float().mean().item()
    found["table"] = table_right(train, test)
    found["invented_table"] = true[changed].bincount().max().item() / int(changed.sum())
    return {**found, "invented_words": int(changed.sum())}


def invented(examples, rng):
    """The sentences with other stems, one word in each, and which words these are."""
    endings = ("ings", "ing", "edly", "ed", "ly", "ers", "er", "est", "ness", "s", "")
    sentences, changed = [], []
    for example in examples:
        tokens = list(example.tokens)
        open_class = ("NOUN", "VERB", "ADJ", "ADV")
        places = [
            i
            for i, (word, tag) in enumerate(zip(tokens, example.labels, strict=True))
            if tag in open_class and len(word) > 4 and word.islower()
        ]
        chosen = rng.choice(places) if places else None
        if chosen is not None:
            ending = next(e for e in endings if tokens[chosen].endswith(e))
            stem = rng.choice(("bl", "gr", "pl", "sk", "tr", "v", "z", "dr"))
            stem += rng.choice("aiou") + rng.choice(("bb", "ft", "mp", "nk", "rg", "sk", "v", "x"))
            tokens[chosen] = stem + ending
        sentences.append(tokens)
        changed += [place == chosen for place in range(len(tokens))]
    return sentences, torch.tensor(changed)


def table_right(train, test):
    """The share of test words whose most frequent tag in the training set is right."""
    seen = {}
    for example in train:
        for word, tag in zip(example.tokens, example.labels, strict=True):
            seen.setdefault(word, Counter())[tag] += 1
    most = sum(seen.values(), Counter()).most_common(1)[0][0]
    pairs = [pair for e in test for pair in zip(e.tokens, e.labels, strict=True)]
    best = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    return sum(best.get(word, most) == tag for word, tag in pairs) / len(pairs)


def linear_probe(x, y, test_x, labels, steps):
    """What a softmax regression on ``x`` says about ``test_x``: (tests,)."""
    mean, scale = x.mean(0), x.std(0) + 1e-6
    x, test_x = (x - mean) / scale, (test_x - mean) / scale
    layer = torch.nn.Linear(x.shape[1], labels)
    optimizer = mb.optim.adamw(layer, 0.05, weight_decay=1e-3)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        some = torch.randint(len(x), (2048,), generator=generator)
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / steps)
        F.cross_entropy(layer(x[some]), y[some]).backward()
        optimizer.step()
        optimizer.zero_grad()
    return layer(test_x).argmax(-1)


# Names, with ELMo in the tagger.

WAYS = {  # way -> (layers it may use, are they normalised, has the mix a rate of its own)
    "plain": ((), False, False),
    "layer_0": ((0,), True, False),
    "layer_2": ((2,), True, False),
    "mix": ((0, 1, 2), False, False),
    "mix_own_rate": ((0, 1, 2), True, True),
}


def names(seed, config):
    """1 - F1 of a tagger of names for each way to add ELMo, and the shares that were learned."""
    data = tagging_data(seed, config, "test")
    found = {}
    for way in WAYS:
        found[way], tagger = tagger_error(data, way, seed, config)
        if way.startswith("mix"):
            shares = tagger.encoder.mixes["input"].shares.tolist()
            found |= {f"{way}_share_{n}": share for n, share in enumerate(shares)}
    return found


def name_rules(seed, config):
    """1 - F1 of rules that see what `names` sees: the labelled sentences, and the test.

    ``listed``: each word has the label that it had most often, `O` if it is new. ``capitals``:
    every run of words with capitals, the first word of a sentence left out, is a person. ``both``:
    the list for its words, and capitals for new ones.
    """
    task = mb.world.task("ner", seed=seed)
    train, test = task.train[: config["labels"]], task.test[: config["tests"]]
    table = mb.models.cheap.MostFrequentTag().fit(train).predict(test)
    seen = {word for e in train for word in e.tokens}
    rules = {"listed": table, "capitals": [capitals(e.tokens) for e in test], "both": []}
    for e, tags, high in zip(test, table, rules["capitals"], strict=True):
        parts = zip(e.tokens, tags, high, strict=True)
        rules["both"].append([tag if word in seen else new for word, tag, new in parts])
    true = [list(e.labels) for e in test]
    return {rule: 1 - mb.heads.span_f1(labels, true) for rule, labels in rules.items()}


def capitals(tokens):
    """A label for each word of a sentence."""
    high = [place > 0 and word[:1].isupper() for place, word in enumerate(tokens)]
    before = [False, *high[:-1]]
    return [f"{'I' if b else 'B'}-PER" if h else "O" for h, b in zip(high, before, strict=True)]


def tagging_data(seed, config, part):
    """Task, word vectors with their vocabulary, remembered layers, encoded examples."""
    task, model = mb.world.task("ner", seed=seed), mb.ELMo.from_pretrained("minibert-elmo")
    text = list(with_ends(mb.world.generate(tokens=config["tokens"], seed=0).documents))
    vocab = mb.text.Vocab.train(text, min_count=3)
    mb.seed_everything(seed)
    vectors = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=64), vocab)
    mb.models.word2vec.learn(vectors, text, epochs=3, rate=0.1, seed=seed, progress=False)
    most = config["labels"]
    examples = task.train[:most] + getattr(task, part)[: config["tests"]]
    memory, rows = mb.heads.Remembered.of(model, [list(e.tokens) for e in examples])
    encoded = [
        {
            "input_ids": vocab.encode(list(example.tokens)),
            "contextual_ids": row,
            "labels": [task.labels.index(tag) for tag in example.labels],
        }
        for example, row in zip(examples, rows, strict=True)
    ]
    return task, F.normalize(vectors.vectors, dim=1), memory, encoded[:most], encoded[most:]


def tagger_error(data, way, seed, config):
    """(1 - F1 of whole names, the tagger) after training on the labelled sentences."""
    task, start, memory, train, test = data
    chosen, normalised, own_rate = WAYS[way]
    mb.seed_everything(seed)
    table = memory.table[list(chosen)]
    kept = mb.heads.Remembered(table) if chosen else None
    tagger = mb.heads.Tagger(start, len(task.labels), contextual=kept, at=("input",))
    for mix in tagger.encoder.mixes.values():
        mix.layer_norm = normalised
    pairs = list(tagger.named_parameters())
    groups = [
        {"params": [p for name, p in pairs if (".mixes." in name) is of_mix], "lr": rate}
        for of_mix, rate in (
            (False, config["rate"]),
            (True, config["mix_rate" if own_rate else "rate"]),
        )
    ]
    batches = mb.text.PaddedBatches(train, batch_size=25, seed=seed)
    steps = config["steps"]
    optimizer, schedule = mb.optim.adamw(groups, config["rate"]), mb.optim.linear(steps)
    mb.fit(tagger, batches, steps=steps, optimizer=optimizer, schedule=schedule, progress=False)
    said, true = (
        [[task.labels[i] for i in row] for row in part]
        for part in mb.heads.tagged(tagger, mb.text.PaddedBatches(test, 100, shuffle=False))
    )
    return 1 - mb.heads.span_f1(said, true), tagger
