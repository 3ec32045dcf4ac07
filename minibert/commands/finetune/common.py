"""What the commands that fine-tune share: parts of a data set, and results in words and files."""

import json
import statistics

import numpy as np

from minibert.storage.safe_files import atomic


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
    with atomic(folder / "results.json") as file:
        file.write(json.dumps(results, indent=1).encode() + b"\n")
    print(f"saved in {folder / 'results.json'}")
