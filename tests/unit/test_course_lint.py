"""Each rule for stored notebooks fires on what it forbids, and on nothing else."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from minibert.course.author import lint
from minibert.course.author.execute import CONTROLS

ALT = {"image/png": {"alt": "A line that falls."}}
PICTURE = {"image/png": "iVBOR", "text/plain": "[Figure: A line that falls.]"}
FOREIGN = {"image/png": "iVBOR", "text/plain": "<Figure size 400x300 with 1 Axes>"}


def code(source="1", outputs=(), count=1, **metadata):
    cell = new_code_cell(source, outputs=list(outputs), execution_count=count, metadata=metadata)
    return new_notebook(cells=[cell])


def display(data, metadata=None):
    return new_output("display_data", data=data, metadata=metadata or {})


def text(value):
    return new_output("stream", text=value)


CHECKED = {"tags": [lint.CHECKED]}


@pytest.mark.parametrize(
    ("notebook", "told"),
    [
        (code("x = 1\n" * 26), "26 lines, over 25"),
        (code(count=None), "execution count None"),
        (code(count=3), "not run from top to bottom"),
        (code("# NBVAL_IGNORE_OUTPUT\n1"), "a comment marker of nbval"),
        (code(**CHECKED), "no stored output"),
        (
            code(outputs=[new_output("error", ename="E", evalue="v", traceback=[])]),
            "a stored error",
        ),
        (code(outputs=[new_output("stream", name="stderr", text="w")]), "stored stderr"),
        (code(outputs=[display(PICTURE)]), "a figure not shown by mb.show.figure"),
        (code(outputs=[display(FOREIGN, ALT)]), "a figure not shown by mb.show.figure"),
        (
            code(outputs=[display(PICTURE, {"image/png": {"alt": " "}})]),
            "a figure not shown by",
        ),
        (code(outputs=[display({"text/plain": CONTROLS})]), "a widget without a still"),
        (code(outputs=[text("saved to /home/ana/x.txt")]), "/home/ana/x.txt"),
        (code(outputs=[text("in /tmp/abc")]), "/tmp/abc"),
        (code("open('/home/ada/data')"), "/home/ada/data"),
        (code(outputs=[text("C:\\Users\\ana")]), r"C:\Users\ana"),
        (code(outputs=[text("<object at 0x7f46aa1f0d50>")]), "0x7f46aa1f0d50"),
        (code(outputs=[display({"text/html": "<p>/Users/ana/x</p>"})]), "/Users/ana/x"),
        (new_notebook(cells=[new_markdown_cell("see /home/ada/notes")]), "/home/ada/notes"),
        (new_notebook(cells=[new_markdown_cell("![](a.png)")]), "a picture without alt text"),
        (new_notebook(cells=[new_markdown_cell('<img src="a">')]), "a picture without alt text"),
    ],
)
def test_what_is_forbidden_is_found(notebook, told):
    (found,) = lint.problems(notebook)
    assert told in found and found.startswith(notebook.cells[0].id)


def test_what_is_allowed_is_left_alone():
    cells = [
        new_markdown_cell(
            "A fraction 1/2, a home/work balance, https://x.org/home/page, ![alt](a.png)"
        ),
        new_code_cell("x = 1\n" * 25, execution_count=1),
        new_code_cell("1", outputs=[text("2\n")], execution_count=2, metadata=CHECKED),
        new_code_cell(
            "f",
            outputs=[display(PICTURE, ALT), display({"text/plain": CONTROLS})],
            execution_count=3,
        ),
        new_code_cell(
            "c", outputs=[text("colour #0072B2, 0x1F600 is an emoji")], execution_count=4
        ),
        new_code_cell(
            "i", outputs=[display({"text/html": '<img alt="a" src="b">'})], execution_count=5
        ),
    ]
    notebook = new_notebook(cells=cells)
    nbformat.validate(notebook)
    assert lint.problems(notebook) == []
