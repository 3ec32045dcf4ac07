"""Declaring exercises, and comparing an answer with what was wanted."""

import re

import numpy as np
import pytest
import torch

from minibert.course.learn import exercise as course
from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Choice, Exercise, Quiz, Right, Wrong


def declare(**changes):
    numbers = {"minutes": 5, "difficulty": 1, "importance": 5, "points": 1}
    texts = {"id": "91.sound", "title": "Sound", "hints": ("h",)}
    return type("Sound", (Exercise,), numbers | texts | changes)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": "sound"}, "id"),
        ({"title": ""}, "title"),
        ({"minutes": 0}, "minutes"),
        ({"difficulty": 6}, "difficulty"),
        ({"importance": 0}, "importance"),
        ({"points": 0}, "points"),
        ({"hints": ()}, "hints"),
        ({"hints": "one text"}, "hints"),
    ],
)
def test_a_bad_declaration_names_what_is_wrong(changes, named):
    with pytest.raises(ValueError, match=rf"Sound: {named}"):
        declare(**changes)


def test_a_quiz_needs_a_right_choice_and_reasons():
    with pytest.raises(ValueError, match="at least one choice must be right"):
        type("Q", (Quiz,), {"id": "91.q", "question": "?", "choices": (Choice("a", "why"),)})
    with pytest.raises(ValueError, match="needs a `why`"):
        choices = (Choice("a", "", right=True),)
        type("Q", (Quiz,), {"id": "91.q", "question": "?", "choices": choices})


def test_find_knows_kinds_and_lists_what_there_is(demo_course):
    assert course.find("90.mean").points == 4
    assert course.find("90.q1", Quiz).choices[0].right
    with pytest.raises(ValueError, match=r"no exercise '90\.q1'.*90\.mean, 90\.largest"):
        course.find("90.q1")
    with pytest.raises(ValueError, match="chapter 77 has: none"):
        course.find("77.nothing")


@pytest.mark.parametrize(
    ("answer", "untouched"), [(0.0, True), (torch.zeros(()), True), (None, True), (3.0, False)]
)
def test_untouched_by_the_value_of_an_example(demo_course, answer, untouched):
    mean = course.find("90.mean")
    assert mean.untouched(lambda values: answer) is untouched


@pytest.mark.parametrize(
    ("got", "want", "equal"),
    [
        (1, 1.0, True),
        ([1, 2], np.array([1.0, 2.0]), True),
        (torch.tensor([1.0, 2.0]), [1, 2], True),
        (1.0 + 1e-7, 1, True),
        (1.001, 1, False),
        ([1, 2], [[1, 2]], False),
        (float("nan"), float("nan"), True),
        ("a", "a", True),
        ("1", 1, False),
        (None, 0, False),
        (object(), 1, False),
        ([[1], [2, 3]], [1, 2], False),
    ],
)
def test_same(got, want, equal):
    assert same(got, want) is equal


@pytest.mark.parametrize(
    ("got", "sentence"),
    [
        (None, "x is None: is there a `return`?"),
        ("2", "x should be a number or an array, but is of type str."),
        ([2.0], r"x should have the shape \(\), but has \(1,\)."),
        (float("nan"), r"x is not a number \(NaN\)"),
        (-2.0, "x has the wrong sign."),
        (3.0, "x should be 2, but is 3."),
        (4.0, "twice"),
    ],
)
def test_compare_names_the_mistake(got, sentence):
    verdict = compare(got, 2.0, [(4.0, "that is twice the value", 1)], what="x")
    assert isinstance(verdict, Wrong)
    assert re.search(sentence, verdict.message)
    assert verdict.points == (1 if got == 4.0 else 0)


def test_compare_accepts_what_is_right():
    assert compare(torch.tensor(2.0, requires_grad=True), 2) == Right()
    assert compare("cat", "cat") == Right()
    assert "should be 'cat'" in compare("dog", "cat").message
