"""What every `minibert pretrain` command shares: options, corpora, the model card."""

import copy
import math
import os
import platform
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from minibert import __version__, data, world
from minibert.commands.recipes import Options, positive, saving
from minibert.models.bert.model import BERTConfig
from minibert.models.gpt.model import GPTConfig
from minibert.models.transformer.model import Stack
from minibert.storage.safe_files import write
from minibert.text.tokens import Tokenizer
from minibert.training import distributed
from minibert.training.history import History
from minibert.training.utilisation import Utilisation
from minibert.world.document import Document

WORLD_TOKENS = 2_000_000
HELD_OUT = 50_000  # tokens to validate on
EVERY = 100  # of another text, each so manieth document is held out
HISTORY = "history.json"  # beside a saved model
Again = Callable[[], Iterable]  # goes through documents, from the first one at each call
Config = TypeVar("Config", BERTConfig, GPTConfig)
CARD = """\
# {title}

Trained with `minibert pretrain`. Read it with `mb.{model}.from_pretrained({source!r})`.

| | |
|---|---|
{rows}
"""


def common_arguments(option: Options) -> None:
    """The options that every model has."""
    option(
        "--corpus",
        metavar="FILE_OR_NAME",
        help="a text file (also .xz, .gz), a name that `minibert data list` shows, several with + "
        "between, or `world`",
    )
    option("--out", required=True, type=Path, metavar="DIR", help="a new folder for the model")
    option(
        "--tokens",
        type=positive(int),
        help=f"tokens to read, at most ({WORLD_TOKENS:,} of the world, all of another)",
    )
    option("--cased", action="store_true", help="keep capitals (default: lower case)")
    option("--half", action="store_true", help="save in half precision")
    option("--seed", type=int, default=0)


def transformer_arguments(option: Options) -> None:
    """The options of BERT and GPT: their size, and how long and on what they are trained."""
    common_arguments(option)
    size = positive(int)
    option("--valid", metavar="FILE_OR_NAME", help="held out (default: some of the documents)")
    option("--size", type=size, default=8192, help="pieces of the vocabulary, at most (8192)")
    option("--dim", type=size, default=256, help="width of the hidden states (256)")
    option("--layers", type=size, default=4, help="blocks (4)")
    option("--heads", type=size, default=4, help="attention heads of a block (4)")
    option("--dropout", type=float, default=0.1)
    option("--length", type=size, default=128, help="pieces of a sequence, at most (128)")
    option("--epochs", type=size, default=1, help="passes over the text (1)")
    option("--steps", type=size, help="updates, in place of --epochs")
    option("--batch-size", type=size, default=32, help="sequences per update (32)")
    option("--rate", type=positive(float), default=1e-3, help="the highest learning rate (0.001)")
    option("--precision", choices=("bf16",), help="automatic mixed precision")
    option("--accumulate", type=size, default=1, help="batches per update (1)")
    option("--compile", action="store_true", help="torch.compile; needs a compiler")


def transformer_config(cls: type[Config], args: Namespace, pieces: int, **more: Any) -> Config:
    """The configuration that these options ask for, with fresh weights of a suitable size.

    The papers' deviation is 0.02 at a width of 768. Narrower layers get larger weights, to add up
    as much: they leave the plateau of word frequencies sooner.
    """
    shape = {name: getattr(args, name) for name in ("dim", "layers", "heads", "dropout")}
    shape |= {"hidden": 4 * args.dim, "attention_dropout": args.dropout, "max_length": args.length}
    return cls(pieces, **shape, init_std=round(0.02 * math.sqrt(768 / args.dim), 3), **more)


def training_options(stack: Stack, args: Namespace, every: int) -> dict[str, Any]:
    """What `minibert.fit` is to be given for them; compiles the blocks of a `Stack` if asked to."""
    if args.compile:
        for block in stack.blocks:  # all alike: compiled once
            block.compile(dynamic=True)
    how = {"precision": args.precision, "accumulate": args.accumulate}
    return {**how, **saving(args, every), "callbacks": [Utilisation()]}


def read_corpus(args: Namespace) -> tuple[list, str]:
    """The text as a list of paragraphs or of sentences (lists of tokens), and what it is."""
    lower = str if args.cased else str.lower
    if args.corpus == "world":
        corpus = world.generate(tokens=args.tokens, seed=args.seed)
        sentences = [[lower(token) for token in sentence] for sentence in corpus.sentences()]
        return sentences, of_the_world(args)
    paragraphs = limited(running_text(args.corpus).paragraphs(), args.tokens)
    return [lower(paragraph) for paragraph in paragraphs], Path(args.corpus).name


def of_the_world(args: Namespace) -> str:
    """What a model has read of the world, for its card."""
    return f"the embedded world, {args.tokens:,} tokens, seed {args.seed}"


def world_texts(args: Namespace, **options: Any) -> list[Iterator[Document]]:
    """Documents of the world to train and to validate on, drawn one by one; of the same kinds."""
    draws = (args.tokens, args.seed), (HELD_OUT, 10_000 + args.seed)
    return [world.stream(tokens=tokens, seed=seed, **options) for tokens, seed in draws]


def train_and_held_out(
    args: Namespace,
    of_world: Callable[[Document], Any],
    of_text: Callable[[str], Any],
    fewest: int = 1,
) -> tuple[Again, Again, str]:
    """What gives the documents to train on and those held out, again at each call; words for them.

    A document is ``of_world`` of one of the world's, or ``of_text`` of a string; of these there
    must be ``fewest`` in either part.
    """
    if args.corpus == "world":
        train, valid = ([of_world(d) for d in documents] for documents in world_texts(args))
        return lambda: train, lambda: valid, of_the_world(args)
    train, valid = (lambda part=part: map(of_text, part()) for part in texts_of(args, fewest))
    return train, valid, Path(args.corpus).name


def texts_of(args: Namespace, fewest: int = 1) -> tuple[Again, Again]:
    """Two functions: texts to train on and texts held out, strings, started again at each call.

    A text is a document or, where there is only one, a paragraph. ``args.valid`` names what is held
    out (its first `HELD_OUT` words). Raises ValueError for less than ``fewest`` in either part.
    """
    texts = documents_of(args.corpus, args.tokens)
    if args.valid:
        held_out = documents_of(args.valid, HELD_OUT)
        if not any(text.strip() for text in held_out()):
            raise ValueError(f"{args.valid} holds no text to validate on")
        return texts, held_out
    count = sum(1 for _ in texts())
    every = max(2, min(EVERY, count // 4))
    held_out = len(range(0, count, every))
    if min(held_out, count - held_out) < fewest:
        raise ValueError(
            f"{args.corpus} has too few documents to learn from and to hold some out: expected at "
            f"least {least_of(fewest)}, got {count}; a title ('= Title =') stands before each, and "
            f"in a text without titles each line is one"
        )

    def of(part):
        return lambda: (one for n, one in enumerate(texts()) if (n % every == 0) is part)

    return of(False), of(True)


def least_of(fewest: int) -> int:
    """How many texts leave ``fewest`` to learn from and ``fewest`` held out; see `texts_of`."""
    count = 2 * fewest
    while len(range(0, count, max(2, min(EVERY, count // 4)))) < fewest:
        count += 1
    return count


def documents_of(name: str, tokens: int | None = None) -> Again:
    """A function that goes through the documents of a text; one without titles is cut at lines."""
    corpus = running_text(name)

    def documents():
        return (document.text for document in corpus)

    def lines():
        return (line for text in documents() for line in text.split("\n") if line.strip())

    alone = len(list(islice(documents(), 2))) == 1
    return lambda: limited(lines() if alone else documents(), tokens)


def tell(args: Namespace, read: str, done: str = "read and count") -> None:
    """Print what was ``read``, and how long it took from the start of the command."""
    print(f"{read}\n({time.perf_counter() - args.started:.1f} s to {done})", flush=True)


def passes(args: Namespace) -> str:
    """How often the text was read, for the card."""
    return "1 epoch" if args.epochs == 1 else f"{args.epochs} epochs"


def told(args: Namespace, about: str, words: int, pieces: int, *, tokenizer: Tokenizer) -> str:
    """How much a tokenizer has made of a text, for the card; also printed."""
    about = f"{about}: {words:,} words, {pieces:,} pieces ({pieces / words:.2f} a word)"
    read = f"{about}, {len(tokenizer):,} different pieces"
    tell(args, read, "read, learn the pieces and encode")
    return about


def limited(texts: Iterable[str], tokens: int | None = None) -> Iterator[str]:
    """The first texts, until they have ``tokens`` words between white space; all for None."""
    left = math.inf if tokens is None else tokens
    for one in texts:
        if left <= 0:
            return
        left -= len(one.split())
        yield one


def running_text(name: str) -> data.TextCorpus:
    """The `TextCorpus` of running text, or of several (``a+b``); ValueError for other data."""
    sources: list = []
    for one in [name] if Path(name).exists() else name.split("+"):
        corpus = data.load(one)
        corpus = getattr(corpus, "train", corpus)
        if not isinstance(corpus, data.TextCorpus):
            raise ValueError(f"{one!r} is no running text; `minibert data list` shows what is")
        sources += corpus.sources
    return data.TextCorpus(sources, corpus.pretokenised)


def save(model: nn.Module, args: Namespace) -> None:
    """Write a model into ``args.out``; ``args.half``: in half precision (read as single)."""
    if not distributed.rank():
        stored: Any = copy.deepcopy(model).half() if args.half else model
        stored.save_pretrained(args.out)


def against_the_floor(
    args: Namespace, nats: Callable[[world.Corpus], float], note: str = "", **options: Any
) -> dict[str, str]:
    """The score on held-out text of the world, where a cased model was trained on it; or {}.

    nats: a function, what the model pays for a corpus, in nats per token of the world.
    """
    if args.corpus != "world" or not args.cased:
        return {}
    held_out = list(world_texts(args, **options)[1])
    corpus = world.Corpus(held_out, 10_000 + args.seed)
    paid = f"{nats(corpus):.3f} nats per token of the world{note}"
    return {"against the floor": f"{paid}; exact floor {corpus.floor:.3f}"}


def printed(scores: dict[str, str]) -> dict[str, str]:
    """The same dict of scores, printed."""
    for title, score in scores.items():
        print(f"{title}: {score}")
    return scores


def write_card(
    model: nn.Module, args: Namespace, history: History, facts: Mapping[str, str]
) -> None:
    """Write README.md beside a saved model, and the curve of its training into history.json.

    ``facts``: strings, what there is to say besides settings, seed, time, machine and versions.
    """
    if distributed.rank():
        return
    config: Any = model.config
    versions = f"minibert {__version__}, torch {torch.__version__}, numpy {np.__version__}"
    facts = {
        "recipe": f"`--recipe {args.recipe}`" if args.recipe else "options as below",
        "settings": ", ".join(f"{k} {v}" for k, v in asdict(config).items()),
        "seed": str(args.seed),
        "time": f"{history.seconds:.0f} s",
        **facts,
        "numbers": "half precision" if args.half else "single precision",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": f"{versions}, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d"),
    }
    card = CARD.format(
        title=args.recipe or f"{args.model} on {Path(args.corpus).name}",
        model=type(model).__name__,
        source=args.recipe or "folder",
        rows="\n".join(f"| {name} | {value} |" for name, value in facts.items()),
    )
    write(args.out / "README.md", card.encode())
    write(args.out / HISTORY, history.thinned().to_json().encode() + b"\n")
    print(f"saved in {args.out}")
