"""What an exercise is: a small class that declares it, and the verdicts that its check returns.

An author writes one class per exercise in ``minibert/course/learn/exercises/chNN.py``::

    class Mean(Exercise):
        id = "01.mean"
        title = "The mean of a list"
        minutes, difficulty, importance, points = 5, 1, 3, 2
        hints = ("Add them up first.", "Divide by `len(values)`.")
        default = 0.0                       # what the unsolved stub gives ...
        example = ([1.0, 2.0, 6.0],)        # ... for these arguments

        def check(self, mean):
            mistakes = [(9.0, "that is the sum: did you divide by the length?", 1)]
            return compare(mean([1.0, 2.0, 6.0]), 3.0, mistakes)

Defining the class registers it; `find` gives it back by its id. A teacher's own exercises lie in
a folder of ``chNN.py`` files named by the environment variable ``MINIBERT_EXERCISES``.
"""

import copy
import importlib
import importlib.util
import json
import os
import re
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minibert.course.learn.compare import same

ID = re.compile(r"\d\d\.[a-z][a-z0-9_]*")
HOME = Path(__file__).parent / "exercises"
SEALED = ".zlib"  # a chapter's solutions in a copy that is not to show them
_REGISTRY: dict[str, Any] = {}  # id -> Exercise or Quiz, in the order of their files
LENT: list[Any] = []  # functions and classes that `mb.course.use` gave in place of an answer


@dataclass(frozen=True)
class Right:
    """The answer is right; ``message`` may add what to notice."""

    message: str = ""


@dataclass(frozen=True)
class Wrong:
    """The answer is wrong: ``message`` names the mistake, ``points`` is what it still earns."""

    message: str
    points: float = 0


class Exercise:
    """Base class of every exercise; see the module's docstring for the attributes.

    ``minutes`` is how long it takes; ``difficulty`` and ``importance`` run from 1 to 5.
    ``default`` is the value of the unsolved stub: the answer itself or, where ``example`` is given,
    the answer called with ``example``'s arguments. Override `untouched` for anything else.
    Raises ValueError when a subclass is declared badly.
    """

    id: Any = None  # "01.mean" in every class that declares one
    title = ""
    minutes = difficulty = importance = 0
    points: float = 0
    hints: tuple[str, ...] = ()
    default: Any = None
    example: tuple | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.id is not None:
            _REGISTRY[cls.id] = _validated(cls())

    def as_functions(self, *answers: Any) -> tuple:
        """The answers as `untouched`, `check` and the hidden test get them.

        These are judged in another process when they are graded, so they must be plain values, or
        functions from plain values to plain values (`minibert.course.learn.wire`). Override this
        where an answer is a class: give a function that makes an object, tries it, and says what it
        saw.
        """
        return answers

    def check(self, *answers: Any) -> Right | Wrong:
        """Judge the answers: return `Right` or `Wrong`. It may seed and compute anything."""
        raise NotImplementedError

    def untouched(self, *answers: Any) -> bool:
        """True when the learner has not begun: the stub's value comes back."""
        value = answers[0] if answers else None
        if self.example is not None and callable(value):
            value = value(*(x if callable(x) else copy.deepcopy(x) for x in self.example))
        return value is None or value is Ellipsis or same(value, self.default)


class Written(Exercise):
    """A question with a written answer, marked by a teacher who sees ``rubric`` (Markdown)."""

    rubric = ""


@dataclass(frozen=True)
class Choice:
    """One choice of a quiz, in Markdown, and what to say to a learner who picks it."""

    text: str
    why: str
    right: bool = False


class Quiz:
    """A multiple-choice question: ``id``, ``question`` (Markdown) and ``choices``."""

    id: Any = None
    question = ""
    choices: tuple[Choice, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.id is not None:
            quiz = cls()
            _need(cls, ID.fullmatch(quiz.id), "id must look like '01.q1'", quiz.id)
            _need(cls, quiz.question, "question must be some text", quiz.question)
            right = sum(choice.right for choice in quiz.choices)
            _need(cls, right >= 1, "at least one choice must be right", right)
            _need(cls, all(c.why for c in quiz.choices), "each choice needs a `why`", quiz.choices)
            _REGISTRY[quiz.id] = quiz


def _need(cls, condition, wanted, got):
    if not condition:
        raise ValueError(f"{cls.__name__}: {wanted}; got {got!r}.")


def _validated(exercise):
    cls = type(exercise)
    _need(cls, ID.fullmatch(str(exercise.id)), "id must look like '01.mean'", exercise.id)
    _need(cls, exercise.title, "title must be some text", exercise.title)
    _need(cls, exercise.minutes > 0, "minutes must be positive", exercise.minutes)
    _need(cls, exercise.difficulty in range(1, 6), "difficulty is 1 to 5", exercise.difficulty)
    _need(cls, exercise.importance in range(1, 6), "importance is 1 to 5", exercise.importance)
    _need(cls, exercise.points > 0, "points must be positive", exercise.points)
    single = isinstance(exercise.hints, str)
    _need(cls, exercise.hints and not single, "hints must be a tuple of texts", exercise.hints)
    return exercise


def lent(answers: tuple) -> bool:
    """Whether one of the answers is the library's own, and no learner's work."""
    return any(answer is given for answer in answers for given in LENT)


def find(exercise_id: str, kind: type = Exercise) -> Any:
    """The exercise (or, with ``kind=Quiz``, the quiz) of that id.

    Raises ValueError, listing what the chapter has, when there is none.
    """
    chapter = str(exercise_id)[:2]
    load(chapter)
    found = _REGISTRY.get(exercise_id)
    if not isinstance(found, kind):
        known = ", ".join(item.id for item in of_chapter(chapter, kind)) or "none"
        raise ValueError(
            f"There is no {kind.__name__.lower()} {exercise_id!r}; chapter {chapter} has: {known}."
        )
    return found


def of_chapter(chapter: str, kind: type = Exercise) -> list:
    """Every exercise (or quiz) of one chapter, in the order in which its file declares them."""
    load(chapter)
    items = _REGISTRY.values()
    return [item for item in items if item.id[:2] == chapter and isinstance(item, kind)]


def homes() -> list[Path]:
    """The folders that hold ``chNN.py`` files: a teacher's own first, then the package's."""
    extra = os.environ.get("MINIBERT_EXERCISES")
    return [Path(extra), HOME] if extra else [HOME]


def chapters_with_exercises() -> list[str]:
    """The two-digit numbers of the chapters for which exercises are declared, in order."""
    return sorted({path.stem[2:] for home in homes() for path in home.glob("ch[0-9][0-9].py")})


def load(chapter: str) -> None:
    """Import the declarations of one chapter once; a chapter without a file has none."""
    path = declared_in(chapter)
    if path is None:
        return
    if path.parent == HOME:
        importlib.import_module(f"minibert.course.learn.exercises.ch{chapter}")
        return
    name = f"minibert_exercises_ch{chapter}"
    if name not in sys.modules:
        spec: Any = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


def declared_in(chapter: str) -> Path | None:
    """The file that declares a chapter's exercises, or None."""
    for home in homes():
        path = home / f"ch{chapter}.py"
        if path.is_file():
            return path
    return None


def solution_file(chapter: str) -> Path:
    """Where the builder keeps the solutions of a chapter (JSON: id -> Python or Markdown)."""
    declared = declared_in(chapter)
    return (declared.parent if declared else HOME) / f"ch{chapter}.json"


def solution_text(exercise_id: str) -> str:
    """The solution as the builder cut it from the chapter's source.

    Raises ValueError for an unknown exercise and FileNotFoundError when none was built or shipped.
    """
    find(exercise_id)
    path = solution_file(exercise_id[:2])
    return _text_of(exercise_id, path.read_bytes() if path.is_file() else b"{}")


def reference_text(exercise_id: str) -> str:
    """The solution to be run, not shown: a copy without solutions has it in compressed form.

    Raises what `solution_text` raises.
    """
    sealed = solution_file(exercise_id[:2]).with_suffix(SEALED)
    if sealed.is_file():
        return _text_of(exercise_id, zlib.decompress(sealed.read_bytes()))
    return solution_text(exercise_id)


def _text_of(exercise_id, content):
    """One solution of a chapter's JSON."""
    texts = json.loads(content)
    if exercise_id not in texts:
        raise FileNotFoundError(
            f"The solution of {exercise_id} is not in this copy: it is built from the chapter's "
            "source by `minibert course build`, and a graded release ships without it."
        )
    return texts[exercise_id]
