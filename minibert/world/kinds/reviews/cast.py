"""Who and what a review is about: the works, inns, makers and tools of a world."""

from functools import lru_cache
from typing import Any

from minibert.world.base import World
from minibert.world.kinds.reviews.items import Item
from minibert.world.people import Person, gendered
from minibert.world.words import Choice, Filler, Lexeme
from minibert.world.works import Work
from minibert.world.writer import Slots, Writer, number

COMPANIONS = {
    "f": "wife sister mother daughter aunt cousin".split(),
    "m": "husband brother father son uncle grandfather".split(),
}


class Cast:
    """The parts of a world that reviews draw from; ``draw`` maps an item to its draw."""

    def __init__(self, world: World) -> None:
        self.world, lexicon = world, world.lexicon
        self.companions = Choice(
            Filler(name, {"base": lexicon.word("kin", name).forms["base"]} | gendered(lexicon, g))
            for g in "fm"
            for name in COMPANIONS[g]
        )
        self.people = {
            alone: {key: lexicon.word("pronoun", word) for key, word in pairs.items()}
            for alone, pairs in (
                (True, {"we": "I", "us": "me", "our": "my"}),
                (False, {"we": "we", "us": "us", "our": "our"}),
            )
        }
        self.was = {word: lexicon.word("auxiliary", word) for word in ("was", "is")}
        self.houses = {}
        for cls in ("review_inn", "review_restaurant"):
            names = lexicon[cls].items
            self.houses[cls] = {t: names[i % len(names)] for i, t in enumerate(world.towns)}
        made: dict[str, list[Lexeme]] = {}
        for thing in lexicon["review_thing"]:
            made.setdefault(thing.made, []).append(thing)
        self.things = {trade: Choice(things) for trade, things in made.items()}
        self.owners = {
            "bakery": self._working("baker"),
            "shop": self._working(*self.things),
        }
        self.draws = {
            "film": lambda w: self._work(w, world.films),
            "book": lambda w: self._work(w, world.books),
            "inn": lambda w: self._house(w, "review_inn"),
            "restaurant": lambda w: self._house(w, "review_restaurant"),
            "bakery": self._bakery,
            "shop": self._shop,
            "tool": self._tool,
        }

    def can(self, item: Item) -> bool:
        """False for a bakery in a world without bakers."""
        return self.owners.get(item.name, True) is not None

    def draw(self, w: Writer, item: Item) -> tuple[str, Slots]:
        """(flavour, slots) of one review; every draw must show in the item's openings."""
        return self.draws[item.name](w)

    def genre(self, work: Work) -> Lexeme:
        """What a work is called: its kind, but a book for a book of poems."""
        return self.world.lexicon.find("book") if work.kind.name == "poem" else work.kind

    def facts(self, item: Item, slots: Slots) -> dict[str, tuple[Any, str, Any]]:
        """The facts that a review states if it uses a slot: slot -> (subject, relation, object)."""
        if "maker" in slots:
            work, relation = slots["name"], "director" if item.name == "film" else "author"
            made = work, relation, slots["maker"]
            known = {"maker": made, "by": made, "star": (work, "star", slots["star"])}
            if slots["genre"] is work.kind:
                known["genre"] = work, "kind", work.kind
            return known | {"year": (work, "year", work.year)}
        if "owner" in slots:
            owner = slots["owner"]
            return {
                "owner": (owner, "trade", owner.trade),
                "town": (owner, "lives in", owner.town),
            }
        return {}

    def again(self, person: Person, known: bool) -> dict[str, Filler]:
        """The slots ``by`` and ``whom`` for a maker: by pronoun if the name has just been said."""
        by, whom = ("he", "him") if known else ("full", "full")
        return {
            slot: Filler(person.name, {"base": person.forms[form]})
            for slot, form in (("by", by), ("whom", whom))
        }

    def _working(self, *trades: str) -> Any:
        return self.world.part_if_any(lambda p: p.trade.name in trades, self.world.adults)

    def _work(self, w: Writer, works: Choice) -> tuple[str, Slots]:
        work = w.pick(works)
        slots = {
            "name": work,
            "maker": work.maker,
            "genre": self.genre(work),
            "year": number(work.year),
        }
        return work.kind.name, slots | {"star": work.star}

    def _house(self, w: Writer, cls: str) -> tuple[str, Slots]:
        town = w.pick(self.world.towns)
        return "", {"name": self.houses[cls][town], "town": town}

    def _bakery(self, w: Writer) -> tuple[str, Slots]:
        owner = w.pick(self.owners["bakery"])
        return "", {"owner": owner, "town": owner.town}

    def _shop(self, w: Writer) -> tuple[str, Slots]:
        owner = w.pick(self.owners["shop"])
        thing = w.pick(self.things[owner.trade.name])
        slots = {"owner": owner, "town": owner.town, "trade": owner.trade, "thing": thing}
        return owner.trade.name, slots

    def _tool(self, w):
        tool = w.word("review_tool")
        return tool.name, {"tool": tool, "kind": tool}


@lru_cache(maxsize=8)
def cast(world: World) -> Cast:
    """The Cast of a world, made once."""
    return Cast(world)
