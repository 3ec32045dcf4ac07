"""One submission graded by nbgrader, in a process and a folder of its own.

`minibert.course.teach.grading` starts this for each submission: whatever a student's code does, a
dead kernel, an endless loop, a full memory, ends here and leaves the course's gradebook as it was.
The student's code runs in a kernel apart from this process (`minibert.course.teach.kernel`), and
the answers are judged in this one (`minibert.course.teach.examiner`).
"""

import contextlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import nbformat
import psutil
from jupyter_client.kernelspec import KernelSpec
from nbformat import NotebookNode
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade
from traitlets import Bool, Dict, List, Unicode

from minibert.course.learn.answering import GRADER
from minibert.course.learn.checking import Outcome
from minibert.course.learn.exercise import Written, find
from minibert.course.learn.messages import boxed
from minibert.course.teach import fence
from minibert.course.teach.examiner import Examiner
from minibert.course.teach.kernel import Place
from minibert.course.teach.nbgrading import CHECK, convert, course_config
from minibert.course.teach.needed_cells import needed

NO_POINTS = "The check gave no points: was it kept from running, or from handing the answers over?"

LACKING = re.compile(r"NameError: name '(\w+)' is not defined|AttributeError|ModuleNotFoundError")


class Run(Execute):
    """nbgrader's own, but that the kernel is fenced off and the checks are judged out here.

    Cells that no answer needs are left out, and tags are not heeded. A check that ends without
    points is an error: nbgrader would give it full marks. ``points`` holds what was judged.
    """

    every_cell = Bool(False, help="run all cells").tag(config=True)
    own: Any = List([], help="sources of the chapter's own cells").tag(config=True)
    folder = Unicode("", help="where the kernel may read and write").tag(config=True)
    variables = Dict({}, help="of the kernel's environment").tag(config=True)
    secret = Unicode("", help="the seed of the hidden tests").tag(config=True)
    points: dict[str, float] = {}  # by grade id, of the last notebooks that this process has run

    def preprocess(self, nb: NotebookNode, resources: dict | None = None, km: Any = None) -> tuple:
        """Execute the notebook in place."""
        self.places = None if self.every_cell else needed(nb.cells, set(self.own))
        for cell in nb.cells:
            cell.metadata.pop("tags", None)  # one of them keeps a cell from being run
        self.examiner = Examiner(self.secret or None)
        try:
            return super().preprocess(nb, resources, km)
        finally:
            self.examiner.close()

    def start_new_kernel(self, **kwargs: Any) -> Any:
        """Start the kernel in its own place, with nothing of ours."""
        place = Place(Path(self.folder), self.variables | {GRADER: self.examiner.address})
        spec = KernelSpec(argv=place.command(), display_name="Python 3", language="python")
        self.km._kernel_spec = spec
        self.km.connection_file = str(place.folder / "kernel.json")
        kwargs |= {"env": place.environment(), "cwd": str(place.work)}
        return super().start_new_kernel(**kwargs)

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple:
        """Execute one cell, if it is needed, and judge the answers if it is a check."""
        if self.places is not None and index not in self.places:
            return cell, resources
        if cell.cell_type != "code" or not is_grade(cell):
            return super().preprocess_cell(cell, resources, index)
        asked = CHECK.findall(cell.source)
        self.examiner.begin(asked[0] if asked else "")
        cell, resources = super().preprocess_cell(cell, resources, index)
        outcome = self.examiner.end()
        if asked:
            cell.outputs = shown(cell.outputs, outcome)
            name = cell.metadata.nbgrader.grade_id
            self.points[name] = outcome.points if outcome else 0
        elif not {"execute_result", "error"} & {output.output_type for output in cell.outputs}:
            cell.outputs.append(error("NoPoints", NO_POINTS))
        return cell, resources


def shown(outputs: list, outcome: Outcome | None) -> list:
    """The outputs of a check's cell: what the answers printed, what was judged, the points."""
    said = [output for output in outputs if output.get("name") == "stdout"]
    errors = [output for output in outputs if output.output_type == "error"]
    if outcome is None:
        return [*said, *(errors or [error("NoPoints", NO_POINTS)])]
    text, rich = boxed(outcome.status, find(outcome.id).title, outcome.message)
    box = nbformat.v4.new_output("display_data", data={**rich, "text/plain": text})
    points = nbformat.v4.new_output("execute_result", data={"text/plain": repr(outcome.points)})
    return [*said, *(() if outcome.points else errors), box, points]


def error(name: str, text: str) -> NotebookNode:
    """An error as an output."""
    return nbformat.v4.new_output("error", ename=name, evalue=text, traceback=[text])


@dataclass(frozen=True)
class Task:
    """What to grade: the course's folder, ours, the kernel's; "all" cells or the "needed" ones."""

    root: str
    scratch: str
    folder: str
    assignment: str
    student: str
    secret: str
    timeout: float
    cells: str
    variables: dict
    environment: dict


def main(task: Task, sender: Connection) -> None:
    """Autograde in ``task.scratch``, under the configuration of the course.

    Only the needed cells are run (`minibert.course.teach.needed_cells`), and all of them should one
    lack a name. Sends a dict through ``sender``: ``success``, nbgrader's ``log``, and ``points`` by
    grade id. The file ``cell`` in the folder holds the number (from 1) and the first line of the
    cell that was begun last.
    """
    fence.adopt()
    os.environ.clear()
    os.environ.update(task.environment)
    scratch = Path(task.scratch)
    log = os.open(scratch / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1), os.dup2(log, 2)
    told = autograde(task, scratch)
    for left in psutil.Process().children(recursive=True):  # what a submission has started
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()
    text = told.get("log", "") + told.get("error", "")
    sender.send({"success": told["success"], "log": text[-20_000:], "points": Run.points})


def autograde(task: Task, scratch: Path) -> dict:
    """Run nbgrader; gives what its converter tells."""
    config = course_config(task.root)
    config.Execute.timeout = round(float(task.timeout))
    config.Execute.iopub_timeout = 120  # a busy machine may be slow to hand over what was printed
    config.Execute.on_cell_execute = noting(scratch / "cell")
    config.Run.every_cell = task.cells == "all"
    config.Run.own = chapters_own(scratch / "source" / task.assignment)
    config.Run.folder, config.Run.variables = task.folder, task.variables
    config.Run.secret = task.secret
    known = Autograde.autograde_preprocessors.default_args[0]
    config.Autograde.autograde_preprocessors = [Run if p is Execute else p for p in known]
    told = convert(Autograde, scratch, config, task.assignment, student=task.student)
    graded = scratch / "autograded" / task.student
    if task.cells == "needed" and told["success"] and lacking(graded):
        config.Run.every_cell = True
        told = convert(Autograde, scratch, config, task.assignment, student=task.student)
    for path in graded.rglob("*.ipynb") if told["success"] else ():
        nbformat.write(with_rubrics(nbformat.read(path, 4)), path)
    return told


def with_rubrics(notebook: NotebookNode) -> NotebookNode:
    """The notebook with a cell below each written answer that says what earns its points."""
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        found = cell.metadata.get("nbgrader", {})
        if found.get("grade") and found.get("solution"):
            try:
                question = find(found.grade_id.replace("-", ".", 1), Written)
            except ValueError:  # a teacher's own cell, which no exercise declares
                continue
            text = f"**What earns the {question.points:g} points**\n\n{question.rubric.strip()}"
            cells.append(nbformat.v4.new_markdown_cell(text, id=f"{cell.id[:50]}-rubric"))
    notebook.cells = cells
    return notebook


def lacking(folder: Path) -> bool:
    """Whether a cell of a graded notebook lacked a name that one which was left out may have made.

    A name that none of these mentions would be lacking after all of them, too.
    """
    cells = [c for path in folder.rglob("*.ipynb") for c in nbformat.read(path, 4).cells]
    code = [cell for cell in cells if cell.cell_type == "code"]
    left = [cell.source for cell in code if not cell.execution_count]
    told = " ".join(json.dumps(cell.outputs) for cell in code)
    missed = [hit.group(1) for hit in LACKING.finditer(told)]
    return any(
        name is None or re.search(rf"\b{name}\b", source) for name in missed for source in left
    )


def chapters_own(folder: Path) -> list:
    """The sources of the code cells in an assignment's folder that belong to no exercise."""
    cells = [cell for path in folder.glob("*.ipynb") for cell in nbformat.read(path, 4).cells]
    return [c.source for c in cells if c.cell_type == "code" and "nbgrader" not in c.metadata]


def noting(path: Path) -> Callable[..., None]:
    """A hook for nbclient that writes down which cell is about to run."""

    def note(cell: NotebookNode, cell_index: int) -> None:
        lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
        path.write_text(f"{cell_index + 1} {lines[0] if lines else ''}", "utf-8")

    return note
