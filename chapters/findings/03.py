"""The experiments of chapter 03: what AWD-LSTM's and ULMFiT's papers claim, on the embedded world.

``awd``: the seed draws the text, the first weights and the masks; losses are in nats a token of
held-out text. The others train classifiers: the seed draws the labelled texts, the head and the
order of the batches; the language models are the bundled ones, the same in all seeds (stage 1:
general text without reviews; stage 2: reviews, drawn apart from those of the task). ``sentiment``
goes through all three stages. For ``topic`` the general text is the target's own already, but for
reviews, so that stage 2 is left out. Errors are on test texts.
"""

import copy
from functools import lru_cache

import numpy as np
import torch

import minibert as mb
from minibert.commands.pretrain.awd_lstm import stream
from minibert.models import baselines
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
    "sentiment": {"labels": [100, 500], "test": 500, "scratch": [500, 25], "tuned": [400, 16]},
    "topic": {"labels": [100, 300, 1000], "test": 500, "scratch": [500, 25]},
    "parts": {"labels": 100, "test": 500},
}
SMOKE = {
    "awd": {"tokens": 2_000, "test": 1_000, "dim": 16, "hidden": 16, "epochs": 1},
    "sentiment": {"labels": [20, 100], "test": 40, "scratch": [2, 1], "tuned": [2, 1]},
    "topic": {"labels": [20, 100], "test": 40, "scratch": [2, 1]},
    "parts": {"labels": 20, "test": 40},
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


# From a few trials on validation texts of seeds from 100 on; the rate from scratch lies between the
# two that were best, 0.004 with 1,000 labels and 0.006 with 100 and 300.
SETTINGS = {"batch_size": 20, "max_len": 140, "classifier_rate": 0.02}
SCRATCH = {"factor": 1.0, "unfreezing": "all", "classifier_rate": 0.005}
TUNED = (75, 3)  # updates and passes, at least so many of both; ``scratch`` of CONFIG likewise


@lru_cache(maxsize=4)
def language_model(stage, direction):
    """A bundled language model with the words of both stages; read only, copy it."""
    tuned = mb.AWDLSTM.from_pretrained(f"minibert-awd-lstm-reviews-{direction}")
    if stage == 2:
        return tuned
    general = mb.AWDLSTM.from_pretrained(f"minibert-awd-lstm-{direction}")
    return mb.transfer.with_vocabulary(general, tuned.vocab)


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

    def error(self, classifier):
        """The share of test texts that are judged wrongly."""
        examples = self.encoded(self.task.test[: self.tested], classifier.encoder)
        return error(classifier, examples, batch_size=100)

    def probabilities(self, classifier):
        """(examples, classes), and the right classes (examples,)."""
        examples = self.encoded(self.task.test[: self.tested], classifier.encoder)
        batches = mb.text.PaddedBatches(examples, 100, shuffle=False, by_length=False)
        device = next(classifier.parameters()).device
        with torch.no_grad():
            logits = [
                classifier(b["input_ids"].to(device), b["attention_mask"].to(device))
                for b in batches
            ]
        return torch.cat(logits).softmax(-1).cpu(), torch.tensor([e["labels"] for e in examples])

    def curves(self, ways, budgets):
        """Errors by the number of labels for every way, name -> (model, options)."""
        measured = {}
        for name, (model, options) in ways.items():
            curve = [self.error(self.classifier(model, n, **options)) for n in budgets]
            measured |= {name: curve, f"{name}_most": curve[-1]}
            measured[f"{name}_100"] = curve[budgets.index(100)]
        return measured


def fresh(seed):
    """The same network from random weights."""
    known = language_model(2, "forward")
    mb.seed_everything(seed)
    return mb.AWDLSTM(known.config, known.vocab)


def sentiment(seed, config):
    """Does the reviewer like it? From scratch, without stage 2, and with all stages.

    In stage 3 all layers learn alike from the start, as from scratch: on validation texts of seed
    100 that was far better here than the paper's gentle schedule (23 against 33 % error).
    """
    alike = {**SCRATCH, "least": config["tuned"]}
    ways = {
        "scratch": (fresh(seed), {**SCRATCH, "least": config["scratch"]}),
        "general": (language_model(1, "forward"), alike),
        "ulmfit": (language_model(2, "forward"), alike),
    }
    return Labelled("sentiment", seed, config["test"]).curves(ways, config["labels"])


def topic(seed, config):
    """Which kind of text do three sentences come from? From scratch, and by stages 1 and 3."""
    ways = {
        "scratch": (fresh(seed), {**SCRATCH, "least": config["scratch"]}),
        "ulmfit": (language_model(1, "forward"), {}),
    }
    return Labelled("topic", seed, config["test"]).curves(ways, config["labels"])


PARTS = {
    "ulmfit": {},
    "no_discriminative": {"factor": 1.0},
    "no_triangle": {"slanted": False},
    "no_unfreezing": {"unfreezing": "all"},
    "head_only": {"unfreezing": "top"},
    "none": {"factor": 1.0, "slanted": False, "unfreezing": "all"},
}


def parts(seed, config):
    """Topic with one ingredient taken away, two directions, and what the LM has forgotten."""
    labelled, found = Labelled("topic", seed, config["test"]), {}
    general = language_model(1, "forward")
    kinds = [kind for kind in KINDS if kind != "review"]
    new = [d.text for d in mb.world.generate(4_000, seed=7000 + seed, kinds=kinds).documents]
    ids = stream(new, general.vocab)
    found["nats_before"] = nats_a_token(general, ids)
    for name, options in PARTS.items():
        model = labelled.classifier(general, config["labels"], **options)
        found[name], found[f"nats_{name}"] = labelled.error(model), nats_a_token(model.encoder, ids)
        if name == "ulmfit":
            p, truth = labelled.probabilities(model)
    backward = labelled.classifier(language_model(1, "backward"), config["labels"])
    q, _ = labelled.probabilities(backward)
    found["backward"] = float((q.argmax(1) != truth).float().mean())
    found["both"] = float(((p + q).argmax(1) != truth).float().mean())
    return found
