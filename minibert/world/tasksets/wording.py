"""Small words for tasks: invented people, articles, sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from minibert.world.base import Item
from minibert.world.morphology import article
from minibert.world.tasksets.base import Source


@dataclass(frozen=True)
class Somebody:
    """An invented person: ``full first he him his`` and ``gender``."""

    full: str
    first: str
    he: str
    him: str
    his: str
    gender: str

    def __str__(self) -> str:
        return self.full


def somebody(source: Source, *others: Somebody) -> Somebody:
    """Somebody who does not live in the world, with another first name than the others."""
    people = source.world.people.items
    while True:
        first, last = source.one(people), source.one(people)
        if first.last != last.last and all(first.forms["first"].text != o.first for o in others):
            forms = {name: first.forms[name].text for name in ("first", "he", "him", "his")}
            return Somebody(f"{forms['first']} {last.last}", gender=first.gender, **forms)


def a(word: str) -> str:
    """The word behind its indefinite article."""
    return f"{article(word)} {word}"


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    return text[0].upper() + text[1:] + "."


def two(source: Source, items: Sequence[Item]) -> tuple[Item, Item]:
    """Two different items, in random order."""
    first = source.one(items)
    return first, source.one([item for item in items if item is not first])
