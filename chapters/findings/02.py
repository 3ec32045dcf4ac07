"""The experiments of chapter 02: what Peters et al. (2018) claim, measured on the embedded world.

``layers``: each seed draws a text, trains two language models on it, one that spells its words and
one that looks them up, and asks both on other texts. ``tasks``: the bundled model, frozen, in task
models; each seed draws the tasks and the first weights. Everything runs in two processes.
"""

import json
import os
import subprocess
import sys

import torch
from torch.nn import functional as F

import minibert as mb
from minibert.commands.pretrain.elmo import batches_of, directions, nats_a_world_token, with_ends
from minibert.text.characters import BOS, EOS

# The rate and the size of a batch are the best of a few after 20 s of training, on seed 100. Steps,
# rate and dropout of the pair model were chosen on the validation set of seed 100.
CONFIG = {
    "layers": {
        "tokens": 220_000,
        "epochs": 2,
        "dim": 192,
        "projection": 64,
        "filters": [[1, 16], [2, 32], [3, 48], [4, 48]],
        "rate": 0.01,
        "hidden_words": 150,
        "reference_tokens": 150_000,
        "test_tokens": 100_000,
        "least": 5,
    },
    "tasks": {
        "tokens": 300_000,
        "ner": {"labels": [50, 200, 1000], "steps": 300, "rate": 0.005},
        "nli": {"labels": [300, 3000], "steps": 800, "rate": 0.002},
    },
}
SMOKE = {
    "layers": {
        "tokens": 6_000,
        "epochs": 1,
        "dim": 16,
        "projection": 8,
        "hidden_words": 5,
        "reference_tokens": 30_000,
        "test_tokens": 20_000,
        "least": 2,
    },
    "tasks": {
        "tokens": 6_000,
        "ner": {"labels": [20], "steps": 3, "rate": 0.005},
        "nli": {"labels": [20], "steps": 3, "rate": 0.002},
    },
}
SPECIALS = ("<pad>", "<unk>", BOS, EOS)


def layers(seed, config):
    """What the layers of freshly trained models know: a process for each way to read a word."""
    return at_once(("spelled", "words"), seed, config)


def tasks(seed, config):
    """Errors of task models without and with the bundled ELMo, in two about equal halves.

    ``_cut``: by which part of itself ELMo at both places lowers the error, with the most labels.
    """
    found = at_once(("without_and_input", "input_and_output"), seed, config)
    for task in ("ner", "nli"):
        without, both = (found[f"{task}_{way}_most"] for way in ("plain", "input_and_output"))
        found[f"{task}_cut"] = 1 - both / without
    return found


def at_once(parts, seed, config):
    """Functions of this file, each in a process of its own; their measures in one dict."""
    started = [
        subprocess.Popen(
            [sys.executable, __file__, part, str(seed), json.dumps(config)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for part in parts
    ]
    found = {}
    for process in started:
        printed, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"a part of the experiment failed: {process.args[2]}")
        found |= json.loads(printed.splitlines()[-1])
    return found


def spelled(seed, config):
    """The model with characters: losses, word senses, parts of speech."""
    model, hidden = trained("characters", seed, config)
    valid = mb.world.generate(tokens=30_000, seed=50_000 + seed)
    forward, backward = directions(model, batches_of(model, list(with_ends(valid)), 4, 100))
    found = {"forward": forward, "backward": backward, "floor": valid.floor}
    found["nats_a_token"] = nats_a_world_token(model, valid)
    found |= senses_by_layer(model, seed, config)
    return found | pos_by_layer(model, seed, hidden)


def words(seed, config):
    """The model with a table of words: parts of speech."""
    model, hidden = trained("words", seed, config)
    return renamed(pos_by_layer(model, seed, hidden), "words")


def without_and_input(seed, config):
    """Inference with word vectors alone, and with ELMo at the input."""
    vectors = word_vectors(seed, config)
    found = curve(pairs_task, "nli", (), vectors, seed, config)
    return found | curve(pairs_task, "nli", ("input",), vectors, seed, config)


def input_and_output(seed, config):
    """Inference with ELMo at both places; names in all three ways."""
    vectors, both = word_vectors(seed, config), ("input", "output")
    found = curve(pairs_task, "nli", both, vectors, seed, config)
    for at in ((), ("input",), both):
        found |= curve(names_task, "ner", at, vectors, seed, config)
    return found


def renamed(found, name):
    return {f"{key}_{name}": value for key, value in found.items()}


# The text, the language model, the word vectors.


def text(seed, config):
    """Sentences to train on, without those with a hidden word, and the hidden words.

    Hidden are words of letters alone that are seen 5 to 60 times, drawn by the seed.
    """
    corpus = mb.world.generate(tokens=config["tokens"], seed=1000 + seed)
    sentences = list(with_ends(corpus))
    counted = mb.text.Vocab.train(sentences, specials=())
    some = [
        word
        for word, count in zip(counted.tokens, counted.counts.tolist(), strict=True)
        if 5 <= count <= 60 and word.isalpha() and len(word) > 3
    ]
    order = torch.randperm(len(some), generator=torch.Generator().manual_seed(seed)).tolist()
    hidden = {some[i] for i in order[: config["hidden_words"]]}
    return [words for words in sentences if not hidden.intersection(words)], hidden


def trained(source, seed, config):
    """An ELMo on the text of a seed, and the words that the text does not have."""
    sentences, hidden = text(seed, config)
    vocab = mb.text.Vocab.train(sentences, min_count=2, specials=SPECIALS)
    mb.seed_everything(seed)
    names = ("dim", "projection", "filters")
    settings = {name: config[name] for name in names}
    settings = mb.ELMoConfig(len(vocab), input=source, cell_clip=None, proj_clip=None, **settings)
    model = mb.ELMo(settings, vocab)
    batches = batches_of(model, sentences, 16, 20)
    steps = config["epochs"] * len(batches)
    optimizer = mb.optim.adamw(model, config["rate"])
    schedule = mb.optim.cosine(steps, warmup=steps // 20)
    options = {"optimizer": optimizer, "schedule": schedule, "progress": False}
    mb.fit(model, batches, steps=steps, **options)
    return model, hidden


def word_vectors(seed, config):
    """word2vec on some of the text that the bundled model was trained on, and its vocabulary."""
    sentences = list(with_ends(mb.world.generate(tokens=config["tokens"], seed=0)))
    vocab = mb.text.Vocab.train(sentences, min_count=5)
    mb.seed_everything(seed)
    model = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=64), vocab)
    mb.models.word2vec.learn(model, sentences, epochs=3, rate=0.1, seed=seed, progress=False)
    return vocab, F.normalize(model.vectors, dim=1)


# What the layers know.


def layers_of(model, sentences, batch_size=64):
    """All layers of all words, (layers, words, width), in the order of the text."""
    table, rows = mb.heads.Remembered.of(model, sentences, batch_size)
    return table.table[:, torch.tensor([row for rows_of_one in rows for row in rows_of_one])]


def homographs(corpus):
    """Sentences with a homograph, and (sentence, place, word, sense) for each."""
    sentences, found = [], []
    for document in corpus.documents:
        for sentence in document.sentences:
            places = [(i, sense) for i, sense in enumerate(sentence.sense) if sense]
            if places:
                uses = [(len(sentences), i, sense.split(".")[0], sense) for i, sense in places]
                found += uses
                sentences.append(list(sentence.tokens))
    return sentences, found


def senses_by_layer(model, seed, config):
    """Word senses by the nearest mean vector of a sense (Peters et al. 2018, section 5.3).

    The means are taken on one text, the words asked for are in another, in sentences that the first
    does not have. Only words with two senses or more that were seen ``least`` times each or more.
    """
    reference = mb.world.generate(tokens=config["reference_tokens"], seed=60_000 + seed)
    test = mb.world.generate(tokens=config["test_tokens"], seed=70_000 + seed)
    known, uses = homographs(reference)
    vectors = vectors_at(model, known, uses)  # (layers, uses, width)
    members = {}
    for number, (*_, sense) in enumerate(uses):
        members.setdefault(sense, []).append(number)
    senses = {}
    for sense, numbers in members.items():
        if len(numbers) >= config["least"]:
            senses.setdefault(sense.split(".")[0], []).append(sense)
    senses = {word: names for word, names in senses.items() if len(names) > 1}
    means = {
        sense: vectors[:, members[sense]].mean(1) for names in senses.values() for sense in names
    }
    seen = {tuple(words) for words in known}
    sentences, asked = homographs(test)
    asked = [use for use in asked if use[3] in means and tuple(sentences[use[0]]) not in seen]
    at = vectors_at(model, sentences, asked)
    right = torch.zeros(len(at), len(asked))
    frequent = 0
    for number, (*_, word, sense) in enumerate(asked):
        names = senses[word]
        options = torch.stack([means[name] for name in names], 1)  # (layers, senses, width)
        best = F.cosine_similarity(at[:, number, None], options, dim=-1).argmax(-1)
        right[:, number] = (best == names.index(sense)).float()
        frequent += max(names, key=lambda name: len(members[name])) == sense
    shares = right.mean(1).tolist()
    found = {f"senses_{layer}": share for layer, share in enumerate(shares)}
    return found | {"senses_frequent": frequent / len(asked), "senses_asked": len(asked)}


def vectors_at(model, sentences, uses):
    """(layers, uses, width): the vectors of the words at some places."""
    table, rows = mb.heads.Remembered.of(model, sentences)
    return table.table[:, [rows[sentence][place] for sentence, place, *_ in uses]]


def pos_by_layer(model, seed, hidden):
    """Part of speech by a linear classifier on each layer, and on words that were never read."""
    task = mb.world.task("pos", seed=seed)
    sets = []
    for examples in (task.train, task.test):
        x = layers_of(model, [list(e.tokens) for e in examples])
        y = torch.tensor([task.labels.index(tag) for e in examples for tag in e.labels])
        sets.append((x, y))
    (x, y), (test_x, test_y) = sets
    words = [word for e in task.test for word in e.tokens]
    unseen = torch.tensor([word in hidden for word in words])
    found = {}
    for layer in range(len(x)):
        right = linear_probe(x[layer], y, test_x[layer], len(task.labels)) == test_y
        found[f"pos_{layer}"] = right.float().mean().item()
        if unseen.any():
            found[f"pos_unseen_{layer}"] = right[unseen].float().mean().item()
    return found | {"pos_unseen_words": int(unseen.sum())}


def linear_probe(x, y, test_x, labels, steps=150):
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


# Task models.


def curve(run, name, at, vectors, seed, config):
    """Errors of one task model by number of labels; ``at``: where ELMo is added."""
    model = mb.ELMo.from_pretrained("minibert-elmo") if at else None
    errors = run(model, at, vectors, seed, config[name])
    way = f"{name}_{'_and_'.join(at) or 'plain'}"
    return {f"{way}_curve": errors, f"{way}_fewest": errors[0], f"{way}_most": errors[-1]}


def remembered(model, sentences):
    """`Remembered` and its rows, or nothing."""
    return (None, None) if model is None else mb.heads.Remembered.of(model, sentences)


def names_task(model, at, vectors, seed, config):
    """1 - span F1 of named entities, for each number of labelled sentences."""
    task, (vocab, start) = mb.world.task("ner", seed=seed), vectors
    most = config["labels"][-1]
    examples = task.train[:most] + task.test
    kept, rows = remembered(model, [list(e.tokens) for e in examples])
    encoded = []
    for number, example in enumerate(examples):
        labels = [task.labels.index(tag) for tag in example.labels]
        encoded.append({"input_ids": vocab.encode(list(example.tokens)), "labels": labels})
        if rows:
            encoded[-1]["contextual_ids"] = rows[number]
    test = mb.text.PaddedBatches(encoded[most:], 100, shuffle=False)
    errors = []
    for labelled in config["labels"]:
        mb.seed_everything(seed)
        tagger = mb.heads.Tagger(start, len(task.labels), contextual=kept, at=at)
        learn(tagger, encoded[:labelled], seed, config)
        said, true = (
            [[task.labels[i] for i in row] for row in part]
            for part in mb.heads.tagged(tagger, test)
        )
        errors.append(1 - mb.heads.span_f1(said, true))
    return errors


def pairs_task(model, at, vectors, seed, config):
    """Share of wrong answers on inference (nli), for each number of labelled pairs."""
    task, (vocab, start) = mb.world.task("nli", seed=seed), vectors
    most = config["labels"][-1]
    examples = task.train[:most] + task.test
    pairs = [(mb.text.tokenise(e.text), mb.text.tokenise(e.text_b)) for e in examples]
    kept, rows = remembered(model, [words for pair in pairs for words in pair])
    encoded = []
    for number, (example, (a, b)) in enumerate(zip(examples, pairs, strict=True)):
        ids = {"input_ids": vocab.encode(a), "input_ids_b": vocab.encode(b)}
        encoded.append({**ids, "labels": task.labels.index(example.label)})
        if rows:
            more = {"contextual_ids": rows[2 * number], "contextual_ids_b": rows[2 * number + 1]}
            encoded[-1] |= more
    test = mb.text.PaddedBatches(encoded[most:], 100, shuffle=False)
    errors = []
    for labelled in config["labels"]:
        mb.seed_everything(seed)
        classifier = mb.heads.PairClassifier(
            start, len(task.labels), contextual=kept, at=at, dropout=0.1
        )
        learn(classifier, encoded[:labelled], seed, config)
        errors.append(1 - mb.heads.pair_accuracy(classifier, test))
    return errors


def learn(model, examples, seed, config):
    """The same training for every task model."""
    batches = mb.text.PaddedBatches(examples, batch_size=25, seed=seed)
    steps = config["steps"]
    options = {"optimizer": mb.optim.adamw(model, config["rate"]), "progress": False}
    mb.fit(model, batches, steps=steps, schedule=mb.optim.linear(steps), **options)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](int(sys.argv[2]), json.loads(sys.argv[3]))))
