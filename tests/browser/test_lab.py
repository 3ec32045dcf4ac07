"""Chapters in a real JupyterLab: opened, run, and a widget's slider moved by a real hand's keys."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import lab

from minibert.course.author import building

FIXTURES = Path(__file__).parents[1] / "notebooks" / "fixtures"
CHAPTERS = Path(__file__).parents[2] / "chapters"
CASES = ["90_demo.ipynb", *(path.name for path in sorted(CHAPTERS.glob("01_*.ipynb")))]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(lab.missing() is not None, reason=str(lab.missing())),
]
SHOWN = """slider => {  // all that the slider's widget shows but the slider and "computing ..."
    const area = slider.closest('.jp-OutputArea').cloneNode(true);
    area.querySelectorAll('.widget-slider, .mb-notice').forEach(part => part.remove());
    return area.innerHTML;
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """JupyterLab over a copy of the chapters and, beside them, the demonstration."""
    folder = tmp_path_factory.mktemp("served") / "chapters"
    shutil.copytree(CHAPTERS, folder)
    shutil.copy(FIXTURES / "source" / "90_demo.py", folder / "source")
    shutil.copytree(FIXTURES / "exercises", folder / "exercises")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIBERT_EXERCISES", str(folder / "exercises"))
        list(building.make(*building.sources(folder, ["90"]), run=False))
        with lab.server(folder, MINIBERT_SMOKE="1") as address:
            yield address


@pytest.fixture(scope="module", params=CASES)
def page(request, served, tmp_path_factory):
    """One chapter, opened in Chromium and run."""
    with lab.page() as opened:
        lab.open_notebook(opened, *served, request.param)
        lab.run_all(opened)
        opened.shots = tmp_path_factory.mktemp(request.param.partition(".")[0])
        yield opened


def test_all_cells_run_without_an_error(page):
    assert lab.errors(page) == []
    assert page.console == []
    counts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
    assert counts == [f"[{i}]:" for i in range(1, len(counts) + 1)]


def test_every_check_has_answered(page):
    checks = page.locator(".jp-Cell", has_text="mb.course.check(").all()
    assert checks
    for cell in checks:
        assert "Not yet" in cell.locator(".jp-Cell-outputArea").inner_text()


def test_a_moved_slider_changes_what_is_shown(page):
    slider = page.locator(".widget-slider .noUi-handle:visible").first
    slider.scroll_into_view_if_needed()
    before = slider.evaluate(SHOWN)
    slider.screenshot(path=page.shots / "before.png")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    page.wait_for_function(
        f"([slider, before]) => ({SHOWN})(slider) !== before",
        arg=[slider.element_handle(), before],
        timeout=20_000,
    )
    lab.wait_idle(page, 60)
    assert lab.errors(page) == []


def test_the_pages_can_be_looked_at(page):
    shots = lab.slices(page, page.shots)
    assert shots and all(shot.stat().st_size > 5_000 for shot in shots)


def test_a_quiz_answers_a_click(page):
    quiz = page.locator(".jp-Cell", has_text="mb.course.quiz(").first
    if not quiz.count():
        pytest.skip("this chapter asks its quizzes in its text alone")
    quiz.get_by_role("button", name="B", exact=True).click()
    quiz.locator(".jp-Cell-outputArea b", has_text="B. ").wait_for(timeout=20_000)
