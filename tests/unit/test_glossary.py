"""The glossary: sorted, in both languages, and true to the chapters that it points to."""

import re
from pathlib import Path

import nbformat
import pytest

from minibert.course.author import macros

CHAPTERS = Path(__file__).parents[2] / "chapters"
ROW = re.compile(r"^\| (.+) \| (.+) \| (.+) \| \[(\d\d)\]\(([^)]+)\) \|$", re.MULTILINE)
TEXT = (CHAPTERS / "glossary.md").read_text("utf-8")
ROWS = ROW.findall(TEXT)  # English, Chinese, what it is, number, file
HAN = re.compile(r"[\u4e00-\u9fff]")


def plain(text):
    """Lower case, words of letters and digits with one space between them."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def names(term):
    """A term's names: ``state (hidden state)`` has two; what a bracket explains is no name."""
    main, _, more = term.partition(" (")
    others = [name for name in more.rstrip(")").split(", ") if not name.startswith("of ")]
    return [plain(name).removeprefix("to ") for name in (main, *others) if name]


@pytest.fixture(scope="module")
def words_of():
    """Chapter's number -> all that its solved notebook says, as plain words."""
    notebooks = {p.name[:2]: nbformat.read(p, 4) for p in CHAPTERS.glob("solutions/[0-9]*.ipynb")}
    return {n: plain("\n".join(c.source for c in book.cells)) for n, book in notebooks.items()}


def test_every_line_of_the_tables_is_read():
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    letters = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert len(ROWS) == len(lines) - 2 * len(letters) >= 120


def test_terms_are_sorted_and_stand_once_under_their_letter():
    terms = [row[0] for row in ROWS]
    assert terms == sorted(terms, key=plain)
    assert len(terms) == len(set(terms))
    for letter, part in re.findall(r"^## (.)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL):
        assert {plain(row[0])[0] for row in ROW.findall(part)} == {letter.lower()}


def test_each_term_has_chinese_and_one_sentence():
    for term, chinese, meaning, *_ in ROWS:
        assert HAN.search(chinese), f"{term}: no Chinese"
        assert not HAN.search(term)
        sentence = re.sub(r"\*[^*]+\*|`[^`]+`|\d\.\d", "", meaning)
        assert re.fullmatch(r"[^.?!]+[.?!…]", sentence), f"{term}: not one sentence"


def test_links_lead_to_chapters_and_every_chapter_is_there():
    for term, _, _, number, file in ROWS:
        assert file.startswith(number) and (CHAPTERS / file).is_file(), f"{term}: {file}"
    assert {row[3] for row in ROWS} == {p.name[:2] for p in CHAPTERS.glob("[0-9]*.ipynb")}


def test_each_term_stands_in_the_chapter_that_it_points_to(words_of):
    absent = [
        f"{term} in {number}"
        for term, _, _, number, _ in ROWS
        if not any(f" {name}" in f" {words_of[number]}" for name in names(term))
    ]
    assert not absent


def test_each_chapter_links_to_it_from_both_notebooks():
    for folder in (CHAPTERS, CHAPTERS / "solutions"):
        assert (folder / macros.GLOSSARY).is_file()
        for path in folder.glob("[0-9]*.ipynb"):
            head = nbformat.read(path, 4).cells[0].source
            assert f"]({macros.GLOSSARY})" in head, path.name
