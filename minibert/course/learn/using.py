"""``mb.course.use``: what the learner wrote where it is right, and the library's version elsewhere.

So the cells below an exercise can use its answer, and a notebook runs before it is solved, too.
"""

import ast
import contextlib
import io
import sys
from typing import Any

from minibert.course.learn.checking import judge
from minibert.course.learn.exercise import LENT, Written, find, reference_text, solution_file

LINES = {  # status of the learner's answer -> what is said of it
    "right": "your version runs: it passes its check.",
    "not yet": "the library's version runs until yours is written.",
    "wrong": "the library's version runs. Yours is not right yet: the check's message says why.",
}
LINES["crashed"] = LINES["wrong"]


def use(exercise_id: str, answer: Any) -> Any:
    """The ``answer`` to an exercise if it passes its check, else the library's.

    One line says which. The answer is a function, a class or a value; what it prints or raises in
    the check is not shown, because `check` shows it. The library's version is the solution, defined
    among the names that the caller has at this moment; it may call what the notebook defined above.

    Raises ValueError for an unknown exercise or one that is answered in words, FileNotFoundError
    where the library's version is needed and is not in this copy.
    """
    exercise = find(exercise_id)
    if isinstance(exercise, Written):
        raise ValueError(f"{exercise_id} is answered in words: there is nothing to use.")
    with contextlib.redirect_stdout(io.StringIO()):
        status = judge(exercise, (answer,)).status
    if status != "right":
        names = sys._getframe(1).f_globals
        answer = reference(exercise_id, names, getattr(answer, "__name__", None))
        LENT.extend([answer] if callable(answer) else [])  # a check knows it, and refuses it
    print(f"{exercise_id}: {LINES[status]}")
    return answer


def reference(exercise_id: str, names: dict[str, Any], name: str | None = None) -> Any:
    """What the solution of an exercise defines as ``name``, else what it binds last.

    It is run on a copy of ``names``, the names it finds. Raises FileNotFoundError where this copy
    of the library has no solution.
    """
    text = reference_text(exercise_id)
    bound = [found for statement in ast.parse(text).body for found in _bound(statement)]
    place = str(solution_file(exercise_id[:2]))  # a path of ours: no line of it is the learner's
    space = dict(names)
    exec(compile(text, place, "exec"), space)
    return space[name if name in bound else bound[-1]]


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a statement defines or assigns."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [node.id for node in targets if isinstance(node, ast.Name)]
