"""The real chapters graded: solved, half solved and untouched, at smoke size, by the commands."""

import json
import shutil
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from minibert.cli import main
from minibert.course.exercise import Written, of_chapter
from minibert.course.marks import marks

CHAPTERS = Path(__file__).parents[2] / "chapters"
ALL = [path.name[:2] for path in sorted(CHAPTERS.glob("source/[0-9]*.py"))]
WHOLE_CLASS = ("01", "05")  # of these, half solved and untouched submissions, too


def half_solved(released, solved):
    """The released notebook with every second solution in it; gives the ids of these exercises."""
    answers = {c.metadata.nbgrader.grade_id: c.source for c in solved.cells if is_solution(c)}
    notebook = nbformat.from_dict(json.loads(json.dumps(released)))
    done = [cell for cell in notebook.cells if is_solution(cell)][::2]
    for cell in done:
        cell.source = answers[cell.metadata.nbgrader.grade_id]
    names = [cell.metadata.nbgrader.grade_id for cell in done]
    return notebook, {name.partition("-solution-")[0].replace("-", ".", 1) for name in names}


def is_solution(cell):
    mark = cell.metadata.get("nbgrader", {})
    return mark.get("solution", False) and not mark.get("grade", False)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """(folder of the course, chapter -> the exercises that "half" has solved), graded."""
    root, halves = tmp_path_factory.mktemp("class") / "course", {}
    assert main(["course", "release", "--out", str(root), "--root", str(CHAPTERS)]) == 0
    for number in ALL:
        (path,) = (root / "source" / f"ch{number}").glob("*.ipynb")
        solved = nbformat.read(path, 4)
        released = nbformat.read(root / "release" / f"ch{number}" / path.name, 4)
        handed_in = {"solved": solved}
        if number in WHOLE_CLASS:
            half, halves[number] = half_solved(released, solved)
            handed_in |= {"half": half, "untouched": released}
        for student, notebook in handed_in.items():
            folder = root / "submitted" / student / f"ch{number}"
            shutil.copytree(path.parent / "chapters", folder / "chapters")
            nbformat.write(notebook, folder / path.name)
    assert main(["course", "grade", str(root), "--timeout", "300"]) == 0
    return root, halves


def points(course, student):
    found = defaultdict(dict)
    for mark in marks(f"sqlite:///{course[0] / 'gradebook.db'}"):
        if mark.student == student:
            found[mark.chapter[2:]][mark.exercise] = mark.points
    return found


@pytest.mark.slow
def test_every_solved_chapter_gets_full_marks_at_smoke_size(course):
    for number, got in points(course, "solved").items():
        assert got == {
            exercise.id: None if isinstance(exercise, Written) else exercise.points
            for exercise in of_chapter(number)
        }
    assert list(points(course, "solved")) == ALL


@pytest.mark.slow
def test_an_untouched_one_gets_none_and_a_half_solved_one_its_half(course):
    for number in WHOLE_CLASS:
        assert set(points(course, "untouched")[number].values()) == {0}
        half = points(course, "half")[number]
        wanted = {e.id: e.points if e.id in course[1][number] else 0 for e in of_chapter(number)}
        assert half == wanted and 0 < sum(half.values()) < sum(e.points for e in of_chapter(number))


@pytest.mark.slow
def test_no_graded_cell_of_a_chapter_wrote_to_stderr(course):
    """A progress bar in a check's cell would cost its points."""
    with Gradebook(f"sqlite:///{course[0] / 'gradebook.db'}") as gradebook:
        assert {a.name for a in gradebook.assignments} == {f"ch{number}" for number in ALL}
    for path in (course[0] / "autograded" / "solved").rglob("*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
                assert "stderr" not in [output.get("name") for output in cell.outputs], cell.source
