"""The experiments of chapter 10: what to train of a model that was pre-trained.

``tradeoff_*``: a published model (all-minilm-l6-v2) on three real tasks, trained in eight ways: the
score, the share of the weights that learns, processor seconds and bytes. Near to what the model was
trained for, pairs of sentences by their meaning, are the intents of `banking77`; far are the
names of `wikiann`; `subjectivity` stands between them. ``rates_*``: the scores on valid that chose
each way's rate. Both need the data and the weights.

The test is the same in all seeds. A seed draws the examples to learn from, the new layers and the
order of the batches. Scores are shares: accuracy, or F1 of names.
"""

import copy
import time
from argparse import Namespace
from functools import lru_cache

import torch

import minibert as mb
from minibert.commands.finetune import bert, common
from minibert.commands.finetune.tasks import task_for
from minibert.heads.tagger import span_f1
from minibert.models.cheap import Majority, MostFrequentTag, WordCounts

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
BANKING = {**REAL, "task": "banking77", "labels": 616}
WIKIANN = {**REAL, "task": "wikiann", "labels": 400}
TUNE = {"seed": 100, "grid": GRID}

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
}
FEW = {"labels": 10, "valid": 10, "test": 10, "epochs": 1}
SMOKE = {
    f"rates_{name}": {**FEW, "grid": {"full": SMALL, "features": MIDDLE}}
    for name in ("subjectivity", "banking77", "wikiann")
}
SMOKE |= {
    f"tradeoff_{name}": {**FEW, "rates": {"full": 1e-4, "lora": 1e-3}} for name in ("wikiann",)
}


@lru_cache(maxsize=2)
def model(start):
    """The model to start from; read only, copied before it is trained."""
    return mb.BERT.from_pretrained(start)


def drawn(seed, config):
    """(task, train, valid, test): real data in parts, as `minibert finetune` has them."""
    asked = Namespace(task=config["task"], held_out="", columns="", kind=None, separator=None)
    given, (train, valid, test) = common.read_task(asked, bert.SHARES)
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
