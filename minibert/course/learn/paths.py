"""Where the chapters are."""

from pathlib import Path

from minibert.storage.safe_files import atomic

REPOSITORY = Path(__file__).resolve().parents[3]


def chapters_folder(start: str | Path | None = None) -> Path:
    """The folder ``chapters`` that holds or stands above ``start`` (default: where we are).

    A notebook runs in ``chapters/``, in ``chapters/solutions/`` or in a copy made for grading; the
    repository's own folder is tried last. Raises FileNotFoundError when there is none.
    """
    start = Path(start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        for candidate in (folder / "chapters", folder):  # a release may be called `chapters`, too
            if candidate.name == "chapters" and candidate.is_dir():
                return candidate
    if (REPOSITORY / "chapters").is_dir():
        return REPOSITORY / "chapters"
    raise FileNotFoundError(
        f"No folder `chapters` at or above {start}: run this from a copy of the repository."
    )


def word_lists(chapters: str | Path) -> list[Path]:
    """The folders in ``chapters`` that extend the lexicon: those with a .toml file."""
    return sorted({path.parent for path in Path(chapters).glob("*/*.toml")})


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` so that a reader finds the old file or the new one, never half of it."""
    with atomic(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
