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
RANDOM = "each call gives another result: is there dropout, or another random part, in it?"


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers, the same at each call."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def foreign(got: Any, what: str) -> Wrong | None:
    """`Wrong` for what does not mix with float32 tensors: lists, NumPy, float64; else None."""
    if isinstance(got, np.ndarray):
        return Wrong(f"{what} is a NumPy array: give a tensor, `torch.from_numpy(...)`.", 2)
    if isinstance(got, list | tuple):
        kind = type(got).__name__
        return Wrong(f"{what} is a {kind}: give one tensor, and nothing beside it.", 2)
    if torch.is_tensor(got) and got.is_floating_point() and got.dtype != torch.float32:
        kind = str(got.dtype).removeprefix("torch.")
        return Wrong(f"{what} is {kind}, which does not mix with float32: add `.float()`.", 2)
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
    """Give a module's layers these weights and biases (``name``, ``name.bias``).

    Says which layers are missing. A stub without any weights stays as it is.
    """
    if not list(made.parameters()):
        return made
    layers = [name for name in weights if "." not in name]
    missing = [name for name in layers if not hasattr(getattr(made, name, None), "weight")]
    if missing:
        raise AttributeError(f"an object of the class has no layer called {', '.join(missing)}")
    with torch.no_grad():
        for name, given in weights.items():
            layer, _, part = name.partition(".")
            held = getattr(getattr(made, layer), part or "weight", None)
            if held is None:
                raise ValueError(
                    f"`{layer}` has no bias: `nn.Linear` has one unless told otherwise"
                )
            if held.shape != given.shape:
                shapes = f"{tuple(given.shape)}, not {tuple(held.shape)}"
                raise ValueError(f"the weights of `{layer}` should have the shape {shapes}")
            held.copy_(given)
    return made


def with_biases(weights: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """These weights, and a bias ``name.bias`` for each layer but the embedding ``words``."""
    biases = {
        f"{name}.bias": torch.randn(len(weight), generator=generator)
        for name, weight in weights.items()
        if name != "words"
    }
    return weights | biases


def without(weights: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    """The weights, with layers ``names`` that give back what they get."""
    changed = dict(weights)
    for name in names:
        changed[name] = torch.eye(*weights[name].shape)
        changed[f"{name}.bias"] = torch.zeros(len(weights[name]))
    return changed


def instead(weights: dict[str, Tensor], **others: str) -> dict[str, Tensor]:
    """The weights, with the layer ``others[name]`` in place of each ``name``."""
    changed = dict(weights)
    for name, other in others.items():
        for part in ("", ".bias"):
            changed[name + part] = weights[other + part]
    return changed


def unbiased(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights, with biases of zero."""
    return {name: 0 * x if name.endswith(".bias") else x for name, x in weights.items()}


def through(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    """What the layer ``name`` makes of ``x``."""
    return x @ weights[name].T + weights[f"{name}.bias"]


def unreached(made: nn.Module, weights: dict[str, Tensor], got: Any) -> list[str]:
    """Names of the layers that get no gradient from ``got``."""
    if not (torch.is_tensor(got) and got.requires_grad):
        return [name for name in weights if "." not in name]
    got.square().sum().backward()
    grads = {name: getattr(made, name).weight.grad for name in weights if "." not in name}
    return [name for name, grad in grads.items() if grad is None or not grad.any()]
