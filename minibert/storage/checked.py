"""Checked configs, and models from files: nothing is built before it is known to fit.

A damaged or hostile configuration may ask for a thousand layers or for more memory than there is.
So its values are checked against the types that the config class declares, and the model is made
on torch's meta device first, where tensors have shapes and no memory. A key of a settings file that
no reader takes is refused, too: it may be the one that makes a model compute something else.
"""

import math
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import fields
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, TypeVar, get_args, get_type_hints

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from minibert.storage.checkpoint import check_tensors

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")
Model = TypeVar("Model", bound=nn.Module)
OFF: tuple = (None, False, 0, "", [], {})  # values of a key that nobody has to know
MOST_BUFFERS = 1 << 28  # bytes that a model may need beside the tensors of its file
TOLD = {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}


def check_settings(
    config: "DataclassInstance",
    *,
    known: Mapping[str, Collection[str]] = {},  # noqa: B006 - never changed
    positive: Collection[str] = (),
    shares: Collection[str] = (),
) -> None:
    """Refuse settings of a config that no model can have: ValueError with the setting's name.

    known: setting to its values. positive: from 1 on; shares: from 0 to below 1, or None. Numbers
    of numpy become Python's.
    """
    hints = get_type_hints(type(config))
    for name in (field.name for field in fields(config)):
        if isinstance(value := getattr(config, name), np.generic):
            setattr(config, name, value.item())
        _check_type(name, getattr(config, name), hints[name])
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


def check_known(
    given: Mapping,
    source: object,
    *,
    taken: Collection[str] = (),
    fixed: Mapping[str, tuple] = {},  # noqa: B006 - never changed
    ignored: Collection[str] = (),
) -> None:
    """Refuse a key of ``given`` that may matter and would be dropped: ValueError, naming it.

    taken: keys that the caller reads. fixed: key to its possible values. ignored: without effect.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"expected an object in {source}, got {type(given).__name__}")
    for key, value in given.items():
        if key in taken or key in ignored:
            continue
        if key in fixed:
            if value not in fixed[key]:
                expected = " or ".join(map(repr, fixed[key]))
                told = f"which minibert cannot follow: it knows only {expected} there"
                raise ValueError(f"{source} has {key}={value!r:.60}, {told}")
        elif value not in OFF:
            raise ValueError(
                f"{source} has the key {key!r:.60}, which minibert does not know and which may "
                "change what is computed; remove it from the file if it does not"
            )


def config_from(cls: type[Config], given: object, source: object) -> Config:
    """The config dataclass ``cls`` with the values of a dict that came from a file.

    Raises ValueError, naming ``source``, for an unknown name, a wrong type or a refused value.
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
    make: Callable[[], Model],
    tensors: Mapping,
    source: object,
    layers: int = 0,
    *,
    keep: bool = False,
    own: Callable = lambda model, tensors: tensors,
    named: Callable = lambda model, name: name,
) -> Model:
    """The model that ``make()`` gives, with the tensors of a file, in eval mode.

    Before, it is made without memory, and the tensors are compared with it. ``layers``: how many
    the configuration asks for, no more than there are tensors. keep: the tensors themselves become
    the model's, which halves the memory; start values are not drawn. own: (model, tensors) to the
    tensors by the model's names; named: (model, name) to what the file calls one, for the message.
    Raises ValueError, naming ``source`` and the tensors that do not fit, if any.
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
    with _Undrawn() if keep else nullcontext():
        model = make()
    model.load_state_dict(ours, assign=keep)
    return model.eval()


class _Undrawn(TorchFunctionMode):
    """Leaves out random numbers, which nobody reads, and which load torch's compiler on "meta"."""

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
