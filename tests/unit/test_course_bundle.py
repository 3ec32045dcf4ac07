"""The folder for a classroom without a network; a slow test installs it with no network at all."""

import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import minibert as mb
from minibert.course.learn.paths import REPOSITORY
from minibert.course.teach import bundle as module
from minibert.course.teach.bundle import bundle, copy_chapters, downloads

CHAPTERS = REPOSITORY / "chapters"
FIRST_CELLS = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
cells = [c for c in json.load(open(sys.argv[1]))["cells"] if c["cell_type"] == "code"][:8]
for cell in cells:
    shell.run_cell("".join(cell["source"])).raise_error()
print("ran", len(cells), "cells")
"""


@pytest.fixture
def calls(monkeypatch):
    """pip, but for the network: it notes what it was asked for, and makes an empty wheel."""
    made = []

    def pip(*arguments):
        made.append([str(argument) for argument in arguments])
        if arguments[0] == "wheel":
            made.append(sorted(p.name for p in Path(arguments[-1]).rglob("ch*.json")))
            made.append((Path(arguments[-1]) / "minibert" / "pretrained").is_dir())
            arguments[3].mkdir(parents=True)
            (arguments[3] / "minibert-0.1.0-py3-none-any.whl").write_bytes(b"")

    monkeypatch.setattr(module, "pip", pip)
    return made


def test_it_holds_notebooks_what_they_read_and_the_checkpoints(tmp_path, calls):
    told = list(bundle(tmp_path / "out", CHAPTERS, ["00", "01"]))
    out = tmp_path / "out"
    names = ["00_start_here.ipynb", "01_word2vec.ipynb"]
    assert sorted(p.name for p in (out / "chapters").glob("*.ipynb")) == names
    assert sorted(p.name for p in (out / "chapters" / "solutions").glob("*.ipynb")) == names
    for name in ("findings/01.json", "findings/real.json", "images/arc.png"):
        assert (out / "chapters" / name).is_file()
    for path in [*(out / "chapters").glob("**/*.ipynb"), *(out / "chapters").glob("**/*.md")]:
        links = set(re.findall(r"\]\((\d\d_\w+\.ipynb)", path.read_text("utf-8")))
        assert links <= set(names), path
    assert "](01_word2vec.ipynb)" in (out / "chapters" / "glossary.md").read_text("utf-8")
    _, texts, pretrained, torch, everything, d2l = calls
    assert len(texts) == len(list(CHAPTERS.glob("source/*.py"))) and pretrained
    assert torch[-1].startswith("torch==") and module.CPU_WHEELS in torch
    assert everything[-1].startswith("minibert[lab] @ file://") and "-c" in everything
    assert d2l[-2:] == ["--no-deps", "d2l==1.0.3"]
    assert told[0] == "2 chapters"


def test_without_solutions_there_are_none(tmp_path, calls):
    list(bundle(tmp_path / "out", CHAPTERS, ["01"], solutions=False))
    assert not (tmp_path / "out" / "chapters" / "solutions").exists()
    assert calls[1] == []


def test_what_is_used_in_place_of_an_answer_comes_along_compressed(tmp_path, monkeypatch, capsys):
    module.copy_package(tmp_path, solutions=False)
    exercises = tmp_path / "minibert" / "course" / "learn" / "exercises"

    def beside(chapter):
        return exercises / f"ch{chapter}.json"

    monkeypatch.setattr("minibert.course.learn.exercise.solution_file", beside)
    mb.course.solution("00.entropy")
    assert "is not in this copy" in capsys.readouterr().out
    entropy = mb.course.use("00.entropy", None)
    assert float(entropy(torch.tensor([0.5, 0.5]))) == pytest.approx(math.log(2))
    assert not any(b"softmax" in path.read_bytes() for path in exercises.glob("*.zlib"))


def test_words_of_a_teachers_own_come_along(tmp_path):
    for folder in ("findings", "words", "source"):
        (tmp_path / "chapters" / folder).mkdir(parents=True)
    (tmp_path / "chapters" / "words" / "ours.toml").write_text("[pet]\nwords = ''")
    copy_chapters(tmp_path / "out", tmp_path / "chapters", [], solutions=False)
    assert (tmp_path / "out" / "words" / "ours.toml").is_file()
    assert not (tmp_path / "out" / "source").exists()


def test_another_python_and_platform_are_passed_on():
    own = Path("wheels/minibert.whl")
    for arguments in downloads(own, "3.12", ["win_amd64"], "https://example.org/whl"):
        assert "--only-binary" in arguments
        assert arguments[arguments.index("--python-version") + 1] == "3.12"
        assert arguments[arguments.index("--platform") + 1] == "win_amd64"
    torch, *_ = downloads(own, None, [], "https://example.org/whl")
    assert torch[torch.index("--index-url") + 1] == "https://example.org/whl"
    torch, *_ = downloads(own, None, [], "")
    assert "--index-url" not in torch and "--python-version" not in torch


def test_what_cannot_be_made_is_refused_before_anything_is(tmp_path, calls):
    with pytest.raises(FileNotFoundError, match="No notebook of chapter 77; there are: 00,"):
        list(bundle(tmp_path / "out", CHAPTERS, ["77"]))
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("")
    with pytest.raises(ValueError, match="is not empty"):
        list(bundle(tmp_path / "full", CHAPTERS))
    assert not calls


def test_pips_own_words_are_told(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(RuntimeError, match="pip download failed: ERROR: No matching distribution"):
        module.pip("download", "--no-deps", "no-such-package-at-all==1")


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_another_python_than_the_wheels_is_refused(tmp_path, calls):
    list(bundle(tmp_path / "out", CHAPTERS, ["01"], python="3.1"))
    script = tmp_path / "out" / "install.sh"
    done = subprocess.run(
        [script], capture_output=True, text=True, env={**os.environ, "PYTHON": sys.executable}
    )
    assert done.returncode == 1 and "These wheels are for Python 3.1" in done.stderr
    assert not (tmp_path / "out" / ".venv").exists()


def cut_off():
    """(command in front, environment) under which there is no network, for pip or anybody."""
    nowhere = dict.fromkeys(["http_proxy", "https_proxy", "all_proxy"], "http://127.0.0.1:9")
    environment = {"HOME": os.environ.get("HOME", ""), "PATH": "/usr/bin:/bin", **nowhere}
    environment |= {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "MINIBERT_SMOKE": "1"}
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode == 0:
        return [unshare, "-rn"], environment
    return [], environment


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_it_installs_and_runs_with_the_network_cut_off(tmp_path):
    """MINIBERT_TORCH_INDEX names another source of PyTorch than its own CPU builds."""
    try:
        module.pip("download", "--retries", "0", "--dest", tmp_path / "probe", "--no-deps", "tqdm")
    except RuntimeError as error:
        pytest.skip(f"making it takes a network: {error}")
    out = tmp_path / "classroom"
    index = os.environ.get("MINIBERT_TORCH_INDEX")
    list(bundle(out, CHAPTERS, ["01"], solutions=False, torch_index=index))
    front, environment = cut_off()
    environment |= {"PYTHON": sys.executable, "MINIBERT_HOME": str(tmp_path / "home")}
    options = {"capture_output": True, "text": True, "env": environment}
    done = subprocess.run([*front, out / "install.sh"], **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "All that minibert needs is here." in done.stdout and "FIX" not in done.stdout
    python, notebook = out / ".venv" / "bin" / "python", "01_word2vec.ipynb"
    command = [*front, python, "-c", FIRST_CELLS, notebook]
    done = subprocess.run(command, **options, cwd=out / "chapters")
    assert done.returncode == 0 and "ran 8 cells" in done.stdout, done.stderr[-3000:]
    shown = 'import minibert as mb; mb.course.solution("01.noise")'
    done = subprocess.run([*front, python, "-c", shown], **options, cwd=tmp_path)
    assert "is not in this copy" in done.stdout
