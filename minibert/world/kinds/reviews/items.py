"""Things reviewed and their aspects, read from the TOML files beside this module.

A file tells ``kind`` (a noun), ``verdict`` (which verdicts fit), ``weight`` and, where the review
speaks in the present, ``tense = "is"``. ``[opening]`` and ``[scene]`` hold templates for somebody
``alone`` or ``with`` company (``any``: both), ``[kin]`` tells what the company did. In
``[aspect.NAME]``, ``np`` names the aspect, ``good`` and ``bad`` tell what happened,
``words = "room"`` stands for the lexicon's classes ``review_room_good`` and ``review_room_bad``,
``for`` limits the aspect to some flavours (a kind of book, a tool, a trade), ``with = true`` to
company; ``compare = true`` allows "than in most inns", ``lively = true`` "never dull", and
``general = false`` forbids "superb".
"""

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from minibert.world.lexicon import Lexicon, LexiconError
from minibert.world.words import Choice

FOLDER = Path(__file__).parent
SIDES = ("good", "bad")


class Aspect:
    """One aspect of a thing; ``np`` and ``tell[side]`` are names of its groups."""

    def __init__(self, item: str, name: str, entry: dict[str, Any]) -> None:
        self.name, self.words = name, entry["words"]
        self.flavours = entry.get("for", "").split()
        self.company = entry.get("with", False)
        self.compare, self.general = entry.get("compare", False), entry.get("general", True)
        self.lively = entry.get("lively", False)
        self.np = f"{item}.{name}.np"
        self.tell = {side: f"{item}.{name}.{side}" for side in SIDES}
        self.brief = {side: f"{item}.{name}.{side}.brief" for side in SIDES}  # without a comma

    def fits(self, flavour: str, company: bool) -> bool:
        """True if the aspect can come up in a review of this flavour."""
        return (not self.flavours or flavour in self.flavours) and (company or not self.company)

    def __repr__(self):
        return f"Aspect({self.np!r})"


class Item:
    """A thing that is reviewed; ``opening`` and ``scene`` give names of groups."""

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name, self.kind, self.verdict = name, data["kind"], data["verdict"]
        self.weight, self.was = data["weight"], data.get("tense", "was")
        self.scenes = tuple(data["scene"])
        self.aspects = [Aspect(name, key, entry) for key, entry in data["aspect"].items()]

    def scene(self, company: str) -> str:
        """The group of second sentences."""
        return f"{self.name}.scene.{company if company in self.scenes else 'any'}"

    def __repr__(self):
        return f"Item({self.name!r})"


class Words:
    """The polarity words of a lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.made: dict[tuple, Choice | None] = {}
        self.extremes = {"good": lexicon["review_fine"], "bad": lexicon["review_awful"]}

    def choice(self, aspect: Aspect, side: str, extreme: bool = False) -> Any:
        """A Choice of adjectives for an aspect, or None where it has no extreme ones."""
        key = aspect.words, side, extreme and aspect.general, extreme
        if key not in self.made:
            self.made[key] = self._make(*key)
        return self.made[key]

    def _make(self, words: str, side: str, general: bool, extreme: bool) -> Choice | None:
        own, weights = self.lexicon[f"review_{words}_{side}"], {}
        known = {word.name for word in own}
        for choice in (own, self.extremes[side]) if general else (own,):
            for word, weight in zip(choice.items, choice.weights, strict=True):
                if (word.tags.get("grade") == "extreme") == extreme and (
                    choice is own or word.name not in known
                ):
                    weights[word.name] = word, weight
        return Choice(*zip(*weights.values(), strict=True)) if weights else None


@lru_cache(maxsize=8)
def words(lexicon: Lexicon) -> Words:
    """The polarity words of a lexicon, made once."""
    return Words(lexicon)


def load() -> tuple[Choice, dict[str, str]]:
    """All Items, as a Choice by weight, and all templates, by group."""
    items: list[Item] = []
    templates: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        if path.stem == "shared":
            templates.update(_shared(data))
        else:
            items.append(Item(path.stem, data))
            templates.update(_own(path.stem, data))
    return Choice(items, [item.weight for item in items]), templates


def _shared(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The groups of shared.toml; those for clauses are put together from their parts."""
    clause, denied = data["clause"], data["denied"]
    for side in SIDES:
        yield f"clause.extreme.{side}", clause["any"] + clause["extreme"]
        yield f"denied.{side}", denied["any"] + denied[side]
        yield f"denied.{side}.lively", denied["any"] + denied[side] + denied["lively"]
        for grade in ("short", "long"):
            text = clause["any"] + clause[grade] + clause[f"{grade}_{side}"]
            yield f"clause.{grade}.{side}", text
            yield f"clause.{grade}.{side}.peers", text + clause[f"{grade}_peers"]
    yield "clause.two", clause["two"]
    yield "denied.two", denied["two"]
    for table in ("frame", "join", "star"):
        for name, text in data[table].items():
            yield f"{table}.{name}", text
    verdicts = data["verdict"]
    for name, table in verdicts.items():
        if name != "any":
            for stars, text in table.items():
                yield f"verdict.{name}.{stars}", verdicts["any"][stars] + text


def _own(name: str, data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for table in ("opening", "scene", "kin"):
        for key, text in data[table].items():
            yield f"{name}.{table}.{key}", text
    for key, entry in data["aspect"].items():
        yield f"{name}.{key}.np", entry["np"]
        for side in SIDES:
            lines = _clauses(entry[side], f"{name}.toml [aspect.{key}]")
            yield f"{name}.{key}.{side}", "\n".join(lines)
            brief = [line for line in lines if " , " not in line]
            yield f"{name}.{key}.{side}.brief", "\n".join(brief)


def _clauses(text: str, where: str) -> list[str]:
    """Sentences without their full stop, so that they can stand inside others."""
    lines = [line.strip() for line in text.strip().splitlines()]
    for line in lines:
        if not line.endswith(" ."):
            raise LexiconError(f"{where}: the sentence must end with ' .': {line}")
    return [line[:-2] for line in lines]
