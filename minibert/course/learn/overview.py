"""``progress`` and ``chapters``: what is done, what comes next, and how long it takes."""

import html
from pathlib import Path
from typing import Any, Self

import nbformat

from minibert.course.learn import progress_file as record
from minibert.course.learn.exercise import Written, chapters_with_exercises, of_chapter
from minibert.course.learn.messages import STYLES, show
from minibert.course.learn.paths import chapters_folder

LEFT = 'style="text-align: left"'


def chapters(folder: Path | None = None) -> list[dict[str, Any]]:
    """The chapters that exist, in order: the head of each notebook as a dict.

    Keys: ``chapter`` ("01"), ``file``, ``title``, ``question``, ``minutes``, ``seconds``,
    ``memory_mb``, ``needs`` and ``papers``. ``folder`` is the folder ``chapters`` (default: found);
    a released notebook lies beside one that holds no notebooks, and is found, too.
    """
    heads, folder = [], folder or chapters_folder()
    pattern = "[0-9][0-9]_*.ipynb"
    for path in sorted(folder.glob(pattern)) or sorted(folder.parent.glob(pattern)):
        head = nbformat.read(path, 4).metadata.get("minibert")
        if head:
            heads.append({**head, "file": path.name})
    return heads


def progress(chapter: str | None = None) -> None:
    """Show how far you are: a line for each chapter, or for each exercise of one (``"05"``).

    A line above it says what is done, what comes next, and how many minutes are left. A written
    question is listed but not counted, because it is done only when a teacher has read it. The
    table has the chapters that are here (if there are none, all) and those started elsewhere.
    """
    entries = record.read()
    files = {head["chapter"]: head for head in chapters()}
    begun = {name.partition(".")[0] for name in entries}
    known = [n for n in chapters_with_exercises() if not files or n in files or n in begun]
    numbers = [chapter] if chapter else known
    exercises = [item for number in numbers for item in of_chapter(number)]
    if chapter:
        columns = ("", "", "exercise", "state", "points", "time")
        rows = [_exercise(item, entries.get(item.id, {})) for item in exercises]
    else:
        columns = ("", "", "chapter", "done", "points", "left")
        rows = [_chapter(number, files.get(number, {}), entries) for number in numbers]
    told = _summary(exercises, entries)
    show(_as_text(told, rows), {"text/html": _as_html(told, [columns, *rows])})


def _done(item, entries):
    return entries.get(item.id, {}).get("status") == "right"


def _counted(exercises):
    return [item for item in exercises if not isinstance(item, Written)]


def _summary(exercises, entries):
    """How many are done, the minutes left, and the next one, in one line."""
    counted = _counted(exercises)
    left = [item for item in counted if not _done(item, entries)]
    told = f"{len(counted) - len(left)} of {len(counted)} exercises done"
    if left:
        minutes = sum(item.minutes for item in left)
        told += f", about {minutes} minutes left; next: {left[0].title} ({left[0].id})"
    return told


def _exercise(item, entry):
    status = "written" if isinstance(item, Written) else entry.get("status", "not begun")
    mark = STYLES.get(status, ("·",))[0]
    return (mark, item.id, item.title, status, _points([item], {item.id: entry}), _time([item]))


def _chapter(number, head, entries):
    """A chapter's line; ``head`` as `chapters` gives it, or empty."""
    exercises = _counted(of_chapter(number))
    left = [item for item in exercises if not _done(item, entries)]
    mark = "·" if len(left) == len(exercises) else STYLES["not yet" if left else "right"][0]
    title = Link(head.get("title", "not in this folder"), head.get("file"))
    done = f"{len(exercises) - len(left)} of {len(exercises)}"
    return (mark, number, title, done, _points(exercises, entries), _time(left))


def _points(exercises, entries):
    got = sum(entries.get(item.id, {}).get("best", 0) for item in exercises)
    return f"{got:g} / {sum(item.points for item in exercises):g}"


def _time(exercises):
    return f"{sum(item.minutes for item in exercises)} min"


class Link(str):
    """A text that leads to ``file`` where it can be clicked."""

    file: str | None

    def __new__(cls, text: str, file: str | None = None) -> Self:
        link = super().__new__(cls, text)
        link.file = file
        return link


def _as_text(summary, rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{text:{w}}" for text, w in zip(r, widths, strict=True)) for r in rows]
    return "\n".join([summary, *(line.rstrip() for line in lines)])


def _as_html(summary, table):
    columns, *rows = table
    head, body = _row(columns, "th"), "".join(_row(row, "td") for row in rows)
    table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
    return f"<p><b>{html.escape(summary)}</b></p>\n{table}"


def _row(row, kind):
    """One row, a cell on each line: where tags are taken out, the words do not run together."""
    cells = "\n".join(f"<{kind} {LEFT}>{_cell(text)}</{kind}>" for text in row)
    return f"<tr>{cells}</tr>\n"


def _cell(text):
    file = getattr(text, "file", None)
    text = html.escape(text)
    return f'<a href="{html.escape(file)}">{text}</a>' if file else text
