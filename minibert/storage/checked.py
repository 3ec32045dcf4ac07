"""Checked configs, and models from files: nothing is built before it is known to fit.

A damaged or hostile configuration may ask for a thousand layers or for more memory than there is.
So its values are checked against the types that the config class declares, and the model is made
on torch's meta device first, where tensors have shapes and no memory.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from functools import partial
from types import NoneType
from typing import get_args, get_type_hints

import torch
from torch.overrides import TorchFunctionMode

from minibert.storage.checkpoint import check_tensors

MOST_BUFFERS = 1 << 28  # bytes that a model may need beside the tensors of its file
TOLD = {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}


def check_settings(
    config: object,
    *,
    known: Mapping[str, Collection[str]] = {},  # noqa: B006 - never changed
    positive: Collection[str] = (),
    shares: Collection[str] = (),
) -> None:
    """Refuse settings of a config that no model can have.

    known: setting to the values that it may have. positive: those that must be 1 or more; shares:
    from 0 to below 1, or None. Raises ValueError with the setting's name.
    """
    for name, values in known.items():
        if getattr(config, name) not in values:
            expected = " or ".join(map(repr, values))
            raise ValueError(f"{name} must be {expected}, got {getattr(config, name)!r}")
    for name in positive:
        if getattr(config, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(config, name)}")
    for name in shares:
        if not 0 <= (getattr(config, name) or 0) < 1:
            raise ValueError(f"{name} must be from 0 to below 1, got {getattr(config, name)}")


def config_from(cls, given, source):
    """The config dataclass ``cls`` with the values of a dict that came from a file.

    Raises ValueError, naming ``source``, for a value of another type than the class declares, one
    that the class refuses, and a name that it does not have.
    """
    if not isinstance(given, dict):
        raise ValueError(f"expected an object in {source}, got {type(given).__name__}")
    hints = get_type_hints(cls)
    try:
        for field in fields(cls):
            if field.name in given:
                _check_type(field.name, given[field.name], hints[field.name])
        return cls(**given)
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        name = cls.__name__.removesuffix("Config")
        raise ValueError(f"{source} holds no {name}: {str(error)[:300]}") from error


def filled(
    make: Callable[[], torch.nn.Module],
    tensors: Mapping,
    source: object,
    layers: int = 0,
    *,
    own: Callable = lambda model, tensors: tensors,
    named: Callable = lambda model, name: name,
) -> torch.nn.Module:
    """The model that ``make()`` gives, with the tensors of a file, in eval mode.

    Before, it is made without memory, and the tensors are compared with it. ``layers``: how many
    the configuration asks for, no more than there are tensors. own: (model, tensors) to the tensors
    by the model's names; named: (model, name) to what the file calls a tensor, for the message.

    Raises ValueError, naming ``source``, for tensors that do not fit, each named, and where such a
    model cannot be.
    """
    if layers > len(tensors):
        raise ValueError(f"{source} says {layers:,} layers, and there are {len(tensors):,} tensors")
    try:
        with torch.device("meta"), _Undrawn():
            empty = make()
    except (RuntimeError, TypeError, OverflowError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"{source} asks for a model that cannot be: {reason}") from error
    ours = own(empty, tensors)
    check_tensors(empty, ours, source, partial(named, empty))
    if sum(buffer.nbytes for buffer in empty.buffers()) > MOST_BUFFERS:
        raise ValueError(f"{source} asks for tables of more than {MOST_BUFFERS:,} bytes")
    model = make()
    model.load_state_dict(ours)
    return model.eval()


class _Undrawn(TorchFunctionMode):
    """Leaves out random numbers, which on the meta device would load torch's compiler."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(function, "__name__", "")
        if name.endswith(("normal_", "uniform_", "orthogonal_")):
            return args[0] if args else kwargs["tensor"]
        return (torch.empty if name in ("rand", "randn") else function)(*args, **kwargs)


def _check_type(name, value, hint):
    kinds = [kind for kind in get_args(hint) or [hint] if kind is not NoneType]
    if value is None and NoneType in get_args(hint):
        return
    for kind in kinds:
        if kind not in TOLD:  # a tuple of its own kind: the class checks it
            return
        fits = (int, float) if kind is float else (kind,)
        if type(value) in fits and (kind is not float or math.isfinite(value)):
            return
    expected = " or ".join(TOLD[kind] for kind in kinds)
    raise ValueError(f"{name} must be {expected}, got {repr(value)[:60]}")
