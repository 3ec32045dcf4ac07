"""``minibert pretrain gpt``: the next token, from a text.

Radford et al. (2018), section 3.1. A vocabulary of byte pairs is learned on the same text first;
the texts follow one another in one stream, each ended by ``<|endoftext|>``. They are gone through
one by one, and the stream is mapped from a file: a text may be larger than the memory.
"""

import math
from argparse import Namespace
from collections.abc import Iterable
from itertools import chain

import numpy as np

from minibert.commands.pretrain import common
from minibert.commands.recipes import Options
from minibert.models.gpt import model as gpt
from minibert.text.batches import BlockBatches
from minibert.text.bpe import BPE, EOT
from minibert.text.mapped import kind_for, mapped
from minibert.training import optim
from minibert.training.history import History
from minibert.training.loop import fit

SAVED = 200  # updates from one checkpoint to the next
SCORED = 50_000  # tokens that are held out and scored, at most


def add_arguments(option: Options) -> None:
    """The options of ``minibert pretrain gpt``."""
    common.transformer_arguments(option)
    option("--norm", choices=("post", "pre"), default="post", help="as GPT (post) or GPT-2 (pre)")


def pretrain(args: Namespace) -> None:
    """Train a `GPT`, save it, and print what it pays for text that was held out."""
    case = str if args.cased else str.lower
    documents, held_out, about = common.train_and_held_out(args, lambda d: case(d.text), case)
    tokenizer = BPE.train(documents(), args.size, specials=(EOT,))
    ids = stream(documents(), tokenizer)
    words = sum(len(document.split()) for document in documents())
    about = common.told(args, about, words, len(ids), tokenizer=tokenizer)
    model = gpt.GPT(config_of(args, len(tokenizer)), tokenizer)
    history = train(model, ids, args)
    common.save(model, args)
    scores = print_scores(model, held_out(), args)
    facts = {
        "data": about,
        "training": f"AdamW, {len(history):,} updates of {args.batch_size} sequences of "
        f"{args.length} pieces, highest rate {args.rate}",
        **scores,
    }
    common.write_card(model, args, history, facts)


def stream(documents: Iterable[str], tokenizer: BPE) -> np.ndarray:
    """All texts as one `mapped` stream of ids, (tokens,), each begun and ended by end of text."""
    end = [tokenizer.ids[EOT]]
    texts = ([*tokenizer.encode(text), *end] for text in documents)
    return mapped(chain([end], texts), kind_for(len(tokenizer)))


def config_of(args: Namespace, vocab_size: int) -> gpt.GPTConfig:
    """The model's configuration."""
    return common.transformer_config(gpt.GPTConfig, args, vocab_size, norm=args.norm)


def train(model: gpt.GPT, ids: np.ndarray, args: Namespace) -> History:
    """Fit the model: a twentieth of the updates to warm up, then down a cosine (section 4.1)."""
    batches = BlockBatches(ids, args.batch_size, args.length, seed=args.seed)
    steps = args.steps or -(-args.epochs * len(batches) // args.accumulate)
    how = common.training_options(model.stack, args, SAVED)
    how["optimizer"] = optim.adamw(model, args.rate)
    how["schedule"] = optim.cosine(steps, warmup=steps // 20)
    return fit(model, batches, steps=steps, **how)


def print_scores(model: gpt.GPT, documents: Iterable[str], args: Namespace) -> dict[str, str]:
    """Print what the model pays for text that was held out, and return it as a dict of strings."""
    tokenizer, characters = model.tokenizer, 0
    assert tokenizer is not None  # the model was made with one
    ids = [tokenizer.ids[EOT]]
    for text in documents:
        ids += [*tokenizer.encode(text), tokenizer.ids[EOT]]
        characters += len(text) + 1
        if args.corpus != "world" and len(ids) - 1 > SCORED:
            break
    paid = -model.log_probs(ids).sum()
    pieces = len(ids) - 1
    bits = paid / characters / math.log(2)
    scores = {
        "loss": f"{paid / pieces:.3f} nats per piece (perplexity {math.exp(paid / pieces):.2f}), "
        f"{bits:.3f} bits a character, on {pieces:,} pieces of text that was held out"
    }
    scores |= common.against_the_floor(args, lambda corpus: paid / len(corpus))
    return common.printed(scores)
