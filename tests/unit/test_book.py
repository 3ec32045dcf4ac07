"""What the book is made from: pages, links, docstrings. Whether it builds: tests/book."""

import inspect
import re
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("myst_nb", reason="the extra 'book' is not installed")

from book import docstrings, pages, reference

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "https://example.org/someone/minibert"
CHAPTERS = sorted(path.name for path in (ROOT / "chapters").glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """The folder of sources, as Sphinx reads it."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "left_over.md").write_text("# A page that is no more")
    pages.stage(ROOT, folder, "")
    return folder


def test_every_chapter_is_in_the_table_of_contents(staged):
    index = (staged / "index.md").read_text("utf-8")
    for name in CHAPTERS:
        assert f"<chapters/{name[:-6]}>" in index and f"(chapters/{name})" in index
        assert (staged / "chapters" / name).is_file()
    assert "%" not in index
    assert not (staged / "left_over.md").exists()


def test_links_inside_the_sources_lead_somewhere(staged):
    known = {path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()}
    links = 0
    for path in [*staged.rglob("*.ipynb"), *staged.rglob("*.md")]:
        if path.suffix == ".ipynb":
            cells = nbformat.read(path, 4).cells
            text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        else:
            text = path.read_text("utf-8")
        name = path.relative_to(staged).as_posix()
        assert pages.relink(text, name, known, staged, "") == text, f"{name}: a link leads nowhere"
        links += len([link for *_, link in pages.LINK.findall(text) if link])
    assert links > 150  # the glossary's alone are more


def html_outputs(staged):
    """(chapter, cell, HTML) of every output that is HTML."""
    for name in CHAPTERS:
        for cell in nbformat.read(staged / "chapters" / name, 4).cells:
            for output in cell.get("outputs", []):
                if "text/html" in output.get("data", {}):
                    yield name, cell, output.data["text/html"]


def test_tables_in_outputs_lead_to_pages_and_do_not_run_together(staged):
    known = {f"{name[:-6]}.html" for name in CHAPTERS}
    links = []
    for name, cell, html in html_outputs(staged):
        links += re.findall(r'<a[^>]*href="([^"]*)"', html)
        assert not re.search(r"</t[dh]><t[dh]", html), (name, cell.id)
        progress = "course.progress(" in cell.source
        assert html.startswith(pages.UNSEARCHED) == progress, (name, cell.id)
    assert len(links) > 30 and set(links) <= known


def test_the_inside_of_a_model_is_live_and_shows_the_texts_of_the_chapter(staged, tmp_path):
    cells = nbformat.read(staged / "chapters" / "08_seeing.ipynb", 4).cells
    (live,) = (cell for cell in cells if "mb.show.inside(" in cell.source)
    htmls = [output.data.get("text/html") for output in live.outputs if "data" in output]
    assert pages.LIVE in htmls and pages.STILL not in htmls
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    template, place, trade = (
        re.search(pattern, code)[1]
        for pattern in (r'TEXT = "(.+)"', r'SCENES = \[\("(\w+)"', r'SCENES = \[\("\w+", "(\w+)"')
    )
    assert pages.TEXTS == [template.format(place, who, trade) for who in ("king", "queen")]
    pages.inside(tmp_path / pages.INSIDE)
    page = (tmp_path / pages.INSIDE).read_text("utf-8")
    assert "talked with a weaver about" in page and "http" not in page.replace("http-equiv", "")


def test_links_in_html_lead_to_pages_of_the_book_or_become_text():
    html = '<td><a href="02.ipynb#top">two</a></td><td><a href="09.ipynb">nine</a></td><b>0</b>'
    told = pages.relink_html(html, "chapters/01.ipynb", {"chapters/02.ipynb"})
    assert told == '<td><a href="02.html#top">two</a></td>\n<td>nine</td>\n<b>0</b>'


def test_each_exercise_has_its_solution_folded(staged):
    for name in CHAPTERS:
        cells = nbformat.read(staged / "chapters" / name, 4).cells
        graded = [
            n for n, cell in enumerate(cells) if cell.metadata.get("nbgrader", {}).get("grade")
        ]
        assert graded, name
        for number in graded:
            text = cells[number + 1].source
            assert text.startswith("<details") and "<summary>Solution</summary>" in text
            assert len(text.splitlines()) > 5 and "YOUR CODE HERE" not in text


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://example.org/someone/minibert.git", ADDRESS),
        ("https://someone:secret@example.org/someone/minibert", ADDRESS),
        ("/somewhere/minibert.git", ""),
    ],
)
def test_the_address_of_the_repository(monkeypatch, remote, told):
    monkeypatch.setenv("MINIBERT_REPOSITORY", remote)
    assert pages.repository(ROOT) == told


def test_binder_opens_the_chapter_and_no_address_is_made_up():
    where = "https://mybinder.org/v2/"
    lab = "/HEAD?urlpath=lab%2Ftree%2Fchapters%2F01_word2vec.ipynb"
    path = "chapters/01_word2vec.ipynb"
    assert pages.binder("https://github.com/a/b", path) == f"{where}gh/a/b{lab}"
    assert pages.binder("https://gitlab.com/a/b", path) == f"{where}gl/a%2Fb{lab}"
    assert pages.binder("https://h.org/a", path) == f"{where}git/https%3A%2F%2Fh.org%2Fa{lab}"
    assert pages.binder("", path) == "../start.html#binder"


def test_links_out_of_the_book_go_to_the_repository_or_become_text():
    text = "[here](02.ipynb), [`there`](../minibert/models/bert/model.py), `[code](x.py)`, [web](https://a.b)"
    known = {"chapters/02.ipynb"}
    plain = pages.relink(text, "chapters/01.ipynb", known, ROOT, "")
    assert plain == "[here](02.ipynb), `there`, `[code](x.py)`, [web](https://a.b)"
    linked = pages.relink(text, "chapters/01.ipynb", known, ROOT, ADDRESS)
    assert f"[`there`]({ADDRESS}/blob/HEAD/minibert/models/bert/model.py)" in linked


def test_the_reference_has_the_public_face():
    import minibert

    found = set(reference.targets())
    public = {name: getattr(minibert, name) for name in minibert.__all__}
    assert {name for name, thing in public.items() if not inspect.ismodule(thing)} <= found
    assert {"Vocab", "MaskedLM", "minibert.training.loop.fit"} <= found
    assert "minibert.training.optim.linear" in found
    made = reference.pages()
    for group in reference.GROUPS:
        assert f"{group}.md)" in made["api/index.md"] and "{eval-rst}" in made[f"api/{group}.md"]


def test_docstrings_become_restructuredtext():
    prose = "Gives `Vocab` and ``*args``, 2 * 3 * 4, x_ and |y|."
    prose += "\n\nsteps, rate: how long,\n    how fast."
    text = docstrings.converted(prose, {"Vocab": "minibert.text.Vocab"})
    assert ":py:obj:`Vocab <minibert.text.Vocab>`" in text and "``*args``" in text
    assert r"2 \* 3 \* 4, x\_ and \|y\|" in text
    assert re.search(r"^\* .*``steps``.*``rate``.*: how long, how fast\.$", text, re.MULTILINE)
    assert docstrings.converted(">>> f(2 * 3)\n6", {}).startswith(">>> f(2 * 3)\n6")
