"""The page of `mb.show.inside` in a real browser without a network: clicks, keys, temperature."""

import sys
from pathlib import Path

import pytest

import minibert as mb

sys.path.insert(0, str(Path(__file__).parent))
import lab

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(lab.missing() is not None, reason=str(lab.missing())),
]
HERE, THERE = "The king opened the", "The doctor closed a"
FOCUS = "document.activeElement.getAttribute('aria-label')"


@pytest.fixture(scope="module")
def page_of_a_gpt(tmp_path_factory):
    widget = mb.show.inside(mb.GPT.from_pretrained("minibert-gpt"), HERE, other=THERE)
    return widget, widget.save(tmp_path_factory.mktemp("page") / "inside.html")


@pytest.fixture
def opened(page_of_a_gpt):
    with lab.page() as opened:
        asked = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.context.set_offline(True)
        opened.goto(page_of_a_gpt[1].as_uri())
        yield opened
        assert opened.console == [] and [url for url in asked if url.startswith("http")] == []


def numbers(opened):
    """What stands beside the bars, by candidate."""
    texts = [text for text in opened.locator("#bars > span").all_inner_texts() if text]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def test_a_click_switches_a_head_off_and_escape_brings_it_back(opened, page_of_a_gpt):
    widget = page_of_a_gpt[0]
    base = numbers(opened)
    best = widget.frame.table[1]
    assert base[best[0]] == best[1].replace("%", " %")
    opened.locator("#parts .cell[data-layer='2'][data-place='1']").click()
    table = widget.cut(2, head=1).frame.table
    for name, before, after in table[1:4]:
        assert numbers(opened)[name] == f"{before} → {after}".replace("%", " %")
    assert opened.locator("#told").inner_text().startswith("head 1 of layer 2 is off.")
    opened.keyboard.press("Escape")
    assert numbers(opened) == base and opened.locator("[aria-pressed=true]").count() == 0
    widget.undo()


def test_keys_alone_set_a_state_and_the_temperature(opened, page_of_a_gpt):
    widget = page_of_a_gpt[0]
    opened.locator("#states .cell[tabindex='0']").focus()
    assert opened.evaluate(FOCUS) == "The (0) in embeddings"
    for key in ("ArrowRight", "ArrowUp", "Enter"):
        opened.keyboard.press(key)
    assert opened.evaluate(FOCUS) == "␣king (1) in layer 1"
    table = widget.set(1, 1).frame.table
    assert numbers(opened)[table[1][0]] == f"{table[1][1]} → {table[1][2]}".replace("%", " %")
    opened.locator("#temperature").focus()
    for _ in range(4):
        opened.keyboard.press("ArrowRight")
    widget.set(temperature=2.0)
    assert opened.locator("#degrees").inner_text() == "2"
    table = widget.frame.table
    assert numbers(opened)[table[1][0]] == f"{table[1][1]} → {table[1][2]}".replace("%", " %")
    widget.undo().set(temperature=1.0)
