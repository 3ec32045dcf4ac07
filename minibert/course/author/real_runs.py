"""Results of runs on real data, beside the findings: ``minibert course real imdb FOLDER``.

They take too long to repeat with the findings. `minibert finetune` writes results.json into its
folder, and `minibert pretrain` writes history.json. Their contents go to
``chapters/findings/real.json``
in the form of findings, and are quoted like them: ``{{finding real imdb.pre_trained_error mean}}``.
What does not depend on the seed, such as a curve, is the experiment ``imdb_once``.
"""

import json
from pathlib import Path
from typing import Any

from minibert.course.learn.finding import path_of
from minibert.course.learn.paths import chapters_folder, write_text

CURVE = ("step", "loss", "valid_step", "valid_loss")


def add_run(name: str, folder: str | Path, chapters: str | Path | None = None) -> Path:
    """Put the results of a run into the findings "real" as the experiment ``name``; their path.

    Raises FileNotFoundError without results, and ValueError for a file that holds none.
    """
    path = path_of("real", chapters or chapters_folder())
    content: Any = _json(path) if path.is_file() else {"chapter": "real", "experiments": {}}
    results = _json(Path(folder) / "results.json")
    try:
        runs, once = results["scores"], results.get("once", {})
        seeds = [run["seed"] for run in next(iter(runs.values()))]
        values = {
            seed: {
                _plain(f"{way} {score}"): value
                for way, found in runs.items()
                for score, value in found[place]["test"].items()
            }
            for place, seed in enumerate(seeds)
        }
    except (KeyError, IndexError, StopIteration, TypeError, AttributeError) as error:
        raise ValueError(f"{folder}: results.json holds no scores ({error!r})") from error
    once = {_plain(title): value for title, value in once.items()}
    curve = Path(folder) / "language_model" / "history.json"
    if curve.is_file():
        once |= {f"language_model_{title}": _json(curve)[title] for title in CURVE}
    found = {name: values, f"{name}_once": {0: once} if once else {}}
    for title, measured in found.items():
        seeds = {str(seed): {"values": each} for seed, each in measured.items()}
        if seeds:
            content["experiments"][title] = {"config": results["options"], "seeds": seeds}
    write_text(path, json.dumps(content, indent=1) + "\n")
    return path


def _plain(title: str) -> str:
    """A title as the name of a measure: "from scratch error" -> "from_scratch_error"."""
    return "".join(c if c.isalnum() else "_" for c in title.lower())


def _json(path: str | Path) -> Any:
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no {Path(path).name} in {Path(path).parent}") from error
    except ValueError as error:
        raise ValueError(f"{Path(path).name} is not JSON: {error}") from error
