"""Where files go, and how they are written: whole or not at all."""

import errno
import json
import math
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path

REASONS = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "your disk quota is used up; free some space",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "permission was denied; choose a folder that you may write to",
    errno.EPERM: "permission was denied; choose a folder that you may write to",
    errno.EFBIG: "the file would be larger than is allowed here; free some space",
    errno.ENOTDIR: "there is a file where a folder should be; choose another folder",
    errno.EEXIST: "there is a file where a folder should be; choose another folder",
    errno.EISDIR: "there is a folder where the file should be; choose another name",
}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def home():
    """The user's folder for caches and progress: ``MINIBERT_HOME``, or ``~/.minibert``."""
    return Path(os.environ.get("MINIBERT_HOME") or Path.home() / ".minibert").expanduser()


@contextmanager
def explained(path):
    """Turn the system's write errors into one sentence on what to do (still an OSError)."""
    try:
        yield
    except OSError as error:
        if error.errno not in REASONS:
            raise
        reason = REASONS[error.errno]
        sentence = f"could not write {path}: {reason}. What stood there before is untouched."
        raise OSError(sentence) from error


@contextmanager
def atomic(path, mode="wb", **options):
    """Open a file that appears under ``path`` only when the block ends without an error.

    The text goes to a temporary file in the same folder, is flushed to the disk, and replaces
    ``path`` in one step: a reader, or a crash, sees the old file or the new one and never a part.

    Raises OSError with one clear sentence when the disk is full or the folder is read-only.
    """
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(number, mode, **options) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise


def write(path, data):
    """Write bytes to a file, as `atomic` does."""
    with atomic(path) as file:
        file.write(data)


def parse_json(text):
    """What JSON text says, where all readers agree on it.

    Raises ValueError for text that is no JSON, and for what some readers take and others do not: a
    key that stands twice in one object, NaN and infinite numbers, half of a surrogate pair, and
    objects within objects without end.
    """
    try:
        found = json.loads(
            text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("its lists and objects are nested too deeply") from None
    if _SURROGATE.search(text):
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it has half of a surrogate pair, which is no character") from None
    return found


def read_json(path):
    """What a JSON file says (see `parse_json`); ValueError, naming the file, where it is none."""
    try:
        return parse_json(Path(path).read_bytes().decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _once(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:60]!r} stands twice in one object")
    return found


def _refuse(name):
    raise ValueError(f"{name} is no number in JSON")


def _finite(text):
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _umask():
    """The process's file-creation mask (mkstemp makes files that only their owner reads)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
