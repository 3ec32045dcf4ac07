"""The teacher's pages say what the declarations, the measurements and the commands say."""

import re
import tomllib
from pathlib import Path

import nbformat
import pytest

import minibert as mb
from minibert.commands.main import make_parser
from minibert.course.author import guide, memory
from minibert.course.learn.checking import judge
from minibert.course.learn.exercise import Written, find, of_chapter

ROOT = Path(__file__).parents[2]
TEACHING = (ROOT / "docs" / "teaching.md").read_text("utf-8")


def test_points_and_mistakes_are_those_of_the_declarations():
    """When this fails: python -m minibert.course.author.guide writes both anew."""
    assert guide.with_points(TEACHING) == TEACHING
    assert guide.mistakes_page() == (ROOT / "docs" / "mistakes.md").read_text("utf-8")


def test_the_points_add_up_to_those_of_the_notebooks():
    for chapter in guide.chapters():
        (path,) = (ROOT / "chapters").glob(f"{chapter}_*.ipynb")
        marks = [cell.metadata.get("nbgrader", {}) for cell in nbformat.read(path, 4).cells]
        points = sum(mark.get("points", 0) for mark in marks)
        assert points == sum(exercise.points for exercise in of_chapter(chapter))
        (row,) = (line for line in guide.points_table().splitlines() if f"| {chapter} |" in line)
        automatic, by_hand = map(int, row.split("|")[3:5])
        assert automatic + by_hand == points


def test_a_mistake_on_the_page_is_what_a_learner_is_told():
    told = judge(find("01.noise"), (lambda counts, power: counts.float() ** power,)).message
    assert told in guide.mistakes(find("01.noise"))
    pairs = guide.mistakes(find("01.pairs"))
    assert any("skip `j == i`" in sentence for sentence in pairs)
    assert not any(sentence.startswith("Expected") for sentence in pairs)


def test_every_exercise_with_a_check_has_mistakes_that_it_names():
    for chapter in guide.chapters():
        for exercise in of_chapter(chapter):
            assert bool(guide.mistakes(exercise)) != isinstance(exercise, Written), exercise.id


@pytest.mark.parametrize("page", memory.PAGES)
def test_the_memory_on_the_pages_is_what_was_measured(page):
    """`memory` measures; `guide` only writes."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    assert memory.with_table(text, memory.read()) == text


def test_no_chapter_needs_more_memory_than_binder_gives():
    assert all(peak < 2000 for peak in memory.read()["megabytes"].values())


@pytest.mark.parametrize("page", ["README.md", "docs/teaching.md", "docs/jupyterhub.md"])
def test_the_commands_on_the_pages_exist(page):
    """Every `minibert course ...` with its options is understood."""
    text = (ROOT / page).read_text("utf-8")
    commands = re.findall(r"^minibert (course (?:release|grade|bundle) .*)$", text, re.MULTILINE)
    assert commands or page != "docs/teaching.md"
    for command in commands:
        words = command.split("#")[0].split()
        assert make_parser(words).parse_args(words).action == words[1]
    options = set(re.findall(r"^\| `(--[\w-]+)", text, re.MULTILINE))
    known = {
        "--chapters",
        "--students",
        "--again",
        "--workers",
        "--timeout",
        "--limit",
        "--full",
    } | {"--all-cells"}
    assert options <= known and (options or page != "docs/teaching.md")


def test_the_exercises_of_the_two_days_exist():
    (said,) = re.findall(r"Exercises for two days: (.*?)\. (?:What|Explain)", TEACHING, re.DOTALL)
    named = re.findall(r"\d\d\.\w+", said)
    assert len(named) == 9 and all(find(name) for name in named)


def first(**options):
    return mb.world.generate(tokens=400, **options).documents[0].text


@pytest.mark.long
def test_another_year_has_other_documents_and_another_world(tmp_path):
    """What the guide says of seed, world_seed and a lexicon of one's own, tried."""
    texts = {first(), first(seed=2027), first(world_seed=2027)}
    assert len(texts) == 3
    facts = [set(mb.world.world(seed).facts) for seed in (0, 2027)]
    assert len(facts[0] & facts[1]) < len(facts[0]) / 2
    (example,) = re.findall(r"```toml\n(.*?)```", TEACHING, re.DOTALL)
    (tmp_path / "ours.toml").write_text(example, "utf-8")
    words = [
        line.split()[0] for line in tomllib.loads(example)["pet"]["words"].splitlines() if line
    ]
    text = mb.world.generate(tokens=400_000, lexicon=tmp_path).text()
    assert len(words) == 2 and all(word in text for word in words)
    for seed in (0, 2027):  # they are kept as pets, about which strangers on a train have tales
        text = mb.world.generate(120_000, seed, seed, ["dialogue"], lexicon=tmp_path).text()
        assert all(word in text for word in words)
    assert not any(word in mb.world.generate(tokens=25_000).text() for word in words)
