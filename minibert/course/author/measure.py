"""Measuring a chapter's findings: ``minibert course findings 01 --seeds 5``.

``chapters/findings/01.py`` holds the experiments: functions ``name(seed, config) -> dict`` of
measures (numbers, or lists of numbers), ``CONFIG`` (name -> dict of settings) and, for a quick
rehearsal, ``SMOKE`` (settings that override them). Every seed is written to
``chapters/findings/01.json`` as soon as it is done, so a stopped run can continue. Nothing is
written from files that differ from the commit, and an experiment's seeds are all of one commit.
"""

import importlib.util
import inspect
import json
import math
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from numbers import Real
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import minibert
from minibert.course.learn.finding import path_of
from minibert.course.learn.paths import REPOSITORY, chapters_folder, write_text

CODE = [REPOSITORY / "minibert", REPOSITORY / "pyproject.toml"]  # and the experiments
Experiment = Callable[[int, dict[str, Any]], dict[str, Any]]  # of a seed and the settings
Say = Callable[[str], object]


def experiments_of(chapter: str, chapters: str | Path) -> tuple[ModuleType, dict[str, Experiment]]:
    """The module ``chapters/findings/NN.py`` and its experiments by name.

    Raises FileNotFoundError without the file and ValueError without experiments or their settings.
    """
    path = path_of(chapter, chapters).with_suffix(".py")
    if not path.is_file():
        raise FileNotFoundError(f"No experiments for chapter {chapter}: {path.name} is not there.")
    spec: Any = importlib.util.spec_from_file_location(f"findings_{chapter}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # so that a worker process can find its functions again
    spec.loader.exec_module(module)
    configured = getattr(module, "CONFIG", {})
    found: dict[str, Any] = {name: getattr(module, name, None) for name in configured}
    for name, function in found.items():
        wanted = ["seed", "config"]
        if not callable(function) or list(inspect.signature(function).parameters) != wanted:
            raise ValueError(
                f"{path.name}: CONFIG names {name!r}: no function {name}(seed, config)."
            )
    if not found:
        raise ValueError(f"{path.name}: CONFIG names no experiment.")
    return module, found


def measure(
    chapter: str,
    seeds: int = 5,
    only: Sequence[str] | None = None,
    fresh: bool = False,
    *,
    chapters: str | Path | None = None,
    say: Say = print,
) -> Path:
    """Run the experiments of a chapter for the seeds 0 ... seeds - 1 that its file still lacks.

    All seeds of an experiment are of one commit and one configuration: where the stored ones are
    of another, it is measured again from seed 0. ``only`` restricts the experiments to some names;
    ``fresh`` measures again what is there. Returns the path of the findings file. Raises ValueError
    for an experiment that gives no numbers, and before anything is written from changed files.
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
    sources = [*CODE, path.with_suffix(".py").resolve()]
    commit = clean_commit(sources)
    for name in only or experiments:
        config = json.loads(json.dumps(module.CONFIG[name]))
        runs = {} if fresh else _kept(content["experiments"].get(name), name, config, commit, say)
        content["experiments"][name] = {"config": config, "seeds": runs}
        for seed in range(seeds):
            if str(seed) in runs:
                say(f"{chapter} {name} seed {seed}: kept")
                continue
            run = one_run(experiments[name], seed, config)
            refuse_changes(commit, sources)  # they may have changed meanwhile
            runs[str(seed)] = run | {"commit": commit}
            write_text(path, json.dumps(content, indent=1) + "\n")
            say(f"{chapter} {name} seed {seed}: {run['seconds']:.1f} s  {_brief(run['values'])}")
    return path


def _kept(stored: dict | None, name: str, config: dict, commit: str, say: Say) -> dict[str, dict]:
    """The stored seeds of an experiment, if they are of this configuration and of this commit."""
    if stored is None or stored["config"] != config:
        return {}
    others = sorted({str(run.get("commit")) for run in stored["seeds"].values()} - {commit})
    if others:
        say(f"{name}: all of it is measured again, at {commit}; stored is {', '.join(others)}")
        return {}
    return stored["seeds"]


def rehearse(chapter: str, chapters: str | Path | None = None, say: Say = print) -> None:
    """Run every experiment once at smoke size, writing nothing."""
    module, experiments = experiments_of(chapter, Path(chapters or chapters_folder()))
    for name, function in experiments.items():
        smaller = getattr(module, "SMOKE", {}).get(name, {})
        run = one_run(function, 0, {**module.CONFIG[name], **smaller})
        say(f"{chapter} {name} rehearsed: {run['seconds']:.1f} s  {_brief(run['values'])}")


def one_run(function: Experiment, seed: int, config: dict[str, Any]) -> dict[str, Any]:
    """One seed of one experiment: its values, seconds, date and machine.

    Raises KeyboardInterrupt when Ctrl-C was pressed, even if a training inside ended well on it.
    """
    minibert.seed_everything(seed)
    start = time.perf_counter()
    with interrupted_for_good():
        values = function(seed, json.loads(json.dumps(config)))
    seconds = time.perf_counter() - start
    return {
        "values": _numbers(values, function.__name__),
        "seconds": round(seconds, 2),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
    }


@contextmanager
def interrupted_for_good() -> Iterator[None]:
    """Ctrl-C within it ends in KeyboardInterrupt, whatever the code within makes of it.

    A training that is interrupted gives back what it has learned so far: good for a learner, but
    a half-trained model is no measurement. Elsewhere than in the main thread it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _numbers(values: Any, name: str) -> dict[str, float | list[float]]:
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


def clean_commit(sources: Sequence[Path]) -> str:
    """The commit that the ``sources`` (files and folders) are at, in twelve digits.

    Raises ValueError where they differ from it, or are in no commit.
    """
    commit = git("rev-parse", "--short=12", "HEAD").strip()
    refuse_changes(commit, sources)
    return commit


def refuse_changes(commit: str, sources: Sequence[Path]) -> None:
    """Raise ValueError unless the sources, all that a result depends on, are as in the commit."""
    paths = [str(path) for path in sources]
    changed = git("diff", "--name-only", commit, "--", *paths).splitlines()
    changed += git("ls-files", "--others", "--exclude-standard", "--", *paths).splitlines()
    if changed:
        named = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        raise ValueError(
            f"Findings are measured from a commit, but these files differ from {commit}: {named}; "
            "commit them first (--smoke rehearses without writing)."
        )


def git(*words: str) -> str:
    """What git says, in the folder of the repository. Raises ValueError where it fails."""
    command = ["git", "-C", str(REPOSITORY), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        reason = " ".join(str(getattr(error, "stderr", "") or error).split())
        raise ValueError(f"Findings are measured in a git repository: {reason}") from error


def machine() -> dict[str, Any]:
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


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _stored(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text("utf-8")) if path.is_file() else None
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON ({error}): repair it or remove it.") from error


def _brief(values: dict[str, Any]) -> str:
    shown = {key: value for key, value in values.items() if not isinstance(value, list)}
    return "  ".join(f"{key} {value:.4g}" for key, value in list(shown.items())[:6])
