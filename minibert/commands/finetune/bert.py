"""``minibert finetune bert``: a pre-trained BERT and one new layer on a task.

The same examples are learned in three ways, over several seeds: **fine-tuned** (every weight of the
model), **features** (the model frozen, its layers as input; see
`minibert.commands.finetune.tasks`), **from scratch** (random weights of the same shape). Beside
them stands a baseline that learns next to nothing. Seeds draw the examples to learn from, the new
layer and the order of the batches; the test is the same in all, and no premise, article or sentence
of it is learned from.
"""

import copy
from dataclasses import replace

from minibert.commands.finetune import common
from minibert.commands.finetune.tasks import task_for
from minibert.commands.recipes import positive, saving
from minibert.models.bert.model import BERT
from minibert.runtime import seed_everything
from minibert.training.loop import fit
from minibert.training.optim import adamw, linear

SHARES = (0.7, 0.1, 0.2)  # of data that come in one part: train, valid, test
WIDE = 0.6  # random weights have the standard deviation 0.6 / sqrt(width): 0.02 in BERT-base
SAVED = 200  # updates from one checkpoint to the next
WAYS = ("fine-tuned", "features", "from scratch")


def add_arguments(option, model="bert"):
    """The options of ``minibert finetune bert``, or of another model."""
    size, share = positive(int), positive(float)
    known = "snli, wikiann, wnut17, squad, imdb, one of the world"
    common.shared_options(option, known, f"a {model.upper()}: a folder, or a bundled name", WAYS)
    option("--labels", type=size, help="examples to learn from (all)")
    option("--valid", type=size, default=1000, help="examples to validate on, at most (1000)")
    option("--epochs", type=size, default=3, help="passes over the examples (3)")
    option("--least", type=size, default=1, help="updates, however few the examples are (1)")
    option("--batch-size", type=size, default=32, help="examples an update (32)")
    option("--max-length", type=size, help="pieces read at once (as many as the model can)")
    option("--rate", type=share, default=3e-4, help="of fine-tuning (0.0003)")
    option("--features-rate", type=share, default=2e-3, help="on frozen features (0.002)")
    option("--scratch-rate", type=share, default=5e-4, help="from random weights (0.0005)")
    option("--precision", choices=("bf16",), help="automatic mixed precision")


def finetune(args, kind=BERT):
    """Learn, compare, print the scores and write them to results.json; kind: of the model."""
    ways = common.ways_of(args, WAYS)
    finished = common.Finished(args, args.seeds * len(ways))
    start = language_model(args, kind)
    given, (train, valid, test) = common.read_task(args, SHARES)
    valid, test = common.some(valid, args.valid, 0), common.some(test, args.test, 0)
    task = task_for(given, max_length(start, args))
    sizes = {"learned": min(len(train), args.labels or len(train)), "test": len(test)}
    print(f"{args.task}: {sizes['learned']:,} of {len(train):,} examples to learn from, ", end="")
    print(f"{len(valid):,} to validate and {len(test):,} to test on")

    def learn(way, seed, folder):
        parts = common.some(train, args.labels, seed), valid, test
        if way == common.BASELINE:
            return {n: task.baseline(parts[0], of) for n, of in (("valid", valid), ("test", test))}
        return learned(way, start, task, parts, args, seed, folder)

    results = {"options": common.options_of(args), "examples": {**sizes, "valid": len(valid)}}
    common.compare(args, finished, (common.BASELINE, *ways), learn, results)


def language_model(args, kind):
    """The model to start from, with its tokenizer."""
    if args.start is None:
        raise ValueError("give a model to start from: --start FOLDER, or a bundled name")
    model = kind.from_pretrained(args.start)
    if model.tokenizer is None:
        raise ValueError(f"the model in {args.start} has no vocabulary")
    return model


def max_length(model, args):
    """How many pieces are read at once."""
    most = model.config.max_length
    if args.max_length and args.max_length > most:
        raise ValueError(f"this model reads at most {most} pieces, not {args.max_length} at once")
    return args.max_length or most


def learned(way, start, task, parts, args, seed, folder):
    """One run of one way: its scores on valid and test, and its seconds; saves in ``folder``."""
    train, valid, test = parts
    seed_everything(seed)
    model = new_head(way, start, task)
    rates = dict(zip(WAYS, (args.rate, args.features_rate, args.scratch_rate), strict=True))
    examples = task.examples(model, train)
    steps = max(args.least, args.epochs * -(-len(examples) // args.batch_size))
    options = {"batch_size": args.batch_size, "precision": args.precision, "progress": True}
    options |= saving(args, SAVED) | {"checkpoint": folder}
    history = fit_head(model, examples, rates[way], steps=steps, seed=seed, **options)
    if hasattr(task, "tune"):
        task.tune(model, valid)
    if args.save and way == common.ways_of(args, WAYS)[0] and seed == args.first_seed:
        model.save_pretrained(args.out / common.MODEL)
    scores = {"valid": task.scores(model, valid), "test": task.scores(model, test)}
    return {**scores, "seconds": round(history.seconds, 1)}


def new_head(way, start, task):
    """The model of one of `WAYS` with its new layer; ``start`` itself is not changed."""
    if way == "from scratch":
        config = replace(start.config, init_std=WIDE / start.config.dim**0.5)
        pooler = {"pooler": start.pooler is not None} if isinstance(start, BERT) else {}
        return task.head(type(start)(config, start.tokenizer, **pooler))
    start = copy.deepcopy(start)
    return task.head(start) if way == "fine-tuned" else task.features(start)


def fit_head(model, examples, rate, epochs=3, *, steps=None, batch_size=32, seed=0, **options):
    """Train a head: a tenth of the updates to warm up, then down to zero (appendix A.3).

    epochs: passes over the examples; or ``steps`` updates. Returns the history.
    """
    batches = model.batches(examples, batch_size, seed=seed)
    steps = steps or epochs * len(batches)
    options = {"progress": False, "schedule": linear(steps, warmup=steps // 10), **options}
    return fit(model, batches, steps=steps, optimizer=adamw(model, rate), **options)
