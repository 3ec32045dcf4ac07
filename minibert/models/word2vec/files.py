"""Word vectors in files: the word2vec formats, GloVe's, fastText's, and this project's folders.

All of them hold a word and its numbers, again and again. word2vec's text format and fastText's
``.vec`` begin with a line ``words dimensions``, GloVe's does not; word2vec's binary format has that
line, and each vector as little-endian float32. A file may be packed (``.gz``, ``.xz``).
"""

import gzip
import itertools
import lzma
import re
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from minibert.models.word2vec.model import Word2Vec, Word2VecConfig
from minibert.storage.bundled import find
from minibert.storage.checked import config_from
from minibert.storage.checkpoint import load_folder, load_tensors, save_folder
from minibert.storage.safe_files import atomic
from minibert.text.vocab import Vocab

VOCAB = "vocab.tsv"
FORMS = ("text", "binary", "glove")
BLOCK = 4096  # vectors that are read before they are put together
READ = 1 << 20  # bytes that are read at once
LONGEST_WORD = 10_000  # bytes
LONGEST_LINE = 1 << 22  # bytes
MOST_DIMENSIONS = 1 << 16
MOST_UNPACKED, RATIO = 1 << 24, 100  # bytes; how many times its size a packed file may grow
_HEADER = re.compile(rb"\s*(\d{1,18})\s+(\d{1,18})\s*")
_UNPACK = {".gz": gzip.open, ".xz": lzma.open}
_BROKEN = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)


def load(source):
    """A `minibert.Word2Vec` from a folder, a file of vectors, or the name of a bundled checkpoint.

    A folder is what `save` writes. From a file come the input vectors and the words alone: their
    counts and the output table are not in it, so it is there to be asked, not to be trained on.
    """
    path = find(source)
    if path.is_dir():
        return _load_folder(path)
    words, vectors = read(path)
    model = Word2Vec(Word2VecConfig(len(words), vectors.shape[1]), Vocab(words, specials=()))
    with torch.no_grad():
        model.input.weight.copy_(torch.from_numpy(vectors))
    return model.eval()


def _load_folder(path):
    config, tensors = load_folder(path)
    if not (path / VOCAB).is_file():
        raise FileNotFoundError(f"{path} has no {VOCAB}; expected a folder of Word2Vec")
    config = config_from(Word2VecConfig, config, path)
    for name, tensor in tensors.items():  # before there is a table of that size
        if tensor.shape != (config.vocab_size, config.dim):
            raise ValueError(
                f"{path} is damaged: {name} is {tuple(tensor.shape)}, "
                f"expected {(config.vocab_size, config.dim)}"
            )
    if not tensors:
        raise ValueError(f"{path} is damaged: there are no tensors in it")
    model = Word2Vec(config, Vocab.load(path / VOCAB))
    load_tensors(model, tensors, path)
    return model.eval()


def save(model, folder):
    """Write a model to a folder: config.json, model.safetensors and vocab.tsv.

    An input module other than a plain table is saved as the table of the vectors that it gives.
    """
    if model.vocab is None:
        raise ValueError("this model has no vocabulary to save: give one, Word2Vec(config, vocab)")
    tensors = {"input.weight": model.vectors, "output.weight": model.output.weight}
    save_folder(folder, model.config, tensors)
    model.vocab.save(Path(folder) / VOCAB)


def read(path, limit=None, errors="strict"):
    """Words and vectors of a file: a list of str, and float32 (words, dimensions).

    The format is told from the content, ``.gz`` and ``.xz`` from the name. ``limit``: read so many
    words at most (as a rule they are sorted by frequency). ``errors``: what to do with words that
    are not UTF-8, as for ``bytes.decode``.

    Raises ValueError for a file that is cut short, holds more or less than its first line says,
    has lines of different lengths, a word twice, numbers that are not finite, or words that are not
    UTF-8. It takes no more memory than the file has data for, whatever the first line says.
    """
    path = Path(path)
    words, blocks = [], []
    try:
        with _UNPACK.get(path.suffix, open)(path, "rb") as file:
            dim, rows = _rows(_Stream(file, path), path)
            rows = itertools.islice(rows, limit)
            while block := list(itertools.islice(rows, BLOCK)):
                words += [_decoded(word, path, errors) for word, _ in block]
                blocks.append(np.array([vector for _, vector in block], np.float32))
    except _BROKEN as error:
        raise ValueError(f"{path} cannot be unpacked: {error}") from error
    vectors = np.concatenate([np.zeros((0, dim), np.float32), *blocks])
    _check(words, vectors, path)
    return words, vectors


def write(path, words, vectors, form="text"):
    """Write words and vectors (words, dimensions), whole or not at all.

    form: "text" or "binary", word2vec's own, or "glove", text without the first line. A name
    that ends in ``.gz`` or ``.xz`` is packed. Text has nine digits: reading it back gives the same
    float32 numbers. Raises ValueError for a word with white space in it, which no form can hold.
    """
    path, vectors = Path(path), np.asarray(vectors, "<f4")
    if form not in FORMS:
        raise ValueError(f"form must be one of {', '.join(FORMS)}, got {form!r}")
    if vectors.ndim != 2 or len(words) != len(vectors):
        raise ValueError(f"expected a row for each of {len(words)} words, got {vectors.shape}")
    with atomic(path) as whole:
        file = whole
        if path.suffix == ".gz":
            file = gzip.GzipFile("", "wb", fileobj=whole, mtime=0)
        elif path.suffix == ".xz":
            file = lzma.open(whole, "wb")
        if form != "glove":
            file.write(b"%d %d\n" % vectors.shape)
        numbers = " ".join(["%.9g"] * vectors.shape[1])
        for word, vector in zip(words, vectors, strict=True):
            name = word.encode()
            if name.split() != [name]:  # in ASCII: a no-break space is a letter like another
                raise ValueError(f"cannot write {word!r}: a word must hold no white space")
            if form == "binary":
                file.write(name + b" " + vector.tobytes())
            else:
                file.write(name + b" " + (numbers % tuple(vector)).encode() + b"\n")
        if file is not whole:
            file.close()


class _Stream:
    """The bytes of a file: the next ones can be looked at before they are taken."""

    def __init__(self, file, path):
        self.file, self.path, self.buffer, self.at = file, path, b"", 0
        size = path.stat().st_size
        self.left = max(MOST_UNPACKED, RATIO * size) if path.suffix in _UNPACK else float("inf")

    def fill(self, size):
        """Try to have ``size`` bytes at hand; how many there are."""
        while len(self.buffer) - self.at < size:
            more = self.file.read(READ)
            if not more:
                break
            self.left -= len(more)
            if self.left < 0:
                raise ValueError(f"{self.path} unpacks to {RATIO} times its size and more")
            self.buffer, self.at = self.buffer[self.at :] + more, 0
        return len(self.buffer) - self.at

    def until(self, mark, most):
        """The next bytes up to ``mark``, not taken; None if it is not among the next ``most``."""
        size = 256
        while True:
            have = self.fill(size)
            end = self.buffer.find(mark, self.at, self.at + min(have, most))
            if end >= 0:
                return self.buffer[self.at : end]
            if have < size or size > most:
                return None
            size *= 8

    def take(self, size):
        """The next ``size`` bytes. Raises ValueError when the file has fewer."""
        if self.fill(size) < size:
            raise ValueError(f"{self.path} ends in the middle of a vector: it was cut short")
        self.at += size
        return self.buffer[self.at - size : self.at]

    def line(self):
        """The next line without its end; b"" at the end of the file."""
        line = self.until(b"\n", LONGEST_LINE)
        if line is not None:
            return self.take(len(line) + 1)[:-1]
        if self.fill(LONGEST_LINE + 1) > LONGEST_LINE:
            raise ValueError(f"{self.path} has a line of more than {LONGEST_LINE:,} bytes")
        return self.take(self.fill(LONGEST_LINE))


def _rows(stream, path):
    """The number of dimensions, and an iterator over pairs (word in bytes, its vector)."""
    start = stream.until(b"\n", LONGEST_LINE) or b""
    header = _HEADER.fullmatch(start)
    if not header:
        dim = len(start.split()) - 1
        if dim < 1 or not _is_text(start, dim):
            raise ValueError(f"{path} is no file of word vectors: it begins with {start[:40]!r}")
        return dim, _text_rows(stream, path, dim)
    stream.line()
    count, dim = int(header[1]), int(header[2])
    text = _is_text(stream.until(b"\n", LONGEST_LINE) or b"", dim)
    if not 1 <= dim <= MOST_DIMENSIONS:
        raise ValueError(f"{path} says {dim:,} dimensions; expected 1 to {MOST_DIMENSIONS:,}")
    least = count * (2 + dim * (2 if text else 4))
    if path.suffix not in _UNPACK and path.stat().st_size < least:
        raise ValueError(
            f"{path} says {count:,} words of {dim} dimensions, which takes {least:,} bytes at "
            f"least, and has {path.stat().st_size:,}: it was cut short, or is something else"
        )
    rows = _text_rows(stream, path, dim) if text else _binary_rows(stream, path, dim)
    return dim, _counted(rows, count, path)


def _is_text(line, dim):
    try:
        return len([float(field) for field in line.rsplit(None, dim)[1:]]) == dim
    except ValueError:
        return False


def _counted(rows, count, path):
    """The rows, which must be as many as the first line says."""
    number = 0
    for number, row in enumerate(rows, 1):
        if number > count:
            break
        yield row
    if number != count:
        more = "more" if number > count else f"only {number:,}"
        raise ValueError(f"{path} says {count:,} words and has {more}: it is damaged")


def _text_rows(stream, path, dim):
    number = 0
    while stream.fill(1):
        line, number = stream.line(), number + 1
        if not line.strip():
            continue
        word, *fields = line.rsplit(None, dim)
        try:
            with np.errstate(over="ignore"):  # `_check` finds what is too large
                vector = np.array([float(field) for field in fields], np.float32)
            if b"_" in line[len(word) :]:  # Python alone takes 1_000 for a number
                raise ValueError
        except ValueError:
            vector = ()
        if len(vector) != dim:
            raise ValueError(
                f"{path}: expected a word and {dim} numbers, got {line[:60]!r} "
                f"(line {number:,} of the words)"
            )
        yield word, vector


def _binary_rows(stream, path, dim):
    while stream.fill(1):
        word = stream.until(b" ", LONGEST_WORD)
        if word is None and not stream.buffer[stream.at :].strip(b"\n"):
            return  # the line break that the original program writes after each vector
        if word is None:
            raise ValueError(f"{path} has no word where one should begin: it is damaged")
        stream.take(len(word) + 1)
        yield word.lstrip(b"\n"), np.frombuffer(stream.take(4 * dim), "<f4")


def _decoded(word, path, errors):
    try:
        return word.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} has a word that is not UTF-8, {word[:40]!r}; errors='replace' reads it anyway"
        ) from error


def _check(words, vectors, path):
    if not words:
        raise ValueError(f"{path} has no word vectors in it")
    if len(set(words)) != len(words):
        twice = next(word for word, n in Counter(words).items() if n > 1)
        raise ValueError(f"{path} has the word {twice!r} more than once")
    if "" in words:
        raise ValueError(f"{path} has a vector without a word: vector {words.index('') + 1:,}")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        word = words[int(finite.argmin())]
        raise ValueError(f"{path} has a vector with numbers that are not finite: that of {word!r}")
