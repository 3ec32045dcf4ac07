"""Every chapter on a second device: solved, at the smallest size, in a kernel that starts there."""

import os
from pathlib import Path

import nbformat
import pytest

from minibert.course.author import building, execute

HERE = Path(__file__).parent
CHAPTERS = HERE.parents[1] / "chapters"
START = "import elsewhere\nelsewhere.register()\n"  # run by each Python that starts


@pytest.mark.slow
@pytest.mark.parametrize("chapter", building.sources(CHAPTERS), ids=lambda c: c.source.stem)
def test_a_chapter_runs_there(chapter, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(START, encoding="utf-8")
    paths = map(str, (tmp_path, HERE, HERE.parents[1]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("MINIBERT_DEVICE", "elsewhere")
    monkeypatch.setenv("MINIBERT_SMOKE", "1")
    notebook = nbformat.read(chapter.solved, 4)
    execute.execute(notebook, chapter.solved.parent, chapter.source.stem)
