"""Who can talk to whom in a world, and about what."""

from functools import lru_cache

from minibert.world.words import Choice, Filler

SELLERS = ("baker", "butcher", "shopkeeper")
ANIMALS = ("pet", "farm_animal", "wild_animal", "bird")
ROAMERS = ("dog", "cat", "rabbit", "pony", "tortoise", "parrot")  # pets that visit gardens
TOOLS = ("spade", "ladder", "hammer", "saw", "wheelbarrow", "rake")
SNACKS = ("nut", "apple", "biscuit", "cherry")
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

    def __init__(self, world):
        self.world, lexicon = world, world.lexicon
        adults = world.adults
        self.family = {}  # everybody of one last name: they do not meet as strangers
        for person in adults:
            self.family.setdefault(person.last, []).append(person)
        self.sellers = self.adults(lambda p: p.trade.name in SELLERS)
        self.vets = self.adults(lambda p: p.trade.name == "vet")
        self.librarians = self.adults(lambda p: p.trade.name == "librarian")
        self.near = {person: self._near(person) for person in adults}
        self.friends = self.adults(lambda p: self.near[p] is not None)
        self.owners = self.adults(lambda p: p.pet is not None)
        pupils = [p for p in world.children if p.parents and p.age >= 6]
        self.pupils = Choice(pupils) if pupils else None
        self.river_towns = world.part(lambda town: town.river is not None, world.towns)
        self.tools = Choice([lexicon.find(name) for name in TOOLS])
        self.snacks = Choice([lexicon.find(name, form="plural") for name in SNACKS])
        self.irregular = Choice([lexicon.find(name, form="plural") for name in IRREGULAR])
        self.traits = {animal: lexicon.find(animal.trait, "ADJ") for animal in lexicon["pet"]}
        self.wares = {}
        for ware in lexicon["dialogue_ware"]:
            self.wares.setdefault(ware.of, []).append(ware)
        self.wares = {seller: Choice(wares) for seller, wares in self.wares.items()}
        self.young = {}  # the animals whose young have a name that no other young has
        names = [a.forms["young"].text for cls in ANIMALS for a in lexicon[cls]]
        for animal in [a for cls in ANIMALS for a in lexicon[cls]]:
            form = animal.forms["young"]
            if names.count(form.text) == 1:
                self.young[animal] = Filler(form.text, {"base": form})
        self.parents = Choice(self.young)

    def adults(self, wanted):
        """The adults that are ``wanted``, with their weights, or None."""
        people = self.world.adults
        kept = [
            (person, weight)
            for person, weight in zip(people.items, people.weights, strict=True)
            if wanted(person)
        ]
        return Choice(*zip(*kept, strict=True)) if kept else None

    def _near(self, person):
        """The adults of the same town and another family."""
        near = [p for p in person.town.adults if p.last != person.last]
        return Choice(near) if near else None


@lru_cache(maxsize=8)
def cast(world):
    """The Cast of a world, made once."""
    return Cast(world)
