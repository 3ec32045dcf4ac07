"""How the training loops of chapter 11 are tried: what they leave behind, and their mistakes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minibert.course.learn.compare import same
from minibert.course.learn.exercise import Wrong
from minibert.course.learn.exercises.ch04_tried import normal

Batch = tuple[Tensor, Tensor | None]
TOLERANCE = 1e-4
NOTHING = (
    "nothing is learned: `zero_grad()`, `backward()`, `step()`, in this order, and on the given "
    "weights, not on copies."
)
COMMON: dict[str, dict[str, Any]] = {  # message -> how any loop goes wrong
    "the gradients add up from batch to batch: call `optimizer.zero_grad()`.": {"keep": True},
    NOTHING: {"step": False},
    "a new optimiser for every batch forgets its averages: make it once.": {"anew": True},
    "this is plain gradient descent: take `AdamW`.": {"kind": "SGD"},
    "this is plain Adam, whose decay works differently: take `AdamW`.": {"kind": "Adam"},
    "the loss is turned upside down: the weights climb.": {"sign": -1.0},
    "the rate is not yours: `AdamW(weights, lr=rate)`.": {"lr": 1e-3},
    "only the first batch is learned: go over all of them.": {"only": 1},
    "the last batch is left out: go over all of them.": {"only": -1},
    "each batch is learned twice: go over the list once.": {"twice": True},
}


def linear(classes: int, width: int, seed: int, scale: float = 1.0) -> nn.Linear:
    """A layer with weights of its own for each seed."""
    layer = nn.Linear(width, classes)
    with torch.no_grad():
        layer.weight.copy_(scale * normal(classes, width, seed=seed))
        layer.bias.copy_(scale * normal(classes, seed=seed + 1))
    return layer


def trained(
    model: nn.Module,
    losses: Sequence[Callable[[], tuple[Tensor, Any]]],
    rate: float,
    how: dict[str, Any],
) -> tuple:
    """(what is noted of each update, matrix, bias) after a loop, or one with a mistake.

    losses: for each batch, a function that gives the loss and what is noted of it.
    """

    def made() -> torch.optim.Optimizer:
        kind = getattr(torch.optim, how.get("kind", "AdamW"))
        return kind(model.parameters(), lr=how.get("lr", rate))

    optimizer, noted = made(), []
    for one in list(losses)[: how.get("only")]:
        for _ in range(2 if how.get("twice") else 1):
            optimizer = made() if how.get("anew") else optimizer
            loss, note = one()
            noted.append(note)
            if not how.get("keep"):
                optimizer.zero_grad()
            (how.get("sign", 1.0) * loss).backward()
            if how.get("step", True):
                optimizer.step()
    return noted, *(p.detach().clone() for p in model.parameters())


def plain(found: Any) -> Any:
    """What an answer returned, with numbers for tensors of one number that have no graph."""
    if isinstance(found, np.ndarray) or (torch.is_tensor(found) and found.ndim):
        found = found.tolist() if not getattr(found, "requires_grad", False) else found
    if isinstance(found, list | tuple):
        return type(found)(map(plain, found))
    if torch.is_tensor(found) and not found.requires_grad:
        return found.item()
    return found


def ill_formed(noted: Any, count: int, each: str) -> Wrong | None:
    """`Wrong` for what is no list with ``each`` of ``count`` updates, in plain numbers."""
    if not isinstance(noted, list | tuple):
        return Wrong(f"expected a list with {each} of each update: is there a `return` behind the "
                     "loop, and is it the list?")  # fmt: skip
    flat = [x for one in noted for x in (one if isinstance(one, list | tuple) else [one])]
    if any(torch.is_tensor(x) for x in flat):
        return Wrong("the list holds tensors, which keep every graph alive: `.item()`.", 3)
    return None if len(noted) == count or len(noted) > 1 else Wrong(
        f"expected {each} of each update, {count} in all, got {len(noted)}: is the `return` "
        "inside the loop?", 1)  # fmt: skip


def alike(got: Sequence, want: Sequence) -> bool:
    """Whether two results of a loop are equal: what was noted, and the weights."""
    return len(got) == len(want) and all(
        same(a, b, TOLERANCE) for a, b in zip(got, want, strict=True)
    )
