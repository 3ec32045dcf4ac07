"""Token ids that do not have to fit into memory."""

import tempfile
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import DTypeLike


def mapped(parts: Iterable[Sequence[int]], kind: DTypeLike = np.int32) -> np.ndarray:
    """The numbers of all parts as one array, mapped from a file that goes when it is not used."""
    file = tempfile.TemporaryFile()
    for part in parts:
        file.write(np.asarray(part, kind).tobytes())
    file.flush()
    return np.memmap(file, kind, "r") if file.tell() else np.empty(0, kind)


def kind_for(size: int) -> type[np.uint16] | type[np.int32]:
    """The smallest integer type that holds the ids of a vocabulary of ``size``."""
    return np.uint16 if size <= 1 << 16 else np.int32
