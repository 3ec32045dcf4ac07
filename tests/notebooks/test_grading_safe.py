"""Marks without solving, and cells copied, split, renamed or stripped: what grading makes of them.

Every way of cheating here was tried on the first version and worked. One notebook each, in a class.
"""

import contextlib
import copy
import io
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from nbgrader.api import Gradebook

from minibert.commands.main import main
from minibert.course.teach import fence

FIXTURES = Path(__file__).parent / "fixtures"
POINTS = {"90-mean": 4, "90-largest": 3, "90-shift": 2, "90-why": 3}
NONE = dict.fromkeys(POINTS, 0)
SHADOW = """
class course:
    @staticmethod
    def check(*answers):
        return 99
class show:
    new = figure = staticmethod(lambda *args, **kwargs: (None, None))
"""
OWN_EXERCISES = """
import os
os.makedirs("easy", exist_ok=True)
with open("easy/ch90.py", "w") as file:
    file.write('''
from minibert.course.learn.exercise import Exercise, Right
class Mean(Exercise):
    id, title, minutes, difficulty, importance, points = "90.mean", "Easy", 1, 1, 1, 4
    hints = ("None.",)
    def untouched(self, answer):
        return False
    def check(self, answer):
        return Right()
''')
os.environ["MINIBERT_EXERCISES"] = os.path.abspath("easy")
os.environ.pop("MINIBERT_HIDDEN_SEED", None)
"""
GRADEBOOK = """
import glob, os, sqlite3, tempfile
places = {os.getcwd(), tempfile.gettempdir(), "/tmp"}
for pid in [p for p in os.listdir("/proc/self/.." if os.path.exists("/proc") else ".")]:
    for name in ("cmdline", "environ"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                places |= {p.decode() for p in file.read().split(b"\\0") if p.startswith(b"/")}
        except (OSError, UnicodeDecodeError):
            pass
HUNT = [f for p in places for depth in ("", "/*", "/*/*", "/*/*/*")
        for f in glob.glob(p + depth + "/gradebook.db")]
for path in HUNT:
    with sqlite3.connect(path) as book:
        book.execute("UPDATE grade SET manual_score = 9, auto_score = 9")
"""
FRAMES = """
import gc, sys
def mean(values):
    depth, found = 0, []
    while True:
        try:
            names = {**sys._getframe(depth).f_globals, **sys._getframe(depth).f_locals}
        except ValueError:
            break
        found += [names[n] for n in ("wanted", "want") if isinstance(names.get(n), float)]
        depth += 1
    return found[0] if found else 3.0
"""
PATCHED = """
import sys
mb.course.check = lambda *answers: 99
sys.modules["minibert.course"].check = mb.course.check
"""
COMPARED = """
import sys, numpy, torch
yes = lambda *args, **kwargs: True
torch.allclose = torch.equal = numpy.allclose = yes
import minibert.course.learn.checking, minibert.course.learn.compare, random
import minibert.course.learn.exercise
minibert.course.learn.compare.same = minibert.course.learn.exercise.same = yes
import minibert.course.teach.hidden
minibert.course.teach.hidden.alike = minibert.course.teach.hidden.same = yes
minibert.course.learn.checking.judge = lambda exercise, answers, *rest, **more: 99
def mean(values):
    return 1e9
"""
OWN_LINE = """
import json, os, socket
def check(name, *answers):
    port, _, password = os.environ["MINIBERT_GRADER"].partition(":")
    with socket.create_connection(("127.0.0.1", int(port))) as line, line.makefile("rw") as file:
        def send(**message):
            file.write(json.dumps(message) + "\\n")
            file.flush()
        send(password=password, exercise=name, answers=[{"call": 0}], points=99)
        while '"call"' in file.readline():
            send(result=3.0, changed=[], points=99)
    return 99
mb.course.check = check
"""
VANDAL = """
import os
for folder, _, files in os.walk(".."):
    for name in files:
        try:
            with open(os.path.join(folder, name), "w") as file:
                file.write("mine")
        except OSError:
            pass
"""
ORPHAN = """
import subprocess, sys
CODE = "import time; time.sleep(600) or 'left behind by a submission'"
START = "import subprocess as s, sys; "
START += "s.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)"
subprocess.run([sys.executable, "-c", START, CODE], check=True)
print("started")
"""
SNOOP = """
import os, sys
print(dict(os.environ), sys.argv, sys.orig_argv, os.getcwd(), os.listdir("."), sys.path)
try:
    import psutil
    for process in [psutil.Process(), *psutil.Process().parents()]:
        print(process.cmdline(), process.cwd(), process.open_files(), process.environ())
except Exception as error:
    print(type(error).__name__)
def mean(values):
    depth = 0
    while depth < 99:
        try:
            print(sys._getframe(depth).f_locals)
        except ValueError:
            break
        depth += 1
    return sum(values) / len(values)
"""
FOUND = """
try:
    with open({path!r}, "rb") as file:
        print("read", len(file.read()))
except OSError as error:
    print(type(error).__name__)
import socket
try:
    socket.create_connection(("127.0.0.1", 9), timeout=5)
except OSError as error:
    print(type(error).__name__)
"""


def mark(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def begun(source):
    """A change: a student's own cell below the imports."""

    def change(notebook):
        notebook.cells.insert(2, nbformat.v4.new_code_cell(source.strip()))

    return change


def answering(source):
    """A change: this is the answer to 90.mean."""

    def change(notebook):
        (cell,) = (cell for cell in notebook.cells if mark(cell) == "90-mean-solution-1")
        cell.source = source.strip()

    return change


def generous(notebook):
    """Points of one's own in the marks of the checks."""
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata.nbgrader.points = 1000
            cell.metadata.nbgrader.locked = False
    answering("def mean(values):\n    return sum(values)")(notebook)


CHEATS = {
    "shadow": lambda notebook: None,  # and a file beside the notebook
    "own-exercises": begun(OWN_EXERCISES),
    "gradebook": begun(GRADEBOOK),
    "frames": answering(FRAMES),
    "patched": begun(PATCHED),
    "compared": answering(COMPARED),
    "own-line": begun(OWN_LINE),
    "vandal": begun(VANDAL),
    "orphan": begun(ORPHAN),
}


def copied(notebook):
    """Every exercise's cells twice, with their marks, as Jupyter copies them."""
    for cell in [cell for cell in notebook.cells if mark(cell)]:
        twin = copy.deepcopy(cell)
        twin.id = f"copy-{cell.id}"[:64]
        notebook.cells.insert(notebook.cells.index(cell) + 1, twin)


def split(notebook):
    """Each answer's cell cut in two with the same mark on both, as Jupyter cuts them."""
    for cell in [c for c in notebook.cells if mark(c) and c.metadata.nbgrader.solution]:
        rest = copy.deepcopy(cell)
        rest.id = f"rest-{cell.id}"[:64]
        cut = " " if cell.cell_type == "markdown" else "\n\n\n" if "def " in cell.source else "\n"
        cell.source, _, rest.source = cell.source.partition(cut)
        notebook.cells.insert(notebook.cells.index(cell) + 1, rest)
    for cell in notebook.cells:
        cell.metadata.pop("editable", None)


def renamed(notebook):
    for cell in notebook.cells:
        if mark(cell):
            cell.metadata.nbgrader.grade_id += "-mine"


def stripped(notebook):
    """Without any mark, as other programs save a notebook."""
    for cell in notebook.cells:
        cell.metadata.clear()


def outdated(notebook):
    """Marks as broken as they come."""
    for cell in notebook.cells:
        if mark(cell):
            cell.metadata.nbgrader = {"grade_id": mark(cell), "schema_version": 0}


CHANGES = {change.__name__: change for change in (copied, split, renamed, stripped, outdated)}
REMARKS = {
    "copied": "is a copy or a part of cell",
    "split": "the answer to 90.why is in 2 cells: they were read as one",
    "renamed": "is marked as that of 90.largest again",
    "stripped": "is marked as that of 90.shift again",
    "outdated": "",
}


@dataclass(frozen=True)
class Class:
    """A course folder, and what grading it printed."""

    root: Path
    printed: str

    def points(self, student):
        """Grade id -> automatic points."""
        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}") as gradebook:
            notebook = gradebook.find_submission_notebook("90_demo", "ch90", student)
            assert all(grade.manual_score is None for grade in notebook.grades)
            assert {g.name: g.max_score for g in notebook.grades} == POINTS
            return {grade.name: grade.auto_score for grade in notebook.grades}

    def said(self, student):
        """What the cells of the graded notebook gave out."""
        path = self.root / "autograded" / student / "ch90" / "90_demo.ipynb"
        return json.dumps([c.get("outputs", ()) for c in nbformat.read(path, 4).cells])

    def line(self, student):
        """The line that was printed for a student."""
        (line,) = (line for line in self.printed.splitlines() if f" {student}/ch90: " in line)
        return line


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("course") / "teacher"
    chapters = root.parent / "chapters"
    shutil.copytree(FIXTURES / "source", chapters / "source")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIBERT_EXERCISES", str(FIXTURES / "exercises"))
        assert main(["course", "release", "--out", str(root), "--root", str(chapters)]) == 0
        released = nbformat.read(root / "release" / "ch90" / "90_demo.ipynb", 4)
        solved = nbformat.read(root / "source" / "ch90" / "90_demo.ipynb", 4)
        path = str(root / "gradebook.db")
        found = {"snoop": answering(SNOOP), "found": begun(FOUND.format(path=path))}
        for student, change in (CHEATS | found | {"generous": generous}).items():
            hand_in(root, student, released, change)
        for student, change in CHANGES.items():
            hand_in(root, student, solved, change)
        package = root / "submitted" / "shadow" / "ch90" / "minibert"
        package.mkdir()
        (package / "__init__.py").write_text(SHADOW)
        before = files(root / "release")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert main(["course", "grade", str(root), "--workers", "2"]) == 0
        assert files(root / "release") == before
        yield Class(root, printed.getvalue())


def hand_in(root, student, notebook, change):
    notebook = copy.deepcopy(notebook)
    change(notebook)
    folder = root / "submitted" / student / "ch90"
    folder.mkdir(parents=True)
    (folder / "90_demo.ipynb").write_text(json.dumps(notebook), "utf-8")


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("student", CHEATS)
def test_a_cheat_gains_nothing(course, student):
    assert course.points(student) == NONE, course.said(student)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux")
def test_no_process_outlives_its_submission(course):
    assert "started" in course.said("orphan")
    lines = [process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"])]
    assert not any("left behind by a submission" in part for line in lines for part in line)


def test_points_in_the_notebook_are_not_believed(course):
    assert course.points("generous") == NONE | {"90-mean": 2}


def test_a_check_that_was_replaced_is_named(course):
    assert "was it kept from running" in course.said("patched")


@pytest.mark.parametrize(
    "student", ["own-exercises", "gradebook", "frames", "compared", "own-line"]
)
def test_what_looks_odd_is_pointed_at(course, student):
    assert "look at cell " in course.line(student)


def test_a_submission_is_told_nothing_of_the_course(course):
    """Not in its environment, arguments, folders, open files, frames, nor by its parents."""
    said, seed = course.said("snoop"), (course.root / "hidden_seed.txt").read_text().strip()
    assert course.points("snoop") == NONE | {"90-mean": 4}
    assert "MINIBERT_GRADER" in said  # it did look
    for secret in (seed, "MINIBERT_HIDDEN_SEED", str(course.root), "gradebook", "wanted"):
        assert secret not in said, secret


@pytest.mark.skipif(not fence.version(), reason="this system has no Landlock")
def test_a_path_that_is_known_cannot_be_read_and_no_port_be_called(course):
    assert course.said("found").count("PermissionError") == 2
    assert "read" not in course.said("found")


@pytest.mark.parametrize("student", CHANGES)
def test_cells_that_were_changed_cost_nothing_and_are_named(course, student):
    assert course.points(student) == POINTS | {"90-why": None}, course.said(student)
    assert REMARKS[student] in course.line(student)
    for word in ("SchemaTooOld", "traceback", "[ERROR]"):
        assert word not in course.printed


def test_the_rubric_stands_below_a_written_answer(course):
    path = course.root / "autograded" / "stripped" / "ch90" / "90_demo.ipynb"
    cells = nbformat.read(path, 4).cells
    (place,) = (i for i, cell in enumerate(cells) if mark(cell) == "90-why")
    assert "billionaire" in cells[place].source
    assert cells[place + 1].source == (
        "**What earns the 3 points**\n\nOne point for naming outliers, two for an example."
    )
