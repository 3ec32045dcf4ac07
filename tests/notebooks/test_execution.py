"""Executing notebooks: the same bytes twice, clear failures, and the learner's folder untouched."""

import os
from pathlib import Path

import nbformat
import pytest

from minibert.course.author.building import keep_outputs
from minibert.course.author.execute import ExecutionError, cleaned, execute
from minibert.course.author.notebook import build


@pytest.fixture
def notebook():
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1", id="first")])


def add(notebook, source):
    notebook.cells.append(nbformat.v4.new_code_cell(source, id=f"cell-{len(notebook.cells)}"))


def test_building_again_gives_the_same_bytes(demo_root, monkeypatch):
    monkeypatch.setenv("MINIBERT_EXERCISES", str(demo_root / "exercises"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    _, solved = build(demo_root / "source" / "90_demo.py", demo_root)
    stored = demo_root / "solutions" / "90_demo.ipynb"
    execute(solved, stored.parent, "again")
    assert nbformat.writes(solved) + "\n" == stored.read_text("utf-8")
    assert keep_outputs(solved, stored)


def test_it_runs_in_its_folder_with_this_python_and_a_home_of_its_own(notebook, tmp_path):
    add(notebook, "import os, sys\nprint(os.getcwd(), sys.executable, os.environ['MINIBERT_HOME'])")
    execute(notebook, tmp_path, "x")
    folder, python, home = notebook.cells[1].outputs[0].text.split()
    import sys

    assert (Path(folder), python) == (tmp_path.resolve(), sys.executable)
    assert home != os.environ["MINIBERT_HOME"] and not Path(home).exists()
    assert "language_info" not in notebook.metadata


def test_a_failing_cell_is_named_with_its_traceback(notebook, tmp_path):
    add(notebook, "def inner():\n    return 1 / 0\n\ninner()")
    add(notebook, "print('not reached')")
    with pytest.raises(ExecutionError, match=r"x: cell 2 \(cell-1\) failed") as caught:
        execute(notebook, tmp_path, "x")
    assert "ZeroDivisionError: division by zero" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_an_endless_cell_and_a_dead_kernel_are_told(notebook, tmp_path):
    add(notebook, "import os\nos._exit(1)")
    with pytest.raises(ExecutionError, match="Kernel died"):
        execute(notebook, tmp_path, "x")
    notebook.cells[1].source = "while True:\n    pass"
    with pytest.raises(
        ExecutionError, match="x: A cell timed out while it was being executed, after 2 seconds"
    ):
        execute(notebook, tmp_path, "x", timeout=2)


def test_progress_bars_and_warnings_leave_nothing_in_the_stored_output(notebook, tmp_path):
    add(notebook, "from tqdm import tqdm\nfor i in tqdm(range(3)):\n    pass\nprint('done')")
    add(notebook, "import os, warnings\nwarnings.warn('old')\nos.system('echo noise >&2');")
    execute(notebook, tmp_path, "x")
    assert [output.text for output in notebook.cells[1].outputs] == ["done\n"]
    assert notebook.cells[2].outputs == cleaned([])
