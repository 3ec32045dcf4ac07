"""Files of word vectors: word2vec's text and binary formats, GloVe's, and fastText's ``.vec``.

All hold a word and its numbers, again and again; all but GloVe's begin with a header, ``words
dimensions``; the binary one has little-endian float32. A file may be packed (``.gz``, ``.xz``).
"""

import gzip
import itertools
import lzma
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from minibert.models.word2vec.vector_rows import Stream, rows_of
from minibert.storage.safe_files import atomic

FORMS = ("text", "binary", "glove")
BLOCK = 4096  # vectors that are read before they are put together
Read = tuple[list[str], np.ndarray]
Vectors = np.ndarray | Tensor | Sequence[Sequence[float]]
_UNPACK: dict[str, Callable[..., Any]] = {"": open, ".gz": gzip.open, ".xz": lzma.open}
_BROKEN = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)


def read(path: str | Path, limit: int | None = None, errors: str = "strict") -> Read:
    """Words and vectors of a file: a list of str, and float32 (words, dimensions).

    The format is told from the content, ``.gz`` and ``.xz`` from the name. ``limit``: the most rows
    to read. ``errors``: for words that are not UTF-8, as for ``bytes.decode``. Of a word that
    stands more than once the first vector is kept, as in gensim, with a warning. Raises ValueError,
    naming the line, for a file that is cut short, does not hold what its header says, has lines of
    different lengths, numbers that are not finite, words that are not UTF-8, or an odd first line.
    It takes no more memory than the file has data for.
    """
    path = Path(path)
    check_limit(limit)
    words, blocks = [], []
    try:
        with _UNPACK.get(path.suffix, _UNPACK[""])(path, "rb") as file:
            dim, rows = rows_of(Stream(file, path), path, limit)
            while block := list(itertools.islice(rows, BLOCK)):
                words += [_decoded(word, path, errors) for word, _ in block]
                blocks.append(np.array([vector for _, vector in block], np.float32))
    except _BROKEN as error:
        raise ValueError(f"{path} cannot be unpacked: {error}") from error
    vectors = np.concatenate([np.zeros((0, dim), np.float32), *blocks])
    _check(words, vectors, path)
    return _once(words, vectors, path)


def check_limit(limit: int | None) -> None:
    """Refuse what is no number of rows; None is all of them."""
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ValueError(f"limit must be a positive whole number or None, got {limit!r}")


def write(path: str | Path, words: list[str], vectors: Vectors, form: str = "text") -> None:
    """Write words and vectors (words, dimensions), whole or not at all.

    form: "text" or "binary", word2vec's own, or "glove", text without the header. A name that ends
    in ``.gz`` or ``.xz`` is packed. Text has nine digits, enough for float32. Raises ValueError for
    what would not come back: a word that is empty, has white space in it or stands twice, a number
    that is not finite, and one number a word without a header.
    """
    path, vectors = Path(path), np.asarray(vectors, "<f4")
    if form not in FORMS:
        raise ValueError(f"form must be one of {', '.join(FORMS)}, got {form!r}")
    if vectors.ndim != 2 or len(words) != len(vectors):
        raise ValueError(f"expected a row for each of {len(words)} words, got {vectors.shape}")
    if form == "glove" and vectors.shape[1] == 1:
        raise ValueError("one number a word could be anything: write it with a header, form='text'")
    if len(set(words)) != len(words):
        twice = Counter(words).most_common(1)[0][0]
        raise ValueError(f"cannot write {path}: the word {twice!r} stands more than once")
    if not np.isfinite(vectors).all():
        raise ValueError(f"cannot write {path}: it would hold numbers that are not finite")
    with atomic(path) as whole:
        file = whole
        if path.suffix == ".gz":
            file = gzip.GzipFile("", "wb", fileobj=whole, mtime=0)
        elif path.suffix == ".xz":
            file = lzma.open(whole, "wb")
        file.writelines(_written(words, vectors, form))
        if file is not whole:
            file.close()


def _written(words, vectors, form):
    """The bytes of a file, piece by piece."""
    if form != "glove":
        yield b"%d %d\n" % vectors.shape
    numbers = " ".join(["%.9g"] * vectors.shape[1])
    for word, vector in zip(words, vectors, strict=True):
        name = word.encode()
        if name.split() != [name]:  # in ASCII: a no-break space is a letter like another
            raise ValueError(f"cannot write {word!r}: a word must hold no white space")
        row = vector.tobytes() if form == "binary" else (numbers % tuple(vector)).encode() + b"\n"
        yield name + b" " + row


def _decoded(word, path, errors):
    try:
        return word.decode("utf-8", errors)
    except LookupError as error:
        raise ValueError(
            f"errors is what bytes.decode takes, such as 'replace': {error}"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} has a word that is not UTF-8, {word[:40]!r}; errors='replace' reads it anyway"
        ) from error


def _check(words, vectors, path):
    if not words:
        raise ValueError(f"{path} has no word vectors in it")
    if "" in words:
        raise ValueError(f"{path} has a vector without a word: vector {words.index('') + 1:,}")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        word = words[int(finite.argmin())]
        raise ValueError(f"{path} has a vector with numbers that are not finite: that of {word!r}")


def _once(words, vectors, path):
    """Each word with its first vector; a warning where that leaves some out."""
    first = {}
    for i, word in enumerate(words):
        first.setdefault(word, i)
    if len(first) == len(words):
        return words, vectors
    twice = next(word for i, word in enumerate(words) if first[word] != i)
    warnings.warn(
        f"{path}: {len(words) - len(first):,} of {len(words):,} vectors belong to a word that came "
        f"before, such as {twice!r}; the first of each word is kept",
        stacklevel=3,
    )
    return list(first), vectors[list(first.values())]
