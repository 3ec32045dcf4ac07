"""``minibert pretrain gpt``: the next token, from a text.

Radford et al. (2018), section 3.1. A vocabulary of byte pairs is learned on the same text first;
the texts follow one another in one stream, each ended by ``<|endoftext|>``. They are gone through
one by one, and the stream is mapped from a file: a text may be larger than the memory.
"""

import math
from itertools import chain

from minibert.commands.pretrain import common
from minibert.models.gpt import model as gpt
from minibert.text.blocks import BlockBatches
from minibert.text.bpe import BPE, EOT
from minibert.text.mapped import kind_for, mapped
from minibert.training import optim
from minibert.training.loop import fit

SAVED = 200  # updates from one checkpoint to the next
SCORED = 50_000  # tokens that are held out and scored, at most


def add_arguments(option):
    """The options of ``minibert pretrain gpt``."""
    common.transformer_arguments(option)
    option("--norm", choices=("post", "pre"), default="post", help="as GPT (post) or GPT-2 (pre)")


def pretrain(args):
    """Train a `GPT`, save it, and print what it pays for text that was held out."""
    case = str if args.cased else str.lower
    documents, held_out, about = common.train_and_held_out(args, lambda d: case(d.text), case)
    tokenizer = BPE.train(documents(), args.size, specials=(EOT,))
    ids = stream(documents(), tokenizer)
    words = sum(len(document.split()) for document in documents())
    about = common.told(args, about, words, len(ids), tokenizer)
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


def stream(documents, tokenizer):
    """All texts as one stream of ids, (tokens,), each begun and ended by the end of text.

    See `minibert.text.mapped`.
    """
    end = [tokenizer.end_id]
    texts = ([*tokenizer.encode(text), *end] for text in documents)
    return mapped(chain([end], texts), kind_for(len(tokenizer)))


def config_of(args, vocab_size):
    """The model's configuration."""
    return common.transformer_config(gpt.GPTConfig, args, vocab_size, norm=args.norm)


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
        **common.training_options(model.stack, args, SAVED),
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
    scores |= common.against_the_floor(args, lambda corpus: paid / len(corpus))
    return common.printed(scores)
