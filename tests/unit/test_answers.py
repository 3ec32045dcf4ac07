"""The wrong and the right answers of ``tests/answers``: each check refuses the ones, by name.

An answer is judged twice: as the learner sees it, and as in grading, where it runs on the other
side of a line and has to pass the hidden test, too.
"""

import ast
import math
import runpy
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
import minibert.heads.spans  # chapter 06 has it by then
from minibert.course.learn import answering
from minibert.course.learn.checking import NOT_YOURS, UNWRITTEN, crash_sentence, judge
from minibert.course.learn.exercise import Written, find, of_chapter
from minibert.course.learn.using import reference
from minibert.course.teach import hidden
from minibert.course.teach.examiner import Examiner
from minibert.models.transformer import attend
from minibert.text.merges import merge

GENERIC = f"{hidden.FAILED} {UNWRITTEN} {NOT_YOURS}"
ENOUGH = 8  # wrong answers to an exercise
TABLES = {
    path.stem[2:]: runpy.run_path(str(path))
    for path in sorted((Path(__file__).parents[1] / "answers").glob("ch[0-9][0-9].py"))
}
WRONG = [row for table in TABLES.values() for row in table["WRONG"]]
RIGHT = [row for table in TABLES.values() for row in table["RIGHT"]]
NAMES = {"math": math, "torch": torch, "nn": nn, "F": F, "mb": mb, "Counter": Counter}
NAMES |= {"defaultdict": defaultdict}
NAMES |= {"merge": merge}
NAMES |= {"attention": lambda *given: attend(*given)[0]}  # chapter 04 has both by then
NAMES |= {"split_heads": lambda x, heads: x.unflatten(-1, (heads, -1)).transpose(1, 2)}


def answer(exercise_id, code):
    """What ``code`` gives, an expression, or what it defines last."""
    given = NAMES | TABLES[exercise_id[:2]].get("GIVEN", {})
    names = given | {"solution": reference(exercise_id, given)}
    try:
        expression = ast.parse(code.strip(), mode="eval")
    except SyntaxError:
        known = dict(names)
        exec(code, known)
        return [value for name, value in known.items() if name not in {*names, "__builtins__"}][-1]
    return eval(compile(expression, "an answer", "eval"), names)


@pytest.fixture(scope="module")
def graded():
    """A function (exercise, answer) -> what a grader judges, as a submission hands it over."""
    examiner = Examiner("a course's seed")

    def judged(exercise_id, given):
        examiner.begin(exercise_id)
        answering.answer(exercise_id, (given,), crash_sentence)
        return examiner.end()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(answering.GRADER, examiner.address)
        yield judged
    examiner.close()


@pytest.mark.parametrize(("exercise_id", "code", "words"), WRONG)
def test_a_wrong_answer_is_refused_with_a_message_that_names_the_mistake(
    exercise_id, code, words, graded
):
    exercise, given = find(exercise_id), answer(exercise_id, code)
    for outcome in judge(exercise, (given,)), graded(exercise_id, given):
        assert outcome.status in ("wrong", "crashed") and names(words, outcome), outcome
        assert outcome.points < exercise.points


def names(words, outcome):
    """Whether the message has the words, which are none of those that any mistake brings."""
    return words.lower() in outcome.message.lower() and words.lower() not in GENERIC.lower()


@pytest.mark.parametrize(("exercise_id", "code"), RIGHT)
def test_a_right_answer_is_accepted(exercise_id, code, graded):
    exercise, given = find(exercise_id), answer(exercise_id, code)
    for outcome in judge(exercise, (given,)), graded(exercise_id, given):
        assert (outcome.status, outcome.points) == ("right", exercise.points), outcome


@pytest.mark.parametrize("chapter", TABLES)
def test_each_exercise_of_a_chapter_has_enough_answers(chapter):
    tables = TABLES[chapter]
    wrong = Counter(exercise_id for exercise_id, _, _ in set(tables["WRONG"]))
    right = Counter(exercise_id for exercise_id, _ in tables["RIGHT"])
    exercises = [e.id for e in of_chapter(chapter) if not isinstance(e, Written)]
    few = [name for name in exercises if wrong[name] < ENOUGH or not right[name]]
    assert few == tables.get("TO_COME", [])
    assert set(wrong) | set(right) <= set(exercises)
