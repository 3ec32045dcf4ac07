"""The learner's progress: one small JSON file that survives restarts, crashes and two kernels."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from minibert.course.learn.paths import write_text
from minibert.storage.safe_files import home, read_json

if TYPE_CHECKING:
    from minibert.course.learn.checking import Outcome


def file() -> Path:
    """The path of the progress file."""
    return home() / "progress.json"


def read() -> dict[str, dict[str, Any]]:
    """All entries: exercise id -> dict with ``status``, ``best``, ``of``, ``tries``, ``last``.

    A file that cannot be read is moved to ``progress.broken-<time>.json`` and reported.
    """
    path = file()
    try:
        entries = read_json(path)["exercises"]
        if not all(isinstance(entry, dict) and "status" in entry for entry in entries.values()):
            raise ValueError("an entry has no status")
        for entry in entries.values():
            if any(
                type(entry.get(name, 0)) not in (int, float) for name in ("best", "of", "tries")
            ):
                raise ValueError("points and tries must be numbers")
        return entries
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        aside = path.with_name(f"progress.broken-{time.strftime('%Y%m%d-%H%M%S')}.json")
        path.replace(aside)
        print(f"Your progress file could not be read ({error}); it was renamed to {aside.name}.")
        return {}


def remember(outcome: Outcome) -> None:
    """Merge one `Outcome` into the file; if the folder is read-only, this is only reported.

    An exercise that was right once stays right. Two kernels take turns with a lock file beside it.
    """
    try:
        home().mkdir(parents=True, exist_ok=True)
        with FileLock(str(file()) + ".lock", timeout=10):
            entries = read()
            entries[outcome.id] = merged(entries.get(outcome.id, {}), outcome)
            text = json.dumps({"version": 1, "exercises": entries}, indent=1, sort_keys=True)
            write_text(file(), text + "\n")
    except Timeout:
        print("(Your progress was not saved: another notebook is using its file.)")
    except OSError as error:
        print(f"(Your progress was not saved: {error})")


def merged(entry: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    """An entry with one more outcome in it."""
    attempted = outcome.status != "not yet"
    done = entry.get("status") == "right"
    return {
        "status": "right" if done else outcome.status,
        "best": max(entry.get("best", 0), outcome.points),
        "of": outcome.of,
        "tries": entry.get("tries", 0) + attempted,
        "last": time.strftime("%Y-%m-%dT%H:%M:%S"),
    }
