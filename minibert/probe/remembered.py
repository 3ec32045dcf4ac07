"""States that were computed in this session, so that the same question is not computed twice.

What is remembered belongs to one model with the weights that it had: they are hashed at each call,
since no counter of PyTorch notices every way of changing them. It is bounded, the oldest leaves
first, and each answer is a copy, which may be changed.
"""

import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from minibert.models.word2vec.model import Word2Vec

LIMIT = 256 << 20  # bytes of states that are kept
Key = tuple[Any, ...]


@dataclass(frozen=True)
class _Entry:
    model: weakref.ref
    words: Any  # kept, so that no other vocabulary gets its place in memory
    layers: list[Tensor]

    @property
    def size(self) -> int:
        return sum(layer.numel() * layer.element_size() for layer in self.layers)


class Remembered:
    """At most ``limit`` bytes of states, the ones that were asked for last."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit, self.entries = limit, OrderedDict[Key, _Entry]()

    @property
    def size(self) -> int:
        """The bytes that are kept."""
        return sum(entry.size for entry in self.entries.values())

    def key(self, model: nn.Module, sentences: Sequence[Sequence[str]], how: str) -> Key | None:
        """What the states of these sentences depend on; None for states that are not kept.

        Those are a table's, which is quicker than a look here, and those of a model that somebody
        watches or changes by hooks.
        """
        if isinstance(model, Word2Vec) or any(map(_touched, model.modules())):
            return None
        rows = tuple(map(tuple, sentences))
        return id(model), id(_words(model)), fingerprint(model), how, rows

    def get(self, model: nn.Module, key: Key | None) -> list[Tensor] | None:
        """Copies of the layers, or None where they are not here."""
        entry = None if key is None else self.entries.get(key)
        if key is None or entry is None or entry.model() is not model:
            return None
        self.entries.move_to_end(key)
        return [layer.clone() for layer in entry.layers]

    def put(self, model: nn.Module, key: Key | None, layers: Sequence[Tensor]) -> None:
        """Keep copies of the layers, and let the oldest go until there is room."""
        for old in [k for k, entry in self.entries.items() if entry.model() is None]:
            del self.entries[old]
        size = sum(layer.numel() * layer.element_size() for layer in layers)
        if key is None or size > self.limit:
            return
        copies = [layer.clone() for layer in layers]
        self.entries[key] = _Entry(weakref.ref(model), _words(model), copies)
        while self.size > self.limit:
            self.entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()


MEMORY = Remembered()


def forget() -> None:
    """Forget the states that `states` has kept in this session."""
    MEMORY.clear()


def fingerprint(model: nn.Module) -> bytes:
    """A hash of all weights and buffers, their names, shapes and types, and the config."""
    found = hashlib.blake2b(repr(getattr(model, "config", None)).encode(), digest_size=16)
    for part in (model.named_parameters(), model.named_buffers()):
        for name, tensor in part:
            found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype} {tensor.device}".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            found.update(flat.view(torch.uint8).numpy().data)
    names = [f"{name} {type(module).__name__}" for name, module in model.named_modules()]
    found.update(f"{names} {torch.is_autocast_enabled('cpu')}".encode())
    return found.digest()


def _words(model):
    return getattr(model, "tokenizer", None) or getattr(model, "vocab", None)


def _touched(module):
    hooks = module._forward_hooks or module._forward_pre_hooks
    return bool(hooks) or "forward" in vars(module)
