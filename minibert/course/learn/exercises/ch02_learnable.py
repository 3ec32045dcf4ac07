"""Chapter 02: exercises whose answers must keep the gradient of all that goes in."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import same
from minibert.course.learn.exercise import Exercise, Right, Wrong

Answer = Callable[..., Any]  # what a learner wrote, or what shows it to a check
LEAVE_OUT = "leave out `.item()`, `.detach()`, `float(...)` and `torch.no_grad()`."
DETACHED = (
    f"right, but the result has no gradient, so nothing could be learned through it: {LEAVE_OUT}"
)
PARTLY = f"right, but the gradient does not reach everything that went in: {LEAVE_OUT}"
CHANGED = "right, but an argument was changed in place: its other users would see that, too."


class Learnable(Exercise):
    """An exercise whose answer must keep its gradient: checks see (value, what is at fault)."""

    def as_functions(self, answer: Answer) -> tuple[Answer]:
        def traced(*arguments):
            given = [_tracked(argument) for argument in arguments]
            value = answer(*given)
            fault = _fault(value, arguments, given)
            parts = isinstance(value, tuple | list)
            return (tuple(map(_plain, value)) if parts else _plain(value)), fault

        return (traced,)

    def untouched(self, answer: Answer) -> bool:
        value, _ = answer(*(self.example or ()))
        return value is None or same(value, self.default)


def judged(verdict: Right, fault: str) -> Right | Wrong:
    """A right value is wrong all the same if something is at fault with its gradient."""
    return Wrong(fault, 1) if fault else verdict


def _tracked(x: Any) -> Any:
    floats = isinstance(x, Tensor) and x.is_floating_point()
    return x.detach().clone().requires_grad_() * 1 if floats else x


def _plain(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


def _fault(value: Any, arguments: Sequence[Any], given: Sequence[Any]) -> str:
    """What is wrong besides the value, "" if nothing is."""
    pairs = [(a, b) for a, b in zip(arguments, given, strict=True) if isinstance(a, Tensor)]
    if not all(torch.equal(before, after) for before, after in pairs):
        return CHANGED
    parts = value if isinstance(value, tuple | list) else [value]
    if not all(isinstance(part, Tensor) and part.requires_grad for part in parts):
        return DETACHED
    leaves = [x for x in given if isinstance(x, Tensor) and x.requires_grad]
    leaves += [p for x in given if isinstance(x, nn.Module) for p in x.parameters()]
    total = torch.stack([part.sum() for part in parts]).sum()
    found = torch.autograd.grad(total, leaves, allow_unused=True, retain_graph=True)
    return PARTLY if any(gradient is None for gradient in found) else ""
