"""Entries on trees, flowers, fruit and vegetables, and on the classes of living things."""

from minibert.world.kinds import read_templates
from minibert.world.kinds.encyclopedia.tags import home, openings, without_told
from minibert.world.words import Choice, Lexeme
from minibert.world.writer import Slots, Writer

TEMPLATES = read_templates(__file__)
_ASPECTS = {  # after a comma: aspects that may stand in the opening
    "tree": ("home", "use", "bark", "leaf", "bird", "trunk"),
    "flower": ("home", "colour", "season", "grower", "friend"),
    "fruit": ("colour", "place", "use", "price"),
    "vegetable": ("colour", "place", "use", "price"),
}
# The hypernyms with an entry of their own: what they are, and two parts that they have.
_BIG = {
    "bird": ("animal", "wing", "feather"),
    "fish": ("animal", "fin", "scale"),
    "insect": ("animal", "wing", "feeler"),
    "tree": ("plant", "trunk", "branch"),
    "flower": ("plant", "petal", "stem"),
}
_OPENINGS = {cls: openings(TEMPLATES, cls) for cls in _ASPECTS}
_KINDS = Choice(tuple(_BIG))
_PLANTS = Choice(("tree", "flower", "fruit", "vegetable"))


def plant(w: Writer) -> None:
    """An entry on a tree, a flower, a fruit or a vegetable."""
    cls = w.pick(_PLANTS)
    x = w.word(cls)
    w.topic = "nature"
    facts: Slots = {"x": x}
    if "home" in x.tags:
        facts |= {"home": home(w.lexicon, x), "h": w.lexicon.find(x.home)}
    if "colour" in x.tags:
        facts["c"] = w.lexicon.word("colour", x.colour)
        w.fact(x, "colour", x.colour)
    if "season" in x.tags:
        facts["s"] = w.lexicon.word("season", x.season)
    if "use" in x.tags:
        facts["use"] = w.lexicon.noun(x.use)
    first = w.pick(_OPENINGS[cls])
    w.say(first, **facts)
    w.fact(x, "is a", cls)
    names = [f"{cls} {aspect}" for aspect in _ASPECTS[cls]]
    for name in w.each(without_told(names, first), least=3, stop=40):
        w.say(name, **facts)
    if w.chance(50):
        w.say("plant remark", **facts)


def species(w: Writer) -> None:
    """An entry on a class of living things."""
    k = w.pick(_KINDS)
    up, a, b = _BIG[k]
    w.topic = "nature"
    facts = {"k": w.lexicon.word("creature_kind", k), "up": w.lexicon.word("creature_kind", up)}
    w.say("kind", a=_part(w, a), b=_part(w, b), **facts)
    w.fact(k, "is a", up)
    x = w.word(k)
    y = w.word(k, without=[x])
    z = w.word(k, without=[x, y])
    w.say("kind members", x=x, y=y, z=z, **facts)
    for member in (x, y, z):
        w.fact(member, "is a", k)
    if w.chance(70):
        w.say(f"kind {k}", **facts)


def _part(w: Writer, name: str) -> Lexeme:
    cls = "plant_part" if name in ("trunk", "branch", "petal", "stem") else "body_part_animal"
    return w.lexicon.word(cls, name)
