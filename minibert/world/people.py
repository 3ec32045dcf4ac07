"""People of the world: families with parents and children, homes, trades, pets and teams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from minibert.world.places import Place, Team, Town, things
from minibert.world.words import Choice, Filler, Form, Lexeme, zipf

if TYPE_CHECKING:
    from minibert.world.base import Draw
    from minibert.world.lexicon import Lexicon
    from minibert.world.works import Work

NOW = 1962  # the year in which the world's documents are written
PEOPLE_ZIPF = 1.35
YOUNGEST = 6  # the age of the youngest children
ARTISTS = {"director": 5, "actor": 8, "writer": 6}
HE = {
    "m": ("he", "him", "his", "his", "himself"),
    "f": ("she", "her", "her", "hers", "herself"),
}
# Nouns by gender: form name -> (a man's, a woman's).
PAIRS = {
    "man": ("man", "woman"),
    "boy": ("boy", "girl"),
    "son": ("son", "daughter"),
    "brother": ("brother", "sister"),
    "father": ("father", "mother"),
    "husband": ("husband", "wife"),
    "uncle": ("uncle", "aunt"),
    "nephew": ("nephew", "niece"),
    "grandson": ("grandson", "granddaughter"),
    "grandfather": ("grandfather", "grandmother"),
    "king": ("king", "queen"),
}


def gendered(lexicon: Lexicon, gender: str) -> dict[str, Form]:
    """Forms that depend on gender alone: pronouns, and nouns such as man/woman."""
    he, him, his, own, himself = HE[gender]
    side = "mf".index(gender)
    forms = {
        "he": Form(he, "PRON", he),
        "him": Form(him, "PRON", he),
        "his": Form(his, "PRON", his),
        "hers": Form(own, "PRON", own),
        "himself": Form(himself, "PRON", himself),
    }
    for name, pair in PAIRS.items():
        forms[name] = lexicon.find(pair[side]).forms["base"]
    return forms


class Person(Filler):
    """Somebody with a first name of their own.

    Forms: ``full`` (also ``base``), ``first``, ``last``, ``mr`` (``Mrs Holt``), ``he him his hers
    himself`` and the nouns of PAIRS by the person's gender (``son`` gives ``daughter`` for a girl).
    Attributes: ``gender`` ("m" or "f"), ``age birth``, ``town`` and ``born`` (Towns), ``trade`` (a
    Lexeme; None for a child), ``spouse`` (None if single), ``parents children siblings`` (tuples),
    ``pet`` (a Pet or None), ``food`` and ``hobby`` (favourites), ``team coached`` (a Team or None),
    ``works`` (films directed or books written), ``roles`` (films acted in).
    """

    town: Town
    born: Town
    food: Filler
    hobby: Lexeme
    works: tuple[Work, ...] = ()
    roles: tuple[Work, ...] = ()
    parents: tuple[Person, ...] = ()
    children: tuple[Person, ...] = ()
    siblings: tuple[Person, ...] = ()

    def __init__(self, lexicon: Lexicon, first: str, last: str, gender: str, *, birth: int) -> None:
        full = Form(f"{first} {last}", "PROPN", entity="PER")
        super().__init__(
            full.text,
            {
                "base": full,
                "full": full,
                "first": Form(first, "PROPN", entity="PER"),
                "last": Form(last, "PROPN", entity="PER"),
                **gendered(lexicon, gender),
            },
        )
        self.gender, self.birth, self.last = gender, birth, last
        self.trade: Lexeme | None = None
        self.spouse: Person | None = None
        self.pet: Pet | None = None
        self.team: Team | None = None
        self.coached: Team | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        return self.forms["first"].text.lower(), self.last.lower()

    def marry(self, other: Person | None) -> None:
        """Pair two people; ``other`` None leaves one single. Sets the title of the form ``mr``."""
        self.spouse = other
        title = "Mr" if self.gender == "m" else "Mrs" if other else "Miss"
        self.forms["mr"] = Form(f"{title} {self.last}", "PROPN", entity="PER")

    @property
    def age(self) -> int:
        return NOW - self.birth


class Pet(Place):
    """A pet with a name: base ``Biscuit``; ``.animal`` (a Lexeme), ``.owner``."""

    def __init__(self, name: str, animal: Lexeme, owner: Person) -> None:
        super().__init__(name, "MISC")
        self.animal, self.owner = animal, owner


class Stranger(Filler):
    """Somebody without a name, known by a trade; with the pronouns of a man or a woman.

    Draw one (``world.strangers``) only where a pronoun follows, so that the gender shows.
    """

    def __init__(self, lexicon: Lexicon, trade: Lexeme, gender: str) -> None:
        super().__init__(f"{trade.name}:{gender}", {**trade.forms, **gendered(lexicon, gender)})
        self.trade, self.gender = trade, gender

    @property
    def marks(self) -> tuple[str, ...]:
        return self.trade.marks


def draw_people(lexicon: Lexicon, draw: Draw, towns: Choice) -> Choice:
    """Families until the first names are used up: a Choice of Persons, the best known first."""
    women = [name.name for name in draw.shuffled(lexicon["woman_name"].items)]
    men = [name.name for name in draw.shuffled(lexicon["man_name"].items)]
    people = []
    homes = draw.shuffled(towns.items)  # a family in every town, then wherever people like to be
    for family in draw.shuffled(lexicon["last_name"].items):
        if min(len(women), len(men)) < 5:
            break
        home = homes.pop() if homes else draw.weighted(towns)
        people += _family(lexicon, draw, family.name, home, women, men, towns)
    _trades(lexicon, draw, people)
    _likings(lexicon, draw, people)
    ranked = draw.shuffled(people)
    return Choice(ranked, zipf(len(ranked), PEOPLE_ZIPF, 30_000))


def _family(lexicon, draw, last, home, women, men, towns):
    """A couple, none to three children, and sometimes a single brother or sister of one of them."""
    birth = draw.number(1900, 1936)

    def person(gender: str, birth: int, parents: tuple[Person, ...] = ()) -> Person:
        first = (women if gender == "f" else men).pop()
        new = Person(lexicon, first, last, gender, birth=birth)
        new.town = home
        new.born = home if draw.number(1, 100) <= 60 else draw.weighted(towns)
        new.parents = parents
        new.marry(None)
        return new

    him, her = person("m", birth), person("f", birth + draw.number(-3, 5))
    him.marry(her)
    her.marry(him)
    children = []
    for i in range(draw.weighted(Choice([0, 1, 2, 3], [1, 3, 4, 2]))):
        year = her.birth + 20 + 4 * i + draw.number(1, 3)
        if year > NOW - YOUNGEST:
            break
        child = person(draw.one("mf"), year, (her, him))
        child.born = home
        if child.age >= 20 and draw.number(1, 100) <= 40:
            child.town = draw.weighted(towns)
        children.append(child)
    him.children = her.children = tuple(children)
    for child in children:
        child.siblings = tuple(other for other in children if other is not child)
    if draw.number(1, 100) <= 40:
        single = person(draw.one("mf"), birth + draw.number(2, 9))
        single.siblings, him.siblings = (him,), (single,)
        return [him, her, *children, single]
    return [him, her, *children]


def _trades(lexicon: Lexicon, draw: Draw, people: list[Person]) -> None:
    """A trade for every adult, in proportion to the planted share of women (tag ``woman``).

    Some are set aside first, so that there is somebody to make films and books.
    """
    trades = lexicon["trade"].items
    grown = [person for person in draw.shuffled(people) if person.age >= 36]
    for name, count in ARTISTS.items():
        trade = lexicon.word("trade", name)
        for _ in range(count):
            gender = "f" if draw.number(1, 100) <= int(trade.woman) else "m"
            person = next(person for person in grown if person.gender == gender)
            person.trade = trade
            grown.remove(person)
    share = {
        "f": Choice(trades, [int(trade.woman) for trade in trades]),
        "m": Choice(trades, [100 - int(trade.woman) for trade in trades]),
    }
    for person in people:
        if person.age >= 18 and person.trade is None:
            person.trade = draw.weighted(share[person.gender])


def _likings(lexicon: Lexicon, draw: Draw, people: list[Person]) -> None:
    names = [name.name for name in draw.shuffled(lexicon["pet_name"].items)]
    for person in people:
        cls = draw.one(["dish", "sweet", "fruit"])
        person.food = things(draw.weighted(lexicon[cls]))
        person.hobby = draw.one(lexicon["hobby"].items)
        if names and draw.number(1, 100) <= 25:
            person.pet = Pet(names.pop(), draw.weighted(lexicon["pet"]), person)


def draw_teams(draw: Draw, people: Choice, teams: Iterable[Team], size: int = 5) -> None:
    """Give each team its players, a keeper and a coach; its own town's people first."""
    free = [p for p in draw.shuffled(people.items) if 15 <= p.age <= 48]
    old = [p for p in draw.shuffled(people.items) if p.age > 48]
    for team in teams:
        home = team.town
        free.sort(key=lambda p: (p.town is not home, p.town.country is not home.country))
        picked: list[Person] = []
        for player in free:
            if len(picked) <= size and player.last not in [other.last for other in picked]:
                picked.append(player)
        free = [player for player in free if player not in picked]
        old.sort(key=lambda p: p.town is not home)
        team.coach = old.pop(0)
        team.coach.coached = team
        team.keeper = picked[-1]
        team.players = Choice(picked[:-1], zipf(len(picked) - 1, 0.5, 100))
        for player in picked:
            player.team = team
