"""The learner's progress survives restarts, two kernels and a broken file."""

import json
import os
import re
import shutil
import subprocess
import sys
from multiprocessing import get_context

import pytest

import minibert as mb
from minibert.course.learn import progress_file as record
from minibert.course.learn.checking import Outcome
from minibert.course.learn.paths import REPOSITORY


def outcome(exercise_id="90.mean", status="right", points=4):
    return Outcome(exercise_id, status, "", points, 4, 0.0)


def remember_many(first, count):
    for i in range(first, first + count):
        record.remember(outcome(f"90.e{i:03d}"))


def test_nothing_yet(demo_course):
    assert record.read() == {}


def test_once_right_stays_right_and_the_best_points_stay(demo_course):
    record.remember(outcome(status="not yet", points=0))
    record.remember(outcome(status="wrong", points=2))
    record.remember(outcome())
    record.remember(outcome(status="wrong", points=2))
    entry = record.read()["90.mean"]
    assert (entry["status"], entry["best"], entry["of"], entry["tries"]) == ("right", 4, 4, 3)


def test_another_process_reads_it(demo_course):
    record.remember(outcome())
    code = "from minibert.course.learn import progress_file as record; "
    code += "print(record.read()['90.mean']['status'])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "right"


def test_two_kernels_at_once_lose_nothing(demo_course):
    context = get_context("spawn")
    workers = [context.Process(target=remember_many, args=(first, 30)) for first in (0, 30, 60)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert sorted(record.read()) == [f"90.e{i:03d}" for i in range(90)]


@pytest.mark.parametrize("text", ["{half", "[]", '{"exercises": {"90.mean": 3}}', "\x00\xff", ""])
def test_a_broken_file_is_kept_aside_and_reported(demo_course, capsys, text):
    path = record.file()
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("latin-1"))
    record.remember(outcome())
    assert record.read()["90.mean"]["status"] == "right"
    assert "could not be read" in capsys.readouterr().out
    (aside,) = path.parent.glob("progress.broken-*.json")
    assert aside.read_bytes() == text.encode("latin-1")


def test_a_folder_that_cannot_be_written_is_only_reported(demo_course, monkeypatch, capsys):
    blocked = demo_course / "a file"
    blocked.write_text("in the way")
    monkeypatch.setenv("MINIBERT_HOME", str(blocked))
    mb.course.check("90.shift", 12)
    out = capsys.readouterr().out
    assert "✓ Right" in out and "progress was not saved" in out


def test_the_page_shows_what_is_done_what_is_next_and_the_minutes(demo_course, capsys):
    mb.course.progress("90")
    assert "0 of 3 exercises done, about 13 minutes left; next: The mean" in capsys.readouterr().out
    mb.course.check("90.mean", lambda values: sum(values) / len(values))
    mb.course.check("90.shift", 13)
    capsys.readouterr()
    mb.course.progress("90")
    out = capsys.readouterr().out
    assert "1 of 3 exercises done, about 8 minutes left; next: Find the bug" in out
    lines = {line.split()[1]: line for line in out.splitlines()[1:]}
    assert lines["90.mean"].startswith("✓") and "4 / 4" in lines["90.mean"]
    assert "wrong" in lines["90.shift"] and "1 / 2" in lines["90.shift"]
    assert "not begun" in lines["90.largest"] and "written" in lines["90.why"]


def test_the_overview_has_a_line_for_each_chapter(demo_course, capsys):
    mb.course.check("90.mean", lambda values: sum(values) / len(values))
    capsys.readouterr()
    mb.course.progress()
    summary, *lines = capsys.readouterr().out.splitlines()
    chapters = {line.split()[1]: line for line in lines}
    assert list(chapters) == sorted(chapters) and "01" in chapters
    assert "1 of 3" in chapters["90"] and "8 min" in chapters["90"] and "4 / 9" in chapters["90"]
    assert chapters["01"].startswith("·") and " word2vec " in chapters["01"]
    counts = [re.search(r"(\d+) of (\d+)", line).groups() for line in lines]
    done, of = (sum(map(int, column)) for column in zip(*counts, strict=True))
    assert summary.startswith(f"{done} of {of} exercises done")


def test_beside_a_released_notebook_only_that_chapter_is_listed(
    demo_course, tmp_path, monkeypatch, capsys
):
    """And what was begun elsewhere. A release has a folder `chapters`, for the findings alone."""
    (tmp_path / "ch01" / "chapters" / "findings").mkdir(parents=True)
    shutil.copy(REPOSITORY / "chapters" / "01_word2vec.ipynb", tmp_path / "ch01")
    monkeypatch.chdir(tmp_path / "ch01")
    mb.course.progress()
    summary, line = capsys.readouterr().out.splitlines()
    assert " word2vec " in line and "0 of 11" in line and "(01.pairs)" in summary
    mb.course.check("90.mean", lambda values: sum(values) / len(values))
    capsys.readouterr()
    mb.course.progress()
    _, _, elsewhere = capsys.readouterr().out.splitlines()
    assert "not in this folder" in elsewhere and "1 of 3" in elsewhere


def test_the_page_links_to_the_notebooks(demo_course, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "minibert.course.learn.overview.show", lambda text, rich: shown.append(rich)
    )
    mb.course.progress()
    assert '<a href="01_word2vec.ipynb">word2vec</a>' in shown[0]["text/html"]


def test_the_file_is_plain_json_without_machine_paths(demo_course):
    record.remember(outcome())
    content = record.file().read_text()
    assert json.loads(content)["version"] == 1
    assert os.fspath(demo_course) not in content
