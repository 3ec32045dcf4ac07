"""The rows of a file of word vectors, whatever its form: header, lines and size must agree."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

import numpy as np

Row = tuple[bytes, np.ndarray]  # a word and its vector
READ = 1 << 20  # bytes that are read at once
SAMPLE, SAMPLE_BYTES = 32, 1 << 18  # lines, and bytes, from which form and dimension are told
LONGEST_WORD = 10_000  # bytes
LONGEST_LINE = 1 << 22  # bytes
MOST_DIMENSIONS = 1 << 16
MOST_UNPACKED, RATIO = 1 << 24, 100  # bytes; how many times its size a packed file may grow
PACKED = (".gz", ".xz")
PICKLED = "is a pickle, which is never opened here; let gensim write it in word2vec's format"
MAGIC = {  # beginnings of files that hold something else
    b"\xff\xfe": "is text in UTF-16; save it as UTF-8",
    b"\xfe\xff": "is text in UTF-16; save it as UTF-8",
    b"\x1f\x8b": "is packed by gzip; give it a name that ends in .gz",
    b"\xfd7zXZ": "is packed by xz; give it a name that ends in .xz",
    b"BZh91AY&SY": "is packed by bzip2; unpack it first",
    b"PK\x03\x04": "is a zip archive; unpack it first",
    b"\xba\x16\x4f\x2f": "is a whole fastText model; its vectors are in the file .vec beside it",
    b"\x93NUMPY": "is an array of NumPy's, which holds no words",
    **dict.fromkeys([b"\x80" + bytes([protocol]) for protocol in range(2, 6)], PICKLED),
}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEADER = re.compile(rb"\s*(\d{1,18})\s+(\d{1,18})\s*")
_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DIGIT = re.compile(rb"\d")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


class Stream:
    """The bytes of a file: the next ones can be looked at before they are taken."""

    def __init__(self, file: BufferedIOBase, path: Path) -> None:
        self.file, self.path, self.buffer, self.at = file, path, b"", 0
        size = path.stat().st_size
        self.left = max(MOST_UNPACKED, RATIO * size) if path.suffix in PACKED else float("inf")

    def fill(self, size: int) -> int:
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

    def ahead(self, size: int) -> bytes:
        """The next ``size`` bytes, or those that are left; not taken."""
        return self.buffer[self.at : self.at + size] if self.fill(size) else b""

    def until(self, mark: bytes, most: int) -> bytes | None:
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

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes. Raises ValueError when the file has fewer."""
        if self.fill(size) < size:
            raise ValueError(f"{self.path} ends in the middle of a vector: it was cut short")
        self.at += size
        return self.buffer[self.at - size : self.at]

    def line(self) -> bytes:
        """The next line without its end; b"" at the end of the file."""
        line = self.until(b"\n", LONGEST_LINE)
        if line is not None:
            return self.take(len(line) + 1)[:-1]
        if self.fill(LONGEST_LINE + 1) > LONGEST_LINE:
            raise ValueError(f"{self.path} has a line of more than {LONGEST_LINE:,} bytes")
        return self.take(self.fill(LONGEST_LINE))


def rows_of(stream: Stream, path: Path, limit: int | None) -> tuple[int, Iterator[Row]]:
    """The number of dimensions, and an iterator over at most ``limit`` (word, vector)."""
    start = stream.ahead(16)
    for magic, told in MAGIC.items():
        if start.startswith(magic):
            raise ValueError(f"{path} {told}")
    if start.startswith(BYTE_ORDER_MARK):
        stream.take(len(BYTE_ORDER_MARK))
    header = _HEADER.fullmatch(stream.until(b"\n", LONGEST_WORD) or b"")
    if not header:
        dim = _dimensions_without_header(stream, path)
        return dim, itertools.islice(_text_rows(stream, path, dim, 0), limit)
    stream.line()
    count, dim = int(header[1]), int(header[2])
    if not 1 <= dim <= MOST_DIMENSIONS:
        raise ValueError(f"{path} says {dim:,} dimensions; expected 1 to {MOST_DIMENSIONS:,}")
    text = _is_text(stream, count, dim)
    if text:
        _check_words(_sample(stream), dim, path)
    wanted = min(count, limit or count)
    least = wanted * (2 + dim * (2 if text else 4))
    if path.suffix not in PACKED and path.stat().st_size < least:
        raise ValueError(
            f"{path} says {count:,} words of {dim} dimensions, which takes {least:,} bytes at "
            f"least, and has {path.stat().st_size:,}: it was cut short, or is something else"
        )
    rows = _text_rows(stream, path, dim, 1) if text else _binary_rows(stream, path, dim)
    return dim, _counted(rows, count, limit, path)


def _sample(stream: Stream) -> list[bytes]:
    """The first lines that are whole and not blank, as they stand."""
    ahead = stream.ahead(SAMPLE_BYTES)
    lines = ahead.split(b"\n")
    if len(lines) == 1 and len(ahead) == SAMPLE_BYTES:  # one very long line
        lines = [stream.until(b"\n", LONGEST_LINE) or b"", b""]
    lines = lines if len(ahead) < SAMPLE_BYTES else lines[:-1]
    return [line for line in lines if line.strip()][:SAMPLE]


def _is_text(stream: Stream, count: int, dim: int) -> bool:
    """Whether rows of text follow: most lines have numbers, or nothing speaks for binary ones."""
    lines = _sample(stream)
    if 2 * sum(_width(line) > 0 or _meant_as_row(line, dim) for line in lines) > len(lines):
        return True
    ahead, at = stream.ahead(SAMPLE_BYTES), 0
    if _CONTROL.search(ahead):
        return False
    for _ in range(count):  # a file so small that it may lack them: does it fit as a whole?
        word = ahead.find(b" ", at)
        if word < 0:
            return True
        at = word + 1 + 4 * dim
    return ahead[at:].strip(b"\n") != b""


def _width(line: bytes) -> int:
    """How many numbers stand at the end of a line, at least one field left for the word."""
    fields = line.split()[1:]
    numbers = itertools.takewhile(lambda field: _values([field]), reversed(fields))
    return sum(1 for _ in numbers)


def _meant_as_row(line: bytes, dim: int) -> bool:
    """Whether as many fields with digits in them follow a first one: ``0,5`` or ``0:0.5``, say."""
    fields = line.split()[1:]
    return len(fields) == dim and all(map(_DIGIT.search, fields))


def _values(fields: list[bytes]) -> list[float]:
    """The numbers of some fields as a list; [] where one is none."""
    try:
        values = [float(field) for field in fields]
    except ValueError:
        return []
    return [] if any(b"_" in field for field in fields) else values  # Python's own 1_000


def _dimensions_without_header(stream: Stream, path: Path) -> int:
    """The dimension on which most of the first lines agree; the very first one, all the more."""
    lines = _sample(stream)
    if not lines:
        raise ValueError(f"{path} is no file of word vectors: it is empty")
    widths = [_width(line) for line in lines]
    dim, agreed = Counter(widths[1:] or widths).most_common(1)[0]
    if dim < 1 or (not widths[0] and 2 * agreed <= len(widths)):
        raise ValueError(
            f"{path} is no file of word vectors: it begins with {lines[0][:40]!r}, where a word "
            "and its numbers were expected, with spaces between them and points in them"
        )
    _check_words(lines, dim, path)
    if widths[0] != dim or (len(lines[0].split()) > dim + 1 and b"\t" not in lines[0]):
        raise ValueError(
            f"{path}: its first line, {lines[0][:40]!r}, is neither a header (words dimensions) "
            f"nor a word and {dim} numbers, as the lines after it are; delete or mend that line"
        )
    if dim == 1:
        told = f"{path} has a single number for each word, as a list of counts has;"
        raise ValueError(f"{told} vectors of one dimension take a header (words dimensions)")
    return dim


def _check_words(lines: list[bytes], dim: int, path: Path) -> None:
    """Refuse a file with a second column before the numbers: it would become part of the words."""
    words = [b" ".join(line.split()[:-dim]) for line in lines if b"\t" not in line]
    several = [word for word in words if b" " in word]
    if len(several) > 0.8 * len(lines):
        told = f"{path} has more than a word before the {dim} numbers of most lines,"
        raise ValueError(f"{told} such as {several[0][:40]!r}; leave one field for the word")


def _counted(rows: Iterator[Row], count: int, limit: int | None, path: Path) -> Iterator[Row]:
    """At most ``limit`` rows, of which there must be as many as the header says."""
    number = 0
    for number, row in enumerate(rows, 1):
        if number > count:
            break
        yield row
        if number == limit:
            return
    if number != count:
        more = "more" if number > count else f"only {number:,}"
        raise ValueError(f"{path} says {count:,} words and has {more}: it is damaged")


def _text_rows(stream: Stream, path: Path, dim: int, number: int) -> Iterator[Row]:
    """Pairs (word in bytes, its vector); ``number`` lines stand before them."""
    while stream.fill(1):
        line, number = stream.line(), number + 1
        if not line.strip():
            continue
        word, *fields = line.rsplit(None, dim)
        word = word.strip()
        with np.errstate(over="ignore"):  # `_check` finds what is too large
            vector = np.array(_values(fields), np.float32)
        odd = any(map(_NUMBER.fullmatch, word.split()[1:]))  # one number too many in the row
        if len(vector) != dim or odd:
            told = f"{path}, line {number:,}: expected a word and {dim} numbers, with spaces"
            raise ValueError(f"{told} between them and decimal points in them, got {line[:60]!r}")
        yield word, vector


def _binary_rows(stream: Stream, path: Path, dim: int) -> Iterator[Row]:
    while stream.fill(1):
        word = stream.until(b" ", LONGEST_WORD)
        if word is None and not stream.buffer[stream.at :].strip(b"\n"):
            return  # the line break that the original program writes after each vector
        if word is None:
            raise ValueError(f"{path} has no word where one should begin: it is damaged")
        stream.take(len(word) + 1)
        yield word.lstrip(b"\n"), np.frombuffer(stream.take(4 * dim), "<f4")
