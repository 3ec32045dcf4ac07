"""Release and grading by nbgrader itself, through the commands: submissions good and bad.

nbgrader 0.9 gives full marks to a test cell that ends in no number and none to one that wrote to
stderr, so what counts here is what its own converters and gradebook say.
"""

import contextlib
import copy
import csv
import io
import os
import re
import shutil
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.utils import determine_grade

from minibert.commands.main import main
from minibert.course.learn.paths import chapters_folder, word_lists
from minibert.course.teach import classroom, fence, grading, marks
from minibert.course.teach.command import run
from minibert.course.teach.grading import Course, Settings, grade_one, merge, reason
from minibert.course.teach.submissions import submissions

FIXTURES = Path(__file__).parent / "fixtures"
POINTS = {"90-mean": 4, "90-largest": 3, "90-shift": 2, "90-why": 3}
NOISY = """
import sys, warnings
def mean(values):
    warnings.warn("about to add")
    print("adding", file=sys.stderr)
    return sum(values) / len(values)
"""
LINKS = "This is [chapter 90](90_demo.ipynb); go on with [chapter 91](91_next.ipynb)."
UNSEEN = "\n# %%\nsetattr(mb, 'unseen', 1)\n"  # a cell that no name leads to
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
    "listed": {  # the results of the check that everybody can read, and nothing computed
        "90-mean-solution-1": "def mean(values):\n    return 3.0",
        "90-largest-solution-1": "def largest(values):\n    return -1",
        "90-shift-solution-1": "number = 12",
    },
    "unseeing": {
        "90-mean-solution-1": "def mean(values):\n    return mb.unseen * sum(values) / len(values)",
    },
    "endless": {
        "90-mean-solution-1": "import time\nwhile True:\n    time.sleep(0.1)",
        "90-shift-solution-1": "number = 12",
    },
    "crash": {"90-largest-solution-1": "import os\nos._exit(1)"},
}
PLAIN = "def mean(values):\n    return sum(values) / len(values)"
SILENCE = "get_ipython().display_trap.hook = lambda value: None"
HELPERS = "import statistics\nframe = [axes.get_ylabel()]\ndef add(values):\n    return sum(values)"
MEAN = """
def mean(values):
    return add(values) / len(values) if frame == ["sin x"] and statistics else None
"""


def tagged(notebook):
    """Checks that nbclient would leave out, and nbgrader give full marks."""
    for cell in notebook.cells:
        cell.metadata.tags = ["skip-execution", "raises-exception"]


def silent(notebook):
    """A right answer in a kernel that displays nothing."""
    answered(notebook, "90-mean-solution-1", PLAIN)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SILENCE))


def lost(notebook):
    """A right answer without its check, and without a written answer."""
    answered(notebook, "90-mean-solution-1", PLAIN)
    gone = ("90-mean", "90-why")
    notebook.cells = [cell for cell in notebook.cells if mark(cell) not in gone]


def answered(notebook, name, text):
    """The cell of that name, with the text in it."""
    (cell,) = (cell for cell in notebook.cells if mark(cell) == name)
    cell.source = text
    return cell


def helped(notebook):
    """An answer that needs a cell of the student's own, which needs cells of the chapter."""
    place = [mark(cell) for cell in notebook.cells].index("90-mean-solution-1")
    notebook.cells[place].source = MEAN
    notebook.cells.insert(place, nbformat.v4.new_code_cell(HELPERS))


def mark(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


CRAFTED = {change.__name__: change for change in (tagged, silent, lost, helped)}
GRADED = {*SUBMISSIONS, *CRAFTED} - {"crash"}
TIMEOUT = 40  # seconds for a cell: the first one imports, on a busy machine, too


def submitted(released, answers):
    """A copy of the released notebook with a student's answers in it."""
    notebook = copy.deepcopy(released)
    for name, text in answers.items():
        answered(notebook, name, text)
    return notebook


def write(notebook, folder, name="90_demo"):
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")


@dataclass(frozen=True)
class Graded:
    """A course folder, its gradebook's URL, and what `minibert course grade` printed."""

    root: Path
    url: str
    printed: str
    status: int


def command(*arguments):
    """(exit status, what was printed) of ``minibert course ...``."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = main(["course", *map(str, arguments)])
    return status, printed.getvalue()


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course made by `release`, with every submission graded by `grade`, two at a time."""
    root = tmp_path_factory.mktemp("course")
    chapters, folder = root / "chapters", root / "teacher"
    shutil.copytree(FIXTURES / "source", chapters / "source")
    source = chapters / "source" / "90_demo.py"
    text = source.read_text("utf-8").replace("{{head}}", "{{head}}\n\n" + LINKS)
    text = text.replace("import minibert as mb\n", "import minibert as mb\n" + UNSEEN)
    source.write_text(text, "utf-8")
    (chapters / "glossary.md").write_text(f"# Words\n\n{LINKS}\n", "utf-8")
    (chapters / "words").mkdir()
    (chapters / "words" / "ours.toml").write_text("[pet]\nwords = ''", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIBERT_EXERCISES", str(FIXTURES / "exercises"))
        patch.setenv("PYTHONPATH", str(FIXTURES.parents[2]))
        status, _ = command("release", "--out", folder, "--root", chapters)
        assert status == 0
        solved = nbformat.read(folder / "source" / "ch90" / "90_demo.ipynb", 4)
        released = nbformat.read(folder / "release" / "ch90" / "90_demo.ipynb", 4)
        for student, answers in SUBMISSIONS.items():
            notebook = solved if answers is None else submitted(released, answers)
            write(notebook, folder / "submitted" / student / "ch90")
        for student, change in CRAFTED.items():
            notebook = copy.deepcopy(released)
            change(notebook)
            write(notebook, folder / "submitted" / student / "ch90")
        hopeless(folder / "submitted", released)
        status, printed = command("grade", folder, "--timeout", TIMEOUT, "--workers", 2)
        yield Graded(folder, f"sqlite:///{folder / 'gradebook.db'}", printed, status)
    grading.rest()


def hopeless(folder, released):
    """Submissions that cannot even be run."""
    for student in ("no-notebook", "no-json"):
        (folder / student / "ch90").mkdir(parents=True)
    (folder / "no-json" / "ch90" / "90_demo.ipynb").write_text('{"cells": [')
    (folder / "link" / "ch90").mkdir(parents=True)
    solved = folder.parent / "source" / "ch90" / "90_demo.ipynb"
    (folder / "link" / "ch90" / "90_demo.ipynb").symlink_to(solved)
    write(released, folder / "misnamed" / "ch90", name="homework")
    write(released, folder / "elsewhere" / "chapter90")
    (folder / "loose.ipynb").write_text("")


def grades(course, student):
    """Points by grade id; None for what a teacher has still to read."""
    with Gradebook(course.url) as gradebook:
        notebook = gradebook.find_submission_notebook("90_demo", "ch90", student)
        assert {g.name: g.max_score for g in notebook.grades} == POINTS
        return {g.name: g.auto_score for g in notebook.grades}


def graded(course, student):
    return nbformat.read(course.root / "autograded" / student / "ch90" / "90_demo.ipynb", 4)


def test_the_release_has_no_solution_and_locked_checks(course):
    released = nbformat.read(course.root / "release" / "ch90" / "90_demo.ipynb", 4)
    text = "\n".join(cell.source for cell in released.cells)
    assert "sum(values) / len(values)" not in text and "billionaire" not in text
    marks = [c for c in released.cells if c.metadata.get("nbgrader", {}).get("locked")]
    assert len(marks) == 3 and all("checksum" in cell.metadata.nbgrader for cell in marks)
    assert not any(cell.metadata.editable for cell in marks)


def test_every_link_of_the_release_leads_to_a_file_of_it(course):
    """A student has this folder alone: the words of other links stay."""
    folder = course.root / "release" / "ch90"
    released = nbformat.read(folder / "90_demo.ipynb", 4)
    pages = [cell.source for cell in released.cells if cell.cell_type == "markdown"]
    pages.append((folder / "glossary.md").read_text("utf-8"))
    links = [link for page in pages for link in re.findall(r"\]\((?!http)([^)]+)\)", page)]
    assert sorted(links) == ["90_demo.ipynb", "90_demo.ipynb", "glossary.md"]
    assert all((folder / link).is_file() for link in links)
    assert sum("go on with chapter 91." in page for page in pages) == 2


def test_words_of_a_teachers_own_come_along(course):
    """Where `chapters_folder` finds them in a released notebook."""
    folder = chapters_folder(course.root / "release" / "ch90")
    assert [path.name for path in word_lists(folder)] == ["words"]
    assert (course.root / "source" / "ch90" / "chapters" / "words" / "ours.toml").is_file()


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


@pytest.mark.parametrize("student", ["tagged", "silent"])
def test_a_check_is_run_whatever_its_tags_and_judged_whatever_it_prints(course, student):
    nothing = dict.fromkeys(POINTS, 0)
    assert grades(course, student) == nothing | {"90-mean": 4 if student == "silent" else 0}


def test_a_check_that_is_gone_is_put_back_and_a_lost_answer_told(course):
    assert grades(course, "lost") == dict.fromkeys(POINTS, 0) | {"90-mean": 4}
    line = "! lost/ch90: 4 of 12 points; the check of 90.mean was gone and was put back; no points"
    assert f"{line} for 90.why: its cell is gone" in course.printed
    assert {m.state for m in marks.marks(course.url) if m.student == "lost"} == {"automatic"}


def test_cells_run_that_an_answer_needs_and_no_others(course):
    assert grades(course, "helped") == dict.fromkeys(POINTS, 0) | {"90-mean": 4}
    ran = {cell.source: bool(cell.execution_count) for cell in graded(course, "helped").cells
           if cell.cell_type == "code"}  # fmt: skip
    told = [source for source, done in ran.items() if not done]
    assert len(told) == 4 and "math.sqrt" in told[2] and "course.quiz" in told[3]


def test_all_cells_run_where_a_name_is_lacking(course):
    assert grades(course, "unseeing") == dict.fromkeys(POINTS, 0) | {"90-mean": 4}


def test_all_cells_give_the_same_marks(course):
    folder = Course(course.root)
    (solved,) = (s for s in submissions(folder.root, folder.expected) if s.student == "solved")
    before = grades(course, "solved")
    assert not any("1.4142" in str(cell) for cell in graded(course, "solved").cells)
    assert grade_one(folder, solved, Settings(timeout=TIMEOUT, every_cell=True)).marks
    assert grades(course, "solved") == before
    assert any("1.4142" in str(cell) for cell in graded(course, "solved").cells)


def test_words_wait_for_the_teacher(course):
    assert grades(course, "noisy")["90-why"] is None


def test_no_graded_cell_wrote_to_stderr(course):
    for student in GRADED - {"broken", "endless"}:
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


def test_a_listed_answer_passes_the_check_that_is_seen_and_fails_the_hidden_one(course):
    assert grades(course, "listed") == dict.fromkeys(POINTS, 0) | {"90-shift": 2}
    told = [c.source for c in graded(course, "listed").cells if "a hidden test" in str(c)]
    assert told == ['mb.course.check("90.mean", mean)', 'mb.course.check("90.largest", largest)']
    assert "a hidden test" not in str(graded(course, "solved").cells)


def test_the_seed_stays_with_the_teacher(course):
    seed = (course.root / classroom.SEED_FILE).read_text().strip()
    assert len(seed) == 32 and "MINIBERT_HIDDEN_SEED" not in os.environ
    for path in (course.root / "release").rglob("*"):
        assert path.is_dir() or seed not in path.read_text("utf-8")


def number(course, grade_id):
    """Which cell of the released notebook that is, counted from 1."""
    released = nbformat.read(course.root / "release" / "ch90" / "90_demo.ipynb", 4)
    return [mark(cell) for cell in released.cells].index(grade_id) + 1


def test_an_endless_loop_is_stopped_and_reported_and_the_rest_counts(course):
    assert grades(course, "endless") == dict.fromkeys(POINTS, 0) | {"90-shift": 2}
    where = f"cell {number(course, '90-mean-solution-1')} was stopped after {TIMEOUT} s"
    assert f"! endless/ch90: 2 of 12 points; {where}" in course.printed


def test_a_crash_is_reported_with_its_cell_and_gets_no_marks(course):
    where = f"cell {number(course, '90-largest-solution-1')} (`import os`)"
    assert f"! crash/ch90: not graded: the kernel died in {where}" in course.printed
    assert not (course.root / "autograded" / "crash").exists()


@pytest.mark.parametrize(
    "line",
    [
        "! no-notebook/ch90: not graded: 90_demo.ipynb is missing; the folder has no notebook",
        "! link/ch90: not graded: 90_demo.ipynb is a link: put the file itself there",
        "! no-json/ch90: not graded: 90_demo.ipynb is not a readable notebook",
        "! misnamed/ch90: not graded: 90_demo.ipynb is missing; found homework.ipynb: is it mis",
        "! elsewhere/chapter90: not graded: no assignment has this name; there are: ch90",
        "! loose.ipynb/?: not graded: a file; expected submitted/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb",
    ],
)
def test_what_cannot_be_graded_is_one_clear_line(course, line):
    assert sum(text.startswith(line) for text in course.printed.splitlines()) == 1
    assert course.status == 1


def test_all_others_are_graded(course):
    with Gradebook(course.url) as gradebook:
        assert {s.student.id for s in gradebook.assignment_submissions("ch90")} == GRADED
    assert f"[{len(GRADED) + 1}/{len(GRADED) + 1}]" in course.printed


def rows(course, name):
    with open(course.root / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_adds_up(course):
    points, of, waiting = (defaultdict(float) for _ in range(3))
    for row in rows(course, "grades.csv"):
        points[row["student"]] += float(row["points"] or 0)
        of[row["student"]] += float(row["of"])
        waiting[row["student"]] += float(row["of"]) if row["state"] == "waiting" else 0
    totals = {row["student"]: row for row in rows(course, "totals.csv")}
    assert set(of) == GRADED and set(of.values()) == {sum(POINTS.values())}
    assert points["solved"] == 9 and points["untouched"] == 0 and points["half"] == 3
    assert waiting == dict.fromkeys(of, 0) | {"solved": 3, "noisy": 3}
    for student in of:
        told = totals[student]
        assert float(told["points"]) == points[student] and float(told["of"]) == 12
        assert float(told["waiting"]) == waiting[student]
    assert totals["crash"]["points"] == "" and "kernel died" in totals["crash"]["remark"]
    assert list(rows(course, "grades.csv")[0]) == list(marks.GRADES)


def test_what_is_unchanged_is_not_graded_again(course):
    status, printed = command("grade", course.root, "--students", "solved,half")
    assert status == 1 and "2 unchanged" in printed and "[1/" not in printed
    totals = {row["student"]: row["remark"] for row in rows(course, "totals.csv")}
    assert "kernel died" in totals["crash"] and "is missing" in totals["misnamed"]


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (["--chapters", "90,7"], "ch07: not released; there are: ch90."),
        (["--students", "half, nobody"], "nobody: no such folder in "),
    ],
)
def test_a_name_that_nothing_has_is_refused(course, capsys, option, told):
    assert main(["course", "grade", str(course.root), *option]) == 1
    assert told in capsys.readouterr().err


def test_a_grading_that_fails_costs_no_old_mark(course):
    """Stopped in the middle, as by `--limit`: marks and graded notebook stay as they were."""
    before = grades(course, "half"), graded(course, "half")
    folder = Course(course.root)
    (half,) = (s for s in submissions(folder.root, folder.expected) if s.student == "half")
    told = grade_one(folder, half, Settings(timeout=9, limit=0.2))
    assert not told.marks and told.remark.startswith("not graded: stopped after 0.2 s")
    assert (grades(course, "half"), graded(course, "half")) == before


def test_a_system_without_a_fence_is_named(course, monkeypatch, capsys):
    monkeypatch.setattr(fence, "version", lambda: 0)
    monkeypatch.setattr(grading, "grade_all", lambda *_: [])
    run(Course(course.root), [None], Settings())
    assert "Submissions are not fenced off here" in capsys.readouterr().out
    monkeypatch.setattr(fence, "version", lambda: 7)
    run(Course(course.root), [None], Settings())
    assert "fence" not in capsys.readouterr().out


def test_what_nbgrader_says_is_told_in_plain_words(tmp_path):
    (tmp_path / "cell").write_text("3 import os")
    boilerplate = "\n[ERROR] Please see the the above traceback for details."
    outdated = "nbgrader.SchemaTooOldError: Outdated schema version: 0 (expected 3)" + boilerplate
    told = reason(outdated, tmp_path)
    assert told.startswith("the course's own notebook is of another version of nbgrader: release")
    told = reason("  sqlalchemy.OperationalError: disk I/O error" + boilerplate, tmp_path)
    assert told == "OperationalError: disk I/O error (in cell 3 (`import os`))"
    told = reason("Killed" + boilerplate, tmp_path)
    assert told == "nbgrader ended without saying why (in cell 3 (`import os`))"


def test_new_automatic_marks_leave_a_teachers_marks_alone(course, tmp_path):
    folder = Course(course.root)
    folder.copy_gradebook(tmp_path / "new.db")
    with sqlite3.connect(tmp_path / "new.db") as new:
        new.execute("UPDATE grade SET auto_score = 1 WHERE auto_score IS NOT NULL")
    folder.copy_gradebook(tmp_path / "old.db")
    url = f"sqlite:///{tmp_path / 'old.db'}"
    with Gradebook(url) as gradebook:
        gradebook.find_grade("90-why", "90_demo", "ch90", "noisy").manual_score = 2
        gradebook.find_grade("90-why", "90_demo", "ch90", "noisy").needs_manual_grade = False
        gradebook.db.commit()
    (noisy,) = (s for s in submissions(folder.root, folder.expected) if s.student == "noisy")
    merge(f"sqlite:///{tmp_path / 'new.db'}", url, noisy, {"90-shift": 2})
    found = {(m.student, m.exercise): m for m in marks.marks(url)}
    assert found["noisy", "90.why"].points == 2 and found["noisy", "90.why"].state == "review"
    assert found["noisy", "90.mean"].points == 1 and found["half", "90.mean"].points == 2
    assert found["noisy", "90.shift"].points == 2  # as judged, whatever nbgrader's copy says


def test_released_again_only_by_force(course):
    chapters = course.root.parent / "chapters"
    seed = (course.root / classroom.SEED_FILE).read_text()
    told = list(classroom.release(course.root, chapters, ["90"]))
    assert told == ["ch90: released before; left as it is (--force makes it again)"]
    before = grades(course, "solved")
    assert list(classroom.release(course.root, chapters, None, force=True)) == [
        "ch90: A demonstration, 12 points"
    ]
    assert grades(course, "solved") == before
    assert (course.root / classroom.SEED_FILE).read_text() == seed


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="is not empty and has no nbgrader_config.py"):
        classroom.prepare(tmp_path)
    with pytest.raises(FileNotFoundError, match="has no gradebook.db"):
        Course(tmp_path)


def test_a_name_that_a_spreadsheet_would_compute_is_plain_text(tmp_path):
    rows = [marks.Total("=HYPERLINK(1)", "ch90", 1.0, 12, 0, "")]
    marks.write(tmp_path, [], rows)
    assert "'=HYPERLINK(1),ch90,1,12,0," in (tmp_path / "totals.csv").read_text()
