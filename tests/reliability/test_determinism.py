"""Each chapter twice: the checked numbers are the same, with other hash seeds and threads too.

The solved notebooks run at smoke size. A second run under the same conditions must print the very
same text in the cells that are tagged ``nbval-check-output``. With another ``PYTHONHASHSEED`` and
one thread in place of two, sums are added up in another order: there the words must be the same,
and the numbers within `TOLERANCE`. What other cells print is compared and counted, and differs only
where it tells how long something took, or by the tolerance.
"""

import os
import re

import nbformat
import pytest
from nbclient import NotebookClient

from minibert.course.author import building
from minibert.course.author.execute import OwnKernel, cleaned
from minibert.course.author.lint import CHECKED
from minibert.course.learn.paths import chapters_folder

TOLERANCE = 1e-3  # relative; absolute below one
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
TIMED = re.compile(r"\bseconds?\b|\bminutes?\b|\d m?s\b|/s\b|\bMB\b|took|a second|faster|slower")
NAMES = [path.stem for path in sorted(chapters_folder().glob("source/[0-9]*.py"))]
CHAPTERS = (os.environ.get("MINIBERT_CHAPTERS") or " ".join(NAMES)).split()


def printed(path, folder, threads, hash_seed):
    """Run a notebook; per code cell, whether it is checked, and what it printed."""
    notebook = nbformat.read(path, 4)
    client = NotebookClient(
        notebook, timeout=600, startup_timeout=120, store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )  # fmt: skip
    client.create_kernel_manager()
    client.km.kernel_spec_manager = OwnKernel()
    environment = {**os.environ, "MINIBERT_HOME": str(folder), "PYTHONHASHSEED": str(hash_seed)}
    client.execute(env={**environment, "MINIBERT_SMOKE": "1", "OMP_NUM_THREADS": str(threads)})
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [(CHECKED in cell.metadata.get("tags", []), text_of(cell)) for cell in cells]


def text_of(cell):
    parts = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in
             cleaned(cell.outputs)]  # fmt: skip
    return re.sub(r"0x[0-9a-f]+", "0x", re.sub(r"\n+", "\n", "\n".join(parts)))


def close(one, other):
    """The same words, and numbers within the tolerance."""
    if NUMBER.sub("#", one) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    numbers = [[float(text.replace(",", "")) for text in pair] for pair in pairs]
    return all(abs(a - b) <= TOLERANCE * max(1.0, abs(a)) for a, b in numbers)


def differing(one, other):
    """Lines of the cells that are not checked, which differ by more than the tolerance."""
    lines = []
    for (checked, before), (_, after) in zip(one, other, strict=True):
        pairs = list(zip(before.splitlines(), after.splitlines(), strict=False))
        if not checked:
            lines += [(a, b) for a, b in pairs if not close(a, b) and not TIMED.search(a)]
            if before.count("\n") != after.count("\n"):
                lines.append((before[:200], after[:200]))
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_gives_the_same_numbers_again(name, tmp_path):
    (chapter,) = (c for c in building.sources(chapters_folder()) if c.source.stem == name)
    first = printed(chapter.solved, tmp_path / "1", threads=2, hash_seed=0)
    again = printed(chapter.solved, tmp_path / "2", threads=2, hash_seed=0)
    other = printed(chapter.solved, tmp_path / "3", threads=1, hash_seed=4242)
    checked = [text for is_checked, text in first if is_checked]
    assert checked and checked == [text for is_checked, text in again if is_checked]
    others = [text for is_checked, text in other if is_checked]
    assert all(close(a, b) for a, b in zip(checked, others, strict=True))
    exact = sum(a == b for a, b in zip(checked, others, strict=True))
    same, moved = differing(first, again), differing(first, other)
    lines = sum(text.count("\n") + 1 for is_checked, text in first if text and not is_checked)
    print(
        f"\n{name}: {len(checked)} checked cells the same in two runs, {exact} of them to the "
        f"letter with another hash seed and one thread; of {lines} other lines {len(same)} and "
        f"{len(moved)} differ"
    )
    for before, after in (same + moved)[:20]:
        print("  ", before[:150], "|", after[:150])
    assert not same
