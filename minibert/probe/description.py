"""How many bits the labels take, given the representation: online coding.

Voita & Titov (2020), "Information-Theoretic Probing with Minimum Description Length",
arXiv:2003.12298, section 3.2: a probe is trained on ever more of the rows, and each time it codes
the labels of the next ones. What is hard to learn from, even if learned in the end, takes more.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from minibert.probe.classify import Labels, Probe, X, labels_of
from minibert.probe.linear import Linear

PARTS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)  # the paper's


@dataclass(frozen=True)
class Description:
    """``bits``: of the online code; ``uniform``: of a code that knows nothing. ``blocks``: (rows
    that the probe had learned from, bits a label of the rows it coded)."""

    bits: float
    uniform: float
    blocks: list[tuple[int, float]]

    @property
    def compression(self) -> float:
        """How many times shorter than the uniform code."""
        return self.uniform / self.bits

    def __str__(self) -> str:
        return f"{self.bits:,.0f} bits, {self.compression:.2f} times shorter than uniform"


def online_code(
    x: X,
    y: Labels,
    make: Callable[[], Probe] = Linear,
    parts: Sequence[float] = PARTS,
    *,
    seed: int = 0,
) -> Description:
    """The `Description` of the labels ``y`` of the rows ``x`` (rows, dim), drawn in random order.

    The first part is coded uniformly, log2(labels) bits each. A probe's p counts as n p + 1 of n +
    labels, where n rows were learned from: a label that they had not can be coded too. parts:
    shares of the rows, the last 1. Raises ValueError as `Probe.fit` does.
    """
    labels = labels_of(y, x)
    names = {name: i for i, name in enumerate(sorted({*labels}, key=str))}
    if len(names) < 2:
        raise ValueError(f"expected at least two labels to tell apart, got {list(names)}")
    if list(parts) != sorted(parts) or not parts or not 0 < parts[0] or parts[-1] != 1:
        raise ValueError(f"expected growing shares of which the last is 1, got {parts}")
    order = np.random.default_rng(seed).permutation(len(labels))
    x, labels = x[torch.from_numpy(order).to(x.device)], [labels[i] for i in order]
    ends = sorted({max(1, math.ceil(part * len(labels))) for part in parts})
    blocks = [(0, math.log2(len(names)))]
    bits = ends[0] * math.log2(len(names))
    for start, end in zip(ends, ends[1:], strict=False):
        p = _shares(make, x[:start], labels[:start], x[start:end], names)
        coded = torch.tensor([names[label] for label in labels[start:end]])
        spent = -float(p.gather(1, coded[:, None]).double().log2().sum())
        blocks.append((start, spent / (end - start)))
        bits += spent
    return Description(bits, len(labels) * math.log2(len(names)), blocks)


def _shares(make, x, y, others, names):
    """p of each label for ``others``, (rows, labels), from a probe trained on ``x`` and ``y``."""
    seen, count = {*y}, len(y)
    p = torch.zeros(len(others), len(names))
    if len(seen) == 1:
        p[:, names[y[0]]] = 1.0
    else:
        trained = make().fit(x, y)
        p[:, [names[name] for name in trained.names]] = trained.probabilities(others).cpu()
    return (count * p + 1) / (count + len(names))
