"""Every submission in a course folder, inspected but not run."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat

Expected = Mapping[str, Iterable[str]]  # assignment -> the names of its notebooks
LARGEST = 50_000_000  # bytes of a submitted notebook


@dataclass(frozen=True)
class Submission:
    """One student's submission for one assignment; ``problem`` says why it cannot be graded."""

    student: str
    assignment: str
    folder: Path
    problem: str = ""
    digest: str = ""

    @property
    def key(self) -> str:
        return f"{self.student}/{self.assignment}"


def submissions(root: Path, expected: Expected) -> list[Submission]:
    """Every `Submission` under ``root/submitted``, by student, inspected but not run."""
    found = []
    for student in visible(root / "submitted"):
        handed_in = visible(student) if student.is_dir() else []
        if not student.is_dir():
            where = "submitted/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb"
            found.append(Submission(student.name, "?", student, f"a file; expected {where}"))
        found += [look_at(student.name, folder, expected) for folder in handed_in]
    return found


def visible(folder: Path) -> list[Path]:
    """The entries of a folder, in order, except hidden files."""
    return sorted(path for path in folder.glob("*") if not path.name.startswith("."))


def look_at(student: str, folder: Path, expected: Expected) -> Submission:
    """One submission, with its problem if it has one."""
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


def fault(path: Path, folder: Path) -> str:
    """Why a submitted notebook cannot be read; empty when it can."""
    if path.is_symlink() or folder.is_symlink():
        return f"{path.name} is a link: put the file itself there"
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
        return f"{path.name} is not a readable notebook ({reason})"
    return ""
