"""A submitted notebook set right before it is graded: its cells marked as they were released.

Jupyter copies a cell's mark when a cell is copied or split, and other programs drop or change it;
nbgrader then refuses the notebook. Here the marks are put back, cell by cell, and each cell that
was not as released is named for the teacher.
"""

import copy
import re

import nbformat
from nbformat import NotebookNode

Released = dict[str, NotebookNode]  # the released cells by name
STUB = re.compile(r"^\*Double-click here and write your answer\.\*$", re.MULTILINE)
ODD = re.compile(
    r"course\.check\s*=|course\.use\b|setattr|_getframe|\bgc\.get|\binspect\b|\benviron\b|"
    r"course\.(learn|teach|author)\b|\bsolution(_text)?\(|importlib|sys\.modules|ctypes|"
    r"\bsocket\b|subprocess|\bfork\b|gradebook|hidden_seed|/proc/"
)


def restored(
    submitted: NotebookNode, source: NotebookNode
) -> tuple[NotebookNode, list[str], list[str]]:
    """(the notebook as it is to be graded, the names of answers that are gone, remarks).

    There is a remark for each cell that was not as released. Answers are taken from ``submitted``;
    the checks and all marks from ``source``, the notebook that the release was made from.
    """
    notebook = nbformat.v4.new_notebook(metadata=copy.deepcopy(source.metadata))
    wanted = {name: cell for cell in source.cells if (name := mark(cell))}
    cells = [copy.deepcopy(cell) for cell in submitted.cells]
    places, remarks = found(cells, wanted)
    for number, cell in enumerate(cells):
        name = places.get(number)
        if name is None:
            cell.metadata.pop("nbgrader", None)
            continue
        mine = wanted[name]
        new = copy.deepcopy(mine)
        if not locked(mine):
            new.source = cell.source
        cells[number] = new
    gone, more = put_back(cells, set(places.values()), source)
    notebook.cells = bare(cells)
    return notebook, gone, remarks + more


def bare(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells without outputs, each with an id of its own."""
    seen = set()
    for cell in cells:
        if not cell.get("id") or cell.id in seen:
            cell.id = nbformat.v4.new_code_cell().id
        seen.add(cell.id)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return cells


def mark(cell: NotebookNode) -> str | None:
    """The id under which nbgrader knows a cell, or None."""
    found = cell.metadata.get("nbgrader")
    name = found.get("grade_id") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


def locked(cell: NotebookNode) -> bool:
    """Whether a released cell is a check, which students cannot change."""
    return bool(cell.metadata.nbgrader.get("locked"))


def found(cells: list[NotebookNode], wanted: Released) -> tuple[dict[int, str], list[str]]:
    """(place -> the released cell that stands there, remarks on what was copied or renamed)."""
    numbers_of, remarks = recognised(cells, wanted)
    places = {}
    for name, numbers in numbers_of.items():
        kept = chosen(numbers, cells, wanted[name])
        places[kept] = name
        others = [number for number in numbers if number != kept]
        if others and written(wanted[name]):
            join(cells, kept, others)
            told = f"in {len(numbers)} cells: they were read as one"
            remarks.append(f"the answer to {_of(name)} is {told}")
        elif others:
            listed = ", ".join(str(number + 1) for number in others)
            remarks.append(
                f"cell {listed} is a copy or a part of cell {kept + 1} ({_of(name)}): read as a "
                "cell of the student's own"
            )
    return places, remarks


def recognised(
    cells: list[NotebookNode], wanted: Released
) -> tuple[dict[str, list[int]], list[str]]:
    """(name -> the places of the cells that are it, remarks): by the mark, the id or the text."""
    numbers_of: dict[str, list[int]] = {}
    strange, remarks = [], []
    for number, cell in enumerate(cells):
        if (name := mark(cell)) and name in wanted:
            numbers_of.setdefault(name, []).append(number)
    for number, cell in enumerate(cells):
        name = None if mark(cell) in wanted else known_by(cell, wanted)
        if name and name not in numbers_of:
            numbers_of[name] = [number]
            remarks.append(f"cell {number + 1} is marked as that of {_of(name)} again")
        elif mark(cell) not in wanted and mark(cell):
            strange.append(number)
    lost = [name for name, cell in wanted.items() if written(cell) and name not in numbers_of]
    answers = [number for number in strange if is_answer(cells[number])]
    if len(lost) == len(answers) == 1:
        numbers_of[lost[0]] = answers
        strange.remove(answers[0])
        remarks.append(f"cell {answers[0] + 1} is taken for the answer to {_of(lost[0])}")
    for number in strange:
        remarks.append(
            f"cell {number + 1} has a mark that was never released "
            f"({str(mark(cells[number]))[:40]!r}): read as a cell of the student's own"
        )
    return numbers_of, remarks


def _of(name: str) -> str:
    return name.partition("-solution-")[0].replace("-", ".", 1)


def is_answer(cell: NotebookNode) -> bool:
    """Whether a cell is marked as an answer in words, whatever its name is."""
    found = cell.metadata.get("nbgrader")
    return isinstance(found, dict) and bool(found.get("grade") and found.get("solution"))


def written(cell: NotebookNode) -> bool:
    """Whether this is where a student writes an answer in words."""
    return bool(cell.metadata.nbgrader.get("grade")) and not locked(cell)


def known_by(cell: NotebookNode, wanted: Released) -> str | None:
    """The name of the released cell that a cell without a known mark is, by its id or its text."""
    for name, released in wanted.items():
        same_text = locked(released) and cell.source.strip() == released.source.strip()
        if same_text or cell.get("id") == released.get("id"):
            return name
    return None


def chosen(numbers: list[int], cells: list[NotebookNode], released: NotebookNode) -> int:
    """Of several cells with one mark: the one with the released id, or the last."""
    same = [number for number in numbers if cells[number].get("id") == released.get("id")]
    if locked(released):
        return numbers[-1]  # a check comes after the answers
    return same[0] if same else numbers[0 if written(released) else -1]


def join(cells: list[NotebookNode], kept: int, others: list[int]) -> None:
    """The texts of one written answer as one: what is there twice, or still to be written, once."""
    texts = []
    for number in sorted([kept, *others]):
        text = STUB.sub("", cells[number].source).strip()
        if text and text not in texts:
            texts.append(text)
    if len(texts) > 1 or (texts and texts[0] != cells[kept].source.strip()):
        cells[kept].source = "\n\n".join(texts)


def put_back(
    cells: list[NotebookNode], there: set[str], source: NotebookNode
) -> tuple[list[str], list[str]]:
    """Insert each check that is gone where it was; gives (lost answers in words, remarks)."""
    lost, remarks = [], []
    for place, cell in enumerate(source.cells):
        name = mark(cell)
        if name in there or name is None:
            continue
        if locked(cell):
            after = [follower.id for follower in source.cells[place + 1 :]]
            ids = [other.get("id") for other in cells]
            place = next((ids.index(i) for i in after if i in ids), len(cells))
            cells.insert(place, copy.deepcopy(cell))
            remarks.append(f"the check of {_of(name)} was gone and was put back")
        elif written(cell):
            lost.append(name)
            remarks.append(f"no points for {_of(name)}: its cell is gone (the student can write it "
                           "into a new copy of the released notebook)")  # fmt: skip
    return lost, remarks


def odd(cells: list[NotebookNode], chapters: list[NotebookNode]) -> list[str]:
    """A remark on the cells that name what no answer needs, beside the chapter's own cells."""
    own = {cell.source for cell in chapters}
    numbers = [
        (number, hit.group())
        for number, cell in enumerate(cells, 1)
        if cell.cell_type == "code" and cell.source not in own
        for hit in [ODD.search(cell.source)]
        if hit
    ]
    if not numbers:
        return []
    told = ", ".join(f"cell {number} (`{what}`)" for number, what in numbers[:5])
    return [f"look at {told}"]
