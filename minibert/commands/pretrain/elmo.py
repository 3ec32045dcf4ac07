"""``minibert pretrain elmo``: two language models over a shared character network, from a text."""

import math
from argparse import Namespace
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from minibert.commands.pretrain import common
from minibert.commands.recipes import Options, positive, saving
from minibert.models import baselines
from minibert.models.elmo import model as elmo
from minibert.text.bidirectional import BidirectionalBatches
from minibert.text.characters import BOS, EOS
from minibert.text.tokens import tokenise
from minibert.text.vocab import PAD, UNK, Vocab
from minibert.training import optim
from minibert.training.history import History
from minibert.training.loop import evaluate, fit
from minibert.world.document import EOD, Corpus, Document

SPECIALS = (PAD, UNK, BOS, EOS)
Sentences = list[list[str]]
SAVED = 1000  # updates from one checkpoint to the next
EVERY = 100  # of another text, each so manieth line is held out


def add_arguments(option: Options) -> None:
    """The options of ``minibert pretrain elmo``."""
    common.common_arguments(option)
    size = positive(int)
    option("--input", choices=elmo.INPUTS, default="characters")
    option("--size", type=size, default=60_000, help="words of the softmax, at most (60,000)")
    option("--min-count", type=size, default=2, help="leave out rarer words (2)")
    option("--dim", type=size, default=1024, help="cells of an LSTM (1024)")
    option("--projection", type=size, default=128, help="width of one direction (128)")
    option("--layers", type=size, default=2, help="LSTM layers (2)")
    option("--char-dim", type=size, default=16, help="width of a character's vector (16)")
    option("--filters", default=None, metavar="W:N,W:N", help="width and number of convolutions")
    option("--clip", type=positive(float), help="largest cell and projected state (default: none)")
    option("--dropout", type=float, default=0.1)
    option("--softmax", choices=elmo.SOFTMAXES, default="full")
    option("--negatives", type=size, default=8192, help="words drawn for a sampled softmax (8192)")
    option("--epochs", type=size, default=10, help="passes over the text (10)")
    option("--batch-size", type=size, default=128, help="texts side by side (128)")
    option("--bptt", type=size, default=20, help="words of a window (20)")
    option("--rate", type=positive(float), default=2e-3, help="the highest learning rate (0.002)")
    option("--precision", choices=("bf16",), help="automatic mixed precision")


def pretrain(args: Namespace) -> None:
    """Train an `ELMo`, save it, and print the loss of each direction."""
    sentences, valid, about = read_sentences(args)
    vocab = Vocab.train(sentences, args.size, args.min_count, SPECIALS)
    words = sum(map(len, sentences))
    unknown = vocab.counts[vocab.unk_id] / words
    known = f"{len(vocab):,} in the softmax, {unknown:.2%} unknown to it"
    common.tell(args, f"{about}: {words:,} words, {known}")
    model = elmo.ELMo(config_of(args, len(vocab)), vocab)
    history = train(model, sentences, valid, args)
    common.save(model, args)
    scores = print_scores(model, valid, args)
    facts = {
        "data": f"{about}, {words:,} words",
        "training": f"AdamW, {common.passes(args)}, {len(history):,} updates, highest rate "
        f"{args.rate}, {args.batch_size} texts side by side, windows of {args.bptt}",
        **scores,
        "speed": f"{args.epochs * words / history.seconds:,.0f} words per second",
    }
    common.write_card(model, args, history, facts)


def read_sentences(args: Namespace) -> tuple[Sentences, Sentences, str]:
    """Sentences (lists of words) to train on, others held out, and words for both."""
    lower = str if args.cased else str.lower
    if args.corpus == "world":
        train, valid = (
            [[lower(word) for word in sentence] for sentence in with_ends(documents)]
            for documents in common.world_texts(args)
        )
        return train, valid, common.of_the_world(args)
    paragraphs = common.limited(common.running_text(args.corpus).paragraphs(), args.tokens)
    lines = [line for line in (tokenise(lower(text)) for text in paragraphs) if line]
    held_out = lines[::EVERY]
    del lines[::EVERY]
    return lines, held_out, Path(args.corpus).name


def with_ends(documents: Iterable[Document]) -> Iterator[list[str]]:
    """The sentences of documents, with the end of a document as a sentence of one word."""
    for document in documents:
        for sentence in document.sentences:
            yield list(sentence.tokens)
        yield [EOD]


def config_of(args: Namespace, vocab_size: int) -> elmo.ELMoConfig:
    """The model's configuration."""
    names = "input dim projection layers char_dim dropout softmax negatives".split()
    settings = {name: getattr(args, name) for name in names}
    if args.filters:
        pairs = [pair.split(":") for pair in args.filters.split(",")]
        settings["filters"] = tuple((int(width), int(number)) for width, number in pairs)
    return elmo.ELMoConfig(vocab_size, cell_clip=args.clip, proj_clip=args.clip, **settings)


def batches_of(
    model: elmo.ELMo, sentences: Sentences, lanes: int, bptt: int, *, seed: int = 0
) -> BidirectionalBatches:
    """`BidirectionalBatches` as the model reads them."""
    assert model.vocab is not None  # the model was made with one
    spelled = model.config.input == "characters"
    return BidirectionalBatches(sentences, model.vocab, lanes, bptt, spelled=spelled, seed=seed)


def train(model: elmo.ELMo, sentences: Sentences, valid: Sentences, args: Namespace) -> History:
    """Fit the model; validates once an epoch. Returns the `History`."""
    batches = batches_of(model, sentences, args.batch_size, args.bptt, seed=args.seed)
    steps = args.epochs * len(batches)
    how = {"optimizer": optim.adamw(model, args.rate), "precision": args.precision}
    how["schedule"] = optim.cosine(steps, warmup=steps // 20)
    how["valid"] = batches_of(model, valid, args.batch_size, args.bptt)
    return fit(model, batches, steps=steps, **how, **saving(args, SAVED))


def print_scores(model: elmo.ELMo, valid: Sentences, args: Namespace) -> dict[str, str]:
    """Print how good the model is, and return it as a dict of strings."""
    forward, backward = directions(model, batches_of(model, valid, 4, 100))
    scores = {
        "loss": f"forward {forward:.3f}, backward {backward:.3f} nats per word on held-out text "
        f"(perplexity {math.exp(forward):.1f} and {math.exp(backward):.1f})"
    }
    note = " for the forward model, unknown words spelled"
    scores |= common.against_the_floor(args, partial(nats_a_world_token, model), note)
    return common.printed(scores)


def directions(model: elmo.ELMo, batches: BidirectionalBatches) -> tuple[float, ...]:
    """Mean loss in nats a target: (forward, backward)."""
    sides: Any = OneDirection(model, 0), OneDirection(model, 1)
    return tuple(evaluate(side, batches, next(model.parameters()).device) for side in sides)


class OneDirection:
    """One of a model's two directions as something to evaluate."""

    def __init__(self, model: elmo.ELMo, number: int) -> None:
        self.model, self.number = model, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def loss(self, batch: elmo.Batch) -> elmo.Loss:
        return self.model.losses(batch)[self.number]


def nats_a_world_token(model: elmo.ELMo, corpus: Corpus) -> float:
    """What the forward model of a cased ELMo pays for a corpus, in nats per token of the world.

    A word that the softmax lacks costs ``<unk>`` and its letters; compare with ``corpus.floor``.
    """
    sentences, vocab = list(with_ends(corpus.documents)), model.vocab
    assert vocab is not None
    batches, spelling = batches_of(model, sentences, 4, 100), baselines.Spelling(vocab)
    unknown = [word for words in sentences for word in words if word not in vocab]
    paid = directions(model, batches)[0] * batches.targets + math.fsum(map(spelling, unknown))
    return paid / len(corpus)
