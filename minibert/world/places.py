"""Places of the world: countries with capitals, rivers, towns, and the teams that play for them."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from minibert.world.words import Choice, Filler, Form, Lexeme, zipf

if TYPE_CHECKING:
    from minibert.world.base import Draw
    from minibert.world.lexicon import Lexicon
    from minibert.world.people import Person


class Place(Filler):
    """Something with a proper name; ``base`` is the bare name."""

    def __init__(self, name: str, entity: str, **forms: Form) -> None:
        super().__init__(name, {"base": Form(name, "PROPN", entity=entity), **forms})


class Country(Place):
    """``.capital`` (a Town), ``.towns``."""

    capital: Town
    towns: Choice

    def __init__(self, name: str) -> None:
        super().__init__(name, "LOC")


class River(Place):
    """``.towns`` it flows through; forms: base (``the Arn``), long (``the River Arn``)."""

    towns: Choice
    fish: Lexeme
    length: int

    def __init__(self, name: str) -> None:
        super().__init__(name, "LOC", long=Form(f"River {name}", "PROPN", entity="LOC"))


class Town(Place):
    """``.country .river .size .count .product .landmark .team .mayor .people .adults .near``.

    ``product`` is what the town is known for; ``size`` (village, town or city) and ``landmark`` are
    lexemes; river and team may be None. ``count`` is the number of people, ``x y`` are kilometres
    east and north, ``near`` lists the other towns of the country,
    ``natives`` those who were born here and moved away.
    """

    country: Country
    size: Lexeme
    product: Filler
    landmark: Lexeme
    mayor: Person
    people: Choice
    adults: Choice
    near: tuple[Town, ...]
    natives: tuple[Person, ...] = ()

    def __init__(self, name: str) -> None:
        super().__init__(name, "LOC")
        self.river: River | None = None
        self.team: Team | None = None
        self.count = self.x = self.y = 0

    def way_to(self, other: Town) -> tuple[int, str]:
        """(kilometres, direction) of another town as seen from here."""
        east, north = other.x - self.x, other.y - self.y
        if abs(east) > abs(north):
            direction = "east" if east > 0 else "west"
        else:
            direction = "north" if north > 0 else "south"
        return max(1, int(sqrt(east * east + north * north))), direction


class Team(Place):
    """A football team: base ``Alder Rovers``, short ``Rovers``.

    ``.town .players .keeper .coach .colour``
    """

    players: Choice
    keeper: Person
    coach: Person
    colour: Lexeme

    def __init__(self, town: Town, nickname: str) -> None:
        super().__init__(
            f"{town.name} {nickname}", "ORG", short=Form(nickname, "PROPN", entity="ORG")
        )
        self.town = town


def things(lexeme: Lexeme) -> Filler:
    """A lexeme as people speak of the stuff or the kind: ``cheese``, ``apples``."""
    form = lexeme.forms.get("plural") or lexeme.forms["base"]
    return Filler(form.text, {"base": form}, lexeme=lexeme)


PRODUCTS = ("crop", "craft", "dish")  # classes of the lexicon that a town can be known for
COUNTRY_SIZE, TOWN_ZIPF = 3, 0.9


def draw_places(
    lexicon: Lexicon, draw: Draw
) -> tuple[list[Country], list[River], Choice, list[Team]]:
    """Countries, rivers, towns and teams, each drawn once; ``draw`` is a Draw of the world."""
    count = len(lexicon["town_name"]) // COUNTRY_SIZE
    countries = [Country(name.name) for name in lexicon["country_name"].items[:count]]
    rivers = [River(name.name) for name in lexicon["river_name"].items[: len(countries)]]
    towns = [Town(name.name) for name in draw.shuffled(lexicon["town_name"].items)]
    products = draw.shuffled(product for cls in PRODUCTS for product in lexicon[cls])
    landmarks = draw.shuffled(lexicon["landmark"].items)
    for i, country in enumerate(countries):
        own = towns[i * COUNTRY_SIZE : (i + 1) * COUNTRY_SIZE]
        country.capital, country.towns = own[0], Choice(own)
    for i, town in enumerate(towns):
        town.country = countries[min(i // COUNTRY_SIZE, len(countries) - 1)]
        capital = town.country.capital is town
        size = "city" if capital else draw.one(["town", "town", "village"])
        low, high = {"city": (60, 300), "town": (6, 40), "village": (4, 19)}[size]
        town.count = draw.number(low, high) * (100 if size == "village" else 1000)
        town.size = lexicon.find(size)
        town.x = i // COUNTRY_SIZE % 4 * 150 + draw.number(0, 100)
        town.y = i // COUNTRY_SIZE // 4 * 150 + draw.number(0, 100)
        town.product = things(products[i % len(products)])
        town.landmark = landmarks[i % len(landmarks)]
        at = i // COUNTRY_SIZE
        if i % COUNTRY_SIZE < 2:
            town.river = rivers[at % len(rivers)]
        elif draw.number(1, 100) <= 50:
            town.river = rivers[(at + 1) % len(rivers)]
    for river in rivers:
        river.towns = Choice([town for town in towns if town.river is river])
        river.length = draw.number(6, 60) * 10
        river.fish = draw.one(lexicon["river_fish"].items)
    for town in towns:
        town.near = tuple(t for t in town.country.towns if t is not town)
    ranked = Choice(towns, [20 * w for w in zipf(len(towns), TOWN_ZIPF)])
    return countries, rivers, ranked, _draw_teams(lexicon, draw, towns)


def _draw_teams(lexicon: Lexicon, draw: Draw, towns: list[Town]) -> list[Team]:
    """A football team in some of the towns, each in a colour."""
    homes = sorted(draw.some(towns, len(lexicon["team_name"])), key=towns.index)
    teams = [Team(t, n.name) for t, n in zip(homes, lexicon["team_name"], strict=True)]
    colours = draw.shuffled(lexicon["colour"].items)
    for i, team in enumerate(teams):
        team.town.team = team
        team.colour = colours[i % len(colours)]
    return teams
