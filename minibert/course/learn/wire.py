"""Values as JSON and back, for an answer that is judged in another process.

Numbers, text, truth values, lists, tuples, sets, dictionaries, arrays and tensors arrive as they
were left; the bytes of an array travel in base 64. A function arrives as one that calls back
(`minibert.course.learn.line`), and of anything else only the name of its type and its repr. Nothing
is unpickled, so that a message can hold no code.
"""

import base64
import builtins
import inspect
import itertools
import math
from collections.abc import Callable, Iterator, KeysView, ValuesView
from functools import partial
from typing import Any

import numpy as np

LONGEST = 1_000_000  # items taken from an iterator
SEQUENCES: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "iterator": iter,
}
MODULES = {  # layers of torch.nn that an exercise hands over -> what they are made from
    "Linear": ("in_features", "out_features", "bias"),
    "Embedding": ("num_embeddings", "embedding_dim", "padding_idx"),
    "LSTM": ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout")
    + ("bidirectional",),
}


class Opaque:
    """Stands for a value that cannot travel: its type has the name, and it the repr, of that."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def pack(value: Any, named: Callable) -> Any:
    """What stands for ``value`` in JSON; ``named`` gives that of a function."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    kind = type(value).__module__.partition(".")[0]
    if kind == "torch" and (packed := _pack_torch(value, named)) is not None:
        return packed
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufcU":
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: [value.dtype.str, list(value.shape), _text(value.tobytes())]}
    if isinstance(value, bool | int | float | str):
        base = next(base for base in (int, float, str) if isinstance(value, base))
        return base(value)
    if isinstance(value, dict):
        return {"dict": [[pack(k, named), pack(v, named)] for k, v in value.items()]}
    for name, base in SEQUENCES.items():
        if name != "iterator" and isinstance(value, base):
            return {name: [pack(item, named) for item in value]}
    if isinstance(value, Iterator | KeysView | ValuesView | range):
        return {"iterator": [pack(item, named) for item in itertools.islice(value, LONGEST)]}
    if isinstance(value, bytes | bytearray):
        return {"bytes": _text(bytes(value))}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if value is Ellipsis:
        return {"ellipsis": None}
    if callable(value):
        return named(value)
    return {"opaque": [type(value).__name__[:80], _repr(value)]}


def _pack_torch(value, named):
    import torch

    if isinstance(value, torch.Tensor):
        value = value.detach()
        value = value.to_dense() if value.layout != torch.strided else value
        plain = value.resolve_conj().resolve_neg().cpu().contiguous()
        data = plain.reshape(-1).view(torch.uint8).numpy().tobytes()
        return {"tensor": [str(plain.dtype).removeprefix("torch."), list(plain.shape), _text(data)]}
    if type(value) in {getattr(torch.nn, name) for name in MODULES}:
        name = type(value).__name__
        made_from = {key: getattr(value, key) for key in MODULES[name]}
        if "bias" in made_from:
            made_from["bias"] = made_from["bias"] is not None and made_from["bias"] is not False
        state = pack(dict(value.state_dict()), named)
        return {"module": [name, made_from, value.training, state]}
    return None


def unpack(packed: Any, calling: Callable, modules: bool = True) -> Any:
    """The value of what `pack` made; ``calling`` gives the function for a number.

    Raises ValueError for what `pack` does not make, and without ``modules`` for layers, whose size
    a few numbers decide.
    """
    if packed is None or isinstance(packed, bool | int | float | str):
        return packed
    if not isinstance(packed, dict) or len(packed) != 1:
        raise ValueError(f"expected one packed value, got {_repr(packed)}")
    ((kind, content),) = packed.items()
    again = partial(unpack, calling=calling, modules=modules)
    if kind in SEQUENCES:
        return SEQUENCES[kind](list(map(again, content)))
    if kind == "dict":
        return {again(key): again(value) for key, value in content}
    if kind in ("call", "yours"):
        return calling(kind, int(content))
    unpackers: dict[str, Callable] = {
        "tensor": _tensor,
        "array": _array,
        "scalar": _array,
        "bytes": base64.b64decode,
        "complex": lambda parts: complex(*parts),
        "ellipsis": lambda _: ...,
        "opaque": _opaque,
        "module": lambda parts: _module(*parts, again),  # type: ignore[call-arg]
    }
    if kind not in unpackers or (kind == "module" and not modules):
        raise ValueError(f"nothing is packed as {kind!r}")
    return unpackers[kind](content)


def _tensor(parts):
    import torch

    name, shape, text = parts
    dtype = getattr(torch, name, None)
    data = base64.b64decode(text)
    if not isinstance(dtype, torch.dtype) or len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"no tensor of type {name!r} and shape {shape} has {len(data)} bytes")
    if not data:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(dtype).reshape(shape)


def _array(parts):
    name, shape, text = parts
    dtype = np.dtype(name)
    if dtype.kind not in "biufcU":
        raise ValueError(f"no array of type {name!r} is packed")
    array = np.frombuffer(bytearray(base64.b64decode(text)), dtype=dtype).reshape(shape)
    return array if shape else array[()]


def _module(name, made_from, training, state, again):
    import torch

    if name not in MODULES or set(made_from) != set(MODULES[name]):
        raise ValueError(f"no layer is packed as {name!r}")
    with torch.random.fork_rng(devices=[]):
        module = getattr(torch.nn, name)(**made_from)
    module.load_state_dict(again(state))
    return module.train(training)


def _opaque(parts):
    name, text = map(str, parts)
    return type(name, (Opaque,), {})(text)


def put_back(mine: Any, new: Any) -> None:
    """Make ``mine`` hold what ``new`` holds: a call has changed its argument in place."""
    kind = type(mine).__module__.partition(".")[0]
    if isinstance(mine, list):
        mine[:] = new
    elif isinstance(mine, dict | set):
        mine.clear()
        mine.update(new)
    elif kind == "numpy" and np.shape(mine) == np.shape(new) and np.shape(mine):
        mine[...] = new
    elif kind == "torch" and hasattr(mine, "load_state_dict"):
        mine.load_state_dict(new.state_dict())
    elif kind == "torch" and hasattr(mine, "copy_"):
        if mine.shape == new.shape:
            mine.data.copy_(new)
        else:
            mine.data = new


def raised(name: str, sentence: str) -> Exception:
    """An exception like one that was raised elsewhere, with the ``sentence`` that told of it."""
    base: Any = getattr(builtins, name, None)
    fits = inspect.isclass(base) and issubclass(base, ArithmeticError | LookupError | TypeError)
    bases: tuple = (Elsewhere, base) if fits or base is ValueError else (Elsewhere,)
    return type(name if name.isidentifier() else "Error", bases, {})(sentence)


class Elsewhere(Exception):
    """Raised in another process; ``sentence`` tells of it and of the line."""

    @property
    def sentence(self) -> str:
        return str(self.args[0])


def _text(data):
    return base64.b64encode(data).decode("ascii")


def _repr(value):
    try:
        return repr(value)[:300]
    except Exception:
        return f"<{type(value).__name__}>"
