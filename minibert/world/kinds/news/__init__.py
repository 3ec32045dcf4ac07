"""News from the towns: fairs and floods, elections and thefts, prices, weddings and weather.

Each item is a plot in a file of this folder (see ``minibert.world.plots``), behind a dateline. The
cast follows from what a plot ``needs``: ``person`` and ``second`` are people of the town (never the
mayor, who is ``{t.mayor}``); ``couple``, ``elder``, ``owner`` (of a pet) and ``child`` decide the
town themselves. ``topic`` is the name of the plot, ``notes["branch"]`` which way it went.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from minibert.world.base import World
from minibert.world.people import NOW, gendered
from minibert.world.places import Town
from minibert.world.plots import Plot, load_plots
from minibert.world.words import Choice, Filler
from minibert.world.writer import Slots, Writer, number

WEIGHT = 18
FOLDER = Path(__file__).parent
PUPIL = 14  # until this age, children go to school
ELDER = 60  # from this age on, a birthday is news
MARRIED_AT = 19  # age of a wife at her wedding

TEMPLATES = {
    "dateline": """
        3| *{t} , [obl:tmod {day:weekday}] .
        2| *News [nmod from {t}] .
        1| [obl From our *reporter [nmod in {t}]] :
        """
}


def write(w: Writer) -> None:
    desk = desk_of(w.world)
    plot = w.pick(desk.plots)
    cast, given = desk.cast(w, plot)
    w.say("dateline", t=cast["t"])
    branch = plot.write(w, cast, given)
    w.topic, w.notes = plot.name, {"branch": branch}
    _note_facts(w, cast)


@lru_cache(maxsize=8)
def desk_of(world: World) -> Desk:
    """The Desk of a world, made once."""
    return Desk(world)


class Desk:
    """The plots, and who can be in them."""

    def __init__(self, world: World) -> None:
        self.world = world
        plots = load_plots(FOLDER, world.lexicon.scoped("news"))
        self.plots = Choice(plots, [plot.weight for plot in plots])
        self.mayors = {id(town.mayor) for town in world.towns}
        self.locals = {id(town): self._without_mayor(town) for town in world.towns}
        self.genders = Choice([Filler(side, gendered(world.lexicon, side)) for side in "mf"])
        self.pupils = world.part(lambda p: p.age <= PUPIL, world.children)
        self._towns: dict[tuple[bool, int], Choice] = {}
        self.elders = world.part(lambda p: p.age >= ELDER, world.adults)
        self.others = world.part(lambda p: id(p) not in self.mayors, world.adults)

    def _without_mayor(self, town: Town) -> Choice:
        return self.world.part(lambda p: p is not town.mayor, town.adults)

    def cast(self, w: Writer, plot: Plot) -> tuple[Slots, dict[str, str]]:
        """(slots, given branches) for a plot; each draw is named in its text."""
        if "couple" in plot.needs:
            p = w.pick(self.world.couples)
            children = dict(zip(("c", "c2"), p.children, strict=False))
            family = ("none", "one", "more")[min(2, len(p.children))]
            years = number(NOW - p.birth - MARRIED_AT)
            return {"p": p, "t": p.town, "years": years, **children}, {"family": family}
        if "elder" in plot.needs:
            p = w.pick(self.elders)
            return {"p": p, "t": p.town, "age": number(p.age), "year": number(p.birth)}, {}
        if "owner" in plot.needs:
            p = w.pick(self.world.owners)
            return {"p": p, "t": p.town}, {}
        if "child" in plot.needs:
            c = w.pick(self.pupils)
            return {"c": c, "t": c.town}, {}
        if "royal" in plot.needs:
            return {"g": w.pick(self.genders), "t": w.pick(self.world.towns)}, {}
        t = w.pick(self.towns("river" in plot.needs, 2 if "second" in plot.needs else 1))
        cast = {"t": t}
        if "film" in plot.needs:
            film = cast["film"] = w.pick(self.world.films)
            cast["year"] = number(film.year)
            cast["p"] = w.pick(self.locals[id(t)])
        if "person" in plot.needs:
            cast["p"] = w.pick(self.locals[id(t)])
        if "second" in plot.needs:
            cast["q"] = w.pick(self.locals[id(t)], without=[cast["p"]])
        return cast, {}

    def towns(self, river: bool, people: int) -> Choice:
        """The towns with so many people to speak of, and if need be with a river."""
        if (river, people) not in self._towns:
            self._towns[river, people] = self.world.part(
                lambda t: (t.river or not river) and len(self.locals[id(t)]) >= people,
                self.world.towns,
            )
        return self._towns[river, people]


def _note_facts(w, cast):
    """The facts of the world that the sentences state."""
    paths = {
        (slot.name, *slot.path, slot.form)
        for template, _, _ in w.sentences
        for slot in template.slots
    }
    town = cast["t"]
    for name in "pq":
        if name in cast:
            w.fact(cast[name], "lives in", town)
            if (name, "trade") in paths:
                w.fact(cast[name], "trade", cast[name].trade)
    if any(path[:2] == ("t", "mayor") for path in paths):
        w.fact(town, "mayor", town.mayor)
    if any(path[:2] == ("t", "river") for path in paths):
        w.fact(town, "river", town.river)
