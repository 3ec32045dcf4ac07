"""Several tasks at once: their batches mixed, and one encoder that is shared by their heads.

Sanh et al. (2019), "A Hierarchical Multi-task Approach for Learning Embeddings from Semantic
Tasks", arXiv:1811.06031, draw the task of each update in proportion to its size. Stickland & Murray
(2019), "BERT and PALs", arXiv:1902.02671, let large tasks count for less and less.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from torch import nn

from minibert.heads.head import base_of
from minibert.models.outputs import Loss
from minibert.text.batches import Batch, Batches, ListBatches
from minibert.text.inputs import of_batch
from minibert.text.numbered import Numbered
from minibert.training.history import History
from minibert.training.run import Run

Tasks = Mapping[str, Any] | Iterable[tuple[str, Any]]
EXPONENTS = {"proportional": (1.0, 1.0), "root": (0.5, 0.5), "annealed": (1.0, 0.2)}
BESIDE = "beside"  # what `SideBySide` calls the second batch


class MixedBatches(Batches):
    """Batches of several tasks in random order; each says in ``task`` which one it is of.

    tasks: the batches of each task by its name, a `Batches` or a list. how: the chance of a task
    with N examples is proportional to N ** alpha. alpha is 1 if ``how`` is "proportional" and 0.5
    if it is "root". If it is "annealed", alpha falls from 1 in the first of ``epochs`` to 0.2 in
    the last, 1 - 0.8 (e - 1) / (E - 1) (Stickland & Murray 2019). Or ``how`` is a dict with the
    chance of each task. steps: batches of an epoch, by default as many as all tasks have.

    No batch is seen again before all others of its task were. Raises ValueError for a name that is
    given twice, a task without a batch, and chances that are negative or do not add up to 1.
    """

    def __init__(
        self,
        tasks: Tasks,
        how: str | Mapping[str, float] = "proportional",
        *,
        epochs: int | None = None,
        steps: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        self.tasks = {name: checked(batches, name) for name, batches in named(tasks).items()}
        parts = list(self.tasks.values())
        self.numbered = [Numbered(part) for part in parts]
        examples = [getattr(part, "count", None) for part in parts]
        self.sizes = np.array(examples if all(examples) else [len(part) for part in parts], float)
        self.alpha, self.epochs = EXPONENTS["proportional"], epochs or 1
        if isinstance(how, Mapping):
            self.sizes = _chances(how, self.tasks)
        elif str(how) not in EXPONENTS or (how == "annealed" and self.epochs < 2):
            known = ", ".join(map(repr, EXPONENTS))
            told = f"{known} (with two epochs or more), or the chance of each task"
            raise ValueError(f"expected how as one of {told}, got {how!r} and epochs={epochs}")
        else:
            self.alpha = EXPONENTS[how]
        self.steps = sum(map(len, parts)) if steps is None else steps
        if self.steps < 1:
            raise ValueError(f"expected at least one step in an epoch, got {steps}")
        self._before = [np.zeros(len(parts), int)]  # batches of each task before each epoch

    def identity(self) -> dict[str, Any]:
        parts = {name: part.identity() for name, part in self.tasks.items()}
        how = {"sizes": self.sizes.tolist(), "alpha": list(self.alpha), "epochs": self.epochs}
        return {**super().identity(), "tasks": parts, "steps": self.steps, **how}

    def chances(self, epoch: int) -> np.ndarray:
        """The chance of each task in an epoch, 0 for the first; they add up to 1."""
        first, last = self.alpha
        done = min(1.0, epoch / max(1, self.epochs - 1))
        weights = self.sizes ** (first + (last - first) * done)
        return weights / weights.sum()

    def drawn(self, epoch: int) -> np.ndarray:
        """The number of the task of each batch of an epoch, int64 (steps,)."""
        return self.rng(epoch).choice(len(self.tasks), self.steps, p=self.chances(epoch))

    def plan(self, epoch: int) -> list[tuple[int, int]]:
        """(task, which of its batches) for each batch."""
        while len(self._before) <= epoch:
            seen = np.bincount(self.drawn(len(self._before) - 1), minlength=len(self.tasks))
            self._before.append(self._before[-1] + seen)
        numbers, planned = self._before[epoch].tolist(), list[tuple[int, int]]()
        for task in self.drawn(epoch).tolist():
            planned.append((task, numbers[task]))
            numbers[task] += 1
        return planned

    def __len__(self) -> int:
        return self.steps

    def collate(self, entry: tuple[int, int], rng: np.random.Generator) -> Batch:
        task, number = entry
        return {**self.numbered[task][number], "task": [*self.tasks][task]}


class SideBySide(Batches):
    """The batches of one task, each with a batch of another kind in it, under ``beside``.

    So an update can learn from labelled and from other texts (see `WithLanguageModel` and
    `Consistency`). An epoch is one of ``batches``; ``others`` begin again as often as it takes. In
    several processes both need batches of the same size.
    """

    def __init__(self, batches: Any, others: Any) -> None:
        self.batches, self.others = checked(batches, "first"), checked(others, "second")
        super().__init__(self.batches.seed)
        self.numbered = Numbered(self.others)

    def identity(self) -> dict[str, Any]:
        parts = [self.batches.identity(), self.others.identity()]
        return {**super().identity(), "parts": parts}

    def plan(self, epoch: int) -> list[tuple[Any, int]]:
        own = self.batches.plan(epoch)
        return [(entry, epoch * len(own) + step) for step, entry in enumerate(own)]

    def collate(self, entry: tuple[Any, int], rng: np.random.Generator) -> Batch:
        own, number = entry
        return {**self.batches.collate(own, rng), BESIDE: self.numbered[number]}


class Multitask(nn.Module):
    """Several heads on one encoder, which `minibert.fit` trains on `MixedBatches`.

    heads: by the names of their tasks. All stand on the same encoder; a language model may be its
    own head. ``model.heads[name]`` is one of them: it predicts, and another `minibert.fit` can go
    on with it alone, so that the last stretch is the target's.

    An update is weighed by what its losses count: with ``accumulate`` above 1, a batch of a
    language model, with all its tokens, outweighs one of as many texts with a label each.

    Raises ValueError for encoders that differ, what is no head, a name that is given twice, and one
    that is no str, is empty, has a dot or is a method of ``heads``.
    """

    def __init__(self, heads: Tasks) -> None:
        super().__init__()
        by_name = named(heads)
        for name, head in by_name.items():
            if not isinstance(name, str) or not isinstance(head, nn.Module):
                told = f"got {name!r} for a {type(head).__name__}"
                raise ValueError(f"expected heads by the names of their tasks, {told}")
        first, *others = map(base_of, by_name.values())
        if any(other is not first for other in others):
            raise ValueError("expected heads on one encoder, got heads on encoders of their own")
        self.encoder = first  # its layers are groups, see `minibert.transfer.groups`
        try:
            self.heads = nn.ModuleDict(by_name)
        except KeyError as error:
            raise ValueError(f"a task needs another name: {error.args[0]}") from error

    def loss(self, batch: Batch) -> Loss:
        """(sum of losses, count) of the head that ``batch["task"]`` names; ValueError for none."""
        task: Any = batch.get("task")
        if task not in self.heads:
            known = ", ".join(self.heads)
            raise ValueError(f"expected a batch with a task out of {known}, got task={task!r:.60}")
        head: Any = self.heads[task]
        return head.loss(batch)


class LossByTask:
    """A callback that keeps a `History` of each task beside that of the run.

    ``histories``: by task, each with the updates that were its own. Raises ValueError where an
    update may hold batches of several tasks (``accumulate`` above 1).
    """

    def __init__(self) -> None:
        self.histories: dict[str, History] = {}

    def on_start(self, run: Run) -> None:
        if run.accumulate > 1:
            told = f"got accumulate={run.accumulate}"
            raise ValueError(f"LossByTask expects one batch, of one task, in each update, {told}")
        if run.step == 0:  # a run from its start, not one that is resumed
            self.histories = {}

    def on_step(self, run: Run) -> None:
        task: Any = of_batch(run.batch[0], "task")
        whole, history = run.history, self.histories.setdefault(task, History())
        history.add(run.step, whole.loss[-1], whole.rate[-1], whole.speed[-1])

    def state_dict(self) -> dict[str, Any]:
        """All histories as plain lists."""
        return {name: history.to_dict() for name, history in self.histories.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.histories = {name: History(**kept) for name, kept in state.items()}


def named(tasks: Tasks) -> dict[str, Any]:
    """Tasks by name from a dict or from pairs; ValueError for none, and for a name given twice."""
    pairs = list(tasks.items() if isinstance(tasks, Mapping) else tasks)
    names = [name for name, _ in pairs]
    if not names:
        raise ValueError("expected at least one task, got none")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"expected a name for each task, got {twice[0]!r} {len(twice)} times")
    return dict(pairs)


def checked(batches: Any, name: str) -> Batches:
    """Batches, made of a list if need be; ValueError for none, and for what has no position."""
    found = ListBatches(batches) if isinstance(batches, list | tuple) else batches
    if not isinstance(found, Batches):
        kind = type(batches).__name__
        raise ValueError(f"expected a list of batches, or those of minibert.text, got a {kind}")
    if not len(found):
        raise ValueError(f"expected at least one batch of each task, the {name} task has none")
    return found


def _chances(how: Mapping[str, float], tasks: Mapping[str, Batches]) -> np.ndarray:
    """The chances of tasks in their order; ValueError where they are none."""
    if set(how) != set(tasks):
        raise ValueError(f"expected the chance of each task, {', '.join(tasks)}, got {dict(how)}")
    chances = np.array([how[name] for name in tasks], float)
    if not (chances >= 0).all() or abs(chances.sum() - 1) > 1e-6:
        raise ValueError(f"expected chances of at least 0 that add up to 1, got {dict(how)}")
    return chances
