"""Building the chapters: sources in, executed notebooks and solution texts out; and the check."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from minibert.course.author.execute import execute, too_big
from minibert.course.author.lint import problems
from minibert.course.author.meter import Meter
from minibert.course.author.notebook import SourceError, build, solutions
from minibert.course.learn.exercise import solution_file
from minibert.course.learn.paths import write_text

KINDS = ("unsolved", "solved")


@dataclass(frozen=True)
class Chapter:
    """One chapter's files: its source, and the two notebooks made from it."""

    source: Path
    root: Path

    @property
    def unsolved(self) -> Path:
        """What a learner opens."""
        return self.root / f"{self.source.stem}.ipynb"

    @property
    def solved(self) -> Path:
        """The same, solved."""
        return self.root / "solutions" / f"{self.source.stem}.ipynb"


def sources(root: Path, numbers: Sequence[str] | None = None) -> list[Chapter]:
    """The chapters under ``root`` (the folder ``chapters``), all or those of the given numbers.

    Raises FileNotFoundError for a number without a source.
    """
    found = {path.name[:2]: Chapter(path, root) for path in sorted(root.glob("source/[0-9]*.py"))}
    missing = set(numbers or ()) - set(found)
    if missing:
        raise FileNotFoundError(
            f"No source for chapter {', '.join(sorted(missing))} in {root.name}/source; "
            f"there are: {', '.join(found) or 'none'}."
        )
    return [found[number] for number in numbers or found]


def make(
    chapter: Chapter, run: bool = True, timeout: int = 600
) -> Iterator[tuple[Path, list[str]]]:
    """Build both notebooks and the solution texts of one chapter; yields (path, remarks).

    The remarks give a notebook's size, the time and memory of its run, and the problems that `lint`
    finds.

    With ``run`` they are executed first; without, stored outputs are kept where no code changed.
    Raises SourceError, or ExecutionError from a failing cell; a file is written only when whole.
    """
    pair = dict(zip(KINDS, build(chapter.source, chapter.root), strict=True))
    store = solution_file(chapter.source.name[:2])
    texts = json.dumps(solutions(pair["solved"]), indent=1, sort_keys=True, ensure_ascii=False)
    write_text(store, texts + "\n")
    yield store, []
    for kind, notebook in pair.items():
        path = getattr(chapter, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        with Meter() as meter:
            if run:
                execute(notebook, path.parent, f"{path.name} ({kind})", timeout)
            else:
                keep_outputs(notebook, path)
        text = nbformat.writes(notebook) + "\n"
        problem = too_big(notebook, len(text.encode()))
        if problem:
            raise SourceError(f"{path.name} ({kind}): {problem}.")
        write_text(path, text)
        took = f", {meter.seconds:.0f} s, {meter.megabytes:.0f} MB" if run else ""
        yield path, [f"{len(text) / 1000:.0f} kB{took}", *(problems(notebook) if run else ())]


def keep_outputs(notebook: NotebookNode, path: Path) -> bool:
    """Carry over the stored outputs if no code cell has changed; True if so."""
    if not path.is_file():
        return False
    old = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    new = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.source for cell in old] != [cell.source for cell in new]:
        return False
    for before, after in zip(old, new, strict=True):
        after.outputs, after.execution_count = before.outputs, before.execution_count
    return True


def differences(chapter: Chapter) -> list[str]:
    """Sentences that say where the notebooks and solution texts on disk differ from the source.

    Sources, ids and metadata are compared; outputs and execution counts are not.
    """
    pair = dict(zip(KINDS, build(chapter.source, chapter.root), strict=True))
    found = []
    for kind, notebook in pair.items():
        path = getattr(chapter, kind)
        found += [f"{kind} {path.name}: {text}" for text in _compare(notebook, path)]
    store = solution_file(chapter.source.name[:2])
    texts = json.loads(store.read_text("utf-8")) if store.is_file() else {}
    if texts != solutions(pair["solved"]):
        found.append(f"the solution texts in {store.parent.name}/{store.name} are not the source's")
    return found


def _compare(built: NotebookNode, path: Path) -> list[str]:
    if not path.is_file():
        return ["it has not been built"]
    stored = nbformat.read(path, 4)
    if stored.metadata != built.metadata:
        return ["the notebook's metadata differ"]
    found = []
    for ours, theirs in zip(built.cells, stored.cells, strict=False):
        parts = ("id", "cell_type", "source", "metadata")
        wrong = [part for part in parts if ours.get(part) != theirs.get(part)]
        if wrong:
            found.append(f"cell {ours.id} differs in {', '.join(wrong)}")
    if len(built.cells) != len(stored.cells):
        found.append(f"{len(stored.cells)} cells, where the source makes {len(built.cells)}")
    return found
