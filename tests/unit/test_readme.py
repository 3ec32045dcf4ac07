"""What the README and CONTRIBUTING say exists, exists: commands, options, paths, chapters."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from minibert import course
from minibert.commands import main as cli
from minibert.storage.bundled import BUNDLED

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md")
MADE_BY_THE_READER = (
    ".venv",
    "build",
    "my_text.txt",
    "vectors",
    "language_model",
    "imdb",
    "my_copy",
)


def read(name):
    return (ROOT / name).read_text("utf-8")


def code_of(text):
    """Every line of the code blocks, and every piece of code within the prose."""
    fence = r"^```(\w*)\n(.*?)^```$"
    blocks = [body for _, body in re.findall(fence, text, re.MULTILINE | re.DOTALL)]
    prose = re.sub(fence, "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.partition(" #")[0].strip() for body in blocks for line in body.splitlines()]
    return [line for line in lines if line] + re.findall(r"`([^`\n]+)`", prose)


def makefile_targets():
    return set(re.findall(r"^([a-z][a-z-]*):", read("Makefile"), re.MULTILINE))


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_exist(document):
    told = {
        t for code in code_of(read(document)) for t in re.findall(r"\bmake ([a-z][\w-]*)", code)
    }
    assert {"quick", "test"} <= told
    assert told <= makefile_targets()


def test_the_makefile_explains_every_target():
    lines = read("Makefile").splitlines()
    phony = next(line for line in lines if line.startswith(".PHONY:")).split()[1:]
    explained = {line.partition(":")[0] for line in lines if re.match(r"[a-z-]+:.*## ", line)}
    assert explained == set(phony)
    missing = explained - {"help", "lab"} - set(re.findall(r"make ([\w-]+)", read(DOCUMENTS[1])))
    assert not missing, "CONTRIBUTING.md does not name them"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_minibert_commands_are_understood(document, capsys):
    starts = ("minibert ", "python -m minibert ")
    lines = [code for code in code_of(read(document)) if code.startswith(starts)]
    if document == "README.md":
        assert "minibert doctor" in lines
    for line in lines:
        argv = shlex.split(line.partition("minibert ")[2])
        try:
            cli.make_parser(argv).parse_args(argv)
        except SystemExit:
            pytest.fail(f"{document}: `{line}`: {capsys.readouterr().err}")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_exist(document):
    text = read(document)
    paths = {target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target}
    suffixes = (".md", ".txt", ".toml", ".yml", ".ipynb", ".py", ".cff")
    for word in (word for code in code_of(text) for word in code.split()):
        word = word.strip("\"',;").replace("\\", "/")
        if "://" not in word and (re.match(r"[\w.]+/", word) or word.endswith(suffixes)):
            paths.add(word)
    assert len(paths) > 5
    here = {path for path in paths if not path.startswith(MADE_BY_THE_READER)}
    assert not {path for path in here if not (ROOT / path).exists()}


def test_extras_exist():
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    for name in ("README.md", "Makefile", "environment.yml", ".github/workflows/test.yml"):
        for told in re.findall(r"-e \"?\.\[([a-z,]+)\]", read(name)):
            assert set(told.split(",")) <= set(extras), name


def test_each_installation_uses_the_pins():
    for name in ("README.md", ".github/workflows/test.yml"):
        lines = re.findall(r"pip install .*", read(name))
        assert len(lines) >= 2
        for line in lines:
            assert "-c constraints.txt" in line or "--no-deps" in line, f"{name}: {line}"
    assert "-c constraints.txt" in read("environment.yml")


def test_environment_variables_are_read_somewhere():
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "minibert").rglob("*.py"))
    told = set(re.findall(r"MINIBERT_[A-Z]+", read("README.md")))
    assert "MINIBERT_DATA" in told
    assert {name for name in told if f'"{name}"' not in sources} == set()


def test_chapters_are_listed_with_their_minutes():
    row = r"^\| \[(\d\d)[^\]]*\]\(chapters/([^)]+)\) \| (.+) \| (\d+) \|$"
    told = re.findall(row, read("README.md"), re.MULTILINE)
    there = [
        (head["chapter"], head["file"], head["question"], str(head["minutes"]))
        for head in course.chapters(ROOT / "chapters")
    ]
    assert told == there


@pytest.mark.long
def test_python_examples_run():
    blocks = python_blocks(read("README.md"))
    assert blocks
    for block in blocks:
        command = [sys.executable, "-W", "error", "-c", block]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_every_bundled_checkpoint_is_in_the_readme_and_no_other():
    told = set(re.findall(r"^\| (`minibert-[^|]+) \|", read("README.md"), re.MULTILINE))
    told = {name for cell in told for name in re.findall(r"`([^`]+)`", cell)}
    assert told == {path.name for path in BUNDLED.iterdir() if path.is_dir()}
