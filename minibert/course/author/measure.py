"""Measuring a chapter's findings: ``minibert course findings 01 --seeds 5``.

``chapters/findings/01.py`` holds the experiments: functions ``name(seed, config) -> dict`` of
measures (numbers, or lists of numbers), ``CONFIG`` (name -> dict of settings) and, for a quick
rehearsal, ``SMOKE`` (settings that override them). Every seed is written to
``chapters/findings/01.json`` as soon as it is done, so a stopped run can continue.
"""

import importlib.util
import inspect
import json
import math
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from numbers import Real
from pathlib import Path

import minibert
from minibert.course.learn.finding import path_of
from minibert.course.learn.paths import chapters_folder, write_text


def experiments_of(chapter, chapters):
    """The module ``chapters/findings/NN.py`` and its experiments by name.

    Raises FileNotFoundError without the file and ValueError without experiments or their settings.
    """
    path = path_of(chapter, chapters).with_suffix(".py")
    if not path.is_file():
        raise FileNotFoundError(f"No experiments for chapter {chapter}: {path.name} is not there.")
    spec = importlib.util.spec_from_file_location(f"findings_{chapter}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # so that a worker process can find its functions again
    spec.loader.exec_module(module)
    configured = getattr(module, "CONFIG", {})
    found = {name: getattr(module, name, None) for name in configured}
    for name, function in found.items():
        wanted = ["seed", "config"]
        if not callable(function) or list(inspect.signature(function).parameters) != wanted:
            raise ValueError(
                f"{path.name}: CONFIG names {name!r}: no function {name}(seed, config)."
            )
    if not found:
        raise ValueError(f"{path.name}: CONFIG names no experiment.")
    return module, found


def measure(chapter, seeds=5, only=None, fresh=False, chapters=None, say=print):
    """Run the experiments of a chapter for the seeds 0 ... seeds - 1 that its file still lacks.

    ``only`` restricts them to some names; ``fresh`` measures again what is there. Returns the path
    of the findings file. Raises ValueError for an experiment that gives no numbers.
    """
    chapters = Path(chapters or chapters_folder())
    module, experiments = experiments_of(chapter, chapters)
    path = path_of(chapter, chapters)
    content = _stored(path) or {"chapter": chapter, "experiments": {}}
    known = content["experiments"]
    content["experiments"] = {name: known[name] for name in experiments if name in known}
    unknown = set(only or ()) - set(experiments)
    if unknown:
        known = ", ".join(experiments)
        raise ValueError(f"No experiment {sorted(unknown)} in {chapter}; there are: {known}.")
    for name in only or experiments:
        config = json.loads(json.dumps(module.CONFIG[name]))
        kept = content["experiments"].get(name, {})
        runs = kept["seeds"] if kept.get("config") == config and not fresh else {}
        content["experiments"][name] = {"config": config, "seeds": runs}
        for seed in range(seeds):
            if str(seed) in runs:
                say(f"{chapter} {name} seed {seed}: kept")
                continue
            runs[str(seed)] = run = one_run(experiments[name], seed, config)
            write_text(path, json.dumps(content, indent=1) + "\n")
            say(f"{chapter} {name} seed {seed}: {run['seconds']:.1f} s  {_brief(run['values'])}")
    return path


def rehearse(chapter, chapters=None, say=print):
    """Run every experiment once at smoke size, writing nothing."""
    module, experiments = experiments_of(chapter, Path(chapters or chapters_folder()))
    for name, function in experiments.items():
        smaller = getattr(module, "SMOKE", {}).get(name, {})
        run = one_run(function, 0, {**module.CONFIG[name], **smaller})
        say(f"{chapter} {name} rehearsed: {run['seconds']:.1f} s  {_brief(run['values'])}")


def one_run(function, seed, config):
    """One seed of one experiment: its values, seconds, commit, date and machine."""
    minibert.seed_everything(seed)
    start = time.perf_counter()
    values = function(seed, json.loads(json.dumps(config)))
    seconds = time.perf_counter() - start
    return {
        "values": _numbers(values, function.__name__),
        "seconds": round(seconds, 2),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": machine(),
    }


def _numbers(values, name):
    """The measures as plain floats; ValueError for anything that is not a finite number."""
    if not isinstance(values, dict) or not values:
        raise ValueError(f"The experiment {name} must return a dict of measures.")
    plain = {}
    for key, value in values.items():
        numbers = value if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(x, Real) and math.isfinite(x) for x in numbers):
            raise ValueError(f"{name}: {key!r} must be finite numbers, but is {value!r}.")
        floats = [float(f"{float(x):.8g}") for x in numbers]
        plain[str(key)] = floats if isinstance(value, (list, tuple)) else floats[0]
    return plain


def commit():
    """The commit of the code, with "+changes" where the tree is not clean; or None."""
    folder = Path(minibert.__file__).parents[1]
    try:
        head, dirty = (
            subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (
                ["rev-parse", "--short=12", "HEAD"],
                ["status", "--porcelain", "minibert"],
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+changes" if dirty else "")


def machine():
    """What the seconds depend on; no host name, no path."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": str(minibert.device()),
    }


def _processor():
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _stored(path):
    try:
        return json.loads(path.read_text("utf-8")) if path.is_file() else None
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON ({error}): repair it or remove it.") from error


def _brief(values):
    shown = {key: value for key, value in values.items() if not isinstance(value, list)}
    return "  ".join(f"{key} {value:.4g}" for key, value in list(shown.items())[:6])
