"""One submission graded by nbgrader, in a process and a folder of its own.

`minibert.course.grading` starts this for each submission: whatever a student's code does, a dead
kernel, an endless loop, a full memory, ends here and leaves the course's gradebook as it was.
"""

import json
import sys
from pathlib import Path

import nbformat
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade
from traitlets import Bool, List

from minibert.course.nbgrading import convert, course_config
from minibert.course.needed import needed
from minibert.course.paths import write_text

NO_POINTS = "The check gave no points: was it kept from running, or from telling them?"

LACKING = ("NameError", "AttributeError", "ModuleNotFoundError")


class Run(Execute):
    """nbgrader's own, but that it leaves out cells which no answer needs, and heeds no tags.

    A check that ends without points is an error: nbgrader would give it full marks.
    """

    every_cell = Bool(False, help="run all cells").tag(config=True)
    own = List([], help="sources of the chapter's cells, without its exercises'").tag(config=True)

    def preprocess(self, nb, resources=None, km=None):
        """Execute the notebook in place."""
        self.places = None if self.every_cell else needed(nb.cells, set(self.own))
        for cell in nb.cells:
            cell.metadata.pop("tags", None)  # one of them keeps a cell from being run
        return super().preprocess(nb, resources, km)

    def preprocess_cell(self, cell, resources, index):
        """Execute one cell, if it is needed."""
        if self.places is not None and index not in self.places:
            return cell, resources
        cell, resources = super().preprocess_cell(cell, resources, index)
        if cell.cell_type == "code" and is_grade(cell):
            kinds = {output.output_type for output in cell.outputs}
            if not kinds & {"execute_result", "error"}:
                cell.outputs.append(
                    nbformat.v4.new_output(
                        "error", ename="NoPoints", evalue=NO_POINTS, traceback=[NO_POINTS]
                    )
                )
        return cell, resources


def main(root, scratch, assignment, student, timeout, cells="needed"):
    """Autograde in ``scratch``, under the configuration of the course in ``root``.

    ``cells``: "all", or "needed" (`minibert.course.needed`), and all of them should one lack a
    name. Writes ``result.json`` there: ``success``, and nbgrader's ``log``. The file ``cell`` holds
    the number (from 1) and the first line of the cell that was begun last.
    """
    scratch = Path(scratch)
    config = course_config(root)
    config.Execute.timeout = round(float(timeout))
    config.Execute.iopub_timeout = 120  # a busy machine may be slow to hand over what was printed
    config.Execute.on_cell_execute = noting(scratch / "cell")
    config.Run.every_cell = cells == "all"
    config.Run.own = chapters_own(scratch / "source" / assignment)
    known = Autograde.autograde_preprocessors.default_args[0]
    config.Autograde.autograde_preprocessors = [Run if p is Execute else p for p in known]
    told = convert(Autograde, scratch, config, assignment, student)
    if cells == "needed" and told["success"] and lacking(scratch / "autograded" / student):
        config.Run.every_cell = True
        told = convert(Autograde, scratch, config, assignment, student)
    text = told.get("log", "") + told.get("error", "")
    write_text(scratch / "result.json", json.dumps({"success": told["success"], "log": text}))
    return 0 if told["success"] else 1


def lacking(folder):
    """Whether a cell of a graded notebook lacked a name: one that was left out may have made it."""
    cells = [c for path in folder.rglob("*.ipynb") for c in nbformat.read(path, 4).cells]
    told = [json.dumps(cell.get("outputs", ())) for cell in cells]
    return any(kind in text for kind in LACKING for text in told)


def chapters_own(folder):
    """The sources of the code cells in an assignment's folder that belong to no exercise."""
    cells = [cell for path in folder.glob("*.ipynb") for cell in nbformat.read(path, 4).cells]
    return [c.source for c in cells if c.cell_type == "code" and "nbgrader" not in c.metadata]


def noting(path):
    """A hook for nbclient that writes down which cell is about to run."""

    def note(cell, cell_index):
        lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
        path.write_text(f"{cell_index + 1} {lines[0] if lines else ''}", "utf-8")

    return note


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
