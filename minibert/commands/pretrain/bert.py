"""``minibert pretrain bert``: masked words and next sentences, from a text.

Devlin et al. (2019), section 3.1 and appendix A.2. A vocabulary of word pieces is learned on the
same text first. Batches, masks and heads are the library's (`minibert.text.masking`,
`minibert.heads.Pretraining`); this module puts them together.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import torch

from minibert.commands.pretrain import common
from minibert.commands.pretrain.start import know_frequencies, look_beside
from minibert.commands.recipes import Options, positive
from minibert.heads.head import first_places
from minibert.heads.language import MaskedLM, Pretraining
from minibert.models.bert import model as bert
from minibert.storage.safe_files import write
from minibert.text.batches import IGNORE, Batches
from minibert.text.masking import MASKED, Documents, PretrainingBatches
from minibert.text.numbered import ShortThenLong
from minibert.text.sentences import split_sentences
from minibert.text.wordpiece import WordPiece
from minibert.training import distributed, optim
from minibert.training.history import History
from minibert.training.loop import fit, to_device
from minibert.training.modes import evaluating

TRIED = 20  # updates that --minutes times before it says how many there will be
SAVED = 200  # updates from one checkpoint to the next
COUNTED = "updates"  # beside the checkpoints: how many --minutes are
Model = MaskedLM | Pretraining


def add_arguments(option: Options) -> None:
    """The options of ``minibert pretrain bert``."""
    common.transformer_arguments(option)
    share = positive(float)
    option("--short-share", type=float, default=0.0, help="share of short updates (0; paper 0.9)")
    short = "of a sequence (default: a quarter of --length)"
    option("--short-length", type=positive(int), help=short)
    option("--masked", type=share, default=0.15, help="share of the pieces to mask (0.15)")
    option("--whole-words", action="store_true", help="mask all pieces of a word")
    option("--no-next-sentence", action="store_true", help="train on masked words only")
    beside = "for small budgets: two heads begin by looking at the positions beside"
    option("--look-beside", action="store_true", help=beside)
    option("--minutes", type=share, help="train for about this long, in place of --epochs")


def pretrain(args: Namespace) -> None:
    """Train a `BERT` with its heads, save it, and print how well it guesses."""
    check(args)
    texts, held_out, about = read_documents(args)
    lines = (sentence for document in texts() for sentence in document)
    tokenizer = WordPiece.train(lines, args.size, lowercase=not args.cased)
    documents, held_out = Documents(texts(), tokenizer), Documents(held_out(), tokenizer)
    words = sum(len(sentence.split()) for document in texts() for sentence in document)
    about = common.told(args, about, words, len(documents.ids), tokenizer=tokenizer)
    model = new_model(tokenizer, args)
    know_frequencies(model, documents.ids)
    batches = make_batches(documents, tokenizer, args)
    steps = count_steps(model, batches, args)
    history = train(model, batches, steps, args)
    common.save(model, args)
    scores = print_scores(model, held_out, tokenizer, args)
    beside = ", two heads began by looking beside" if args.look_beside else ""
    facts = {
        "heads": f"`mb.heads.{type(model).__name__}.from_pretrained`",
        "data": about,
        "training": f"AdamW, {len(history):,} updates of {args.batch_size} sequences, {batches}, "
        f"{args.masked:.0%} of the pieces masked, highest rate {args.rate}{beside}",
        **scores,
    }
    common.write_card(model.encoder, args, history, facts)


def check(args: Namespace) -> None:
    """Refuse options that do not fit together, before anything is read."""
    if args.steps and args.minutes:
        raise ValueError("expected --steps or --minutes, got both")
    if not 0 <= args.short_share < 1:
        raise ValueError(f"--short-share must be from 0 to below 1, got {args.short_share}")


def read_documents(args: Namespace) -> tuple[common.Again, common.Again, str]:
    """As `train_and_held_out` gives them; a document is a list of sentences."""
    fewest = 1 if args.no_next_sentence else 2
    return common.train_and_held_out(args, lambda d: d.lines(), sentences, fewest)


def sentences(text: str) -> list[str]:
    """The sentences of a text, line by line."""
    return [s for line in text.split("\n") for s in split_sentences(line)]


def new_model(tokenizer: WordPiece, args: Namespace) -> Model:
    """A model with fresh weights: both heads, or `MaskedLM` without next sentences."""
    size, pad_id = len(tokenizer), tokenizer.pad_id
    config = common.transformer_config(bert.BERTConfig, args, size, pad_id=pad_id)
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

    def of(self, steps: int) -> Batches:
        """The batches of a training of so many updates."""
        if self.short is None:
            return self.long
        first = round(self.share * steps)
        return ShortThenLong(self.short, self.long, first, steps - first)

    def __str__(self) -> str:
        whole = f"of up to {self.long.max_length} pieces"
        if self.short is None:
            return whole
        return f"{self.share:.0%} of them of up to {self.short.max_length} pieces, then {whole}"


def make_batches(documents: Documents, tokenizer: WordPiece, args: Namespace) -> Curriculum:
    """The `Curriculum` that the options ask for."""

    how = {"next_sentence": not args.no_next_sentence, "masked": args.masked}
    how |= {"whole_words": args.whole_words, "seed": args.seed}

    def of_length(length):
        return PretrainingBatches(documents, tokenizer, args.batch_size, length, **how)

    if not args.short_share:
        return Curriculum(of_length(args.length))
    short = of_length(args.short_length or max(8, args.length // 4))
    return Curriculum(of_length(args.length), short, args.short_share)


def count_steps(model: Model, batches: Curriculum, args: Namespace) -> int:
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
    steps = max(1, round(60 * args.minutes / seconds))
    (steps, seconds), *_ = distributed.gathered((steps, seconds))
    print(f"{steps:,} updates of about {seconds:.3f} s: --steps {steps} repeats this run")
    if not distributed.rank():
        write(known, str(steps).encode())
    return steps


def seconds_a_step(model: Model, batches: Curriculum) -> float:
    """The time of an update, measured on a model that is thrown away."""
    some = list(islice(batches.of(TRIED).of_epoch(0), TRIED))
    started = time.perf_counter()
    fit(model, some, steps=TRIED, progress=False, reraise=True)
    return (time.perf_counter() - started) / TRIED


def train(model: Model, batches: Curriculum, steps: int, args: Namespace) -> History:
    """Fit the model to a `Curriculum`; returns the history."""
    how = common.training_options(model.encoder.stack, args, SAVED)
    how["optimizer"] = optim.adamw(model, args.rate)
    how["schedule"] = schedule(steps, round(batches.share * steps))
    return fit(model, batches.of(steps), steps=steps, **how)


def schedule(steps: int, short: int = 0) -> Callable[[int], float]:
    """What the rate is multiplied by: a tenth of the updates to warm up, then in a line to zero.

    After ``short`` updates on short sequences it rises and falls again, half as high.
    """
    long = steps - short
    before = optim.linear(short, warmup=short // 10) if short else None
    after = optim.linear(long, warmup=long // 10) if long else None

    def factor(step):
        if step < short:
            return before(step)
        return after(step - short) * (0.5 if short else 1) if after else 0.0

    return factor


def print_scores(
    model: Model, documents: Documents, tokenizer: WordPiece, args: Namespace
) -> dict[str, str]:
    """Print how well the model guesses in held-out text, and return it as a dict of strings."""
    asked = Namespace(**{**vars(args), "masked": MASKED})  # so that runs compare
    found = measure(model, make_batches(documents, tokenizer, asked).long)
    scores = {
        "masked words": f"{found.loss:.3f} nats per piece, {found.right:.1%} of {found.count:,} "
        "guessed right, in text that was held out, 15 % of it masked"
    }
    if found.next_right is not None:
        scores["next sentence"] = f"{found.next_right:.1%} of {found.pairs:,} pairs told right"
    return common.printed(scores)


@dataclass(frozen=True)
class Scores:
    """``loss``: nats a masked piece; ``right``: the share guessed; ``next_right``: of the pairs."""

    loss: float
    right: float
    count: int
    next_right: float | None = None
    pairs: int = 0


def measure(model: Model, batches: PretrainingBatches) -> Scores:
    """The `Scores` of a `MaskedLM` or `Pretraining` on the first epoch of ``batches``."""
    device, pairs_too = next(model.parameters()).device, isinstance(model, Pretraining)
    loss = right = count = told = pairs = 0
    with evaluating(model):
        for batch in batches.of_epoch(0):
            batch = to_device(batch, device)
            masked = batch["labels"] != IGNORE
            first = first_places(batch["attention_mask"]) & pairs_too
            hidden = model.states_at(batch, masked | first)  # (n, dim), row by row
            is_first = first[masked | first]
            logits, labels = model.output(hidden[~is_first]), batch["labels"][masked]
            loss += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
            right, count = right + int((logits.argmax(-1) == labels).sum()), count + len(labels)
            if isinstance(model, Pretraining):
                said = model.next(model.pool(hidden[is_first])).argmax(-1)  # (batch,)
                told += int((said == batch["next_sentence_label"]).sum())
                pairs += len(said)
    return Scores(loss / count, right / count, count, told / pairs if pairs else None, pairs)
