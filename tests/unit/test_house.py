"""The house: every public name loads in a fresh process, and files stay small enough to read."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import minibert
from book import house

PACKAGE = Path(minibert.__file__).parent
ROOT = PACKAGE.parent
ROOMS = "text data storage models heads training transfer probe show course world".split()
TYPED = (  # rooms and modules that are annotated; pyproject.toml lists them for mypy
    "commands",
    "course",
    "data",
    "heads",
    "models",
    "probe",
    "runtime",
    "show",
    "storage",
    "text",
    "training",
    "transfer",
    "world",
)
POSITIONAL = 4  # parameters; more are keyword-only
LINES = 350  # of a module
WIDTH = 100  # letters of a line; ruff holds the code to it
BODY = 39  # lines of a function, its head and its docstring apart


def listed(stub):
    """The names that a stub file hands on."""
    tree = ast.parse(stub.read_text("utf-8"))
    return [alias.name for node in tree.body for alias in getattr(node, "names", ())]


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_of_a_room_is_there_whatever_was_used_before(room):
    names = listed(PACKAGE / room / "__init__.pyi")
    assert names
    code = f"import minibert as mb; [getattr(mb.{room}, name) for name in {names!r}]"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", listed(PACKAGE / "__init__.pyi"))
def test_the_public_face_is_listed(name):
    assert name in minibert.__all__ and getattr(minibert, name) is not None


def test_modules_are_short_enough_to_read():
    for path in sorted(PACKAGE.rglob("*.py")):
        lines = len(path.read_text("utf-8").splitlines())
        assert lines <= LINES, f"{path.relative_to(PACKAGE)} has {lines} lines"


def test_functions_are_short_enough_to_read():
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                start = node.body[len(node.body) > 1 and bool(ast.get_docstring(node))]
                name = f"{path.relative_to(PACKAGE).as_posix()}: {node.name}"
                lines = node.end_lineno - start.lineno + 1
                assert lines <= BODY, f"{name} has {lines} lines"


def test_the_prose_of_chapters_is_cut_into_short_lines():
    """Tables apart; the address of a link and a macro count nothing, since they cannot be cut."""
    for path in sorted((ROOT / "chapters" / "source").glob("*.py")):
        cells = re.split(r"(?m)^# %% ?(.*)\n", path.read_text("utf-8"))
        for kind, cell in zip(cells[1::2], cells[2::2], strict=True):
            for line in cell.splitlines() if kind.startswith("[markdown]") else ():
                size = len(re.sub(r"\{\{.*?\}\}|\]\(.*?\)", "", line))
                assert size <= WIDTH or line.startswith("|"), f"{path.name}: {line}"


def functions(tree):
    """(name, definition, its parameters without ``self``) of what a module's users may call."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node, node.args.args
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and (
                    method.name in ("__init__", "__call__") or not method.name.startswith("_")
                ):
                    static = "staticmethod" in map(ast.unparse, method.decorator_list)
                    yield f"{node.name}.{method.name}", method, method.args.args[not static :]


def typed_functions():
    """(place, definition, parameters) in all the typed rooms."""
    for room in TYPED:
        paths = sorted((PACKAGE / room).rglob("*.py")) or [PACKAGE / f"{room}.py"]
        for path in paths:
            module = path.relative_to(PACKAGE).with_suffix("").as_posix()
            for name, node, given in functions(ast.parse(path.read_text("utf-8"))):
                yield f"{module}: {name}", node, given


def test_public_functions_are_annotated():
    found = list(typed_functions())
    assert len(found) > 100
    for place, node, given in found:
        others = [*node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        for parameter in (*given, *filter(None, others)):
            assert parameter.annotation, f"{place} says no type of {parameter.arg}"
        assert node.returns, f"{place} does not say what it returns"


def test_mypy_checks_the_same_rooms():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    (checked,) = (part for part in settings["overrides"] if part.get("ignore_errors") is False)
    names = {name.removesuffix(".*") for name in checked["module"]} - {"typed_use"}
    assert names == {f"minibert.{room}".replace("/", ".") for room in TYPED}


def test_more_than_four_parameters_are_given_by_name():
    for place, _, given in typed_functions():
        names = ", ".join(parameter.arg for parameter in given[POSITIONAL:])
        assert not names, f"{place} takes {names} by position: put a * in front"


def test_the_picture_of_the_house_is_drawn_from_its_imports():
    """``python -m book.house`` makes it; all arrows go down."""
    rooms = house.rooms()
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders - {"pretrained"} == set(rooms[:-1])
    arrows = house.arrows()
    assert ("heads", "models") in arrows and ("models", "storage") in arrows
    assert all(rooms.index(above) < rooms.index(below) for above, below in arrows)
    assert house.TARGET.read_text("utf-8") == house.drawn()


@pytest.mark.slow  # every change of these lines would need one here
def test_the_mistakes_that_tests_must_notice_still_fit_the_library():
    from tests.mistakes import mistakes

    for mistake in mistakes():
        assert mistake.text() != mistake.path.read_text("utf-8")  # ValueError unless it fits
        assert mistake.tests and all((ROOT / test).is_file() for test in mistake.tests), mistake
