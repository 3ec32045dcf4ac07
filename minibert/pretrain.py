"""``minibert pretrain MODEL --corpus FILE_OR_NAME --out DIR``: from a text to a model in a folder.

Each model has a function that adds its options and one that trains it, in ``MODELS``.
"""

import argparse
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from minibert import __version__, text, word2vec, word_scores, world
from minibert.files import atomic
from minibert.runtime import seed_everything
from minibert.text.vocab import Vocab

RATED = {"wordsim353": "WordSim-353", "men": "MEN"}
CARD = """\
# {title}

Trained with `minibert pretrain`. Read it with `mb.{model}.from_pretrained(folder)`.

| | |
|---|---|
{rows}
"""


def add_arguments(parser):
    """Add the models, each with its options, to an argparse parser."""
    models = parser.add_subparsers(dest="model", metavar="MODEL", required=True)
    for name, (summary, add, _) in MODELS.items():
        add(models.add_parser(name, help=summary, description=summary[0].upper() + summary[1:]))


def run(args):
    """Train what the arguments say; returns the exit status."""
    _, _, pretrain = MODELS[args.model]
    _check_out(args.out)
    pretrain(args)
    return 0


def word2vec_arguments(parser):
    """The options of ``minibert pretrain word2vec``."""
    common_arguments(parser)
    option = parser.add_argument
    option("--dim", type=_positive(int), default=100, help="numbers in a vector (100)")
    option("--window", type=_positive(int), default=5, help="words to each side, at most (5)")
    option("--mode", choices=word2vec.MODES, default="skipgram")
    option("--loss", choices=word2vec.LOSSES, default="negative")
    option("--negatives", type=_positive(int), default=5, help="noise words a pair (5)")
    option("--subsample", type=float, default=1e-3, help="thin out words above this share (0.001)")
    option("--min-count", type=_positive(int), default=5, help="leave out rarer words (5)")
    option("--epochs", type=_positive(int), default=5, help="passes over the text (5)")
    option("--rate", type=_positive(float), help="the first learning rate")
    cores = os.cpu_count() or 1
    option("--workers", type=_positive(int), default=cores, help=f"threads ({cores} here)")


def pretrain_word2vec(args):
    """Train a `Word2Vec`, save it, and print its scores."""
    seed_everything(args.seed)
    started = time.perf_counter()
    sentences, about = read_corpus(args)
    vocab = words_only(Vocab.train(sentences, min_count=args.min_count))
    count = int(word2vec.word_counts(vocab).sum())
    if not count:
        raise ValueError(
            f"no word occurs {args.min_count} times in {args.corpus}: give more text, or a lower "
            "--min-count"
        )
    print(f"{about}: {count:,} words, {len(vocab):,} different ones", end=" ")
    print(f"({time.perf_counter() - started:.1f} s to read and count)", flush=True)
    chosen = ("dim", "window", "mode", "loss", "negatives", "subsample")
    config = word2vec.Word2VecConfig(len(vocab), **{name: getattr(args, name) for name in chosen})
    model = word2vec.Word2Vec(config, vocab)
    options = {"epochs": args.epochs, "workers": args.workers}
    started = time.perf_counter()
    history = word2vec.learn(model, sentences, rate=args.rate, seed=args.seed, **options)
    options["rate"] = history.rate[0]
    seconds = time.perf_counter() - started
    speed = args.epochs * count / seconds
    print(f"trained in {seconds:.1f} s, encoding included: {speed:,.0f} words a second")
    model.save_pretrained(args.out)
    scores = word2vec_scores(model, args)
    facts = {
        "data": f"{about}, {count:,} words that occur {args.min_count} times or more",
        "settings": ", ".join(f"{k} {v}" for k, v in {**asdict(config), **options}.items()),
        "seed": f"{args.seed} (exact only with one worker)",
        "loss": f"{history.recent():.4f} nats a pair at the end, on the training text",
        "time": f"{seconds:.1f} s, {speed:,.0f} words a second",
        **scores,
    }
    write_card(args.out, f"word2vec on {args.corpus}", "Word2Vec", facts)
    print(f"saved in {args.out}")


def word2vec_scores(model, args):
    """Print how good the vectors are, and return it as a dict of strings."""
    scores = {}
    for name, title in RATED.items():
        scores[title] = _scored(name, lambda data: str(word_scores.similarity(model, data)))
    if args.corpus == "world":
        sections = {}
        for example in world.task("analogies", seed=args.seed).test:
            sections.setdefault(example.info["section"], []).append(
                (*example.tokens, example.label)
            )
        scores["The world's analogies"] = str(word_scores.analogies(model, sections))
    scores["Google analogies"] = _scored(
        "google-analogies", lambda data: str(word_scores.analogies(model, data))
    )
    for title, score in scores.items():
        print(f"{title}: {score}")
    return scores


def _scored(name, score):
    """The score on a data set that is here; nothing is downloaded for it."""
    if not any(row.name == name and row.state == "here" for row in text.datasets()):
        return f"not scored, it is not here (`minibert data get {name}` fetches it)"
    return score(text.load(name))


def common_arguments(parser):
    """The options that every model has."""
    option = parser.add_argument
    option(
        "--corpus",
        required=True,
        metavar="FILE_OR_NAME",
        help="a text file (also .xz, .gz), a name that `minibert data list` shows, or `world`",
    )
    option("--out", required=True, type=Path, metavar="DIR", help="a new folder for the model")
    option("--tokens", type=_positive(int), default=2_000_000, help="of the world (2,000,000)")
    option("--cased", action="store_true", help="keep capitals; the default is lower case")
    option("--seed", type=int, default=0)


def read_corpus(args):
    """The text as a list of paragraphs or of sentences (lists of tokens), and what it is."""
    if args.corpus == "world":
        corpus = world.generate(tokens=args.tokens, seed=args.seed)
        sentences = [list(sentence) for sentence in corpus.sentences()]
        if not args.cased:
            sentences = [[token.lower() for token in sentence] for sentence in sentences]
        return sentences, f"the embedded world, {args.tokens:,} tokens, seed {args.seed}"
    corpus = text.load(args.corpus)
    corpus = getattr(corpus, "train", corpus)
    if not isinstance(corpus, text.TextCorpus):
        raise ValueError(f"{args.corpus!r} is no running text; `minibert data list` shows what is")
    paragraphs = list(corpus.paragraphs())
    if not args.cased:
        paragraphs = [paragraph.lower() for paragraph in paragraphs]
    return paragraphs, Path(args.corpus).name


def words_only(vocab):
    """The vocabulary without punctuation: tokens that have no letter and no digit."""
    kept = [
        i
        for i, token in enumerate(vocab.tokens)
        if token in vocab.specials or any(map(str.isalnum, token))
    ]
    return Vocab([vocab.tokens[i] for i in kept], vocab.counts[kept], vocab.specials)


def write_card(folder, title, model, facts):
    """Write README.md into a model's folder: what it is, how it was made, and on what."""
    versions = f"minibert {__version__}, torch {torch.__version__}, numpy {np.__version__}"
    facts = {
        **facts,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": f"{versions}, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d"),
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    with atomic(Path(folder) / "README.md") as file:
        file.write(CARD.format(title=title, model=model, rows=rows).encode())


def _check_out(folder):
    """Refuse, before hours of training, a folder that holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} exists and is not empty: give --out a new folder")
    folder.mkdir(parents=True, exist_ok=True)


def _positive(kind):
    """An argparse type: a number above zero."""

    def parse(given):
        number = kind(given)
        if not number > 0:
            raise argparse.ArgumentTypeError(f"expected a number above 0, got {given}")
        return number

    parse.__name__ = kind.__name__
    return parse


MODELS = {  # name -> (what it does, options, training)
    "word2vec": ("train word vectors", word2vec_arguments, pretrain_word2vec),
}
