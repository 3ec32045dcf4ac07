"""The experiments of chapter 10: what to train of a model that was pre-trained.

``tradeoff_*``: a published model (all-minilm-l6-v2) on three real tasks, trained in eight ways: the
score, the share of the weights that learns, processor seconds and bytes. Near to what the model was
trained for, pairs of sentences by their meaning, are intents of `banking77`, of which twenty are
told apart; far are the names of `wikiann`; `subjectivity` stands between them. ``rates_*``: the
scores on valid that chose each way's rate. Both need the data and the weights.

The test is the same in all seeds. A seed draws the examples to learn from, the new layers and the
order of the batches. Scores are shares: accuracy, or F1 of names.
"""

import copy
import time
from argparse import Namespace
from dataclasses import replace
from functools import lru_cache
from statistics import fmean, stdev

import numpy as np
import torch

import minibert as mb
from minibert.commands.finetune import bert, common
from minibert.commands.finetune.tasks import task_for
from minibert.heads.pooling import PoolingClassifier
from minibert.heads.tagger import span_f1
from minibert.models.cheap import Majority, MostFrequentTag, WordCounts
from minibert.text.batches import BlockBatches
from minibert.training.loop import evaluate
from minibert.training.optim import linear
from minibert.world.tasksets import tasks

WAYS = {  # the names of measures -> those of `minibert.commands.finetune.bert`
    "full": "fine-tuned",
    "features": "features",
    "adapters": "adapters",
    "lora": "lora",
    "bitfit": "bitfit",
    "prompts": "prompts",
    "pal": "pal",
    "scratch": "from scratch",
}
SMALL, MIDDLE, LARGE = (1e-4, 3e-4, 1e-3), (1e-3, 3e-3, 1e-2), (1e-2, 3e-2, 1e-1)
ORDERS = {  # how -> the order of `minibert.transfer.rates`, and the factor between layers' rates
    "plain": ("all", 1.0),
    "top": ("top", 1.0),
    "chain": ("chain-thaw", 1.0),
    "gradual": ("gradual", 1.0),
    "sequential": ("sequential", 1.0),
    "discriminative": ("all", 2.6),
}
GRID = {
    "full": SMALL,
    "features": MIDDLE,
    "adapters": MIDDLE,
    "lora": MIDDLE,
    "bitfit": (3e-3, 1e-2, 3e-2),
    "prompts": LARGE,
    "pal": MIDDLE,
    "scratch": SMALL,
}
PARTS = ("labels", "valid", "test")  # how many examples of train, valid and test
BEYOND = 1  # further rate that is tried where the best one lies at an end of the grid
STEP = 3.16  # from the last rate to the next one
REAL = {
    "start": "all-minilm-l6-v2",
    "length": 64,
    "batch_size": 16,
    "epochs": 5,
    "valid": 300,
    "test": 500,
}
SUBJECTIVITY = {**REAL, "task": "subjectivity", "labels": 256}
BANKING = {**REAL, "task": "banking77", "labels": 400, "intents": 20}  # in their order
WIKIANN = {**REAL, "task": "wikiann", "labels": 400}
TUNE = {"seed": 100, "grid": GRID}
HIGH = (3e-4, 1e-3, 3e-3)
ORDERED = {
    "task": "topic",
    "length": 128,
    "labels": 100,
    "steps": 70,
    "batch_size": 16,
    "valid": 300,
    "test": 500,
}
KEPT = {
    "task": "topic",
    "length": 128,
    "labels": 200,
    "epochs": 6,
    "batch_size": 16,
    "rate": 1e-3,
    "valid": 300,
    "test": 500,
    "old_tokens": 8_000,
    "fisher_tokens": 10_000,
}

CONFIG = {
    "rates_subjectivity": {**SUBJECTIVITY, **TUNE},
    "rates_banking77": {**BANKING, **TUNE},
    "rates_wikiann": {**WIKIANN, **TUNE},
    "tradeoff_wikiann": {
        **WIKIANN,
        "rates": {
            "full": 3e-4,
            "features": 1e-2,
            "adapters": 3e-3,
            "lora": 1e-2,
            "bitfit": 3e-2,
            "prompts": 3e-3,
            "pal": 1e-3,
            "scratch": 3e-4,
        },
    },
    "tradeoff_subjectivity": {
        **SUBJECTIVITY,
        "rates": {
            "full": 1e-4,
            "features": 1e-2,
            "adapters": 1e-3,
            "lora": 3e-3,
            "bitfit": 3e-3,
            "prompts": 0.1,
            "pal": 1e-3,
            "scratch": 3e-5,
        },
    },
    "tradeoff_banking77": {
        **BANKING,
        "rates": {
            "full": 3e-4,
            "features": 1e-2,
            "adapters": 3e-3,
            "lora": 1e-2,
            "bitfit": 3e-2,
            "prompts": 1e-1,
            "pal": 3e-3,
            "scratch": 1e-4,
        },
    },
    "rates_order": {
        **ORDERED,
        "seed": 100,
        "grid": {"bert": HIGH, "lstm": (2e-3, 5e-3, 1e-2)},
        "orders": list(ORDERS),
    },
    "order": {
        **ORDERED,
        "rates": {
            "bert": {
                "plain": 3e-4,
                "top": 9e-3,
                "chain": 3e-3,
                "gradual": 1e-3,
                "sequential": 3e-3,
                "discriminative": 3e-3,
            },
            "lstm": {
                "plain": 5e-3,
                "top": 5e-3,
                "chain": 1e-2,
                "gradual": 5e-3,
                "sequential": 2e-3,
                "discriminative": 5e-3,
            },
        },
        "restarts": 3,
        "factors": [0.1, 0.32, 3.2, 10.0],
    },
    "strengths": {
        **KEPT,
        "seeds": [100],
        "valid": 500,
        "grid": {
            "slow": [1e-4, 2e-4, 5e-4, 1e-3, 2e-3],
            "l2sp": [1e-3, 1e-2, 1e-1],
            "ewc": [0.1, 0.3, 1.0, 3.0],
            "lwf": [0.3, 1.0, 3.0],
        },
    },
    "forgetting": {
        **KEPT,
        "strengths": {"none": 0.0, "slow": 5e-4, "l2sp": 1e-2, "ewc": 0.3, "lwf": 1.0},
    },
}
FEW = {"labels": 10, "valid": 10, "test": 10, "epochs": 1}
SMOKE = {
    f"rates_{name}": {**FEW, "grid": {"full": SMALL, "features": MIDDLE}}
    for name in ("subjectivity", "banking77", "wikiann")
}
SMOKE["rates_order"] = FEW | {"steps": 5, "orders": ["plain", "gradual"]}
SMOKE["order"] = FEW | {"steps": 5, "restarts": 2, "factors": [0.1]}
SMOKE["forgetting"] = FEW | {"old_tokens": 2_000, "fisher_tokens": 300}
SMOKE["strengths"] = FEW | {"seeds": [100], "old_tokens": 2_000, "fisher_tokens": 300}
SMOKE |= {
    f"tradeoff_{name}": {**FEW, "rates": {"full": 1e-4, "lora": 1e-3}}
    for name in ("wikiann", "subjectivity", "banking77")
}


@lru_cache(maxsize=2)
def model(start):
    """The model to start from; read only, copied before it is trained."""
    return mb.BERT.from_pretrained(start)


def drawn(seed, config):
    """(task, train, valid, test): the world's data, or real ones as `minibert finetune` does it."""
    if config["task"] in tasks():
        given = mb.world.task(config["task"], seed=seed)
        sizes = zip((given.train, given.valid, given.test), PARTS, strict=True)
        parts = (examples[: config[size]] for examples, size in sizes)
        return task_for(given, config["length"]), *parts
    asked = Namespace(task=config["task"], held_out="", columns="", kind=None, separator=None)
    given, (train, valid, test) = common.read_task(asked, bert.SHARES)
    if few := given.labels[: config.get("intents", 0)]:
        given = replace(given, labels=few)
        train, valid, test = ([e for e in p if e.label in few] for p in (train, valid, test))
    train = common.some(train, config["labels"], seed)
    parts = train, common.some(valid, config["valid"], 0), common.some(test, config["test"], 0)
    return task_for(given, config["length"]), *parts


def score(head, task, examples):
    """What the task is judged by, the first of its scores."""
    return next(iter(task.scores(head, examples).values()))


def taught(way, rate, drawn_task, seed, config):
    """(a head that one of the `WAYS` has trained, processor seconds of the training)."""
    task, train = drawn_task
    mb.seed_everything(seed)
    head = bert.new_head(WAYS[way], model(config["start"]), task)
    read = task.examples(head, train)
    options = {"batch_size": config["batch_size"], "seed": seed}
    began = time.process_time()
    bert.fit_head(head, read, rate, config["epochs"], **options)
    return head, time.process_time() - began


def tuned(seed, config):
    """The scores on valid of each way and rate, `WAY_RATE`; the seed is that of ``config``.

    Where the best rate lies at an end of the grid, the next one beyond it is tried, too.
    """
    task, train, valid, _ = drawn(config["seed"], config)
    found = {}
    for way, grid in config["grid"].items():
        tried = {}

        def learn(rate, way=way, tried=tried):
            head, _ = taught(way, rate, (task, train), config["seed"], config)
            tried[rate] = score(head, task, valid)
            print(f"{config['task']} {way} {rate:g}: {tried[rate]:.3f}", flush=True)

        for rate in grid:
            learn(rate)
        for _ in range(BEYOND):
            if (further := beyond(tried)) is None:
                break
            learn(further)
        found |= {f"{way}_{rate:g}": tried[rate] for rate in sorted(tried)}
    return found


def beyond(tried):
    """The next rate where the best one (the first of several) is at an end, else None."""
    rates = sorted(tried)
    best = max(rates, key=tried.get)
    if best == rates[-1]:
        return float(f"{best * STEP:.0e}")
    return float(f"{best / STEP:.0e}") if best == rates[0] else None


def rates_subjectivity(seed, config):
    """See `tuned`."""
    return tuned(seed, config)


def rates_banking77(seed, config):
    """See `tuned`."""
    return tuned(seed, config)


def rates_wikiann(seed, config):
    """See `tuned`."""
    return tuned(seed, config)


def tradeoff(seed, config):
    """For each way: score on test, share that learns, processor seconds, bytes; and baselines."""
    task, train, valid, test = drawn(seed, config)
    found = {}
    for way, rate in config["rates"].items():
        mb.seed_everything(seed)
        head = bert.new_head(WAYS[way], model(config["start"]), task)
        counts = mb.transfer.counts(head)
        held = bytes_of_step(head, task.examples(head, train), config["batch_size"])
        del head
        head, seconds = taught(way, rate, (task, train), seed, config)
        found |= {
            f"{way}_score": score(head, task, test),
            f"{way}_share": counts.share,
            f"{way}_learning": counts.learning,
            f"{way}_seconds": seconds,
            f"{way}_bytes": sum(held),
            f"{way}_activations": held[0],
        }
    return found | cheap(task, train, valid, test)


def cheap(task, train, valid, test):
    """What learns next to nothing: the counts of words, or each word's tag; always one answer."""
    if not hasattr(task, "names"):
        scores = WordCounts().fit(train, valid).score(test), Majority().fit(train).score(test)
    else:
        true = [list(one.labels) for one in test]
        both = MostFrequentTag(), Majority()
        scores = [span_f1(one.fit(train).predict(test), true) for one in both]
    return dict(zip(("words_score", "one_answer_score"), scores, strict=True))


def bytes_of_step(head, examples, size):
    """(saved activations, gradients, the optimiser's state) of an update, in bytes, measured.

    The update is that of the batch with most tokens, padding included, the same for all ways. What
    is saved for the backward pass is counted by storage, once each, without the weights.
    """
    batch = max(head.batches(examples, size, seed=0), key=lambda one: one["input_ids"].numel())
    head = copy.deepcopy(head).train()
    optimizer, kept = mb.optim.adamw(head, 1e-4), {}
    own = {t.untyped_storage().data_ptr() for t in (*head.parameters(), *head.buffers())}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        losses, count = head.loss(batch)
    activations = sum(storage.nbytes() for storage in kept.values())
    (losses / count).backward()
    gradients = [p.grad for p in head.parameters() if p.grad is not None]
    optimizer.step()
    state = [t for one in optimizer.state.values() for t in one.values() if torch.is_tensor(t)]
    return activations, *(sum(t.nbytes for t in some) for some in (gradients, state))


def tradeoff_subjectivity(seed, config):
    """See `tradeoff`."""
    return tradeoff(seed, config)


def tradeoff_banking77(seed, config):
    """See `tradeoff`."""
    return tradeoff(seed, config)


def tradeoff_wikiann(seed, config):
    """See `tradeoff`."""
    return tradeoff(seed, config)


# In which order layers learn, and how fast


@lru_cache(maxsize=1)
def lstm():
    """The bundled language model of general text, with the words of reviews, too; copy it."""
    reviews = mb.AWDLSTM.from_pretrained("minibert-awd-lstm-reviews-forward")
    general = mb.AWDLSTM.from_pretrained("minibert-awd-lstm-forward")
    return mb.transfer.with_vocabulary(general, reviews.vocab)


@lru_cache(maxsize=1)
def gpt():
    """The bundled GPT; copy it."""
    return mb.GPT.from_pretrained("minibert-gpt")


def new_head(kind, task, config):
    """A copy of one of the three bundled models and a new layer on it."""
    if kind == "bert":
        return task.head(copy.deepcopy(model("minibert-bert")))
    if kind == "gpt":
        return task.unframed(copy.deepcopy(gpt()))
    return PoolingClassifier(copy.deepcopy(lstm()), task.labels, max_len=config["length"])


def ordered(kind, way, rate, drawn_task, seed, config):
    """A head, trained in one of the `ORDERS` at a highest rate; warm-up, then down to zero."""
    task, train = drawn_task
    order, factor = ORDERS[way]
    mb.seed_everything(seed)
    head = new_head(kind, task, config)
    steps = config["steps"]
    plan = mb.transfer.rates(
        order,
        len(mb.transfer.layer_groups(head)),
        steps,
        rate,
        factor=factor,
        schedule=linear(steps, warmup=steps // 10),
    )
    batches = head.batches(task.examples(head, train), config["batch_size"], seed=seed)
    mb.fit(head, batches, **mb.transfer.following(head, plan), progress=False)
    return head


def rates_order(seed, config):
    """The scores on valid by model, order and rate: `MODEL_ORDER_RATE`; see `tuned`."""
    found, (task, train, valid, _) = {}, drawn(config["seed"], config)
    for kind, grid in config["grid"].items():
        for way in config["orders"]:
            tried = {}
            for rate in grid:
                head = ordered(kind, way, rate, (task, train), config["seed"], config)
                tried[rate] = score(head, task, valid)
            if (further := beyond(tried)) is not None:
                head = ordered(kind, way, further, (task, train), config["seed"], config)
                tried[further] = score(head, task, valid)
            print(kind, way, tried, flush=True)
            found |= {f"{kind}_{way}_{rate:g}": tried[rate] for rate in sorted(tried)}
    return found


def order(seed, config):
    """By model: the score on test of each order at its own rate, and how plain tuning varies.

    ``spread``: the standard deviation over restarts, with other new layers and orders of the
    batches. ``by_rate``: plain tuning at rates below and above its best one; ``lost``: what it
    loses there, on average.
    """
    found, (task, train, valid, test) = {}, drawn(seed, config)

    def tried(kind, way, rate, seed):
        return score(ordered(kind, way, rate, (task, train), seed, config), task, test)

    for kind, rates in config["rates"].items():
        for way, rate in rates.items():
            found[f"{kind}_{way}"] = tried(kind, way, rate, seed)
        plain = found[f"{kind}_plain"]
        again = [
            tried(kind, "plain", rates["plain"], 1000 + 100 * seed + number)
            for number in range(1, config["restarts"])
        ]
        others = [tried(kind, "plain", rates["plain"] * x, seed) for x in config["factors"]]
        found[f"{kind}_runs"] = [plain, *again]
        found[f"{kind}_spread"] = stdev([plain, *again])
        found[f"{kind}_by_rate"] = others
        found[f"{kind}_lost"] = plain - fmean(others)
    scores = cheap(task, train, valid, test)
    return found | {one.removesuffix("_score"): scores[one] for one in scores}


# What is forgotten


def old_text(tokens, seed, size=8, length=128):
    """Held-out text of the world as batches that a GPT reads."""
    documents = mb.world.generate(tokens, seed=seed).documents
    tokenizer = gpt().tokenizer
    ids = [i for one in documents for i in (*tokenizer.encode(one.text), tokenizer.end_id)]
    return BlockBatches(np.array(ids), size, length, shuffle=False)


def held_by(anchor, strength, head, seed, config):
    """The anchor of that name and strength on a head's encoder; none for "none" and "slow"."""
    if anchor == "l2sp":
        return [mb.transfer.L2SP(head.encoder, strength)]
    if anchor == "lwf":
        return [mb.transfer.LwF(head.encoder, strength)]
    if anchor == "ewc":
        text = old_text(config["fisher_tokens"], 9000 + seed, size=1)
        fisher = mb.transfer.fisher(head.encoder, text, "model", seed=seed)
        return [mb.transfer.EWC(head.encoder, fisher, strength)]
    return []


def kept(anchor, strength, drawn_task, seed, config):
    """A GPT's classifier, trained with an anchor; "slow" has none, and ``strength`` as its rate."""
    task, train = drawn_task
    mb.seed_everything(seed)
    head = task.unframed(copy.deepcopy(gpt()))
    rate = strength if anchor == "slow" else config["rate"]
    batches = head.batches(task.examples(head, train), config["batch_size"], seed=seed)
    steps = config["epochs"] * len(batches)
    with mb.transfer.anchored(head, *held_by(anchor, strength, head, seed, config)):
        mb.fit(
            head,
            batches,
            steps=steps,
            optimizer=mb.optim.adamw(head, rate, weight_decay=0),
            schedule=linear(steps, warmup=steps // 10),
            progress=False,
        )
    return head


def strengths(seed, config):
    """By anchor and strength: the score on valid, and the loss on old text."""
    found = {}
    old = old_text(config["old_tokens"], 8000)
    for anchor, grid in config["grid"].items():
        for strength in grid:
            runs = []
            for number in config["seeds"]:
                task, train, valid, _ = drawn(number, config)
                head = kept(anchor, strength, (task, train), number, config)
                runs.append((score(head, task, valid), evaluate(head.encoder, old)))
            new, loss = (fmean(column) for column in zip(*runs, strict=True))
            print(f"{anchor} {strength:g}: {new:.3f} {loss:.3f}", flush=True)
            found |= {f"{anchor}_{strength:g}_new": new, f"{anchor}_{strength:g}_old": loss}
    return found


def forgetting(seed, config):
    """By anchor: nats per piece of old text afterwards, and the score on the new task's test.

    ``before_old``: before any training. ``forgot``: what the old text costs more than before.
    """
    task, train, valid, test = drawn(seed, config)
    old = old_text(config["old_tokens"], 7000 + seed)
    found = {"before_old": evaluate(gpt(), old)}
    for anchor, strength in config["strengths"].items():
        head = kept(anchor, strength, (task, train), seed, config)
        found[f"{anchor}_new"] = score(head, task, test)
        found[f"{anchor}_old"] = evaluate(head.encoder, old)
        found[f"{anchor}_forgot"] = found[f"{anchor}_old"] - found["before_old"]
    scores = cheap(task, train, valid, test)
    return found | {one.replace("_score", "_new"): scores[one] for one in scores}
