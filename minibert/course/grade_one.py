"""One submission graded by nbgrader, in a process and a folder of its own.

`minibert.course.grading` starts this for each submission: whatever a student's code does, a dead
kernel, an endless loop, a full memory, ends here and leaves the course's gradebook as it was.
"""

import json
import sys
from pathlib import Path

from nbgrader.converters import Autograde

from minibert.course.nbgrading import convert, course_config
from minibert.course.paths import write_text


def main(root, scratch, assignment, student, timeout):
    """Autograde in ``scratch``, under the configuration of the course in ``root``.

    Writes ``result.json`` there: ``success``, and nbgrader's ``log``. The file ``cell`` holds the
    number (from 1) and the first line of the cell that was begun last.
    """
    scratch = Path(scratch)
    config = course_config(root)
    config.Execute.timeout = round(float(timeout))
    config.Execute.iopub_timeout = 120  # a busy machine may be slow to hand over what was printed
    config.Execute.on_cell_execute = noting(scratch / "cell")
    told = convert(Autograde, scratch, config, assignment, student)
    text = told.get("log", "") + told.get("error", "")
    write_text(scratch / "result.json", json.dumps({"success": told["success"], "log": text}))
    return 0 if told["success"] else 1


def noting(path):
    """A hook for nbclient that writes down which cell is about to run."""

    def note(cell, cell_index):
        lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
        path.write_text(f"{cell_index + 1} {lines[0] if lines else ''}", "utf-8")

    return note


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
