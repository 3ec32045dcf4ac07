"""The experiments of chapter 04: a lookup, order, the place of the norm, questions from statements.

``lookup``: one attention and an LSTM say which number was read with a name, by how many words lie
between. The LSTM's rate is chosen on a validation set, its forget gates begin open.
``question_first``: the same LSTM, once with the name before the list and once after it.
``order``: what a reader without positions loses, on letters and on sentences of the world.
``warmup``: small language models of letters, the norm after or before each sublayer, by rate, depth
and warm-up; losses in nats a letter of held-out text. ``gradients``: the same models before their
first step. ``questions``: an encoder and a decoder turn statements into questions; exact matches on
statements that were not in the training text. The seed draws the text, the weights and the batches.
"""

import math
from functools import lru_cache, partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.models.transformer.attention import attend, causal_mask, padding_mask
from minibert.models.transformer.model import Positions, Stack, TransformerConfig, initialise
from minibert.text.batches import IGNORE
from minibert.world.asking import pairs

MARKS = ("<pad>", "<unk>", "<s>", "</s>")
NAMES, NUMBERS, FILLERS = 26, 10, 50  # words of the lookup; one more is the blank
CONFIG = {
    "lookup": {
        "pairs": 2,
        "gaps": [0, 10, 20],
        "dim": 32,
        "hidden": 64,
        "steps": 600,
        "rates": [0.003, 0.01, 0.03],
        "forget": 3.0,
        "longer": 4,
        "examples": 2000,
    },
    "question_first": {
        "pairs": 2,
        "gaps": [10, 20],
        "dim": 32,
        "hidden": 64,
        "steps": 400,
        "rates": [0.01, 0.03],
        "forget": 3.0,
        "examples": 2000,
    },
    "order": {"examples": 1500, "steps": 150, "sentences": 2000, "sentence_steps": 300, "dim": 32},
    "warmup": {
        "tokens": 15_000,
        "test": 2_000,
        "dim": 32,
        "length": 32,
        "batch": 8,
        "steps": 120,
        "rise": 60,
        "rates": [0.001, 0.003, 0.01],
        "depth": 6,
        "shallow": 2,
    },
    "gradients": {"tokens": 15_000, "dim": 32, "length": 32, "depths": [2, 4, 8, 16]},
    "questions": {"tokens": 300_000, "test": 40_000, "dim": 64, "layers": 2, "steps": 300},
}
SMOKE = {
    "lookup": {"gaps": [0, 2], "steps": 3, "rates": [0.01], "examples": 50},
    "question_first": {"gaps": [2], "steps": 3, "rates": [0.01], "examples": 50},
    "order": {"examples": 100, "steps": 5, "sentences": 100, "sentence_steps": 5},
    "warmup": {"tokens": 3_000, "test": 1_000, "steps": 3, "rise": 2, "depth": 3},
    "gradients": {"tokens": 2_000, "depths": [2, 4]},
    "questions": {"tokens": 10_000, "test": 5_000, "steps": 5},
}  # fmt: skip


class Lookup(nn.Module):
    """Which number was read with a name? One attention, or an LSTM, over the vectors of places."""

    def __init__(self, dim, hidden=None, forget=0.0, first=False):
        super().__init__()
        self.first = first  # is the name read before the list?
        self.words = nn.Embedding(NAMES + NUMBERS + FILLERS + 1, dim)
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.lstm = None if hidden is None else nn.LSTM(dim, hidden, batch_first=True)
        self.output = nn.Linear(hidden or dim, NUMBERS)
        if hidden is not None:
            with torch.no_grad():
                self.lstm.bias_hh_l0[hidden : 2 * hidden] += forget

    def forward(self, input_ids, asked):
        """(batch, places, 2) and (batch,) -> logits (batch, numbers)."""
        x, asked = self.words(input_ids).sum(2), self.words(asked)[:, None]
        if self.lstm is not None:
            read = (asked, x) if self.first else (x, asked)
            return self.output(self.lstm(torch.cat(read, 1))[0][:, -1])
        return self.output(attend(self.query(asked), self.key(x), self.value(x))[0][:, 0])


def guests(pairs, gap, count, generator):
    """Places with a name and a number each, then ``gap`` with a filler; a name, its number."""
    names = torch.rand(count, NAMES, generator=generator).argsort(1)[:, :pairs] + NUMBERS
    numbers = torch.randint(0, NUMBERS, (count, pairs), generator=generator)
    fillers = torch.randint(0, FILLERS, (count, gap), generator=generator) + NUMBERS + NAMES
    blank = torch.full_like(fillers, NUMBERS + NAMES + FILLERS)
    places = torch.stack((torch.cat((names, fillers), 1), torch.cat((numbers, blank), 1)), 2)
    chosen = torch.randint(0, pairs, (count, 1), generator=generator)
    return places, names.gather(1, chosen)[:, 0], numbers.gather(1, chosen)[:, 0]


def looked_up(model, draw, *, steps, rate, seed):
    """The model, trained on fresh examples of ``draw(count, generator)`` in each step."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        places, asked, answers = draw(64, generator)
        loss = F.cross_entropy(model(places, asked), answers)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def share_right(model, examples):
    places, asked, answers = examples
    with torch.no_grad():
        return (model(places, asked).argmax(-1) == answers).float().mean().item()


def lookup(seed, config):
    """Share right of one attention and of an LSTM by distance; chance is a tenth."""
    measured = {}
    for gap in config["gaps"]:
        draw = partial(guests, config["pairs"], gap)
        valid, test = (
            draw(config["examples"], torch.Generator().manual_seed(part + seed))
            for part in (1000, 2000)
        )

        def trained(rate, steps, hidden=None, draw=draw):
            mb.seed_everything(seed)
            model = Lookup(config["dim"], hidden, config["forget"])
            return looked_up(model, draw, steps=steps, rate=rate, seed=3000 + seed)

        attention = trained(0.01, config["steps"])
        measured[f"attention_gap{gap}"] = share_right(attention, test)
        lstms = {rate: trained(rate, config["steps"], config["hidden"]) for rate in config["rates"]}
        best = max(lstms, key=lambda rate: share_right(lstms[rate], valid))
        measured[f"lstm_gap{gap}"] = share_right(lstms[best], test)
        last = test[0][:, config["pairs"] - 1, 1]
        measured[f"last_gap{gap}"] = (last == test[2]).float().mean().item()
        if gap == config["gaps"][1]:
            longer = trained(best, config["longer"] * config["steps"], config["hidden"])
            measured["lstm_longer"] = share_right(longer, test)
    return measured


def question_first(seed, config):
    """Share right of an LSTM by distance that knows the name before it reads, and of one after."""
    measured = {}
    for gap in config["gaps"]:
        draw = partial(guests, config["pairs"], gap)
        valid, test = (
            draw(config["examples"], torch.Generator().manual_seed(part + seed))
            for part in (1000, 2000)
        )
        for way, first in (("first", True), ("last", False)):
            scores = []
            for rate in config["rates"]:
                mb.seed_everything(seed)
                model = Lookup(config["dim"], config["hidden"], config["forget"], first)
                looked_up(model, draw, steps=config["steps"], rate=rate, seed=3000 + seed)
                scores.append((share_right(model, valid), share_right(model, test)))
            measured[f"{way}_gap{gap}"] = max(scores)[1]
    return measured


class Reader(nn.Module):
    """A stack of blocks that reads a text and gives one of two labels from the mean state."""

    def __init__(self, vocab_size, causal=False, dim=32, **settings):
        super().__init__()
        self.config = TransformerConfig(
            vocab_size, dim=dim, layers=2, heads=4, hidden=4 * dim, dropout=0.0, norm="pre",
            max_length=32, **settings,
        )  # fmt: skip
        self.causal = causal
        self.embedding, self.positions = nn.Embedding(vocab_size, dim), Positions(self.config)
        self.stack, self.output = Stack(self.config), nn.Linear(dim, 2)
        initialise(self)
        nn.init.normal_(self.embedding.weight)
        if self.config.position == "learned":
            nn.init.normal_(self.positions.weight, std=0.5)

    def forward(self, input_ids, attention_mask):
        """(batch, length) -> logits (batch, 2)."""
        length = input_ids.shape[1]
        mask = padding_mask(attention_mask)
        mask = mask & causal_mask(length) if self.causal else mask
        x = self.embedding(input_ids) + self.positions(torch.arange(length))
        states = self.stack(x, mask)[0].last_hidden_state  # (batch, length, dim)
        real = attention_mask[..., None]
        return self.output((states * real).sum(1) / real.sum(1))

    def loss(self, batch):
        logits = self(batch["input_ids"], batch["attention_mask"])
        return F.cross_entropy(logits, batch["labels"], reduction="sum"), len(logits)


READERS = {
    "none": {"position": "none"},
    "causal": {"position": "none", "causal": True},
    "sinusoidal": {"position": "sinusoidal"},
    "learned": {"position": "learned"},
}


def order(seed, config):
    """Accuracy of four readers on two questions about order; chance is one half."""
    measured = {}
    letters = [which_first(config["examples"], draw + seed) for draw in (1000, 2000)]
    words = turned(config["sentences"], seed)
    tasks = {"letters": (*letters, config["steps"]), "words": (*words, config["sentence_steps"])}
    for task, (train, test, steps) in tasks.items():
        size = 1 + max(max(example["input_ids"]) for example in [*train, *test])
        for name, settings in READERS.items():
            mb.seed_everything(seed)
            model = Reader(size, dim=config["dim"], **settings)
            batches = mb.text.PaddedBatches(train, 32, seed=seed)
            mb.fit(model, batches, steps=steps, optimizer=mb.optim.adamw(model, 0.005),
                   schedule=mb.optim.linear(steps, steps // 10), device="cpu",
                   progress=False)  # fmt: skip
            measured[f"{task}_{name}"] = accuracy(model, test)
    return measured


def accuracy(model, examples):
    """Share of examples whose label gets the larger logit; a tie counts one half."""
    right = 0.0
    with torch.no_grad():
        for batch in mb.text.PaddedBatches(examples, 200, shuffle=False):
            logits = model(batch["input_ids"], batch["attention_mask"])
            gap = logits.diff(dim=1)[:, 0] * (2 * batch["labels"] - 1)
            right += (gap > 1e-5).sum().item() + 0.5 * (gap.abs() <= 1e-5).sum().item()
    return right / len(examples)


def which_first(count, seed, length=12):
    """Random letters with one A (1) and one B (2) among them: does A come first?"""
    generator = torch.Generator().manual_seed(seed)
    examples = []
    for _ in range(count // 2):
        letters = torch.randint(3, 25, (length,), generator=generator)
        one, two = sorted(torch.randperm(length, generator=generator)[:2].tolist())
        for label, (a, b) in enumerate(((two, one), (one, two))):
            ids = letters.clone()
            ids[a], ids[b] = 1, 2
            examples.append({"input_ids": ids.tolist(), "labels": label})
    return examples


def turned(count, seed):
    """Sentences of the world as they are (1), and with their words backwards (0): train, test.

    The first and the last token (a capital, a full stop) stay where they are.
    """
    parts = []
    for draw in (1000 + seed, 2000 + seed):
        corpus = mb.world.generate(tokens=25 * count, seed=draw)
        parts.append([s for s in corpus.sentences() if 5 <= len(s) <= 15][:count])
    vocab = mb.text.Vocab.train(parts[0], min_count=2)
    made = []
    for part in parts:
        examples = []
        for sentence in part:
            first, *middle, last = vocab.encode(sentence)
            if middle != middle[::-1]:
                examples += [
                    {"input_ids": [first, *middle, last], "labels": 1},
                    {"input_ids": [first, *middle[::-1], last], "labels": 0},
                ]
        made.append(examples)
    return made


class CausalLM(nn.Module):
    """A language model of letters: a stack that sees only what came before."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.positions, self.stack = Positions(config), Stack(config)
        self.output = nn.Linear(config.dim, config.vocab_size)
        initialise(self)
        nn.init.normal_(self.embedding.weight)

    def forward(self, input_ids):
        """(batch, length) -> logits (batch, length, V)."""
        length = input_ids.shape[1]
        x = self.embedding(input_ids) + self.positions(torch.arange(length))
        return self.output(self.stack(x, causal_mask(length))[0].last_hidden_state)

    def loss(self, batch):
        logits = self(batch["input_ids"]).flatten(0, 1)
        targets = batch["targets"].flatten()
        loss = F.cross_entropy(logits, targets, ignore_index=IGNORE, reduction="sum")
        return loss, int((targets != IGNORE).sum())


@lru_cache(maxsize=1)
def text(tokens, test, seed):
    """Numbers of the letters of a text and of a held-out one, and how many letters there are."""
    train = mb.world.generate(tokens=tokens, seed=1000 + seed).text()
    held_out = mb.world.generate(tokens=test, seed=2000 + seed).text()
    number = {letter: i for i, letter in enumerate(sorted(set(train)), 1)}  # 0: a new one
    return (*(np.array([number.get(c, 0) for c in part]) for part in (train, held_out)),
            len(number) + 1)  # fmt: skip


def language_model(letters, config, norm, layers, seed):
    """A model as it is before its first step."""
    mb.seed_everything(seed)
    dim = config["dim"]
    return CausalLM(
        TransformerConfig(letters, dim=dim, layers=layers, heads=4, hidden=4 * dim, dropout=0.0,
                          norm=norm, max_length=config["length"])
    )  # fmt: skip


def warmup(seed, config):
    """Held-out loss by norm, depth, rate and warm-up, and how much warm-up gains."""
    train, held_out, letters = text(config["tokens"], config["test"], seed)
    share = np.bincount(train, minlength=letters) + 1.0
    measured = {"unigram": float(-np.log(share / share.sum())[held_out[1:]].mean())}
    test = mb.text.BPTTBatches(held_out, 16, config["length"])
    cases = [(config["depth"], n, rate) for n, rate in enumerate(config["rates"], 1)]
    for depth, number, rate in [*cases, (config["shallow"], 2, config["rates"][1])]:
        name = f"d{depth}_r{number}"
        for norm in ("post", "pre"):
            losses = []
            for rise in (0, config["rise"]):
                model = language_model(letters, config, norm, depth, seed)
                mb.fit(model, mb.text.BPTTBatches(train, config["batch"], config["length"]),
                       steps=config["steps"], optimizer=mb.optim.adamw(model, rate), device="cpu",
                       schedule=mb.optim.linear(config["steps"], rise),
                       progress=False)  # fmt: skip
                losses.append(mb.training.evaluate(model, test))
                measured[f"{norm}_{'warm' if rise else 'none'}_{name}"] = losses[-1]
            measured[f"{norm}_gain_{name}"] = losses[0] - losses[1]
    for way in ("post_none", "post_warm", "pre_none", "pre_warm"):
        found = [measured[f"{way}_d{depth}_r{n}"] for depth, n, _ in cases]
        measured |= {f"{way}_best": min(found), f"{way}_worst": max(found)}
    return measured


def gradients(seed, config):
    """Norms of the gradient by layer before the first step (Xiong et al. 2020, figure 3)."""
    train, _, letters = text(config["tokens"], 2_000, seed)
    batch = next(iter(mb.text.BPTTBatches(train, 32, config["length"])))
    measured = {}
    for norm in ("post", "pre"):
        top = []
        for depth in config["depths"]:
            model = language_model(letters, config, norm, depth, seed)
            loss, count = model.loss(batch)
            (loss / count).backward()
            norms = [block.ffn.outer.weight.grad.norm().item() for block in model.stack.blocks]
            top.append(norms[-1])
        measured |= {f"{norm}_layers": norms, f"{norm}_top": top}
        measured[f"{norm}_top_shallow"], measured[f"{norm}_top_deep"] = top[0], top[-1]
        measured[f"{norm}_slope"] = math.log(norms[-1] / norms[0])
    return measured


def questions(seed, config):
    """Exact matches of whole questions, by what the model is made of."""
    corpus = mb.world.generate(tokens=config["tokens"], seed=1000 + seed)
    train = pairs(corpus)
    known = {tuple(statement) for statement, _ in train}
    vocab = mb.text.Vocab.train([a + b for a, b in train], specials=MARKS)
    fresh = pairs(mb.world.generate(tokens=config["test"], seed=2000 + seed))
    fresh = [
        (a, b) for a, b in fresh if tuple(a) not in known and all(word in vocab for word in a + b)
    ]
    measured = {"statements": len(train), "asked": len(fresh)}
    ways = {
        "full": {},
        "no_positions": {"position": "none"},
        "post": {"norm": "post"},
    }
    for name, settings in ways.items():
        mb.seed_everything(seed)
        dim = config["dim"]
        shape = {"dim": dim, "layers": config["layers"], "heads": 4, "hidden": 2 * dim}
        model = mb.Transformer(
            TransformerConfig(
                len(vocab), **{**shape, "dropout": 0.0, "norm": "pre", "max_length": 32, **settings}
            )
        )
        steps = config["steps"]
        mb.fit(model, asking_batches(train, vocab, seed), steps=steps, device="cpu", progress=False,
               optimizer=mb.optim.adamw(model, 0.005, betas=(0.9, 0.98)),
               schedule=mb.optim.linear(steps, steps // 5))  # fmt: skip
        measured[name] = exact(model, fresh, vocab)
    return measured


def encoded(pair, vocab):
    """Ids read, written (after ``<s>``) and to be written (up to ``</s>``)."""
    statement, asked = pair
    ids = vocab.encode(asked)
    return {
        "input_ids": vocab.encode(statement),
        "decoder_ids": [vocab["<s>"], *ids],
        "labels": [*ids, vocab["</s>"]],
    }


def asking_batches(train, vocab, seed):
    """Batches of statements with their questions."""
    return mb.text.PaddedBatches([encoded(pair, vocab) for pair in train], 64, seed=seed)


def exact(model, fresh, vocab):
    """Share of statements whose question is written without a mistake."""
    right, start_id, end_id = 0, vocab["<s>"], vocab["</s>"]
    for start in range(0, len(fresh), 200):
        part = fresh[start : start + 200]
        batch = next(
            iter(mb.text.PaddedBatches([vocab.encode(a) for a, _ in part], 200, shuffle=False,
                                       by_length=False))
        )  # fmt: skip
        written = model.generate(batch["input_ids"], 15, start_id, end_id,
                                 attention_mask=batch["attention_mask"])  # fmt: skip
        for row, (_, asked) in zip(written.tolist(), part, strict=True):
            said = row[: row.index(end_id)] if end_id in row else row
            right += said == vocab.encode(asked)
    return right / len(fresh)
