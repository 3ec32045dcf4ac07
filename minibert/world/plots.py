"""Plots: the course of a text and its sentences, written down as data.

A plot is a TOML file. ``flow`` lists its steps, one a line:

    open                       a sentence is drawn from the group of that name
    habit 40%                  the same, in 40 of 100 texts
    cause = gate 3, storm 1    a branch: one value is drawn, with these weights; {cause} is its name
    run.{cause}                the group of that branch
    joy.{cause}?               the same, where the plot has such a group
    agree key 30%              a sentence of agreement over attractors (``phrases``), of this family

and ``[text]`` holds the groups: templates, one a line (see ``minibert.world.template``). What a
template draws into a slot stays there for the rest of the text: ``a {d:dog_look} *dog`` draws once
and ``the {d} *dog`` takes it up. Each value of a branch must show in the text. ``given`` names
branches whose value the cast decides, with all values it may take; ``needs`` says what the cast
must have, ``weight`` how often the plot is told. A file ``shared.toml`` with ``[text]`` alone holds
groups for all the plots of its folder; they know the cast alone, and
what they draw is forgotten again.
"""

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from minibert.world import phrases
from minibert.world.lexicon import Lexicon, LexiconError
from minibert.world.words import Choice
from minibert.world.writer import Group, Writer

SHARED = "shared.toml"
KEYS = ("flow", "text", "weight", "needs", "given")
AGREE = re.compile(r"agree (\w+)\s+(\d+)%$")
SAY = re.compile(r"([\w.{}]+)(\?)?(?:\s+(\d+)%)?$")
BRANCH = re.compile(r"(\w+)\s*=\s*(.+)$")
VALUE = re.compile(r"(\w+)(?:\s+(\d+))?$")


class Say:
    """A step that says a sentence of the group that it names."""

    def __init__(self, name: str, optional: bool = False, percent: int | None = None) -> None:
        self.name, self.optional, self.percent = name, optional, percent

    def group(self, branch: Mapping[str, str]) -> str:
        """The name of the group, given the values of the branches."""
        return self.name.format_map(branch) if "{" in self.name else self.name


class Agree:
    """A step that says a sentence whose verb agrees with its subject over some attractors."""

    def __init__(self, family: str, percent: int) -> None:
        self.family, self.percent = family, percent


class Branch:
    """A step that draws one of several values."""

    def __init__(self, key: str, values: Choice) -> None:
        self.key, self.values = key, values


class Plot:
    """One plot, compiled; ``write(w, cast)`` says its sentences."""

    def __init__(
        self, path: Path, lexicon: Lexicon, shared: dict[str, Group] | None = None
    ) -> None:
        data = _read(path)
        self.name, self.weight = path.stem, data.get("weight", 1)
        self.needs = tuple(data.get("needs", ()))
        self.given = {key: tuple(values) for key, values in data.get("given", {}).items()}
        self.steps = [_step(line, path) for line in data["flow"].splitlines() if line.strip()]
        self.own = _groups(path, data, lexicon)
        self.groups = {**(shared or {}), **self.own}
        self._check(path)

    def branches(self) -> Iterator[dict[str, str]]:
        """Every combination of branch values, as dicts."""
        keys = dict(self.given)
        keys |= {step.key: step.values for step in self.steps if isinstance(step, Branch)}
        for values in itertools.product(*keys.values()):
            yield dict(zip(keys, values, strict=True))

    def endings(self, branch: Mapping[str, str]) -> tuple[Group, list[Group]]:
        """The group that ends the text in this branch, and those that end it in others."""
        last = self.steps[-1]
        names = dict.fromkeys(last.group(other) for other in self.branches())
        right = last.group(branch)
        return self.groups[right], [self.groups[name] for name in names if name != right]

    def write(self, w: Writer, cast: Mapping[str, Any], given: Any = ()) -> dict[str, str]:
        """Say the whole text; returns the values of the branches.

        ``cast`` maps slots to fillers, ``given`` the branches that it decides to their values.
        """
        branch, slots = dict(given), dict(cast)
        for step in self.steps:
            if isinstance(step, Branch):
                branch[step.key] = w.pick(step.values)
                continue
            if isinstance(step, Agree):
                if w.chance(step.percent):
                    phrases.say_agreeing(w, step.family)
                continue
            name = step.group(branch)
            if name in self.groups and (step.percent is None or w.chance(step.percent)):
                if name in self.own:
                    slots = w.say(self.groups[name], **slots)
                else:
                    w.say(self.groups[name], **cast)
        return branch

    def _check(self, path: Path) -> None:
        used = {}
        for branch in self.branches():
            for step in self.steps:
                if isinstance(step, Say):
                    name = step.group(branch)
                    used[name] = True
                    if name not in self.groups and not step.optional:
                        raise LexiconError(f"{path.name}: the flow needs the group {name!r}")
        for name in self.own:
            if name not in used:
                raise LexiconError(f"{path.name}: the flow never comes to the group {name!r}")


def _read(path):
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LexiconError(f"{path.name} is not valid TOML: {error}") from None
    for key in data:
        if key not in KEYS:
            raise LexiconError(f"{path.name}: unknown key {key!r}; expected {', '.join(KEYS)}")
    if "text" not in data or ("flow" not in data and path.name != SHARED):
        raise LexiconError(f'{path.name}: a plot needs flow = """...""" and a table [text]')
    return data


def _groups(path, data, lexicon):
    groups = {}
    for name, text in data["text"].items():
        try:
            groups[name] = Group(lexicon, text)
        except ValueError as error:
            raise LexiconError(f"{path.name} [{name}]: {error}") from None
    return groups


def _step(line, path):
    line = line.strip()
    if found := BRANCH.match(line):
        values = [VALUE.match(value.strip()) for value in found[2].split(",")]
        if all(values):
            weights = [int(value[2] or 1) for value in values]
            return Branch(found[1], Choice([value[1] for value in values], weights))
    elif found := AGREE.match(line):
        return Agree(found[1], int(found[2]))
    elif found := SAY.match(line):
        return Say(found[1], bool(found[2]), int(found[3]) if found[3] else None)
    raise LexiconError(f"{path.name}: cannot read the step {line!r} of the flow")


def load_plots(folder: str | Path, lexicon: Lexicon) -> list[Plot]:
    """All plots of a folder, in the order of their names; ``shared.toml`` serves them all."""
    paths = sorted(Path(folder).glob("*.toml"))
    shared = {}
    for path in paths:
        if path.name == SHARED:
            shared = _groups(path, _read(path), lexicon)
    return [Plot(path, lexicon, shared) for path in paths if path.name != SHARED]
