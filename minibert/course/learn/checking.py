"""``mb.course.check``: judge an answer, tell the learner, save the progress, or return the points.

In a lesson `check` prints and returns None, whatever happens. When nbgrader executes the notebook
(it sets ``NBGRADER_EXECUTION``), the points are returned as the cell's last expression, because
nbgrader gives full marks to a cell that ends in anything but a number, and none to a cell that
wrote to stderr. So the points are a plain finite number, and stderr is swallowed meanwhile.

`minibert course grade` judges in a process of its own; there `check` only hands the answers over
(`minibert.course.learn.answering`).
"""

import contextlib
import json
import linecache
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from minibert.course.learn import answering
from minibert.course.learn import progress_file as record
from minibert.course.learn.exercise import Exercise, Right, Written, Wrong, find, homes, lent
from minibert.course.learn.line import Gone
from minibert.course.learn.messages import say
from minibert.course.learn.wire import Elsewhere
from minibert.course.teach import hidden

UNWRITTEN = "Write your own code, then run both cells."
NOT_YOURS = (
    "This is the library's version, which `mb.course.use` gave. "
    "Run the cell with your own code, then this one."
)
PACKAGE = str(Path(__file__).parents[2])


@dataclass(frozen=True)
class Outcome:
    """What a check found: ``status`` is "right", "wrong", "not yet" or "crashed"."""

    id: str
    status: str
    message: str
    points: float
    of: float
    seconds: float


def check(exercise_id: str, *answers: object) -> float | None:
    """Check the answers to one exercise, say what is right or wrong, and remember it.

    Returns None, and never raises; executed by nbgrader it returns the points earned instead.
    """
    if os.environ.get(answering.GRADER):
        answering.answer(exercise_id, answers, crash_sentence)
        return None
    graded = os.environ.get("NBGRADER_EXECUTION")
    with silent_stderr() if graded else contextlib.nullcontext():
        outcome, title = _outcome(exercise_id, answers)
    say(outcome.status, title, outcome.message)
    _log(outcome)
    if graded:
        return outcome.points
    if outcome.of:
        record.remember(outcome)
    return None


def _outcome(exercise_id, answers):
    try:
        exercise = find(exercise_id)
    except ValueError as error:
        return Outcome(str(exercise_id), "crashed", str(error), 0, 0, 0.0), str(exercise_id)
    return judge(exercise, answers), exercise.title


def judge(
    exercise: Exercise, answers: tuple, secret: str | None = None, ready: bool = False
) -> Outcome:
    """Run one exercise's check on a tuple of answers; gives an `Outcome`, raises nothing.

    With ``secret``, the seed of a course, a right answer has to pass the hidden test, too. Answers
    that are ``ready`` went through `Exercise.as_functions` before. The global random streams are
    left as they were, so that checking changes nothing below.
    """
    start = time.perf_counter()
    with random_streams_kept():
        try:
            if lent(answers):
                return Outcome(exercise.id, "not yet", NOT_YOURS, 0, plain(exercise.points), 0.0)
            answers = answers if ready else exercise.as_functions(*answers)
            status, message, points = _verdict(exercise, answers, secret)
        except (Exception, SystemExit) as error:
            status, message, points = "crashed", crash_sentence(error), 0
            if message.partition(",")[0] == "NotImplementedError":  # what a stub may raise
                status, message = "not yet", unwritten(exercise)
    seconds = round(time.perf_counter() - start, 3)
    return Outcome(exercise.id, status, message, plain(points), plain(exercise.points), seconds)


def _verdict(exercise, answers, secret):
    if isinstance(exercise, Written):
        return "not yet", "This one is a written answer: your teacher reads it.", 0
    if exercise.untouched(*answers):
        return "not yet", unwritten(exercise), 0
    verdict = exercise.check(*answers)
    if isinstance(verdict, Right) and secret:
        verdict = hidden.verdict(exercise.id, answers, secret) or verdict
    if isinstance(verdict, Right):
        return "right", verdict.message, exercise.points
    if not isinstance(verdict, Wrong):
        kind = type(verdict).__name__
        raise TypeError(f"the check of {exercise.id} gave a {kind}, not Right or Wrong")
    points = min(max(verdict.points, 0), exercise.points)
    partial = f" ({plain(points):g} of {exercise.points:g} points)" if points else ""
    return "wrong", verdict.message[:1].upper() + verdict.message[1:] + partial, points


def unwritten(exercise: Exercise) -> str:
    """What is said of an answer that is not begun."""
    return f"{UNWRITTEN} {help_line(exercise)}"


def help_line(exercise: Exercise) -> str:
    """One sentence that says where to find help."""
    return f'Stuck? `mb.course.hint("{exercise.id}")`'


def plain(points: float) -> float:
    """Points as nbgrader reads them: an int or a float whose repr is a number."""
    value = float(points)
    return int(value) if value.is_integer() else value


def crash_sentence(error: BaseException) -> str:
    """What was raised and where in the learner's own code, in one sentence."""
    if isinstance(error, Elsewhere | Gone):
        return error.sentence
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    text = text if len(text) <= 300 else text[:297] + "..."
    not_theirs = (PACKAGE, sys.prefix, sys.base_prefix, *map(str, homes()))
    frame, place = error.__traceback__, ("", 0)
    while frame is not None:
        name = frame.tb_frame.f_code.co_filename
        if not name.startswith(not_theirs):
            place = name, frame.tb_lineno
        frame = frame.tb_next
    line = linecache.getline(*place).strip() if place[0] else ""
    return f"{text}, in line {place[1]}: `{line}`" if line else text


@contextlib.contextmanager
def random_streams_kept() -> Iterator[None]:
    """Put the global random streams of Python, NumPy and torch back as they were."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    python_state = random.getstate()
    numpy_state = numpy.random.get_state() if numpy else None
    devices = range(torch.cuda.device_count()) if torch and torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices) if torch else contextlib.nullcontext():
        try:
            yield
        finally:
            random.setstate(python_state)
            if numpy:
                numpy.random.set_state(numpy_state)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Swallow what Python and C code write to stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            with contextlib.redirect_stderr(nothing):
                yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _log(outcome):
    """Append the outcome as one JSON line to the file named by ``MINIBERT_CHECK_LOG``."""
    path = os.environ.get("MINIBERT_CHECK_LOG")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
