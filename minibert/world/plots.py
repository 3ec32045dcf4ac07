"""Plots: the course of a text and its sentences, written down as data.

A plot is a TOML file. ``flow`` lists its steps, one a line:

    open                       a sentence is drawn from the group of that name
    habit 40%                  the same, in 40 of 100 texts
    cause = gate 3, storm 1    a branch: one value is drawn, with these weights; {cause} is its name
    run.{cause}                the group of that branch
    joy.{cause}?               the same, where the plot has such a group

and ``[text]`` holds the groups: templates, one a line (see ``minibert.world.template``). What a
template draws into a slot stays there for the rest of the text: ``a {d:dog_look} *dog`` is drawn
once and ``the {d} *dog`` takes it up. Each value of a branch must show in the text.
"""

import itertools
import re
import tomllib
from pathlib import Path

from minibert.world.lexicon import LexiconError
from minibert.world.words import Choice
from minibert.world.writer import Group

SAY = re.compile(r"([\w.{}]+)(\?)?(?:\s+(\d+)%)?$")
BRANCH = re.compile(r"(\w+)\s*=\s*(.+)$")
VALUE = re.compile(r"(\w+)(?:\s+(\d+))?$")


class Plot:
    """One plot, compiled: ``write(w, cast)`` says its sentences; ``endings`` are its last groups."""

    def __init__(self, path, lexicon):
        self.name = path.stem
        data = _read(path)
        self.weight = data.get("weight", 1)
        self.needs = tuple(data.get("needs", ()))
        self.steps = [_step(line, path) for line in data["flow"].split("\n") if line.strip()]
        self.groups = {}
        for name, text in data["text"].items():
            try:
                self.groups[name] = Group(lexicon, text)
            except ValueError as error:
                raise LexiconError(f"{path.name} [{name}]: {error}") from None
        self._check(path)

    def branches(self):
        """Every combination of branch values, as dictionaries."""
        branches = [step for step in self.steps if isinstance(step, Branch)]
        for values in itertools.product(*(step.values for step in branches)):
            yield dict(zip((step.key for step in branches), values, strict=True))

    def endings(self):
        """The groups that can end the text, by name."""
        last = self.steps[-1]
        return {last.group(branch): self.groups[last.group(branch)] for branch in self.branches()}

    def write(self, w, cast):
        """Say the whole text; returns (branch values, filled slots)."""
        branch, cast = {}, dict(cast)
        for step in self.steps:
            if isinstance(step, Branch):
                branch[step.key] = w.pick(step.values)
                continue
            group = self.groups.get(step.group(branch))
            if group is not None and (step.percent is None or w.chance(step.percent)):
                cast = w.say(group, **cast)
        return branch, cast

    def _check(self, path):
        says = [step for step in self.steps if isinstance(step, Say)]
        used = {}
        for branch in self.branches():
            for step in says:
                name = step.group(branch)
                used[name] = True
                if name not in self.groups and not step.optional:
                    raise LexiconError(f"{path.name}: the flow needs a group {name!r} in [text]")
        for name in self.groups:
            if name not in used:
                raise LexiconError(f"{path.name}: the flow never comes to the group {name!r}")


class Say:
    """A step that says a sentence of the group that it names."""

    def __init__(self, name, optional, percent):
        self.name, self.optional, self.percent = name, optional, percent
        self.fixed = "{" not in name

    def group(self, branch):
        return self.name if self.fixed else self.name.format_map(branch)


class Branch:
    """A step that draws one of several values."""

    def __init__(self, key, values):
        self.key, self.values = key, values


def _read(path):
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LexiconError(f"{path.name} is not valid TOML: {error}") from None
    if "flow" not in data or "text" not in data:
        raise LexiconError(f'{path.name}: a plot needs flow = """...""" and a table [text]')
    return data


def _step(line, path):
    line = line.strip()
    if found := BRANCH.match(line):
        values = [VALUE.match(value.strip()) for value in found[2].split(",")]
        if all(values):
            weights = [int(value[2] or 1) for value in values]
            return Branch(found[1], Choice([value[1] for value in values], weights))
    elif found := SAY.match(line):
        return Say(found[1], bool(found[2]), int(found[3]) if found[3] else None)
    raise LexiconError(f"{path.name}: cannot read the step {line!r} of the flow")


def load_plots(folder, lexicon):
    """All plots of a folder, as a Choice by their weights."""
    plots = [Plot(path, lexicon) for path in sorted(Path(folder).glob("*.toml"))]
    return Choice(plots, [plot.weight for plot in plots])
