"""A course folder as nbgrader sees it: its configuration, and nbgrader's converters."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from traitlets.config import Config, PyFileConfigLoader

CONFIG_FILE = "nbgrader_config.py"
SEED_FILE = "hidden_seed.txt"  # of the hidden tests, in a course folder
CHECK = re.compile(r"""^(?:mb\.)?course\.check\(\s*["']([^"']+)["']""", re.MULTILINE)


def course_config(root: str | Path) -> Config:
    """The configuration that stands in a course folder, as nbgrader reads it.

    Raises FileNotFoundError where there is none.
    """
    root = Path(root).resolve()
    if not (root / CONFIG_FILE).is_file():
        raise FileNotFoundError(
            f"{root} is no course folder, it has no {CONFIG_FILE}: `minibert course release "
            "--out DIR` makes one."
        )
    return PyFileConfigLoader(CONFIG_FILE, path=str(root)).load_config()


def convert(
    kind: type, root: str | Path, config: Config, assignment: str, *, student: str = "*"
) -> dict[str, Any]:
    """Run one of nbgrader's converters in ``root``: a dict of ``success``, ``log`` and ``error``.

    ``kind`` is `nbgrader.converters.GenerateAssignment` or `Autograde`; earlier output is replaced.
    """
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.utils import capture_log

    beside = str(Path(sys.executable).parent)  # nbgrader calls `alembic` by its bare name
    if beside not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([beside, os.environ.get("PATH", "")])
    config = Config(config)
    config.CourseDirectory.root = str(Path(root).resolve())
    folder = CourseDirectory(config=config)
    folder.assignment_id, folder.student_id = assignment, student
    converter = kind(coursedir=folder, config=config)
    converter.force = True
    return capture_log(converter)
