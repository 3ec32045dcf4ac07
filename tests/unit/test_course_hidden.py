"""Hidden tests: every exercise has one, which its solution passes and a list of answers fails."""

import copy
import math
import re
import runpy
from collections import Counter, defaultdict
from contextlib import suppress
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
import minibert.heads.spans  # chapter 06 has it by then
from minibert.course.learn import answering
from minibert.course.learn.checking import crash_sentence, judge
from minibert.course.learn.exercise import HOME, Written, chapters_with_exercises, find, of_chapter
from minibert.course.teach import hidden
from minibert.course.teach.examiner import Examiner
from minibert.models.transformer import FeedForward
from minibert.text.merges import merge

CHAPTERS = Path(__file__).parents[2] / "chapters"
NAMES = {"math": math, "torch": torch, "nn": nn, "F": F, "mb": mb, "merge": merge}
NAMES |= {"Counter": Counter, "defaultdict": defaultdict, "copy": copy}
NAMES |= {"FeedForward": FeedForward, "re": re}
NAMES |= runpy.run_path(str(Path(__file__).parents[1] / "answers/ch08.py"))["GIVEN"]
ARGUMENTLESS = ("04.lookup",)  # a class made of no arguments: none that could be listed
EXERCISES = [
    item.id
    for chapter in chapters_with_exercises()
    if (HOME / f"ch{chapter}.py").is_file()
    for item in of_chapter(chapter)
    if not isinstance(item, Written)
]


def answer(exercise_id, folder):
    """What a chapter's solution cells define; they find what the solved ones before them define."""
    wanted, names = exercise_id.replace(".", "-") + "-solution-", dict(NAMES)
    for grade_id, source in solution_cells(exercise_id[:2], "solutions").items():
        if grade_id.startswith(wanted):
            break
        with suppress(NameError):  # it needs more of the notebook
            exec(source, names)
    known = dict(names)
    for grade_id, source in solution_cells(exercise_id[:2], folder).items():
        if grade_id.startswith(wanted):
            exec(source, names)
    made = [name for name, value in names.items() if known.get(name) is not value]
    return names[made[-1]]


@cache
def solution_cells(chapter, folder):
    """The sources of a notebook's solution cells by their names, in order."""
    (path,) = (CHAPTERS / folder).glob(f"{chapter}_*.ipynb")
    cells = [(c.metadata.get("nbgrader", {}), c.source) for c in nbformat.read(path, 4).cells]
    return {m["grade_id"]: source for m, source in cells if "-solution-" in m.get("grade_id", "")}


def key(value):
    """Something hashable that tells one argument from another."""
    if torch.is_tensor(value):
        return tuple(value.shape), tuple(value.flatten().tolist())
    if isinstance(value, list | tuple | dict):
        return tuple(map(key, value.items() if isinstance(value, dict) else value))
    text = getattr(value, "__name__", None) or repr(value)
    return type(value).__name__ if " object at 0x" in text else text


class Listed:
    """An answer that was written down: right for the arguments seen so far, else the stub."""

    def __init__(self, right, stub):
        self.right, self.stub, self.seen, self.learning = right, stub, set(), True

    def __call__(self, *arguments, **options):
        known = key([*arguments, options])
        if self.learning:
            self.seen.add(known)
        return (self.right if known in self.seen else self.stub)(*arguments, **options)


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_the_solution_passes_for_any_seed_and_a_listed_answer_for_none(exercise_id):
    exercise, right = find(exercise_id), answer(exercise_id, "solutions")
    listed = Listed(right, answer(exercise_id, "."))
    assert judge(exercise, (listed,)).status == "right"
    listed.learning = False
    assert judge(exercise, (listed,)).status == "right", "it passes all that a learner can see"
    for seed in ("1", "another"):
        told = judge(exercise, (right,), seed)
        assert (told.status, told.points) == ("right", exercise.points), told
        if exercise_id in ARGUMENTLESS:
            continue
        told = judge(exercise, (listed,), seed)
        assert told.points == 0 and told.status != "right", told


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_the_inputs_come_from_the_seed(exercise_id):
    """One seed, one set of inputs: all students meet the same; another seed draws others."""

    def inputs(secret):
        seen = []

        def watched(right):
            def watching(*arguments):
                seen.append(tuple(map(key, arguments)))
                return right(*arguments)

            return watching

        functions = find(exercise_id).as_functions(answer(exercise_id, "solutions"))
        assert hidden.verdict(exercise_id, tuple(map(watched, functions)), secret) is None
        return seen

    assert inputs("one") == inputs("one") != inputs("two")


def test_without_a_seed_nothing_hidden_runs(monkeypatch):
    monkeypatch.setattr(hidden, "verdict", lambda *_: pytest.fail("a hidden test ran"))
    assert judge(find("01.noise"), (answer("01.noise", "solutions"),)).status == "right"


def test_an_answer_that_is_no_tuple_of_the_right_length_is_not_alike():
    assert hidden.alike((1, [2.0]), (1, [2.0])) and hidden.alike([1, 2], (1, 2))
    assert not hidden.alike((1,), (1, 2)) and not hidden.alike(None, (1, 2))
    assert not hidden.alike((1, 3), (1, 2))


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_each_exercise_is_judged_over_a_line(exercise_id, monkeypatch):
    """As in grading: no answer needs more than plain values and functions of them."""
    examiner = Examiner("a seed")
    monkeypatch.setenv(answering.GRADER, examiner.address)
    try:
        for folder, points in (("solutions", find(exercise_id).points), (".", 0)):
            examiner.begin(exercise_id)
            answering.answer(exercise_id, (answer(exercise_id, folder),), crash_sentence)
            told = examiner.end()
            assert told.points == points, told
            assert told.status == ("right" if points else "not yet"), told
    finally:
        examiner.close()


class Forged:
    """A report on a classifier that was never made: a layer of zeros, so that nothing depends."""

    def __call__(self, vectors, ids, targets):
        vectors.zero_()
        logits, zeros = torch.zeros(len(ids), 3), torch.zeros_like(vectors)
        layers = [(torch.zeros(3, vectors.shape[1]), torch.zeros(3))]
        return {"tables": [vectors], "embedding": True, "learns": [True], "layers": layers,
                "logits": logits, "again": logits, "gradient": zeros}  # fmt: skip


def test_a_forged_report_of_zeros_is_not_believed():
    assert hidden.verdict("01.find_the_bug", (Forged(),), "a seed") is not None


def test_an_answer_cannot_alter_what_the_hidden_test_compares_with(monkeypatch):
    def test(draw, answer):
        values = [1.0, 2.0]
        answer(values)
        return values == [1.0, 2.0]

    monkeypatch.setitem(hidden._TESTS, "90.kept", test)
    assert hidden.verdict("90.kept", (list.clear,), "a seed") is None
