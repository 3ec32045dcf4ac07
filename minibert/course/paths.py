"""Where things lie: the learner's own folder, and the chapters."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def learner_folder():
    """The learner's data folder: ``MINIBERT_HOME`` or ``~/.minibert``; it may not exist yet."""
    return Path(os.environ.get("MINIBERT_HOME") or Path.home() / ".minibert").expanduser()


def chapters_folder(start=None):
    """The folder ``chapters`` that holds or stands above ``start`` (default: where we are).

    A notebook runs in ``chapters/``, in ``chapters/solutions/`` or in a copy made for grading; the
    repository's own folder is the last resort. Raises FileNotFoundError when there is none.
    """
    start = Path(start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        for candidate in (folder, folder / "chapters"):
            if candidate.name == "chapters" and candidate.is_dir():
                return candidate
    if (REPOSITORY / "chapters").is_dir():
        return REPOSITORY / "chapters"
    raise FileNotFoundError(
        f"No folder `chapters` at or above {start}: run this from a copy of the repository."
    )


def write_atomically(path, text):
    """Write ``text`` (UTF-8) so that a reader finds the old file or the new one, never half."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_text(text, "utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
