"""The whole book: it builds without a warning, asks no network, and no link in it is broken.

Slow (`make test-full`): Sphinx needs about half a minute.
"""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

pytest.importorskip("myst_nb", reason="the extra 'book' is not installed")

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """What a page names, what it links to, what it loads, and its pictures."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loads, self.pictures = set(), [], [], []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        elif tag == "link" and attributes.get("rel") != "canonical":
            self.loads.append(attributes["href"])
        elif attributes.get("src"):
            self.loads.append(attributes["src"])
        if tag == "img":
            self.pictures.append(attributes)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "source").mkdir()
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-c", "book"]
    command = [sys.executable, "-m", "sphinx", *options, f"{folder}/source", f"{folder}/html"]
    environment = {**os.environ, "MINIBERT_REPOSITORY": "none"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def parsed(site):
    return {
        path: Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts
    }


def problem(site, parsed, page, link):
    """What is wrong with one link of a page, or None."""
    target, anchor = urldefrag(link)
    path = (page.parent / unquote(urlsplit(target).path)).resolve() if target else page
    if not path.is_relative_to(site.resolve()) or not path.is_file():
        return "there is no such file in the book"
    if anchor and path in parsed and unquote(anchor) not in parsed[path].ids:
        return "there is no such place on the page"
    return None


def test_no_link_inside_is_broken(site, parsed):
    parsed = {path.resolve(): page for path, page in parsed.items()}
    found, checked = [], 0
    for path, page in parsed.items():
        for link in [*page.links, *page.loads]:
            if link.startswith(("http:", "https:", "mailto:", "data:")) or link == "#":
                continue
            checked += 1
            if wrong := problem(site, parsed, path, link):
                found.append(f"{path.name}: {link}: {wrong}")
    assert not found
    assert checked > 2000


def test_no_page_asks_the_network(parsed):
    loads = [(path.name, load) for path, page in parsed.items() for load in page.loads]
    assert not [(name, load) for name, load in loads if load.startswith(("http:", "https:", "//"))]
    assert any("mathjax" in load for _, load in loads)


def test_each_picture_is_described(parsed):
    pictures = [(path.name, p) for path, page in parsed.items() for p in page.pictures]
    assert len(pictures) > 70
    assert not [(name, p["src"]) for name, p in pictures if not p.get("alt", "").strip()]


def test_each_chapter_has_its_buttons_and_neighbours(site, parsed):
    chapters = sorted(ROOT.glob("chapters/[0-9]*.ipynb"))
    for number, chapter in enumerate(chapters):
        links = parsed[site / "chapters" / f"{chapter.stem}.html"].links
        assert "../start.html#binder" in links  # no address is known here
        copy = site / "notebooks" / chapter.name
        assert f"../notebooks/{chapter.name}" in links
        assert copy.read_bytes() == chapter.read_bytes()
        for neighbour in chapters[max(0, number - 1) : number + 2]:
            assert number == chapters.index(neighbour) or f"{neighbour.stem}.html" in links


def test_what_is_said_can_be_found(site):
    index = (site / "searchindex.js").read_text("utf-8")
    assert "perplex" in index and "WordPiece".lower() in index


def test_the_search_does_not_know_the_progress_tables(site, parsed):
    told = re.compile(r"\d+ of \d+ exercises done")
    chapters = sorted((site / "chapters").glob("[0-9]*.html"))
    for path in chapters:
        outside = re.sub(
            r'<div class="[^"]*no-search.*?</table>', "", path.read_text("utf-8"), flags=re.DOTALL
        )
        assert told.search(path.read_text("utf-8")) and not told.search(outside), path.name
    index = json.loads((site / "searchindex.js").read_text("utf-8").partition("(")[2].rstrip(")"))
    found = index["terms"].get("ulmfit", [])  # each chapter's table names it
    assert isinstance(found, list) and 1 < len(found)
    names = {index["docnames"][number] for number in found}
    assert "chapters/01_word2vec" not in names


@pytest.fixture
def browser():
    """Chromium, driven; a test without one is skipped."""
    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    import lab

    if reason := lab.missing():
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=lab.chromium(), args=lab.FLAGS)
        yield chromium
        chromium.close()


CUT = """() => [...document.querySelectorAll("pre")]
    .filter(pre => pre.scrollWidth > pre.clientWidth + 1).map(pre => pre.innerText.slice(0, 200))"""
ROOM = """() => {  // the height of a line of 100 characters, in lines
    const pre = document.querySelector("div.highlight pre"), line = document.createElement("span");
    const one = document.createElement("span");
    [line.textContent, one.textContent] = ["x".repeat(100), "x"];
    pre.replaceChildren(line, document.createElement("br"), one);
    return line.getBoundingClientRect().height / one.getBoundingClientRect().height;
}"""


def test_code_is_not_cut_at_1280_pixels_and_no_page_is_wider_than_a_phone(parsed, browser):
    wide, phone = (browser.new_page(viewport={"width": w, "height": 900}) for w in (1280, 420))
    for path in parsed:
        wide.goto(path.as_uri())
        assert not wide.evaluate(CUT), path.name
        phone.goto(path.as_uri())
        assert phone.evaluate("document.documentElement.scrollWidth") <= 420, path.name
    wide.goto(next(path for path in parsed if path.name.startswith("05_")).as_uri())
    assert wide.evaluate(ROOM) == 1


def test_nothing_of_this_machine_is_in_the_pages(parsed):
    for path in parsed:
        text = path.read_text("utf-8")
        assert str(ROOT) not in text and "Traceback" not in text, path.name
