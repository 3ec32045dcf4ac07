"""The house: every public name loads in a fresh process, and files stay small enough to read."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minibert
from book import house

PACKAGE = Path(minibert.__file__).parent
ROOT = PACKAGE.parent
ROOMS = ["text", "data", "storage", "models", "heads", "training", "transfer", "show", "course"]
LINES = 350  # of a module


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


def test_the_picture_of_the_house_is_drawn_from_its_imports():
    """``python -m book.house`` makes it; all arrows go down."""
    rooms = house.rooms()
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders - {"pretrained"} == set(rooms[:-1])
    arrows = house.arrows()
    assert ("heads", "models") in arrows and ("models", "storage") in arrows
    assert all(rooms.index(above) < rooms.index(below) for above, below in arrows)
    assert house.TARGET.read_text("utf-8") == house.drawn()
