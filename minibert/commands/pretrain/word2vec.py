"""``minibert pretrain word2vec``: word vectors from a text, with their scores."""

import os
import time
from argparse import Namespace
from functools import partial

from minibert import data, world
from minibert.commands.pretrain import common
from minibert.commands.recipes import Options, positive
from minibert.models.word2vec import model as word2vec
from minibert.models.word2vec import scores as word_scores
from minibert.text.vocab import Vocab

RATED = {"wordsim353": "WordSim-353", "men": "MEN"}


def add_arguments(option: Options) -> None:
    """The options of ``minibert pretrain word2vec``."""
    common.common_arguments(option)
    option("--dim", type=positive(int), default=100, help="numbers in a vector (100)")
    option("--window", type=positive(int), default=5, help="words to each side, at most (5)")
    option("--mode", choices=word2vec.MODES, default="skipgram")
    option("--loss", choices=word2vec.LOSSES, default="negative")
    option("--negatives", type=positive(int), default=5, help="noise words per pair (5)")
    option("--subsample", type=float, default=1e-3, help="thin out words above this share (0.001)")
    option("--min-count", type=positive(int), default=5, help="leave out rarer words (5)")
    option("--epochs", type=positive(int), default=5, help="passes over the text (5)")
    option("--rate", type=positive(float), help="the first learning rate")
    cores = os.cpu_count() or 1
    option("--workers", type=positive(int), default=cores, help=f"threads ({cores} here)")


def pretrain(args: Namespace) -> None:
    """Train a `Word2Vec`, save it, and print its scores."""
    sentences, about = common.read_corpus(args)
    vocab = words_only(Vocab.train(sentences, min_count=args.min_count))
    count = int(word2vec.word_counts(vocab).sum())
    if not count:
        rare = f"no word occurs {args.min_count} times in {args.corpus}"
        raise ValueError(f"{rare}: give more text, or a lower --min-count")
    common.tell(args, f"{about}: {count:,} words, {len(vocab):,} different ones")
    chosen = ("dim", "window", "mode", "loss", "negatives", "subsample")
    config = word2vec.Word2VecConfig(len(vocab), **{name: getattr(args, name) for name in chosen})
    model = word2vec.Word2Vec(config, vocab)
    options = {"epochs": args.epochs, "workers": args.workers}
    started = time.perf_counter()
    more = {"rate": args.rate, "seed": args.seed, "checkpoint": args.checkpoint}
    history = word2vec.learn(model, sentences, **options, **more)
    options["rate"] = history.rate[0]
    seconds = time.perf_counter() - started
    speed = args.epochs * count / seconds
    print(f"trained in {seconds:.1f} s, encoding included: {speed:,.0f} words per second")
    common.save(model, args)
    scores = print_scores(model, args)
    facts = {
        "data": f"{about}, {count:,} words that occur {args.min_count} times or more",
        "training": ", ".join(f"{k} {v}" for k, v in options.items()),
        "seed": f"{args.seed} (exact only with one worker)",
        "loss": f"{history.recent():.4f} nats per pair at the end, on the training text",
        "time": f"{seconds:.1f} s, {speed:,.0f} words per second",
        **scores,
    }
    common.write_card(model, args, history, facts)


def print_scores(model: word2vec.Word2Vec, args: Namespace) -> dict[str, str]:
    """Print how good the vectors are, and return it as a dict of strings."""
    scores = {}
    for name, title in RATED.items():
        scores[title] = _scored(name, partial(word_scores.similarity, model))
    if args.corpus == "world":
        sections: dict[str, list] = {}
        for example in world.task("analogies", seed=args.seed).test:
            question = (*(example.tokens or ()), example.label)
            sections.setdefault(example.info["section"], []).append(question)
        scores["The world's analogies"] = str(word_scores.analogies(model, sections))
    asked = partial(word_scores.analogies, model)
    scores["Google analogies"] = _scored("google-analogies", asked)
    return common.printed(scores)


def _scored(name, score):
    """The score on a data set that is here; nothing is downloaded for it."""
    if not any(row.name == name and row.state == "here" for row in data.datasets()):
        return f"not scored, it is not here (`minibert data get {name}` fetches it)"
    return str(score(data.load(name)))


def words_only(vocab: Vocab) -> Vocab:
    """The vocabulary without punctuation: tokens that have no letter and no digit."""
    words = (token in vocab.specials or any(map(str.isalnum, token)) for token in vocab.tokens)
    kept = [i for i, is_word in enumerate(words) if is_word]
    return Vocab([vocab.tokens[i] for i in kept], vocab.counts[kept], vocab.specials)
