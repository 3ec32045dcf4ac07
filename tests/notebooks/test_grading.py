"""Grading by nbgrader itself: a release made from the solved notebook, and submissions autograded.

nbgrader 0.9 gives full marks to a test cell that ends in no number and none to one that wrote to
stderr, so what counts here is what its own converters and gradebook say.
"""

import os
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import determine_grade

from minibert.course.notebook import build, nbgrader_config

FIXTURES = Path(__file__).parent / "fixtures"
POINTS = {"90-mean": 4, "90-largest": 3, "90-shift": 2, "90-why": 3}
NOISY = """
import sys, warnings
def mean(values):
    warnings.warn("about to add")
    print("adding", file=sys.stderr)
    return sum(values) / len(values)
"""
SUBMISSIONS = {  # student -> the code or text put into a solution cell, by grade id; None: solved
    "solved": None,
    "untouched": {},
    "half": {
        "90-mean-solution-1": "def mean(values):\n    return sum(values)",
        "90-shift-solution-1": "number = 13",
    },
    "noisy": {
        "90-mean-solution-1": NOISY,
        "90-shift": 'print("no check here")\n100',
        "90-why": "Because of a few very rich people.",
    },
    "failing": {
        "90-mean-solution-1": "def mean(values):\n    return values / 0",
        "90-largest-solution-1": "def largest(values):\n    raise SystemExit",
        "90-shift-solution-1": "number = 'twelve'",
    },
    "broken": {"90-mean-solution-1": "def mean(values:"},
}


def submitted(released, answers):
    """A copy of the released notebook with a student's answers in it."""
    notebook = nbformat.from_dict(released)
    for cell in notebook.cells:
        answer = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
        if answer is not None:
            cell.source = answer
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """An nbgrader course with every submission autograded: its folder and its gradebook's URL."""
    root = tmp_path_factory.mktemp("course")
    shutil.copytree(FIXTURES / "source", root / "chapters" / "source")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIBERT_EXERCISES", str(FIXTURES / "exercises"))
        patch.setenv("PYTHONPATH", str(FIXTURES.parents[2]))
        # nbgrader calls `alembic` by its bare name, which a plain `.venv/bin/python` does not find
        patch.setenv(
            "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        )
        _, solved = build(root / "chapters" / "source" / "90_demo.py", root / "chapters")
        config = nbgrader_config()
        config.CourseDirectory.root = str(root)
        api = NbGraderAPI(CourseDirectory(config=config), config=config)
        write(solved, root / "source" / "demo")
        told = api.generate_assignment("demo")
        assert told["success"], told["log"]
        released = nbformat.read(root / "release" / "demo" / "90_demo.ipynb", 4)
        for student, answers in SUBMISSIONS.items():
            notebook = solved if answers is None else submitted(released, answers)
            write(notebook, root / "submitted" / student / "demo")
            told = api.autograde("demo", student)
            assert told["success"], told["log"]
    return root, api.coursedir.db_url


def write(notebook, folder):
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "90_demo.ipynb")


def grades(course, student):
    """Points by grade id; None for what a teacher has still to read."""
    with Gradebook(course[1]) as gradebook:
        notebook = gradebook.find_submission_notebook("90_demo", "demo", student)
        assert {g.name: g.max_score for g in notebook.grades} == POINTS
        return {g.name: g.auto_score for g in notebook.grades}


def graded(course, student):
    return nbformat.read(course[0] / "autograded" / student / "demo" / "90_demo.ipynb", 4)


def test_the_release_has_no_solution_and_locked_checks(course):
    released = nbformat.read(course[0] / "release" / "demo" / "90_demo.ipynb", 4)
    text = "\n".join(cell.source for cell in released.cells)
    assert "sum(values) / len(values)" not in text and "billionaire" not in text
    marks = [c for c in released.cells if c.metadata.get("nbgrader", {}).get("locked")]
    assert len(marks) == 3 and all("checksum" in cell.metadata.nbgrader for cell in marks)
    assert not any(cell.metadata.editable for cell in marks)


def test_the_solved_notebook_gets_full_marks(course):
    assert grades(course, "solved") == POINTS | {"90-why": None}


def test_the_untouched_notebook_gets_none(course):
    assert grades(course, "untouched") == dict.fromkeys(POINTS, 0)


def test_a_half_solved_one_gets_its_part(course):
    nothing = dict.fromkeys(POINTS, 0)
    assert grades(course, "half") == nothing | {"90-mean": 2, "90-shift": 1}


def test_noise_on_stderr_costs_nothing(course):
    assert grades(course, "noisy")["90-mean"] == 4


@pytest.mark.parametrize("student", ["failing", "broken"])
def test_a_failing_answer_gets_nothing_and_the_rest_still_runs(course, student):
    assert grades(course, student) == dict.fromkeys(POINTS, 0)
    checks = [c for c in graded(course, student).cells if c.source.startswith("mb.course.check")]
    assert len(checks) == 3 and all(cell.outputs for cell in checks)


def test_an_edited_check_cell_is_put_back(course):
    assert grades(course, "noisy")["90-shift"] == 0
    text = "\n".join(cell.source for cell in graded(course, "noisy").cells)
    assert 'mb.course.check("90.shift", number)' in text and "no check here" not in text


def test_words_wait_for_the_teacher(course):
    assert grades(course, "noisy")["90-why"] is None


def test_no_graded_cell_wrote_to_stderr(course):
    for student in set(SUBMISSIONS) - {"broken"}:
        for cell in graded(course, student).cells:
            if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
                names = [output.get("name") for output in cell.outputs]
                assert "stderr" not in names, (student, cell.source)


def test_the_trap_that_points_as_numbers_avoid(course):
    """A check cell whose last expression is no number would get full marks: so ours is one."""
    notebook = graded(course, "untouched")
    cell = next(
        c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "90-mean"
    )
    assert determine_grade(cell) == (0, 4)
    cell.outputs = [o for o in cell.outputs if o.output_type != "execute_result"]
    assert determine_grade(cell) == (4, 4)


def test_grading_keeps_no_progress(course):
    assert not (Path(os.environ["MINIBERT_HOME"]) / "progress.json").exists()
