"""The experiments of chapter 09: what can be read off a model, and what explains it more cheaply.

All but ``agreement`` and ``objectives`` probe bundled or published models, the same in all seeds: a
seed draws the sentences, the control labels and the order of the batches. Scores are shares of the
test that are right; settings are chosen on validation sentences.

``agreement``: small readers trained on sentences of agreement, with as many nouns between subject
and verb as in documents; ``asked``: pre-trained models on the same pairs. ``layers``: properties of
words by model and layer, beside baselines; ``pairs``: of pairs of words; ``sentences``: of whole
ones. ``control``: linear and MLP probes on the task and on control labels. ``trees``: the
structural probe. ``objectives``: one LSTM, trained on the same text to do different things, then
probed. ``real_words``, ``real_trees``, ``real_names``: a published model on UD EWT and WikiANN.
``blimp``: minimal pairs of English by five scorers; nothing is drawn, so it has one seed.
"""

import os
import random
from collections import Counter, defaultdict
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.models.awd_lstm import AWDLSTMConfig
from minibert.models.baselines import NGram, encode, vocabulary
from minibert.world import phrases
from minibert.world.tasksets.probes import nouns as number_of_nouns

FEW = (100.0, 10.0)  # penalties of the probes that are tried on valid
MAKE = partial(mb.probe.Linear, penalty=FEW)
BIDIRECTIONAL = {"bert": "first", "elmo": "first", "word2vec": "first"}  # model -> piece of a word
POOLS = BIDIRECTIONAL | {"gpt": "last", "awd_lstm": "last"}
CONFIG = {
    "agreement": {"lessons": 4000, "few": 1000, "steps": 1600, "dim": 64, "rate": 0.01},
    "asked": {"pairs": 250},
    "layers": {"train": 150, "valid": 40, "test": 150, "tokens": 40_000},
    "control": {"train": 150, "valid": 40, "test": 150, "tokens": 40_000, "hidden": 256},
    "sentences": {"train": 300},
    "trees": {"train": 250, "valid": 40, "test": 150, "tokens": 40_000, "rank": 32},
    "pairs": {"train": 250},
    "objectives": {"tokens": [10_000, 80_000], "steps": 400, "dim": 64, "test_tokens": 10_000},
    "real_words": {"train": 300, "valid": 60, "test": 200},
    "real_trees": {"train": 500, "valid": 60, "test": 200, "rank": 64},
    "real_names": {"train": 300, "valid": 60, "test": 200},
    "blimp": {"pairs": 20, "counted": 2, "words": 6_000},
}
SMOKE = {
    "agreement": {"lessons": 200, "few": 100, "steps": 10},
    "asked": {"pairs": 20},
    "layers": {"train": 60, "valid": 20, "test": 30, "tokens": 12_000},
    "control": {"train": 60, "valid": 20, "test": 30, "tokens": 12_000, "hidden": 16},
    "sentences": {"train": 60},
    "trees": {"train": 40, "valid": 20, "test": 20, "tokens": 12_000},
    "pairs": {"train": 40},
    "objectives": {"tokens": [3_000, 6_000], "steps": 5, "test_tokens": 6_000},
    "real_words": {"train": 60, "valid": 20, "test": 20},
    "real_trees": {"train": 40, "valid": 20, "test": 20},
    "real_names": {"train": 60, "valid": 20, "test": 20},
    "blimp": {"pairs": 1, "counted": 1, "words": 2_000},
}


# Behaviour


def cut_up(text):
    """The words of a sentence in lower case."""
    return [word.lower() for word in mb.text.tokenise(text)]


def bracketed(example, which):
    """A sentence with brackets around its subject: the syntax, written out."""
    prefix = cut_up(example.info["prefix"])
    return ["(", *prefix, ")", *cut_up(example.info[which])[len(prefix) :]]


def lessons_of(seed, count):
    """Examples of agreement, with as many attractors as documents have, in random order."""
    pool = defaultdict(list)
    for draw in range(max(1, count // 500)):
        for e in mb.world.task("agreement", seed=1000 * (seed + 1) + draw).train:
            pool[e.info["attractors"]].append(e)
    shares = phrases.ATTRACTORS.items()
    lessons = [e for n, percent in shares for e in pool[n][: count * percent // 100]]
    random.Random(seed).shuffle(lessons)
    return lessons


def reader_of(texts, config, seed):
    """A small language model of these sentences."""
    vocab = mb.text.Vocab.train(texts)
    off = ("embedding", "input", "weight", "hidden", "output")
    dropped = {f"{name}_dropout": 0.0 for name in off}
    sizes = {"dim": config["dim"], "hidden": config["dim"], "layers": 1, "alpha": 0.0, "beta": 0.0}
    settings = AWDLSTMConfig(len(vocab), **sizes, **dropped)
    mb.seed_everything(seed)
    model, steps = mb.AWDLSTM(settings, vocab), config["steps"]
    stream = [i for text in texts for i in (settings.start_id, *vocab.encode(text))]
    mb.fit(model, model.batches(stream, 32, 20), steps=steps, device="cpu", progress=False,
           optimizer=mb.optim.adamw(model, config["rate"], weight_decay=0.0),
           schedule=mb.optim.linear(steps, steps // 20))  # fmt: skip
    return model.eval()


class Company:
    """Which words go together: how often each noun stood before each verb, and no order."""

    def __init__(self, lessons):
        self.numbers = number_of_nouns(mb.world.world())
        self.verbs = {verb for e in lessons for verb in e.choices}
        self.counts, subjects = Counter(), defaultdict(set)
        for e in lessons:
            words = cut_up(e.info["good"])
            nouns, end = self.parted(words)
            self.counts.update((words[i], words[end]) for i in nouns)
            if nouns:
                subjects[self.numbers[words[nouns[0]]]].add(words[nouns[0]])
        self.subjects = {number: sorted(words) for number, words in subjects.items()}

    def parted(self, words):
        """(places of the nouns before the verb whose number shows, the verb's place).

        The *front* of "in front of" counts as no noun.
        """
        end = next((i for i, word in enumerate(words) if word in self.verbs), 0)
        shows = [len(self.numbers.get(word, ())) == 1 and word != "front" for word in words[:end]]
        return [i for i in range(end) if shows[i]], end

    def score(self, words):
        nouns, end = self.parted(words)
        return sum(np.log(self.counts[words[i], words[end]] + 0.5) for i in nouns)

    def nonsense(self, words, seed):
        """Each noun before the verb replaced by one of the same number that has been a subject."""
        draw, (nouns, _) = random.Random(seed), self.parted(words)
        replaced = {i: draw.choice(self.subjects[self.numbers[words[i]]]) for i in nouns}
        return [replaced.get(i, word) for i, word in enumerate(words)]


def agreement(seed, config):
    """Shares of pairs right, by misleading nouns (0 to 2; 3: more), and on nonsense.

    ``reader``, ``few`` (a quarter of the lessons), ``bracketed`` (brackets around the subject),
    ``trigram``, ``company`` (which words go together; half for a tie), ``nearest`` (the rule of the
    nearest noun). ``written``, ``fronted``: the reader on sentences whose nouns between can stand
    first, as they are and so. ``erased_...``: see `erasures`.
    """
    lessons = lessons_of(seed, config["lessons"])
    known, test = Company(lessons), mb.world.task("agreement", seed=seed).test
    pairs = [[cut_up(e.info[which]) for e in test] for which in ("good", "bad")]
    odd = [[known.nonsense(text, i) for i, text in enumerate(texts)] for texts in pairs]
    inside = [[bracketed(e, which) for e in test] for which in ("good", "bad")]
    texts = [cut_up(e.info["good"]) for e in lessons]
    readers = {
        "reader": (texts, pairs),
        "few": (texts[: config["few"]], pairs),
        "bracketed": ([bracketed(e, "good") for e in lessons], inside),
    }
    right, found = {}, {}
    for name, (read, asked) in readers.items():
        model = reader_of(read, config, seed)
        right[name] = mb.probe.minimal_pairs(model, *asked).right
        if name == "reader":
            found["reader_nonsense"] = mb.probe.minimal_pairs(model, *odd).accuracy
            for key, moved in (("written", False), ("fronted", True)):
                found[key] = mb.probe.minimal_pairs(model, *fronted(test, moved)).accuracy
            found |= erasures(model, known, seed)
    vocab = vocabulary([word for text in texts for word in ("</s>", *text)])
    ids = encode([word for text in texts for word in ("</s>", "</s>", *text)], vocab)
    counts = NGram(ids, len(vocab), 3)
    right["trigram"] = mb.probe.minimal_pairs(counts, *pairs, words=vocab).right
    for name, asked in (("company", pairs), ("company_nonsense", odd)):
        scores = [(known.score(a), known.score(b)) for a, b in zip(*asked, strict=True)]
        right[name] = np.array([(a > b) + 0.5 * (a == b) for a, b in scores])
    right["nearest"] = np.array([nearest(e, known.numbers) for e in test])
    missed = np.array([min(e.info["misleading"], 3) for e in test])
    for name, one in right.items():
        found[name] = float(one.mean())
        found |= {f"{name}_{n}": float(one[missed == n].mean()) for n in range(4)}
    return found


def fronted(examples, moved=True):
    """Good and bad sentences whose nouns between, being about a place, can stand first.

    "The goat near the oxen was asleep" becomes "near the oxen the goat was asleep" if ``moved``.
    """
    found = [], []
    for e in examples:
        prefix = cut_up(e.info["prefix"])
        if prefix[0] == "the" and prefix[2:3] and prefix[2] in PLACES:
            begin = prefix[2:] + prefix[:2] if moved else prefix
            for which, rows in zip(("good", "bad"), found, strict=True):
                rows.append(begin + cut_up(e.info[which])[len(prefix) :])
    return found


PLACES = ("near", "beside", "behind", "in")


def erasures(model, known, seed):
    """Verbs right after one direction of a property is erased, and what a probe still finds of it.

    The direction is the difference of the class means (Belrose et al. 2023), for the nearest noun
    within each number of the subject. ``erased_random``: of labels that are drawn, the mean of ten.
    """
    task = mb.world.task("agreement", seed=seed)
    rows, facts, begins = [], defaultdict(list), []
    for place, e in enumerate([*task.train, *task.test]):
        good, bad = cut_up(e.info["good"]), cut_up(e.info["bad"])
        nouns, end = known.parted(good)
        if end and good[end] != bad[end] and nouns and nouns[-1] == end - 1:
            begins.append(good[:end])
            rows.append(model.vocab.encode([good[end], bad[end]]))
            facts["train"].append(place < len(task.train))
            facts["subject"].append(e.label)
            facts["nearest"].append(int(known.numbers[good[end - 1]] == ("many",)))
            facts["any_between"].append(int(e.info["attractors"] > 0))
    states, facts = mb.probe.states(model, begins), {k: torch.tensor(v) for k, v in facts.items()}
    H = states.layer(1)[torch.tensor(states.lengths).cumsum(0) - 1]
    train, found = facts["train"], {}

    def erased(name, y, within):
        one = [H[train & (y == 1) & (within == k)].mean(0) for k in within.unique()]
        none = [H[train & (y == 0) & (within == k)].mean(0) for k in within.unique()]
        u = F.normalize(torch.stack(one).mean(0) - torch.stack(none).mean(0), dim=0)
        left = H - ((H - H.mean(0)) @ u)[:, None] * u
        probe = mb.probe.Linear().fit(left[train], y[train].tolist())
        found[f"probe_{name}"] = probe.score(left[~train], y[~train].tolist())
        found[f"verbs_{name}"] = verbs(left)

    def verbs(left):
        with torch.no_grad():
            logits = model.decoder(left).gather(1, torch.tensor(rows))[~train]
        return (logits[:, 0] > logits[:, 1]).float().mean().item()

    everywhere = torch.zeros(len(H), dtype=torch.long)
    for name in ("subject", "nearest", "any_between"):
        erased(name, facts[name], facts["subject"] if name == "nearest" else everywhere)
    generator, drawn = torch.Generator().manual_seed(seed), []
    for _ in range(10):
        erased("random", torch.randint(0, 2, (len(H),), generator=generator), everywhere)
        drawn.append(found["verbs_random"])
    found |= {"verbs_whole": verbs(H), "verbs_random": sum(drawn) / len(drawn)}
    return {f"erased_{name}": value for name, value in found.items() if name != "probe_random"}


def nearest(example, numbers):
    """Whether the nearest noun's number gives the right verb; half where that does not show."""
    number = numbers.get(cut_up(example.info["prefix"])[-1], ())
    return (number == ("many",)) == bool(example.label) if len(number) == 1 else 0.5


def asked(seed, config):
    """Shares of pairs right by bundled models, by misleading nouns (0, 1; 2: more)."""
    test = mb.world.task("agreement", seed=seed).test[: config["pairs"]]
    good, bad = ([e.info[which] for e in test] for which in ("good", "bad"))
    missed = np.array([min(e.info["misleading"], 2) for e in test])
    found = {}
    for name, model in family().items():
        if name in ("elmo", "word2vec"):
            continue
        model = (
            mb.heads.Pretraining.from_pretrained("minibert-bert").eval()
            if name == "bert"
            else model
        )
        right = mb.probe.minimal_pairs(model, good, bad).right
        found[name] = float(right.mean())
        found |= {f"{name}_{n}": float(right[missed == n].mean()) for n in range(3)}
    return found


# Probes of the world's words


@lru_cache(maxsize=1)
def family():
    """The bundled models of the world."""
    return {
        "bert": mb.BERT.from_pretrained("minibert-bert"),
        "elmo": mb.ELMo.from_pretrained("minibert-elmo"),
        "gpt": mb.GPT.from_pretrained("minibert-gpt"),
        "awd_lstm": mb.AWDLSTM.from_pretrained("minibert-awd-lstm-forward"),
        "word2vec": mb.Word2Vec.from_pretrained("minibert-word2vec"),
    }


def sentences_of(seed, config):
    """Training, validation and test sentences of the world, none twice."""
    corpus = mb.world.generate(tokens=config["tokens"], seed=5000 + seed)
    every = {s.text: s for d in corpus.documents for s in d.sentences if 6 <= len(s.tokens) <= 24}
    chosen = list(every.values())
    random.Random(seed).shuffle(chosen)
    ends = np.cumsum([config[name] for name in ("train", "valid", "test")])
    return [chosen[: ends[0]], chosen[ends[0] : ends[1]], chosen[ends[1] : ends[2]]]


def short(relation, head):
    return "root" if head < 0 else relation.split(":")[0]


PROPERTIES = {
    "pos": lambda s: list(s.pos),
    "relation": lambda s: [short(*pair) for pair in zip(s.relation, s.head, strict=True)],
    "parent": lambda s: [parent for parent, _ in s.tree.parents()],
    "grandparent": lambda s: [above for _, above in s.tree.parents()],
}


def known_only(parts):
    """The parts with None for labels that training has not."""
    names = {name for row in parts[0][1] for name in row}
    return [(s, [[y if y in names else None for y in row] for row in rows]) for s, rows in parts]


def probed(model, pool, words, labels, **options):
    """The `Scores` of a model's layers and their mix."""
    states = [mb.probe.states(model, part, pool) for part in words]
    parts = known_only(list(zip(states, labels, strict=True)))
    return mb.probe.probe(*parts[0], *parts[1:], make=MAKE, **options), parts


def told(name, scores):
    """Scores by layer, the best layer above the embeddings, the last one, and the mix."""
    layers = {n: v for n, v in scores.scores.items() if isinstance(n, int)}
    found = {f"{name}_{n}": v for n, v in layers.items()}
    if len(layers) > 1:
        above = [v for n, v in layers.items() if n]
        found |= {f"{name}_best": max(above), f"{name}_last": above[-1]}
        found[f"{name}_middle"] = sum(above[:-1]) / max(1, len(above) - 1)
    if "mix" in scores.scores:
        found[f"{name}_mix"] = scores["mix"]
    return found


def with_neighbours(model, words):
    """Static vectors of each word, of the one before it and of the one after it, as `States`."""
    if isinstance(model, mb.BERT):
        table, encode = model.embeddings.word.weight.detach(), model.tokenizer.encode
        vectors = [torch.stack([table[encode(word)[0]] for word in row]) for row in words]
    else:
        vectors = mb.probe.states(model, words).split(0)
    padded = [F.pad(x, (0, 0, 1, 1)) for x in vectors]
    rows = torch.cat([torch.cat([q[:-2], q[1:-1], q[2:]], 1) for q in padded])
    return mb.probe.word_states.States([rows], words)


def layers(seed, config):
    """Each property by model and layer; ``_usual``: each word's usual label; ``_majority``.

    ``_near_word2vec``, ``_near_bert``: static vectors of the word and of its two neighbours.
    """
    parts, found = sentences_of(seed, config), {}
    words = [[s.tokens for s in part] for part in parts]
    models = {**family(), "random": mb.probe.untrained(family()["bert"], seed)}
    for name, label in PROPERTIES.items():
        labels = [[label(s) for s in part] for part in parts]
        for model, one in models.items():
            chosen = [2] if model == "random" else None
            pool, mix = POOLS.get(model, "first"), model in ("bert", "elmo")
            scores, given = probed(one, pool, words, labels, layers=chosen, mix=mix)
            found |= told(f"{name}_{model}", scores)
        for model in ("word2vec", "bert"):
            near = [with_neighbours(models[model], part) for part in words]
            some = known_only(list(zip(near, labels, strict=True)))
            found[f"{name}_near_{model}"] = mb.probe.probe(*some[0], *some[1:], make=MAKE)[0]
        simple = mb.probe.baselines(given[0], given[2])
        found[f"{name}_usual"], found[f"{name}_majority"] = (
            simple["most frequent tag"],
            simple["majority"],
        )
    return found


def control(seed, config):
    """Relations from BERT by a linear probe and an MLP, and random labels of words by both.

    ``random_control_...``: the control task of a linear probe on BERT with random weights.
    """
    parts, found = sentences_of(seed, config), {}
    states = [mb.probe.states(family()["bert"], [s.tokens for s in part]) for part in parts]
    given = known_only([(s, list(map(PROPERTIES["relation"], part)))
                        for s, part in zip(states, parts, strict=True)])  # fmt: skip
    kinds = {"linear": MAKE, "mlp": partial(mb.probe.MLP, config["hidden"])}
    for name, make in kinds.items():
        real, random_one, gap = mb.probe.selectivity(*given[0], *given[1:], make=make,
                                                     layers=[0, 1, 4], seed=seed)  # fmt: skip
        for layer in gap:
            found |= {f"{name}_{layer}": real[layer], f"{name}_control_{layer}": random_one[layer]}
            found[f"{name}_selectivity_{layer}"] = gap[layer]
    blank = mb.probe.untrained(family()["bert"], seed)
    states = [mb.probe.states(blank, [s.tokens for s in part]) for part in parts]
    bare = [(s, rows) for s, (_, rows) in zip(states, given, strict=True)]
    _, random_one, _ = mb.probe.selectivity(*bare[0], *bare[1:], make=MAKE, layers=[0, 1, 4],
                                            seed=seed)  # fmt: skip
    found |= {f"random_control_{layer}": random_one[layer] for layer in (0, 1, 4)}
    for layer in (0, 1, 4):
        x, y = mb.probe.by_layer.unlabelled_out(*given[0])
        code = mb.probe.online_code(
            x.layer(layer), y, MAKE, (0.03, 0.06, 0.125, 0.25, 0.5, 1.0), seed=seed
        )
        found[f"compression_{layer}"] = code.compression
    return found


PAIRS = ("arcs", "roles", "coreference_pairs")


def pairs(seed, config):
    """Arcs, semantic roles, and who is meant: labels of pairs of words, as in edge probing."""
    found, models = {}, {n: family()[n] for n in ("bert", "elmo", "word2vec")}
    models["random"] = mb.probe.untrained(family()["bert"], seed)
    for name in PAIRS:
        words, places, labels = paired(name, seed, config)
        for model, one in models.items():
            states = [mb.probe.pairs_of(mb.probe.states(one, w), p)
                      for w, p in zip(words, places, strict=True)]  # fmt: skip
            parts = known_only(list(zip(states, labels, strict=True)))
            chosen = [2] if model == "random" else None
            scores = mb.probe.probe(*parts[0], *parts[1:], make=MAKE, mix=False, layers=chosen)
            found |= told(f"{name}_{model}", scores)
        simple = mb.probe.baselines(parts[0], parts[2])
        found[f"{name}_usual"] = simple["most frequent tag"]
        found[f"{name}_majority"] = simple["majority"]
    return found


def paired(name, seed, config):
    """(words, pairs of places, their labels), each for training, validation and test."""
    if name == "arcs":
        sizes = {"valid": 40, "test": 150, "tokens": 40_000}
        parts = sentences_of(seed, sizes | config)
        made = [mb.probe.arc_pairs([s.head for s in part], seed) for part in parts]
        words = [[s.tokens for s in part] for part in parts]
        return words, [one for one, _ in made], [labels for _, labels in made]
    task = mb.world.task(name, seed=seed)
    parts = [task.train[: config["train"]], task.valid[:60], task.test[:150]]
    words = [[list(e.tokens) for e in part] for part in parts]
    places = [[list(e.info["pairs"]) for e in part] for part in parts]
    return words, places, [[list(e.labels) for e in part] for part in parts]


SENTENCES = (
    "length",
    "word_content",
    "depth",
    "tense",
    "subject_number",
    "object_number",
    "word_order",
)


def sentences(seed, config):
    """SentEval's kind of question, asked of the mean of the word states of each layer."""
    found, models = {}, {n: family()[n] for n in ("bert", "elmo", "word2vec")}
    models["random"] = mb.probe.untrained(family()["bert"], seed)
    for name in SENTENCES:
        task = mb.world.task(f"probe.{name}", seed=seed)
        parts = [task.train[: config["train"]], task.valid, task.test]
        labels = [[[e.label] for e in part] for part in parts]
        for model, one in models.items():
            states = [mb.probe.pooled(mb.probe.states(one, [list(e.tokens) for e in part]))
                      for part in parts]  # fmt: skip
            scores = mb.probe.probe(states[0], labels[0], *zip(states[1:], labels[1:], strict=True),
                                    make=MAKE, mix=False)  # fmt: skip
            found |= told(f"{name}_{model}", scores)
        found[f"{name}_majority"] = max(Counter(e.label for e in parts[2]).values()) / len(parts[2])
    return found


# Trees


def tree_scores(models, words, heads, ignored, rank):
    """UUAS by model and layer, and of the chain."""
    lines = [mb.probe.chain(len(h), out) for h, out in zip(heads[2], ignored, strict=True)]
    found = {"chain": mb.probe.uuas(lines, heads[2], ignored)}
    for name, (model, layers) in models.items():
        states = [mb.probe.states(model, part) for part in words]
        for layer in range(len(states[0].layers)) if layers is None else layers:
            rows = [part.split(layer) for part in states]
            probe = mb.probe.StructuralProbe(rank).fit(rows[0], heads[0], (rows[1], heads[1]))
            found[f"{name}_{layer}"] = probe.uuas(rows[2], heads[2], ignored)
            if layer == 1:
                found[f"{name}_spearman"] = probe.spearman(rows[2], heads[2])
    return found


def trees(seed, config):
    """UUAS of the structural probe without punctuation, in the world; ``chain``: the next word."""
    parts = sentences_of(seed, config)
    words, heads = (
        [[getattr(s, name) for s in part] for part in parts] for name in ("tokens", "head")
    )
    ignored = [[tag == "PUNCT" for tag in s.pos] for s in parts[2]]
    blank = mb.probe.untrained(family()["elmo"], seed)
    models = {n: (family()[n], None) for n in ("elmo", "bert", "word2vec")} | {
        "random": (blank, [1])
    }
    return tree_scores(models, words, heads, ignored, config["rank"])


# What the objective does


class Encoder(nn.Module):
    """A one-way LSTM over words, with an output for each thing that it may be trained to do."""

    def __init__(self, words, labels, dim):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(words, dim), nn.LSTM(dim, dim, batch_first=True)
        self.word, self.label = nn.Linear(dim, words), nn.Linear(dim, labels)

    def forward(self, ids):
        """(batch, length) -> (batch, length, dim)."""
        return self.lstm(self.embedding(ids))[0]

    def loss(self, goal, ids, real, labels, other):
        """The mean loss of a goal; ``other``: the words of the sentence to be remembered, bags."""
        h = self(ids)
        if goal == "language model":
            return F.cross_entropy(self.word(h[:, :-1])[real[:, 1:]], ids[:, 1:][real[:, 1:]])
        if goal == "relations":
            return F.cross_entropy(self.label(h)[real], labels[real])
        last = h[torch.arange(len(h)), real.sum(1) - 1]
        logits = self.word(last).log_softmax(-1)
        return -(logits * other).sum(1).div(other.sum(1)).mean()


GOALS = ("language model", "relations", "skip-thought", "autoencoder", "random")


def padded(rows):
    return nn.utils.rnn.pad_sequence([torch.as_tensor(row) for row in rows], batch_first=True)


def pre_trained(goal, text, model, config, seed):
    """The encoder after training on (ids, labels, ids of the next sentence) triples."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=0.0)
    steps, size = config["steps"], model.embedding.num_embeddings
    for step in range(steps if goal != "random" else 0):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
        chosen = torch.randint(len(text), (32,), generator=generator).tolist()
        ids, labels = padded([text[i][0] for i in chosen]), padded([text[i][1] for i in chosen])
        real = torch.arange(ids.shape[1]) < torch.tensor([len(text[i][0]) for i in chosen])[:, None]
        bags = [text[i][2 if goal == "skip-thought" else 0] for i in chosen]
        other = torch.stack([torch.bincount(torch.tensor(b), minlength=size) for b in bags]).float()
        loss = model.loss(goal, ids, real, labels, other)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def encoded(documents, vocab, names):
    """(ids, relations as numbers, ids of the next sentence) of each sentence but the last."""
    found = []
    for document in documents:
        rows = [(vocab.encode(s.tokens), [names.get(r, 0) for r in PROPERTIES["relation"](s)])
                for s in document.sentences]  # fmt: skip
        found += [(*row, after[0]) for row, after in zip(rows, rows[1:], strict=False)]
    return found


def objectives(seed, config):
    """Parts of speech from LSTMs that were trained to do different things, by words of text."""
    held = mb.world.generate(tokens=config["test_tokens"], seed=9000 + seed)
    sentences = [s for d in held.documents for s in d.sentences]
    cut, found = len(sentences) // 2, {}
    for tokens in config["tokens"]:
        corpus = mb.world.generate(tokens=tokens, seed=8000 + seed)
        vocab = mb.text.Vocab.train(corpus.sentences(), min_count=2)
        read = [s for d in corpus.documents for s in d.sentences]
        every = sorted({r for s in read for r in PROPERTIES["relation"](s)})
        names = {name: i for i, name in enumerate(every)}
        text = encoded(corpus.documents, vocab, names)
        for goal in GOALS:
            torch.manual_seed(seed)
            model = Encoder(len(vocab), len(names), config["dim"])
            pre_trained(goal, text, model, config, seed)
            with torch.no_grad():
                x = [model(torch.tensor([vocab.encode(s.tokens)]))[0] for s in sentences]
            y = [list(s.pos) for s in sentences]
            parts = [(torch.cat(x[a:b]), [tag for row in y[a:b] for tag in row])
                     for a, b in ((0, cut), (cut, None))]  # fmt: skip
            key = goal.replace(" ", "_").replace("-", "_")
            found[f"{key}_{tokens}"] = MAKE().fit(*parts[0]).score(*parts[1])
    return found


# Real data


def folder():
    return Path(os.environ.get("MINIBERT_DATA", ""))


def readable(data, tokenizer, longest=40):
    """Examples of 5 words or more, of which each has a piece and a vector can be made."""
    return [
        e for e in data if 5 <= len(e.tokens) <= longest and all(map(tokenizer.encode, e.tokens))
    ]


def drawn(seed, config, train, test):
    """Training, validation and test examples."""
    draw = random.Random(seed)
    some = draw.sample(train, config["train"] + config["valid"])
    return [some[: config["train"]], some[config["train"] :], draw.sample(test, config["test"])]


@lru_cache(maxsize=1)
def published():
    """A published BERT, word vectors, and UD EWT's sentences that both can read."""
    model = mb.BERT.from_pretrained("all-minilm-l6-v2")
    vectors = mb.Word2Vec.from_pretrained("glove-6b-50d")
    files = [folder() / f"en_ewt-ud-{part}.conllu.xz" for part in ("train", "dev")]
    return model, vectors, [readable(mb.data.load(file), model.tokenizer) for file in files]


def real_words(seed, config):
    """UD EWT: parts of speech and relations from MiniLM, GloVe and a random MiniLM."""
    model, vectors, data = published()
    parts, found = drawn(seed, config, *data), {}
    words = [[list(e.tokens) for e in part] for part in parts]
    arcs = [[(e.info["relations"], e.info["heads"]) for e in part] for part in parts]
    labels = {
        "pos": [[list(e.labels) for e in part] for part in parts],
        "relation": [[[*map(short, *pair)] for pair in part] for part in arcs],
    }
    blank = mb.probe.untrained(model, seed)
    for name, rows in labels.items():
        scores, given = probed(model, "first", words, rows)
        found |= told(f"{name}_minilm", scores)
        found |= told(f"{name}_glove", probed(vectors, "first", words, rows)[0])
        found |= told(
            f"{name}_random", probed(blank, "first", words, rows, layers=[3], mix=False)[0]
        )
        simple = mb.probe.baselines(given[0], given[2])
        found[f"{name}_usual"], found[f"{name}_majority"] = (
            simple["most frequent tag"],
            simple["majority"],
        )
    return found


def real_trees(seed, config):
    """UD EWT: UUAS without punctuation by MiniLM's layers, of GloVe, random weights, the chain."""
    model, vectors, data = published()
    parts = drawn(seed, config, *data)
    words = [[list(e.tokens) for e in part] for part in parts]
    heads = [[list(e.info["heads"]) for e in part] for part in parts]
    ignored = [[tag == "PUNCT" for tag in e.labels] for e in parts[2]]
    models = {"minilm": (model, None), "glove": (vectors, None),
              "random": (mb.probe.untrained(model, seed), [2])}  # fmt: skip
    return tree_scores(models, words, heads, ignored, config["rank"])


def real_names(seed, config):
    """WikiANN: tags of names, word by word, from MiniLM and GloVe."""
    model, vectors, _ = published()
    files = [folder() / f"wikiann_en_{part}.iob2.xz" for part in ("train", "dev")]
    data = [readable(mb.data.load(file), model.tokenizer) for file in files]
    parts, found = drawn(seed, config, *data), {}
    words = [[list(e.tokens) for e in part] for part in parts]
    rows = [[list(e.labels) for e in part] for part in parts]
    scores, given = probed(model, "first", words, rows)
    found |= told("minilm", scores) | told("glove", probed(vectors, "first", words, rows)[0])
    blank = mb.probe.untrained(model, seed)
    found |= told("random", probed(blank, "first", words, rows, layers=[3], mix=False)[0])
    simple = mb.probe.baselines(given[0], given[2])
    found["usual"], found["majority"] = simple["most frequent tag"], simple["majority"]
    return found


def blimp(seed, config):
    """BLiMP, the first pairs of each of its 67 sets, by phenomenon; nothing is drawn."""
    if seed:
        raise ValueError("nothing is drawn here: measure one seed, --only blimp --seeds 1")
    pairs = mb.data.load("blimp")
    sets, count = Counter(), config["pairs"]
    kept = []
    for i, name in enumerate(pairs.labels["set"]):
        sets[name] += 1
        if sets[name] <= count:
            kept.append(i)
    pairs = pairs.part(kept)
    text = [mb.text.tokenise(line) for line in wiki(config["counted"])]
    tokens = [word for line in text for word in ("</s>", *line)]
    vocab, few = vocabulary(tokens), frequent(tokens, config["words"])
    ids = encode(tokens, vocab)
    found = {"pairs": len(pairs), "tokens": len(ids)}
    english = mb.heads.MaskedLM.from_pretrained("minibert-bert-english").eval()
    scorers = {
        "trigram": (NGram(ids, len(vocab), 3), {"words": vocab}),
        "fivegram": (NGram(encode(tokens, few), len(few), 5), {"words": few}),
        "gpt": (mb.GPT.from_pretrained("minibert-gpt-english"), {}),
        "bert": (english, {}),
        "smollm2": (mb.GPT.from_pretrained("smollm2-135m-instruct"), {}),
    }
    for name, (model, options) in scorers.items():
        scores = mb.probe.minimal_pairs(model, pairs.good, pairs.bad, **options)
        found[name], found[f"{name}_ties"] = scores.accuracy, scores.ties
        for kind, share in scores.by(pairs.labels["phenomenon"]).items():
            found[f"{name}_{kind}"] = share
    return found


def frequent(tokens, count):
    """A `vocabulary` of so many of the most frequent words: a 5-gram packs five into 64 bits."""
    counts = Counter(tokens)
    least = sorted(counts.values(), reverse=True)[min(count, len(counts) - 1)] + 1
    return vocabulary(tokens, least)


def wiki(files):
    """Lines of Wikipedia, of so many files."""
    for number in range(files):
        yield from mb.data.load(folder() / f"wiki_train_{number:02d}.txt.xz").paragraphs()
