"""The experiments of chapter 03: what AWD-LSTM's and ULMFiT's papers claim, on the embedded world.

``awd``: the seed draws the text, the first weights and the masks; losses are in nats per token of
held-out text. The others train classifiers: the seed draws the labelled texts, the head and the
order of the batches; the language model is a bundled one, the same in all seeds, that has read
general text without reviews. That is the target's own text already, but for reviews, so that stage
2 is left out. Errors are on test texts; what is tuned is tuned on valid.
"""

import copy
import math
from functools import lru_cache

import numpy as np

import minibert as mb
from minibert.commands.pretrain.awd_lstm import stream
from minibert.models import baselines
from minibert.models.cheap import WordCounts
from minibert.training.callbacks import RateByLength
from minibert.transfer import ULMFiTConfig
from minibert.transfer.stages import document, error, nats_a_token, ulmfit
from minibert.world.kinds import KINDS

CONFIG = {
    "awd": {
        "tokens": 20_000,
        "test": 8_000,
        "dim": 64,
        "hidden": 128,
        "epochs": 20,
        "patience": 4,
        "streams": 8,
        "bptt": 20,
        "rate": 0.01,
    },
    "rates": {"labels": 100, "test": 400, "plain": [0.002, 0.005, 0.01, 0.02], "gentle": 0.02},
    "scratch": {"labels": 100, "test": 400, "rates": [0.002, 0.005, 0.01], "least": [100, 20]},
    "topic": {"labels": 100, "counted": [100, 150, 200, 300, 500], "test": 400},
}
SMOKE = {
    "awd": {"tokens": 2_000, "test": 1_000, "dim": 16, "hidden": 16, "epochs": 1},
    "topic": {"labels": 20, "counted": [20, 40], "test": 40},
    "scratch": {"labels": 20, "test": 40, "rates": [0.005], "least": [2, 1]},
    "rates": {"labels": 20, "test": 40, "plain": [0.002], "gentle": 0.02},
}

ON = {
    "embedding_dropout": 0.02,
    "input_dropout": 0.1,
    "weight_dropout": 0.2,
    "hidden_dropout": 0.1,
    "output_dropout": 0.1,
    "alpha": 0.5,
    "beta": 0.2,
}
VARIATIONAL = ("input_dropout", "hidden_dropout", "output_dropout")
WITHOUT = {
    "full": {},
    "no_weight_drop": {"weight_dropout": 0.0},
    "no_variational": dict.fromkeys(VARIATIONAL, 0.0),
    "no_embedding": {"embedding_dropout": 0.0},
    "no_penalty": {"alpha": 0.0, "beta": 0.0},
    "untied": {"tied": False},
    "plain": {**dict.fromkeys(ON, 0.0), "tied": False},
}


def awd(seed, config):
    """Nats a token of new text: AWD-LSTM, the same with one part taken away, and none of them."""
    text = list(mb.world.generate(tokens=config["tokens"], seed=1000 + seed).tokens())
    test = mb.world.generate(tokens=config["test"], seed=2000 + seed)
    vocab = baselines.vocabulary(text)
    ids = np.concatenate([[1], baselines.encode(text, vocab)])
    valid = list(mb.world.generate(tokens=config["test"], seed=3000 + seed).tokens())
    valid = np.concatenate([[1], baselines.encode(valid, vocab)])
    measured = {"floor": test.floor}
    for name, taken in WITHOUT.items():
        mb.seed_everything(seed)
        shape = {"dim": config["dim"], "hidden": config["hidden"], "layers": 2}
        model = mb.AWDLSTM(mb.AWDLSTMConfig(len(vocab), **shape, **{**ON, **taken}))
        batches = model.batches(ids, config["streams"], config["bptt"], vary=True, seed=seed)
        steps = config["epochs"] * len(batches)
        mb.fit(
            model,
            batches,
            steps=steps,
            optimizer=mb.optim.adamw(model, config["rate"], betas=(0.8, 0.99)),
            schedule=mb.optim.cosine(steps, steps // 10),
            callbacks=[RateByLength(config["bptt"])],
            valid=model.batches(valid, config["streams"], config["bptt"]),
            patience=config["patience"],  # each is judged where it was best on other new text
            progress=False,
        )
        measured[name] = float(baselines.costs(model, list(test.tokens()), vocab).mean())
    return measured


# From a few trials on validation texts of seeds from 100 on, with an earlier language model.
SETTINGS = {"batch_size": 20, "max_len": 140, "classifier_rate": 0.02}
PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01)
TUNED = (75, 3)  # updates and passes, at least so many of both; ``least`` of CONFIG likewise


@lru_cache(maxsize=1)
def language_model():
    """The bundled language model of general text, with the words of reviews, too; copy it."""
    reviews = mb.AWDLSTM.from_pretrained("minibert-awd-lstm-reviews-forward")
    general = mb.AWDLSTM.from_pretrained("minibert-awd-lstm-forward")
    return mb.transfer.with_vocabulary(general, reviews.vocab)


class Labelled:
    """The labelled texts of a task and a seed, and what is trained on them."""

    def __init__(self, name, seed, tested):
        self.seed, self.tested = seed, tested
        self.task = mb.world.task(name, seed=seed)

    def encoded(self, examples, model):
        return [
            {
                "input_ids": document(model.vocab.encode(e.text), model),
                "labels": self.task.labels.index(e.label),
            }
            for e in examples
        ]

    def classifier(self, model, labels, least=TUNED, **options):
        """Stage 3 on the first ``labels`` texts; ``model`` is not changed."""
        config = ULMFiTConfig(**{**SETTINGS, **options})
        updates, epochs = least
        config.classifier_epochs = max(epochs, updates // -(-labels // config.batch_size))
        train, start = self.encoded(self.task.train[:labels], model), copy.deepcopy(model)
        mb.seed_everything(self.seed)
        classes, options = len(self.task.labels), {"seed": self.seed, "progress": False}
        return ulmfit(start, train, classes, config=config, **options).classifier

    def error(self, classifier, part="test"):
        """The share of test texts, or of the first 150 for tuning, that are judged wrongly."""
        texts = self.task.test[: self.tested] if part == "test" else self.task.valid[:150]
        return error(classifier, self.encoded(texts, classifier.encoder), batch_size=100)

    def counts(self, labels, bigrams=False):
        """The error of counted words, their penalty tuned on as many texts as the rates."""
        counts = WordCounts(bigrams, PENALTIES).fit(self.task.train[:labels], self.task.valid[:150])
        return 1 - counts.score(self.task.test[: self.tested])


def labels_needed(error, budgets, errors):
    """How many labels bring the errors down to ``error``: lines between points, logarithmic."""
    falling = np.minimum.accumulate(errors)
    return math.exp(np.interp(-error, -falling, np.log(budgets)))


def topic(seed, config):
    """Which kind of text do three sentences come from? Counted words, and stages 1 and 3."""
    labelled, n = Labelled("topic", seed, config["test"]), config["labels"]
    budgets, found = config["counted"], {}
    found["counts"] = [labelled.counts(number) for number in budgets]
    found["bigrams"] = [labelled.counts(number, True) for number in budgets]
    for way in ("counts", "bigrams"):
        found[f"{way}_100"] = found[way][0]
    tuned = labelled.classifier(language_model(), n)
    found["ulmfit_100"] = labelled.error(tuned)
    best = np.minimum(found["counts"], found["bigrams"])
    found["counted_labels"] = labels_needed(found["ulmfit_100"], budgets, best)
    return found


def scratch(seed, config):
    """Topic by the same network with random first weights, its rate tuned on valid."""
    labelled, general = Labelled("topic", seed, config["test"]), language_model()
    runs = []
    for rate in config["rates"]:
        mb.seed_everything(seed)
        fresh = mb.AWDLSTM(general.config, general.vocab)
        how = {"factor": 1.0, "unfreezing": "all", "classifier_rate": rate}
        model = labelled.classifier(fresh, config["labels"], config["least"], **how)
        runs.append((labelled.error(model, "valid"), labelled.error(model)))
    return {"error": min(runs)[1], "errors": [test for _, test in runs]}


def rates(seed, config):
    """Topic: plain tuning and the gentle schedule by rate, and what the LM has forgotten."""
    labelled, general = Labelled("topic", seed, config["test"]), language_model()
    kinds = [kind for kind in KINDS if kind != "review"]
    new = [d.text for d in mb.world.generate(4_000, seed=7000 + seed, kinds=kinds).documents]
    ids = stream(new, general.vocab)
    before = nats_a_token(general, ids)
    runs = []
    for rate in config["plain"]:
        how = {"factor": 1.0, "unfreezing": "all", "classifier_rate": rate}
        model = labelled.classifier(general, config["labels"], **how)
        forgotten = nats_a_token(model.encoder, ids) - before
        runs.append((labelled.error(model, "valid"), labelled.error(model), forgotten))
    valid, test, forgotten = (list(column) for column in zip(*runs, strict=True))
    best = int(np.argmin(valid))  # the first, lowest rate of several
    gentle = labelled.classifier(general, config["labels"], classifier_rate=config["gentle"])
    return {
        "gentle": labelled.error(gentle),
        "gentle_forgotten": nats_a_token(gentle.encoder, ids) - before,
        "plain": test[best],
        "plain_forgotten": forgotten[best],
        "plain_rate": config["plain"][best],
        "plain_errors": test,
        "plain_nats": forgotten,
        "high": test[-1],
        "high_forgotten": forgotten[-1],
    }
