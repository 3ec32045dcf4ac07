"""What a probe's score is held against: control tasks, simple baselines, random weights.

Hewitt & Liang (2019), "Designing and Interpreting Probes with Control Tasks", arXiv:1909.03368: a
probe that can learn random labels of words as well says little about the representation.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from minibert.models.cheap import Majority, MostFrequentTag
from minibert.probe.by_layer import Given, Part, Scores, by_sentence, divided, probe
from minibert.probe.classify import Probe
from minibert.probe.linear import Linear
from minibert.probe.mlp import seeded
from minibert.probe.word_states import States
from minibert.world.example import Example


class ControlTask:
    """A random label for each word type, drawn from how often ``labels`` occur (section 2).

    The label depends on the word, its spelling and ``seed`` alone, so that it is the same in
    training and test. lower: words count in lower case, for models that read them so.
    """

    def __init__(self, labels: Iterable[Hashable], seed: int = 0, lower: bool = False) -> None:
        counts = Counter(label for label in labels if label is not None)
        if not counts:
            raise ValueError("expected at least one label to draw from, got none")
        self.names = sorted(counts, key=str)
        self.limits = np.cumsum([counts[name] for name in self.names]) / counts.total()
        self.seed, self.lower = seed, lower

    def label(self, word: Any) -> Hashable:
        """The label of a word, or of whatever a row stands for."""
        text = str(word).lower() if self.lower else str(word)
        drawn = np.random.default_rng([self.seed, zlib.crc32(text.encode("utf-8", "replace"))])
        place = int(np.searchsorted(self.limits, drawn.random(), side="right"))
        return self.names[min(place, len(self.names) - 1)]

    def labels(self, words: Iterable[Iterable[Any]]) -> list[list[Hashable]]:
        """The labels of sentences, such as `States.words`."""
        known: dict[Any, Hashable] = {}
        return [[known.setdefault(w, self.label(w)) for w in sentence] for sentence in words]


def selectivity(
    states: States,
    labels: Given,
    valid: Part | None = None,
    test: Part | None = None,
    *,
    make: Callable[[], Probe] = Linear,
    layers: Iterable[int] | None = None,
    mix: bool = False,
    lower: bool = False,
    seed: int = 0,
) -> tuple[Scores, Scores, dict[int | str, float]]:
    """(scores of the task, of its control task, their difference by layer); see `probe`.

    Rows without a label are left out of both, and of the control task those whose label was drawn
    for no word of the training part. ``lower`` as in `ControlTask`.
    """
    parts = divided((states, labels), valid, test, seed)
    rows = [by_sentence(*part) for part in parts]
    task = ControlTask((one for row in rows[0] for one in row), seed, lower)
    control: list[Part] = []
    known: set = set()
    for (part, _), given in zip(parts, rows, strict=True):
        pairs = zip(given, task.labels(part.words), strict=True)
        found = [[b if a is not None else None for a, b in zip(*p, strict=True)] for p in pairs]
        known = known or {label for row in found for label in row}  # the training part comes first
        control.append((part, [[b if b in known else None for b in row] for row in found]))
    options: dict[str, Any] = {"make": make, "mix": mix, "seed": seed}
    options["layers"] = None if layers is None else list(layers)
    real, random = (probe(a[0], a[1], b, c, **options) for a, b, c in (parts, control))
    return real, random, {name: real[name] - random[name] for name in real}


def baselines(train: Part, test: Part) -> dict[str, float]:
    """The share of test rows that is right for always the same label, and for each word's own.

    train, test: (states, labels). "majority" and "most frequent tag" know no context; see
    `minibert.models.cheap`.
    """
    made = []
    for states, labels in (train, test):
        rows = zip(states.words, by_sentence(states, labels), strict=True)
        kept = [[(w, y) for w, y in zip(*row, strict=True) if y is not None] for row in rows]
        pairs = [tuple(zip(*row, strict=True)) for row in kept if row]
        made.append([Example(tokens=words, labels=tags) for words, tags in pairs])
    kinds = {"majority": Majority, "most frequent tag": MostFrequentTag}
    return {name: kind().fit(made[0]).score(made[1]) for name, kind in kinds.items()}


def untrained(model: Any, seed: int = 0) -> Any:
    """A model of the same shape and the same words with the weights that training starts from.

    It is in eval mode, on the same device. Raises ValueError for what is no model of `minibert`.
    """
    words: Sequence = [getattr(model, n) for n in ("tokenizer", "vocab") if hasattr(model, n)]
    if not hasattr(model, "config") or len(words) != 1:
        kind = type(model).__name__
        raise ValueError(f"expected a model with a config and words of its own, got a {kind}")
    fresh = seeded(lambda: type(model)(model.config, words[0]), seed)
    return fresh.to(next(model.parameters()).device).eval()
