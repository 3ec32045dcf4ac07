"""The fixed world: its people, places and works, drawn once from ``world_seed``."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from minibert.world import lexicon as lexicon_module
from minibert.world.lexicon import OF_WORLD, Lexicon
from minibert.world.people import Stranger, draw_people, draw_teams
from minibert.world.places import draw_places
from minibert.world.words import Choice, zipf
from minibert.world.works import draw_works
from minibert.world.writer import Group, number

Item = TypeVar("Item")


class Drawing:
    """Draws from uniform floats alone, so that they are the same on every platform."""

    random: Callable[[], float]

    def one(self, items: Sequence[Item]) -> Item:
        """One of a sequence, all equally likely."""
        return items[int(self.random() * len(items))]

    def shuffled(self, items: Iterable[Item]) -> list[Item]:
        """A new list in random order."""
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = int(self.random() * (i + 1))
            items[i], items[j] = items[j], items[i]
        return items


class Draw(Drawing):
    """Draws for the fixed world."""

    def __init__(self, seed: int) -> None:
        self.random = Random(f"world {seed}").random

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def weighted(self, choice: Choice) -> Any:
        return choice.items[choice.find(self.random())]

    def some(self, items: Iterable[Item], count: int) -> list[Item]:
        return self.shuffled(items)[:count]


class World:
    """Everything that is the same in all documents.

    ``people towns films books`` are Choices, ranked by how often documents speak of them (a Zipf
    law, so that facts are mentioned between once and a thousand times in a million tokens);
    ``adults children couples owners players`` are parts of ``people`` with the same weights;
    ``countries rivers teams`` are even. ``strangers`` are (trade, gender) pairs weighted by the
    planted share of women in the trade; ``strangers_of`` has those of one trade.
    ``numbers`` are two to twenty. ``owners_of`` gives the owners of each pet animal, ``by_trade``
    those in a trade, ``fans`` the adults who like a food best (by its name). ``facts`` lists
    (subject, relation, object) as strings.
    """

    def __init__(self, world_seed: int = 0, lexicon: Lexicon | None = None) -> None:
        self.seed = world_seed
        self.lexicon = lexicon if lexicon is not None else lexicon_module.load()
        draw = Draw(world_seed)
        countries, rivers, self.towns, teams = draw_places(self.lexicon, draw)
        self.people = draw_people(self.lexicon, draw, self.towns)
        draw_teams(draw, self.people, teams)
        self.countries, self.rivers, self.teams = Choice(countries), Choice(rivers), Choice(teams)
        self.adults = self.part(lambda p: p.trade is not None)
        self.children = self.part(lambda p: p.trade is None)
        drawn = self.lexicon, draw, self.adults, self.towns
        self.films = draw_works(*drawn, cls="film_title", maker="director", star="actor")
        self.books = draw_works(*drawn, cls="book_title", maker="writer")
        self._sort_people(draw)
        trades = self.lexicon["trade"]
        shares = {trade: (int(trade.woman), 100 - int(trade.woman)) for trade in trades}
        self.strangers_of = {
            trade: Choice([Stranger(self.lexicon, trade, gender) for gender in "fm"], share)
            for trade, share in shares.items()
        }
        self.strangers = Choice(
            [stranger for trade in trades for stranger in self.strangers_of[trade]],
            [share for trade in trades for share in shares[trade]],
        )
        self.numbers = Choice([number(n) for n in range(2, 21)], zipf(19, 0.5, 100))
        self.drawn = self.lexicon.classes | {name: getattr(self, name) for name in OF_WORLD}
        self.facts = tuple(facts(self))
        self._groups: dict[str, dict[str, Group]] = {}

    def _sort_people(self, draw):
        """Choices of the people with something in common; a mayor for every town."""
        self.couples = self.part(lambda p: p.spouse is not None and p.gender == "f")
        self.parents = self.part(lambda p: p.children)
        self.owners = self.part(lambda p: p.pet is not None)
        self.owners_of = self.split(self.owners, lambda p: p.pet.animal)
        self.by_trade = self.split(self.adults, lambda p: p.trade)
        self.fans = self.split(self.adults, lambda p: str(p.food))
        self.players = self.part(lambda p: p.team is not None)
        for town in self.towns:
            town.people = self.part(lambda p, town=town: p.town is town)
            town.adults = self.part(lambda p, town=town: p.trade is not None, town.people)
            town.natives = tuple(p for p in self.adults if p.born is town and p.town is not town)
            town.mayor = draw.one([p for p in town.adults if p.age > 30] or town.adults.items)

    def part(self, wanted: Callable[[Any], object], choice: Choice | None = None) -> Choice:
        """The items of a Choice (of the people) that are ``wanted``, with their weights."""
        choice = choice or self.people
        pairs = zip(choice.items, choice.weights, strict=True)
        kept = [(item, weight) for item, weight in pairs if wanted(item)]
        return Choice([item for item, _ in kept], [weight for _, weight in kept])

    def part_if_any(self, wanted: Callable[[Any], object], choice: Choice | None = None) -> Any:
        """The same, or None where nothing is wanted."""
        return self.part(wanted, choice) if any(map(wanted, choice or self.people)) else None

    def split(self, choice: Choice, key: Callable[[Any], Hashable]) -> dict[Any, Choice]:
        """A dict from each key to the Choice of the people who have it."""
        keys = dict.fromkeys(map(key, choice))

        def having(one: Hashable) -> Choice:
            return self.part(lambda item: key(item) == one, choice)

        return {one: having(one) for one in keys}

    def groups(self, owner: str, templates: Mapping[str, str]) -> dict[str, Group]:
        """The compiled groups of a dict of templates, by name; compiled once an ``owner``."""
        if owner not in self._groups:
            groups, errors = {}, []
            for name, text in templates.items():
                try:
                    groups[name] = Group(self.lexicon.scoped(owner), text)
                except ValueError as error:
                    errors.append(f"{owner}, {name!r}: {error}")
            if errors:
                raise ValueError("\n".join(errors))
            self._groups[owner] = groups
        return self._groups[owner]

    def __repr__(self) -> str:
        return f"World({self.seed}: {len(self.people)} people, {len(self.towns)} towns)"


def facts(world: World) -> Iterator[tuple[str, str, str]]:
    """The knowledge base as (subject, relation, object), in a fixed order."""
    for person in world.people:
        name = str(person)
        yield name, "lives in", str(person.town)
        yield name, "born in", str(person.born)
        yield name, "birth year", str(person.birth)
        for relation in ("trade", "spouse", "food", "hobby", "team"):
            if getattr(person, relation) is not None:
                yield name, relation, str(getattr(person, relation))
        if person.pet is not None:
            yield name, "pet", str(person.pet)
            yield str(person.pet), "animal", str(person.pet.animal)
        for child in person.children:
            yield name, "child", str(child)
    for country in world.countries:
        yield str(country), "capital", str(country.capital)
    for town in world.towns:
        for relation in ("country", "river", "size", "product", "landmark", "team", "mayor"):
            if getattr(town, relation) is not None:
                yield str(town), relation, str(getattr(town, relation))
    for team in world.teams:
        yield str(team), "coach", str(team.coach)
        yield str(team), "colour", str(team.colour)
    for works, maker in ((world.films, "director"), (world.books, "author")):
        for work in works:
            yield str(work), maker, str(work.maker)
            yield str(work), "year", str(work.year)
            yield str(work), "kind", str(work.kind)
    for film in world.films:
        yield str(film), "star", str(film.star)


@lru_cache(maxsize=8)
def world(world_seed: int = 0, lexicon: str | Path | None = None) -> World:
    """The world of a seed, made once; ``lexicon`` is a folder that extends the built-in one."""
    return World(world_seed, lexicon_module.load(lexicon))
