"""What must hold of a built notebook, apart from agreeing with its source, as sentences."""

import re
from collections.abc import Iterable, Iterator

from nbformat import NotebookNode

from minibert.course.author.execute import CONTROLS
from minibert.course.author.notebook import WIDTH

CHECKED = "nbval-check-output"
MACHINE = re.compile(
    r"(?<![\w.:/])/(?:home|root|tmp|work|Users|var/folders|private)/\w[^\s'\"<)]*"
    r"|\b[A-Za-z]:\\+Users\\[^\s'\"<)]*"
    r"|\b0x[0-9a-f]{8,}\b"
)
EMPTY_ALT = re.compile(r"!\[\s*\]\(|<img\b(?![^>]*\balt=\"[^\"]+\")[^>]*>")


def problems(notebook: NotebookNode) -> list[str]:
    """Every problem of an executed notebook, as ``cell: what is wrong``."""
    found: list[str] = []
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            count += 1
            found += [f"{cell.id}: {text}" for text in _of_code(cell, count)]
        texts = [cell.source, *_texts(cell.get("outputs", []))]
        for text in texts:
            found += [f"{cell.id}: a machine's path or address: {m}" for m in MACHINE.findall(text)]
            found += [
                f"{cell.id}: a picture without alt text: {m}" for m in EMPTY_ALT.findall(text)
            ]
    return found


def _of_code(cell: NotebookNode, count: int) -> Iterator[str]:
    lines = len(cell.source.splitlines())
    if lines > WIDTH:
        yield f"{lines} lines, over {WIDTH}"
    if cell.execution_count != count:
        yield f"execution count {cell.execution_count}, not {count}: not run from top to bottom"
    if re.search(r"#\s*(NBVAL_|PYTEST_VALIDATE)", cell.source):
        yield "a comment marker of nbval: use a tag"
    if CHECKED in cell.metadata.get("tags", []) and not cell.outputs:
        yield f"tagged {CHECKED} and has no stored output, so nbval would check nothing"
    pictured = False
    for output in cell.outputs:
        data = output.get("data", {})
        if output.output_type == "error":
            yield f"a stored error: {output.ename}: {output.evalue}"
        if output.get("name") == "stderr":
            yield "stored stderr"
        if "image/png" in data and not _shown_by_us(output):
            yield "a figure not shown by mb.show.figure, which checks labels, title and alt text"
        if data.get("text/plain") == CONTROLS and not pictured:
            yield "a widget without a still first frame"
        pictured = pictured or bool({"image/png", "text/html"} & set(data))


def _shown_by_us(output: NotebookNode) -> bool:
    """True for a picture that `mb.show` checked: it has alt text and a text in its place."""
    alt = output.metadata.get("image/png", {}).get("alt", "").strip()
    return bool(alt) and output.data.get("text/plain", "").startswith("[Figure: ")


def _texts(outputs: Iterable[NotebookNode]) -> Iterator[str]:
    """Everything in some outputs that a reader could read."""
    for output in outputs:
        yield output.get("text", "")
        yield "\n".join(output.get("traceback", []))
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield re.sub(r"base64,[A-Za-z0-9+/=]+", "", value)
