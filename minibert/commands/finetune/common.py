"""What the commands that fine-tune share: options, parts of a data set, runs, and results."""

import json
import shutil
import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minibert import data, transfer, world
from minibert.commands.recipes import Options, positive
from minibert.data.corpora import Examples, LabelledTexts
from minibert.data.examples import Example
from minibert.data.own_files import KINDS
from minibert.heads.head import Head
from minibert.storage.safe_files import read_json, write
from minibert.world.tasksets import tasks
from minibert.world.tasksets.base import Task

RESULTS, MODEL = "results.json", "model"  # in the folder of --out
FREE = ("out", "checkpoint")  # options that may differ when a command goes on
BASELINE = "baseline"  # a way that learns next to nothing
FULL, FEATURES = "full", "features"  # methods: all weights learn, or only the new layer
METHODS = (FULL, FEATURES, *transfer.METHODS)
SHARE = "share of weights learned"
VALID_SHARE = 0.1  # of the training part, where there is another part to test on


def shared_options(option: Options, known: str, start: str, ways: tuple[str, ...]) -> None:
    """The options that every model has; known, start: what to say of --task and of --start."""
    size = positive(int)
    option("--task", metavar="NAME", help=f"{known}, or a file of your own (docs/your-data.md)")
    option("--out", required=True, type=Path, metavar="DIR", help="a new folder for the results")
    option("--start", metavar="FOLDER", help=start)
    option("--ways", metavar="LIST", default=",".join(ways), help=f"some of {','.join(ways)}")
    told = f"what learns of the model in place of all its weights: {', '.join(METHODS)} ({FULL})"
    option("--method", choices=METHODS, default=FULL, metavar="NAME", help=told)
    option("--test", type=size, help="examples to test on (all)")
    option("--seeds", type=size, default=3, help="runs of each way (3)")
    option("--first-seed", type=int, default=0, help="the first of them (0)")
    option("--save", action="store_true", help=f"keep the first model in DIR/{MODEL}")
    option("--kind", choices=KINDS, help="what --task holds, if its ending does not tell")
    option("--columns", metavar="text=A,label=B", default="", help="names of the columns in --task")
    option("--separator", metavar="MARK", help="between the labels of a text that has several")
    option("--held-out", metavar="FILE", help="score on it, not on a share of --task")


def ways_of(args: Namespace, known: tuple[str, ...]) -> list[str]:
    """The ways to learn that ``--ways`` names; ``--method`` takes the place of the first known."""
    ways = [way.strip() for way in args.ways.split(",")]
    if unknown := [way for way in ways if way not in known]:
        raise ValueError(f"--ways must be some of {','.join(known)}, got {unknown[0]!r}")
    if args.method == FULL:
        return ways
    if known[0] not in ways:
        raise ValueError(f"--method {args.method} stands for {known[0]!r}, which --ways leaves out")
    ways = [*dict.fromkeys(args.method if way == known[0] else way for way in ways)]
    args.ways = ",".join(ways)
    return ways


def read_task(args: Namespace, shares: tuple[float, ...]) -> tuple[Task | Examples, Sequence]:
    """(the data, its parts): train, perhaps valid, test; no group stands in two of them.

    shares: of the parts where the data come in one, split once for all runs. Where there is another
    part to test on, it is taken, without what stands in the training part too.
    """
    if args.task in tasks() and not args.held_out:
        task = world.task(args.task)
        return task, (task.train, task.valid, task.test)
    own = own_options(args)
    parts = data.load(args.task, **own)
    train = as_examples(getattr(parts, "train", parts), args.task)
    if args.held_out:
        test = data.load(args.held_out, **own, labels=train.labels)
    else:
        test = next((getattr(parts, n) for n in ("test", "valid") if hasattr(parts, n)), None)
    if test is None:
        return train, train.split(*shares)
    test = as_examples(test, args.task).without(train)
    if not len(test):
        raise ValueError(f"all of {args.held_out or 'the part to test on'} is in {args.task}, too")
    learned = train.split(1 - VALID_SHARE, VALID_SHARE) if len(shares) > 2 else [train]
    return train, [*learned, test]


def own_options(args: Namespace) -> dict[str, Any]:
    """What ``--kind``, ``--columns`` and ``--separator`` say, as `minibert.data.load` takes it."""
    given = dict(part.partition("=")[::2] for part in args.columns.split(",") if part)
    if unknown := set(given) - {"text", "label", "other"}:
        raise ValueError(
            f"--columns says which columns are text, label and other (text=review,label=stars), "
            f"got {min(unknown)!r}"
        )
    given |= {"kind": args.kind, "separator": args.separator}
    return {name: value for name, value in given.items() if value}


def as_examples(part: Any, name: str) -> Examples:
    """`Examples` of what `data.load` gives; labelled texts become examples of one text."""
    if isinstance(part, LabelledTexts):
        labels = [part.names[label] for label in part.labels]
        found = [Example(one, label=label) for one, label in zip(part.texts, labels, strict=True)]
        return Examples("text", found, part.names, list(part.texts))
    if not isinstance(part, Examples):
        raise ValueError(f"{name!r} has no labels to learn; --help says what --task may be")
    return part


def compare(
    args: Namespace, finished: "Finished", ways: Sequence[str], learn: Callable, **about: Any
) -> None:
    """Run each way, and the `BASELINE`, with each seed; print the scores, write them and ``about``.

    learn: a function of (way, seed, folder to save in) that returns the scores by part, such as
    ``{"test": {"accuracy": 0.9}}``. The `BASELINE` takes no time.
    """
    scores: dict[str, list] = {way: [] for way in (BASELINE, *ways)}
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for way, runs in scores.items():
            run, name = partial(learn, way, seed), f"{way.replace(' ', '-')}-{seed}"
            found = run(None) if way == BASELINE else finished.run(name, run)
            runs.append({"seed": seed, **found})
            told = ", ".join(f"{name} {score:.1%}" for name, score in found["test"].items())
            print(f"seed {seed}, {way}: {told}", flush=True)
    for way, runs in scores.items():
        tests = {name: [run["test"][name] for run in runs] for name in runs[0]["test"]}
        told = ", ".join(f"{name} {with_spread(values)}" for name, values in tests.items())
        if (share := runs[0].get(SHARE, 1)) < 1:
            told += f", {share:.2%} of the weights learned,"
        print(f"{way}: {told} over {len(runs)} seed{'s' * (len(runs) > 1)}")
    results = {"options": options_of(args), **about, "scores": scores}
    write(args.out / RESULTS, json.dumps(results, indent=1).encode() + b"\n")
    print(f"saved in {args.out / RESULTS}")
    if args.save and ways[0] == args.method:
        print(f"{args.start} is not in {args.out / MODEL}, which needs it to predict")
    if args.save:
        print(f"saved in {args.out / MODEL}: `minibert predict {args.out} TEXT` asks it")


def save_first(head: Head, args: Namespace, way: str, seed: int) -> None:
    """Keep the model of the first run, where ``--save`` asks for it."""
    if not (args.save and seed == args.first_seed and way == args.ways.split(",")[0].strip()):
        return
    if way == args.method:
        folder = Path(args.start)  # found from any working directory
        base = folder.resolve() if folder.is_dir() else args.start
        transfer.save_added(head, args.out / MODEL, base=base)
    else:
        head.save_pretrained(args.out / MODEL)


def with_spread(values: Sequence[float]) -> str:
    """The mean over seeds, and their standard deviation where there are several, in words."""
    mean = f"{statistics.mean(values):.1%}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.1%}"


class Finished:
    """The runs of a command that are finished, so that one that goes on does not repeat them.

    They are kept in ``args.checkpoint``. ``total``: how many runs there will be. Raises ValueError
    where the folder belongs to a command with other options.
    """

    def __init__(self, args: Namespace, total: int) -> None:
        self.folder, self.total, self.seconds = args.checkpoint, total, list[float]()
        self.path = self.folder / "finished.json"
        options = {k: v for k, v in options_of(args).items() if k not in FREE}
        new: dict[str, dict] = {"options": options, "results": {}}
        self.kept = read_json(self.path) if self.path.exists() else new
        kept = self.kept["options"]
        if other := [n for n in options | kept if options.get(n) != kept.get(n)]:
            named = ", --".join(other).replace("_", "-")
            told = f"{self.folder} holds runs of a command with another --{named}"
            raise ValueError(f"{told}: give the same options, or another folder")

    def run(self, name: str, make: Callable[[Path], dict]) -> dict:
        """What ``make(folder)`` gives, or gave before the command was interrupted.

        The run saves its checkpoints in ``folder``, which is removed afterwards.
        """
        results = self.kept["results"]
        if name not in results:
            started = time.monotonic()
            results[name] = make(self.folder / name)
            self.seconds.append(time.monotonic() - started)
            write(self.path, json.dumps(self.kept).encode())
            shutil.rmtree(self.folder / name, ignore_errors=True)
            if len(results) < self.total:
                left = statistics.mean(self.seconds) * (self.total - len(results))
                words = f"{left:.0f} s" if left < 120 else f"{left / 60:.0f} minutes"
                print(f"{len(results)} of {self.total} runs done, about {words} left", flush=True)
        return results[name]


def some(examples: Sequence, count: int | None, seed: int) -> list:
    """``count`` examples drawn by ``seed``, or all of them, in an order of its own."""
    order = np.random.default_rng([1, seed]).permutation(len(examples))[:count]
    return [examples[i] for i in order]


def options_of(args: Namespace) -> dict[str, str | int | float]:
    """The options that a results file tells: what is text or a number."""
    return {k: v for k, v in vars(args).items() if isinstance(v, str | int | float)}
