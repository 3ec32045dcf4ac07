"""``minibert finetune bert``: a pre-trained BERT and one new layer on a task.

The same examples are learned in three ways, over several seeds: **fine-tuned** (every weight of the
model), **features** (the model frozen, its layers as input; see
`minibert.commands.finetune.tasks`), **from scratch** (random weights of the same shape). Beside
them stands a baseline that learns next to nothing. Seeds draw the examples to learn from, the new
layer and the order of the batches; the test is the same in all, and no premise, article or sentence
of it is learned from.
"""

import copy
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from minibert import transfer
from minibert.commands.finetune import common
from minibert.commands.finetune.tasks import Encoder, TextTask, task_for
from minibert.commands.recipes import Options, positive, saving
from minibert.heads.head import Head
from minibert.models.bert.model import BERT
from minibert.models.gpt.model import GPT
from minibert.runtime import seed_everything
from minibert.training.history import History
from minibert.training.loop import fit
from minibert.training.optim import adamw, linear

SHARES = (0.7, 0.1, 0.2)  # of data that come in one part: train, valid, test
WIDE = 0.6  # random weights have the standard deviation 0.6 / sqrt(width): 0.02 in BERT-base
SAVED = 200  # updates from one checkpoint to the next
WAYS = ("fine-tuned", "features", "from scratch")
# of each --method, see docs/your-data.md: few weights take larger steps than many
RATES = {"full": 3e-4, "lora": 1e-3, "adapters": 1e-3, "bitfit": 3e-3, "pal": 1e-3, "prompts": 3e-2}

SIZES = {  # of --size: what it is with a method
    "lora": "LoRA's rank (8)",
    "adapters": "the numbers in an adapter (64)",
    "pal": "those in narrow attention (a quarter of the model's)",
    "prompts": "soft prompts (20)",
}


def add_arguments(option: Options, model: str = "bert") -> None:
    """The options of ``minibert finetune bert``, or of another model."""
    size, share = positive(int), positive(float)
    known = "banking77, snli, wikiann, wnut17, squad, imdb, one of the world"
    common.shared_options(option, known, f"a {model.upper()}: a folder, or a bundled name", WAYS)
    option("--labels", type=size, help="examples to learn from (all)")
    option("--valid", type=size, default=1000, help="examples to validate on, at most (1000)")
    option("--epochs", type=size, default=3, help="passes over the examples (3)")
    option("--least", type=size, default=1, help="updates at least, however few the examples (1)")
    option("--batch-size", type=size, default=32, help="examples per update (32)")
    option("--max-length", type=size, help="pieces read at once (as many as the model can)")
    told = ", ".join(f"{rate} with {name}" for name, rate in RATES.items())
    option("--rate", type=share, help=f"learning rate of fine-tuning ({told})")
    option("--size", type=size, help="how much --method adds: " + ", ".join(SIZES.values()))
    option("--features-rate", type=share, default=2e-3, help="on frozen features (0.002)")
    option("--scratch-rate", type=share, default=5e-4, help="from random weights (0.0005)")
    option("--precision", choices=("bf16",), help="automatic mixed precision")


def finetune(args: Namespace, kind: type[Encoder] = BERT) -> None:
    """Learn, compare, print the scores and write them to results.json; kind: of the model."""
    ways = common.ways_of(args, WAYS)
    if args.size and args.method not in SIZES:
        raise ValueError(f"--method {args.method} has no --size, only {', '.join(SIZES)}")
    args.rate = args.rate or RATES.get(args.method, args.features_rate)
    finished = common.Finished(args, args.seeds * len(ways))
    start = language_model(args, kind)
    given, (train, valid, test) = common.read_task(args, SHARES)
    valid, test = common.some(valid, args.valid, 0), common.some(test, args.test, 0)
    task = task_for(given, max_length(start, args))
    sizes = {"learned": min(len(train), args.labels or len(train)), "test": len(test)}
    sizes["valid"] = len(valid)
    learn_from = f"{sizes['learned']:,} of {len(train):,} examples to learn from"
    print(f"{args.task}: {learn_from}, {len(valid):,} to validate and {len(test):,} to test on")

    rates = dict(zip(WAYS, (args.rate, args.features_rate, args.scratch_rate), strict=True))
    rates[args.method] = args.rate
    options = {"batch_size": args.batch_size, "precision": args.precision, "progress": True}
    options |= saving(args, SAVED)

    def learn(way, seed, folder):
        some = common.some(train, args.labels, seed)
        if way == common.BASELINE:
            return {"valid": task.baseline(some, valid), "test": task.baseline(some, test)}
        seed_everything(seed)
        head = new_head(way, start, task, args.size)
        share = transfer.counts(head).share
        examples = task.examples(head, some)
        steps = max(args.least, args.epochs * -(-len(examples) // args.batch_size))
        how = {**options, "checkpoint": folder, "steps": steps, "seed": seed}
        history = fit_head(head, examples, rates[way], **how)
        if hasattr(task, "tune"):
            task.tune(head, valid)
        common.save_first(head, args, way, seed)
        scores = {"valid": task.scores(head, valid), "test": task.scores(head, test)}
        return {**scores, "seconds": round(history.seconds, 1), common.SHARE: share}

    common.compare(args, finished, ways, learn, examples=sizes)


def language_model(args: Namespace, kind: type[Encoder]) -> Encoder:
    """The model to start from, with its tokenizer."""
    if args.start is None:
        raise ValueError("give a model to start from: --start FOLDER, or a bundled name")
    model = kind.from_pretrained(args.start)
    if model.tokenizer is None:
        raise ValueError(f"the model in {args.start} has no vocabulary")
    return model


def max_length(model: Encoder, args: Namespace) -> int:
    """How many pieces are read at once."""
    most = model.config.max_length
    if args.max_length and args.max_length > most:
        raise ValueError(f"this model reads at most {most} pieces, not {args.max_length} at once")
    return args.max_length or most


def new_head(way: str, start: Encoder, task: TextTask, size: int | None = None) -> Head:
    """The model of one of `WAYS`, or of `transfer.METHODS`, with its new layer.

    size: how much a method adds, see `SIZES`. ``start`` itself is not changed.
    """
    if way == "from scratch":
        std = WIDE / start.config.dim**0.5
        if isinstance(start, GPT):
            return task.head(GPT(replace(start.config, init_std=std), start.tokenizer))
        config, pooler = replace(start.config, init_std=std), start.pooler is not None
        return task.head(BERT(config, start.tokenizer, pooler=pooler))
    start = copy.deepcopy(start)
    if way in transfer.METHODS:
        head = task.unframed(start)
        transfer.add(head, way, **settings_of(way, start, size))
        return head
    return task.head(start) if way == "fine-tuned" else task.features(start)


def settings_of(method: str, model: Encoder, size: int | None = None) -> dict[str, Any]:
    """How much is added: ``size``, or what the papers have; narrow attention grows with a model.

    It is a quarter as wide, with as many heads; the paper's has 204 of BERT-base's 768 numbers.
    """
    if method == "pal":
        heads = model.config.heads
        return {"size": size or heads * max(1, model.config.dim // (4 * heads)), "heads": heads}
    name = {"lora": "rank", "prompts": "length"}.get(method, "size")
    return {name: size} if size else {}


def fit_head(
    model: Head,
    examples: Sequence[dict],
    rate: float,
    epochs: int = 3,
    *,
    steps: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
    **options: Any,
) -> History:
    """Train a head: a tenth of the updates to warm up, then down to zero (appendix A.3).

    epochs: passes over the examples; or ``steps`` updates. Returns the history.
    """
    batches = model.batches(examples, batch_size, seed=seed)
    steps = steps or epochs * len(batches)
    options = {"progress": False, "schedule": linear(steps, warmup=steps // 10), **options}
    return fit(model, batches, steps=steps, optimizer=adamw(model, rate), **options)
