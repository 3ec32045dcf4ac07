"""``minibert course grade``: every submission autograded by nbgrader, several at a time.

Each one is graded in a process and a folder of its own (`minibert.course.grade_one`), with a copy
of the gradebook; when nbgrader is done, its marks are put into the course's gradebook here, one
submission after the other. So whatever goes wrong with one stops no other and costs no old mark.
"""

import hashlib
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
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import psutil
from nbgrader.api import Gradebook

from minibert.course.paths import write_text

STATE = "graded.json"
RUNNING = set()  # the processes that grade now
LARGEST = 50_000_000  # bytes of a submitted notebook


@dataclass(frozen=True)
class Submission:
    """What one student handed in for one assignment; ``problem`` says why it cannot be graded."""

    student: str
    assignment: str
    folder: Path
    problem: str = ""
    digest: str = ""

    @property
    def key(self):
        return f"{self.student}/{self.assignment}"


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


def submissions(root, expected):
    """Every `Submission` under ``root/submitted``, by student, looked at but not run."""
    found = []
    for student in visible(root / "submitted"):
        handed_in = visible(student) if student.is_dir() else []
        if not student.is_dir():
            where = "submitted/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb"
            found.append(Submission(student.name, "?", student, f"a file; expected {where}"))
        found += [look_at(student.name, folder, expected) for folder in handed_in]
    return found


def visible(folder):
    """What lies in a folder, in order, but for hidden files."""
    return sorted(path for path in folder.glob("*") if not path.name.startswith("."))


def look_at(student, folder, expected):
    """One submission, with its problem where it has one."""
    submission = Submission(student, folder.name, folder)
    if any(letter in "*?[]" for letter in student):
        return replace(submission, problem="a student's name must not contain * ? [ ]")
    if not folder.is_dir() or folder.name not in expected:
        known = ", ".join(expected) or "none yet"
        return replace(submission, problem=f"no assignment has this name; there are: {known}")
    digest = hashlib.sha256()
    for name in expected[folder.name]:
        path = folder / f"{name}.ipynb"
        problem = fault(path, folder)
        if problem:
            return replace(submission, problem=problem)
        digest.update(path.read_bytes())
    return replace(submission, digest=digest.hexdigest())


def fault(path, folder):
    """Why a submitted notebook cannot be read; empty when it can."""
    if not path.is_file():
        others = ", ".join(p.name for p in visible(folder) if p.suffix == ".ipynb")
        hint = f"found {others}: is it misnamed?" if others else "the folder has no notebook"
        return f"{path.name} is missing; {hint}"
    if path.stat().st_size > LARGEST:
        return f"{path.name} has over {LARGEST / 1e6:.0f} MB: clear its outputs"
    try:
        notebook = nbformat.reads(path.read_text("utf-8"), 4)
        nbformat.validate(notebook)
    except Exception as error:  # a broken file fails in many ways
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        return f"{path.name} is no readable notebook ({reason})"
    return ""


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

    def take_over(self, submission, scratch):
        """Put the marks and the graded notebooks from ``scratch`` into the course."""
        with self.lock:
            merge(f"sqlite:///{scratch / 'gradebook.db'}", self.url, submission)
            place = self.root / "autograded" / submission.student / submission.assignment
            if place.exists():
                kept = self.history / "autograded" / submission.student
                kept.mkdir(parents=True, exist_ok=True)
                place.rename(kept / submission.assignment)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(scratch / "autograded" / submission.student / submission.assignment, place)


def merge(new_url, url, submission):
    """Copy one submission's automatic marks; what a teacher gave or wrote is left alone."""
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
                mine.auto_score = grade.auto_score
                mine.needs_manual_grade = grade.needs_manual_grade
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
    module = "minibert.course.grade_one"
    command = [sys.executable, "-m", module, course.root, scratch, name, student, settings.timeout]
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
    course.take_over(submission, scratch)
    graded = course.root / "autograded" / student / name
    return "; ".join(timed_out(graded, settings.timeout)), True


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


@dataclass(frozen=True)
class Settings:
    """How to grade: seconds a cell and a submission, processes, threads of each, size."""

    timeout: float = 60
    limit: float = 900
    workers: int = 1
    threads: int = 1
    full: bool = False


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
