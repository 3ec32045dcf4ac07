"""Text typed into a widget by a real hand, in a real browser: nothing of it is run or drawn."""

import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import lab

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(lab.missing() is not None, reason=str(lab.missing())),
]
TYPED = (
    "<b>bold</b><img src=x onerror=window.hacked=1> <script>window.hacked=1</script> \u05e9\u05dc"
)
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}  # or it asks
CELL = """
import ipywidgets, torch
from minibert import show
from minibert.show.attention import AttentionExplorer

def look(text):
    tokens = text.split()
    return tokens, torch.full((1, 1, len(tokens), len(tokens)), 1 / len(tokens))

AttentionExplorer(look, "the cat sat")
"""


def test_typed_markup_is_shown_and_not_run(tmp_path):
    """In the words, in the table, and in the buttons that are made of the text."""
    cells = [nbformat.v4.new_code_cell(CELL)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, tmp_path / "typed.ipynb")
    with lab.server(tmp_path) as address, lab.page() as opened:
        lab.open_notebook(opened, *address, "typed.ipynb")
        lab.run_all(opened)
        assert lab.errors(opened) == []
        box = opened.locator(".widget-text input").first
        box.fill(TYPED)
        box.press("Enter")
        buttons = opened.locator(".widget-toggle-button", has_text="<script>")
        buttons.first.wait_for(timeout=60_000)
        lab.wait_idle(opened, 60)
        shown = opened.locator(".mb-live").inner_text()
        assert "<b>bold</b><img" in shown and "onerror=window.hacked=1>" in shown
        assert opened.evaluate("() => window.hacked") is None
        assert opened.locator(".mb-live img[src='x'], .mb-live script").count() == 0
        assert opened.console == []


def test_an_error_in_a_cell_is_seen(tmp_path):
    """What the tests here, and `look.py`, call an error; JupyterLab draws it like a warning."""
    cells = [nbformat.v4.new_code_cell("import sys\nprint('only noise', file=sys.stderr)\n1 / 0")]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, tmp_path / "failing.ipynb")
    with lab.server(tmp_path) as address, lab.page() as opened:
        lab.open_notebook(opened, *address, "failing.ipynb")
        lab.run_all(opened)
        assert lab.errors(opened) == ["ZeroDivisionError: division by zero"]
