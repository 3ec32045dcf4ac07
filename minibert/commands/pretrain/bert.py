"""``minibert pretrain bert``: masked words and next sentences, from a text.

Devlin et al. (2019), section 3.1 and appendix A.2. A vocabulary of word pieces is learned on the
same text first. Batches, masks and heads are the library's (`minibert.text.masking`,
`minibert.heads.Pretraining`); this module puts them together.
"""

import argparse
import math
import time
from dataclasses import asdict, dataclass
from itertools import islice

import torch

from minibert.commands.pretrain.common import (
    common_arguments,
    save,
    train_and_held_out,
    training_arguments,
    training_options,
    write_card,
)
from minibert.commands.pretrain.start import know_frequencies, look_beside
from minibert.commands.recipes import positive
from minibert.heads.head import first_places
from minibert.heads.language import MaskedLM, Pretraining
from minibert.models.bert import model as bert
from minibert.runtime import seed_everything
from minibert.storage.safe_files import atomic
from minibert.text.batches import IGNORE
from minibert.text.masking import MASKED, Documents, PretrainingBatches, ShortThenLong
from minibert.text.sentences import split_sentences
from minibert.text.wordpiece import WordPiece
from minibert.training import distributed, optim
from minibert.training.loop import fit, to_device
from minibert.training.modes import evaluating

TRIED = 20  # updates that --minutes times before it says how many there will be
SAVED = 200  # updates from one checkpoint to the next
COUNTED = "updates"  # beside the checkpoints: how many --minutes are


def add_arguments(option):
    """The options of ``minibert pretrain bert``."""
    common_arguments(option)
    size, share = positive(int), positive(float)
    option("--valid", metavar="FILE_OR_NAME", help="held out (default: some of the documents)")
    option("--size", type=size, default=8192, help="word pieces of the vocabulary, at most (8192)")
    option("--dim", type=size, default=256, help="width of the hidden states (256)")
    option("--layers", type=size, default=4, help="blocks (4)")
    option("--heads", type=size, default=4, help="attention heads of a block (4)")
    option("--dropout", type=float, default=0.1)
    option("--length", type=size, default=128, help="pieces of a sequence, at most (128)")
    option("--short-share", type=float, default=0.0, help="share of short updates (0; paper 0.9)")
    option("--short-length", type=size, help="length of those (default: a quarter of --length)")
    option("--masked", type=share, default=0.15, help="share of the pieces to guess (0.15)")
    option("--whole-words", action="store_true", default=False, help="mask all pieces of a word")
    option("--no-next-sentence", action="store_true", default=False, help="masked words alone")
    option(
        "--look-beside",
        action="store_true",
        default=False,
        help="for small budgets: two heads begin by looking at the places beside",
    )
    option("--epochs", type=size, default=1, help="passes over the text (1)")
    option("--steps", type=size, help="updates, in place of --epochs")
    option("--minutes", type=share, help="about so long, in place of --epochs")
    option("--batch-size", type=size, default=32, help="sequences of an update (32)")
    option("--rate", type=share, default=1e-3, help="the highest learning rate (0.001)")
    training_arguments(option)


def pretrain(args):
    """Train a `BERT` with its heads, save it, and print how well it guesses."""
    check(args)
    seed_everything(args.seed)
    started = time.perf_counter()
    texts, held_out, about = read_documents(args)
    lines = (sentence for document in texts() for sentence in document)
    tokenizer = WordPiece.train(lines, args.size, lowercase=not args.cased)
    documents, held_out = Documents(texts(), tokenizer), Documents(held_out(), tokenizer)
    tokens, words = len(documents.ids), sum(len(s.split()) for d in texts() for s in d)
    about = f"{about}: {words:,} words, {tokens:,} pieces ({tokens / words:.2f} a word)"
    print(f"{about}, {len(tokenizer):,} different pieces")
    print(f"({time.perf_counter() - started:.1f} s to read, learn the pieces and encode)")
    model = new_model(tokenizer, args)
    know_frequencies(model, documents.ids)
    batches = make_batches(documents, tokenizer, args)
    steps = count_steps(model, batches, args)
    history = train(model, batches, steps, args)
    save(model, args)
    scores = print_scores(model, held_out, tokenizer, args)
    facts = {
        "heads": f"`mb.heads.{type(model).__name__}.from_pretrained`",
        "data": about,
        "settings": ", ".join(f"{k} {v}" for k, v in asdict(model.encoder.config).items()),
        "training": f"AdamW, {len(history):,} updates of {args.batch_size} sequences, {batches}, "
        f"{args.masked:.0%} of the pieces masked, highest rate {args.rate}"
        + ", two heads began by looking beside"
        * args.look_beside,
        "seed": str(args.seed),
        **scores,
        "time": f"{history.seconds:.0f} s",
    }
    write_card(model.encoder, args, facts, history)


def check(args):
    """Refuse options that do not fit together, before anything is read."""
    if args.steps and args.minutes:
        raise ValueError("expected --steps or --minutes, got both")
    if not 0 <= args.short_share < 1:
        raise ValueError(f"--short-share must be from 0 to below 1, got {args.short_share}")


def read_documents(args):
    """As `train_and_held_out` gives them; a document is a list of sentences."""
    fewest = 1 if args.no_next_sentence else 2
    return train_and_held_out(args, lambda d: d.lines(), sentences, fewest)


def sentences(text):
    """The sentences of a text, line by line."""
    return [s for line in text.split("\n") for s in split_sentences(line)]


def new_model(tokenizer, args):
    """A model with fresh weights: both heads, or `MaskedLM` without next sentences.

    The paper draws them with deviation 0.02 at a width of 768. A narrower model gets larger ones,
    so that what a layer adds up is as large: it leaves the plateau of word frequencies sooner.
    """
    shape = {name: getattr(args, name) for name in ("dim", "layers", "heads", "dropout")}
    config = bert.BERTConfig(
        len(tokenizer),
        hidden=4 * args.dim,
        attention_dropout=args.dropout,
        max_length=args.length,
        pad_id=tokenizer.pad_id,
        init_std=round(0.02 * math.sqrt(768 / args.dim), 3),
        **shape,
    )
    pairs = not args.no_next_sentence
    encoder = bert.BERT(config, tokenizer, pooler=pairs)
    if args.look_beside:
        look_beside(encoder)
    return Pretraining(encoder) if pairs else MaskedLM(encoder)


@dataclass
class Curriculum:
    """Batches of a training: ``long`` ones, after a ``share`` of ``short`` ones (or None)."""

    long: PretrainingBatches
    short: PretrainingBatches | None = None
    share: float = 0.0

    def of(self, steps):
        """The batches of a training of so many updates."""
        if self.short is None:
            return self.long
        first = round(self.share * steps)
        return ShortThenLong(self.short, self.long, first, steps - first)

    def __str__(self):
        whole = f"of up to {self.long.max_length} pieces"
        if self.short is None:
            return whole
        return f"{self.share:.0%} of them of up to {self.short.max_length} pieces, then {whole}"


def make_batches(documents, tokenizer, args):
    """The `Curriculum` that the options ask for."""

    def of_length(length):
        return PretrainingBatches(
            documents,
            tokenizer,
            args.batch_size,
            length,
            next_sentence=not args.no_next_sentence,
            masked=args.masked,
            whole_words=args.whole_words,
            seed=args.seed,
        )

    if not args.short_share:
        return Curriculum(of_length(args.length))
    short = of_length(args.short_length or max(8, args.length // 4))
    return Curriculum(of_length(args.length), short, args.short_share)


def count_steps(model, batches, args):
    """How many updates there will be: as asked, or as many as fit into the minutes."""
    if args.steps or not args.minutes:
        passes = args.epochs * ((1 - batches.share) * len(batches.long))
        if batches.short is not None:
            passes += args.epochs * batches.share * len(batches.short)
        return args.steps or max(1, round(passes / args.accumulate))
    known = args.checkpoint / COUNTED
    if known.is_file():  # a run that goes on has as many as it began with
        return int(known.read_text("ascii"))
    with torch.random.fork_rng():  # the run itself draws what it would have drawn
        seconds = seconds_a_step(new_model(model.encoder.tokenizer, args), batches)
    (steps, seconds), *_ = distributed.gathered(
        (max(1, round(60 * args.minutes / seconds)), seconds)
    )
    print(f"{steps:,} updates of about {seconds:.3f} s: --steps {steps} repeats this run")
    if not distributed.rank():
        with atomic(known) as file:
            file.write(str(steps).encode())
    return steps


def seconds_a_step(model, batches):
    """The time of an update, measured on a model that is thrown away."""
    some = list(islice(batches.of(TRIED).of_epoch(0), TRIED))
    started = time.perf_counter()
    fit(model, some, steps=TRIED, progress=False, reraise=True)
    return (time.perf_counter() - started) / TRIED


def train(model, batches, steps, args):
    """Fit the model to a `Curriculum`; returns the history."""
    return fit(
        model,
        batches.of(steps),
        steps=steps,
        optimizer=optim.adamw(model, args.rate),
        schedule=schedule(steps, round(batches.share * steps)),
        **training_options(model.encoder.stack, args, SAVED),
    )


def schedule(steps, short=0):
    """What the rate is multiplied by: a tenth of the updates to warm up, then in a line to zero.

    After ``short`` updates on short sequences the long ones rise and fall again, half as high: the
    positions that they alone have must still be learned.
    """
    long = steps - short
    before = optim.linear(short, warmup=short // 10) if short else None
    after = optim.linear(long, warmup=long // 10) if long else None

    def factor(step):
        if step < short:
            return before(step)
        return after(step - short) * (0.5 if short else 1) if after else 0.0

    return factor


def print_scores(model, documents, tokenizer, args):
    """Print how well the model guesses in held-out text, and return it as a dict of strings."""
    asked = argparse.Namespace(**{**vars(args), "masked": MASKED})  # so that runs compare
    found = measure(model, make_batches(documents, tokenizer, asked).long)
    scores = {
        "masked words": f"{found.loss:.3f} nats per piece, {found.right:.1%} of {found.count:,} "
        "guessed right, in text that was held out, 15 % of it masked"
    }
    if found.next_right is not None:
        scores["next sentence"] = f"{found.next_right:.1%} of {found.pairs:,} pairs told right"
    for title, score in scores.items():
        print(f"{title}: {score}")
    return scores


@dataclass(frozen=True)
class Scores:
    """``loss``: nats a masked piece; ``right``: the share guessed; ``next_right``: of the pairs."""

    loss: float
    right: float
    count: int
    next_right: float | None = None
    pairs: int = 0


def measure(model, batches):
    """The `Scores` of a `MaskedLM` or `Pretraining` on the first epoch of ``batches``."""
    with evaluating(model):
        return _measured(model, batches)


def _measured(model, batches):
    device = next(model.parameters()).device
    loss = right = count = told = pairs = 0
    for batch in batches.of_epoch(0):
        batch = to_device(batch, device)
        masked, pairs_too = batch["labels"] != IGNORE, hasattr(model, "next")
        first = first_places(batch["attention_mask"]) & pairs_too
        hidden = model.states_at(batch, masked | first)  # (n, dim), row by row
        is_first = first[masked | first]
        logits, labels = model.output(hidden[~is_first]), batch["labels"][masked]
        loss += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
        right, count = right + int((logits.argmax(-1) == labels).sum()), count + len(labels)
        if pairs_too:
            said = model.next(model.pool(hidden[is_first])).argmax(-1)  # (batch,)
            told += int((said == batch["next_sentence_label"]).sum())
            pairs += len(said)
    return Scores(loss / count, right / count, count, told / pairs if pairs else None, pairs)
