"""Files of data, verified when they are read: compressed text and archives.

Nothing is ever unpacked to the disk. A file is read whole, its SHA-256 is checked on the bytes that
are then used, and text or archive members come out of these bytes up to a limit in size.
"""

import gzip
import hashlib
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LIMIT = 4 << 30  # bytes that one file may unpack to
SMALL, RATIO = 1 << 24, 200  # above SMALL bytes, it may not exceed RATIO times its stored size
BROKEN = (EOFError, MemoryError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)
ODD = (tarfile.TarError, RuntimeError, OverflowError, IndexError, KeyError)


@dataclass(frozen=True)
class Source:
    """One file at ``path``; ``sha256`` is None for a user's own file."""

    path: Path
    sha256: str | None = None
    limit: int = LIMIT

    def read(self) -> bytes:
        """The bytes as stored, verified.

        Raises ValueError when they do not have the registered SHA-256.
        """
        data = self.path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if self.sha256 not in (None, found):
            raise ValueError(
                f"{self.path} is damaged or another edition: its SHA-256 is {found[:16]}..., "
                f"expected {self.sha256[:16]}...; delete or replace it"
            )
        return data

    def lines(self) -> Iterator[str]:
        """Lines of UTF-8 text without their line breaks, unpacked (.xz, .gz) as they are read."""
        openers: dict[str, Callable] = {".xz": lzma.open, ".gz": gzip.open}
        opener = openers.get(self.path.suffix, lambda file: file)
        data = self.read()
        try:
            with opener(io.BytesIO(data)) as unpacked:
                limited = io.BufferedReader(_Limited(unpacked, self, self.most(data)), 1 << 20)
                for number, line in enumerate(limited, 1):
                    line = line.decode("utf-8-sig" if number == 1 else "utf-8")
                    yield line.rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self.path} cannot be read as text: line {number} is not UTF-8 ({error.reason}); "
                "save the file as UTF-8"
            ) from error
        except BROKEN as error:
            raise ValueError(f"{self.path} cannot be read as text: {error}") from error

    def read_text(self) -> str:
        """The whole file as text, as `lines` reads it."""
        return "\n".join(self.lines())

    def members(self) -> Iterator[tuple[str, bytes]]:
        """(name, bytes) of each file in a .zip, .whl or .tar archive (compressed or not).

        Raises ValueError for a name that points outside the archive, a link or a device, and for
        more than ``limit`` bytes in all.
        """
        data = self.read()
        walk = _zip if self.path.suffix in (".zip", ".whl") else _tar
        left = self.most(data)
        try:
            for name, size, unpack in walk(io.BytesIO(data), self.path):
                path = PurePosixPath(name.replace("\\", "/"))
                if path.is_absolute() or ".." in path.parts or ":" in name:
                    raise ValueError(f"{self.path} holds {name!r}, which points outside of it")
                left -= size
                if left < 0:
                    raise self.too_large()
                yield str(path), unpack()
        except (*BROKEN, *ODD) as error:
            told = " ".join(str(error).split())  # tarfile lists all that it tried, one per line
            raise ValueError(f"{self.path} cannot be unpacked: {told}") from error

    def most(self, data: bytes) -> int:
        """Bytes that the stored ``data`` may unpack to."""
        return min(self.limit, max(SMALL, RATIO * len(data)))

    def too_large(self) -> ValueError:
        return ValueError(
            f"{self.path} unpacks to more than {self.limit:,} bytes or {RATIO} times its size, "
            "which no data set here does"
        )


@dataclass(frozen=True)
class Member:
    """One text file, called ``name`` in whichever folder, of an archive."""

    archive: Source
    name: str

    @property
    def path(self) -> Path:
        return self.archive.path / self.name

    def lines(self) -> Iterator[str]:
        """Its lines, without their line breaks."""
        for name, data in self.archive.members():
            if PurePosixPath(name).name == self.name:
                text = decoded(data, self.path)
                yield from (line.rstrip("\r") for line in text.removesuffix("\n").split("\n"))
                return
        raise ValueError(f"{self.archive.path} holds no {self.name}")


def decoded(data: bytes, path: Path) -> str:
    """UTF-8 text without a byte-order mark. Raises ValueError, naming the file, for other bytes."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} cannot be read as text: {error}") from error


def numbered(source: Source | Member) -> Iterator[tuple[int, str]]:
    """(number, line) of the lines that are not blank. Raises ValueError where there are none."""
    empty = True
    for number, line in enumerate(source.lines(), 1):
        if line.strip():
            empty = False
            yield number, line
    if empty:
        raise ValueError(f"{source.path} is empty")


def refusal(source: Source | Member, number: int, expected: str, line: str) -> ValueError:
    """The error, to be raised, that names the file and the line that is not as expected."""
    return ValueError(f"{source.path}, line {number}: expected {expected}, got {line[:60]!r}")


class _Limited(io.RawIOBase):
    """Reads on from ``file`` until the source's limit is passed."""

    def __init__(self, file, source, left):
        self.file, self.source, self.left = file, source, left

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.file.read(len(buffer))
        self.left -= len(data)
        if self.left < 0:
            raise self.source.too_large()
        buffer[: len(data)] = data
        return len(data)


def _zip(data, path):
    with zipfile.ZipFile(data) as archive:
        for info in archive.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                raise ValueError(f"{path} holds {info.filename!r}, which is no file but a link")
            if not info.is_dir():
                yield info.filename, info.file_size, lambda info=info: archive.read(info)


def _tar(data, path):
    with tarfile.open(fileobj=data) as archive:
        for info in archive:
            if info.isdir():
                continue
            if not info.isfile():
                raise ValueError(f"{path} holds {info.name!r}, which is no plain file but a link")
            yield info.name, info.size, lambda info=info: archive.extractfile(info).read()
