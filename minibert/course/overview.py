"""``progress`` and ``chapters``: what is done, what comes next, and how long it takes."""

import html

import nbformat

from minibert.course import record
from minibert.course.exercise import Written, chapters_with_exercises, of_chapter
from minibert.course.paths import chapters_folder
from minibert.course.present import STYLES, show

LEFT = 'style="text-align: left"'


def chapters(folder=None):
    """The chapters that exist, in order: the head of each notebook as a dict.

    Keys: ``chapter`` ("01"), ``file``, ``title``, ``question``, ``minutes``, ``seconds``,
    ``memory_mb``, ``needs`` and ``papers``. ``folder`` is the folder ``chapters`` (default: found).
    """
    heads = []
    for path in sorted((folder or chapters_folder()).glob("[0-9][0-9]_*.ipynb")):
        head = nbformat.read(path, 4).metadata.get("minibert")
        if head:
            heads.append({**head, "file": path.name})
    return heads


def progress(chapter=None):
    """Show which exercises are done, what is next, and the minutes left (of one chapter, or all).

    A written question counts as done when a teacher has read it, so it is listed and not counted.
    """
    entries = record.read()
    numbers = [chapter] if chapter else chapters_with_exercises()
    exercises = [item for number in numbers for item in of_chapter(number)]
    counted = [item for item in exercises if not isinstance(item, Written)]
    left = [item for item in counted if entries.get(item.id, {}).get("status") != "right"]
    minutes = sum(item.minutes for item in left)
    done = f"{len(counted) - len(left)} of {len(counted)} exercises done"
    if left:
        done += f", about {minutes} minutes left; next: {left[0].title} ({left[0].id})"
    rows = [_row(item, entries.get(item.id, {})) for item in exercises]
    show(_as_text(done, rows), {"text/html": _as_html(done, rows)})


def _row(exercise, entry):
    status = "written" if isinstance(exercise, Written) else entry.get("status", "not begun")
    mark = STYLES.get(status, ("·",))[0]
    points = f"{entry.get('best', 0):g} / {exercise.points:g}"
    return (mark, exercise.id, exercise.title, status, points, f"{exercise.minutes} min")


def _as_text(summary, rows):
    return "\n".join([summary, *("  ".join((r[0], f"{r[1]:24}", *r[2:])) for r in rows)])


def _as_html(summary, rows):
    table = [("", "", "exercise", "state", "points", "time"), *rows]
    lines = ["".join(f"<td {LEFT}>{html.escape(cell)}</td>" for cell in row) for row in table]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<p><b>{html.escape(summary)}</b></p><table>{body}</table>"
