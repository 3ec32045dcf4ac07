"""The marks of a course from nbgrader's gradebook: two CSV files, and a table for a terminal.

``grades.csv`` has a line for each student, chapter and exercise, ``totals.csv`` one for each
student and chapter. A written answer that a teacher has not read yet is ``waiting`` and has no
points.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook

from minibert.course.learn.paths import write_text

GRADES = ("student", "chapter", "exercise", "points", "of", "state")
TOTALS = ("student", "chapter", "points", "of", "waiting", "remark")


@dataclass(frozen=True)
class Mark:
    """One exercise of one student.

    ``state`` is automatic; waiting (for a teacher); manual (a teacher gave the points); or review:
    the same, but the submission was graded again since.
    """

    student: str
    chapter: str
    exercise: str
    points: float | None
    of: float
    state: str


def marks(url: str) -> list[Mark]:
    """Every `Mark` in the gradebook at ``url``, by student, chapter and order in the notebook."""
    with Gradebook(url) as gradebook:
        places = _places(gradebook)
        found = [
            _mark(grade, student.id, submission.name)
            for student in gradebook.students
            for submission in student.submissions
            for notebook in submission.notebooks
            for grade in notebook.grades
        ]
    return sorted(found, key=lambda m: (m.student, m.chapter, places[m.chapter, m.exercise]))


def _places(gradebook):
    """(assignment, exercise) -> its position in the notebook."""
    return {
        (assignment.name, _exercise(cell.name)): place
        for assignment in gradebook.assignments
        for notebook in assignment.notebooks
        for place, cell in enumerate(notebook.source_cells)
    }


def _exercise(grade_id):
    return grade_id.replace("-", ".", 1)


def _mark(grade, student, chapter):
    if grade.manual_score is not None:
        state = "review" if grade.needs_manual_grade else "manual"
    else:
        state = "waiting" if grade.needs_manual_grade else "automatic"
    points = None if state == "waiting" else grade.score
    return Mark(student, chapter, _exercise(grade.name), points, grade.max_score, state)


@dataclass(frozen=True)
class Total:
    """One chapter of one student. ``points`` is None without marks; ``waiting`` are points, too."""

    student: str
    chapter: str
    points: float | None
    of: float
    waiting: float
    remark: str = ""


def totals(found: Iterable[Mark], remarks: Mapping[str, str]) -> list[Total]:
    """A `Total` for each student and chapter that has marks, or a remark.

    ``remarks`` maps "student/chapter" to what was wrong with the last grading.
    """
    groups: dict[tuple[str, ...], list[Mark]] = {}
    rows = []
    for mark in found:
        groups.setdefault((mark.student, mark.chapter), []).append(mark)
    for student, chapter in sorted({*groups, *(tuple(key.split("/", 1)) for key in remarks)}):
        group = groups.get((student, chapter), [])
        known = [mark.points for mark in group if mark.points is not None]
        waiting = sum(mark.of for mark in group if mark.state == "waiting")
        of, remark = sum(mark.of for mark in group), remarks.get(f"{student}/{chapter}", "")
        rows.append(Total(student, chapter, sum(known) if group else None, of, waiting, remark))
    return rows


def write(root: Path, found: Iterable[Mark], rows: Iterable[Total]) -> None:
    """Write ``grades.csv`` and ``totals.csv`` into the course folder."""
    lines = [[m.student, m.chapter, m.exercise, number(m.points), number(m.of), m.state]
             for m in found]  # fmt: skip
    write_text(root / "grades.csv", _csv(GRADES, lines))
    lines = [
        [row.student, row.chapter, number(row.points), number(row.of), number(row.waiting)]
        + [row.remark]
        for row in rows
    ]
    write_text(root / "totals.csv", _csv(TOTALS, lines))


def _csv(head, lines):
    """CSV text; a cell that a spreadsheet would read as a formula is made plain text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([[_harmless(cell) for cell in line] for line in lines])
    return text.getvalue()


def _harmless(cell):
    return "'" + cell if cell[:1] in ("=", "+", "-", "@") and len(cell) > 1 else cell


def number(value: float | None) -> str:
    """Points as text: ``3``, ``2.5``; nothing for None."""
    return "" if value is None else f"{value:g}"


def table(rows: Iterable[Total]) -> str:
    """The totals as text for a terminal."""
    lines = [("student", "chapter", "points", "waiting", "remark")]
    for row in rows:
        points = "-" if row.points is None else f"{number(row.points)} / {number(row.of)}"
        waiting = number(row.waiting) if row.waiting else ""
        lines.append((row.student, row.chapter, points, waiting, row.remark))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
