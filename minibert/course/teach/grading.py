"""``minibert course grade``: every submission autograded by nbgrader, several at a time.

Each one is graded in a process and a folder of its own (`minibert.course.teach.grade_one`), with a
copy of the gradebook; the student's code runs in a second folder that is fenced off from all of
this (`minibert.course.teach.kernel`). When nbgrader is done, the marks are put into the course's
gradebook here, one submission after the other. So whatever goes wrong with one stops no other and
costs no old mark.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
import re
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbgrader.api import Gradebook

from minibert.course.learn.paths import write_text
from minibert.course.teach.nbgrading import SEED_FILE
from minibert.course.teach.restore import odd, restored
from minibert.course.teach.submissions import Submission

Points = dict[str, float]  # by grade id
STATE = "graded.json"
PRELOADED = ["minibert.course.teach.grade_one", "torch"]  # imported once for all submissions
RUNNING: set[BaseProcess] = set()  # the processes that grade now


@dataclass(frozen=True)
class Graded:
    """What became of it: ``remark`` is empty when all went well, ``marks`` whether it has marks."""

    submission: Submission
    marks: bool
    remark: str
    seconds: float


def notebooks_of(gradebook: Gradebook) -> dict[str, list[str]]:
    """Assignment -> the names of its notebooks."""
    return {a.name: sorted(n.name for n in a.notebooks) for a in gradebook.assignments}


class Course:
    """A course folder under grading: what was graded, the gradebook, a history folder a run."""

    def __init__(self, root: str | Path) -> None:
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
        seed = self.root / SEED_FILE
        self.secret = seed.read_text("utf-8").strip() if seed.is_file() else ""

    def state(self) -> dict[str, dict[str, Any]]:
        """Submission's key -> what its last grading left (digest, remark, seconds)."""
        path = self.root / STATE
        return json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def remember(self, graded: Graded) -> None:
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

    def copy_gradebook(self, path: Path) -> None:
        """A copy of the gradebook, whole even if somebody writes to it now."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(self.database) as source, sqlite3.connect(path) as target:
            source.backup(target)
        source.close()
        target.close()

    def take_over(self, submission: Submission, scratch: Path, points: Points) -> None:
        """Put the marks and the graded notebooks from ``scratch`` into the course."""
        with self.lock:
            merge(f"sqlite:///{scratch / 'gradebook.db'}", self.url, submission, points)
            place = self.root / "autograded" / submission.student / submission.assignment
            if place.exists():
                kept = self.history / "autograded" / submission.student
                kept.mkdir(parents=True, exist_ok=True)
                place.rename(kept / submission.assignment)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(scratch / "autograded" / submission.student / submission.assignment, place)


def merge(new_url: str, url: str, submission: Submission, points: Points) -> None:
    """Copy one submission's automatic marks; what a teacher gave or wrote is left alone.

    ``points``, by grade id, are what was judged; nbgrader itself would give a teacher to read a
    written answer that is gone.
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
                judged = points.get(grade.name)
                mine.auto_score = grade.auto_score if judged is None else judged
                mine.needs_manual_grade = grade.needs_manual_grade and judged is None
            for comment in notebook.comments:
                gradebook.find_comment(comment.name, *where).auto_comment = comment.auto_comment
        gradebook.db.commit()


def grade_one(course: Course, submission: Submission, settings: Settings) -> Graded:
    """Grade one submission in a folder of its own; gives a `Graded`, raises nothing."""
    start = time.perf_counter()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="grading-") as ours,
            tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True) as theirs,
        ):
            folders = Path(ours).resolve(), Path(theirs).resolve()
            remark, marks = _grade_in(*folders, course, submission, settings)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        remark, marks = f"not graded: {type(error).__name__}: {text}", False
    return Graded(submission, marks, remark, time.perf_counter() - start)


def _grade_in(scratch, theirs, course, submission, settings):
    name, student = submission.assignment, submission.student
    with course.lock:
        course.copy_gradebook(scratch / "gradebook.db")
    shutil.copytree(course.root / "source" / name, scratch / "source" / name)
    lost, told = hand_in(scratch, course, submission)
    furnish(theirs, course.root / "release" / name)
    variables = variables_of(settings)
    task = {
        "root": str(course.root), "scratch": str(scratch), "folder": str(theirs),
        "assignment": name, "student": student, "secret": course.secret,
        "timeout": settings.timeout, "cells": "all" if settings.every_cell else "needed",
        "variables": variables, "environment": dict(os.environ) | variables,
    }  # fmt: skip
    result = graded_apart(task, settings.limit)
    if result is None:
        return f"not graded: stopped after {settings.limit:g} s in {last_cell(scratch)}", False
    if not result["success"]:
        log = result["log"] or (scratch / "log").read_text("utf-8", "replace")
        return f"not graded: {reason(log, scratch)}", False
    told = [*timed_out(scratch / "autograded" / student / name, settings.timeout), *told]
    course.take_over(submission, scratch, result["points"] | dict.fromkeys(lost, 0))
    return "; ".join(told), True


def hand_in(scratch: Path, course: Course, submission: Submission) -> tuple[list[str], list[str]]:
    """Write the submitted notebooks into ``scratch``, set right; gives (lost cells, remarks)."""
    name, student = submission.assignment, submission.student
    place = scratch / "submitted" / student / name
    place.mkdir(parents=True)
    lost: list[str] = []
    told: list[str] = []
    for stem in course.expected[name]:
        path = f"{stem}.ipynb"
        submitted = nbformat.read(submission.folder / path, 4)
        source = nbformat.read(scratch / "source" / name / path, 4)
        notebook, gone, remarks = restored(submitted, source)
        nbformat.write(notebook, place / path)
        lost, told = lost + gone, told + remarks + odd(submitted.cells, source.cells)
    return lost, told


def furnish(folder: Path, release: Path) -> None:
    """Make the folders of a kernel: what was handed out with the notebook lies in its work."""
    for name in ("home/matplotlib", "tmp"):
        (folder / name).mkdir(parents=True)
    handed_out = shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints")
    if release.is_dir():
        shutil.copytree(release, folder / "work", ignore=handed_out)
    (folder / "work").mkdir(exist_ok=True)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    for fonts in cache.glob("fontlist-*.json"):  # or the first figure takes seconds to find them
        shutil.copy(fonts, folder / "home" / "matplotlib")


def graded_apart(task: dict[str, Any], limit: float) -> dict[str, Any] | None:
    """What `grade_one` sends, from a process of its own; None after ``limit`` seconds."""
    from minibert.course.teach import grade_one

    ways = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in ways else "spawn")
    if "forkserver" in ways:
        context.set_forkserver_preload(PRELOADED)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=grade_one.main, args=(grade_one.Task(**task), sender))
    process.start()
    sender.close()
    RUNNING.add(process)
    try:
        return receiver.recv() if receiver.poll(limit) else None
    except EOFError:  # the grading itself has ended, out of memory perhaps
        return {"success": False, "log": "", "points": {}}
    finally:
        receiver.close()
        end(process)


def rest() -> None:
    """End the process from which the others were forked; the next grading starts a new one."""
    server = sys.modules.get("multiprocessing.forkserver")  # there is none on Windows
    stop = getattr(getattr(server, "_forkserver", None), "_stop", None)
    if stop is not None:
        stop()


def variables_of(settings: Settings) -> dict[str, str]:
    """What a graded notebook is told: smoke size, the processor, no data sets.

    With ``settings.full``, at full size with whatever there is.
    """
    small = {} if settings.full else {"MINIBERT_SMOKE": "1", "MINIBERT_DEVICE": "cpu"}
    data = {k: v for k, v in os.environ.items() if settings.full and k == "MINIBERT_DATA"}
    return small | data | {"OMP_NUM_THREADS": str(settings.threads)}


def end(process: BaseProcess) -> None:
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
    process.join()
    RUNNING.discard(process)


def last_cell(scratch: Path) -> str:
    """The cell that was begun last, in words."""
    path = scratch / "cell"
    if not path.is_file():
        return "the first cell"
    number, _, line = path.read_text("utf-8").partition(" ")
    line = line if len(line) <= 50 else line[:47] + "..."
    return f"cell {number} (`{line}`)"


def reason(log: str, scratch: Path) -> str:
    """nbgrader's log in a few words: the first error that says what is wrong."""
    if "DeadKernelError" in log:
        return f"the kernel died in {last_cell(scratch)}"
    told = re.findall(r"^\s*(?:[\w.]+\.)?(\w+(?:Error|Exception)): (.+)$", log, re.MULTILINE)
    name, text = told[-1] if told else ("", "nbgrader ended without saying why")
    if name.startswith("Schema"):
        name, text = (
            "",
            "the course's own notebook is of another version of nbgrader: release it again",
        )
    return f"{name}: {text[:200]} (in {last_cell(scratch)})".removeprefix(": ")


def timed_out(folder: Path, timeout: float) -> Iterator[str]:
    """A sentence for each cell of a graded notebook that ran over the time limit."""
    for path in sorted(folder.glob("*.ipynb")):
        for number, cell in enumerate(nbformat.read(path, 4).cells, 1):
            names = [output.get("ename") for output in cell.get("outputs", ())]
            if "CellTimeoutError" in names:
                yield f"cell {number} was stopped after {timeout:g} s"


@dataclass(frozen=True)
class Settings:
    """How to grade: seconds a cell and a submission, processes, threads of each, size, cells."""

    timeout: float = 60
    limit: float = 900
    workers: int = 1
    threads: int = 1
    full: bool = False
    every_cell: bool = False


def grade_all(course: Course, chosen: Sequence[Submission], settings: Settings) -> Iterator[Graded]:
    """Grade the chosen submissions, ``settings.workers`` at a time; yields each as it is done."""
    waiting: queue.SimpleQueue[Submission] = queue.SimpleQueue()
    done: queue.SimpleQueue[Graded] = queue.SimpleQueue()
    for submission in chosen:
        waiting.put(submission)
    stop = threading.Event()

    def work() -> None:
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
        rest()
