"""GGUF, the one file of llama.cpp: settings, and tensors in blocks of few bits, read into floats.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. In order, little-endian: ``GGUF``, the
version, how many tensors and settings there are; the settings, each a name, a kind and a value;
each tensor's name, sizes (the last one first), kind and place; and, from a multiple of
``general.alignment`` on, the numbers. Of the forty kinds of numbers three are read::

    F32   a float each
    Q8_0  blocks of 32: a scale, 32 whole numbers from -128 to 127     w = scale * q
    Q4_1  blocks of 32: a scale, the least, 32 numbers from 0 to 15    w = scale * q + least

In a Q4_1, each byte holds two of them: the lower half number i, the upper half number i + 16.
"""

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

MAGIC, VERSIONS, BLOCK, MOST_SIZES = b"GGUF", (2, 3), 32, 4
VALUES = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
TEXT, ARRAY = 8, 9  # the kinds of settings that are no number
NAMES = {1: "F16", 2: "Q4_0", 6: "Q5_0", 7: "Q5_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K"}
NAMES |= {13: "Q5_K", 14: "Q6_K", 30: "BF16"}  # for the message


def _f32(stored):
    return stored.astype(np.float32)


def _q8_0(stored):
    found = stored["q"].astype(np.float32)
    found *= stored["scale"].astype(np.float32)[:, None]
    return found


def _q4_1(stored):
    found = np.concatenate((stored["q"] & 15, stored["q"] >> 4), 1).astype(np.float32)
    found *= stored["scale"].astype(np.float32)[:, None]
    found += stored["least"].astype(np.float32)[:, None]
    return found


class Kind(NamedTuple):
    """How numbers are stored: how many in a block, what a block is, and blocks to float32."""

    name: str
    numbers: int
    block: np.dtype
    decode: Callable[[np.ndarray], np.ndarray]


SCALE, LEAST = ("scale", "<f2"), ("least", "<f2")
KINDS = {
    0: Kind("F32", 1, np.dtype("<f4"), _f32),
    3: Kind("Q4_1", BLOCK, np.dtype([SCALE, LEAST, ("q", "u1", 16)]), _q4_1),
    8: Kind("Q8_0", BLOCK, np.dtype([SCALE, ("q", "i1", 32)]), _q8_0),
}


class Stored(NamedTuple):
    """A tensor in the file; ``start``: of its numbers, in bytes from where all numbers start."""

    shape: tuple[int, ...]
    kind: Kind
    start: int

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return math.prod(self.shape) // self.kind.numbers * self.kind.block.itemsize


def read_settings(path: str | Path) -> dict[str, Any]:
    """The settings of a file by name: numbers, strings and lists of them.

    Raises ValueError, in one sentence, for a file that is no whole GGUF.
    """
    return _opened(path)[1]


def read(
    path: str | Path, dtype: torch.dtype = torch.float32
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(settings, tensors by name) of a file; the tensors in float32, or bfloat16 as ``dtype``.

    Raises ValueError, in one sentence, for a file that is no whole GGUF, and for a kind of numbers
    that is not read, by its name.
    """
    data, settings, stored, start = _opened(path)
    found = {}
    for name, one in stored.items():
        part = data[start + one.start : start + one.start + one.size]
        numbers = one.kind.decode(part.view(one.kind.block)).reshape(one.shape)
        found[name] = torch.from_numpy(numbers).to(dtype)
    return settings, found


def _opened(path):
    """(the file's bytes, mapped; its settings; its tensors, `Stored`; where numbers start)."""
    try:
        if Path(path).stat().st_size == 0:
            raise ValueError("it is empty")
        data = np.memmap(path, np.uint8, mode="r")
        cursor = _Cursor(data)
        if cursor.bytes(4) != MAGIC:
            raise ValueError("it does not begin with GGUF")
        if (version := cursor.number("I")) not in VERSIONS:
            raise ValueError(f"expected version 2 or 3 of the format, got {version}")
        tensors, settings = cursor.number("Q"), cursor.number("Q")
        found = cursor.table(settings, lambda: cursor.value(cursor.number("I")))
        stored = cursor.table(tensors, lambda: _stored(cursor))
        return data, found, stored, _numbers(found, stored, cursor.at, len(data))
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no whole GGUF file that minibert reads: {error}") from error


def _stored(cursor):
    """A tensor's description, from its sizes on."""
    if (sizes := cursor.number("I")) > MOST_SIZES:
        raise ValueError(f"expected at most {MOST_SIZES} sizes of a tensor, got {sizes}")
    shape = tuple(cursor.number("Q") for _ in range(sizes))[::-1]
    number, start = cursor.number("I"), cursor.number("Q")
    if number not in KINDS:
        known = ", ".join(kind.name for kind in KINDS.values())
        told = NAMES.get(number, f"kind {number}")
        raise ValueError(f"it has numbers in {told}, and those known are {known}")
    if (shape[-1] if shape else 1) % KINDS[number].numbers:
        told = f"rows of {shape[-1]} numbers in {KINDS[number].name}"
        raise ValueError(f"it has {told}, which makes no whole blocks of {BLOCK}")
    return Stored(shape, KINDS[number], start)


def _numbers(settings, stored, end, size):
    """Where the numbers start; ValueError where a tensor would go beyond the file, or all would."""
    step = settings.get("general.alignment", 32)
    if type(step) is not int or step < 1:
        raise ValueError(f"expected a general.alignment of at least 1, got {step!r:.40}")
    start = -(-end // step) * step
    last = max((one.start + one.size for one in stored.values()), default=0)
    last = max(last, sum(one.size for one in stored.values()))
    if start + last > size:
        raise ValueError(f"its tensors end at byte {start + last:,}, and the file at {size:,}")
    return start


class _Cursor:
    """Reads values one after the other; ValueError where the file ends before."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.at = data, 0

    def bytes(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise ValueError(f"it is cut short, at byte {len(self.data):,}")
        self.at += count
        return self.data[self.at - count : self.at].tobytes()

    def number(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self.bytes(struct.calcsize(f"<{form}")))[0]

    def text(self) -> str:
        return self.bytes(self.number("Q")).decode("utf-8")

    def value(self, kind: int) -> Any:
        """A setting of this kind."""
        if kind == TEXT:
            return self.text()
        if kind in VALUES:
            return self.number(VALUES[kind])
        if kind != ARRAY:
            raise ValueError(f"it has a setting of the unknown kind {kind}")
        inner, count = self.number("I"), self.number("Q")
        if inner == TEXT:
            return [self.text() for _ in range(count)]  # which ends where the file does
        if inner not in VALUES:
            raise ValueError(f"it has a list of the unknown kind {inner}")
        width = struct.calcsize(f"<{VALUES[inner]}")
        return list(struct.unpack(f"<{count}{VALUES[inner]}", self.bytes(count * width)))

    def table(self, count: int, what: Callable[[], Any]) -> dict[str, Any]:
        """``count`` pairs of a name and ``what`` follows; ValueError for a name twice."""
        found: dict[str, Any] = {}
        for _ in range(count):
            if (name := self.text()) in found:
                raise ValueError(f"it has {name!r:.60} twice")
            found[name] = what()
        return found
