"""From a source to two notebooks: cells, ids, nbgrader's metadata, macros, and clear errors."""

import shutil
from pathlib import Path

import pytest
from nbgrader.nbgraderformat.v3 import MetadataValidatorV3

from minibert.course.author import building, notebook

DEMO = Path(__file__).parents[1] / "notebooks" / "fixtures"

HEAD = (DEMO / "source" / "90_demo.py").read_text().partition("# %%")[0]


@pytest.fixture
def root(demo_course):
    """A folder `chapters` with the demonstration's source, and its exercises to write beside."""
    folder = demo_course / "chapters"
    shutil.copytree(DEMO / "source", folder / "source")
    return folder


@pytest.fixture
def built(root):
    return notebook.build(root / "source" / "90_demo.py", root)


def from_cells(root, text):
    path = root / "source" / "91_other.py"
    path.write_text(HEAD + text)
    return notebook.build(path, root)


def test_both_notebooks_have_the_same_cells_ids_and_metadata(built):
    unsolved, solved = built
    assert unsolved.metadata == solved.metadata
    assert unsolved.metadata.minibert.chapter == "90"
    assert unsolved.metadata.minibert.minutes == 10
    keys = [[(c.id, c.cell_type, c.metadata) for c in nb.cells] for nb in built]
    assert keys[0] == keys[1]
    ids = [cell.id for cell in solved.cells]
    assert len(set(ids)) == len(ids)
    assert "90-the-mean-of-a-list-2" in ids


def test_the_head_links_to_the_chapters_before_and_after(root):
    for name, title in (("89_first", "The first"), ("91_last", "The last")):
        (root / "source" / f"{name}.py").write_text(HEAD.replace("title: ", f"title: {title} of "))
    text = notebook.build(root / "source" / "90_demo.py", root)[0].cells[0].source
    line = next(line for line in text.splitlines() if "**The path:**" in line)
    assert "before it [89 The first of " in line and "](89_first.ipynb)" in line
    assert "after it [91 The last of " in line and "](91_last.ipynb)" in line


def test_solutions_are_in_one_and_not_in_the_other(built):
    texts = ["\n".join(cell.source for cell in nb.cells) for nb in built]
    for piece in ("sum(values) / len(values)", "number = 12", "A single billionaire"):
        assert piece not in texts[0] and piece in texts[1]
    assert texts[0].count(notebook.CODE_STUB) == 3
    assert texts[0].count(notebook.TEXT_STUB) == 1
    assert "SOLUTION" not in texts[0]
    assert "    # YOUR CODE HERE\n    return result" in texts[0]


def test_nbgraders_own_validator_accepts_both(built):
    for nb in built:
        MetadataValidatorV3().validate_nb(nb)
        marks = {c.metadata.nbgrader.grade_id: c.metadata.nbgrader for c in nb.cells if _graded(c)}
        assert {key: mark.points for key, mark in marks.items()} == {
            "90-mean": 4,
            "90-largest": 3,
            "90-shift": 2,
            "90-why": 3,
        }
        assert marks["90-mean"].locked and not marks["90-mean"].solution
        assert marks["90-why"].solution and not marks["90-why"].locked


def _graded(cell):
    return cell.metadata.get("nbgrader", {}).get("grade")


def test_macros_are_expanded(built):
    text = "\n".join(c.source for c in built[0].cells if c.cell_type == "markdown")
    assert "{{" not in text
    assert "- **Your time:** about 10 minutes" in text
    assert "difficulty ●○○○○ · importance ●●●○○ · 4 points" in text
    assert "<summary>Hint 2</summary>\n\nThen divide by `len(values)`." in text
    assert "<summary>I choose B</summary>\n\n**✗ No.** Only the order counts" in text
    assert text.index("Write the mean") < text.index("<summary>Hint 1")


def test_a_cell_that_only_draws_is_folded_away(root):
    path = root / "source" / "90_demo.py"
    path.write_text(path.read_text() + '\n# %% tags=["hide-input"]\nx = 1\n')
    for built in notebook.build(path, root):
        *others, last = built.cells
        assert last.metadata.jupyter == {"source_hidden": True}
        assert not any("jupyter" in cell.metadata for cell in others)


def test_an_edit_far_away_changes_no_id(root, built):
    path = root / "source" / "90_demo.py"
    text = path.read_text().replace(
        "## Figures", '## New part\n"""\n\n# %%\n0\n\n# %% [markdown]\nr"""\n## Figures'
    )
    path.write_text(text)
    again = notebook.build(path, root)[0]
    assert len(again.cells) == len(built[0].cells) + 2
    assert {cell.id for cell in built[0].cells} < {cell.id for cell in again.cells}


GOOD = """# %%
x = None
### BEGIN SOLUTION
x = 12
### END SOLUTION

# %%
mb.course.check("90.shift", x)
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("x)\n", "x);\n"), "stands alone as the last expression"),
        (
            GOOD.replace('mb.course.check("90.shift", x)', 'y = mb.course.check("90.shift", x)'),
            "followed by no check",
        ),
        (GOOD.replace("x)\n", "x)\nprint(1)\n"), "stands alone as the last expression"),
        (GOOD.replace("\n# %%\nmb", "mb"), "stands alone as the last expression"),
        (f"{GOOD}\n{GOOD}", "checked twice"),
        ('# %%\nmb.course.check("90.shift", 1)\n', "no solution cell above"),
        (GOOD.replace("90.shift", "90.nothing"), "There is no exercise '90.nothing'"),
        ("# %%\n" + "x = 1\n" * 26, "26 lines, over 25"),
        (
            "# %%\nif True:\n    ### BEGIN SOLUTION\n    x = 1\n    ### END SOLUTION\n\n"
            + GOOD[GOOD.index("# %%\nmb") :],
            "line 2",
        ),
        ('# %% [markdown]\nr"""\n{{nothing}}\n"""\n', "unknown macro {{nothing}}"),
        ('# %% [markdown]\nr"""\n{{exercise 90.none}}\n"""\n', "no exercise '90.none'"),
        ('# %% [markdown] written="90.mean"\nr"""\nx\n"""\n', "no written '90.mean'"),
        ("# %% editable=false\n1\n", "unknown cell metadata ['editable']"),
        (GOOD.replace("END SOLUTION", ""), "no end solution"),
    ],
)
def test_a_mistake_in_the_source_is_named(root, text, message):
    with pytest.raises(notebook.SourceError, match=message.replace("[", r"\[")):
        from_cells(root, text)


def test_a_head_that_lacks_something_is_named(root):
    path = root / "source" / "90_demo.py"
    path.write_text(path.read_text().replace("#     seconds: 20\n", ""))
    with pytest.raises(notebook.SourceError, match="90_demo.py: the head lacks seconds"):
        notebook.build(path, root)


def test_a_declared_exercise_must_be_used(root):
    path = root / "source" / "90_demo.py"
    text = path.read_text()
    start, end = (
        text.index('# %% [markdown]\nr"""\n{{exercise 90.shift}}'),
        text.index('# %% [markdown]\nr"""\n{{exercise 90.why}}'),
    )
    path.write_text(text[:start] + text[end:])
    with pytest.raises(notebook.SourceError, match=r"declared but not used: 90\.shift"):
        notebook.build(path, root)


def test_blank_lines_in_the_source_do_not_matter(root):
    path = root / "source" / "90_demo.py"
    before = notebook.build(path, root)
    path.write_text(path.read_text().replace("\n# %%", "\n\n\n\n# %%"))
    assert notebook.build(path, root) == before


def test_the_solution_texts(built):
    texts = notebook.solutions(built[1])
    assert texts["90.shift"] == "number = None\nnumber = 12"
    assert texts["90.why"].endswith("two for an example.")
    assert set(texts) == {"90.mean", "90.largest", "90.shift", "90.why"}


def test_sources_are_found_by_number(root):
    assert [c.source.name for c in building.sources(root)] == ["90_demo.py"]
    with pytest.raises(FileNotFoundError, match="No source for chapter 07 .* there are: 90"):
        building.sources(root, ["07"])
