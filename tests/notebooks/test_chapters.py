"""Every notebook agrees with its source, is clean, runs, keeps its budget, and is checked right."""

import nbformat

from minibert.course.author.building import differences
from minibert.course.author.execute import LIMIT
from minibert.course.author.lint import CHECKED, problems
from minibert.course.learn.exercise import Written, of_chapter

SLACK = 3  # a slow machine's


def test_source_and_notebooks_agree(chapter):
    assert differences(chapter) == []


def test_the_stored_notebook_is_clean(version):
    """Alt texts, no machine paths, stored outputs for nbval, no errors, cells of 25 lines."""
    assert problems(nbformat.read(version.path, 4)) == []


def test_it_is_small_enough_to_be_shown(version):
    assert version.path.stat().st_size <= LIMIT


def test_it_checks_some_output(version):
    tags = [cell.metadata.get("tags", []) for cell in nbformat.read(version.path, 4).cells]
    assert any(CHECKED in some for some in tags)


def test_it_runs_and_its_checked_outputs_are_as_stored(run):
    assert run.passed, run.report[-6000:]


def test_every_exercise_is_checked_and_solved_only_where_it_is_solved(version, run):
    expected = {e.id for e in of_chapter(version.chapter.source.name[:2]) if not is_written(e)}
    status = "right" if version.kind == "solved" else "not yet"
    assert {check["id"]: check["status"] for check in run.checks} == dict.fromkeys(expected, status)


def is_written(exercise):
    return isinstance(exercise, Written)


def test_it_keeps_its_declared_budget(version, run):
    head = nbformat.read(version.path, 4).metadata.minibert
    assert run.seconds < SLACK * head.seconds
    assert run.megabytes < SLACK * head.memory_mb


def test_the_declared_memory_is_no_guess(version, run):
    """Not three times too much either: a learner plans with it (the solved one runs full size)."""
    head = nbformat.read(version.path, 4).metadata.minibert
    if version.kind == "solved":
        assert run.megabytes > head.memory_mb / SLACK
