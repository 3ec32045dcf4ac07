"""The tables of the teacher's guide that come from the exercises' declarations.

``python -m minibert.course.author.guide`` writes them: the points into ``docs/teaching.md``,
between its two marks, and the mistakes that each check names into ``docs/mistakes.md``. A test
holds both files to the declarations.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

from minibert.course.author import memory
from minibert.course.learn.exercise import (
    HOME,
    Exercise,
    Written,
    chapters_with_exercises,
    declared_in,
    of_chapter,
)
from minibert.course.learn.paths import REPOSITORY, write_text

BEGIN, END = (
    "<!-- points: made by python -m minibert.course.author.guide -->",
    "<!-- end of points -->",
)
SHORTEST = 14  # letters of a message
UNNAMED = re.compile(r"(Expected )?…|Expected .*(, got …\.|but is …\.)$")  # says only what came
NOT_TOLD = {"Right", "TypeError", "ValueError"}
BESIDE = re.compile(
    r"minibert\.course\.learn\.exercises\.(?!ch\d\d)\w+"
)  # no chapter, but its helper
HEAD = """# What goes wrong, exercise by exercise

The checks know these mistakes by name, and this is what they tell a learner who makes one. Use the
list to prepare a lesson, or to see why a mark is below the full one. In the check itself, the
expected and the given value stand in place of each …. (`python -m minibert.course.author.guide`
writes this page from the exercises' declarations.)
"""


def chapters() -> list[str]:
    """The chapters of the package (a teacher's own are not in the guide)."""
    return [c for c in chapters_with_exercises() if declared_in(c) == HOME / f"ch{c}.py"]


def points_table() -> str:
    """Markdown: one row per chapter, with the points of its exercises."""
    lines = ["| chapter | exercises and points | by nbgrader | by you | minutes |"]
    lines.append("|---|---|---|---|---|")
    sums = [0, 0, 0]
    for chapter in chapters():
        exercises = of_chapter(chapter)
        named = ", ".join(f"{e.id.partition('.')[2]} {e.points}" for e in exercises)
        by_hand = sum(e.points for e in exercises if isinstance(e, Written))
        automatic = sum(e.points for e in exercises) - by_hand
        minutes = sum(e.minutes for e in exercises)
        sums = [a + b for a, b in zip(sums, (automatic, by_hand, minutes), strict=True)]
        lines.append(f"| {chapter} | {named} | {automatic} | {by_hand} | {minutes} |")
    lines.append(f"| all | | {sums[0]} | {sums[1]} | {sums[2]} |")
    return "\n".join(lines)


def with_points(text: str) -> str:
    """The guide with a new table of points between its two marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{points_table()}\n{END}{rest.split(END)[1]}"


def mistakes_page() -> str:
    """The page of mistakes, as Markdown."""
    parts = [HEAD]
    for chapter in chapters():
        parts.append(f"\n## Chapter {chapter}\n")
        for exercise in of_chapter(chapter):
            said = mistakes(exercise)
            if said:
                parts.append(f"\n### {exercise.id} · {exercise.title}\n\n")
                parts += [f"- {sentence}\n" for sentence in said]
    return "".join(parts)


def mistakes(exercise: Exercise) -> list[str]:
    """The sentences in which an exercise's check names a mistake, in the order of its code.

    Those of the functions that its chapter imports from a module beside it follow.
    """
    declared: Any = ast.parse(textwrap.dedent(inspect.getsource(type(exercise)))).body[0]
    found: list[str] = []
    for method in declared.body:
        if isinstance(method, ast.FunctionDef):
            _collect(method.body, found)
    helpers: list[Any] = [type(exercise)]
    for known in helpers:  # grows as it is read
        helpers += [helper for helper in _helpers(known) if helper not in helpers]
    for helper in helpers[1:]:
        defined: Any = ast.parse(inspect.getsource(helper)).body[0]
        _collect(defined.body, found)
    return list(dict.fromkeys(found))


def _helpers(known: Any) -> list[Any]:
    """The functions beside a chapter's exercises that a class or function names."""
    names = vars(sys.modules[known.__module__])
    words = re.findall(r"\w+", inspect.getsource(known))
    functions = [names[word] for word in words if inspect.isfunction(names.get(word))]
    return [function for function in functions if BESIDE.fullmatch(function.__module__)]


def _collect(nodes: Iterable[ast.AST], found: list[str]) -> None:
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in NOT_TOLD:
            continue
        if isinstance(node, ast.keyword) or ast.unparse(node).startswith("right = "):
            continue  # what=..., sep=...; what a right answer is told
        text = _text(node)
        if text is None:
            _collect(ast.iter_child_nodes(node), found)
        elif len(text) > SHORTEST and text.count(" ") > 1 and not UNNAMED.match(_sentence(text)):
            found.append(_sentence(text))


def _text(node: ast.AST) -> str | None:
    """The text of a literal, with … for inserted values; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        parts = [str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values]
        return "".join(parts)
    return None


def _sentence(text: str) -> str:
    text = re.sub(r"^…: ", "", " ".join(text.split()))
    return text[:1].upper() + text[1:]


def main() -> int:
    """Write both pages, and the measured tables of memory."""
    docs = REPOSITORY / "docs"
    for page in memory.PAGES:
        text = (docs / page).read_text("utf-8")
        write_text(docs / page, memory.with_table(text, memory.read()))
    write_text(docs / "teaching.md", with_points((docs / "teaching.md").read_text("utf-8")))
    write_text(docs / "mistakes.md", mistakes_page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
