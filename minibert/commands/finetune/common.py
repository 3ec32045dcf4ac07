"""What the commands that fine-tune share: parts of a data set, and results in words and files."""

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from minibert.commands.recipes import CHECKPOINTS
from minibert.storage.safe_files import atomic, read_json

RESULTS = "results.json"
FREE = ("out", "checkpoint")  # options that may differ when a command goes on


def checkpoint_option(option: Callable) -> None:
    """The option that says where a run is saved."""
    option(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        help="save the run there again and again, and go on from it (default: only on Ctrl-C, in "
        f"the folder {CHECKPOINTS} of --out)",
    )


class Finished:
    """The runs of a command that are finished, so that one that goes on does not repeat them.

    They are kept in ``args.checkpoint``. ``total``: how many runs there will be. Raises ValueError
    where the folder belongs to a command with other options.
    """

    def __init__(self, args: argparse.Namespace, total: int):
        self.folder, self.total, self.seconds = args.checkpoint, total, []
        self.path = self.folder / "finished.json"
        options = {k: v for k, v in options_of(args).items() if k not in FREE}
        self.kept = {"options": options, "results": {}}
        if self.path.exists():
            found = read_json(self.path)
            if found["options"] != options:
                names = [n for n in options if options[n] != found["options"].get(n)]
                raise ValueError(
                    f"{self.folder} holds runs of a command with another --"
                    f"{', --'.join(names).replace('_', '-')}: give the same options, or another "
                    f"folder"
                )
            self.kept = found

    def run(self, name: str, make: Callable[[Path], dict]) -> dict:
        """What ``make(folder)`` gives, or gave before the command was interrupted.

        ``folder``: where the run saves its checkpoints; it is removed when the run is done.
        """
        results = self.kept["results"]
        if name not in results:
            started = time.monotonic()
            results[name] = make(self.folder / name)
            self.seconds.append(time.monotonic() - started)
            with atomic(self.path) as file:
                file.write(json.dumps(self.kept).encode())
            shutil.rmtree(self.folder / name, ignore_errors=True)
            self.tell()
        return results[name]

    def tell(self) -> None:
        """Print how many runs are done, and about how long the others will take."""
        done = len(self.kept["results"])
        if done < self.total:
            left = statistics.mean(self.seconds) * (self.total - done)
            words = f"{left:.0f} s" if left < 120 else f"{left / 60:.0f} minutes"
            print(f"{done} of {self.total} runs done, about {words} left", flush=True)


def split_groups(groups, shares, seed=0):
    """Places of examples in parts of these shares, no group in two of them: lists of int.

    groups: of each example, what must stay together (a premise, an article). The groups are drawn
    in an order that ``seed`` says, and a part is full as soon as it has its share of the examples.

    Raises ValueError where there are fewer groups than parts.
    """
    names = list(dict.fromkeys(groups))
    if len(names) < len(shares):
        raise ValueError(
            f"expected at least {len(shares)} groups for {len(shares)} parts, got {len(names)}"
        )
    places = {name: [] for name in names}
    for place, name in enumerate(groups):
        places[name].append(place)
    parts, limits = [[] for _ in shares], np.cumsum(shares) / sum(shares) * len(groups)
    number = done = 0
    for order, at in enumerate(np.random.default_rng(seed).permutation(len(names))):
        left = len(names) - order  # every part gets a group, however few there are
        full = done >= limits[number] or left < len(shares) - number
        number += bool(full and number < len(shares) - 1 and parts[number])
        parts[number] += places[names[at]]
        done += len(places[names[at]])
    return parts


def without_groups(groups, known):
    """Places of the examples whose group is not among ``known``: a list of int."""
    known = set(known)
    return [place for place, group in enumerate(groups) if group not in known]


def some(examples, count, seed):
    """``count`` examples drawn by ``seed``, or all of them, in an order of its own."""
    order = np.random.default_rng([1, seed]).permutation(len(examples))[:count]
    return [examples[i] for i in order]


def options_of(args):
    """The options that a results file tells: what is text or a number."""
    return {k: v for k, v in vars(args).items() if isinstance(v, str | int | float)}


def with_spread(values):
    """The mean over seeds, and their standard deviation where there are several, in words."""
    mean = f"{statistics.mean(values):.1%}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.1%}"


def report(results):
    """Print the mean of each way's scores on the test, and their spread."""
    for way, runs in results["scores"].items():
        told = [
            f"{name} {with_spread([run['test'][name] for run in runs])}" for name in runs[0]["test"]
        ]
        print(f"{way}: {', '.join(told)} over {len(runs)} seed{'s' * (len(runs) > 1)}")


def write_results(results, folder):
    """Write results.json."""
    with atomic(folder / RESULTS) as file:
        file.write(json.dumps(results, indent=1).encode() + b"\n")
    print(f"saved in {folder / RESULTS}")
