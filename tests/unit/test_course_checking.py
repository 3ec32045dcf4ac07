"""``mb.course.check`` tells right, wrong, untouched and crashed apart, and never raises."""

import json
import random
import sys

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.course.learn import checking
from minibert.course.learn import progress_file as record
from minibert.course.learn.exercise import find

ANSWERS = {
    "right": lambda values: sum(values) / len(values),
    "wrong": lambda values: sum(values),
    "not yet": lambda values: 0.0,
    "crashed": lambda values: values / 0,
}
POINTS = {"right": 4, "wrong": 2, "not yet": 0, "crashed": 0}


def run(status):
    return checking.judge(find("90.mean"), (ANSWERS[status],))


@pytest.mark.parametrize("status", ANSWERS)
def test_each_state_is_told_apart(demo_course, status, capsys):
    assert (run(status).status, run(status).points) == (status, POINTS[status])
    assert mb.course.check("90.mean", ANSWERS[status]) is None
    out = capsys.readouterr().out
    words = {"right": "✓ Right", "wrong": "✗ Wrong", "not yet": "… Not yet", "crashed": "! It"}
    assert out.startswith(words[status])


def test_a_known_mistake_is_named_with_its_points(demo_course):
    message = run("wrong").message
    assert message == "That is the sum: did you divide by the number of values? (2 of 4 points)"


def test_a_crash_is_one_sentence_with_the_learners_own_line(demo_course):
    message = run("crashed").message
    assert "\n" not in message
    assert message.startswith("TypeError: unsupported operand")
    assert "values / 0" in message


@pytest.mark.parametrize("answer", [SystemExit(1), RecursionError("deep"), AssertionError()])
def test_whatever_the_learner_raises_stays_inside(demo_course, answer):
    def raises(values):
        raise answer

    assert checking.judge(find("90.mean"), (raises,)).status == "crashed"


def test_an_interrupt_is_not_swallowed(demo_course):
    def stopped(values):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checking.judge(find("90.mean"), (stopped,))


def test_missing_and_superfluous_answers_are_reported(demo_course, capsys):
    mb.course.check("90.mean")
    assert "Not yet" in capsys.readouterr().out
    mb.course.check("90.mean", 1, 2, 3)
    assert "TypeError" in capsys.readouterr().out


def test_an_unknown_exercise_is_reported_and_not_remembered(demo_course, capsys):
    assert mb.course.check("90.nothing", 1) is None
    assert "There is no exercise '90.nothing'" in capsys.readouterr().out
    assert record.read() == {}


@pytest.mark.parametrize("execution", ["autograde", "validate"])
@pytest.mark.parametrize("status", ANSWERS)
def test_under_nbgrader_the_points_are_plain_numbers(demo_course, monkeypatch, execution, status):
    monkeypatch.setenv("NBGRADER_EXECUTION", execution)
    points = mb.course.check("90.mean", ANSWERS[status])
    assert type(points) in (int, float)
    assert points == POINTS[status]
    assert record.read() == {}  # a teacher's machine keeps no progress


def test_under_nbgrader_nothing_reaches_stderr(demo_course, monkeypatch, capfd):
    def noisy(values):
        print("warning", file=sys.stderr)
        checking.os.write(2, b"from C code\n")
        return sum(values) / len(values)

    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert mb.course.check("90.mean", noisy) == 4
    assert capfd.readouterr().err == ""
    checking.os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_points_are_bounded_and_partial(demo_course):
    shift = find("90.shift")
    assert checking.judge(shift, (13,)).points == 1
    assert checking.judge(shift, (12,)).points == 2
    assert checking.plain(np.float64(1.5)) == 1.5 and type(checking.plain(np.float64(2))) is int


def test_checking_leaves_the_random_streams_alone(demo_course):
    def seeding(values):
        mb.seed_everything(7)
        return random.random() + np.random.rand() + torch.rand(()).item()

    mb.seed_everything(1)
    without = [random.random(), np.random.rand(), torch.rand(()).item()]
    mb.seed_everything(1)
    checking.judge(find("90.mean"), (seeding,))
    assert [random.random(), np.random.rand(), torch.rand(()).item()] == without


def test_the_log_has_one_line_a_check(demo_course, monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_CHECK_LOG", str(tmp_path / "log"))
    for status in ANSWERS:
        mb.course.check("90.mean", ANSWERS[status])
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["status"] for line in lines] == list(ANSWERS)


def test_a_message_is_escaped_in_its_html(demo_course, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "minibert.course.learn.messages.show", lambda text, rich: shown.extend(rich.values())
    )

    def hostile(values):
        raise ValueError('<script>alert(`1`)</script> & "quotes"')

    mb.course.check("90.mean", hostile)
    assert "<script" not in shown[0] and "&lt;script&gt;" in shown[0]
    assert "<code>1</code>" in shown[0]
