"""``minibert pretrain gpt``: the next token, from a text.

Radford et al. (2018), section 3.1. A vocabulary of byte pairs is learned on the same text first;
the texts follow one another in one stream, each ended by ``<|endoftext|>``. They are gone through
one by one, and the stream is mapped from a file: a text may be larger than the memory.
"""

import math
import time
from dataclasses import asdict
from itertools import chain

from minibert.commands.pretrain.common import (
    common_arguments,
    save,
    train_and_held_out,
    training_arguments,
    training_options,
    world_texts,
    write_card,
)
from minibert.commands.recipes import positive
from minibert.models.gpt import model as gpt
from minibert.runtime import seed_everything
from minibert.text.blocks import BlockBatches
from minibert.text.bpe import BPE, EOT
from minibert.text.mapped import kind_for, mapped
from minibert.training import optim
from minibert.training.loop import fit

SAVED = 200  # updates from one checkpoint to the next
SCORED = 50_000  # tokens that are held out and scored, at most


def add_arguments(option):
    """The options of ``minibert pretrain gpt``."""
    common_arguments(option)
    size = positive(int)
    option("--valid", metavar="FILE_OR_NAME", help="held out (default: some of the documents)")
    option("--size", type=size, default=8192, help="pieces of the vocabulary, at most (8192)")
    option("--dim", type=size, default=256, help="width of the hidden states (256)")
    option("--layers", type=size, default=4, help="blocks (4)")
    option("--heads", type=size, default=4, help="attention heads of a block (4)")
    option("--norm", choices=("post", "pre"), default="post", help="as GPT (post) or GPT-2 (pre)")
    option("--dropout", type=float, default=0.1)
    option("--length", type=size, default=128, help="pieces of a sequence (128)")
    option("--epochs", type=size, default=1, help="passes over the text (1)")
    option("--steps", type=size, help="updates, in place of --epochs")
    option("--batch-size", type=size, default=32, help="sequences of an update (32)")
    option("--rate", type=positive(float), default=1e-3, help="the highest learning rate (0.001)")
    training_arguments(option)


def pretrain(args):
    """Train a `GPT`, save it, and print what it pays for text that was held out."""
    seed_everything(args.seed)
    started = time.perf_counter()
    case = str if args.cased else str.lower
    documents, held_out, about = train_and_held_out(args, lambda d: case(d.text), case)
    tokenizer = BPE.train(documents(), args.size, specials=(EOT,))
    ids = stream(documents(), tokenizer)
    words = sum(len(document.split()) for document in documents())
    about = f"{about}: {words:,} words, {len(ids):,} pieces ({len(ids) / words:.2f} a word)"
    print(f"{about}, {len(tokenizer):,} different pieces")
    print(f"({time.perf_counter() - started:.1f} s to read, learn the pieces and encode)")
    model = gpt.GPT(config_of(args, len(tokenizer)), tokenizer)
    history = train(model, ids, args)
    save(model, args)
    scores = print_scores(model, held_out(), args)
    facts = {
        "data": about,
        "settings": ", ".join(f"{k} {v}" for k, v in asdict(model.config).items()),
        "training": f"AdamW, {len(history):,} updates of {args.batch_size} sequences of "
        f"{args.length} pieces, highest rate {args.rate}",
        "seed": str(args.seed),
        **scores,
        "time": f"{history.seconds:.0f} s",
    }
    write_card(model, args, facts, history)


def stream(documents, tokenizer):
    """All texts as one stream of ids, (tokens,), each begun and ended by the end of text.

    See `minibert.text.mapped`.
    """
    end = [tokenizer.end_id]
    texts = ([*tokenizer.encode(text), *end] for text in documents)
    return mapped(chain([end], texts), kind_for(len(tokenizer)))


def config_of(args, vocab_size):
    """The model's configuration.

    The paper draws weights with deviation 0.02 at a width of 768. A narrower model gets larger
    ones, so that what a layer adds up is as large, as in `minibert.commands.pretrain.bert`.
    """
    shape = {name: getattr(args, name) for name in ("dim", "layers", "heads", "norm", "dropout")}
    sizes = {"hidden": 4 * args.dim, "attention_dropout": args.dropout, "max_length": args.length}
    std = round(0.02 * math.sqrt(768 / args.dim), 3)
    return gpt.GPTConfig(vocab_size, **sizes, **shape, init_std=std)


def train(model, ids, args):
    """Fit the model: a twentieth of the updates to warm up, then down a cosine (section 4.1)."""
    batches = BlockBatches(ids, args.batch_size, args.length, seed=args.seed)
    steps = args.steps or -(-args.epochs * len(batches) // args.accumulate)
    return fit(
        model,
        batches,
        steps=steps,
        optimizer=optim.adamw(model, args.rate),
        schedule=optim.cosine(steps, warmup=steps // 20),
        **training_options(model.stack, args, SAVED),
    )


def print_scores(model, documents, args):
    """Print what the model pays for text that was held out, and return it as a dict of strings."""
    ids, characters = [], 0
    for text in documents:
        ids += [model.tokenizer.end_id, *model.tokenizer.encode(text)]
        characters += len(text) + 1
        if args.corpus != "world" and len(ids) > SCORED:
            break
    ids.append(model.tokenizer.end_id)
    paid = -model.log_probs(ids).sum()
    pieces = len(ids) - 1
    scores = {
        "loss": f"{paid / pieces:.3f} nats per piece (perplexity {math.exp(paid / pieces):.2f}), "
        f"{paid / characters / math.log(2):.3f} bits a character, on {pieces:,} pieces of text "
        "that was held out"
    }
    if args.corpus == "world" and args.cased:
        corpus = world_texts(args)[1]
        scores["against the floor"] = (
            f"{paid / len(corpus):.3f} nats per token of the world; exact floor {corpus.floor:.3f}"
        )
    for title, score in scores.items():
        print(f"{title}: {score}")
    return scores
