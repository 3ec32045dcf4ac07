"""From one text source to two notebooks: the solved one, and the unsolved one without solutions.

The source is a jupytext "percent" file; ``chapters/source/README.md`` is the author's guide. The
solved notebook carries nbgrader's metadata, so it is also what nbgrader makes a release from; the
unsolved one is made from it by nbgrader's own ClearSolutions.
"""

import ast
import copy
import re
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from traitlets.config import Config

from minibert.course.author import macros
from minibert.course.learn.exercise import Exercise, Written, find, of_chapter
from minibert.course.teach.nbgrading import CHECK

CODE_STUB = "# YOUR CODE HERE"
TEXT_STUB = "*Double-click here and write your answer.*"
HEAD = ("title", "question", "minutes", "seconds", "memory_mb", "needs", "skip", "papers")
SOLUTION = re.compile(r"^.*\b(?:BEGIN|END) SOLUTION\b.*\n?", re.MULTILINE)
HEADING = re.compile(r"^```.*?^```|^#+ ([^\n]+)$", re.MULTILINE | re.DOTALL)  # none in a listing
LAYOUT = {"cell_marker", "lines_to_next_cell", "lines_to_end_of_cell_marker"}  # jupytext's own
WIDTH = 25  # lines in a cell
FOLDED = "hide-input"  # its code is folded away, by JupyterLab and by the book


class SourceError(ValueError):
    """A chapter's source breaks a rule of the author's guide; the message names file and cell."""


def read_source(path: Path) -> NotebookNode:
    """The notebook of a source file, as jupytext reads it, with its head checked.

    ``metadata.minibert`` holds the head (`HEAD`) and ``chapter``, the two digits of the file's
    name. Raises SourceError.
    """
    if not re.fullmatch(r"\d\d_[a-z0-9_]+\.py", path.name):
        raise SourceError(f"{path.name}: a chapter's source is named like 01_word2vec.py.")
    notebook = jupytext.read(path, fmt="py:percent")
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    head = dict(notebook.metadata.get("minibert", {}))
    missing = [key for key in HEAD if head.get(key) in (None, "")]
    if missing:
        raise SourceError(f"{path.name}: the head lacks {', '.join(missing)} (see the guide).")
    head["chapter"] = path.name[:2]
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"file_extension": ".py", "name": "python"},
            "minibert": head,
        }
    )
    return notebook


def build(path: Path, chapters: Path) -> tuple[NotebookNode, NotebookNode]:
    """The pair (unsolved, solved) of notebooks, not executed, made from the source at ``path``.

    ``chapters`` is the folder that holds ``findings/``. Raises SourceError.
    """
    solved = read_source(path)
    chapter = solved.metadata.minibert.chapter
    for number, cell in enumerate(solved.cells):
        try:
            _prepare(cell, solved.metadata.minibert, chapters)
        except (ValueError, FileNotFoundError) as error:
            raise SourceError(f"{path.name}, cell {number + 1}: {error}") from error
    _mark_exercises(solved, path.name)
    _give_ids(solved, chapter)
    try:
        unsolved = cleared(solved)
    except RuntimeError as error:  # a solution region that is nested, or has no end
        raise SourceError(f"{path.name}: {error}.") from error
    _verify(unsolved, solved, path.name)
    return unsolved, solved


def _prepare(cell: NotebookNode, head: macros.Head, chapters: Path) -> None:
    """Plain metadata and, in Markdown, the macros expanded."""
    written = cell.metadata.get("written")
    unknown = set(cell.metadata) - {"tags", "written"} - LAYOUT
    if unknown:
        raise ValueError(f"unknown cell metadata {sorted(unknown)}; known are tags and written")
    tags = cell.metadata.get("tags") or []
    kept = {"tags": tags} if tags else {}
    if FOLDED in tags:
        kept["jupyter"] = {"source_hidden": True}
    cell.metadata = nbformat.from_dict(kept)
    if cell.cell_type == "code":  # a formatted file has more blank lines than a cell needs
        cell.source = re.sub(r"\n{2,}(?=.*END SOLUTION)", "\n", cell.source)
        cell.source = re.sub(r"\n{3,}", "\n\n", cell.source).strip("\n")
    else:
        cell.source = macros.expand(cell.source, head, chapters)
    if written:
        question = find(written, Written)
        cell.source += f"\n\n**What earns the points.** {question.rubric}"
        _mark(cell, written, question.points, grade=True, solution=True)


def _mark_exercises(notebook: NotebookNode, name: str) -> None:
    """nbgrader's metadata: solution cells belong to the next check cell."""
    waiting: list[NotebookNode] = []
    seen: set[str] = set()
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if "BEGIN SOLUTION" in cell.source:
            waiting.append(cell)
        checked = CHECK.findall(cell.source)
        if not checked:
            continue
        where = f"{name}, cell {number + 1}"
        if len(checked) > 1 or cell in waiting or not _ends_in_check(cell.source):
            raise SourceError(
                f"{where}: a check stands alone as the last expression of a cell of its own "
                "(no semicolon, no assignment), so that nbgrader can read its points."
            )
        exercise_id = checked[0]
        if exercise_id in seen or not waiting:
            problem = "is checked twice" if exercise_id in seen else "has no solution cell above"
            raise SourceError(f"{where}: {exercise_id} {problem}.")
        seen.add(exercise_id)
        try:
            points = find(exercise_id).points
        except ValueError as error:
            raise SourceError(f"{where}: {error}") from error
        _mark(cell, exercise_id, points, grade=True, solution=False)
        for i, solution in enumerate(waiting):
            _mark(solution, f"{exercise_id}-solution-{i + 1}", None, grade=False, solution=True)
        waiting = []
    if waiting:
        raise SourceError(f"{name}: a solution cell is followed by no check: {waiting[0].source!r}")


def _ends_in_check(source: str) -> bool:
    last = ast.parse(source).body[-1]
    one_line = not source.rstrip().endswith(";")
    return one_line and isinstance(last, ast.Expr) and CHECK.match(ast.unparse(last)) is not None


def _mark(
    cell: NotebookNode, grade_id: str, points: float | None, *, grade: bool, solution: bool
) -> None:
    cell.metadata.nbgrader = nbformat.from_dict(
        {
            "grade": grade,
            "grade_id": re.sub(r"[^A-Za-z0-9_-]", "-", grade_id),
            "locked": grade and not solution,
            "schema_version": 3,
            "solution": solution,
            "task": False,
        }
    )
    if grade:
        cell.metadata.nbgrader.points = points


def _give_ids(notebook: NotebookNode, chapter: str) -> None:
    """Ids from the chapter, the nearest heading and the position below it: stable under edits."""
    seen: dict[str, int] = {}
    slug, place = "head", 0
    for cell in notebook.cells:
        headings = HEADING.findall(cell.source) if cell.cell_type == "markdown" else ()
        if headings := [heading for heading in headings if heading]:
            slug = _slug(headings[-1])
            seen[slug] = seen.get(slug, 0) + 1
            slug = slug if seen[slug] == 1 else f"{slug}-again{seen[slug]}"
            place = 0
        place += 1
        cell.id = f"{chapter}-{slug}-{place}"


def _slug(heading: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", heading.lower().removeprefix("exercise:"))
    return re.sub(r"^[0-9-]+", "", words)[:40].strip("-") or "untitled"


def cleared(solved: NotebookNode) -> NotebookNode:
    """The unsolved copy of a solved notebook, by nbgrader's ClearSolutions with our stubs."""
    from nbgrader.preprocessors import ClearSolutions

    preprocessor = ClearSolutions(config=nbgrader_config())
    unsolved, _ = preprocessor.preprocess(copy.deepcopy(solved), {})
    return unsolved


def nbgrader_config() -> Config:
    """The settings with which nbgrader clears solutions: the stubs are defined in one place."""
    config = Config()
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    return config


def _verify(unsolved: NotebookNode, solved: NotebookNode, name: str) -> None:
    """Check what must hold before anything runs."""
    for version in (unsolved, solved):
        for number, cell in enumerate(version.cells):
            where = f"{name}, cell {number + 1}"
            if cell.cell_type != "code":
                continue
            if len(cell.source.splitlines()) > WIDTH:
                raise SourceError(f"{where}: {len(cell.source.splitlines())} lines, over {WIDTH}.")
            if not re.search(r"^\s*[%!]", cell.source, re.MULTILINE):
                try:
                    ast.parse(cell.source)
                except SyntaxError as error:
                    raise SourceError(f"{where}: line {error.lineno}: {error.msg}.") from error
    chapter = solved.metadata.minibert.chapter
    used = {cell.metadata.nbgrader.grade_id for cell in solved.cells if "nbgrader" in cell.metadata}
    unused = [e.id for e in of_chapter(chapter, Exercise) if e.id.replace(".", "-") not in used]
    if unused:
        raise SourceError(f"{name}: declared but not used: {', '.join(unused)}.")
    nbformat.validate(solved)
    nbformat.validate(unsolved)


def solutions(solved: NotebookNode) -> dict[str, str]:
    """The text of each exercise's solution (id -> Python or Markdown), markers removed."""
    texts: dict[str, str] = {}
    waiting: list[str] = []
    for cell in solved.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("solution") and not mark.get("grade"):
            waiting.append(SOLUTION.sub("", cell.source).strip())
        elif mark.get("grade"):
            exercise_id = mark.grade_id.replace("-", ".", 1)
            texts[exercise_id] = "\n\n\n".join(waiting) or cell.source
            waiting = []
    return texts
