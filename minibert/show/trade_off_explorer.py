"""The trade-off explorer: stored runs in one picture, and one more that is trained live."""

from typing import Any

import ipywidgets

from minibert.show.action import Acting
from minibert.show.curves import interval
from minibert.show.figures import Picture, described, new
from minibert.show.live_training import FULL, SIZES, LiveTraining
from minibert.show.trade_offs import (
    MEASURES,
    SCORE,
    TradeOffs,
    draw_panel,
    stored_runs,
    told_task,
)
from minibert.show.widget import Frame, make_room, menu

NAMES = {"share": "weights that learn", "seconds": "time", "bytes": "memory"}
STEPS = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]  # of the slider of rates
WIDTHS = [1, 2, 4, 8, 16, 32, 64]  # of the slider of sizes
CLOSE = 0.01  # of the best score


class TradeOffExplorer(Acting):
    """Score against weights that learn, time or memory, for every way to train.

    stored: `TradeOffs`, or what `stored_runs` takes: ``mb.course.findings("10")`` for example.
    live: a `LiveTraining`; with it a way, its rate and its size can be chosen and trained, and the
    run appears as a hollow mark in the picture of its own task. metric: what the score is. within:
    how far from the best score a way may be to count as close.

    Raises ValueError where nothing is stored and nothing can be trained.
    """

    def __init__(
        self,
        stored: Any,
        *,
        live: LiveTraining | None = None,
        metric: str = "score on test",
        within: float = CLOSE,
    ) -> None:
        given = stored if isinstance(stored, TradeOffs) else stored_runs(stored)
        baselines = {task: dict(scores) for task, scores in given.baselines.items()}
        runs = {task: list(rows) for task, rows in given.live.items()}  # what is given stays
        self.stored = TradeOffs(dict(given.runs), baselines, runs)
        self.live, self.metric, self.within = live, metric, within
        tasks = list(self.stored.tasks)
        if live is not None:
            tasks = list(dict.fromkeys([*tasks, live.name]))
            self.stored.baselines.setdefault(live.name, live.baselines())
        if not self.stored.tasks:
            raise ValueError("Expected at least one stored run, got none.")
        look: Any = {"button_width": "auto"}
        controls = {
            "task": ipywidgets.ToggleButtons(options=tasks, style=look),
            "against": ipywidgets.ToggleButtons(
                options=[(NAMES[measure], measure) for measure in MEASURES], style=look
            ),
        }
        rows: list[list] = [["task"], ["score against", "against"]]
        self.knobs: dict[str, Any] = {}
        if live is not None:
            self.knobs = self._knobs(live)
            button = self.button("train one", self._train)
            chosen = list(self.knobs.values())
            rows += [[f"on {live.name}:", *chosen[:2]], [*chosen[2:], button]]
        super().__init__(self._frame, controls, rows)

    def _knobs(self, live):
        """Way, rate, size and blocks of the next run; only what counts for the way can be moved."""
        narrow = {"width": "300px"}
        rates = [(f"{rate:g}", rate) for rate in STEPS]
        knobs = {
            "way": menu(live.ways, "way"),
            "rate": ipywidgets.SelectionSlider(options=rates, description="rate", layout=narrow),
            "size": ipywidgets.SelectionSlider(
                options=WIDTHS, value=8, description="size", layout=narrow
            ),
            "blocks": ipywidgets.IntSlider(
                live.blocks, min=0, max=live.blocks, description="top blocks that learn",
                layout={"width": "330px"},
            ),
        }  # fmt: skip
        for knob in knobs.values():
            make_room(knob)
        knobs["way"].observe(lambda _: self._chosen(), names="value")
        self.knobs = knobs
        self._chosen()
        return knobs

    def _chosen(self):
        """Another way: its own rate, and the sliders that count for it."""
        assert self.live is not None  # there are no sliders without it
        way = self.live.ways[self.knobs["way"].value]
        usual = self.live.rate_of(way)
        self.knobs["rate"].value = min(STEPS, key=lambda rate: abs(rate - usual))
        self.knobs["size"].disabled = way not in SIZES
        self.knobs["blocks"].disabled = way != FULL

    def train(self, way: str, rate: float | None = None, **settings: int) -> None:
        """Train one as the button does, and show it; settings: ``size`` and ``blocks``."""
        self.act(lambda: self._run(way, rate, **settings))

    def _train(self):
        assert self.live is not None  # there is no button without it
        way = self.live.ways[self.knobs["way"].value]
        moved = [name for name in ("size", "blocks") if not self.knobs[name].disabled]
        settings = {name: self.knobs[name].value for name in moved}
        self._run(way, self.knobs["rate"].value, **settings)

    def _run(self, way, rate=None, **settings):
        if self.live is None:
            raise ValueError("Nothing can be trained here: give live=mb.show.LiveTraining(...).")
        task = self.live.name
        rate = self.live.rate_of(way) if rate is None else rate
        told = ", ".join([f"rate {rate:g}", *(f"{n} {v}" for n, v in settings.items())])
        known = self.stored.live.setdefault(task, [])
        if (way, told) not in [one[:2] for one in known]:

            def report(step, steps, loss):
                if step % 5 == 0 or step == steps:
                    self.say(f"training {way}, {told}: update {step} of {steps}, loss {loss:.2f}")

            self.say(f"training {way}, {told} ...")
            found = self.live.train(way, rate, report=report, **settings)
            known.append((way, told, found))
        self._fill({"task": task})

    def _frame(self, task, against):
        figure = self.panel(task, against)
        text = "\n".join(self._told(task, against))
        return Frame(figure, f"{figure.alt} {text}", text, self._table(task))

    def panel(self, task: str, against: str) -> Picture:
        """One task and one measure, the legend beside it."""
        title = f"{task}: {self.metric} against {NAMES[against]}"
        fig, ax = new(title, MEASURES[against][0], self.metric, layout=None)
        ax.set_position((0.1, 0.13, 0.58, 0.76))
        try:
            shown = draw_panel(ax, self.stored, task, against)
        except ValueError:
            if self.live is None or task != self.live.name:
                raise
            ax.text(0.5, 0.5, "press “train one”", transform=ax.transAxes, ha="center")
            shown = {}
        ax.legend(shown.values(), shown.keys(), loc="center left", bbox_to_anchor=(1.02, 0.5),
                  fontsize=9, frameon=False)  # fmt: skip
        return described(fig, f"Marks of {self.metric} against {NAMES[against]}. "
                              f"{told_task(self.stored, task)}")  # fmt: skip

    def _told(self, task, against):
        """The best way, and the cheapest of those that are close to it."""
        stored, lines = self.stored, []
        scores = {way: stored.mean(task, way, SCORE) for way in stored.ways(task)}
        if scores:
            best = max(scores, key=scores.__getitem__)
            lines = [f"The best mean is that of {best} ({scores[best]:.3f})."]
            costs = {way: stored.mean(task, way, against) for way in scores}
            near = [way for way in scores if scores[way] >= scores[best] - self.within]
            near = [way for way in near if costs[way] is not None]
            if near:
                least = min(near, key=costs.__getitem__)
                lines[0] += (f" Of the ways within {self.within:g} of it, {least} needs the least "
                             f"{NAMES[against]} ({cost(against, costs[least])}).")  # fmt: skip
        low = sorted(stored.baselines.get(task, {}).items(), key=lambda pair: -pair[1])
        if low:
            lines.append(f"The best baseline is {low[0][0]} with {low[0][1]:.3f}.")
        for way, told, one in stored.live.get(task, [])[-3:]:
            lines.append(f"Trained here: {way}, {told}: {one[SCORE]:.3f}, one run.")
        return lines

    def _table(self, task):
        table = [["way", "score", "± (95 %)", *NAMES.values()]]
        for way in self.stored.ways(task):
            mean, half = interval(self.stored.runs[task][way][SCORE])
            costs = [cost(m, self.stored.mean(task, way, m)) for m in MEASURES]
            table.append([way, f"{mean:.3f}", "" if half != half else f"{half:.3f}", *costs])
        for way, told, one in self.stored.live.get(task, []):
            costs = [cost(m, one.get(m)) for m in MEASURES]
            table.append([f"{way} here, {told}", f"{one[SCORE]:.3f}", "", *costs])
        return table


def cost(measure: str, value: float | None) -> str:
    """A share, seconds or bytes as a person reads them; "" for none."""
    if value is None:
        return ""
    if measure == "share":
        return f"{100 * value:.3g} %"
    return f"{value:,.1f} s" if measure == "seconds" else f"{value / 1e6:,.1f} MB"
