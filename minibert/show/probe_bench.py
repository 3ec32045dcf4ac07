"""The probe bench: what probes find, by property, layer and model, beside what explains it."""

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np

from minibert.probe.by_layer import MIX
from minibert.show.figures import GREY, PALETTE, Picture, described, new
from minibert.show.maps import heatmap
from minibert.show.widget import Frame, Interactive

Layers = Mapping[Any, float] | Sequence[float]  # a `minibert.probe.Scores`, or by layer
Table = Mapping[str, Mapping[str, Any]]  # model -> property -> `Layers`
Given = Mapping[str, Mapping[str, float]]  # property -> name -> score
LOOKS = [
    *zip(("blue", "orange", "green", "purple", "sky", "black"), "os^DvP", strict=True),
]
DASHES = "--", "-.", ":", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 4))  # one for each baseline
AFTER = 1.1  # where the mix of all layers stands
ONE, MANY, LEFT = "one property, all models", "one model, all properties", "what is left"


class ProbeBench(Interactive):
    """Scores of probes: choose a property to compare models by layer, or a model to see all of it.

    scores: by model and property the scores of the layers: a `minibert.probe.Scores`, a dict by
    number of the layer (0: the embeddings; "mix" too), or a list. baselines: by property, what
    costs less, such as {"majority": 0.2, "most frequent tag": 0.87}, from 0 to 1. control: as
    ``scores``, of the control task of each. metric: what the scores are.

    Layers are placed from 0 (the embeddings) to 1 (the last one), so that models of different depth
    can be compared. "what is left" shows each score minus the best baseline.

    Raises ValueError for an empty table, and for baselines of a property that was not probed.
    """

    def __init__(
        self,
        scores: Table,
        baselines: Given | None = None,
        control: Table | None = None,
        *,
        metric: str = "accuracy",
    ) -> None:
        self.scores = {m: {p: by_layer(s) for p, s in row.items()} for m, row in scores.items()}
        self.control = {
            m: {p: by_layer(s) for p, s in row.items()} for m, row in (control or {}).items()
        }
        self.baselines, self.metric = dict(baselines or {}), metric
        self.models = list(self.scores)
        self.properties = list(dict.fromkeys(p for row in self.scores.values() for p in row))
        if not self.properties:
            raise ValueError("Expected scores by model and property, got none.")
        known = {*self.properties}
        for p in [*self.baselines, *(p for row in self.control.values() for p in row)]:
            if p not in known:
                raise ValueError(f"No model was probed for {p!r}; there are {self.properties}.")
        controls = {
            "view": ipywidgets.ToggleButtons(options=[ONE, MANY, LEFT]),
            "property": self._names(self.properties, "property"),
            "model": self._names(self.models, "model"),
        }
        controls["view"].style = {"button_width": "auto"}
        super().__init__(self._frame, controls, [["view"], ["property", "model"]])

    def _names(self, names, description):
        """A slider over names, whose value is the name; see `minibert.show.widget.menu`."""
        layout = ipywidgets.Layout(width="360px")
        return ipywidgets.SelectionSlider(options=names, description=description, layout=layout)

    def _frame(self, view, property, model):
        if view == ONE:
            figure = self._lines(property)
            text, table = self._told(property), self._table(property)
        else:
            figure, text, table = self._map(model, view == LEFT), "", []
        return Frame(figure, f"{figure.alt} {text}".strip(), text, table)

    def _lines(self, name: str) -> Picture:
        """A line for each model that was probed for it, over the depth; dashes for baselines."""
        title = f"{name}: {self.metric} of a probe, by layer"
        fig, ax = new(title, "depth: embeddings (0) to last layer (1)", self.metric, layout=None)
        ax.set_position((0.1, 0.13, 0.52, 0.76))
        for number, model in enumerate(self.probed(name)):
            colour, marker = LOOKS[number % len(LOOKS)]
            layers, mix = split(self.scores[model][name])
            look: Any = {"color": PALETTE[colour], "marker": marker}
            ax.plot(depths(layers), list(layers.values()), **look, label=model)
            if mix is not None:
                ax.plot(AFTER, mix, **look, ls="", mfc="white", mew=1.8)
            if name in self.control.get(model, {}):
                others, _ = split(self.control[model][name])
                look = {"color": PALETTE[colour], "ls": ":", "lw": 1.3}
                ax.plot(depths(others), list(others.values()), **look, label=f"{model}, control")
        for number, (other, score) in enumerate(self.baselines.get(name, {}).items()):
            look = {"color": GREY, "ls": DASHES[number % len(DASHES)], "lw": 1.4}
            ax.axhline(score, **look, label=f"{other}: {score:.2f}")
        ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=9, frameon=False)
        mixes = any(MIX in self.scores[model][name] for model in self.probed(name))
        ticks = [0, 0.25, 0.5, 0.75, 1] + [AFTER] * mixes
        ax.set_xticks(ticks, [f"{tick:g}" if tick <= 1 else MIX for tick in ticks])
        ax.set_xlim(-0.05, AFTER + 0.05)
        told = "; ".join(f"{other} {score:.2f}" for other, score in self.best_baselines(name))
        alt = f"Lines of {self.metric} over depth for {', '.join(self.probed(name))}"
        return described(fig, f"{alt}, {title}; baselines: {told or 'none given'}.")

    def probed(self, name: str) -> list[str]:
        """The models that were probed for a property."""
        return [model for model in self.models if name in self.scores[model]]

    def best_baselines(self, name: str) -> list[tuple[str, float]]:
        """(name, score) of a property's baselines, the best first."""
        return sorted(self.baselines.get(name, {}).items(), key=lambda pair: -pair[1])

    def _told(self, name):
        """Which layer is best, and what is left of it after the best baseline."""
        told = []
        for model in self.probed(name):
            layers, _ = split(self.scores[model][name])
            best = max(layers, key=layers.__getitem__)
            told.append(f"{model} is best in layer {best} of {max(layers)} ({layers[best]:.3f})")
        lines = ["; ".join(told) + "."]
        if known := self.best_baselines(name):
            lines.append(f"The best baseline is {known[0][0]} with {known[0][1]:.3f}.")
        else:
            lines.append("No baseline was given: these scores say little by themselves.")
        return " ".join(lines)

    def _table(self, name):
        most = max(k for m in self.probed(name) for k in split(self.scores[m][name])[0])
        table = [["model", *map(str, range(most + 1)), MIX]]
        for model in self.probed(name):
            row = self.scores[model][name]
            cells = [f"{row[k]:.3f}" if k in row else "" for k in [*range(most + 1), MIX]]
            table.append([model, *cells])
        return table

    def _map(self, model: str, left: bool) -> Picture:
        """Properties by layers of a model; ``left``: what is left after the best baseline."""
        rows = self.scores[model]
        names = [p for p in rows if not left or self.baselines.get(p)]
        if not names:
            raise ValueError(f"No property of {model} has a baseline to be taken away.")
        columns = sorted({k for p in names for k in split(rows[p])[0]})
        matrix = np.full((len(names), len(columns)), np.nan)
        for i, p in enumerate(names):
            away = self.best_baselines(p)[0][1] if left else 0.0
            for j, k in enumerate(columns):
                matrix[i, j] = rows[p].get(k, np.nan) - away
        title = f"{model}: {self.metric}{' above the best baseline' if left else ''}"
        told: Any = {"diverging": left, "xlabel": "layer (0: embeddings)"}
        told["unit"] = "above it" if left else self.metric
        return heatmap(matrix, names, [str(k) for k in columns], title, **told)


def by_layer(scores: Any) -> dict[Any, float]:
    """Scores by layer as a dict; "mix" may be one of the layers."""
    scores = getattr(scores, "scores", scores)
    pairs = scores.items() if isinstance(scores, Mapping) else enumerate(scores)
    found = {k if k == MIX else int(k): float(score) for k, score in pairs}
    if not any(k != MIX for k in found):
        raise ValueError(f"Expected the score of at least one layer, got {scores!r:.60}.")
    return found


def split(scores: Mapping[Any, float]) -> tuple[dict[int, float], float | None]:
    """(by layer, the mix's or None)."""
    return {k: scores[k] for k in sorted(k for k in scores if k != MIX)}, scores.get(MIX)


def depths(layers: Mapping[int, float]) -> list[float]:
    """From 0 for the embeddings to 1 for the last layer; 0 where there is only one."""
    return [k / max(1, *layers) for k in layers]
