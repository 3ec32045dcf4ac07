"""The experiments of chapter 05: what Devlin et al. (2019) claim of pre-training, measured here.

Each seed draws a text of the world and pre-trains the same small network in several ways on it, for
the same number of updates, always with two heads that begin by looking beside. Then every network
is asked the same: names (NER) and inference (NLI) after fine-tuning, names from its frozen states,
and word senses from the frozen last layer. `start` compares the beginnings of such a
training. `same_word` asks a network that reads both sides, and one that reads the left side only,
for the same hidden words at several stops of their training, beside two ways to count.
"""

import random
from collections import Counter, defaultdict

import torch
from torch.nn import functional as F

import minibert as mb
from minibert.commands.pretrain.bert import measure
from minibert.commands.pretrain.start import know_frequencies, look_beside
from minibert.heads.tagger import span_f1
from minibert.models.bert.left_to_right import LeftToRight, NextTokenBatches
from minibert.text.masking import SPLIT
from minibert.world.tasksets.tagging import IOB

MODEL = {"dim": 64, "layers": 2, "heads": 4, "hidden": 256, "max_length": 64, "init_std": 0.07}
CONFIG = {
    "ways": {
        "kinds": ["match", "story", "letter"],
        "tokens": 300_000,
        "pieces": 1500,
        "model": MODEL,
        "length": 32,
        "batch_size": 48,
        "steps": 1000,
        "rate": 0.003,
        "snapshots": [0.25, 0.5, 1.0],
        "ner": {"labels": 200, "steps": 160, "rate": 0.001},
        "features": {"labels": 200, "steps": 80, "rate": 0.02},
        "nli": {"labels": 3000, "steps": 100, "rate": 0.001},
        "asked": 600,
        "reference_tokens": 30_000,
        "test_tokens": 30_000,
        "least": 5,
    },
    "same_word": {
        "tokens": 200_000,
        "test_tokens": 60_000,
        "pieces": 900,
        "model": MODEL,
        "length": 32,
        "batch_size": 48,
        "stops": [200, 400, 800, 1200],
        "rate": 0.003,
    },
    "start": {  # as in the chapter's section 6
        "tokens": 200_000,
        "test_tokens": 20_000,
        "pieces": 900,
        "model": MODEL,
        "length": 32,
        "batch_size": 48,
        "steps": 400,
        "rate": 0.003,
    },
}
SMOKE = {
    "ways": {
        "tokens": 6_000,
        "pieces": 500,
        "model": {"dim": 16, "layers": 1, "heads": 2, "hidden": 32, "max_length": 64},
        "steps": 8,
        "ner": {"labels": 20, "steps": 3, "rate": 0.001},
        "features": {"labels": 20, "steps": 3, "rate": 0.005},
        "nli": {"labels": 20, "steps": 3, "rate": 0.001},
        "asked": 40,
        "reference_tokens": 8_000,
        "test_tokens": 8_000,
        "least": 2,
    },
    "same_word": {"tokens": 5_000, "test_tokens": 2_000, "pieces": 400, "stops": [2, 4]},
    "start": {"tokens": 5_000, "test_tokens": 2_000, "pieces": 400, "steps": 4},
}
WAYS = {  # name -> options of the batches; what is masked becomes [MASK], random, itself
    "mlm": {"next_sentence": False, "split": SPLIT},
    "ltr": {"next_sentence": False, "split": SPLIT},
    "all_mask": {"next_sentence": False, "split": (1.0, 0.0, 0.0)},
    "nsp": {"next_sentence": True, "split": SPLIT},
}


def same_word(seed, config):
    """Shares of the same hidden pieces that are named right, and their mean losses in nats."""
    train, test = (
        [
            d.lines()
            for d in mb.world.generate(tokens=tokens, seed=number, kinds=["match"]).documents
        ]
        for tokens, number in ((config["tokens"], seed), (config["test_tokens"], 10_000 + seed))
    )
    tokenizer = mb.text.WordPiece.train(
        (line for lines in train for line in lines), config["pieces"]
    )
    documents = mb.text.Documents(train, tokenizer)
    gaps = list(one_gap_each(mb.text.Documents(test, tokenizer), tokenizer, seed, config))
    found = counted_gaps(documents.ids.tolist(), gaps)
    for way in ("both", "left"):
        scores = race(way, documents, tokenizer, gaps, seed=seed, config=config)
        found[f"{way}_curve"] = [right for right, _ in scores]
        found[f"{way}_loss_curve"] = [loss for _, loss in scores]
        found[f"{way}_early"], found[f"{way}_end"] = scores[0][0], scores[-1][0]
        found[f"{way}_end_loss"] = scores[-1][1]
    return found


def one_gap_each(documents, tokenizer, seed, config):
    """(ids of a text as (1, length), the place of its gap): one gap in each held-out text."""
    draw = random.Random(seed)
    texts = mb.text.PretrainingBatches(
        documents, tokenizer, 1, config["length"], next_sentence=False, seed=seed
    )
    for batch in texts.of_epoch(0):
        ids = batch["input_ids"].where(batch["labels"] < 0, batch["labels"])
        yield ids, draw.randrange(1, ids.shape[1] - 1)


def counted_gaps(ids, gaps):
    """The same gaps by counting: what stood most often between, or after, the same two pieces."""
    keys = {
        "both": lambda text, i: (text[i - 1], text[i + 1]),
        "left": lambda text, i: (text[i - 2], text[i - 1]) if i > 1 else None,
        "one": lambda text, i: text[i - 1],
    }
    seen = {name: defaultdict(Counter) for name in keys}
    for i in range(2, len(ids) - 1):
        for name, key in keys.items():
            seen[name][key(ids, i)][ids[i]] += 1
    usual, right = Counter(ids).most_common(1)[0][0], Counter()
    for text, place in gaps:
        text = text[0].tolist()
        for way in ("both", "left"):
            names = (way, "one")
            known = [
                seen[n][keys[n](text, place)] for n in names if keys[n](text, place) in seen[n]
            ]
            said = known[0].most_common(1)[0][0] if known else usual
            right[way] += said == text[place]
    return {f"{way}_counted": right[way] / len(gaps) for way in ("both", "left")}


def race(way, documents, tokenizer, gaps, *, seed, config):
    """(share right, mean loss) on the gaps at each stop of a training; equal but for the mask."""
    mb.seed_everything(seed)
    steps = config["stops"][-1]
    kind = LeftToRight if way == "left" else mb.BERT
    shape = mb.BERTConfig(len(tokenizer), dropout=0.0, attention_dropout=0.0, **config["model"])
    model = mb.heads.MaskedLM(kind(shape, tokenizer))
    know_frequencies(model, documents.ids)
    look_beside(model.encoder, (-1, -2) if way == "left" else (-1, 1))
    batches = mb.text.PretrainingBatches(
        documents,
        tokenizer,
        config["batch_size"],
        config["length"],
        next_sentence=False,
        seed=seed,
    )
    asked = Stops(model, way, gaps, tokenizer.mask_id, config["stops"])
    mb.fit(
        model,
        NextTokenBatches(batches) if way == "left" else batches,
        steps=steps,
        optimizer=mb.optim.adamw(model, config["rate"]),
        schedule=mb.optim.linear(steps, warmup=steps // 10),
        callbacks=[asked],
        progress=False,
    )
    return asked.scores


class Stops:
    """Asks a model for the hidden pieces after some numbers of updates."""

    def __init__(self, model, way, gaps, mask_id, stops):
        self.model, self.way, self.gaps = model, way, gaps
        self.mask_id, self.stops, self.scores = mask_id, stops, []

    def on_step(self, run):
        if run.step in self.stops:
            self.scores.append(self.asked())

    @torch.no_grad()
    def asked(self):
        """(share right, mean loss); from the left, the place before the gap answers."""
        right, loss = 0, 0.0
        by_length = defaultdict(list)
        for ids, place in self.gaps:
            by_length[ids.shape[1]].append((ids, place))
        training, device = self.model.training, next(self.model.parameters()).device
        self.model.eval()
        for some in by_length.values():
            ids = torch.cat([ids for ids, _ in some]).to(device)  # (n, length)
            rows = torch.arange(len(some), device=device)
            places = torch.tensor([place for _, place in some], device=device)
            truth = ids[rows, places]
            if self.way == "both":
                ids[rows, places] = self.mask_id
            states = self.model.encoder(ids).last_hidden_state
            logits = self.model.output(states[rows, places - int(self.way == "left")])
            right += int((logits.argmax(-1) == truth).sum())
            loss += float(F.cross_entropy(logits, truth, reduction="sum"))
        self.model.train(training)
        return right / len(self.gaps), loss / len(self.gaps)


def start(seed, config):
    """The held-out loss of masked pieces, from first weights that know more and more."""
    train, test = (
        [
            d.lines()
            for d in mb.world.generate(tokens=tokens, seed=number, kinds=["match"]).documents
        ]
        for tokens, number in ((config["tokens"], seed), (config["test_tokens"], 10_000 + seed))
    )
    tokenizer = mb.text.WordPiece.train(
        (line for lines in train for line in lines), config["pieces"]
    )
    documents = mb.text.Documents(train, tokenizer)
    found = {}
    for name in ("random", "frequencies", "beside"):
        mb.seed_everything(seed)
        shape = mb.BERTConfig(len(tokenizer), dropout=0.0, attention_dropout=0.0, **config["model"])
        model = mb.heads.Pretraining(mb.BERT(shape, tokenizer))
        if name != "random":
            know_frequencies(model, documents.ids)
        if name == "beside":
            look_beside(model.encoder)
        size, length = config["batch_size"], config["length"]
        mb.fit(
            model,
            mb.text.PretrainingBatches(documents, tokenizer, size, length, seed=seed),
            steps=config["steps"],
            optimizer=mb.optim.adamw(model, config["rate"]),
            schedule=mb.optim.linear(config["steps"], warmup=config["steps"] // 10),
            progress=False,
        )
        batches = mb.text.PretrainingBatches(test, tokenizer, size, length, seed=seed)
        found[name] = measure(model, batches).loss
    return found


def ways(seed, config):
    """All measures of all ways to pre-train, named ``way_measure``."""
    task = Asked(seed, config)
    found = {}
    for way in WAYS:
        snapshots, scores = pretrained(way, task, seed, config)
        model = snapshots[-1]
        found |= {f"{way}_{name}": value for name, value in scores.items()}
        if way in ("mlm", "ltr"):
            curve = [task.senses(each) for each in snapshots]
            found |= {f"{way}_senses_curve": curve, f"{way}_senses": curve[-1]}
            found[f"{way}_senses_early"] = curve[0]
            names = [task.names(each) for each in snapshots[:-1]]
        found[f"{way}_ner"] = task.names(model)
        if way in ("mlm", "ltr"):
            names.append(found[f"{way}_ner"])
            found |= {f"{way}_ner_curve": names, f"{way}_ner_early": names[0]}
            found[f"{way}_ner_share"] = names[0] / max(names[-1], 1e-9)  # of what it reaches
        if way in ("mlm", "all_mask"):
            found[f"{way}_features"] = task.features(model)
        if way in ("mlm", "nsp"):
            found[f"{way}_nli"] = task.inference(model)
    return found


def pretrained(way, task, seed, config):
    """Copies of the encoder during and after training, and the held-out scores of its tasks."""
    mb.seed_everything(seed)
    documents, tokenizer, held_out = task.documents, task.tokenizer, task.held_out
    kind = LeftToRight if way == "ltr" else mb.BERT
    shape = mb.BERTConfig(len(tokenizer), dropout=0.0, attention_dropout=0.0, **config["model"])
    encoder = kind(shape, tokenizer)
    look_beside(encoder, (-1, -2) if way == "ltr" else (-1, 1))
    pairs = WAYS[way]["next_sentence"]
    model = mb.heads.Pretraining(encoder) if pairs else mb.heads.MaskedLM(encoder)
    know_frequencies(model, task.documents.ids)

    def batches_of(texts):
        made = mb.text.PretrainingBatches(
            texts, tokenizer, config["batch_size"], config["length"], seed=seed, **WAYS[way]
        )
        return NextTokenBatches(made) if way == "ltr" else made

    kept = Snapshots(encoder, [round(share * config["steps"]) for share in config["snapshots"]])
    steps = config["steps"]
    mb.fit(
        model,
        batches_of(documents),
        steps=steps,
        optimizer=mb.optim.adamw(model, config["rate"]),
        schedule=mb.optim.linear(steps, warmup=steps // 10),
        callbacks=[kept],
        progress=False,
    )
    found = measure(model, batches_of([document.lines() for document in held_out.documents]))
    scores = {"loss": found.loss, "right": found.right}
    if pairs:
        scores["next_right"] = found.next_right
    return kept.models(kind), scores


class Snapshots:
    """Keeps the encoder's weights after some updates."""

    def __init__(self, encoder, steps):
        self.encoder, self.steps, self.states = encoder, steps, []

    def on_step(self, run):
        if run.step in self.steps:
            self.states.append({n: t.clone() for n, t in self.encoder.state_dict().items()})

    def models(self, kind):
        """The encoders, in eval mode."""
        found = []
        for state in self.states:
            model = kind(self.encoder.config, self.encoder.tokenizer)
            model.load_state_dict(state)
            found.append(model.eval())
        return found


class Asked:
    """The text of a seed, its pieces, and the questions for every model."""

    def __init__(self, seed, config):
        self.seed, self.config = seed, config

        def text(tokens, first):
            return mb.world.generate(tokens=tokens, seed=first + seed, kinds=config["kinds"])

        corpus = text(config["tokens"], 1000)
        texts = [document.lines() for document in corpus.documents]
        lines = [line for lines in texts for line in lines]
        self.tokenizer = mb.text.WordPiece.train(lines, config["pieces"], lowercase=False)
        self.documents = mb.text.Documents(texts, self.tokenizer)
        self.nli = mb.world.task("nli", seed=seed)
        reference = text(config["reference_tokens"], 60_000)
        test = text(config["test_tokens"], 70_000)
        self.held_out = text(20_000, 20_000)
        self.known, self.asked = uses(reference), uses(test)
        self.labelled, self.unlabelled = sentences(reference), sentences(test)

    def copy(self, model):
        """A model that may be changed, with the same weights."""
        new = type(model)(model.config, model.tokenizer)
        new.load_state_dict(model.state_dict())
        return new

    def names(self, model):
        """Span F1 of named entities after fine-tuning."""
        head = mb.heads.TokenClassifier(self.copy(model), len(IOB))
        return self.tagged(head, self.config["ner"])

    def features(self, model):
        """Span F1 of named entities from the frozen model, all layers side by side."""
        layers = tuple(range(-model.config.layers, 0))
        mixed = mb.heads.LayerMix(self.copy(model), layers, "concat")
        head = mb.heads.TokenClassifier(mixed, len(IOB), dropout=0.0)
        return self.tagged(head, self.config["features"])

    def tagged(self, head, settings):
        """Train a tagger on the first labelled sentences; its span F1 on the test set."""
        some = self.labelled[: settings["labels"]], self.unlabelled[: self.config["asked"]]
        train, test = (
            mb.heads.word_examples(
                self.tokenizer,
                [tokens for tokens, _ in part],
                [[IOB.index(tag) for tag in tags] for _, tags in part],
                max_length=self.config["model"]["max_length"],
            )
            for part in some
        )
        learn(
            head, [{n: e[n] for n in ("input_ids", "labels")} for e in train], self.seed, settings
        )
        said, true = [], []
        found = mb.heads.run(head, test)
        for logits, example, (_, tags) in zip(found, test, some[1], strict=True):
            best = logits[example["words"]].argmax(-1).tolist()
            said.append([IOB[i] for i in best])
            true.append(list(tags)[: len(best)])
        return span_f1(said, true)

    def inference(self, model):
        """Accuracy on pairs of sentences after fine-tuning."""
        labels, settings = self.nli.labels, self.config["nli"]
        train, test = (
            [
                {
                    **self.tokenizer.pair(e.text, e.text_b, self.config["model"]["max_length"]),
                    "labels": labels.index(e.label),
                }
                for e in some
            ]
            for some in (self.nli.train[: settings["labels"]], self.nli.test)
        )
        head = mb.heads.SequenceClassifier(self.copy(model), len(labels))
        learn(head, train, self.seed, settings)
        said = torch.stack(mb.heads.run(head, test)).argmax(-1)
        return (said == torch.tensor([e["labels"] for e in test])).float().mean().item()

    def senses(self, model):
        """Word senses by the nearest mean vector of a sense, in the last layer, as in chapter 02.

        The means are taken on one text, the words asked for are in sentences that it does not have.
        """
        known, asked = (states_of(model, some) for some in (self.known, self.asked))
        members = {}
        for number, (_, _, sense) in enumerate(self.known):
            members.setdefault(sense, []).append(number)
        options = {}
        for sense, numbers in members.items():
            if len(numbers) >= self.config["least"]:
                options.setdefault(sense.split(".")[0], []).append(sense)
        means = {sense: known[numbers].mean(0) for sense, numbers in members.items()}
        seen, right, count = {text for text, _, _ in self.known}, 0, 0
        for vector, (text, _, sense) in zip(asked, self.asked, strict=True):
            names = options.get(sense.split(".")[0], [])
            if sense in names and len(names) > 1 and text not in seen:
                likeness = F.cosine_similarity(
                    vector[None], torch.stack([means[name] for name in names])
                )
                right, count = right + (names[int(likeness.argmax())] == sense), count + 1
        return right / count


def learn(head, examples, seed, settings):
    """The same training for every task."""
    mb.seed_everything(seed)
    steps = settings["steps"]
    trained = [p for p in head.parameters() if p.requires_grad]
    mb.fit(
        head,
        mb.text.PaddedBatches(examples, 32, seed=seed),
        steps=steps,
        optimizer=torch.optim.AdamW(trained, settings["rate"]),
        schedule=mb.optim.linear(steps, warmup=steps // 10),
        progress=False,
    )


def uses(corpus):
    """(tokens of the sentence, place, sense) of every homograph."""
    return [
        (tuple(sentence.tokens), place, sense)
        for document in corpus.documents
        for sentence in document.sentences
        for place, sense in enumerate(sentence.sense)
        if sense
    ]


def sentences(corpus):
    """(tokens, entities in IOB2) of every sentence with a name, none twice."""
    found = {
        tuple(sentence.tokens): tuple(sentence.entity)
        for document in corpus.documents
        for sentence in document.sentences
        if set(sentence.entity) != {"O"}
    }
    return list(found.items())


def states_of(model, some):
    """The last state of each use's first piece: (uses, dim)."""
    longest = model.config.max_length
    examples = mb.heads.word_examples(model.tokenizer, [text for text, _, _ in some])
    found = [None] * len(some)
    order = sorted(range(len(some)), key=lambda number: len(examples[number]["input_ids"]))
    for start in range(0, len(order), 64):
        rows = order[start : start + 64]
        ids = [torch.tensor(examples[row]["input_ids"][:longest]) for row in rows]
        padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)  # [PAD] is 0
        mask = (torch.arange(padded.shape[1]) < torch.tensor([len(i) for i in ids])[:, None]).long()
        with torch.no_grad():
            states = model(padded, mask).last_hidden_state
        for row, state, piece in zip(rows, states, ids, strict=True):
            place = examples[row]["words"][some[row][1]]
            found[row] = state[min(place, len(piece) - 1)]
    return torch.stack(found)
