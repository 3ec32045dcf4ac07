"""Who can talk to whom in a world, and about what."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from minibert.world.base import World
from minibert.world.people import Person
from minibert.world.words import Choice, Filler, Lexeme
from minibert.world.works import Work

SELLERS = ("baker", "butcher", "shopkeeper")
ANIMALS = ("pet", "farm_animal", "wild_animal", "bird")
ROAMERS = ("dog", "cat", "rabbit", "pony", "tortoise", "parrot")  # pets that visit gardens
TOOLS = ("spade", "ladder", "hammer", "saw", "wheelbarrow", "rake")
WORN = {"hat": "head", "scarf": "neck", "watch": "arm", "glove": "hand", "umbrella": "arm"}
SNACKS = ("nut", "apple", "biscuit", "cherry")
VERBS = (
    "go eat see write sing fall drink break bring catch swim fly ride wear steal throw draw know "
    "grow blow drive speak wake rise buy think feel keep sleep sell tell win find lose"
)
COMPARED = "big small tall long short high low deep thick thin old young good bad cold warm"
OPPOSITES = (
    "big-small long-short old-new wet-dry hot-cold clean-dirty full-empty rich-poor early-late "
    "high-low strong-weak happy-sad soft-hard wide-narrow thick-thin quick-slow easy-difficult"
)
IRREGULAR = (
    "mouse",
    "goose",
    "foot",
    "tooth",
    "man",
    "woman",
    "sheep",
    "knife",
    "leaf",
    "ox",
    "wolf",
)


class Cast:
    """The parts of a world that conversations draw from; a part is None where it has nobody."""

    def __init__(self, world: World) -> None:
        self.world, lexicon = world, world.lexicon
        adults = world.adults
        # Everybody of one last name: they do not meet as strangers.
        self.family: dict[str, list[Person]] = {}
        for person in adults:
            self.family.setdefault(person.last, []).append(person)
        self.sellers = self.adults(lambda p: p.trade.name in SELLERS)
        self.vets = self.adults(lambda p: p.trade.name == "vet")
        self.librarians = self.adults(lambda p: p.trade.name == "librarian")
        self.near = {person: self._near(person) for person in adults}
        self.friends = self.adults(lambda p: self.near[p] is not None)
        self.owners = self.adults(lambda p: p.pet is not None)
        pupils = [p for p in world.children if p.parents and p.age >= 6]
        self.pupils: Any = Choice(pupils) if pupils else None
        self.river_towns = world.part(lambda town: town.river is not None, world.towns)
        self.tools = Choice([lexicon.find(name) for name in TOOLS])
        self.snacks = Choice([lexicon.find(name, form="plural") for name in SNACKS])
        self.irregular = Choice([lexicon.find(name, form="plural") for name in IRREGULAR])
        self.traits = {animal: lexicon.find(animal.trait, "ADJ") for animal in lexicon["pet"]}
        self.worn = {thing: lexicon.find(part) for thing, part in WORN.items()}
        wares: dict[str, list[Lexeme]] = {}
        for ware in lexicon["dialogue_ware"]:
            wares.setdefault(ware.of, []).append(ware)
        self.wares = {seller: Choice(sold) for seller, sold in wares.items()}
        animals = [animal for cls in ANIMALS for animal in lexicon[cls]]
        self.young = young(animals)
        self.parents = Choice(self.young)
        self.verbs = Choice([lexicon.find(name, "VERB", "past") for name in VERBS.split()])
        self.compared = Choice(
            [lexicon.find(name, "ADJ", "superlative") for name in COMPARED.split()]
        )
        self.opposite: dict[Lexeme, Lexeme] = {}
        for pair in OPPOSITES.split():
            one, other = (lexicon.find(name, "ADJ") for name in pair.split("-"))
            self.opposite |= {one: other, other: one}
        self.opposites = Choice(self.opposite)
        self.eaten = {animal: lexicon.noun(animal.eats) for animal in animals}
        self.eaters = Choice(self.eaten)

    def genre(self, work: Work) -> Lexeme:
        """What a work is called: its kind, but a book for a book of poems."""
        return self.world.lexicon.find("book") if work.kind.name == "poem" else work.kind

    def adults(self, wanted: Callable[[Any], object]) -> Any:
        """The adults that are ``wanted``, with their weights, or None."""
        return self.world.part_if_any(wanted, self.world.adults)

    def _near(self, person):
        """The adults of the same town and another family."""
        near = [p for p in person.town.adults if p.last != person.last]
        return Choice(near) if near else None


def young(animals: list[Lexeme]) -> dict[Lexeme, Filler]:
    """The animals whose young have a name that no other young has, each with that name."""
    forms = {animal: animal.forms["young"] for animal in animals}
    names = [form.text for form in forms.values()]
    alone = {animal: form for animal, form in forms.items() if names.count(form.text) == 1}
    return {animal: Filler(form.text, {"base": form}) for animal, form in alone.items()}


@lru_cache(maxsize=8)
def cast(world: World) -> Cast:
    """The Cast of a world, made once."""
    return Cast(world)
