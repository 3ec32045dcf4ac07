"""The experiments of chapter 07: what Radford et al. (2018) claim, measured on the embedded world.

``growth`` pre-trains one GPT as `minibert-gpt` was, only smaller, and asks its snapshots.
``asked`` and ``verbs`` put questions to the bundled GPT, which was trained for no task. ``layers``
fine-tunes it, whole, in parts, and with random weights in its place; ``longer`` gives the last, and
the vectors alone, four times the updates. A seed draws the examples, and what is random after the
pre-training: new layers and the order of the batches.
``blimp`` and ``circles`` ask models of real English, and ``real_text`` counts how much a text that
people wrote repeats; nothing is drawn there, so they have one seed, and need the data, or the
weights of SmolLM2.
"""

import copy
import json
import math
from collections import Counter
from functools import cache
from itertools import islice

import torch
from torch.nn.utils.rnn import pad_sequence

import minibert as mb
from minibert.models.baselines import NGram
from minibert.text.bpe import EOT

LONG = {  # as in the recipe of minibert-gpt
    "tokens": 3_000_000,
    "pieces": 3_000,
    "model": {"dim": 128, "layers": 4, "heads": 4, "hidden": 512, "max_length": 192},
    "init_std": 0.049,
    "length": 192,
    "batch_size": 12,
    "steps": 5_000,
    "rate": 0.002,
    "snapshots": [0, 0.1, 0.25, 0.5, 0.75, 1.0],
}
SETS = {  # of BLiMP -> the name of its measures
    "regular_plural_subject_verb_agreement_1": "regular",
    "irregular_plural_subject_verb_agreement_1": "irregular",
    "distractor_agreement_relational_noun": "noun",
    "distractor_agreement_relative_clause": "clause",
    "anaphor_number_agreement": "pronoun",
}
PLURAL = {"are", "were", "have", "do", "themselves"}
BEGINS = [
    "The city of", "In the spring of", "He was", "She looked", "The river", "After the war",
    "The first", "There was", "It is", "They went", "The king", "My dear",
]  # fmt: skip
FINE = {"rate": 0.001, "auxiliary": 0.5, "test": 120}
CONFIG = {
    "growth": {
        "pretraining": LONG,
        "examples": {"story_cloze": 100, "sentiment": 150, "agreement": 150},
        "test_tokens": 3_000,
    },
    "asked": {"stories": 120, "agreement": 500, "counted": 300_000, "kept": 200_000},
    "verbs": {"agreement": 500, "counted": 300_000},
    "layers": FINE | {"topic": {"labels": 60, "steps": 40, "batch_size": 8}},
    "longer": FINE
    | {
        "topic": {"labels": 60, "steps": 160, "batch_size": 8},
        "many": {"topic": {"labels": 200, "steps": 200, "batch_size": 8}, "test": 200},
    },
    "blimp": {"start": "minibert-gpt-english", "pairs": 300},
    "circles": {"small": "minibert-gpt-english", "today": "smollm2-135m-instruct", "most": 100},
    "real_text": {"start": "minibert-gpt-english", "data": "wiki_valid", "texts": 1_000},
}
SMALL = LONG | {"tokens": 6_000, "pieces": 400, "steps": 10}
SMALL["model"] = {"dim": 16, "layers": 4, "heads": 2, "hidden": 32, "max_length": 192}
FEW = {"labels": 12, "steps": 2, "batch_size": 4}
SMOKE = {
    "growth": {
        "pretraining": SMALL,
        "examples": {"sentiment": 10, "story_cloze": 10, "agreement": 10},
        "test_tokens": 500,
    },
    "asked": {"stories": 10, "agreement": 60, "counted": 3_000, "kept": 10_000},
    "verbs": {"agreement": 60, "counted": 3_000},
    "layers": {"topic": FEW, "test": 10},
    "longer": {"topic": FEW, "test": 10, "many": {"topic": FEW, "test": 10}},
    "blimp": {"pairs": 5},
    "circles": {"today": "minibert-gpt", "most": 10},
    "real_text": {"texts": 5},
}
VERDICTS = " I cannot recommend it.", " I can recommend it."  # of a negative, a positive review


def growth(seed, config):
    """What snapshots of one pre-training answer (figure 2, right), and pay for new text, ``nats``.

    Curves over the snapshots, one a task; ``_first``, ``_early`` (the second) and ``_last``.
    """
    held_out = mb.world.generate(config["test_tokens"], 30_000 + seed)
    models = pretrained(json.dumps(config["pretraining"]))
    found = {"nats": [nats_a_token(model, held_out) for model in models]}
    for name, count in config["examples"].items():
        examples = mb.world.task(name, seed=seed).test[:count]
        found[name] = [answered(model, name, examples) for model in models]
    ends = {"first": 0, "early": 1, "last": -1}
    found |= {f"{name}_{end}": found[name][at] for name in list(found) for end, at in ends.items()}
    return {"floor": held_out.floor, **found}


def asked(seed, config):
    """What the bundled GPT answers without fine-tuning, and what cheaper ways to answer give.

    ``stories``; ``stories_alone``: the end without its story; ``stories_counted``: a trigram model;
    ``stories_shared``: see `sharing`; ``stories_remembered``: see `remembering`;
    ``stories_forgotten``: GPT's share of those that remembering gets wrong, ``stories_missed`` of
    them. ``agreement``, and of it the examples with no noun between subject and verb,
    ``agreement_none``, with such nouns of the subject's number, ``_same``, and of the other number,
    ``_misleading``.
    """
    gpt = mb.GPT.from_pretrained("minibert-gpt")
    stories = mb.world.task("story_cloze", seed=seed).test[: config["stories"]]
    counts = trigram(gpt.tokenizer, config["counted"])
    score = scores_of(gpt)
    said = ends_right(score, gpt.tokenizer, stories)
    memory = remembering(stories, config["kept"])
    missed = [ours for ours, theirs in zip(said, memory, strict=True) if not theirs]
    found = {
        "stories": mean(said),
        "stories_remembered": mean(memory),
        "stories_forgotten": mean(missed),
        "stories_missed": len(missed),
        "stories_alone": mean(ends_right(score, gpt.tokenizer, stories, alone=True)),
        "stories_counted": mean(ends_right(counted(counts), gpt.tokenizer, stories)),
        "stories_shared": sharing(stories),
    }
    for name, ways in (("agreement", score), ("agreement_counted", counted(counts))):
        examples = mb.world.task("agreement", seed=seed).test[: config["agreement"]]
        right = verbs_right(ways, gpt.tokenizer, examples)
        found[name] = mean(right)
        for kind in ("none", "same", "misleading"):
            some = [r for r, e in zip(right, examples, strict=True) if between(e) == kind]
            found[f"{name}_{kind}"] = mean(some)
    return found


def verbs(seed, config):
    """Agreement as in `asked`, and by the subject's number: ``gpt_none_singular``, ``_plural``, ...

    ``counted_...``: the trigram model.
    """
    gpt, found = mb.GPT.from_pretrained("minibert-gpt"), {}
    examples = mb.world.task("agreement", seed=seed).test[: config["agreement"]]
    counts = trigram(gpt.tokenizer, config["counted"])
    for name, score in (("gpt", scores_of(gpt)), ("counted", counted(counts))):
        right = verbs_right(score, gpt.tokenizer, examples)
        for kind in ("none", "same", "misleading"):
            for label, number in enumerate(("singular", "plural")):
                some = [r for r, e in zip(right, examples, strict=True)
                        if between(e) == kind and e.label == label]  # fmt: skip
                found[f"{name}_{kind}_{number}"] = mean(some)
    return found


def layers(seed, config):
    """Accuracy with the first layers of the bundled GPT alone (figure 2, left).

    ``0``: the vectors, ``1`` ... : with so many blocks; ``scratch``: nothing; ``curve``: all. Also
    ``no_auxiliary``, ``counted`` (`WordCounts` on the same labels) and ``chance``.
    """
    gpt = mb.GPT.from_pretrained("minibert-gpt")
    depth = gpt.config.layers
    found = {"scratch": tuned(first_layers(gpt, None, seed), config, seed)}
    for count in range(depth):
        found[str(count)] = tuned(first_layers(gpt, count, seed), config, seed)
    found["full"] = tuned(gpt, config, seed)
    found["curve"] = list(found.values())
    found["no_auxiliary"] = tuned(gpt, config | {"auxiliary": 0.0}, seed)
    return found | cheap(config, seed)


def longer(seed, config):
    """Accuracy of the vectors alone, ``0``, and of nothing, ``scratch``, with more updates.

    ``_alone``: without the auxiliary loss. ``many``: nothing, so, with more labels;
    ``many_counted``: `WordCounts` on the same.
    """
    gpt, found = mb.GPT.from_pretrained("minibert-gpt"), {}
    task_only, many = config | {"auxiliary": 0.0}, config | {"auxiliary": 0.0} | config["many"]
    for name, count in (("0", 0), ("scratch", None)):
        found[name] = tuned(first_layers(gpt, count, seed), config, seed)
        found[f"{name}_alone"] = tuned(first_layers(gpt, count, seed), task_only, seed)
    found["many"] = tuned(first_layers(gpt, None, seed), many, seed)
    return found | {"many_counted": cheap(many, seed)["counted"]}


# Pre-training.


def blimp(seed, config):
    """The share of pairs of real English in which the right sentence has the higher mean log p.

    Of each of `SETS`, and of its pairs whose right verb or pronoun is the singular, the plural.
    """
    once(seed)
    model = mb.GPT.from_pretrained(config["start"]).eval()
    pairs = mb.data.load("blimp")
    found = {}
    for title, name in SETS.items():
        some = pairs.where(set=title).part(range(config["pairs"]))
        good, bad = some.good, some.bad
        sides = []
        for texts in (good, bad):
            ids = [model.tokenizer.encode(text) for text in texts]
            told = log_p(model, [[model.tokenizer.end_id]] * len(ids), ids).tolist()
            sides.append([score / len(one) for score, one in zip(told, ids, strict=True)])
        said = [float(a > b) for a, b in zip(*sides, strict=True)]
        many = [is_plural(a, b) for a, b in zip(good, bad, strict=True)]
        found[name] = mean(said)
        for kind, wanted in (("singular", False), ("plural", True)):
            kept = [right for right, several in zip(said, many, strict=True) if several == wanted]
            found[f"{name}_{kind}"] = mean(kept)
    return found


def circles(seed, config):
    """The share of runs of four pieces that stood before in greedy texts, 50 and 100 pieces long.

    Of ``small`` and of ``today``, over `BEGINS`.
    """
    once(seed)
    found, most = {}, config["most"]
    for name in ("small", "today"):
        model = mb.GPT.from_pretrained(config[name]).eval()
        begun = [model.tokenizer.encode(text) for text in BEGINS]
        texts = model.generate(begun, most, temperature=0, stop=[])
        for n in (most // 2, most):
            found[f"{name}_{n}"] = mean([repeated(ids[: len(ids) - most + n]) for ids in texts])
    return found


def real_text(seed, config):
    """The same share in paragraphs of Wikipedia, cut to so many pieces of ``start``: ``cut_50``.

    `circles` counts a beginning of three pieces or so, too; the difference is small.
    """
    once(seed)
    tokenizer = mb.GPT.from_pretrained(config["start"]).tokenizer
    texts = map(tokenizer.encode, mb.data.load(config["data"]).lines())
    texts = list(islice((ids for ids in texts if len(ids) >= 100), config["texts"]))
    return {f"cut_{n}": mean([repeated(ids[:n]) for ids in texts]) for n in (50, 100)}


def once(seed):
    if seed:
        raise ValueError("nothing is drawn here: measure one seed, --seeds 1")


def is_plural(good, bad):
    """Whether the right word of a pair of sentences, a verb or a pronoun, is the plural."""
    words = zip(good.split(), bad.split(), strict=True)
    good, bad = next((a, b) for a, b in words if a != b)
    good, bad = (word.strip(".").removesuffix("n't") for word in (good, bad))
    return good in PLURAL or bad in (good + "s", good + "es", good[:-1] + "ies")


def repeated(ids, n=4):
    """The share of runs of n pieces that stood in the text before."""
    runs = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return 1 - len(set(runs)) / max(len(runs), 1)


@cache
def pretrained(settings):
    """Copies of a GPT at some shares of its training, the last one when it was done."""
    settings = json.loads(settings)
    corpus = mb.world.generate(settings["tokens"], 1000)
    documents = [document.text for document in corpus.documents]
    tokenizer = mb.text.BPE.train(documents, settings["pieces"], specials=(EOT,))
    ids = ids_of(tokenizer, corpus)
    mb.seed_everything(0)
    config = mb.GPTConfig(
        len(tokenizer), dropout=0.0, attention_dropout=0.0, init_std=settings["init_std"],
        **settings["model"],
    )  # fmt: skip
    model, steps = mb.GPT(config, tokenizer), settings["steps"]
    batches = mb.text.BlockBatches(
        torch.tensor(ids).numpy(), settings["batch_size"], settings["length"], seed=0
    )
    kept = Snapshots(model, [round(share * steps) for share in settings["snapshots"]])
    mb.fit(
        model, batches, steps=steps, callbacks=[kept],
        optimizer=mb.optim.adamw(model, settings["rate"]),
        schedule=mb.optim.cosine(steps, warmup=steps // 20), progress=False,
    )  # fmt: skip
    return kept.models


class Snapshots:
    """Copies of a model after some updates, 0 for before the first."""

    def __init__(self, model, steps):
        self.model, self.steps = model, steps
        self.models = [copy.deepcopy(model).eval()] * (0 in steps)

    def on_step(self, run):
        if run.step in self.steps:
            self.models.append(copy.deepcopy(self.model).eval())


def first_layers(model, count, seed):
    """A new model with the embeddings and ``count`` blocks of another; None: with nothing of it."""
    mb.seed_everything(seed)
    new = mb.GPT(model.config, model.tokenizer)
    if count is not None:
        for kept, given in zip(new.layer_groups()[: count + 1], model.layer_groups(), strict=False):
            for a, b in zip(kept, given, strict=True):
                a.load_state_dict(b.state_dict())
    return new


def ids_of(tokenizer, corpus):
    """All texts of a corpus one after the other, as ids."""
    ids = [tokenizer.end_id]
    for document in corpus.documents:
        ids += [*tokenizer.encode(document.text), tokenizer.end_id]
    return ids


@cache
def trigram(tokenizer, tokens):
    """An interpolated trigram model of the pieces of some text."""
    corpus = mb.world.generate(tokens, 1000)
    return NGram(ids_of(tokenizer, corpus), len(tokenizer), order=3, start=tokenizer.end_id)


# Asking without fine-tuning. A score: (lists of ids before, of endings) -> log p of each ending.


def scores_of(model):
    return lambda begins, endings: log_p(model, begins, endings).tolist()


def counted(counts):
    """The same from a model that counts."""

    def score(begins, endings):
        texts = zip(begins, endings, strict=True)
        return [counts.log_probs(a + b)[len(a) :].sum() for a, b in texts]

    return score


def mean(right):
    """The share of what is true; a half of nothing."""
    return sum(right) / len(right) if right else 0.5


def ends_right(score, tokenizer, examples, alone=False):
    """For each story whether its right end has the likelier tokens, on average."""
    begins, endings = [], []
    for example in examples:
        before = [tokenizer.end_id, *([] if alone else tokenizer.encode(example.text))]
        begins += [before] * 2
        endings += [tokenizer.encode(" " + choice) for choice in example.choices]
    told = [p / len(end) for p, end in zip(score(begins, endings), endings, strict=True)]
    said = [second > first for first, second in zip(told[::2], told[1::2], strict=True)]
    return [a == e.label for a, e in zip(said, examples, strict=True)]


def remembering(examples, tokens, nearest=5):
    """For each story whether the kept stories that are most like it tell its end.

    Of so many ``tokens`` of stories, the ``nearest`` share most with the new one, each word by its
    rarity; of the two sentences, the one that shares more with *their* ends is taken.
    """
    kept = [d.lines() for d in mb.world.generate(tokens, 1, kinds=["story"]).documents]
    read = [(bag(" ".join(before)), bag(end)) for *before, end in kept if before]
    often = Counter(word for before, end in read for word in before | end)

    def weight(words):
        return sum(math.log(len(read) / often[word]) for word in words if word in often)

    right = []
    for example in examples:
        known = bag(example.text)
        alike = sorted(read, key=lambda row: weight(row[0] & known) / weight(row[0]) ** 0.5)
        told = [sum(weight(bag(choice) & end) for _, end in alike[-nearest:])
                for choice in example.choices]  # fmt: skip
        right.append(told.index(max(told)) == example.label)
    return right


def bag(text):
    """The different words of a text."""
    return set("".join(c if c.isalpha() else " " for c in text.lower()).split())


def sharing(examples):
    """The share of stories whose right end has more of its words in the story; a tie is half."""
    right = 0.0
    for example in examples:
        known = set(mb.text.tokenise(example.text.lower()))
        ends = [mb.text.tokenise(choice.lower()) for choice in example.choices]
        shares = [sum(word in known for word in end) / len(end) for end in ends]
        better = shares[example.label] - shares[1 - example.label]
        right += 0.5 if better == 0 else float(better > 0)
    return right / len(examples)


def answered(model, name, examples):
    """The share of examples that a model tells right; a review by the likelier of `VERDICTS`."""
    score, tokenizer = scores_of(model), model.tokenizer
    if name == "story_cloze":
        return mean(ends_right(score, tokenizer, examples))
    if name == "agreement":
        return mean(verbs_right(score, tokenizer, examples))
    begins = [[tokenizer.end_id, *tokenizer.encode(e.text)] for e in examples for _ in VERDICTS]
    told = score(begins, [tokenizer.encode(text) for text in VERDICTS] * len(examples))
    pairs = zip(told[::2], told[1::2], examples, strict=True)
    return sum((b > a) == (e.label == "positive") for a, b, e in pairs) / len(examples)


def verbs_right(score, tokenizer, examples):
    """For each example whether its right verb is the likelier one."""
    begins, endings = [], []
    for example in examples:
        begins += [[tokenizer.end_id, *tokenizer.encode(example.info["prefix"])]] * 2
        endings += [tokenizer.encode(" " + choice) for choice in example.choices]
    told = score(begins, endings)
    pairs = zip(told[::2], told[1::2], examples, strict=True)
    return [float((second > first) == example.label) for first, second, example in pairs]


def between(example):
    """Which nouns stand between subject and verb: of the subject's number, of the other, both."""
    nouns, misleading = example.info["attractors"], example.info["misleading"]
    if not nouns:
        return "none"
    return {0: "same", nouns: "misleading"}.get(misleading, "mixed")


@torch.no_grad()
def log_p(model, begins, endings, batch_size=50):
    """log p of each ending after what begins it (lists of lists of ids): (texts,), in nats."""
    most = model.config.max_length
    rows = [torch.tensor((a + b)[-most:]) for a, b in zip(begins, endings, strict=True)]
    found = torch.zeros(len(rows))
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for start in range(0, len(order), batch_size):
        some = order[start : start + batch_size]
        ids = pad_sequence([rows[i] for i in some], batch_first=True)  # (batch, length)
        mask = torch.arange(ids.shape[1]) < torch.tensor([len(rows[i]) for i in some])[:, None]
        hidden = model(ids, mask.long()).last_hidden_state
        for row, i in enumerate(some):
            first, last = len(rows[i]) - len(endings[i]), len(rows[i])
            scores = model.logits(hidden[row, first - 1 : last - 1]).log_softmax(-1)
            found[i] = scores.gather(1, rows[i][first:, None]).sum()
    return found


def nats_a_token(model, corpus):
    """What a model pays for a corpus, in nats a token of the world."""
    return -model.log_probs(ids_of(model.tokenizer, corpus)).sum() / len(corpus)


# Fine-tuning.


def tuned(model, config, seed):
    """Accuracy on which kind of text it is, after fine-tuning a copy of ``model``."""
    data, settings = mb.world.task("topic", seed=seed), config["topic"] | {"rate": config["rate"]}
    mb.seed_everything(seed)
    new, first = mb.heads.framed(model)
    framing = mb.text.Framing(model.tokenizer, first, model.config.max_length)
    learned, test = (
        [framing.text(e.text, data.labels.index(e.label)) for e in examples]
        for examples in (data.train[: settings["labels"]], data.test[: config["test"]])
    )
    head = mb.heads.LastToken(new, len(data.labels), config["auxiliary"])
    learn(head, learned, settings, seed)
    return right(head, test)


def cheap(config, seed):
    """What counting words makes of the same labels, and chance."""
    data = mb.world.task("topic", seed=seed)
    learned = data.train[: config["topic"]["labels"]]
    counts = mb.models.cheap.WordCounts().fit(learned, data.valid)
    return {"chance": 1 / len(data.labels), "counted": counts.score(data.test[: config["test"]])}


def learn(head, examples, settings, seed):
    """Fine-tune: a tenth of the updates to warm up, then down to zero."""
    steps = settings["steps"]
    trained = [p for p in head.parameters() if p.requires_grad]
    mb.fit(
        head, mb.text.PaddedBatches(examples, settings["batch_size"], seed=seed), steps=steps,
        optimizer=torch.optim.AdamW(trained, settings["rate"]),
        schedule=mb.optim.linear(steps, warmup=steps // 10), progress=False,
    )  # fmt: skip


@torch.no_grad()
def right(head, examples):
    """The share of examples with the right label."""
    found = mb.heads.predictions.each(
        head,
        mb.text.PaddedBatches(examples, 32, shuffle=False),
        lambda batch, logits: logits.argmax(-1).cpu() == batch["labels"],
    )
    return torch.cat(found).float().mean().item()
