"""The real chapters graded: solved, half solved and untouched, at smoke size, by the commands."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from minibert.commands.main import main
from minibert.course.learn.exercise import Written, of_chapter
from minibert.course.teach.marks import marks

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


@dataclass(frozen=True)
class Class:
    """One chapter graded: its number, the course folder, the exercises that "half" has solved.

    ``all_cells`` and ``needed``: student -> exercise -> points, by which cells were run.
    """

    number: str
    root: Path
    half: set
    all_cells: dict
    needed: dict


@pytest.fixture(scope="module", params=ALL)
def course(request, tmp_path_factory):
    """A chapter released, handed in and graded, by running first all cells, then the needed."""
    root, number = tmp_path_factory.mktemp("class") / "course", request.param
    options = ["--root", str(CHAPTERS), "--chapters", number]
    assert main(["course", "release", "--out", str(root), *options]) == 0
    (path,) = (root / "source" / f"ch{number}").glob("*.ipynb")
    solved = nbformat.read(path, 4)
    released = nbformat.read(root / "release" / f"ch{number}" / path.name, 4)
    handed_in, half = {"solved": solved}, set()
    if number in WHOLE_CLASS:
        handed_in["half"], half = half_solved(released, solved)
        handed_in["untouched"] = released
    for student, notebook in handed_in.items():
        folder = root / "submitted" / student / f"ch{number}"
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / path.name)
    found = []
    for option in ("--all-cells", "--again"):
        assert main(["course", "grade", str(root), "--timeout", "300", option]) == 0
        found.append(points(root))
    return Class(number, root, half, *found)


def points(root):
    found = defaultdict(dict)
    for mark in marks(f"sqlite:///{root / 'gradebook.db'}"):
        found[mark.student][mark.exercise] = mark.points
    return found


@pytest.mark.slow
def test_a_solved_chapter_gets_full_marks_at_smoke_size(course):
    assert course.needed["solved"] == {
        exercise.id: None if isinstance(exercise, Written) else exercise.points
        for exercise in of_chapter(course.number)
    }


@pytest.mark.slow
def test_an_untouched_one_gets_none_and_a_half_solved_one_its_half(course):
    if course.number not in WHOLE_CLASS:
        pytest.skip("handed in solved only")
    assert set(course.needed["untouched"].values()) == {0}
    half, exercises = course.needed["half"], of_chapter(course.number)
    assert half == {e.id: e.points if e.id in course.half else 0 for e in exercises}
    assert 0 < sum(half.values()) < sum(e.points for e in exercises)


@pytest.mark.slow
def test_the_marks_are_those_of_running_all_cells(course):
    assert course.needed == course.all_cells


@pytest.mark.slow
def test_no_graded_cell_of_a_chapter_wrote_to_stderr(course):
    """A progress bar in a check's cell would cost its points."""
    paths = [
        *(course.root / "autograded" / "solved").rglob("*.ipynb"),  # the needed cells
        *(course.root / "history").rglob("autograded/solved/**/*.ipynb"),  # all of them
    ]
    assert len(paths) == 2
    for path in paths:
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
                assert "stderr" not in [output.get("name") for output in cell.outputs], cell.source
