"""Score against cost: how many weights learn, how long it takes, how much memory is held."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minibert.show.curves import interval
from minibert.show.figures import GREY, PALETTE, Picture, described, new
from minibert.storage.safe_files import read_json

Values = Sequence[float]  # one a seed
Ways = Mapping[str, Mapping[str, Values]]  # way -> measure -> values
SCORE = "score"
MEASURES = {  # what a score is drawn against: its axis, a factor
    "share": ("weights that learn (%, log axis)", 100.0),
    "seconds": ("training (seconds of a processor)", 1.0),
    "bytes": ("memory held in training (MB)", 1e-6),
}
TOLD = {"words": "words alone", "one_answer": "always one answer"}
LOOKS = {
    "full": (PALETTE["blue"], "o"), "features": (PALETTE["vermillion"], "s"),
    "adapters": (PALETTE["green"], "^"), "lora": (PALETTE["purple"], "D"),
    "bitfit": (PALETTE["orange"], "v"), "prompts": (PALETTE["sky"], "P"),
    "pal": (PALETTE["black"], "X"), "scratch": (GREY, "*"),
}  # fmt: skip
SPARE = ("h", "<", ">", "p", "d", "8")  # markers of other ways
DASHES = "--", ":", "-.", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 4))
LEFT_OUT = 1e-7  # a share below this has no place on a log axis


@dataclass
class TradeOffs:
    """Runs of several ways to train, by task.

    runs: task -> way -> measure -> one value a seed. The measures are "score" and any of "share"
    (of the weights that learn, 0 to 1), "seconds" and "bytes". baselines: task -> name -> score.
    live: runs that were made here, (way, what was chosen, measures) each by task.
    """

    runs: Mapping[str, Ways]
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    live: dict[str, list[tuple[str, str, dict[str, float]]]] = field(default_factory=dict)

    @property
    def tasks(self) -> list[str]:
        """All tasks, those of live runs alone at the end."""
        return list(dict.fromkeys([*self.runs, *self.live]))

    def ways(self, task: str) -> list[str]:
        """The ways that have a score on a task."""
        return [way for way, kept in self.runs.get(task, {}).items() if kept.get(SCORE)]

    def mean(self, task: str, way: str, measure: str) -> float | None:
        """The mean over the seeds, None where it was not measured."""
        values = self.runs[task][way].get(measure)
        return float(np.mean(values)) if values else None


def stored_runs(found: Any, experiments: str | Iterable[str] | None = None) -> TradeOffs:
    """The runs of a findings file as `TradeOffs`.

    found: what ``mb.course.findings`` gives, the content of such a file, or its path. experiments:
    their names; by default those that begin with ``tradeoff_``, each about one task, with the
    measures ``WAY_score``, ``WAY_share``, ``WAY_seconds`` and ``WAY_bytes``. Another experiment
    has ``TASK_WAY`` and ``share_WAY``. A score of what has no share is a baseline.

    Raises ValueError where there is no such experiment.
    """
    content = read_json(Path(found)) if isinstance(found, str | Path) else found
    stored = getattr(content, "content", content)["experiments"]
    names = [experiments] if isinstance(experiments, str) else experiments
    names = [n for n in stored if n.startswith("tradeoff_")] if names is None else list(names)
    if not names or any(name not in stored for name in names):
        told = names or ["tradeoff_..."]
        raise ValueError(f"Expected the experiments {told}; there are {list(stored)}.")
    runs, baselines = dict[str, Ways](), dict[str, dict[str, float]]()
    for name in names:
        seeds = [run["values"] for run in stored[name]["seeds"].values()]
        of_seeds = {key: [one[key] for one in seeds] for key in seeds[0]}
        flat = {k: v for k, v in of_seeds.items() if not isinstance(v[0], list)}
        own = name.startswith("tradeoff_")
        read = _one_task(name.removeprefix("tradeoff_"), flat) if own else _many_tasks(flat)
        runs |= read[0]
        baselines |= read[1]
    return TradeOffs(runs, baselines)


def _one_task(task, values):
    """(runs, baselines) of an experiment about one task: ``WAY_measure``."""
    ways = [name.removesuffix("_share") for name in values if name.endswith("_share")]
    runs = {
        way: {m: values[f"{way}_{m}"] for m in (SCORE, *MEASURES) if f"{way}_{m}" in values}
        for way in ways
    }
    scored = [name.removesuffix("_score") for name in values if name.endswith("_score")]
    others = {n: float(np.mean(values[f"{n}_score"])) for n in scored if n not in ways}
    return {task: runs}, {task: {TOLD.get(n, n): score for n, score in others.items()}}


def _many_tasks(values):
    """(runs, baselines) of an experiment about several tasks: ``TASK_WAY`` and ``share_WAY``."""
    ways = [name.removeprefix("share_") for name in values if name.startswith("share_")]
    runs, baselines = {}, {}
    for name, scores in values.items():
        for way in ways:
            task = name.removesuffix(f"_{way}")
            if task not in (name, "share"):
                runs.setdefault(task, {})[way] = {SCORE: scores, "share": values[f"share_{way}"]}
    for task in runs:
        for name, scores in values.items():
            other = name.removeprefix(f"{task}_")
            if other in TOLD:
                baselines.setdefault(task, {})[TOLD[other]] = float(np.mean(scores))
    return runs, baselines


def look_of(way: str, ways: Sequence[str]) -> dict[str, Any]:
    """The colour and the marker of a way, the same in every picture."""
    if way in LOOKS:
        colour, marker = LOOKS[way]
        return {"color": colour, "marker": marker}
    others = [one for one in ways if one not in LOOKS]
    number = others.index(way) if way in others else 0
    return {"color": list(PALETTE.values())[number % 7], "marker": SPARE[number % len(SPARE)]}


def trade_off(
    stored: Any,
    tasks: str | Sequence[str] | None = None,
    measures: str | Sequence[str] = tuple(MEASURES),
    *,
    metric: str = "score on test",
    title: str = "What a score costs",
) -> Picture:
    """Scores against what they cost: a row for each task, a column for each measure.

    stored: `TradeOffs`, or what `stored_runs` takes. A mark is the mean over the seeds of one way,
    bars are the 95 % intervals; dashed lines are baselines. measures: "share", "seconds", "bytes".
    Raises ValueError for a task or a measure that was not stored.
    """
    stored = stored if isinstance(stored, TradeOffs) else stored_runs(stored)
    tasks = stored.tasks if tasks is None else [tasks] if isinstance(tasks, str) else list(tasks)
    measures = [measures] if isinstance(measures, str) else list(measures)
    high = 1.1 + 2.6 * len(tasks)
    size = (7.6, high) if len(measures) > 1 else (7.6, 1.2 + 3.2 * len(tasks))
    fig, axes = new("", size=size, rows=len(tasks), columns=len(measures),
                    sharey="row", sharex="col")  # fmt: skip
    axes = np.reshape(axes, (len(tasks), len(measures)))
    bold: Any = {"weight": "bold", "size": 13}
    fig.suptitle(title, x=0.01, ha="left", **bold)
    told, shown = list[str](), dict[str, Any]()
    for row, task in enumerate(tasks):
        for column, measure in enumerate(measures):
            ax = axes[row, column]
            shown |= draw_panel(ax, stored, task, measure)
            ax.set_title(task if column == 0 else "", loc="left", weight="bold", size=11)
            ax.set_xlabel(MEASURES[measure][0] if row == len(tasks) - 1 else "", size=9.5)
            ax.tick_params(labelsize=9)
        axes[row, 0].set_ylabel(metric)
        told.append(told_task(stored, task))
    fig.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=4, fontsize=9.5,
               frameon=False)  # fmt: skip
    return described(fig, f"{title}, {metric} by {', '.join(measures)}: {' '.join(told)}")


def draw_panel(ax: Any, stored: TradeOffs, task: str, measure: str) -> dict[str, Any]:
    """Draw the ways of one task against one measure; gives what a legend needs, by name."""
    if task not in stored.tasks or measure not in MEASURES:
        known = f"the tasks {stored.tasks} and the measures {list(MEASURES)}"
        raise ValueError(f"Expected one of {known}, got {task!r} and {measure!r}.")
    factor, ways, shown = MEASURES[measure][1], stored.ways(task), dict[str, Any]()
    for number, (name, score) in enumerate(stored.baselines.get(task, {}).items()):
        look = {"color": GREY, "ls": DASHES[number % len(DASHES)], "lw": 1.4}
        shown[name] = ax.axhline(score, **look)
    for way in ways:
        kept = stored.runs[task][way]
        if not kept.get(measure):
            continue
        (x, half_x), (y, half_y) = interval(kept[measure]), interval(kept[SCORE])
        x, half_x = max(x, LEFT_OUT) * factor, np.nan_to_num(half_x) * factor
        shown[way] = ax.errorbar(
            x, y, np.nan_to_num(half_y), min(half_x, 0.9 * x), ls="", markersize=8,
            mec="white", mew=0.7, elinewidth=1.3, **look_of(way, ways),
        )  # fmt: skip
    for way, _, one in stored.live.get(task, []):
        look = {**look_of(way, ways), "ls": "", "markersize": 11, "mfc": "none", "mew": 2}
        x = max(one[measure], LEFT_OUT) * factor
        shown[f"{way}, here"] = ax.plot(x, one[SCORE], **look)[0]
    if not shown or not (ax.containers or stored.live.get(task)):
        raise ValueError(f"For {task} no {measure} was stored.")
    if measure == "share":
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        right = max(ax.get_xlim()[1], 1.06 * ax.dataLim.x1)  # the rows share one axis
        ax.set_xlim(-0.02 * right, right)
    ax.margins(0.06, 0.1)
    return shown


def told_task(stored: TradeOffs, task: str) -> str:
    """The scores of a task's ways and baselines in words."""
    pairs = [(way, stored.mean(task, way, SCORE)) for way in stored.ways(task)]
    pairs += stored.baselines.get(task, {}).items()
    return f"{task}: {', '.join(f'{name} {score:.3f}' for name, score in pairs)}."
