"""Which cells of a submission its answers need, so that grading can leave out the others.

A student's own or changed cells always run, and so does every check. Of the chapter's own cells,
those run on which any of these may depend. The names in the code decide, and in doubt a cell runs.
"""

import ast
import symtable
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

# Names through which code can use others that it does not mention.
ANYTHING = frozenset("exec eval globals locals vars get_ipython __import__ In Out _ __ ___".split())
AT_ONCE = ("listcomp", "setcomp", "dictcomp")  # tables of functions that run where they stand
SURE = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


@dataclass
class Names:
    """The top-level names that a cell uses.

    ``now``: read when it runs, and bound elsewhere; ``later``: read when its functions are called;
    ``sure``: bound in any case; ``bound``: bound, or an attribute or item of it set, or deleted;
    ``data``: bound to what may be altered, so no module, function, class or plain number.
    """

    now: set = field(default_factory=set)
    later: set = field(default_factory=set)
    sure: set = field(default_factory=set)
    bound: set = field(default_factory=set)
    data: set = field(default_factory=set)

    @property
    def read(self) -> set[str]:
        return self.now | self.later

    @property
    def unclear(self) -> bool:
        """Whether it may use names that it does not mention."""
        return bool(ANYTHING & self.read) or "*" in self.bound


def names(source: str) -> Names:
    """The `Names` of a cell. A cell that is not Python does nothing, so it has none."""
    found = Names()
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError):  # a null byte is a ValueError
        return found
    for statement in tree.body:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        now, later = reads(table)
        now |= set(summed(statement))
        found.now |= now - found.sure
        found.later |= later
        bound, data = bindings(table)
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            bound = {"*"}
        found.bound |= bound | set(altered(statement))
        found.data |= set() if fixed(statement) else data
        found.sure |= bound if isinstance(statement, SURE) else set()
    return found


def fixed(statement: ast.stmt) -> bool:
    """Whether this binds names to what cannot change: a number, text, None, an answer in use."""
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("course.use"):
        return isinstance(statement, ast.Assign)
    value = value.operand if isinstance(value, ast.UnaryOp) else value
    return isinstance(statement, ast.Assign) and isinstance(value, ast.Constant)


def summed(node: ast.AST) -> Iterator[str]:
    """The names ``x`` of each ``x += ...`` outside functions, which symtable does not count."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    for child in ast.iter_child_nodes(node):
        yield from summed(child)


def reads(table: symtable.SymbolTable, called_later: bool = False) -> tuple[set[str], set[str]]:
    """(names read at once, names read when a function is called) in a symbol table and below."""
    now: set[str] = set()
    later: set[str] = set()
    here = set()
    for symbol in table.get_symbols():
        top = table.get_type() == "module" or symbol.is_global()
        if top and symbol.is_referenced() or symbol.is_declared_global():
            here.add(symbol.get_name())
    (later if called_later else now).update(here)
    for child in table.get_children():
        waits = child.get_type() != "class" and child.get_name() not in AT_ONCE
        below = reads(child, called_later or waits)
        now |= below[0]
        later |= below[1]
    return now, later


def bindings(table: symtable.SymbolTable) -> tuple[set[str], set[str]]:
    """(top-level names bound, those among them that are data), by ``global`` in functions, too."""
    bound, data = set(), set()
    for symbol in table.get_symbols():
        if table.get_type() != "module" and not symbol.is_declared_global():
            continue
        if symbol.is_assigned() or symbol.is_imported():
            bound.add(symbol.get_name())
        if symbol.is_assigned() and not symbol.is_namespace():
            data.add(symbol.get_name())
    for child in table.get_children():
        below = bindings(child)
        bound |= below[0]
        data |= below[1]
    return bound, data


def altered(tree: ast.AST) -> Iterator[str]:
    """The names ``x`` of every ``x.y = ...``, ``x[y] = ...`` and ``del x.y``, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
                node = node.func if isinstance(node, ast.Call) else node.value
            if isinstance(node, ast.Name):
                yield node.id


def needed(cells: list[NotebookNode], own: Container[str]) -> set[int]:
    """The code cells that have to run, as a set of indices.

    ``cells`` are those of a submission, ``own`` the sources of the chapter's cells without those
    of its exercises. All code cells, if one that runs may reach what it does not mention.
    """
    code = {place: cell for place, cell in enumerate(cells) if cell.cell_type == "code"}
    found = {place: names(cell.source) for place, cell in code.items()}
    frail = set().union(*(cell.data for cell in found.values()))  # what a call may alter
    running = {p for p, c in code.items() if "nbgrader" in c.metadata or c.source not in own}
    questions = [question for place in running for question in asked(found[place], place)]
    answered = set()
    while questions:
        name, place = questions.pop()
        if (name, place, name in frail) in answered:
            continue
        answered.add((name, place, name in frail))
        for maker in makers(name, place, found, name in frail):
            if maker not in running:
                questions += asked(found[maker], maker)
                running.add(maker)
            if name in frail & (found[maker].data | found[maker].read):
                # What is bound beside it may lead to it, too: another name, a function.
                frail |= found[maker].bound
                questions += [(other, None) for other in found[maker].bound]
    return set(code) if any(found[place].unclear for place in running) else running


def asked(cell: Names, place: int | None) -> list[tuple[str, int | None]]:
    """(name, position) of what a cell reads; no position if it waits for a function call."""
    return [(name, place) for name in cell.now] + [(name, None) for name in cell.later]


def makers(name: str, place: int | None, found: dict[int, Names], is_frail: bool) -> Iterator[int]:
    """The cells that make what ``name`` is at ``place``, from the last one that binds it.

    Functions that use it may be called in between, wherever they are defined.
    """
    bound_anew = False
    for other in sorted(found, reverse=True):
        cell, above = found[other], place is None or other < place
        reached = above and not bound_anew
        if reached and (name in cell.bound or (is_frail and name in cell.read)):
            yield other
        elif is_frail and name in cell.later:
            yield other
        bound_anew |= place is not None and above and name in cell.sure
