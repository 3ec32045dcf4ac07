"""``minibert pretrain awd-lstm``: stage 1 of ULMFiT, a language model from a text.

With ``--start`` it is stage 2: a model that exists reads on in another text, its lower layers more
slowly than its upper ones, with the words of both texts.
"""

import math
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minibert import text
from minibert.commands.pretrain import common
from minibert.commands.recipes import Options, positive, saving
from minibert.models import baselines
from minibert.models.awd_lstm import model as awd_lstm
from minibert.text.vocab import PAD, UNK, Vocab
from minibert.training import optim
from minibert.training.callbacks import RateByLength
from minibert.training.history import History
from minibert.training.loop import evaluate, fit
from minibert.transfer import discriminative_groups, with_vocabulary
from minibert.world.document import EOD, Corpus
from minibert.world.kinds import KINDS

SPECIALS = (PAD, UNK, EOD)
OPTIMIZERS = ("adamw", "nt-asgd")
SAVED = 1000  # updates from one checkpoint to the next
SHARE = 0.01  # of another text, at its end


def add_arguments(option: Options) -> None:
    """The options of ``minibert pretrain awd-lstm``."""
    common.common_arguments(option)
    size = positive(int)
    option("--leave-out", default="", metavar="KINDS", help="not these kinds of the world's texts")
    option("--only", default="", metavar="KINDS", help="only these kinds of the world's texts")
    option("--start", metavar="FOLDER_OR_NAME", help="a model to train further")
    share = positive(float)
    option("--factor", type=share, default=2.6, help="between layers' rates, from --start")
    option("--valid", metavar="FILE_OR_NAME", help="to validate on (default: the end of the text)")
    option("--size", type=size, default=60_000, help="words of the vocabulary, at most (60,000)")
    option("--min-count", type=size, default=2, help="leave out rarer words (2)")
    option("--dim", type=size, default=400, help="numbers in a word vector (400)")
    option("--hidden", type=size, default=1152, help="cells of a layer (1152)")
    option("--layers", type=size, default=3, help="LSTM layers (3)")
    option("--dropout", type=float, default=1.0, help="multiplies all five dropouts (1.0)")
    option("--direction", choices=awd_lstm.DIRECTIONS, default="forward")
    option("--epochs", type=size, default=10, help="passes over the text (10)")
    option("--batch-size", type=size, default=32, help="texts side by side (32)")
    option("--bptt", type=size, default=70, help="tokens of a window, on average (70)")
    option("--rate", type=share, help="0.003 for AdamW, 30 for NT-ASGD")
    option("--optimizer", choices=OPTIMIZERS, default="adamw")
    option("--precision", choices=("bf16",), help="automatic mixed precision")


def pretrain(args: Namespace) -> None:
    """Train an `AWDLSTM`, save it, and print its perplexity."""
    documents, held_out, about = read_documents(args)
    model = new_model(documents(), args)
    vocab = model.vocab
    assert vocab is not None
    ids, valid = stream(documents(), vocab), stream(held_out(), vocab) if held_out else None
    if valid is None:
        at = len(ids) - max(2, int(SHARE * len(ids)))
        ids, valid = ids[:at], ids[at:]
    unknown = float(np.mean(ids == vocab.unk_id))
    known = f"{len(vocab):,} different words, {unknown:.2%} unknown"
    common.tell(args, f"{about}: {len(ids):,} tokens, {known}")
    history = train(model, ids, valid, args)
    common.save(model, args)
    scores = print_scores(model, valid, vocab, args)
    facts = {
        "data": f"{about}, {len(ids):,} tokens, {unknown:.2%} unknown",
        "training": f"{args.optimizer}, {common.passes(args)}, {len(history):,} updates, highest "
        f"rate {rate_of(args)}, {args.batch_size} texts side by side, windows of {args.bptt}",
        **scores,
        "speed": f"{args.epochs * len(ids) / history.seconds:,.0f} tokens per second",
    }
    common.write_card(model, args, history, facts)


def read_documents(args: Namespace) -> tuple[common.Again, common.Again | None, str]:
    """What gives documents, and those held out or None, again at each call; and words for both."""
    lower = str if args.cased else str.lower
    if args.corpus == "world":
        about = common.of_the_world(args) + kinds_of(args)
        draws = common.world_texts(args, kinds=args.kinds)
        texts, valid = ([lower(d.text) for d in documents] for documents in draws)
        return lambda: texts, lambda: valid, about
    if args.leave_out or args.only:
        raise ValueError("--only and --leave-out name kinds of texts of the world: --corpus world")

    def reader(name, tokens=None):
        corpus = common.running_text(name)
        return lambda: common.limited((lower(document.text) for document in corpus), tokens)

    held_out = reader(args.valid) if args.valid else None
    return reader(args.corpus, args.tokens), held_out, Path(args.corpus).name


def kinds_of(args: Namespace) -> str:
    """Put the kinds of the world's texts into ``args.kinds``; returns words that say which."""
    only, left_out = ([n for n in names.split(",") if n] for names in (args.only, args.leave_out))
    if unknown := [name for name in only + left_out if name not in KINDS]:
        raise ValueError(f"no kind of text is called {unknown[0]!r}; known: {', '.join(KINDS)}")
    args.kinds = [name for name in only or KINDS if name not in left_out]
    about = f", only texts of the kinds {', '.join(only)}" if only else ""
    return about + (f", without texts of the kinds {', '.join(left_out)}" if left_out else "")


def new_model(texts: Iterable[str], args: Namespace) -> awd_lstm.AWDLSTM:
    """A model with fresh weights, or ``args.start`` with the words of the texts added."""
    words = Vocab.train(texts, args.size, args.min_count, SPECIALS)
    if not args.start:
        return awd_lstm.AWDLSTM(config_of(args, len(words), words.ids[EOD]), words)
    start = awd_lstm.AWDLSTM.from_pretrained(args.start)
    known = start.vocab
    if known is None:
        raise ValueError(f"the model {args.start} has no vocabulary: it cannot read on")
    added = [word for word in words.tokens if word not in known]
    return with_vocabulary(start, Vocab([*known.tokens, *added], specials=known.specials))


def stream(texts: Iterable[str], vocab: Vocab) -> np.ndarray:
    """All texts as one stream of ids, int32 (tokens,), each ended by ``<eod>``."""
    return vocab.encode_corpus(f"{one} {EOD}" for one in texts)[0]


def config_of(args: Namespace, vocab_size: int, start_id: int) -> awd_lstm.AWDLSTMConfig:
    """The model's configuration, its dropouts multiplied."""
    shape = {name: getattr(args, name) for name in ("dim", "hidden", "layers", "direction")}
    config = awd_lstm.AWDLSTMConfig(vocab_size, start_id=start_id, **shape)
    scaled = {name: args.dropout * getattr(config, name) for name in awd_lstm.DROPOUTS}
    return replace(config, **scaled)


def rate_of(args: Namespace) -> float:
    return args.rate or (30.0 if args.optimizer == "nt-asgd" else 3e-3)


def train(model: awd_lstm.AWDLSTM, ids: np.ndarray, valid: np.ndarray, args: Namespace) -> History:
    """Fit the model; validates once an epoch. Returns the `History`."""
    batches = model.batches(ids, args.batch_size, args.bptt, vary=True, seed=args.seed)
    steps, callbacks = args.epochs * len(batches), list[Any]([RateByLength(args.bptt)])
    if args.optimizer == "nt-asgd":
        optimizer, schedule, clip = optim.NTASGD(model, rate_of(args)), None, 0.25
        callbacks.append(optim.NonMonotone())
    else:
        rate = rate_of(args)
        groups = discriminative_groups(model, rate, args.factor) if args.start else model
        optimizer = optim.adamw(groups, rate, betas=(0.8, 0.99))
        warm = optim.cosine(steps, warmup=steps // 20)
        schedule, clip = optim.slanted_triangular(steps) if args.start else warm, 1.0
    how = {"callbacks": callbacks, "clip": clip, "precision": args.precision}
    how |= {"optimizer": optimizer, "schedule": schedule, **saving(args, SAVED)}
    valid = model.batches(valid, args.batch_size, args.bptt)
    return fit(model, batches, steps=steps, valid=valid, **how)


def print_scores(
    model: awd_lstm.AWDLSTM, valid: np.ndarray, vocab: Vocab, args: Namespace
) -> dict[str, str]:
    """Print how good the model is, and return it as a dict of strings."""
    loss = evaluate(model, model.batches(valid, args.batch_size, args.bptt))
    unknown = float(np.mean(valid == vocab.unk_id))
    told = f"{len(valid):,} tokens that were held out, {unknown:.2%} of them unknown"
    scores = {"perplexity": f"{math.exp(loss):.2f} on {told}"}
    nats, note = partial(nats_a_world_token, model), ", unknown words spelled"
    scores |= common.against_the_floor(args, nats, note, kinds=getattr(args, "kinds", None))
    return common.printed(scores)


def nats_a_world_token(model: awd_lstm.AWDLSTM, corpus: Corpus) -> float:
    """Nats per token of the world, as its floor; an unknown word costs its letters, too."""
    vocab = model.vocab
    assert vocab is not None
    spelling = baselines.Spelling(vocab)
    tokens = [t for d in corpus.documents for t in [*text.tokenise(d.text), EOD]]
    ids = np.array(vocab.encode(tokens))
    paid = -model.log_probs(ids).sum()
    paid += math.fsum(spelling(tokens[i]) for i in np.flatnonzero(ids == vocab.unk_id))
    return float(paid) / len(corpus)
