"""Films and books of the world: who made them, when, and what they are about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from minibert.world.people import NOW, Person
from minibert.world.places import Place, Town
from minibert.world.words import Choice, Lexeme, zipf

if TYPE_CHECKING:
    from minibert.world.base import Draw
    from minibert.world.lexicon import Lexicon


class Work(Place):
    """A film or a book: ``.maker`` (director or author), ``.star``, ``.kind .about .year .place``.

    ``hero`` (a trade) and ``thing`` (a treasure) are in its story.
    """

    hero: Lexeme
    thing: Lexeme
    maker: Person
    place: Town
    year: int

    def __init__(self, lexeme: Lexeme, lexicon: Lexicon) -> None:
        super().__init__(lexeme.name, "WORK")
        self.kind, self.about = lexicon.find(lexeme.kind), lexicon.noun(lexeme.about)
        self.star: Person | None = None


def draw_works(
    lexicon: Lexicon,
    draw: Draw,
    people: Iterable[Person],
    towns: Choice,
    *,
    cls: str,
    maker: str,
    star: str | None = None,
) -> Choice:
    """A Choice of the works in a class of titles; ``maker`` and ``star`` are trades."""

    def those(trade):
        return [p for p in people if p.trade.name == trade] if trade else []

    works = []
    for lexeme in draw.shuffled(lexicon[cls].items):
        work = Work(lexeme, lexicon)
        work.maker = draw.one(those(maker))
        work.star = draw.one(those(star)) if star else None
        work.place = draw.weighted(towns)
        work.hero = draw.one(lexicon["trade"].items)
        work.thing = draw.one(lexicon["treasure"].items)
        youngest = max(person.birth for person in (work.maker, work.star) if person)
        work.year = draw.number(min(youngest + 24, NOW - 3), NOW - 1)
        works.append(work)
        work.maker.works += (work,)
        if work.star:
            work.star.roles += (work,)
    return Choice(works, zipf(len(works), 0.8))
