"""Writing the notebooks without running them, and telling where source and notebooks differ."""

import argparse
import json
import shutil
from pathlib import Path

import nbformat
import pytest

from minibert.commands import course as command
from minibert.course.author import building, execute
from minibert.course.learn import overview

DEMO = Path(__file__).parents[1] / "notebooks" / "fixtures"


@pytest.fixture
def chapter(demo_course, monkeypatch):
    for part in ("source", "exercises"):
        shutil.copytree(DEMO / part, demo_course / "chapters" / part)
    monkeypatch.setenv("MINIBERT_EXERCISES", str(demo_course / "chapters" / "exercises"))
    (chapter,) = building.sources(demo_course / "chapters")
    list(building.make(chapter, run=False))
    return chapter


def edit(path, change):
    """Apply ``change`` to the notebook at ``path``."""
    notebook = nbformat.read(path, 4)
    change(notebook)
    nbformat.write(notebook, path)


def test_what_was_built_agrees_with_its_source(chapter):
    assert chapter.unsolved.is_file() and chapter.solved.is_file()
    assert building.differences(chapter) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda nb: nb.cells[3].update(source="other"), "90-figures-2 differs in source"),
        (lambda nb: nb.cells[3].update(id="abc"), "differs in id"),
        (
            lambda nb: next(c for c in nb.cells if c.metadata).metadata.clear(),
            "differs in metadata",
        ),
        (lambda nb: nb.cells.pop(), "cells, where the source makes"),
        (lambda nb: nb.metadata.minibert.update(minutes=11), "the notebook's metadata differ"),
    ],
)
@pytest.mark.parametrize("kind", building.KINDS)
def test_a_difference_is_found_and_named(chapter, kind, change, told):
    edit(getattr(chapter, kind), change)
    (found,) = building.differences(chapter)
    assert found.startswith(kind) and told in found


def test_outputs_are_no_difference_and_are_kept_while_the_code_stays(chapter):
    def run_by_hand(nb):
        output = nbformat.v4.new_output("stream", text="kept\n")
        nb.cells[3].update(execution_count=1, outputs=[output])

    edit(chapter.unsolved, run_by_hand)
    assert building.differences(chapter) == []
    text = chapter.source.read_text()
    chapter.source.write_text(text.replace("A picture, and", "One picture, and"))
    list(building.make(chapter, run=False))
    cell = nbformat.read(chapter.unsolved, 4).cells[3]
    assert cell.outputs[0].text == "kept\n" and cell.execution_count == 1
    chapter.source.write_text(text.replace("sqrt(2)", "sqrt(3)"))
    list(building.make(chapter, run=False))
    assert nbformat.read(chapter.unsolved, 4).cells[3].outputs == []


def test_changed_or_missing_solution_texts_are_told(chapter):
    store = chapter.root / "exercises" / "ch90.json"
    store.write_text(json.dumps({"90.mean": "old"}))
    (found,) = building.differences(chapter)
    assert found == "the solution texts in exercises/ch90.json are not the source's"
    chapter.solved.unlink()
    assert "solved 90_demo.ipynb: it has not been built" in building.differences(chapter)


def test_the_chapters_are_listed_with_their_heads(chapter):
    (head,) = overview.chapters(chapter.root)
    assert (head["chapter"], head["file"], head["minutes"]) == ("90", "90_demo.ipynb", 10)
    assert (head["seconds"], head["memory_mb"], head["needs"]) == (20, 120, ["nothing"])


def test_a_notebook_over_the_limit_names_its_biggest_outputs(chapter, monkeypatch):
    def big(nb):
        nb.cells[3].outputs = [nbformat.v4.new_output("stream", text="x" * execute.LIMIT)]

    edit(chapter.unsolved, big)
    with pytest.raises(ValueError, match=r"1\.0\d MB, over 1 MB; .*90-figures-2 \(1000 kB\)"):
        list(building.make(chapter, run=False))


def test_prose_that_has_drifted_from_the_findings_is_told(chapter):
    """The chapter quotes a number; when the findings' file says another, the notebooks differ."""
    text = chapter.source.read_text()
    quote = "A picture of {{finding 90 toss.a mean .2f}}, and"
    chapter.source.write_text(text.replace("A picture, and", quote))
    with pytest.raises(ValueError, match="90_demo.py, cell 3: .*make findings CH=90"):
        building.differences(chapter)
    measured = {"experiments": {"toss": {"config": {}, "seeds": {"0": {"values": {"a": 0.5}}}}}}
    file = chapter.root / "findings" / "90.json"
    file.parent.mkdir()
    file.write_text(json.dumps(measured))
    list(building.make(chapter, run=False))
    assert building.differences(chapter) == []
    assert "A picture of 0.50, and" in chapter.unsolved.read_text()
    file.write_text(json.dumps(measured).replace("0.5", "0.6"))
    told = building.differences(chapter)
    assert len(told) == 2 and all("90-figures-1 differs in source" in text for text in told)


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


def test_the_command_checks_and_builds(chapter, capsys):
    where = ("--root", str(chapter.root))
    assert run("build", "--check", *where) == 0
    chapter.source.write_text(chapter.source.read_text().replace("A picture", "The picture"))
    assert run("build", "--check", *where) == 1
    assert "90-figures-1 differs in source" in capsys.readouterr().out
    assert run("build", *where, "--chapters", "90") == 0
    assert run("build", "--check", *where) == 0


def test_outputs_are_cleaned():
    new = nbformat.v4.new_output
    picture = {
        "image/png": "iVBOR",
        "text/html": '<img src="data:;base64,iVBOR">',
        "text/plain": "f",
    }
    words = "<figcaption>Words.</figcaption>"
    widget = {execute.WIDGET: {"model_id": "1"}, "text/plain": "VBox()"}
    outputs = [
        new("stream", name="stderr", text="warning"),
        new("stream", name="stdout", text="10%\r20%\rdone\nnext\r\n"),
        new("display_data", data=dict(widget)),
        new("display_data", data={**widget, "text/plain": " 50%|##   | 5/10"}),
        new("display_data", data={**widget, "image/png": "iVBOR"}),
        new("display_data", data=dict(picture)),
        new("display_data", data={**picture, "text/html": picture["text/html"] + words}),
    ]
    stream, controls, still, once, captioned, caption = execute.cleaned(outputs)
    assert stream.text == "done\nnext\n"
    assert controls.data == {"text/plain": execute.CONTROLS}
    for picture in (still, once, captioned):
        assert set(picture.data) == {"text/plain", "image/png"}
    assert caption.data == {"text/html": "<figcaption>Words.</figcaption>"}
