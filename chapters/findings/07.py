"""The experiments of chapter 07: what Radford et al. (2018) claim, measured on the embedded world.

``zero_shot`` and ``transfer``: each seed draws a text and pre-trains a small GPT and an LSTM on
it. The first asks snapshots of both, trained for no task; the second fine-tunes what came out,
whole and in parts. ``growth`` pre-trains one model as `minibert-gpt` was, and asks its snapshots.
``asked`` and ``beside`` take bundled models: GPT without fine-tuning; GPT, BERT and ELMo on the
same examples for as many updates. In these three a seed draws the examples, and what else is
random after the pre-training: new layers and the order of the batches.
"""

import copy
import json
from dataclasses import replace
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

import minibert as mb
from minibert.commands.finetune import bert as bert_finetune
from minibert.commands.finetune.tasks import TextTask
from minibert.models.gpt.model import next_tokens
from minibert.models.outputs import ModelOutput
from minibert.models.transformer.model import initialise
from minibert.text.bpe import EOT
from minibert.text.sentences import split_sentences

PRETRAINING = {
    "tokens": 200_000,
    "pieces": 1_000,
    "model": {"dim": 64, "layers": 3, "heads": 4, "hidden": 256, "max_length": 128},
    "init_std": 0.07,
    "recurrent": 160,
    "length": 128,
    "batch_size": 4,
    "steps": 600,
    "rate": 0.003,
    "recurrent_rate": 0.005,
    "snapshots": [0, 0.1, 0.3, 1.0],
}
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
CONFIG = {
    "zero_shot": {"pretraining": PRETRAINING, "examples": 200, "test_tokens": 3_000},
    "growth": {
        "pretraining": LONG,
        "examples": {"story_cloze": 100, "sentiment": 150, "agreement": 150},
        "test_tokens": 3_000,
    },
    "transfer": {
        "pretraining": PRETRAINING,
        "auxiliary": 0.5,
        "topic": {"labels": 60, "steps": 40, "batch_size": 8, "rate": 0.003},
        "subject": {"labels": 60, "steps": 40, "batch_size": 8, "rate": 0.003},
        "test": 150,
    },
    "asked": {"sentiment": 150, "story_cloze": 60, "agreement": 150},
    "beside": {
        "topic": {"labels": 200, "steps": 30},
        "paraphrase": {"labels": 400, "steps": 30},
        "batch_size": 16,
        "test": 120,
        "gpt": {"rate": 0.001, "auxiliary": 0.5},
        "bert": {"rate": 0.001},
        "elmo": {"rate": 0.003, "hidden": 64},
    },
}
SMALL = PRETRAINING | {"tokens": 4_000, "pieces": 400, "recurrent": 16, "steps": 10}
SMALL["model"] = {"dim": 16, "layers": 3, "heads": 2, "hidden": 32, "max_length": 128}
FEW = {"labels": 12, "steps": 2, "batch_size": 4, "rate": 0.001}
ASKED = {"sentiment": 10, "story_cloze": 10, "agreement": 10}
SMOKE = {
    "zero_shot": {"pretraining": SMALL, "examples": 10, "test_tokens": 500},
    "growth": {"pretraining": SMALL, "examples": ASKED, "test_tokens": 500},
    "transfer": {"pretraining": SMALL, "topic": FEW, "subject": FEW, "test": 10},
    "asked": ASKED,
    "beside": {"topic": FEW, "paraphrase": FEW, "test": 10},
}
VERDICTS = " I cannot recommend it.", " I can recommend it."  # of a negative, a positive review


def zero_shot(seed, config):
    """What snapshots of the pre-training answer, and what they pay for new text (figure 2, right).

    See `curves` for the names.
    """
    held_out = mb.world.generate(config["test_tokens"], 30_000 + seed)
    found, count = {"floor": held_out.floor}, {"agreement": config["examples"]}
    for kind in ("gpt", "lstm"):
        models = pretrained(kind, seed, json.dumps(config["pretraining"]))
        of_kind = curves(models, seed, count, held_out)
        found |= {f"{kind}_{name}": value for name, value in of_kind.items()}
    return found


def growth(seed, config):
    """The same for one larger model, pre-trained once: a seed draws the questions and the text."""
    held_out = mb.world.generate(config["test_tokens"], 30_000 + seed)
    models = pretrained("gpt", 0, json.dumps(config["pretraining"]))
    return {"floor": held_out.floor, **curves(models, seed, config["examples"], held_out)}


def curves(models, seed, counts, held_out):
    """What each snapshot answers (task -> number of examples) and pays, ``nats``: curves by name.

    A curve has one value a snapshot; ``_first`` and ``_last`` are its ends, ``_early`` the second.
    """
    found = {"nats": [nats_a_token(model, held_out) for model in models]}
    for name, count in counts.items():
        examples = mb.world.task(name, seed=seed).test[:count]
        found[name] = [answered(model, name, examples) for model in models]
    ends = {"first": 0, "early": 1, "last": -1}
    found |= {f"{name}_{end}": found[name][at] for name in list(found) for end, at in ends.items()}
    return found


def transfer(seed, config):
    """Accuracy after fine-tuning (table 5), and with the first layers alone (figure 2, left).

    ``TASK_full``, ``_no_auxiliary``, ``_lstm``, ``_scratch`` (no pre-training), ``_layers``: a
    curve over nothing, the embeddings, and these with one block, two blocks, ... of the model.
    Without a task's name: the mean of both.
    """
    settings, found, tasks = config["pretraining"], {}, ("topic", "subject")
    gpt, lstm = (pretrained(kind, seed, json.dumps(settings))[-1] for kind in ("gpt", "lstm"))
    weight, depth = config["auxiliary"], gpt.config.layers
    runs = {str(count): (first_layers(gpt, count, seed), weight) for count in range(depth)}
    runs["scratch"] = (first_layers(gpt, None, seed), weight)
    runs |= {"full": (gpt, weight), "no_auxiliary": (gpt, 0.0), "lstm": (lstm, weight)}
    order = ["scratch", *map(str, range(depth)), "full"]
    for name in tasks:
        for way, (model, auxiliary) in runs.items():
            found[f"{name}_{way}"] = tuned(model, name, config, seed, auxiliary)
        found[f"{name}_layers"] = [found[f"{name}_{way}"] for way in order]
    for way in runs:
        found[way] = sum(found[f"{name}_{way}"] for name in tasks) / len(tasks)
    return found


def asked(seed, config):
    """What the bundled GPT answers without fine-tuning; ``chance`` is the share of a coin."""
    found = {"chance": 0.5}
    for name, count in config.items():
        examples = mb.world.task(name, seed=seed).test[:count]
        found[name] = answered(bundled("gpt"), name, examples)
    return found


def beside(seed, config):
    """Three bundled models on one text and on two: each in its own way, on the same examples."""
    found = {}
    for name in ("topic", "paraphrase"):
        data = mb.world.task(name, seed=seed)
        learned, test = data.train[: config[name]["labels"]], data.test[: config["test"]]
        for model in (of_gpt, of_bert, of_elmo):
            mb.seed_everything(seed)
            way = model.__name__.removeprefix("of_")
            found[f"{name}_{way}"] = model(data.labels, learned, test, config, name, seed)
    return found


# Pre-training.


@cache
def pretrained(kind, seed, settings):
    """Copies of a model at some shares of its training, the last one when it was done."""
    settings = json.loads(settings)
    documents, tokenizer = text_of(seed, json.dumps(settings))
    ids = [tokenizer.end_id]
    for document in documents:
        ids += [*tokenizer.encode(document), tokenizer.end_id]
    mb.seed_everything(seed)
    config = mb.GPTConfig(
        len(tokenizer), dropout=0.0, attention_dropout=0.0, init_std=settings["init_std"],
        **settings["model"],
    )  # fmt: skip
    if kind == "lstm":
        model, rate = Recurrent(config, tokenizer, settings["recurrent"]), "recurrent_rate"
    else:
        model, rate = mb.GPT(config, tokenizer), "rate"
    steps = settings["steps"]
    batches = mb.text.BlockBatches(
        torch.tensor(ids).numpy(), settings["batch_size"], settings["length"], seed=seed
    )
    kept = Snapshots(model, [round(share * steps) for share in settings["snapshots"]])
    mb.fit(
        model, batches, steps=steps, callbacks=[kept],
        optimizer=mb.optim.adamw(model, settings[rate]),
        schedule=mb.optim.cosine(steps, warmup=steps // 20), progress=False,
    )  # fmt: skip
    return kept.models


@cache
def text_of(seed, settings):
    """(documents, tokenizer) that a seed pre-trains on."""
    settings = json.loads(settings)
    corpus = mb.world.generate(settings["tokens"], 1000 + seed)
    documents = [document.text for document in corpus.documents]
    return documents, mb.text.BPE.train(documents, settings["pieces"], specials=(EOT,))


class Snapshots:
    """Copies of a model after some updates, 0 for before the first."""

    def __init__(self, model, steps):
        self.model, self.steps = model, steps
        self.models = [copy.deepcopy(model).eval()] * (0 in steps)

    def on_step(self, run):
        if run.step in self.steps:
            self.models.append(copy.deepcopy(self.model).eval())


class Recurrent(nn.Module):
    """A language model with one LSTM layer in place of the blocks (table 5); used as a `GPT` is.

    cells: how many; states are brought to ``config.dim``, and the word vectors are the softmax.
    """

    log_probs, output_weight = mb.GPT.log_probs, mb.GPT.output_weight

    def __init__(self, config, tokenizer, cells):
        super().__init__()
        self.config, self.tokenizer, self.output = config, tokenizer, None  # tied, as the GPT is
        self.embeddings = nn.Module()
        self.embeddings.word = nn.Embedding(config.vocab_size, config.dim)
        initialise(self, config.init_std)
        self.lstm = nn.LSTM(config.dim, cells, batch_first=True)
        self.project = nn.Linear(cells, config.dim)

    def forward(self, input_ids, attention_mask=None):
        """(batch, length) ids -> `ModelOutput`; padding, which stands behind, changes nothing."""
        x = self.embeddings.word(input_ids)  # (batch, length, dim)
        y = self.project(self.lstm(x)[0])  # (batch, length, dim)
        return ModelOutput(y, (x, y))

    def logits(self, hidden):
        return hidden @ self.embeddings.word.weight.T

    def loss(self, batch):
        """(sum of cross-entropies in nats, number of targets)."""
        wanted, targets = next_tokens(batch)
        hidden = self(batch["input_ids"]).last_hidden_state[wanted]
        return F.cross_entropy(self.logits(hidden), targets, reduction="sum"), len(targets)


def first_layers(model, count, seed):
    """A new model with the embeddings and ``count`` blocks of another; None: with nothing of it."""
    mb.seed_everything(seed)
    new = mb.GPT(model.config, model.tokenizer)
    if count is not None:
        for kept, given in zip(new.layer_groups()[: count + 1], model.layer_groups(), strict=False):
            for a, b in zip(kept, given, strict=True):
                a.load_state_dict(b.state_dict())
    return new


# Asking without fine-tuning.


def answered(model, name, examples):
    """The share of examples that the model's own probabilities tell right.

    Stories: the end whose tokens are likelier, on average. Reviews: the likelier of `VERDICTS`.
    Agreement: the likelier verb.
    """
    encode, end = model.tokenizer.encode, model.tokenizer.end_id
    begins, endings = [], []
    for example in examples:
        options, before = VERDICTS, example.text
        if name != "sentiment":
            options = [" " + choice for choice in example.choices]
        if name == "agreement":
            before = example.info["prefix"]
        begins += [[end, *encode(before)]] * len(options)
        endings += [encode(option) for option in options]
    scores = log_p(model, begins, endings)  # (examples * 2,)
    if name == "story_cloze":
        scores = scores / torch.tensor([len(ending) for ending in endings])
    said = scores.view(-1, 2).argmax(1).tolist()
    true = [example.label in (1, "positive") for example in examples]
    return sum(a == b for a, b in zip(said, true, strict=True)) / len(true)


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
    ids = [model.tokenizer.end_id]
    for document in corpus.documents:
        ids += [*model.tokenizer.encode(document.text), model.tokenizer.end_id]
    return -model.log_probs(ids).sum() / len(corpus)


# Fine-tuning.


def tuned(model, name, config, seed, auxiliary):
    """Accuracy on the test after fine-tuning a copy of ``model`` on some examples.

    "topic" is the world's task, which kind of text it is; "subject" is made of its reviews: what
    is reviewed, a film, an inn, ...?
    """
    data = mb.world.task("topic" if name == "topic" else "sentiment", seed=seed)
    settings, labels = config[name], data.labels
    learned, test = data.train[: settings["labels"]], data.test[: config["test"]]
    if name == "subject":
        labels = sorted({example.info["topic"] for example in data.train})
        learned, test = ([replace(e, label=e.info["topic"]) for e in p] for p in (learned, test))
    mb.seed_everything(seed)
    new, framing = with_frame(model)
    head = mb.heads.LastToken(new, len(labels), auxiliary)
    learn(head, framed_examples(framing, name, learned, labels), settings, seed)
    return right(head, framed_examples(framing, name, test, labels))


def with_frame(model):
    """A copy of a model with the three new tokens, and what frames texts for it."""
    new, first = mb.heads.framed(model)
    return new, mb.text.Framing(model.tokenizer, first, model.config.max_length)


def framed_examples(framing, name, examples, labels):
    """Examples of the world as GPT reads them."""
    if name == "paraphrase":
        return [framing.similar(e.text, e.text_b, labels.index(e.label)) for e in examples]
    return [framing.text(e.text, labels.index(e.label)) for e in examples]


def batches_of(examples, batch_size, **options):
    """Batches of examples with one sequence each, or with several."""
    several = isinstance(examples[0]["input_ids"][0], list)
    kind = mb.text.FramedBatches if several else mb.text.PaddedBatches
    return kind(examples, batch_size, **options)


def learn(head, examples, settings, seed):
    """Fine-tune: a tenth of the updates to warm up, then down to zero."""
    steps = settings["steps"]
    trained = [p for p in head.parameters() if p.requires_grad]
    mb.fit(
        head, batches_of(examples, settings["batch_size"], seed=seed), steps=steps,
        optimizer=torch.optim.AdamW(trained, settings["rate"]),
        schedule=mb.optim.linear(steps, warmup=steps // 10), progress=False,
    )  # fmt: skip


@torch.no_grad()
def right(head, examples):
    """The share of examples with the right label."""
    found = mb.heads.predictions.each(
        head,
        batches_of(examples, 32, shuffle=False),
        lambda batch, logits: logits.argmax(-1).cpu() == batch["labels"],
    )
    return torch.cat(found).float().mean().item()


# Three models, each in its own way.


@cache
def bundled(kind):
    """A bundled model; copied before it is trained."""
    return {"gpt": mb.GPT, "bert": mb.BERT, "elmo": mb.ELMo, "word2vec": mb.Word2Vec}[
        kind
    ].from_pretrained(f"minibert-{kind}")


def settings_of(config, name, way):
    return {**config[name], "batch_size": config["batch_size"], **config[way]}


def of_gpt(labels, learned, test, config, name, seed):
    """GPT: framed texts, both orders of a pair, the auxiliary loss."""
    settings = settings_of(config, name, "gpt")
    new, framing = with_frame(bundled("gpt"))
    kind = mb.heads.Similarity if name == "paraphrase" else mb.heads.LastToken
    head = kind(new, len(labels), settings["auxiliary"])
    learn(head, framed_examples(framing, name, learned, labels), settings, seed)
    return right(head, framed_examples(framing, name, test, labels))


def of_bert(labels, learned, test, config, name, seed):
    """BERT: one text or two with segments, read from [CLS]."""
    settings, start = settings_of(config, name, "bert"), bundled("bert")
    task = TextTask(labels, start.config.max_length)
    head = task.head(copy.deepcopy(start))
    bert_finetune.fit_head(
        head, task.examples(head, learned), rate=settings["rate"], steps=settings["steps"],
        batch_size=settings["batch_size"], seed=seed,
    )  # fmt: skip
    return task.scores(head, test)["accuracy"]


def of_elmo(labels, learned, test, config, name, seed):
    """ELMo: frozen, its layers beside word vectors in an LSTM; a pair is compared word by word."""
    settings, words = settings_of(config, name, "elmo"), bundled("word2vec")
    texts = [e.text for e in (*learned, *test)]
    if name == "paraphrase":
        texts += [e.text_b for e in (*learned, *test)]
    contextual, examples = remembered(texts, words.vocab)
    for example, other in zip(examples, examples[len(learned) + len(test) :], strict=False):
        example |= {f"{key}_b": value for key, value in other.items()}
    examples = [
        {**example, "labels": labels.index(e.label)}
        for example, e in zip(examples, (*learned, *test), strict=False)
    ]
    kind = mb.heads.PairClassifier if name == "paraphrase" else OneText
    vectors = F.normalize(words.vectors, dim=1)
    head = kind(vectors, len(labels), contextual=contextual, hidden=settings["hidden"])
    learn(head, examples[: len(learned)], settings, seed)
    return right(head, examples[len(learned) :])


def remembered(texts, vocab):
    """(ELMo's layers of all texts, the ids of each): read sentence by sentence."""
    cut = [[mb.text.tokenise(s) for s in split_sentences(text)] for text in texts]
    contextual, rows = mb.heads.Remembered.of(
        bundled("elmo"), [words for sentences in cut for words in sentences]
    )
    examples, at = [], 0
    for sentences in cut:
        words = [word.lower() for sentence in sentences for word in sentence]
        ids = [row for rows_of_one in rows[at : at + len(sentences)] for row in rows_of_one]
        at += len(sentences)
        examples.append({"input_ids": vocab.encode(words), "contextual_ids": ids})
    return contextual, examples


class OneText(nn.Module):
    """A label from the mean and the maximum of a bidirectional LSTM's states, ELMo beside."""

    def __init__(self, vectors, labels, dropout=0.3, **options):
        super().__init__()
        self.encoder = mb.heads.ContextEncoder(vectors, dropout=dropout, **options)
        self.output = nn.Linear(2 * self.encoder.width, labels)

    def forward(self, input_ids, attention_mask, contextual_ids=None):
        """(batch, length) ids of words, mask, ids for ELMo -> logits (batch, labels)."""
        x = self.encoder(input_ids, attention_mask, contextual_ids)  # (batch, length, width)
        real = attention_mask[..., None].bool()
        mean = (x * real).sum(1) / real.sum(1)
        return self.output(torch.cat((mean, x.masked_fill(~real, -torch.inf).amax(1)), -1))

    def loss(self, batch):
        """(sum of cross-entropies, number of texts)."""
        logits = self(batch["input_ids"], batch["attention_mask"], batch["contextual_ids"])
        return F.cross_entropy(logits, batch["labels"], reduction="sum"), len(logits)
