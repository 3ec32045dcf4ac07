"""Chapter 02: exercises whose answers leave their arguments alone, and keep the whole gradient."""

import copy
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
CUT = f"right, but a part of the gradient is cut off on the way: {LEAVE_OUT}"
CHANGED = "right, but an argument was changed in place: its other users would see that, too."
TOLERANCE = 0.02  # of a gradient's size: a deviation may be divided by n or by n - 1


class Careful(Exercise):
    """An exercise whose answer must leave its arguments alone: checks see (value, fault)."""

    def as_functions(self, answer: Answer) -> tuple[Answer]:
        def kept(*arguments):
            given = copy.deepcopy(arguments)
            value = answer(*given)
            return value, "" if _equal(given, arguments) else CHANGED

        return (kept,)

    def untouched(self, answer: Answer) -> bool:
        value, _ = answer(*copy.deepcopy(self.example or ()))
        return value is None or same(value, self.default)


class Learnable(Exercise):
    """An exercise whose answer must keep its gradient: checks see (value, what is at fault)."""

    def as_functions(self, answer: Answer) -> tuple[Answer]:
        def traced(*arguments):
            given = [_tracked(argument) for argument in arguments]
            value = answer(*given)
            fault = _fault(value, arguments, given, self.reference)
            parts = isinstance(value, tuple | list)
            return (tuple(map(_plain, value)) if parts else _plain(value)), fault

        return (traced,)

    def reference(self, *arguments: Any) -> Any:
        """A right value, whose gradient an answer's must equal."""
        raise NotImplementedError

    def untouched(self, answer: Answer) -> bool:
        value, _ = answer(*(self.example or ()))
        return value is None or same(value, self.default)


def judged(verdict: Right, fault: str) -> Right | Wrong:
    """A right value is wrong all the same if something else is at fault."""
    return Wrong(fault, 1) if fault else verdict


def _equal(a: Any, b: Any) -> bool:
    """Whether two arguments are the same, all the way down."""
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


def _tracked(x: Any) -> Any:
    floats = isinstance(x, Tensor) and x.is_floating_point()
    return x.detach().clone().requires_grad_() * 1 if floats else x


def _plain(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


def _fault(value: Any, arguments: Sequence[Any], given: Sequence[Any], reference: Answer) -> str:
    """What is wrong besides the value, "" if nothing is."""
    pairs = [(a, b) for a, b in zip(arguments, given, strict=True) if isinstance(a, Tensor)]
    if not all(torch.equal(before, after) for before, after in pairs):
        return CHANGED
    parts = value if isinstance(value, tuple | list) else [value]
    if not all(isinstance(part, Tensor) and part.requires_grad for part in parts):
        return DETACHED
    leaves = [x for x in given if isinstance(x, Tensor) and x.requires_grad]
    leaves += [p for x in given if isinstance(x, nn.Module) for p in x.parameters()]
    wanted = reference(*given)
    wanted = wanted if isinstance(wanted, tuple) else [wanted]
    if [part.shape for part in parts] != [part.shape for part in wanted]:
        return ""  # the value is wrong, and judged as such
    found, right = _gradients(parts, wanted, leaves), _gradients(wanted, wanted, leaves)
    if any(gradient is None for gradient in found):
        return PARTLY
    return "" if all(map(_close, found, right)) else CUT


def _gradients(parts: Sequence[Tensor], wanted: Sequence[Tensor], leaves: list[Tensor]) -> tuple:
    """Of a sum of all components, each with a weight of its own; none where the value is zero."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(())
    for part, value in zip(parts, wanted, strict=True):
        weights = torch.randn(value.shape, generator=generator) + value.detach() + 1
        total = total + (part * weights)[value.detach() != 0].sum()
    return torch.autograd.grad(total, leaves, allow_unused=True, retain_graph=True)


def _close(found: Tensor, right: Tensor) -> bool:
    """Equal, up to the tolerance, where there is a gradient to have."""
    some = right != 0
    off = (found - right)[some].norm()
    return bool(off <= TOLERANCE * right.norm() + 1e-6)
