"""Letters: to relatives, friends and neighbours, to a master, a mayor, or whoever made the chair.

Each occasion is a file of ``letters/`` (see ``minibert.world.plots``). Who writes to whom follows
the world: a mother is the writer's mother, a neighbour lives in the same town. ``topic`` is the
occasion. ``notes`` of a document: ``writer`` and ``reader`` (full names), ``bond`` (what the reader
is to the writer) and ``branch`` (which of the things that can happen did).
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from minibert.world.base import World
from minibert.world.people import Person
from minibert.world.places import Town
from minibert.world.plots import Plot, load_plots
from minibert.world.words import Choice, Filler
from minibert.world.writer import Slots, Writer

WEIGHT = 12
FOLDER = Path(__file__).parent / "letters"
GROWN, CAMP = 18, (7, 14)  # ages
FRIENDS = 12  # friends are at most so many years apart
MASTER = 12  # a master is at least so many years older
KID = 3, 15  # ages of children of whom a parent writes
BOND_SHARE = 1000  # each bond has the same share of a writer's letters, all its people the same
TAUGHT = ("baker carpenter tailor blacksmith potter clockmaker weaver dressmaker").split()
TAUGHT += "gardener builder painter plumber photographer".split()
CRAFTS = ("baker", "carpenter", "tailor", "blacksmith", "potter", "clockmaker")


def write(w: Writer) -> None:
    post = post_of(w.world)
    plot = w.pick(post.plots)
    writer = w.pick(post.writers[plot.name])
    reader = w.pick(post.readers(writer, plot))
    cast = post.cast(writer, reader.person)
    if plot.name in ("favour", "home"):
        cast["v"] = w.pick(w.world.towns, [writer.town])
    if plot.name == "film":
        cast["film"] = w.pick(w.world.films)
    if plot.name == "camp":
        cast["fr"] = w.pick(post.campers[writer.town.name])
    branch = plot.write(w, cast, post.given(writer, reader, plot))
    w.topic = plot.name
    w.notes = {"writer": str(writer), "reader": str(reader.person), "bond": reader.bond}
    w.notes["branch"] = branch
    _note_facts(w, cast)


@lru_cache(maxsize=8)
def post_of(world: World) -> Post:
    """The Post of a world, made once."""
    return Post(world)


class Reader(Filler):
    """Somebody to whom a letter goes; ``bond`` is what they are to the writer.

    Its forms are how letters name the reader: a letter to a mother or a wife may give no name.
    """

    def __init__(self, person: Person, bond: str) -> None:
        form = {"parent": "father", "spouse": "husband"}.get(bond, "first")
        super().__init__(str(person), {"base": person.forms["first"], "named": person.forms[form]})
        self.person, self.bond = person, bond


class Post:
    """Who can write on which occasion, and to whom."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._readers: dict[tuple, Choice | None] = {}
        self.campers = {
            town.name: self._campers_of_others(town)
            for town in dict.fromkeys(p.town for p in world.people if _is_camper(p))
        }
        plots, self.writers = [], {}
        for plot in load_plots(FOLDER, world.lexicon.scoped("letter")):
            fit = [p for p in world.people if self.readers(p, plot) is not None]
            if fit:
                plots.append(plot)
                self.writers[plot.name] = world.part(fit.__contains__)
        self.plots = Choice(plots, [plot.weight for plot in plots])

    def _campers_of_others(self, town: Town) -> Choice:
        return self.world.part(lambda p: _is_camper(p) and p.town is not town)

    def readers(self, writer: Person, plot: Plot) -> Any:
        """To whom ``writer`` can write on this occasion, a Choice of Readers; None for nobody."""
        key = id(writer), plot.needs
        if key not in self._readers:
            found: list[Reader] = []
            if writer.age >= GROWN or "camp" in plot.needs:
                for need in plot.needs:
                    found += getattr(self, f"_{need}", lambda _: [])(writer)
            count = Counter(reader.bond for reader in found)
            weights = [BOND_SHARE // count[reader.bond] for reader in found]
            self._readers[key] = Choice(found, weights) if found else None
        return self._readers[key]

    def _friend(self, a: Person) -> list[Reader]:
        people = self.world.people
        near = [p for p in people if p.town is not a.town and abs(p.age - a.age) <= FRIENDS]
        return [Reader(p, "friend") for p in near if p.age >= GROWN and p.last != a.last]

    def _neighbour(self, a: Person) -> list[Reader]:
        near = [p for p in self.world.people if p.town is a.town and p.last != a.last]
        return [Reader(p, "neighbour") for p in near if p.age >= GROWN]

    def _sibling(self, a: Person) -> list[Reader]:
        return [Reader(p, "sibling") for p in a.siblings if p.age >= GROWN]

    def _parent(self, a: Person) -> list[Reader]:
        return [Reader(p, "parent") for p in a.parents]

    def _child(self, a: Person) -> list[Reader]:
        return [Reader(p, "child") for p in a.children if p.age >= GROWN]

    def _spouse(self, a: Person) -> list[Reader]:
        return [Reader(a.spouse, "spouse")] if a.spouse else []

    def _maker(self, a):
        makers = [p for p in self.world.adults if p.trade.name in CRAFTS and p.last != a.last]
        return [Reader(p, "formal") for p in makers]

    def _mayor(self, a: Person) -> list[Reader]:
        mayor = a.town.mayor
        return [Reader(mayor, "formal")] if mayor is not a and mayor.last != a.last else []

    def _master(self, a):
        if a.trade.name not in TAUGHT:
            return []
        older = [p for p in self.world.adults if p.trade is a.trade and p.age >= a.age + MASTER]
        return [Reader(p, "master") for p in older if p.last != a.last]

    def _camp(self, a: Person) -> list[Reader]:
        return self._parent(a) if _is_camper(a) and self.campers[a.town.name] else []

    def cast(self, a: Person, b: Person) -> Slots:
        """The slots of the templates: writer, reader and what belongs to them."""
        cast: Slots = {"a": a, "b": b, "t": a.town, "u": b.town, "s": a.spouse, "m": a.town.mayor}
        cast |= {"ap": a.pet, "apk": a.pet and a.pet.animal, "tr": a.trade}
        kids = [p for p in a.children if KID[0] <= p.age <= KID[1]]
        return cast | {"k": kids[0] if kids else None}

    def given(self, writer: Person, reader: Reader, plot: Plot) -> dict[str, str]:
        """The values of the branches that the facts decide."""
        cast = self.cast(writer, reader.person)
        given = {
            "bond": reader.bond,
            "home": "married" if writer.spouse else "single",
            "pet": "yes" if writer.pet else "no",
            "mayor": "self" if cast["m"] in (writer, reader.person) else "other",
            "kids": "yes" if cast["k"] else "no",
        }
        if "craft" in plot.given:
            given["craft"] = str(reader.person.trade)
        return {key: given[key] for key in plot.given}


def _is_camper(person: Person) -> bool:
    return CAMP[0] <= person.age <= CAMP[1]


def _note_facts(w: Writer, cast: Slots) -> None:
    """The facts of the world that the sentences state: those whose slots they use."""
    used = {slot.name for template, _, _ in w.sentences for slot in template.slots}
    a, bond = cast["a"], w.notes["bond"]
    if "t" in used:
        w.fact(a, "lives in", a.town)
    if "u" in used:
        w.fact(cast["b"], "lives in", cast["u"])
    if "m" in used:
        w.fact(a.town, "mayor", cast["m"])
    if "ap" in used:
        w.fact(a, "pet", a.pet)
    if "s" in used or bond == "spouse":
        w.fact(a, "spouse", a.spouse)
    if "film" in used:
        w.fact(cast["film"], "director", cast["film"].maker)
        w.fact(cast["film"], "star", cast["film"].star)
