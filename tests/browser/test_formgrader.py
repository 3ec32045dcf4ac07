"""nbgrader's formgrader in a real browser, without a network: formulas, the rubric, the points."""

import shutil
from pathlib import Path

import lab
import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateFeedback

from minibert.commands.main import main
from minibert.course.teach.nbgrading import convert, course_config

FIXTURES = Path(__file__).parents[1] / "notebooks" / "fixtures"
ANSWER = """Incomes have outliers: one of $10^{9}$ moves the mean, and not the median (`a < b`).
So $\\href{javascript:document.title='mine'}{x}$.

<script>document.title = "mine"</script><img src="x" onerror="document.title = 'mine'">
<svg onload="document.title = 'mine'"></svg> [more](javascript:document.title='mine')
<iframe srcdoc="<script>parent.document.title = 'mine'</script>"></iframe>
"""
SHOWN = """from IPython.display import HTML, SVG, Javascript, Markdown
evil = "<script>document.title = 'mine'</script><b onmouseover='alert(1)'>bold</b>"
display(HTML(evil), Markdown(evil), Javascript("document.title = 'mine'"))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg'><script>document.title='mine'</script></svg>"))
"""
needs_browser = pytest.mark.skipif(lab.missing() is not None, reason=f"{lab.missing()}")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder with one solved submission, graded."""
    root = tmp_path_factory.mktemp("course") / "teacher"
    shutil.copytree(FIXTURES / "source", root.parent / "chapters" / "source")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIBERT_EXERCISES", str(FIXTURES / "exercises"))
        where = ["--root", str(root.parent / "chapters")]
        assert main(["course", "release", "--out", str(root), *where]) == 0
        solved = nbformat.read(root / "source" / "ch90" / "90_demo.ipynb", 4)
        for cell in solved.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == "90-why":
                cell.source = ANSWER
        solved.cells.insert(2, nbformat.v4.new_code_cell(SHOWN))
        folder = root / "submitted" / "ada" / "ch90"
        folder.mkdir(parents=True)
        nbformat.write(solved, folder / "90_demo.ipynb")
        assert main(["course", "grade", str(root)]) == 0
        yield root


def offline(opened):
    """Let the page reach this machine alone; gives the list of what it asked for elsewhere."""
    asked = []

    def decide(route):
        if "://127.0.0.1" in route.request.url:
            return route.continue_()
        asked.append(route.request.url)
        return route.abort()

    opened.route("**/*", decide)
    return asked


@needs_browser
def test_a_teacher_reads_the_rubric_and_gives_points_without_a_network(course):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        name = gradebook.find_submission_notebook("90_demo", "ch90", "ada").id
    with lab.server(course) as (url, token), lab.page() as opened:
        opened.goto(f"{url}/tree?token={token}")  # which gives us its cookie
        asked = offline(opened)
        opened.goto(f"{url}/formgrader/submissions/{name}/")
        opened.wait_for_selector("mjx-container svg", timeout=60_000)
        opened.wait_for_function("() => formgrader.grades.loaded && MathJax.loaded")
        text = opened.inner_text("#notebook")
        assert opened.title() == "90_demo" and "bold" in text and "a < b" in text
        acts = "script, iframe, [onerror], [onmouseover], [href^=javascript]"
        assert opened.locator(f"#notebook :is({acts})").count() == 0
        assert asked == [] and opened.console == []
        assert "$" not in text and opened.locator("mjx-container").count() >= 1
        answer, rubric = text.index("Incomes have outliers"), text.index("What earns the 3 points")
        assert answer < rubric < text.index("One point for naming outliers")
        field = opened.locator(".nbgrader_cell", has_text="Incomes have").locator("input.score")
        field.fill("2")
        with opened.expect_response(lambda response: "/api/grade/" in response.url):
            field.press("Tab")
        told = opened.request.get(f"{url}/formgrader/api/grades?submission_id={name}")
        given = {grade["name"]: grade["manual_score"] for grade in told.json()}
        assert given == dict.fromkeys(given, None) | {"90-why": 2}


def test_feedback_needs_no_network(course):
    told = convert(GenerateFeedback, course, course_config(course), "ch90")
    assert told["success"], told
    (page,) = (course / "feedback" / "ada" / "ch90").glob("*.html")
    text = page.read_text("utf-8")
    assert "MathJax.Hub = {" in text and "cdnjs" not in text and "What earns the 3 points" in text
    shutil.rmtree(course / "templates")  # as the guide says: from the network again
    assert convert(GenerateFeedback, course, course_config(course), "ch90")["success"]
    assert "cdnjs" in page.read_text("utf-8")
