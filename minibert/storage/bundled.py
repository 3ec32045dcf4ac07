"""Checkpoints by name: those that come with the package, and any file or folder."""

from pathlib import Path

BUNDLED = Path(__file__).parent.parent / "pretrained"  # folders that come with the package


def find(source: str | Path) -> Path:
    """The path that ``source`` stands for: an existing file or folder, or a bundled checkpoint.

    Raises FileNotFoundError, naming the bundled ones.
    """
    for path in (Path(source), BUNDLED / str(source)):
        if path.exists():
            return path
    bundled = sorted(path.name for path in BUNDLED.glob("*") if path.is_dir())
    known = f"bundled are {', '.join(bundled)}" if bundled else "no checkpoint is bundled"
    what = "file, folder or bundled checkpoint"
    raise FileNotFoundError(f"there is no {what} called {str(source)!r}; {known}")
