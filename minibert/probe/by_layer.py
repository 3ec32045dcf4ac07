"""One probe for each layer of a model, and for the mix of all: a small table of scores."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minibert.probe.classify import Probe
from minibert.probe.linear import Linear
from minibert.probe.mlp import learned_mix
from minibert.probe.word_states import States

Given = Iterable[Any]  # a label a row, or a list of them a sentence; None for no label
Part = tuple[States, Given]
MIX = "mix"
SHARES = (0.8, 0.1, 0.1)  # of the sentences: to train on, for settings, to be scored on


@dataclass(frozen=True, repr=False)
class Scores:
    """The share of test rows that are right, 0 to 1, by layer: 0, 1, ..., and ``"mix"``.

    ``probes``: the trained probe of each. ``shares``: of each layer in the mix, or None.
    """

    scores: dict[int | str, float]
    probes: dict[int | str, Probe]
    shares: list[float] | None = None

    @property
    def best(self) -> int:
        """The layer with the best score, the lowest of several; the mix is none."""
        layers = [name for name in self.scores if isinstance(name, int)]
        return max(layers, key=self.scores.__getitem__)

    def __getitem__(self, layer: int | str) -> float:
        return self.scores[layer]

    def __iter__(self) -> Iterator[int | str]:
        return iter(self.scores)

    def __repr__(self) -> str:
        return "\n".join(f"{name!s:>5}  {score:.3f}" for name, score in self.scores.items())


def probe(
    states: States,
    labels: Given,
    valid: Part | None = None,
    test: Part | None = None,
    *,
    layers: Iterable[int] | None = None,
    make: Callable[[], Probe] = Linear,
    mix: bool = True,
    seed: int = 0,
) -> Scores:
    """Train a probe on each layer and on their mix, and score it on ``test``.

    labels: one for each row of ``states``, or a list of them for each sentence; rows with None are
    left out. valid, test: (states, labels) of other sentences; where one is not given, a tenth of
    the sentences becomes it, drawn by ``seed``. layers: all by default. make: gives a new probe.
    mix: also probe the sum of the standardised layers with shares that are learned, where all
    layers are equally wide. Raises ValueError as `Probe.fit` does, and for a layer that is not
    there.
    """
    numbers = range(len(states.layers)) if layers is None else list(layers)
    for number in numbers:
        states.layer(number)
    parts = [unlabelled_out(*part) for part in divided((states, labels), valid, test, seed)]
    if any(len(part.layers) != len(states.layers) for part, _ in parts):
        raise ValueError("expected all parts to come from one model: their layers differ")
    (train, y), (tuned, tuned_y), (scored, scored_y) = parts
    scores: dict[int | str, float] = {}
    probes: dict[int | str, Probe] = {}

    def add(name: int | str, x: Tensor, valid_x: Tensor, test_x: Tensor) -> None:
        probes[name] = make().fit(x, y, (valid_x, tuned_y))
        scores[name] = probes[name].score(test_x, scored_y)

    for n in numbers:
        add(n % len(states.layers), train.layer(n), tuned.layer(n), scored.layer(n))
    if not mix or len(numbers) < 2 or len({train.layer(n).shape[1] for n in numbers}) > 1:
        return Scores(scores, probes)
    chosen = [[part.layer(n) for n in numbers] for part, _ in parts]
    shares, standards = learned_mix(chosen[0], y, (chosen[1], tuned_y), seed)
    add(MIX, *(mixed(part, shares, standards) for part in chosen))
    return Scores(scores, probes, shares.tolist())


def mixed(layers: Sequence[Tensor], shares: Tensor, standards: Sequence[Callable]) -> Tensor:
    """The sum of the standardised layers, each times its share: (rows, dim)."""
    total = torch.zeros_like(layers[0])
    for share, standard, layer in zip(shares, standards, layers, strict=True):
        total += share * standard(layer)
    return total


def divided(whole: Part, valid: Part | None, test: Part | None, seed: int = 0) -> list[Part]:
    """Training, validation and test part; those that are not given are cut off the whole."""
    states, labels = whole[0], by_sentence(*whole)
    order = np.random.default_rng(seed).permutation(len(states)).tolist()
    found: list[Part] = []
    for given, share in ((test, SHARES[2]), (valid, SHARES[1])):
        few = max(1, round(share * len(states)))
        if given is None and few >= len(order):
            raise ValueError(f"expected sentences to cut parts off, got {len(states)}")
        part, order = (order[:few], order[few:]) if given is None else ([], order)
        found.append(given or (states.part(part), [labels[i] for i in part]))
    return [(states.part(sorted(order)), [labels[i] for i in sorted(order)]), *found[::-1]]


def by_sentence(states: States, labels: Given) -> list[list[Hashable]]:
    """Labels as a list for each sentence; ValueError where they do not fit its rows."""
    given: Any = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    lengths, nested = states.lengths, all(isinstance(one, list | tuple) for one in given)
    if nested and len(given) == len(lengths):
        for i, (one, length) in enumerate(zip(given, lengths, strict=True)):
            if len(one) != length:
                raise ValueError(f"sentence {i} has {length} rows, but {len(one)} labels")
        return [list(one) for one in given]
    if len(given) != sum(lengths):
        rows = f"{sum(lengths)} rows or each of {len(lengths)} sentences"
        raise ValueError(f"expected a label for each of {rows}, got {len(given)}")
    rest = iter(given)
    return [[next(rest) for _ in range(length)] for length in lengths]


def unlabelled_out(states: States, labels: Given) -> tuple[States, list[Hashable]]:
    """The rows that have a label, and these labels, row by row."""
    rows = by_sentence(states, labels)
    keep = torch.tensor([label is not None for row in rows for label in row])
    words = [
        [word for word, label in zip(*pair, strict=True) if label is not None]
        for pair in zip(states.words, rows, strict=True)
    ]
    flat = [label for row in rows for label in row if label is not None]
    return States([layer[keep] for layer in states.layers], words), flat
