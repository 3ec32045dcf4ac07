"""Entries on films and books."""

from minibert.world.kinds import read_templates
from minibert.world.kinds.encyclopedia.tags import openings, without_told
from minibert.world.works import Work
from minibert.world.writer import Slots, Writer, number

TEMPLATES = read_templates(__file__)
_OPENINGS = {cls: openings(TEMPLATES, cls) for cls in ("film", "book")}


def film(w: Writer) -> None:
    """An entry on a film."""
    _work(w, w.pick(w.world.films), "film", "director")


def book(w: Writer) -> None:
    """An entry on a book."""
    _work(w, w.pick(w.world.books), "book", "author")


def _work(w: Writer, f: Work, cls: str, maker: str) -> None:
    w.topic = "works"
    facts = {"f": f, "year": number(f.year)}
    first = w.pick(_OPENINGS[cls])
    w.say(first, **facts)
    w.fact(f, "kind", f.kind)
    w.fact(f, maker, f.maker)
    others = [g for g in f.maker.works if g is not f]
    if first.endswith("maker"):
        _other(w, cls, facts, others)
    names = ["maker", "year", "place", "sale"] + (["star"] if f.star else [])
    names = [f"{cls} {name}" for name in names] + ["work story", "work opinion"]
    for name in w.each(without_told(names, first), least=4):
        w.say(name, **facts)
        if name.endswith("maker"):
            _other(w, cls, facts, others)


def _other(w: Writer, cls: str, facts: Slots, others: list[Work]) -> None:
    """Sometimes another work of the same maker."""
    if others and w.chance(40):
        w.say(f"{cls} other", g=w.pick(others), **facts)
