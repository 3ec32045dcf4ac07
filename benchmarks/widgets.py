"""How fast the chapters' widgets answer: ``python -m benchmarks widgets [--quick]``.

Runs the code of each solved chapter down to its last widget, moves every control to its ends and
somewhere between (a text control: another text), and notes how long each new frame took to draw.
What a browser adds is not in it. ``--quick`` runs the chapters at smoke size.
"""

import contextlib
import io
import os
import sys
import traceback
from pathlib import Path

import matplotlib
import nbformat

import minibert as mb
from benchmarks import _record

CHAPTERS = Path(__file__).parents[1] / "chapters" / "solutions"
TEXTS = "The old baker in Highmoor was kind.", "A river"
GOAL = 0.5  # seconds


def main(quick=False):
    if quick:
        os.environ["MINIBERT_SMOKE"] = "1"
    matplotlib.use("agg")
    os.chdir(CHAPTERS)
    results = {"machine": _record.machine("torch", "matplotlib", "ipywidgets"), "widgets": {}}
    for path in sorted(CHAPTERS.glob("[0-9][0-9]_*.ipynb")):
        for name, times in answers(path).items():
            results["widgets"][f"{path.stem[:2]} {name}"] = times
    text = table(results)
    print(text)
    if not quick:
        _record.save("widgets", results)
        _record.put_into_readme("widgets", text)


def answers(path):
    """Name of each widget of a chapter -> control -> the seconds that each of its moves took."""
    made, start = [], mb.show.Interactive.__init__

    def noted(self, *args, **options):
        start(self, *args, **options)
        made.append(self)

    mb.show.Interactive.__init__ = noted
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    shows = [
        i for i, source in enumerate(cells) if "Explorer(" in source or "mb.show.Inter" in source
    ]
    shows += [i for i, source in enumerate(cells) if "ClozePlayground(" in source]
    names = {"__name__": "chapter"}
    try:
        for source in cells[: max(shows, default=-1) + 1]:
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                exec(compile(source, path.name, "exec"), names)
    except Exception:
        traceback.print_exc()
        sys.exit(f"{path.name} does not run")
    finally:
        mb.show.Interactive.__init__ = start
    return {type(widget).__name__: moved(widget) for widget in made}


def moved(widget):
    """Control -> seconds of each move."""
    found = {}
    for name, control in widget.controls.items():
        trait = "index" if hasattr(control, "index") else "value"
        before = getattr(control, trait)
        for place in places(control):
            if place == getattr(control, trait):
                continue
            setattr(control, trait, place)  # as a hand would
            if not widget.message:  # else it was refused, in a sentence, and no frame was drawn
                found.setdefault(name, []).append(round(widget.seconds, 3))
        setattr(control, trait, before)
    return found


def places(control):
    """Where a control is moved to."""
    if hasattr(control, "index"):
        last = len(control.options) - 1
        return last, last // 2, 0
    if isinstance(control.value, bool):
        return not control.value, control.value
    if hasattr(control, "max"):
        middle = control.min + (control.max - control.min) / 2
        return control.max, control.min, type(control.value)(middle)
    return TEXTS if isinstance(control.value, str) else ()


def table(results):
    """A row for each widget, in Markdown."""
    lines = ["| chapter, widget | moves | median | slowest (control) |", "|---|---|---|---|"]
    for name, controls in results["widgets"].items():
        times = sorted((t, control) for control, many in controls.items() for t in many)
        if not times:
            continue
        middle, (slowest, control) = times[len(times) // 2][0], times[-1]
        slow = f"{slowest:.2f} s ({control})" + (" **above the goal**" if slowest > GOAL else "")
        lines.append(f"| {name} | {len(times)} | {middle:.2f} s | {slow} |")
    about = results["machine"]
    lines += [
        "",
        f"{about['cpu']}, {about['cores']} cores; torch {about['torch']}, matplotlib "
        f"{about['matplotlib']}, Python {about['python']}; {about['date']}; load before "
        f"{about['load']}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main("--quick" in sys.argv)
