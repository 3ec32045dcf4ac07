"""Cells left out in grading: what runs must be enough, whatever the chapter's other cells do."""

import nbformat
import pytest

from minibert.course.learn.paths import REPOSITORY
from minibert.course.teach.needed_cells import names, needed

SOLVED = sorted((REPOSITORY / "chapters" / "solutions").glob("[0-9]*.ipynb"))
IMPORTS = "import math\nfrom collections import Counter\nSIZE = 3\nWIDE = SIZE + 1"


def cells(chapter, student):
    """Chapter's cells, and last the student's, with the sources of the former."""
    found = [nbformat.v4.new_code_cell(source) for source in [IMPORTS, *chapter, student]]
    return found, {cell.source for cell in found[:-1]}


@pytest.mark.parametrize(
    ("chapter", "student", "running"),
    [
        # what nobody asks for is left out; imports are found, in functions, too
        (["text = 'a b'", "def show():\n    return text"], "answer = 1", []),
        (["text = 'a b'"], "def f(x):\n    return math.sqrt(x)\nanswer = f(4)", [0]),
        (["from math import tau", "pi = 3"], "answer = [x * tau for x in range(2)]", [1]),
        # a local name, an argument, a name bound anew are others than the chapter's
        (["loss = [1]", "loss.append(2)"], "def f(loss):\n    return loss\nanswer = f(5)", []),
        (["loss = [1]"], "loss = 2\nanswer = loss", []),
        # data: all that leads to it, and all that may alter it
        (["a = [1]", "b = [a]", "c = 5"], "answer = b", [1, 2]),
        (["a = [1]", "a.append(2)", "print('a')"], "answer = a", [1, 2]),
        (["a = [1]", "def more(x):\n    x.append(2)", "more(a)"], "answer = a", [1, 2, 3]),
        (["a = [1]", "b = a", "b.append(2)"], "answer = a", [1, 2, 3]),
        (["a = [1]", "def more():\n    a.append(2)", "more()"], "answer = a", [1, 2, 3]),
        (["def more():\n    a.append(2)", "a = [1]", "more()"], "answer = a", [1, 2, 3]),
        (["a = {}", "a['x'] = [1]", "a['x'][0] = 2"], "answer = a", [1, 2, 3]),
        (["n = 1", "n += 2"], "answer = n", [1, 2]),
        (["n = [1]", "for n in [[2], [3]]:\n    pass"], "answer = n", [1, 2]),
        (["n = [1]", "n = [2]", "n.append(3)"], "answer = n", [1, 2, 3]),
        (["def f():\n    global n\n    n = 4", "n = 1", "f()"], "answer = n", [1, 2, 3]),
        (["class A:\n    size = 1", "A.size = 2"], "answer = A.size", [1, 2]),
        (["math.tau = 7"], "answer = math.tau", [0, 1]),
        # a function in use cannot be altered, so that no cell which only calls it is run
        (
            ["class course:\n    use = max", "f = course.use(1, 2)", "print(f)"],
            "answer = f",
            [1, 2],
        ),
        (["f = max(1, 2)", "print(f)"], "answer = f", [1, 2]),
        # a function's names are looked up when it is called, wherever they are bound by then
        (["n = [1]", "def f():\n    return n", "n = [2]"], "answer = f()", [1, 2, 3]),
        (["wide = WIDE"], "answer = wide", [0, 1]),
        # no telling what such code reaches
        (["a = 1"], "answer = eval('a')", [0, 1]),
        (["a = 1"], "answer = globals()['a']", [0, 1]),
        (["a = 1"], "answer = 2\n%time 3", [0, 1]),
        (["exec('a = 1')\nb = 2", "c = 3"], "answer = a if b else 0", [0, 1, 2]),
        (["a = 1"], "from math import *\nanswer = 1", [0, 1]),
    ],
)
def test_what_runs_is_enough_and_no_more(chapter, student, running):
    """The answer is the same as after all cells; which cells run is told, too."""
    found, own = cells(chapter, student)
    places = needed(found, own)
    some, whole = {}, {}
    for place, cell in enumerate(found):
        code = cell.source.replace("%time ", "")
        exec(code, whole)
        if place in places:
            exec(code, some)
    assert some["answer"] == whole["answer"]
    every = len(found) - 1
    assert sorted(places - {every}) == running


def test_exercises_and_what_a_student_changed_always_run():
    found, own = cells(["a = 1", "b = 2", "c = 3"], "d = 4")
    found[2].source += "  # tried"
    found[3].metadata.nbgrader = {"grade": True}
    assert needed(found, own) == {2, 3, 4}
    assert needed(found, set()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("source", ["def f(:", "a = 'x", "\0", "", "return 1 +"])
def test_a_cell_that_is_no_python_needs_nothing(source):
    assert names(source) == names("")
    found, own = cells(["a = 1"], source)
    assert needed(found, own) == {2}


@pytest.mark.parametrize("path", SOLVED, ids=lambda path: path.stem)
def test_a_chapters_exercises_need_little_of_it(path):
    """All of a chapter's exercises run on the first cell, the imports, and on answers in use."""
    notebook = nbformat.read(path, 4)
    code = {i: cell for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    own = {cell.source for cell in code.values() if "nbgrader" not in cell.metadata}
    exercises = {i for i, cell in code.items() if "nbgrader" in cell.metadata}
    used = {i for i, cell in code.items() if "course.use(" in cell.source}
    assert exercises and needed(notebook.cells, own) - used == exercises | {min(code)}
