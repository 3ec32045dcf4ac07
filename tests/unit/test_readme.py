"""What the README, CONTRIBUTING and the guides say exists, exists: commands, options, paths."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from book import picture
from minibert import course
from minibert.commands import main as cli
from minibert.storage.bundled import BUNDLED

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md")
GUIDES = ("docs/install.md", "docs/commands.md", "docs/checkpoints.md", "docs/reliability.md")
GUIDES += ("docs/your-data.md",)
MADE_BY_THE_READER = (
    ".venv",
    "build",
    "my_text.txt",
    "vectors",
    "language_model",
    "imdb",
    "my_copy",
    "snli",
    "my_bert",
    "reviews",
    ".txt",
    "wiki_train",
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
    assert {"test"} <= told
    assert told <= makefile_targets()


def test_the_makefile_explains_every_target():
    lines = read("Makefile").splitlines()
    phony = next(line for line in lines if line.startswith(".PHONY:")).split()[1:]
    explained = {line.partition(":")[0] for line in lines if re.match(r"[a-z-]+:.*## ", line)}
    assert explained == set(phony)
    missing = explained - {"help", "lab"} - set(re.findall(r"make ([\w-]+)", read(DOCUMENTS[1])))
    assert not missing, "CONTRIBUTING.md does not name them"


@pytest.mark.parametrize("document", [*DOCUMENTS, *GUIDES])
def test_minibert_commands_are_understood(document, capsys):
    starts = ("minibert ", "python -m minibert ")
    lines = [code for code in code_of(read(document)) if code.startswith(starts)]
    if document in ("README.md", "docs/install.md"):
        assert "minibert doctor" in lines
    for line in lines:
        argv = shlex.split(line.partition("minibert ")[2])
        try:
            cli.make_parser(argv).parse_args(argv)
        except SystemExit:
            pytest.fail(f"{document}: `{line}`: {capsys.readouterr().err}")


@pytest.mark.parametrize("document", [*DOCUMENTS, *GUIDES])
def test_paths_exist(document):
    text, folder = read(document), Path(document).parent
    linked = {target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target}
    assert not {path for path in linked if not (ROOT / folder / path).exists()}
    paths = set()
    suffixes = (".md", ".txt", ".toml", ".yml", ".ipynb", ".py", ".cff")
    for word in (word for code in code_of(text) for word in code.split()):
        word = word.strip("\"',;").replace("\\", "/")
        if "://" not in word and (re.match(r"[\w.]+/", word) or word.endswith(suffixes)):
            paths.add(word)
    assert len(paths | linked) > 5 or document in GUIDES
    here = {path for path in paths if not path.startswith(MADE_BY_THE_READER)}
    assert not {path for path in here if not (ROOT / path).exists()}


def test_extras_exist():
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    for name in ("docs/install.md", "Makefile", "environment.yml", ".github/workflows/test.yml"):
        for told in re.findall(r"-e \"?\.\[([a-z,]+)\]", read(name)):
            assert set(told.split(",")) <= set(extras), name


def test_each_installation_uses_the_pins():
    for name in ("docs/install.md", ".github/workflows/test.yml"):
        lines = re.findall(r"pip install .*", read(name))
        assert len(lines) >= 2
        for line in lines:
            assert "-c constraints.txt" in line or "--no-deps" in line, f"{name}: {line}"
    assert "-c constraints.txt" in read("environment.yml")


def test_environment_variables_are_read_somewhere():
    files = [path for folder in ("minibert", "book") for path in (ROOT / folder).rglob("*.py")]
    sources = "".join(path.read_text("utf-8") for path in files)
    told = {n for page in (*DOCUMENTS, *GUIDES) for n in re.findall(r"MINIBERT_[A-Z]+", read(page))}
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


def test_make_lab_prints_and_opens_the_first_chapter():
    (opened,) = re.findall(r"default_url=/lab/tree/(\S+)", read("Makefile"))
    assert opened == "chapters/" + course.chapters(ROOT / "chapters")[0]["file"]


def test_the_readme_is_short_and_its_picture_says_what_was_computed():
    words = re.sub(r"^\|.*$|!\[.*", "", read("README.md"), flags=re.MULTILINE).split()
    assert len(words) < 700
    (alt,) = re.findall(r"!\[(.+)\]\(chapters/images/arc.png\)", read("README.md"))
    assert f"![{alt}]" in read("book/index.md")
    tuned, counted = (f"{value:.2f}" for _, value in picture.labels())
    told = f"an accuracy of {tuned} on a topic after pre-training and {counted} by counting words"
    assert told in alt


@pytest.mark.long
def test_the_readmes_picture_is_what_the_checkpoints_answer():
    (alt,) = re.findall(r"!\[(.+)\]\(chapters/images/arc.png\)", read("README.md"))
    closest, gaps, following = picture.neighbours(), picture.gap(), picture.continued()
    assert {word for word, _ in closest} == {"elm", "maple", "pine"}
    assert {word for word, _ in gaps} == {"Redmere", "Carrow", "Stanmoor"}
    assert [word for word, _ in following[:2]] == ["door", "gate"]
    assert all(word in alt for word, _ in [*closest, *gaps, *following[:2]])
    same, other = (f"{value:.2f}" for _, value in picture.senses())
    assert f"a cosine of {same} in the same sense and {other} in two senses" in alt


@pytest.mark.parametrize("name", sorted(path.name for path in BUNDLED.iterdir() if path.is_dir()))
def test_the_guide_to_checkpoints_says_what_the_cards_say(name):
    card = (ROOT / "minibert" / "pretrained" / name / "README.md").read_text("utf-8")
    row = next(line for line in read("docs/checkpoints.md").splitlines() if f"`{name}`" in line)
    if floor := re.search(r"([\d.]+) nats per token of the world.* floor ([\d.]+)", card):
        loss, least = floor.groups()
        assert f"| {loss} | {least} | {float(loss) - float(least):.2f} |" in row
    for share in re.findall(r"([\d.]+)% of [\d,]+ (?:guessed|pairs)", card) * (
        name == "minibert-bert"
    ):
        assert f" {share} % of " in row


def test_every_bundled_checkpoint_is_in_its_guide_and_no_other():
    told = set(re.findall(r"^\| (`minibert-[^|]+) \|", read("docs/checkpoints.md"), re.MULTILINE))
    told = {name for cell in told for name in re.findall(r"`([^`]+)`", cell)}
    assert told == {path.name for path in BUNDLED.iterdir() if path.is_dir()}
