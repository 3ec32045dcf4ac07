"""The task mixer: how often each of several tasks is drawn, and what a model learns of each."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import ipywidgets
from torch import nn

from minibert.heads.head import base_of
from minibert.models.cheap import Majority
from minibert.show.action import Acting, apart
from minibert.show.figures import Picture, described, new
from minibert.show.live_training import batches_of, classifier, share_right
from minibert.show.task_figure import (
    EVEN,
    chances_of,
    draw_losses,
    draw_shares,
    named,
    told_shares,
)
from minibert.show.widget import Frame
from minibert.text.inputs import of_batch
from minibert.training.loop import fit
from minibert.training.optim import adamw, linear
from minibert.training.run import Run
from minibert.transfer.mixing import LossByTask, MixedBatches, Multitask

WAYS = [("proportional", "proportional"), ("square root", "root"), ("even", EVEN),
        ("annealed", "annealed"), ("own exponent", "own")]  # fmt: skip
LEAST = 20  # examples of a task
PICTURES = 6  # that are drawn while a run goes on


class TaskMixer(Acting):
    """Choose how many examples each task has and how tasks are drawn; train on all of them at once.

    model: a BERT, a GPT or another encoder with a tokenizer; a copy of it is trained. tasks: by
    name, each one of ``mb.world.task`` with a label for each text, pair or word, or anything with
    its ``train``, ``valid`` and ``labels``. sizes: examples of each at first. how: "proportional",
    "root", "even", "annealed", or the exponent of a size from 0 to 1. steps: updates of
    ``batch_size`` in ``epochs`` epochs, which "annealed" needs. trained: whether the first frame
    has a run. valid: examples that are scored.

    Raises ValueError for tasks of another kind, and a size that a task has not.
    """

    def __init__(
        self,
        model: nn.Module,
        tasks: Mapping[str, Any],
        sizes: Mapping[str, int] | None = None,
        *,
        how: str | float = "proportional",
        steps: int = 60,
        epochs: int = 4,
        batch_size: int = 8,
        rate: float = 5e-4,
        valid: int = 100,
        seed: int = 0,
        trained: bool = False,
    ) -> None:
        self.model, self.tasks = base_of(model), dict(tasks)
        self.steps, self.epochs, self.batch_size, self.rate = steps, epochs, batch_size, rate
        self.seed, draw = seed, random.Random(seed)
        sizes = dict.fromkeys(self.tasks, 200) if sizes is None else sizes
        self.pools, self.valid = {}, {}
        for name, task in self.tasks.items():
            self.pools[name] = draw.sample(list(task.train), len(task.train))
            self.valid[name] = draw.sample(list(task.valid), min(valid, len(task.valid)))
        self._check(sizes)
        self.runs: dict[tuple, dict[str, Any]] = {}  # by their settings
        self.shown: tuple | None = None  # the run whose losses are drawn
        self.names = {f"size {number}": name for number, name in enumerate(self.tasks, 1)}
        controls = self._controls(sizes, how)
        button = self.button("train on all tasks", self._train)
        rows = [list(self.names), ["drawn", "how", "exponent"], [button]]
        if trained:
            self.controls = controls
            self._train()
        super().__init__(self._frame, controls, rows)

    def _check(self, sizes):
        if set(sizes) != set(self.tasks) or not self.tasks:
            told = f"the tasks {', '.join(self.tasks) or 'none'}"
            raise ValueError(f"Expected a size for each of {told}, got {dict(sizes)}.")
        for name, size in sizes.items():
            most, one = len(self.pools[name]), self.pools[name][0]
            if not 1 <= size <= most:
                raise ValueError(f"Task {name} has from 1 to {most} examples, not {size}.")
            if not self.tasks[name].labels or (one.label is None and one.labels is None):
                raise ValueError(f"Expected tasks with labels of texts or words, got {name}.")

    def _controls(self, sizes, how):
        controls: dict[str, Any] = {}
        for key, name in self.names.items():
            most = len(self.pools[name])
            controls[key] = ipywidgets.IntSlider(
                sizes[name], min=min(LEAST, sizes[name]), max=most, step=10, description=name,
                continuous_update=False,
            )  # fmt: skip
        own = not isinstance(how, str)
        controls["how"] = ipywidgets.ToggleButtons(
            options=WAYS, value="own" if own else how, style={"button_width": "auto"}
        )
        controls["exponent"] = ipywidgets.FloatSlider(
            how if own else 0.5, min=0, max=1, step=0.05, description="exponent", disabled=not own
        )
        controls["how"].observe(self._chosen, names="value")
        return controls

    def _chosen(self, change):
        self.controls["exponent"].disabled = change["new"] != "own"

    def _settings(self, how, exponent, **sizes):
        """(sizes by task, how) as the controls say."""
        sizes = {name: sizes[key] for key, name in self.names.items()}
        return sizes, exponent if how == "own" else how

    def train(self, **values: Any) -> None:
        """Set controls by name and train, as the button does: ``how="even"`` for example."""
        unknown = sorted(set(values) - set(self.controls))
        if unknown:
            raise ValueError(f"No control is named {unknown[0]!r}: {list(self.controls)}.")
        self._fill(values)
        self.act(self._train)

    def _train(self):
        sizes, how = self._settings(**self.values)
        key = (*sizes.values(), how)
        if key not in self.runs:
            self.say("training ...")
            with apart(self.model, self.seed) as copied:
                self.runs[key] = self._run(copied, sizes, how)
        self.shown = key

    def _run(self, encoder, sizes, how):
        """Train heads of all tasks on one encoder; their losses, batches and scores."""
        heads, parts = {}, {}
        for name, task in self.tasks.items():
            some = self.pools[name][: sizes[name]]
            labels = [str(label) for label in task.labels]
            heads[name] = classifier(encoder, labels, some[0].labels is not None)
            parts[name] = batches_of(heads[name], some, self.batch_size, self.seed)
        drawn: Any = how
        if how not in ("proportional", "root", "annealed"):
            drawn = dict(zip(sizes, chances_of(sizes, how)[0].tolist(), strict=True))
        mixed = MixedBatches(parts, drawn, epochs=self.epochs, seed=self.seed,
                             steps=max(1, self.steps // self.epochs))  # fmt: skip
        losses, model = LossByTask(), Multitask(heads)
        watch = _Watch(self, losses, sizes, how)
        fit(model, mixed, self.steps, optimizer=adamw(model, self.rate), progress=False,
            schedule=linear(self.steps, warmup=max(1, self.steps // 10)), reraise=True,
            callbacks=[losses, watch])  # fmt: skip
        self.say("scoring ...")
        scores = {name: share_right(head, self.valid[name]) for name, head in heads.items()}
        return {"losses": watch.so_far(), "seen": watch.seen, "scores": scores}

    def _frame(self, **values):
        sizes, how = self._settings(**values)
        run = self.runs.get(self.shown) if self.shown else None
        figure = self.picture(sizes, how, run and run["losses"])
        lines = []
        if self.shown:
            lines.append(f"The losses and the table are those of {self._told(self.shown)}.")
        else:
            lines.append("Nothing was trained so far: “train on all tasks” does it.")
        if len(self.runs) > 1:
            lines.append("Scores of all runs:")
            for key, one in self.runs.items():
                scores = ", ".join(f"{name} {score:.2f}" for name, score in one["scores"].items())
                lines.append(f"{self._told(key)}: {scores}")
        text = "\n".join(lines)
        return Frame(figure, f"{figure.alt} {text}", text, self._table())

    def _told(self, key):
        *sizes, how = key
        pairs = zip(self.tasks, sizes, strict=True)
        return f"{named(how)} ({', '.join(f'{name} {size}' for name, size in pairs)})"

    def picture(
        self, sizes: Mapping[str, int], how: str | float, losses: Mapping[str, Any] | None
    ) -> Picture:
        """The shares above, and below them the losses of a run, if there is one."""
        rows = 1 + bool(losses)
        fig, axes = new("", size=(7.6, 3.1 * rows), rows=rows, layout=None)
        top, *rest = axes if losses else [axes]
        top.set_position((0.1, 1 - 2.55 / (3.1 * rows), 0.88, 2.1 / (3.1 * rows)))
        draw_shares(top, sizes, chances_of(sizes, how, self.epochs))
        top.legend(fontsize=9, loc="upper right", frameon=False)
        top.set_title(f"How often each task is drawn: {named(how)}", loc="left", weight="bold",
                      size=12)  # fmt: skip
        alt = told_shares(sizes, how, self.epochs)
        if losses:
            rest[0].set_position((0.1, 0.09, 0.88, 0.35))
            alt += f" Below it lines of loss by update: {draw_losses(rest[0], losses)}."
            rest[0].set_title("The loss of each task", loc="left", weight="bold", size=12)
            rest[0].legend(fontsize=9, loc="upper right", frameon=False)
        return described(fig, alt)

    def _table(self):
        if self.shown is None:
            return []
        table = [["task", "batches", "times each was seen", "score on valid", "always one answer"]]
        run = self.runs[self.shown]
        for name, size in zip(self.tasks, self.shown, strict=False):
            seen = run["seen"][name]
            always = Majority().fit(self.pools[name][:size]).score(self.valid[name])
            cells = f"{seen * self.batch_size / size:.1f}", f"{run['scores'][name]:.2f}"
            table.append([name, seen, *cells, f"{always:.2f}"])
        return table


class _Watch:
    """A callback that counts the batches of each task, and draws the losses meanwhile."""

    def __init__(self, mixer, losses, sizes, how):
        self.mixer, self.losses, self.now = mixer, losses, (sizes, how)
        self.seen = Counter()

    def on_step(self, run: Run) -> None:
        self.seen[of_batch(run.batch[0], "task")] += 1
        if run.step % 5 == 0 or run.step == run.steps:
            self.mixer.say(f"training: update {run.step} of {run.steps}")
        if run.step % max(1, run.steps // PICTURES) == 0:
            self.mixer.peek(self.mixer.picture(*self.now, self.so_far()))

    def so_far(self):
        """The losses in the order of the tasks, so that each keeps its colour."""
        kept = self.losses.histories
        return {name: kept[name] for name in self.mixer.tasks if name in kept}
