"""Hints one at a time, solutions, quizzes, and the library's source shown in place."""

import pytest

import minibert as mb
from minibert.course.learn import helping, listing


@pytest.fixture(autouse=True)
def _fresh(demo_course, monkeypatch):
    monkeypatch.setattr(helping, "_GIVEN", helping.Counter())


def test_hints_come_one_at_a_time_then_end(capsys):
    for expected in (
        "Add the values up first.",
        "Then divide by",
        "There are 2 hints",
        "There are",
    ):
        mb.course.hint("90.mean")
        assert expected in capsys.readouterr().out
    mb.course.hint("90.mean", 1)
    assert "Hint 1 of 2 · The mean of a list\nAdd the values" in capsys.readouterr().out


def test_the_solution_is_the_sources_own(capsys):
    mb.course.solution("90.mean")
    out = capsys.readouterr().out
    assert "result = sum(values) / len(values)" in out and "SOLUTION" not in out
    assert out.startswith("Solution · The mean of a list\n```python\n")


def test_the_solution_of_a_written_question_is_its_text(capsys):
    mb.course.solution("90.why")
    out = capsys.readouterr().out
    assert "A single billionaire" in out and "```" not in out


def test_help_on_an_unknown_exercise_is_a_sentence(capsys):
    for ask in (mb.course.hint, mb.course.solution, mb.course.quiz):
        ask("90.nothing")
        assert "There is no" in capsys.readouterr().out


def test_a_release_without_solutions_says_so(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("minibert.course.learn.exercise.solution_file", lambda _: tmp_path / "none")
    mb.course.solution("90.mean")
    assert "not in this copy" in capsys.readouterr().out


def test_a_quiz_button_explains_its_choice():
    from minibert.course.learn.exercise import Quiz, find

    box = helping._buttons(find("90.q1", Quiz))
    _, first, second, answer = box.children
    assert answer.value == ""
    second.children[0].click()
    assert answer.value.startswith("<b>B. ✗ No.</b>") and "<code>x &lt; m</code>" in answer.value
    first.children[0].click()
    assert answer.value.startswith("<b>A. ✓ Right.</b>")


def test_source_shows_code_with_its_place_and_no_machine_path(capsys):
    mb.course.source(listing.source)
    out = capsys.readouterr().out
    assert out.startswith("# minibert/course/learn/listing.py, lines ")
    assert "def source(thing: Any) -> None:" in out
    assert str(listing.__file__) not in out


def test_a_method_is_shown_without_its_indent(capsys):
    from minibert.course.learn.exercise import Exercise

    mb.course.source(Exercise.untouched)
    text = capsys.readouterr().out
    assert "\ndef untouched(self, *answers: Any) -> bool:\n    " in text  # the body keeps its own
    compile(text, "listing", "exec")


def test_source_of_what_has_none_is_a_clear_error():
    with pytest.raises(TypeError, match="pass a class, a function or a module"):
        mb.course.source(3)


def test_a_listing_outlives_backticks_in_the_code(monkeypatch):
    shown = []
    monkeypatch.setattr(listing, "show", lambda text, rich: shown.extend([text, *rich.values()]))
    listing.source(test_a_listing_outlives_backticks_in_the_code)  # ````
    fence = shown[1].partition("python")[0]
    assert set(fence) == {"`"} and shown[1].endswith(f"\n{fence}")
    assert fence not in shown[0]
