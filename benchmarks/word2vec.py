"""word2vec beside gensim: ``python -m benchmarks word2vec [--quick]``.

Skip-gram with negative sampling, window 5, 5 negatives, 100 dimensions, subsampling 0.001, words
that occur five times or more, five epochs, two workers, each side with its default learning rate.
Both get the same sentences as lists of words, in one process, in turn: A B A B. Every 50th sentence
is held out; the held-out loss is the negative-sampling loss, in nats a pair, on one sample of its
pairs with one draw of noise words, the same for all. Two texts: 33 novels (``books_train`` in the
folder that MINIBERT_DATA names; left out without it) and two million tokens of the embedded world.
The full run takes about half an hour and is written to results/word2vec.json and README.md.
"""

import statistics
import sys
from time import perf_counter

import numpy as np
import torch
from torch.nn import functional as F

import minibert as mb
from benchmarks import _record
from minibert.commands.pretrain.word2vec import words_only
from minibert.models.word2vec import fast as sgns
from minibert.models.word2vec import scores as word_scores
from minibert.text import windows

try:
    import gensim
except ImportError:
    sys.exit("this benchmark needs gensim, which `make bench` installs where it has wheels")

WORKERS, EPOCHS, DIM, WINDOW, NEGATIVES, SUBSAMPLE, MIN_COUNT = 2, 5, 100, 5, 5, 1e-3, 5
SEEDS = (1, 2, 3)
RATES = (0.0125, 0.05, 0.1)  # tried besides gensim's default, to find its best held-out loss
HELD_OUT = 50  # every so manieth sentence
PAIRS = 200_000  # held-out pairs that the loss is taken on


class Corpus:
    """A text in two parts, and what word vectors are asked about it."""

    def __init__(self, name, sentences, questions, rated=None):
        self.name = name
        self.train = [s for i, s in enumerate(sentences) if i % HELD_OUT]
        self.held_out = [s for i, s in enumerate(sentences) if i % HELD_OUT == 0]
        self.questions, self.rated = questions, rated or {}
        start = perf_counter()
        self.vocab = words_only(mb.text.Vocab.train(self.train, min_count=MIN_COUNT))
        self.vocabulary_seconds = perf_counter() - start
        start = perf_counter()
        self.ids, self.sentence = windows.known_words(self.vocab, self.train)
        self.encoding_seconds = perf_counter() - start
        self.pairs = self.draw_pairs()

    def draw_pairs(self):
        """Centres (n,), contexts (n,) and noise words (n, NEGATIVES) of held-out text."""
        rng = np.random.default_rng(0)
        counts = windows.word_counts(self.vocab)
        ids, sentence = windows.known_words(self.vocab, self.held_out)
        kept = rng.random(len(ids)) < windows.keep_probability(counts, SUBSAMPLE)[ids]
        ids, sentence = ids[kept], sentence[kept]
        reach = rng.integers(1, WINDOW + 1, len(ids))
        centre, context = windows.pairs(ids, sentence, reach)
        some = rng.permutation(len(centre))[:PAIRS]
        share = counts**0.75 / (counts**0.75).sum()
        noise = rng.choice(len(share), (len(some), NEGATIVES), p=share)
        return ids[centre[some]], ids[context[some]], noise

    def held_out_loss(self, inputs, outputs):
        """Mean negative-sampling loss of the held-out pairs (Mikolov et al. 2013b, equation 4)."""
        losses = []
        for rows in np.array_split(np.arange(len(self.pairs[0])), 20):
            centre, context, noise = (torch.as_tensor(part[rows]) for part in self.pairs)
            v = inputs[centre]  # (rows, dim)
            real = F.logsigmoid((v * outputs[context]).sum(1))
            fake = F.logsigmoid(-torch.einsum("nd,nkd->nk", v, outputs[noise])).sum(1)
            losses.append(-(real + fake).double().sum().item())
        return sum(losses) / len(self.pairs[0])

    def scores(self, inputs, outputs):
        """Everything that is asked of a pair of tables, as a dict of floats."""
        model = mb.Word2Vec(mb.Word2VecConfig(len(self.vocab), DIM), self.vocab)
        model.input.weight.data = inputs
        found = {"held-out loss": self.held_out_loss(inputs, outputs)}
        for name, rated in self.rated.items():
            found[name] = word_scores.similarity(model, rated).spearman
        found["analogies"] = word_scores.analogies(model, self.questions).accuracy
        return found


def books():
    """The novels; raises FileNotFoundError where they are not here."""
    paragraphs = mb.data.load("books_train").paragraphs()
    sentences = [mb.text.tokenise(paragraph.lower()) for paragraph in paragraphs]
    rated = {"WordSim-353": mb.data.load("wordsim353"), "MEN": mb.data.load("men")}
    return "books", spoken(sentences), mb.data.load("google-analogies"), rated


def embedded_world(tokens=2_000_000):
    """The embedded world, with its own analogies."""
    corpus = mb.world.generate(tokens=tokens, seed=0)
    sections = {}
    for example in mb.world.task("analogies", seed=0).test:
        sections.setdefault(example.info["section"], []).append((*example.tokens, example.label))
    return "world", spoken([[t.lower() for t in s] for s in corpus.sentences()]), sections


def spoken(sentences):
    """The sentences without punctuation."""
    return [[word for word in sentence if any(map(str.isalnum, word))] for sentence in sentences]


def ours(corpus, seed, epochs=EPOCHS, rate=0.05):
    """(seconds of training, input table, output table) of minibert."""
    torch.manual_seed(seed)
    config = mb.Word2VecConfig(len(corpus.vocab), DIM, WINDOW, negatives=NEGATIVES)
    model = mb.Word2Vec(config, corpus.vocab)
    start = perf_counter()
    sgns.train(model, corpus.ids, corpus.sentence, epochs, rate=rate, workers=WORKERS, seed=seed)
    return perf_counter() - start, model.vectors, model.output.weight.detach()


class Gensim:
    """gensim on one corpus; its vocabulary is built once."""

    def __init__(self, corpus):
        self.corpus = corpus
        start = perf_counter()
        self.make(1).build_vocab(corpus.train)
        self.vocabulary_seconds = perf_counter() - start

    def make(self, seed, epochs=EPOCHS, rate=0.025):
        return gensim.models.Word2Vec(
            vector_size=DIM,
            window=WINDOW,
            sg=1,
            negative=NEGATIVES,
            sample=SUBSAMPLE,
            min_count=MIN_COUNT,
            workers=WORKERS,
            epochs=epochs,
            alpha=rate,
            seed=seed,
        )

    def __call__(self, corpus, seed, epochs=EPOCHS, rate=0.025):
        """(seconds of training, input table, output table) of gensim, in our order of words."""
        model = self.make(seed, epochs, rate)
        model.build_vocab(corpus.train)
        start = perf_counter()
        model.train(corpus.train, total_examples=model.corpus_count, epochs=epochs)
        seconds = perf_counter() - start
        tables = torch.zeros(2, len(corpus.vocab), DIM)
        for word, row in model.wv.key_to_index.items():
            tables[0, corpus.vocab[word]] = torch.from_numpy(model.wv.vectors[row])
            tables[1, corpus.vocab[word]] = torch.from_numpy(model.syn1neg[row])
        return seconds, *tables


def measure(corpus, seeds=SEEDS, epochs=EPOCHS, rates=RATES):
    """Train both sides in turn on every seed; all figures as a dict."""
    theirs = Gensim(corpus)
    words = epochs * len(corpus.ids)
    runs = []
    print(f"{corpus.name}: {len(corpus.ids):,} words, {len(corpus.vocab):,} different", flush=True)
    for seed in seeds:
        for name, side in (("minibert", ours), ("gensim", theirs)):
            before = _record.load()
            seconds, *tables = side(corpus, seed, epochs)
            run = {"side": name, "seed": seed, "load": before, "seconds": seconds}
            runs.append({**run, "words/s": words / seconds, **corpus.scores(*tables)})
            print("  ", shown(runs[-1]), flush=True)
    other = {}
    for rate in rates:
        _, *tables = theirs(corpus, seeds[0], epochs, rate)
        other[rate] = corpus.held_out_loss(*tables)
        print(f"   gensim, rate {rate}: held-out loss {other[rate]:.4f}", flush=True)
    return {
        "words": len(corpus.ids),
        "vocabulary": len(corpus.vocab),
        "epochs": epochs,
        "seconds of vocabulary": {
            "minibert": corpus.vocabulary_seconds,
            "gensim": theirs.vocabulary_seconds,
        },
        "seconds of encoding": corpus.encoding_seconds,  # gensim encodes while it trains
        "runs": runs,
        "gensim's held-out loss at other rates": other,
    }


def shown(run):
    return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in run.items())


def column(result, side, name):
    return [run[name] for run in result["runs"] if run["side"] == side]


def rows(result):
    """The table's rows for one corpus: (what, minibert, gensim, ratio or difference)."""
    a, b = (column(result, side, "words/s") for side in ("minibert", "gensim"))
    for name, kind in (("median", statistics.median), ("slowest", min), ("fastest", max)):
        yield f"words/s, {name}", f"{kind(a):,.0f}", f"{kind(b):,.0f}", f"{kind(a) / kind(b):.2f}x"
    a, b = (result["seconds of vocabulary"][side] for side in ("minibert", "gensim"))
    yield "vocabulary, s", f"{a:.1f}", f"{b:.1f}", f"{b / a:.2f}x"
    encoding = result["seconds of encoding"]
    yield "encoding, s", f"{encoding:.1f}", "in training", ""
    a += encoding + statistics.median(column(result, "minibert", "seconds"))
    b += statistics.median(column(result, "gensim", "seconds"))
    yield "all of it, s", f"{a:.0f}", f"{b:.0f}", f"{b / a:.2f}x"
    for name in result["runs"][0]:
        if name in ("side", "seed", "load", "seconds", "words/s"):
            continue
        a, b = (column(result, side, name) for side in ("minibert", "gensim"))
        difference = statistics.mean(a) - statistics.mean(b)
        yield name, spread(a), spread(b), f"{difference:+.3f}"
    if other := result["gensim's held-out loss at other rates"]:
        default = statistics.mean(column(result, "gensim", "held-out loss"))
        best = min(default, *other.values())
        a = statistics.mean(column(result, "minibert", "held-out loss"))
        yield "held-out loss, gensim's best rate", f"{a:.3f}", f"{best:.3f}", f"{a - best:+.3f}"


def spread(values):
    """Mean and standard deviation over the seeds."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


def table(results):
    """One table in Markdown for all corpora."""
    lines = ["| | minibert | gensim | ratio or difference |", "|---|---|---|---|"]
    for name, result in results["corpora"].items():
        lines.append(f"| **{name}**, {result['words']:,} words, {result['epochs']} epochs | | | |")
        lines += [f"| {' | '.join(row)} |" for row in rows(result)]
    about = results["machine"]
    loads = [run["load"] for result in results["corpora"].values() for run in result["runs"]]
    lines += [
        "",
        f"{about['cpu']}, {about['cores']} cores, {WORKERS} workers each; gensim "
        f"{about['gensim']}, torch {about['torch']}, Python {about['python']}; {about['date']}; "
        f"load before the runs {min(loads)} to {max(loads)} (a run itself adds {WORKERS}).",
    ]
    return "\n".join(lines)


def main(quick=False):
    results = {"machine": _record.machine("gensim", "torch", "numpy"), "corpora": {}}
    options = {"seeds": (1, 2), "epochs": 1, "rates": ()} if quick else {}
    for make in (lambda: embedded_world(100_000 if quick else 2_000_000), books):
        try:
            name, sentences, *questions = make()
        except FileNotFoundError as error:
            print(f"left out: {error}")
            continue
        corpus = Corpus(name, sentences[:5_000] if quick else sentences, *questions)
        results["corpora"][name] = measure(corpus, **options)
    print(table(results))
    if not quick:
        _record.save("word2vec", results)
        _record.put_into_readme("word2vec", table(results))


if __name__ == "__main__":
    main("--quick" in sys.argv)
