"""How answers of chapter 04 are tried: changes in place, gradients, layers with given weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minibert.course.learn.compare import same
from minibert.course.learn.exercise import Wrong

IN_PLACE = "this changes what it was given: make new tensors, and leave the arguments as they are."
NO_GRADIENT = "the numbers are right, but no gradient reaches {}, so nothing can be learned."


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers, the same at each call."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def foreign(got: Any, what: str) -> Wrong | None:
    """`Wrong` for numbers that do not mix with float32 tensors: NumPy's, or float64; else None."""
    if isinstance(got, np.ndarray):
        return Wrong(f"{what} is a NumPy array: give a tensor, `torch.from_numpy(...).float()`.", 2)
    if torch.is_tensor(got) and got.dtype == torch.float64:
        return Wrong(f"{what} is float64, which does not mix with float32: add `.float()`.", 2)
    return None


def called(function: Callable[..., Any], *given: Any) -> tuple[Any, bool]:
    """(What ``function`` gives, whether it has left its arguments as they were)."""
    copies = [x.clone() if torch.is_tensor(x) else x for x in given]
    got = function(*copies)
    return got, all(same(x, copy) for x, copy in zip(given, copies, strict=True))


def slopes(function: Callable[..., Any], *given: Any) -> list[bool]:
    """For each tensor of numbers: does a gradient come back from what ``function`` gives?"""
    given = [
        x.clone().requires_grad_() if torch.is_tensor(x) and x.is_floating_point() else x
        for x in given
    ]
    got, wanted = function(*given), [x for x in given if torch.is_tensor(x) and x.requires_grad]
    if not (torch.is_tensor(got) and got.requires_grad):
        return [False] * len(wanted)
    grads = torch.autograd.grad(got.square().sum(), wanted, allow_unused=True)
    return [grad is not None and bool(grad.any()) for grad in grads]


def made_with(made: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """Give a module's layers these weights, and zeros as biases; say which layers are missing.

    A stub without any weights stays as it is.
    """
    if not list(made.parameters()):
        return made
    missing = [name for name in weights if not hasattr(getattr(made, name, None), "weight")]
    if missing:
        raise AttributeError(f"an object of the class has no layer called {', '.join(missing)}")
    with torch.no_grad():
        for name, weight in weights.items():
            layer = getattr(made, name)
            if layer.weight.shape != weight.shape:
                shapes = f"{tuple(weight.shape)}, not {tuple(layer.weight.shape)}"
                raise ValueError(f"the weights of `{name}` should have the shape {shapes}")
            layer.weight.copy_(weight)
            if getattr(layer, "bias", None) is not None:
                layer.bias.zero_()
    return made


def unreached(made: nn.Module, weights: dict[str, Tensor], got: Any) -> list[str]:
    """Names of the layers that get no gradient from ``got``."""
    if not (torch.is_tensor(got) and got.requires_grad):
        return list(weights)
    got.square().sum().backward()
    grads = {name: getattr(made, name).weight.grad for name in weights}
    return [name for name, grad in grads.items() if grad is None or not grad.any()]
