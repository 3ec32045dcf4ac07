"""Peak memory of each chapter, measured: ``python -m minibert.course.author.memory [01 05 ...]``.

Every solved notebook is run at full size in a kernel of its own, as a student runs it, and the
highest resident memory of that kernel (and of what it starts) is written to ``docs/memory.json``
and into the tables of the pages that quote it. A test holds the pages to the file.
"""

import json
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import nbformat

from minibert.course.author.building import Chapter, sources
from minibert.course.author.execute import execute
from minibert.course.author.meter import Meter
from minibert.course.learn.paths import REPOSITORY, chapters_folder, write_text

FILE = REPOSITORY / "docs" / "memory.json"
PAGES = ("jupyterhub.md", "binder.md")
BEGIN, END = (
    "<!-- memory: made by python -m minibert.course.author.memory -->",
    "<!-- end of memory -->",
)


def measure(chapter: Chapter) -> int:
    """Peak resident megabytes of one chapter's solved notebook, run at full size."""
    notebook = nbformat.read(chapter.solved, 4)
    with Meter() as meter:
        execute(notebook, chapter.solved.parent, chapter.solved.name, timeout=3600)
    return round(meter.megabytes)


def table(measured: dict[str, Any]) -> str:
    """Markdown: one row per chapter, with the measured and the declared memory."""
    lines = ["| chapter | peak, MB | declared, MB |", "|---|---|---|"]
    for chapter in sources(REPOSITORY / "chapters"):
        number = chapter.source.name[:2]
        head = nbformat.read(chapter.solved, 4).metadata.minibert
        peak = measured["megabytes"].get(number, "not measured yet")
        lines.append(f"| {number} {head.title} | {peak} | {head.memory_mb} |")
    return "\n".join(lines)


def with_table(text: str, measured: dict[str, Any]) -> str:
    """A page with a new table between its two marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table(measured)}\n{END}{rest.split(END)[1]}"


def read() -> dict[str, Any]:
    """The results so far."""
    return json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {"megabytes": {}}


def main(numbers: Sequence[str]) -> int:
    """Measure the given chapters (default: all), one after the other, and save each result."""
    for chapter in sources(chapters_folder(), numbers or None):
        peak = measure(chapter)
        print(f"{chapter.source.stem}: {peak} MB", flush=True)
        measured = read()
        measured["megabytes"][chapter.source.name[:2]] = peak
        measured |= {"system": platform.system(), "python": platform.python_version()}
        measured["torch"] = version("torch")
        write_text(FILE, json.dumps(measured, indent=1, sort_keys=True) + "\n")
        for page in PAGES:
            path = REPOSITORY / "docs" / page
            write_text(path, with_table(path.read_text("utf-8"), measured))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
