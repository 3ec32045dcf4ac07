"""Where files go, and how they are written: whole or not at all."""

import errno
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

REASONS = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "your disk quota is used up; free some space",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "permission was denied; choose a folder that you may write to",
    errno.EPERM: "permission was denied; choose a folder that you may write to",
}


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


def _umask():
    """The process's file-creation mask (mkstemp makes files that only their owner reads)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
