"""Batches out of others' epochs: any batch by one number, and short sequences before long ones."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np

from minibert.text.batches import Batch, Batches


class Numbered:
    """The batches of a `Batches`, one epoch after another, by a single number from 0 on."""

    def __init__(self, batches: Batches) -> None:
        self.batches, self._ends = batches, [0]  # the ends of its epochs, in batches
        self._planned: tuple[int, Sequence[Any]] = -1, ()  # the epoch that was read last, its plan

    def __getitem__(self, number: int) -> Batch:
        while self._ends[-1] <= number:
            self._ends.append(self._ends[-1] + len(self.batches.plan(len(self._ends) - 1)))
        epoch = bisect_right(self._ends, number) - 1
        if epoch != self._planned[0]:
            self._planned = epoch, self.batches.plan(epoch)
        step = number - self._ends[epoch]
        return self.batches.collate(self._planned[1][step], self.batches.rng(epoch, step))


class ShortThenLong(Batches):
    """Most of the training on short sequences, the rest on long ones.

    BERT's had 90 % and 10 % (Devlin et al. 2019, appendix A.2). An epoch is ``short_steps`` of one,
    then ``long_steps`` of the other, each from epochs of its own.
    """

    def __init__(self, short: Batches, long: Batches, short_steps: int, long_steps: int) -> None:
        super().__init__(short.seed)
        self.parts, self.steps = (short, long), (short_steps, long_steps)
        self.numbered = [Numbered(part) for part in self.parts]

    def identity(self) -> dict[str, Any]:
        parts = [part.identity() for part in self.parts]
        return {**super().identity(), "parts": parts, "steps": list(self.steps)}

    def plan(self, epoch: int) -> list[tuple[int, int]]:
        counted = enumerate(self.steps)
        return [(part, epoch * n + step) for part, n in counted for step in range(n)]

    def collate(self, entry: tuple[int, int], rng: np.random.Generator) -> Batch:
        part, number = entry
        return self.numbered[part][number]
