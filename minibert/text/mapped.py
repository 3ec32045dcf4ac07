"""Token ids that do not have to fit into memory."""

import tempfile

import numpy as np


def mapped(parts, kind=np.int32):
    """The numbers of all parts, in order, as one array (numbers,) of ``kind``.

    It is mapped from a file that is deleted when nobody uses it any more. parts: an iterable of
    sequences of numbers, read once.
    """
    file = tempfile.TemporaryFile()
    for part in parts:
        file.write(np.asarray(part, kind).tobytes())
    file.flush()
    return np.memmap(file, kind, "r") if file.tell() else np.empty(0, kind)


def kind_for(size):
    """The smallest integer type that holds the ids of a vocabulary of ``size``."""
    return np.uint16 if size <= 1 << 16 else np.int32
