"""``minibert course grade``: every submission autograded by nbgrader, several at a time.

Each one is graded in a process and a folder of its own (`minibert.course.grade_one`), with a copy
of the gradebook; when nbgrader is done, its marks are put into the course's gradebook here, one
submission after the other. So whatever goes wrong with one stops no other and costs no old mark.
"""

import json
import os
import queue
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from nbgrader.api import Gradebook

from minibert.course.paths import write_text
from minibert.course.submissions import Submission

STATE = "graded.json"
RUNNING = set()  # the processes that grade now


@dataclass(frozen=True)
class Graded:
    """What became of it: ``remark`` is empty when all went well, ``marks`` whether it has marks."""

    submission: Submission
    marks: bool
    remark: str
    seconds: float


def notebooks_of(gradebook):
    """Assignment -> the names of its notebooks."""
    return {a.name: sorted(n.name for n in a.notebooks) for a in gradebook.assignments}


def graded_cells_of(gradebook):
    """Assignment -> the ids of all cells that bring points."""
    return {
        a.name: sorted(cell.name for notebook in a.notebooks for cell in notebook.grade_cells)
        for a in gradebook.assignments
    }


class Course:
    """A course folder under grading: what was graded, the gradebook, a history folder a run."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.database = self.root / "gradebook.db"
        if not self.database.is_file():
            raise FileNotFoundError(
                f"{self.root} has no gradebook.db: `minibert course release --out DIR` makes one."
            )
        self.url = f"sqlite:///{self.database}"
        self.history = self.root / "history" / time.strftime("%Y%m%d-%H%M%S")
        self.lock = threading.Lock()
        with Gradebook(self.url) as gradebook:
            self.expected = notebooks_of(gradebook)
            self.graded_cells = graded_cells_of(gradebook)

    def state(self):
        """Submission's key -> what its last grading left (digest, remark, seconds)."""
        path = self.root / STATE
        return json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def remember(self, graded):
        """Write down what became of one submission."""
        with self.lock:
            entries = self.state()
            entries[graded.submission.key] = {
                "digest": graded.submission.digest if graded.marks else "",
                "remark": graded.remark,
                "seconds": round(graded.seconds, 1),
                "when": time.strftime("%Y-%m-%dT%H:%M:%S"),
            }
            write_text(self.root / STATE, json.dumps(entries, indent=1, sort_keys=True) + "\n")

    def copy_gradebook(self, path):
        """A copy of the gradebook, whole even if somebody writes to it now."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(self.database) as source, sqlite3.connect(path) as target:
            source.backup(target)
        source.close(), target.close()

    def take_over(self, submission, scratch, lost=()):
        """Put the marks and the graded notebooks from ``scratch`` into the course."""
        with self.lock:
            merge(f"sqlite:///{scratch / 'gradebook.db'}", self.url, submission, lost)
            place = self.root / "autograded" / submission.student / submission.assignment
            if place.exists():
                kept = self.history / "autograded" / submission.student
                kept.mkdir(parents=True, exist_ok=True)
                place.rename(kept / submission.assignment)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(scratch / "autograded" / submission.student / submission.assignment, place)


def merge(new_url, url, submission, lost=()):
    """Copy one submission's automatic marks; what a teacher gave or wrote is left alone.

    Of the ``lost`` cells nbgrader would say that a teacher has to read them: they bring no points.
    """
    name, student = submission.assignment, submission.student
    warnings.filterwarnings("ignore", "Object of type", module=r"nbgrader\.api")  # its own affair
    with Gradebook(new_url) as new, Gradebook(url) as gradebook:
        fresh = new.find_submission(name, student)
        gradebook.update_or_create_student(student)
        ours = gradebook.update_or_create_submission(name, student)
        ours.timestamp = fresh.timestamp
        for notebook in fresh.notebooks:
            where = notebook.name, name, student
            mine = gradebook.find_submission_notebook(*where)
            mine.late_submission_penalty = notebook.late_submission_penalty
            for grade in notebook.grades:
                mine = gradebook.find_grade(grade.name, *where)
                gone = grade.name in lost
                mine.auto_score = 0 if gone else grade.auto_score
                mine.needs_manual_grade = grade.needs_manual_grade and not gone
            for comment in notebook.comments:
                gradebook.find_comment(comment.name, *where).auto_comment = comment.auto_comment
        gradebook.db.commit()


def grade_one(course, submission, settings):
    """Grade one submission in a folder of its own; gives a `Graded`, raises nothing."""
    start = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="grading-") as folder:
            remark, marks = _grade_in(Path(folder), course, submission, settings)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        remark, marks = f"not graded: {type(error).__name__}: {text}", False
    return Graded(submission, marks, remark, time.perf_counter() - start)


def _grade_in(scratch, course, submission, settings):
    with course.lock:
        course.copy_gradebook(scratch / "gradebook.db")
    name, student = submission.assignment, submission.student
    shutil.copytree(course.root / "source" / name, scratch / "source" / name)
    place = scratch / "submitted" / student / name
    shutil.copytree(submission.folder, place, ignore=links)
    command = [sys.executable, "-m", "minibert.course.grade_one", course.root, scratch, name]
    command += [student, settings.timeout, "all" if settings.every_cell else "needed"]
    with open(scratch / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            list(map(str, command)), env=environment(scratch, settings), stdout=log, stderr=log
        )
        RUNNING.add(process)
        try:
            process.wait(settings.limit)
        except subprocess.TimeoutExpired:
            return f"not graded: stopped after {settings.limit:g} s in {last_cell(scratch)}", False
        finally:
            end(process)
    result = scratch / "result.json"
    if result.is_file():
        told = json.loads(result.read_text("utf-8"))
    else:  # the grading itself has ended, out of memory perhaps
        told = {"success": False, "log": (scratch / "log").read_text("utf-8", "replace")}
    if not told["success"]:
        return f"not graded: {reason(told['log'], scratch)}", False
    graded = scratch / "autograded" / student / name
    told, lost = [*timed_out(graded, settings.timeout)], missing(graded, course.graded_cells[name])
    if lost:
        names = ", ".join(cell.replace("-", ".", 1) for cell in lost)
        told.append(f"no points for {names}: the notebook lacks their cells")
    course.take_over(submission, scratch, lost)
    return "; ".join(told), True


def links(folder, names):
    """The names in a folder that are links: a submission's links are not followed."""
    return [name for name in names if os.path.islink(os.path.join(folder, name))]


def environment(scratch, settings):
    """What a graded notebook runs under: smoke size, the processor, no data sets, an empty home.

    With ``settings.full``, at full size with whatever there is.
    """
    small = {} if settings.full else {"MINIBERT_SMOKE": "1", "MINIBERT_DEVICE": "cpu"}
    kept = {k: v for k, v in os.environ.items() if settings.full or k != "MINIBERT_DATA"}
    return (
        kept
        | small
        | {
            "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this very Python
            "MINIBERT_HOME": str(scratch / "home"),
            "OMP_NUM_THREADS": str(settings.threads),
            "PYTHONHASHSEED": "0",
        }
    )


def end(process):
    """Stop a process and all that it started, whatever state they are in."""
    try:
        family = [
            *psutil.Process(process.pid).children(recursive=True),
            psutil.Process(process.pid),
        ]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()
    RUNNING.discard(process)


def last_cell(scratch):
    """The cell that was begun last, in words."""
    path = scratch / "cell"
    if not path.is_file():
        return "the first cell"
    number, _, line = path.read_text("utf-8").partition(" ")
    line = line if len(line) <= 50 else line[:47] + "..."
    return f"cell {number} (`{line}`)"


def reason(log, scratch):
    """nbgrader's log in a few words."""
    if "DeadKernelError" in log:
        return f"the kernel died in {last_cell(scratch)}"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line or line.startswith("[ERROR]")]
    text = (errors or lines or ["nbgrader ended without a word"])[-1]
    return f"{text[:200]} (in {last_cell(scratch)})"


def timed_out(folder, timeout):
    """A sentence for each cell of a graded notebook that ran over the time limit."""
    for path in sorted(folder.glob("*.ipynb")):
        for number, cell in enumerate(nbformat.read(path, 4).cells, 1):
            names = [output.get("ename") for output in cell.get("outputs", ())]
            if "CellTimeoutError" in names:
                yield f"cell {number} was stopped after {timeout:g} s"


def missing(folder, expected):
    """Those of the ``expected`` cells that a graded notebook lacks."""
    cells = [cell for path in folder.glob("*.ipynb") for cell in nbformat.read(path, 4).cells]
    there = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in cells}
    return [name for name in expected if name not in there]


@dataclass(frozen=True)
class Settings:
    """How to grade: seconds a cell and a submission, processes, threads of each, size, cells."""

    timeout: float = 60
    limit: float = 900
    workers: int = 1
    threads: int = 1
    full: bool = False
    every_cell: bool = False


def grade_all(course, chosen, settings):
    """Grade the chosen submissions, ``settings.workers`` at a time; yields each as it is done."""
    waiting, done = queue.SimpleQueue(), queue.SimpleQueue()
    for submission in chosen:
        waiting.put(submission)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            try:
                submission = waiting.get_nowait()
            except queue.Empty:
                return
            graded = grade_one(course, submission, settings)
            course.remember(graded)
            done.put(graded)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(settings.workers)]
    for thread in threads:
        thread.start()
    try:
        for _ in chosen:
            yield done.get()
    finally:
        stop.set()
        for process in tuple(RUNNING):  # none, unless we were interrupted
            end(process)
