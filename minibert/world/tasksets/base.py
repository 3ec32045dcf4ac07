"""What a task is, and the register of all of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from random import Random
from typing import TypeVar
from zlib import crc32

from minibert.world.base import Drawing, World, world
from minibert.world.document import Document
from minibert.world.example import Example
from minibert.world.generator import Mixture
from minibert.world.writer import Writer

SPLITS = ("train", "valid", "test")
SHARES = {"train": 4, "valid": 1, "test": 2}  # sevenths of all texts that a split may use
OWNERS = [split for split, share in SHARES.items() for _ in range(share)]  # of each seventh
MODULES = (
    "documents",
    "tagging",
    "lexical",
    "pairs",
    "reading",
    "meaning",
    "behaviour",
    "probes",
    "structure",
)
Item = TypeVar("Item")
Make = TypeVar("Make", bound=Callable)
Labels = tuple | Callable[[World], Iterable]  # of an example, known before or read off the world


@dataclass(frozen=True)
class Task:
    """A data set: ``name about metric labels train valid test seed``.

    ``metric`` names how it is scored ("accuracy", "span f1", "exact match and f1", ...);
    ``labels`` are all values that a label can take, in a fixed order, empty where that is open.
    """

    name: str
    about: str
    metric: str
    labels: tuple
    train: list[Example]
    valid: list[Example]
    test: list[Example]
    seed: int = 0
    world_seed: int = 0

    def __repr__(self) -> str:
        sizes = ", ".join(f"{split} {len(getattr(self, split)):,}" for split in SPLITS)
        return f"Task({self.name}: {self.about}; {self.metric}; {sizes})"


@dataclass(frozen=True)
class Maker:
    """How one task is made; see `maker`."""

    name: str
    about: str
    metric: str
    labels: Labels
    sizes: tuple[int, int, int]  # train, valid, test
    make: Callable[[Source, str, int], list[Example]]


TASKS: dict[str, Maker] = {}  # by name


def maker(
    name: str,
    about: str,
    metric: str,
    labels: Labels = (),
    *,
    sizes: tuple[int, int, int] = (2000, 500, 1000),
) -> Callable[[Make], Make]:
    """Register ``make(source, split, size)``, which gives up to ``size`` Examples of a split.

    ``source`` is a Source; ``labels`` a tuple, or a function of the world.
    """

    def register(make):
        TASKS[name] = Maker(name, about, metric, labels, sizes, make)
        return make

    return register


class Source(Drawing):
    """What one split of one task is made from: ``documents(kinds)``, ``random`` and ``new``."""

    def __init__(self, name: str, split: str, seed: int, world_seed: int) -> None:
        self.stream = f"{name} {split} {seed}"
        self.world, self.random = world(world_seed), Random(f"task {self.stream}").random
        self.world_seed, self.split = world_seed, split
        self.seen: dict[tuple[str, ...], bool] = {}

    def owns(self, *texts: str) -> bool:
        """Whether these texts are this split's own: a checksum gives every text to one split."""
        return OWNERS[crc32("\n".join(texts).encode()) % len(OWNERS)] == self.split

    def new(self, *texts: str) -> bool:
        """Whether these texts are this split's own and come for the first time."""
        fresh = texts not in self.seen and self.owns(*texts)
        if fresh:
            self.seen[texts] = True
        return fresh

    def documents(self, kinds: str | Iterable[str] | None = None) -> Iterator[Document]:
        """Documents of some kinds, without end, drawn for this split alone."""
        mixed, random = Mixture(kinds), Random(f"documents {self.stream}").random
        while True:
            writer = Writer(self.world, random)
            mixed(writer)
            yield Document(writer, writer.kind)

    def chance(self, percent: float) -> bool:
        return self.random() * 100 < percent


def _register() -> None:
    for module in MODULES:
        import_module(f"minibert.world.tasksets.{module}")


def tasks() -> list[str]:
    """The names of all tasks, in a fixed order."""
    _register()

    def module(name: str) -> int:
        return MODULES.index(TASKS[name].make.__module__.rpartition(".")[2])

    return sorted(TASKS, key=module)


@lru_cache(maxsize=32)
def task(name: str, seed: int = 0, world_seed: int = 0) -> Task:
    """The Task of that name. Raises ValueError, with the nearest name, for an unknown one."""
    _register()
    if name not in TASKS:
        close = difflib.get_close_matches(name, TASKS, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(TASKS)}"
        raise ValueError(f"there is no task {name!r}; {hint}")
    made = TASKS[name]
    split = {}
    for part, size in zip(SPLITS, made.sizes, strict=True):
        split[part] = made.make(Source(name, part, seed, world_seed), part, size)
    labels = made.labels
    if callable(labels):
        labels = labels(Source(name, "labels", seed, world_seed).world)
    return Task(
        name, made.about, made.metric, tuple(labels), **split, seed=seed, world_seed=world_seed
    )
