"""``minibert course release``: an nbgrader course folder, made by nbgrader itself.

The folder belongs to the teacher alone: it holds the solutions, the gradebook and the seed of the
hidden tests (`minibert.course.teach.hidden`). Students get what lies in ``release``.
"""

import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from minibert.course.author.building import sources
from minibert.course.author.notebook import CODE_STUB, TEXT_STUB, build
from minibert.course.learn.links import keep_only, only_to
from minibert.course.learn.paths import word_lists, write_text
from minibert.course.teach import formulas
from minibert.course.teach.nbgrading import CONFIG_FILE, SEED_FILE, convert, course_config
from minibert.storage.safe_files import explained

CONFIG = '''"""nbgrader's configuration of this course, made by `minibert course release`.

Keep this folder to yourself: it holds the solutions, the marks and the seed of the hidden tests.
"""

from importlib.util import find_spec
from pathlib import Path

here = Path(__file__).resolve().parent

c = get_config()  # noqa: F821
c.CourseDirectory.root = str(here)
c.ClearSolutions.code_stub = {{"python": {code!r}}}
c.ClearSolutions.text_stub = {text!r}
c.Execute.timeout = 60  # seconds for one cell; `minibert course grade --timeout` overrides it
c.Execute.startup_timeout = 120
# Formulas without a network: our template has MathJax inside (delete the folder for the network's).
nbgrader = Path(find_spec("nbgrader").origin).parent
pages = nbgrader / "server_extensions" / "formgrader" / "templates"
c.HTMLExporter.extra_template_basedirs = [str(here / {templates!r}), str(pages)]
# A submission's HTML could act in your name: it is cleaned of scripts.
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.filters = {{
    name: "minibert.course.teach.harmless.harmless" for name in ("strip_files_prefix", "clean_html")
}}
'''


def assignment_name(chapter: str) -> str:
    """How nbgrader calls the assignment of a chapter: ``ch01``."""
    return f"ch{chapter}"


def release(
    out: str | Path, chapters_root: Path, numbers: Sequence[str] | None, force: bool = False
) -> Iterator[str]:
    """Make or complete the course folder ``out`` with the chapters of the given numbers.

    Yields a line for each. A chapter that was released before is left alone without ``force``;
    with it, it is made again from today's source, and the marks stay. Raises FileNotFoundError for
    a chapter without a source, ValueError where ``out`` is a folder of something else.
    """
    out = Path(out)
    chosen = sources(chapters_root, numbers)
    with explained(out):
        prepare(out)
    for chapter in chosen:
        number = chapter.source.name[:2]
        name = assignment_name(number)
        if (out / "release" / name).is_dir() and not force:
            yield f"{name}: released before; left as it is (--force makes it again)"
            continue
        notebook = f"{chapter.source.stem}.ipynb"
        pair = build(chapter.source, chapter.root)
        unsolved, solved = (keep_only([notebook], version) for version in pair)
        _write_source(out / "source" / name, chapter, solved)
        _generate(out, name)
        points = check_release(out / "release" / name / notebook, unsolved)
        yield f"{name}: {solved.metadata.minibert.title}, {points:g} points"


def prepare(out: Path) -> None:
    """The folder with its configuration and seed; both are kept where they are."""
    if out.exists() and any(out.iterdir()) and not (out / CONFIG_FILE).is_file():
        raise ValueError(
            f"{out} is not empty and has no {CONFIG_FILE}: name a new folder, or a course's."
        )
    out.mkdir(parents=True, exist_ok=True)
    for folder in ("source", "release", "submitted"):
        (out / folder).mkdir(exist_ok=True)
    if not (out / SEED_FILE).is_file():
        write_text(out / SEED_FILE, secrets.token_hex(16) + "\n")
        (out / SEED_FILE).chmod(0o600)
    if not (out / CONFIG_FILE).is_file():
        formulas.write_template(out)
        text = CONFIG.format(code=CODE_STUB, text=TEXT_STUB, templates=formulas.FOLDER)
        write_text(out / CONFIG_FILE, text)


def _write_source(folder, chapter, solved):
    """The solved notebook, what it reads from the folder ``chapters``, and what it links to.

    A student has the other chapters elsewhere, or not at all, so no link leads to them.
    """
    number, notebook = chapter.source.name[:2], f"{chapter.source.stem}.ipynb"
    findings = folder / "chapters" / "findings"
    findings.mkdir(parents=True, exist_ok=True)
    for stem in (number, "real"):
        if (chapter.root / "findings" / f"{stem}.json").is_file():
            shutil.copyfile(chapter.root / "findings" / f"{stem}.json", findings / f"{stem}.json")
    for words in word_lists(chapter.root):
        shutil.copytree(words, folder / "chapters" / words.name, dirs_exist_ok=True)
    if (chapter.root / "images").is_dir():
        shutil.copytree(chapter.root / "images", folder / "images", dirs_exist_ok=True)
    for page in chapter.root.glob("*.md"):  # the glossary
        write_text(folder / page.name, only_to([notebook], page.read_text("utf-8")))
    write_text(folder / notebook, nbformat.writes(solved) + "\n")


def _generate(out, name):
    from nbgrader.converters import GenerateAssignment

    told = convert(GenerateAssignment, out, course_config(out), name)
    if not told["success"]:
        reason = (told.get("log") or told["error"]).strip().splitlines()[-1]
        raise RuntimeError(f"nbgrader could not make the assignment {name}: {reason}")


def check_release(path: Path, unsolved: NotebookNode) -> float:
    """The points of a released notebook; ValueError if anything of the solution is in it."""
    released, points = nbformat.read(path, 4), 0
    plain = [cell.source for cell in unsolved.cells]
    if [cell.source for cell in released.cells] != plain:
        raise ValueError(f"{path.name}: what nbgrader released is not the unsolved notebook.")
    for cell in released.cells:
        points += cell.metadata.get("nbgrader", {}).get("points", 0)
        if cell.get("outputs"):
            raise ValueError(f"{path.name}: cell {cell.id} of the release has outputs.")
    return points
