"""Small words for tasks: invented people, articles, sentences."""

from dataclasses import dataclass

from minibert.world.morphology import article


@dataclass(frozen=True)
class Somebody:
    """An invented person: ``full first he him his`` and ``gender``."""

    full: str
    first: str
    he: str
    him: str
    his: str
    gender: str

    def __str__(self):
        return self.full


def somebody(source, *others):
    """Somebody who does not live in the world, with another first name than the others."""
    people = source.world.people.items
    while True:
        first, last = source.one(people), source.one(people)
        if first.last != last.last and all(first.forms["first"].text != o.first for o in others):
            forms = {name: first.forms[name].text for name in ("first", "he", "him", "his")}
            return Somebody(f"{forms['first']} {last.last}", gender=first.gender, **forms)


def a(word):
    """The word behind its indefinite article."""
    return f"{article(word)} {word}"


def sentence(text):
    """The text with a capital letter and a full stop."""
    return text[0].upper() + text[1:] + "."


def two(source, items):
    """Two different items, in random order."""
    first = source.one(items)
    return first, source.one([item for item in items if item is not first])
