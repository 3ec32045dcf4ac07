"""``mb.course.use``: the learner's version where it is right, and else the library's."""

import pytest

import minibert as mb
from minibert.course.learn import answering, checking
from minibert.course.learn import progress_file as record
from minibert.course.learn.exercise import LENT, find
from minibert.course.learn.using import reference

LIBRARYS = "the library's version runs"


def mean(values):
    print("looking at", values)
    return sum(values) / len(values)


def used(answer, capsys, exercise_id="90.mean"):
    """What `use` gives, and the one line that it prints."""
    given = mb.course.use(exercise_id, answer)
    printed = capsys.readouterr()
    assert printed.err == "" and printed.out.count("\n") == 1
    return given, printed.out.strip()


def test_a_right_answer_is_used_as_it_is(demo_course, capsys):
    given, line = used(mean, capsys)
    assert given is mean and line == "90.mean: your version runs: it passes its check."


def unwritten(values):
    raise NotImplementedError


def not_for_lists(values):
    raise NotImplementedError("not for lists")


@pytest.mark.parametrize("answer", [None, ..., unwritten, lambda values: None, lambda values: 0.0])
def test_the_librarys_version_steps_in_for_a_stub(demo_course, capsys, answer):
    given, line = used(answer, capsys)
    assert given([1.0, 2.0, 6.0]) == 3.0
    assert line == f"90.mean: {LIBRARYS} until yours is written."


@pytest.mark.parametrize("answer", [sum, not_for_lists, lambda values: exit(), 5, "mean"])
def test_the_librarys_version_steps_in_for_a_wrong_answer(demo_course, capsys, answer):
    given, line = used(answer, capsys)
    assert given([1.0, 2.0, 6.0]) == 3.0
    assert line == f"90.mean: {LIBRARYS}. Yours is not right yet: the check's message says why."


def test_a_value_is_used_too(demo_course, capsys):
    assert used(14, capsys, "90.shift")[0] == 14
    assert used(13, capsys, "90.shift")[0] == 12
    assert mb.course.use("90.shift", 12) == 12  # the library's value may be the learner's as well
    assert "your version" in capsys.readouterr().out


def test_the_last_definition_of_a_mended_function_counts(demo_course, capsys):
    given, _ = used(lambda values: 0, capsys, "90.largest")
    assert given([-2, -1]) == -1


def test_nothing_but_the_check_writes_the_progress_and_the_log(demo_course, monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_CHECK_LOG", str(tmp_path / "log"))
    mb.course.use("90.mean", mean)
    assert record.read() == {} and not (tmp_path / "log").exists()


def test_the_librarys_version_is_no_answer(demo_course, capsys, monkeypatch):
    """The cell with the check may run again when the name is bound to the library's version."""
    given = mb.course.use("90.mean", None)
    told = checking.judge(find("90.mean"), (given,))
    assert (told.status, told.points) == ("not yet", 0) and "your own code" in told.message
    capsys.readouterr()
    again, line = used(given, capsys)
    assert again([1.0, 3.0]) == 2.0 and line.endswith("until yours is written.")
    monkeypatch.setenv(answering.GRADER, "1:password")  # nobody listens there
    mb.course.check("90.mean", given)
    assert "The library's version is no answer." in capsys.readouterr().out


def test_the_solution_finds_the_names_of_the_notebook_and_leaves_them_alone(
    demo_course, monkeypatch
):
    text = "import math\ndef helped(values):\n    return helper(values)\nhelped.twice = 2"
    monkeypatch.setattr("minibert.course.learn.using.reference_text", lambda _: text)
    names = {"helper": max}
    assert reference("90.mean", names)([1, 5]) == 5
    assert names == {"helper": max}


def test_what_cannot_be_used_is_an_error(demo_course, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="There is no exercise"):
        mb.course.use("90.nothing", mean)
    with pytest.raises(ValueError, match="answered in words"):
        mb.course.use("90.why", mean)
    monkeypatch.setattr("minibert.course.learn.exercise.solution_file", lambda _: tmp_path / "none")
    assert mb.course.use("90.mean", mean) is mean
    before = len(LENT)
    with pytest.raises(FileNotFoundError, match="not in this copy"):
        mb.course.use("90.mean", None)
    assert len(LENT) == before
