"""Stories: somebody has a problem, tries, tries again, and it ends in one of several ways.

Each plot is a file of ``stories/`` (see ``minibert.world.plots``). The hero has one companion of
the other gender, so that ``he`` and ``she`` are never in doubt: a relative, called what they really
are to each other, or a neighbour. ``topic`` is the name of the plot. ``notes`` of a document:
``branch`` (which way the events went, by name), and ``ending``, the place of the sentence that ends
the story and fits no other course of its events (``wrong_endings`` gives those of the others).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from minibert.world.base import World
from minibert.world.document import Document
from minibert.world.people import Person
from minibert.world.plots import Plot, load_plots
from minibert.world.words import Choice
from minibert.world.writer import Slots, Writer

WEIGHT = 24
FOLDER = Path(__file__).parent / "stories"
KIN = ("husband", "brother", "father", "son")  # forms of a person, by whom the hero calls them
GROWN, CHILD = 18, (6, 14)  # ages
APART = 25  # from this age on, children live in a house of their own
KIN_SHARE = 3, 2  # relatives against neighbours, where there are both

TEMPLATES = {f"intro {kin}": f"{{h.his}} *{{f.{kin}}} [appos {{f.first}}]" for kin in KIN}
TEMPLATES["intro neighbour"] = "{h.his} *neighbour [appos {f.full}]"


def write(w: Writer) -> None:
    stage = stage_of(w.world)
    plot = w.pick(stage.plots)
    hero = w.pick(stage.heroes[plot.name])
    cast, given = {"h": hero, "t": hero.town, "trade": hero.trade, "d": hero.pet}, {}
    if "away" in plot.needs:
        cast["f"] = w.pick(stage.friends_away(hero))
        cast["u"] = cast["f"].town
    else:
        friend = cast["f"] = w.pick(stage.friends(hero, plot.needs))
        cast["intro"] = w.phrase(f"intro {stage.kin(hero, friend) or 'neighbour'}", **cast)
    if "craft" in plot.needs:
        given["craft"] = hero.trade.name
    branch = plot.write(w, cast, given)
    w.topic = plot.name
    w.notes = {"branch": branch, "ending": len(w.sentences) - 1}
    _note_facts(w, stage, cast)


def wrong_endings(document: Document, world: World) -> list[str]:
    """The sentences with which the same story could end, had its events gone another way."""
    stage = stage_of(world)
    plot = next(plot for plot in stage.plots if plot.name == document.topic)
    told = document.sentences[document.notes["ending"]].slots
    texts = []
    for group in plot.endings(document.notes["branch"])[1]:
        for template in group.choice:
            slots = dict(told)
            for slot in template.draws:  # what no sentence of this story has drawn
                items = world.drawn[slot.cls].items
                slots.setdefault(slot.name, items[document.n % len(items)])
            if all(slot.name in slots for slot in template.slots):
                texts.append(template.text([s.form_of(slots[s.name]) for s in template.slots]))
    return texts


@lru_cache(maxsize=8)
def stage_of(world: World) -> Stage:
    """The Stage of a world, made once."""
    return Stage(world)


class Stage:
    """Who can play in which plot: ``plots`` (a Choice), ``heroes`` (a Choice for each plot)."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._friends: dict[tuple, Choice | None] = {}
        self._away: dict[tuple, Choice] = {}
        plots, self.heroes = [], {}
        for plot in load_plots(FOLDER, world.lexicon.scoped("story")):
            fit = [person for person in world.people if self._can_play(person, plot)]
            if fit:
                plots.append(plot)
                self.heroes[plot.name] = world.part(fit.__contains__)
        self.plots = Choice(plots, [plot.weight for plot in plots])

    def _can_play(self, person: Person, plot: Plot) -> bool:
        young = CHILD[0] <= person.age <= CHILD[1]
        tests = {
            "child": lambda: young,
            "dog": lambda: person.pet is not None and person.pet.animal.name == "dog",
            "no_pet": lambda: person.pet is None,
            "craft": lambda: person.trade is not None and person.trade.name in plot.given["craft"],
            "away": lambda: True,
            "apart": lambda: True,
            "elder": lambda: True,
        }
        if "child" not in plot.needs and person.age < GROWN:
            return False
        if "away" not in plot.needs and not self.friends(person, plot.needs):
            return False
        return all(tests[need]() for need in plot.needs)

    def kin(self, hero: Person, friend: Person) -> str | None:
        """The form of ``friend`` that says what they are to ``hero``; None if not of the family."""
        families = ((hero.spouse,), hero.siblings, hero.parents, hero.children)
        return next((k for k, who in zip(KIN, families, strict=True) if friend in who), None)

    def friends(self, hero: Person, needs: tuple[str, ...] = ()) -> Any:
        """Grown-up relatives and neighbours of the other gender, a Choice; None if there are none.

        The need ``apart`` leaves out those who live in the hero's house, ``elder`` those who came
        into the family after the hero's youth.
        """
        apart, elder = "apart" in needs, "elder" in needs
        key = id(hero), apart, elder
        if key not in self._friends:
            near = [
                p
                for p in self.world.people
                if p.town is hero.town and p.gender != hero.gender and p.age >= GROWN
            ]
            family = [p for p in near if self.kin(hero, p)]
            near = [p for p in near if p not in family and p.last != hero.last]
            if apart:
                family = [p for p in family if not self._share_house(hero, p)]
            if elder:
                family = [p for p in family if p in hero.siblings + hero.parents]
                near = [p for p in near if p.age >= hero.age]
            weights = [1] * len(near)
            if family:
                kin, other = KIN_SHARE
                weights = [other * len(family)] * len(near)
                weights += [max(1, kin * len(near))] * len(family)
            people = near + family
            self._friends[key] = Choice(people, weights) if people else None
        return self._friends[key]

    def _share_house(self, a: Person, b: Person) -> bool:
        if a.spouse is b:
            return True
        return a.last == b.last and min(a.age, b.age) < APART

    def friends_away(self, hero: Person) -> Choice:
        """Grown-up people of the other gender in other towns."""
        key = hero.gender, id(hero.town)
        if key not in self._away:
            self._away[key] = self.world.part(
                lambda p: p.age >= GROWN and p.gender != hero.gender and p.town is not hero.town
            )
        return self._away[key]


def _note_facts(w: Writer, stage: Stage, cast: Slots) -> None:
    """The facts of the world that the sentences state: those whose slots they use."""
    used = {slot.name for template, _, _ in w.sentences for slot in template.slots}
    hero, friend = cast["h"], cast["f"]
    if "t" in used:
        w.fact(hero, "lives in", hero.town)
    if "u" in used:
        w.fact(friend, "lives in", friend.town)
    if "trade" in used:
        w.fact(hero, "trade", hero.trade)
    if "d" in used:
        w.fact(hero, "pet", hero.pet)
    kin = stage.kin(hero, friend) if "intro" in used else None
    if kin:
        w.fact(hero, friend.forms[kin].text, friend)
