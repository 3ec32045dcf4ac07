"""A submitted notebook set right: what students and programs do to cells costs no other cell."""

import copy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from minibert.course.teach.restore import odd, restored

CHECK = 'mb.course.check("90.{}", {})'


def marked(cell, name, **marks):
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    cell.metadata.nbgrader = plain | {"schema_version": 3, "grade_id": name} | marks
    return cell


def exercise(name):
    yield new_markdown_cell(f"Write {name}.", id=f"{name}-text")
    cell = new_code_cell(f"def {name}():\n    return 1", id=f"{name}-code")
    yield marked(cell, f"90-{name}-solution-1", solution=True)
    cell = new_code_cell(CHECK.format(name, name), id=f"{name}-check")
    yield marked(cell, f"90-{name}", grade=True, locked=True, points=2)


@pytest.fixture
def source():
    answer = marked(
        new_markdown_cell("*Double-click here and write your answer.*", id="why"),
        "90-why", grade=True, solution=True, points=3,
    )  # fmt: skip
    cells = [*exercise("mean"), *exercise("sum"), new_markdown_cell("In words", id="w"), answer]
    return new_notebook(cells=[*cells, new_markdown_cell("The end", id="end")])


@pytest.fixture
def mine(source):
    """What a student handed in, all answered."""
    notebook = copy.deepcopy(source)
    cell(notebook, "mean-code").source = "def mean():\n    return 'mine'"
    cell(notebook, "why").source = "Because."
    return notebook


def cell(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


def mark(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def of(notebook, name):
    (found,) = (cell for cell in notebook.cells if mark(cell) == name)
    return found


def names(notebook):
    return [mark(cell) for cell in notebook.cells if mark(cell)]


def test_what_is_as_released_stays_and_nothing_is_said(source, mine):
    notebook, gone, remarks = restored(mine, source)
    assert [c.source for c in notebook.cells] == [c.source for c in mine.cells]
    assert (gone, remarks, names(notebook)) == ([], [], names(source))
    nbformat.validate(notebook)


def test_a_check_is_what_was_released_whatever_was_written_into_it(source, mine):
    cell(mine, "sum-check").update(source="100", cell_type="raw")
    notebook, _, _ = restored(mine, source)
    assert of(notebook, "90-sum") == of(source, "90-sum")


def test_a_copied_cell_keeps_its_code_and_loses_its_mark(source, mine):
    place = mine.cells.index(cell(mine, "mean-code"))
    twin = copy.deepcopy(mine.cells[place]) | {"id": "twin", "source": "helper = 1"}
    mine.cells.insert(place, nbformat.from_dict(twin))
    notebook, gone, remarks = restored(mine, source)
    assert of(notebook, "90-mean-solution-1").source == "def mean():\n    return 'mine'"
    assert cell(notebook, "twin").source == "helper = 1" and not cell(notebook, "twin").metadata
    told = "cell 2 is a copy or a part of cell 3 (90.mean): read as a cell of the student's own"
    assert (gone, remarks) == ([], [told])


def test_of_a_copied_check_the_last_counts(source, mine):
    check = cell(mine, "mean-check")
    mine.cells.insert(0, nbformat.from_dict(copy.deepcopy(check) | {"id": "early"}))
    notebook, _, remarks = restored(mine, source)
    assert notebook.cells.index(of(notebook, "90-mean")) == 3 and len(remarks) == 1


def test_a_split_answer_in_words_is_joined(source, mine):
    rest = copy.deepcopy(cell(mine, "why")) | {"id": "rest", "source": "And more."}
    mine.cells.append(nbformat.from_dict(rest))
    notebook, gone, remarks = restored(mine, source)
    assert of(notebook, "90-why").source == "Because.\n\nAnd more." and gone == []
    assert remarks == ["the answer to 90.why is in 2 cells: they were read as one"]


def test_an_untouched_answer_beside_its_copy_is_not_text(source, mine):
    stub = copy.deepcopy(cell(source, "why")) | {"id": "stub"}
    mine.cells.insert(0, nbformat.from_dict(stub))
    assert of(restored(mine, source)[0], "90-why").source == "Because."


@pytest.mark.parametrize(
    "broken", [{}, {"grade_id": 7}, {"grade_id": "x", "schema_version": 1}, []]
)
def test_a_lost_or_broken_mark_is_put_back_by_the_cells_id(source, mine, broken):
    for item in mine.cells:
        if mark(item):
            item.metadata.nbgrader = broken
    notebook, gone, remarks = restored(mine, source)
    assert names(notebook) == names(source) and gone == []
    assert "cell 2 is marked as that of 90.mean again" in remarks and len(remarks) == 5


def test_without_marks_and_ids_the_checks_are_known_by_their_text(source, mine):
    for number, item in enumerate(mine.cells):
        item.metadata.clear()
        item.id = f"new-{number}"
    notebook, gone, remarks = restored(mine, source)
    assert names(notebook) == ["90-mean", "90-sum"] and gone == ["90-why"]
    assert any(text.startswith("no points for 90.why: its cell is gone") for text in remarks)


def test_the_one_answer_with_a_strange_mark_is_taken_for_the_one_that_is_gone(source, mine):
    answer = cell(mine, "why")
    answer.id, answer.metadata.nbgrader.grade_id = "else", "90-why-2"
    notebook, gone, remarks = restored(mine, source)
    assert of(notebook, "90-why").source == "Because." and gone == []
    assert remarks == ["cell 8 is taken for the answer to 90.why"]


def test_a_strange_mark_is_named(source, mine):
    own = marked(new_code_cell("x = 1"), "my-cell", grade=True, points=99, locked=True)
    mine.cells.insert(0, own)
    notebook, _, remarks = restored(mine, source)
    assert names(notebook) == names(source)
    told = (
        "cell 1 has a mark that was never released ('my-cell'): read as a cell of the student's own"
    )
    assert remarks == [told]


def test_a_check_that_is_gone_comes_behind_what_the_student_wrote_anew(source, mine):
    """Both cells deleted, and the answer written into a new cell in their place."""
    place = mine.cells.index(cell(mine, "mean-code"))
    mine.cells[place : place + 2] = [new_code_cell("def mean():\n    return 2", id="anew")]
    notebook, gone, remarks = restored(mine, source)
    assert [c.id for c in notebook.cells[:4]] == ["mean-text", "anew", "mean-check", "sum-text"]
    assert (gone, remarks) == ([], ["the check of 90.mean was gone and was put back"])


def test_merged_cells_run_and_their_check_is_put_back(source, mine):
    """Jupyter's "merge" keeps the first cell's mark and the text of both."""
    cell(mine, "sum-code").source += "\n\n" + cell(mine, "sum-check").source
    mine.cells.remove(cell(mine, "sum-check"))
    notebook, _, remarks = restored(mine, source)
    assert names(notebook) == names(source)
    assert remarks == ["the check of 90.sum was gone and was put back"]


def test_an_empty_notebook_gets_its_checks_and_loses_its_words(source):
    notebook, gone, remarks = restored(new_notebook(), source)
    assert names(notebook) == ["90-mean", "90-sum"] and gone == ["90-why"] and len(remarks) == 3


def test_two_cells_with_one_id_become_two(source, mine):
    mine.cells.append(new_code_cell("y = 1", id="end"))
    notebook, _, _ = restored(mine, source)
    assert len({c.id for c in notebook.cells}) == len(notebook.cells) == len(mine.cells)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("mb.course.check = max", "course.check ="),
        ("import sys\nsys._getframe(1)", "_getframe"),
        ("from minibert.course.learn.exercises.ch01 import Loss", "course.learn"),
        ('exec(mb.course.solution("01.noise"))', "solution("),
        ('noise = mb.course.use("01.noise", None)', "course.use"),
        ("import os\nos.environ['X'] = '1'", "environ"),
    ],
)
def test_what_no_answer_needs_is_pointed_at(source, mine, code, what):
    mine.cells.insert(2, new_code_cell(code))
    assert odd(mine.cells, source.cells) == [f"look at cell 3 (`{what}`)"]


def test_plain_code_and_the_chapters_own_are_not_odd(source, mine):
    source.cells[0] = new_code_cell("import os\nos.environ")
    mine.cells[0] = new_code_cell("import os\nos.environ")
    assert odd(mine.cells, source.cells) == []
