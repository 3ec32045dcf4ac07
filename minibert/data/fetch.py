"""Finding a registered file: the data folder, the cache, then the mirrors."""

import hashlib
import os
import ssl
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from minibert.data.registry import Entry, File
from minibert.storage.safe_files import atomic, home

TIMEOUT = 20.0  # seconds without a byte before a mirror is given up
TRIES = 2  # for each mirror; a second attempt continues where the first broke off
PAUSE = 1.0  # seconds between them
SLOWEST = 1000  # bytes per second, and
PATIENCE = 30.0  # seconds until that is asked for
CHUNK = 1 << 16
NETWORK = (URLError, TimeoutError, ConnectionError, HTTPException, ssl.SSLError)


def data_folder() -> Path | None:
    """The folder that ``MINIBERT_DATA`` names; None when it names none."""
    named = os.environ.get("MINIBERT_DATA")
    return Path(named).expanduser() if named else None


def find(entry: Entry, file: File) -> Path | None:
    """Where ``file`` already lies: in the data folder (with or without its subfolder), or cached.

    None where it does not.
    """
    folder = data_folder()
    places = [folder / file.path, folder / file.name] if folder else []
    return next((p for p in (*places, cached(entry, file)) if p.is_file()), None)


def cached(entry: Entry, file: File) -> Path:
    """Where a download of ``file`` is stored."""
    return home() / "data" / entry.name / file.name


def download(entry: Entry, file: File, tell: Callable[[str], object] = print) -> Path:
    """Fetch ``file`` into the cache from the first mirror that gives all of it; returns its path.

    Bytes that do not have the registered size and SHA-256 never reach the cache.

    Raises ConnectionError, with what each mirror answered, when none does.
    """
    path, faults = cached(entry, file), []
    with atomic(path, "w+b") as part:
        for url in file.urls:
            tell(f"fetching {file.name} ({file.size / 1e6:.1f} MB) from {url.split('/')[2]} ...")
            fault = _fetch(url, file, part)
            if fault is None:
                return path
            faults.append(f"{url}: {fault}")
        raise ConnectionError("; ".join(faults) or "it is on no mirror")


def _fetch(url, file, part):
    """Fill ``part`` from one mirror; what went wrong, or None when it holds the right bytes."""
    _empty(part)
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE)
        try:
            _receive(url, file, part)
            fault = _fault(part, file)
        except HTTPError as error:
            fault = f"answered {error.code} {error.reason}"
            if error.code < 500:  # trying again will not help
                return fault
        except NETWORK as error:
            fault = str(error) or type(error).__name__
        if fault is None:
            return None
        if part.seek(0, os.SEEK_END) >= file.size:  # complete, and wrong
            _empty(part)
    return fault


def _receive(url, file, part):
    """Append the missing rest to ``part``, or start again if the mirror sends the whole file."""
    start = part.seek(0, os.SEEK_END)
    headers = {"User-Agent": "minibert", **({"Range": f"bytes={start}-"} if start else {})}
    begun, received = time.monotonic(), 0
    with urlopen(Request(url, headers=headers), timeout=TIMEOUT) as answer:
        if start and answer.status != 206:
            _empty(part)
        while chunk := answer.read1(CHUNK):  # what is there: `read` waits for all of it
            part.write(chunk)
            received += len(chunk)
            if part.tell() > file.size:
                return
            seconds = time.monotonic() - begun
            if seconds > PATIENCE and received < SLOWEST * seconds:
                raise TimeoutError(f"sent {received:,} bytes in {seconds:.0f} s: too slow")


def _fault(part, file):
    size = part.seek(0, os.SEEK_END)
    if size != file.size:
        return f"sent {size:,} bytes or more, expected {file.size:,}"
    part.seek(0)
    found = hashlib.file_digest(part, "sha256").hexdigest()
    return None if found == file.sha256 else "sent a file with the wrong SHA-256"


def _empty(part):
    part.seek(0)
    part.truncate()
