"""The experiments of chapter 08: what can be seen inside models, and what of it holds.

``senses``: new uses of words with several senses get the sense of the nearest of a few labelled
uses; beside it, counting the words nearby and the mean vector of the words nearby. The share for a
model is that of its best layer on uses for validation. ``unit``: a small LSTM reads reviews whose
sentences are all on one side; how well its best unit, one from the middle and all tell the side of
reviews of new sentences, beside counted words; and what is written when a unit of the state is set
(``high``, ``low``; ``second_`` for the second largest difference, ``other_`` for one from the
middle, ``top_`` for the one of the first ``tried`` that moves most), by an independent judge;
``begun_`` is what follows three bad sentences, as it is and with the ``top_`` unit high.
``natural``: the best unit of a bundled, larger reader on single natural sentences. ``heads``:
BERT's best head for a relation against the best fixed offset, both chosen on other sentences.
``attention``: a classifier of reviews with attention, whose weights are permuted. The seed draws
the texts, the examples, the weights and the batches; the bundled models are the same in all seeds.
"""

import random
from collections import Counter, defaultdict

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.world.tasksets.base import Example

READER = {"tokens": 150_000, "reviews": 6_000, "test": 400, "steps": 900, "rate": 0.02}
CONFIG = {
    "senses": {"tokens": 250_000, "more": 150_000, "labelled": 4},
    "unit": {**READER, "labels": 800, "written": 60, "length": 20, "tried": 8},
    "natural": {"tokens": 150_000, "start": "minibert-awd-lstm-reviews-forward"},
    "heads": {"sentences": 400, "relations": ["obj", "det", "obl", "case", "nsubj", "conj"]},
    "attention": {"tokens": 150_000, "reviews": 4_000, "test": 800, "steps": 120, "orders": 20},
}
SMOKE = {
    "senses": {"tokens": 60_000, "more": 40_000, "labelled": 1},
    "unit": {"tokens": 40_000, "reviews": 200, "test": 40, "steps": 3, "labels": 60, "written": 4},
    "natural": {"tokens": 30_000},
    "heads": {"sentences": 60},
    "attention": {"tokens": 40_000, "reviews": 200, "test": 100, "steps": 3, "orders": 2},
}


def uses_of(seed, tokens):
    """(words, position, sense) of each use of a word with senses, no sentence twice."""
    found = {}
    for document in mb.world.generate(tokens=tokens, seed=seed).documents:
        for sentence in document.sentences:
            for i, sense in enumerate(sentence.sense):
                if sense:
                    found.setdefault((tuple(sentence.tokens), i), sense)
    return [(list(tokens), i, sense) for (tokens, i), sense in found.items()]


def form(use):
    return use[0][use[1]].lower()


def nearby(use, reach):
    tokens, i, _ = use
    return tokens[max(0, i - reach) : i] + tokens[i + 1 : i + 1 + reach]


def labelled_uses(uses, count, rng):
    """Some uses of each frequent sense, by written word, for words with two such senses or more."""
    pool = defaultdict(lambda: defaultdict(list))
    for use in uses:
        pool[form(use)][use[2]].append(use)
    found = {}
    for word, senses in pool.items():
        often = [some for some in senses.values() if len(some) >= 2 * count]
        if len(often) > 1:
            found[word] = [use for some in often for use in rng.sample(some, count)]
    return found


def vectors_of(model, uses):
    """The vectors of the used words, (uses, dim) a layer."""
    states = mb.probe.states(model, [tokens for tokens, *_ in uses], cache=False)
    starts = torch.tensor([0, *states.lengths[:-1]]).cumsum(0)
    return [layer[starts + torch.tensor([i for _, i, _ in uses])] for layer in states.layers]


def bags(model, uses):
    """The mean vector of up to five words on either side, in one "layer"."""
    states = mb.probe.states(model, [tokens for tokens, *_ in uses], cache=False).split(0)
    rows = []
    for h, (_, i, _) in zip(states, uses, strict=True):
        rows.append(torch.cat((h[max(0, i - 5) : i], h[i + 1 : i + 6], h[i : i + 1] * 0)).mean(0))
    return [torch.stack(rows)]


def told_by_nearest(views, known, asked):
    """For each layer, how far the nearest labelled uses have the sense: (layers, asked).

    Of uses that are equally near each counts for its share.
    """
    same = torch.tensor([[form(a) == form(b) for b in known] for a in asked])
    right = torch.tensor([[a[2] == b[2] for b in known] for a in asked]).float()
    rows = []
    for x, y in zip(views(known), views(asked), strict=True):
        near = (F.normalize(y, dim=1) @ F.normalize(x, dim=1).T).masked_fill(~same, -2)
        best = (near > near.amax(1, keepdim=True) - 1e-4).float()
        rows.append((best * right).sum(1) / best.sum(1))
    return torch.stack(rows)


def told_by_counting(use, some):
    """The same by the number of shared words, two on either side."""
    words = {w.lower() for w in nearby(use, 2)}
    shared = [len(words & {w.lower() for w in nearby(one, 2)}) for one in some]
    best = [one[2] == use[2] for one, n in zip(some, shared, strict=True) if n == max(shared)]
    return sum(best) / len(best)


def senses(seed, config):
    """Shares of senses told rightly in new sentences; half of them choose the layer."""
    uses = uses_of(2 * seed + 1_000, config["tokens"])
    labelled = labelled_uses(uses, config["labelled"], random.Random(seed))
    read = {tuple(tokens) for tokens, *_ in uses}
    asked = [u for u in uses_of(2 * seed + 1_001, config["more"]) if tuple(u[0]) not in read
             and u[2] in {v[2] for v in labelled.get(form(u), [])}]  # fmt: skip
    known = [use for some in labelled.values() for use in some]
    half = len(asked) // 2
    found = {}
    for name, kind in (("word2vec", mb.Word2Vec), ("elmo", mb.ELMo), ("bert", mb.BERT)):
        model = kind.from_pretrained(f"minibert-{name}").eval()
        right = told_by_nearest(lambda some, model=model: vectors_of(model, some), known, asked)
        best = int(right[:, :half].mean(1).argmax())
        found[name] = float(right[best, half:].mean())
        if name == "word2vec":
            bag = told_by_nearest(lambda some, model=model: bags(model, some), known, asked)
            found["bag"] = float(bag[0, half:].mean())
    test = asked[half:]
    shared = [told_by_counting(use, labelled[form(use)]) for use in test]
    chance = [config["labelled"] / len(labelled[form(use)]) for use in test]
    return {**found, "nearby": sum(shared) / len(test), "chance": sum(chance) / len(test)}


def sides_of(review):
    """(sentence of a review, its side, how it is said) where all it says is on one side."""
    said = defaultdict(set)
    for i, _, side, how in review.notes["aspects"]:
        said[i].add((side, how))
    for i, notes in said.items():
        if len({side for side, _ in notes}) == 1:
            yield review.sentences[i].tokens, *sorted(notes)[0], len(notes)


def judging(seed, tokens):
    """(kind of place, side) -> short sentences that judge it."""
    found = {}
    for review in mb.world.generate(tokens=tokens, seed=seed, kinds="review").documents:
        for words, side, how, count in sides_of(review):
            if count == 1 and how == "says" and words[0] == "The" and len(words) < 7:
                found[" ".join(words).lower()] = (review.topic, side)
    kinds = ("review.inn", "review.restaurant")
    return {(kind, side): sorted(s for s, key in found.items() if key == (kind, side))
            for kind in kinds for side in ("bad", "good")}  # fmt: skip


def reviews(pools, count, rng):
    drawn = [rng.choice(sorted(pools)) for _ in range(count)]
    return [(" ".join(rng.sample(pools[key], 5)).split(), key[1]) for key in drawn]


def material(seed, config):
    """Reviews to train on, reviews of other sentences to test on, all sentences with their side."""
    rng, old, held = random.Random(seed), {}, {}
    for key, some in judging(seed + 500, config["tokens"]).items():
        rng.shuffle(some)
        cut = max(5, len(some) // 5)
        held[key], old[key] = some[:cut], some[cut:]
    gold = [Example(text=s, label=key[1]) for part in (old, held) for key in part
            for s in part[key]]  # fmt: skip
    rng.shuffle(gold)
    return reviews(old, config["reviews"], rng), reviews(held, config["test"], rng), gold


def trained_reader(train, vocab, config, seed):
    off = dict.fromkeys([*mb.models.awd_lstm.DROPOUTS, "alpha", "beta"], 0.0)
    mb.seed_everything(seed)
    config_ = mb.AWDLSTMConfig(len(vocab), dim=64, layers=1, tied=False, **off)
    reader = mb.AWDLSTM(config_, vocab)
    nn.init.normal_(reader.embedding.weight)
    with torch.no_grad():
        reader.layers[0].bias_hh[64:128] += 1.0
    texts = [torch.tensor([1, *vocab.encode(said)]) for said, _ in train]
    optimizer, rng = torch.optim.Adam(reader.parameters()), random.Random(seed)
    for step in range(config["steps"]):
        optimizer.param_groups[0]["lr"] = config["rate"] * (1 - step / config["steps"])
        ids = nn.utils.rnn.pad_sequence(rng.choices(texts, k=32), batch_first=True)
        logits = reader.decoder(reader.read(ids[:, :-1])[0][-1])
        loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
    return reader.eval()


def written(reader, vocab, unit, value, config, draw=5, begin=()):
    """What is drawn after a beginning, with one unit of the state set from its end on."""
    generator = torch.Generator().manual_seed(draw)
    ids = torch.tensor([vocab.encode(["<s>", *begin])] * config["written"])
    state, texts = None, []
    with torch.no_grad():
        for _ in range(config["length"]):
            _, [(h, c)] = reader.read(ids, state)  # h, c: (1, written, units)
            if unit is not None:
                h[..., unit] = value  # the LSTM goes on from this state
            p = reader.decoder(h[0]).softmax(-1)
            ids, state = torch.multinomial(p, 1, generator=generator), [(h, c)]
            texts.append(ids)
    return [" ".join(vocab.tokens[i] for i in row) for row in torch.cat(texts, 1).tolist()]


def settings(reader, vocab, judge, d, config, begin):
    """Shares judged positive of what is written while a unit is set."""
    order = d.abs().argsort(descending=True).tolist()

    def share(chosen, value=0.0, **more):
        texts = written(reader, vocab, chosen, value, config, **more)
        said = judge.predict([Example(text=one, label="good") for one in texts])
        return said.count("good") / len(said)

    def both(chosen, **more):
        """(share with the unit set high, with it set low)."""
        sign = 1.0 if d[chosen] > 0 else -1.0
        return share(chosen, sign, **more), share(chosen, -sign, **more)

    found = {"free": share(None), "begun_free": share(None, begin=begin)}
    for name, place in (("", 0), ("second_", 1), ("other_", len(order) // 2)):
        found[f"{name}high"], found[f"{name}low"] = both(order[place])
    gaps = [high - low for high, low in (both(one, draw=6) for one in order[: config["tried"]])]
    top = max(range(len(gaps)), key=gaps.__getitem__)  # chosen by one draw, measured by another
    found["top_high"], found["top_low"] = both(order[top])
    found["begun_high"], _ = both(order[top], begin=begin)
    return found


def unit(seed, config):
    """How well units tell the side, and what setting one of them does."""
    train, test, gold = material(seed, config)
    vocab = mb.text.Vocab.train([said for said, _ in train], specials=("<unk>", "<s>"))
    reader = trained_reader(train, vocab, config, seed)
    some = train[: config["labels"]]
    x, y = ([mb.probe.pooled(mb.probe.states(reader, [["<s>", *said] for said, _ in part],
             cache=False), "last").layers[1] for part in (some, test)],
            [[side for _, side in part] for part in (some, test)])  # fmt: skip
    names, d = mb.probe.mean_differences(x[0], y[0])
    d = d[names.index("good")]
    order = d.abs().argsort(descending=True).tolist()
    other = order[len(order) // 2]
    both = (x[0], y[0]), (x[1], y[1])
    shares = mb.probe.with_units(*both, order, [1, 4, len(order)])
    texts = [[Example(text=" ".join(s), label=side) for s, side in part] for part in (some, test)]
    cut = len(some) * 7 // 8
    counts = mb.models.cheap.WordCounts().fit(texts[0][:cut], texts[0][cut:])
    judge = mb.models.cheap.WordCounts().fit(gold[60:], gold[:60])

    begin = next(said for said, side in test if side == "bad")
    begin = begin[: [i for i, word in enumerate(begin) if word == "."][2] + 1]  # three sentences
    found = {"best": shares[1], "four": shares[4], "all": shares[len(order)],
             "middle": mb.probe.with_units(*both, [other], [1])[1],
             "words": counts.score(texts[1]), "judge": judge.score(gold[:60]),
             "majority": max(Counter(y[1]).values()) / len(test)}  # fmt: skip
    return found | settings(reader, vocab, judge, d, config, begin)


def natural(seed, config):
    """The best unit of any layer of a bundled reader on natural sentences; half of them choose."""
    said = {}
    for review in mb.world.generate(tokens=config["tokens"], seed=seed + 700,
                                    kinds="review").documents:  # fmt: skip
        for words, side, *_ in sides_of(review):
            said.setdefault(tuple(words), side)
    rows = [(list(words), side) for words, side in said.items()]
    random.Random(seed).shuffle(rows)
    cut = len(rows) * 2 // 3
    reader = mb.AWDLSTM.from_pretrained(config["start"]).eval()
    states = mb.probe.states(reader, [words for words, _ in rows], cache=False)
    mean = mb.probe.pooled(states, "mean")
    y = [side for _, side in rows]
    best = (0.0, 0, 0)
    for number, layer in enumerate(mean.layers):
        _, d = mb.probe.mean_differences(layer[:cut], y[:cut])
        top = mb.probe.ranked(d)[0]
        best = max(best, (float(d[:, top].abs().max()), number, top))
    layer = mean.layers[best[1]]
    parts = (layer[:cut], y[:cut]), (layer[cut:], y[cut:])
    texts = [Example(text=" ".join(words), label=side) for words, side in rows]
    third = cut * 5 // 6
    counts = mb.models.cheap.WordCounts().fit(texts[:third], texts[third:cut])
    majority = max(Counter(y[cut:]).values()) / len(y[cut:])
    share = mb.probe.with_units(*parts, [best[2]], [1])[1]
    return {"best": share, "chance": majority, "words": counts.score(texts[cut:])}


def heads(seed, config):
    """The best head of BERT by relation and the best offset, both chosen on other sentences."""
    bert = mb.BERT.from_pretrained("minibert-bert").eval()
    count = config["sentences"]
    some = [s for d in mb.world.generate(tokens=count * 25, seed=seed + 900).documents
            for s in d.sentences if 4 < len(s.tokens) < 25][:count]  # fmt: skip
    halves, offsets = [], []
    for half in (some[: count // 2], some[count // 2 :]):
        looks = mb.probe.word_attention(bert, [s.tokens for s in half])
        given = [s.head for s in half], [s.relation for s in half]
        halves.append(mb.probe.head_arcs(looks, *given))
        offsets.append(defaultdict(list))
        for s in half:
            for i, (head, name) in enumerate(zip(s.head, s.relation, strict=True)):
                if head >= 0:
                    for key in (name, "all"):
                        offsets[-1][key].append(head - i)
    found = {}
    for name in ("all", *config["relations"]):
        if name not in halves[0] or name not in halves[1]:
            continue
        layer, head, _ = halves[0][name].best
        offset, judged = halves[0][name].offset, offsets[1][name]
        found[name] = float(halves[1][name].scores[layer - 1, head])
        found[f"{name}_offset"] = judged.count(offset) / len(judged)
    return found


class Pooled(nn.Module):
    """Words weighed by attention, then one logit; the words in context, or bare."""

    def __init__(self, words, context):
        super().__init__()
        self.words = nn.Embedding(words, 64)
        self.lstm = nn.LSTM(64, 32, batch_first=True, bidirectional=True) if context else None
        self.inner, self.v, self.output = nn.Linear(64, 32), nn.Linear(32, 1), nn.Linear(64, 1)

    def states(self, ids):
        x = self.words(ids)
        return x if self.lstm is None else self.lstm(x)[0]

    def weights(self, h):
        return self.v(self.inner(h).tanh())[..., 0].softmax(-1)

    def answer(self, h, weights):
        return self.output((weights[..., None] * h).sum(-2))[..., 0].sigmoid()


def attention(seed, config):
    """Shares right, and of answers that stay when weights are permuted or all equal."""
    train, test, _ = material(seed, config)
    vocab = mb.text.Vocab.train([said for said, _ in train], specials=("<unk>", "<s>"))
    length = Counter(len(said) for said, _ in train).most_common(1)[0][0]
    (ids, y), (ids_test, y_test) = (
        (torch.tensor([vocab.encode(said) for said, _ in part if len(said) == length]),
         torch.tensor([float(side == "good") for said, side in part if len(said) == length]))
        for part in (train, test))  # fmt: skip
    found = {}
    for name in ("context", "bare"):
        mb.seed_everything(seed)
        model = Pooled(len(vocab), name == "context")
        optimizer = torch.optim.Adam(model.parameters(), 0.005)
        for _ in range(config["steps"]):
            some = torch.randperm(len(ids))[:64]
            h = model.states(ids[some])
            loss = F.binary_cross_entropy(model.answer(h, model.weights(h)), y[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            h = model.states(ids_test)
            weights = model.weights(h)
            p = model.answer(h, weights) > 0.5
            orders = torch.rand(config["orders"], *weights.shape).argsort(-1)
            mixed = torch.stack([model.answer(h, weights.gather(1, one)) > 0.5 for one in orders])
            even = model.answer(h, torch.full_like(weights, 1 / length)) > 0.5
        found |= {f"{name}_right": float((p == (y_test > 0.5)).float().mean()),
                  f"{name}_permuted": float((mixed == p).float().mean()),
                  f"{name}_even": float((even == p).float().mean())}  # fmt: skip
    return found
