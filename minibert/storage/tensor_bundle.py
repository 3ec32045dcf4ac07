"""TensorFlow's tensor bundle, the checkpoint format "V2", read with NumPy alone.

A checkpoint ``NAME`` is two files. ``NAME.index`` is a table in LevelDB's form: sorted names, and
for each one a record of what its tensor is and where it stands. ``NAME.data-00000-of-00001`` has
the numbers, one tensor after the other. The index, from its end::

    last 48 bytes   where the list of blocks stands (after another list, which is empty); a magic
    list of blocks  a block whose values say where the others stand
    block           entries, the offsets at which names are spelled in full, how many these are;
                    then one byte of compression and the checksum
    entry           letters shared with the name before, letters of its own, bytes of the value;
                    these letters; the value, a record in the form of protocol buffers

Each block and each tensor has a CRC-32C (`minibert.storage.crc32c`), and each is checked here.
Sources: ``tensorflow/core/lib/io/table_format.txt``, ``tensor_bundle.proto`` and
``tensor_bundle.h`` in TensorFlow's repository.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from minibert.storage.crc32c import crc32c

MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
FOOTER, TRAILER = 48, 5  # bytes: the end of the index, and what follows each block
NOT_PACKED, SNAPPY = 0, 1
PART = b"\0"  # how the key of one slice of a tensor begins
VERSION = 1  # of the format that this reader follows
MOST_DIMENSIONS, LONGEST = 32, 1024  # of a shape; bytes of a name
INTEGER, EIGHT, BYTES, FOUR = 0, 1, 2, 5  # how a record's field is stored: its wire type
KINDS = {  # TensorFlow's DataType -> NumPy's, little-endian
    1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 14: "bfloat16",
    17: "<u2", 19: "<f2", 22: "<u4", 23: "<u8",
}  # fmt: skip
OTHERS = {7: "text", 8: "complex64", 18: "complex128", 20: "resource", 21: "variant"}


class TensorBundle(Mapping):
    """The tensors of a checkpoint by name: ``bundle[name]`` is an array, read when asked for.

    path: the checkpoint's name without ``.index``. The data file is mapped into memory, and an
    array is a copy of its part. Numbers of 16 bits (half and bfloat16) come as float32, which holds
    them exactly; whole numbers and truth values keep their type.

    Raises FileNotFoundError for a missing file, ValueError for an index that is damaged, compressed
    or big-endian, for data in several files, and for a tensor that does not lie within the data.
    Asking for a tensor raises KeyError for an unknown name; ValueError, naming it, where its
    checksum is wrong, it is stored in slices, or it holds no numbers.
    """

    def __init__(self, path: str | Path):
        self.index, self.data = Path(f"{path}.index"), Path(f"{path}.data-00000-of-00001")
        if not self.index.is_file():
            raise FileNotFoundError(f"{self.index.parent} has no {self.index.name}")
        try:
            records = _table(self.index.read_bytes())
            if not records or records[0][0] != b"":
                raise ValueError("its first record is no header")
            _check_header(_fields(records[0][1]))
            named = (pair for pair in records[1:] if not pair[0].startswith(PART))
            self.entries = {key.decode(): _entry(value) for key, value in named}
        except ValueError as error:
            raise ValueError(f"{self.index} cannot be read: {error}") from error
        if not self.data.is_file():
            raise FileNotFoundError(f"{self.data.parent} has no {self.data.name}")
        self._check_places()
        empty = self.data.stat().st_size == 0  # which cannot be mapped
        self._bytes = np.zeros(0, "u1") if empty else np.memmap(self.data, "u1", mode="r")

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor; none is read for it."""
        return {name: one["shape"] for name, one in self.entries.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        one = self.entries[name]
        if one["sliced"]:
            raise ValueError(f"{name} in {self.index} is stored in slices; expected it in one part")
        kind = KINDS.get(one["kind"])
        if kind is None:
            told = OTHERS.get(one["kind"], f"of the unknown kind {one['kind']}")
            raise ValueError(f"{name} in {self.index} is {told}; expected numbers")
        data = self._bytes[one["offset"] : one["offset"] + one["size"]]
        if _masked(crc32c(data)) != one["checksum"]:
            raise ValueError(f"the checksum of {name} in {self.data} is wrong: fetch it again")
        if kind == "bfloat16":  # the upper half of a float32
            numbers = (data.view("<u2").astype("<u4") << 16).view("<f4")
        else:
            numbers = data.view(kind).astype("<f4" if kind == "<f2" else kind)
        return numbers.reshape(one["shape"])

    def _check_places(self):
        """Refuse tensors that reach beyond the data, overlap, or have another size than theirs."""
        most, end = self.data.stat().st_size, 0
        for name, one in sorted(self.entries.items(), key=lambda item: item[1]["offset"]):
            if one["sliced"]:
                continue
            if one["offset"] + one["size"] > most:
                raise ValueError(
                    f"{self.data} is cut short: {name} ends at byte "
                    f"{one['offset'] + one['size']:,} of {most:,}"
                )
            kind = KINDS.get(one["kind"])
            width = 2 if kind == "bfloat16" else np.dtype(kind).itemsize
            if kind and one["size"] != width * math.prod(one["shape"]) or one["offset"] < end:
                raise ValueError(
                    f"{self.index} cannot be read: {name} of shape {one['shape']} has "
                    f"{one['size']:,} bytes at {one['offset']:,}, which cannot be"
                )
            end = one["offset"] + one["size"]


def _table(data):
    """The (key, value) pairs of a table, in order: bytes."""
    if len(data) < FOOTER or data[-len(MAGIC) :] != MAGIC:
        raise ValueError("it does not end as a checkpoint's index does; it may be cut short")
    footer = data[-FOOTER:]
    at = _integers(footer, 0, 2)[1]  # of the other list, which holds nothing that is needed
    blocks = _block(data, _integers(footer, at, 2)[0])
    pairs = []
    for _, place in blocks:  # each is checked at once: one block many times would fill the memory
        more = _block(data, _integers(place, 0, 2)[0])
        if any(a >= b for (a, _), (b, _) in pairwise([*pairs[-1:], *more])):
            raise ValueError("its names are not in order")
        pairs += more
    return pairs


def _block(data, place):
    """The (key, value) pairs of the block at ``place`` (offset, size), its checksum checked."""
    start, size = place
    end = start + size
    if end + TRAILER > len(data):
        raise ValueError("a block reaches beyond its end")
    packed = data[end]
    if _masked(crc32c(data[start : end + 1])) != int.from_bytes(data[end + 1 : end + 5], "little"):
        raise ValueError("the checksum of a block is wrong: fetch it again")
    if packed != NOT_PACKED:
        told = "compressed by snappy" if packed == SNAPPY else f"packed in an unknown way, {packed}"
        raise ValueError(f"a block is {told}; expected plain ones, as TensorFlow writes them")
    block = data[start:end]
    restarts = int.from_bytes(block[-4:], "little")
    stop = size - 4 * (restarts + 1)
    if size < 4 or stop < 0:
        raise ValueError("a block is too short for its list of offsets")
    pairs, key, at = [], b"", 0
    while at < stop:
        (shared, own, length), at = _integers(block, at, 3)
        if shared > len(key) or shared + own > LONGEST or at + own + length > stop:
            raise ValueError("a record reaches beyond its block, or its name is too long")
        key = key[:shared] + block[at : at + own]
        pairs.append((key, block[at + own : at + own + length]))
        at += own + length
    return pairs


def _integers(data, at, count):
    """``count`` whole numbers in seven bits a byte, the lowest first; and the byte after them."""
    found = []
    for _ in range(count):
        value = shift = 0
        while True:
            if at >= len(data) or shift > 63:
                raise ValueError("a number in it has no end")
            value |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80:
                break
        found.append(value & (1 << 64) - 1)
    return found, at


def _fields(data):
    """The fields of a record: {number: list of values, whole numbers or bytes}."""
    found, at = {}, 0
    while at < len(data):
        (tag,), at = _integers(data, at, 1)
        kind, size = tag & 7, {EIGHT: 8, FOUR: 4}.get(tag & 7)
        if kind == INTEGER:
            (value,), at = _integers(data, at, 1)
        elif kind == BYTES or size:
            if kind == BYTES:
                (size,), at = _integers(data, at, 1)
            if at + size > len(data):
                raise ValueError("a field reaches beyond its record")
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"a field is stored in the unknown way {kind}")
        found.setdefault(tag >> 3, []).append(value)
    return found


def _one(fields, number, expected=int):
    """A field's value: the last one, and zero (or nothing) where it is left out."""
    value = fields.get(number, [expected()])[-1]
    if type(value) is not expected:
        raise ValueError(f"field {number} of a record is not stored as it should be")
    if expected is int and value >> 63:
        raise ValueError(f"field {number} of a record is negative")
    return value


def _check_header(fields):
    """BundleHeaderProto: 1 number of data files, 2 big-endian, 3 version (2 needed to read it)."""
    shards, needed = _one(fields, 1), _one(_fields(_one(fields, 3, bytes)), 2)
    if shards != 1:
        raise ValueError(f"its tensors lie in {shards:,} data files; expected one")
    if _one(fields, 2):
        raise ValueError("its numbers are big-endian; expected little-endian ones")
    if needed > VERSION:
        raise ValueError(f"its format has version {needed:,}; expected at most {VERSION}")


def _entry(value):
    """BundleEntryProto: 1 kind, 2 shape, 3 file, 4 offset, 5 size, 6 masked CRC-32C, 7 slices.

    A shape has its dimensions as field 2, and these their size as field 1.
    """
    fields = _fields(value)
    shape = _fields(_one(fields, 2, bytes))
    if not all(type(dim) is bytes for dim in shape.get(2, [])):
        raise ValueError("a shape is not stored as it should be")
    sizes = tuple(_one(_fields(dim), 1) for dim in shape.get(2, []))
    if _one(fields, 3):
        raise ValueError(f"a tensor lies in the data file {_one(fields, 3):,}; expected only one")
    if _one(shape, 3) or len(sizes) > MOST_DIMENSIONS or max(sizes, default=0) >> 48:
        raise ValueError("a shape in it cannot be")
    return {
        "kind": _one(fields, 1),
        "shape": sizes,
        "offset": _one(fields, 4),
        "size": _one(fields, 5),
        "checksum": int.from_bytes(_one(fields, 6, bytes), "little"),
        "sliced": 7 in fields,
    }


def _masked(checksum):
    """As a checksum is stored: turned by 15 bits, and a constant added (LevelDB's crc32c.h)."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
