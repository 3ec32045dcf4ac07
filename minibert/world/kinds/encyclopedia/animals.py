"""Entries on animals, from the tags of the lexicon (home, eats, trait, size, voice)."""

from functools import cache

from minibert.world.kinds import read_templates
from minibert.world.kinds.encyclopedia.tags import home
from minibert.world.words import Choice, Lexeme
from minibert.world.writer import Slots, Writer

TEMPLATES = read_templates(__file__)

_ANIMALS = ("pet", "farm_animal", "wild_animal", "bird", "fish", "insect")
_SPECIES = Choice(_ANIMALS, [3, 4, 6, 6, 2, 3])
_FIRST = Choice(("animal, home", "animal, food", "animal, trait", "animal"), (3, 2, 3, 2))


@cache
def _larger_and_smaller(lexicon):
    """For each size the animals a little above and below it, as Choices (None if there is none)."""
    animals = [x for cls in _ANIMALS if cls != "insect" for x in lexicon[cls]]
    out = {}
    for size in range(1, 10):
        above = [x for x in animals if size < int(x.size) <= size + 3]
        below = [x for x in animals if size > int(x.size) >= size - 3]
        out[size] = (Choice(above) if above else None, Choice(below) if below else None)
    return out


def animal(w: Writer) -> None:
    """An entry on an animal."""
    cls = w.pick(_SPECIES)
    x = w.word(cls)
    w.topic = "nature"
    facts: Slots = {"x": x, "kind": w.lexicon.find(w.lexicon.hypernyms[cls])}
    facts |= {"home": home(w.lexicon, x), "food": w.lexicon.noun(x.eats)}
    facts["trait"] = w.lexicon.find(x.trait, "ADJ")
    first = w.pick(_FIRST)
    w.say(first, **facts)
    w.fact(x, "is a", facts["kind"])
    told = {"animal, home": _home, "animal, food": _food, "animal, trait": _trait}.get(first)
    aspects = [a for a in (_home, _food, _trait) if a is not told] + [_size, _fact, _remark]
    aspects += [_young] if "young" in x.tags else []
    aspects += [_voice] if "voice" in x.tags else []
    aspects += [_owner] if x in w.world.owners_of else []
    for aspect in w.each(aspects, least=4, stop=20):
        aspect(w, x, facts)


def _home(w: Writer, x: Lexeme, facts: Slots) -> None:
    w.say("animal home", **facts)
    w.fact(x, "lives in", x.home)


def _food(w: Writer, x: Lexeme, facts: Slots) -> None:
    w.say("animal food", **facts)
    w.fact(x, "eats", x.eats)


def _trait(w: Writer, x: Lexeme, facts: Slots) -> None:
    w.say("animal trait", **facts)
    w.fact(x, "is", x.trait)


def _young(w: Writer, x: Lexeme, facts: Slots) -> None:
    w.say("animal young", **facts)
    w.fact(x, "young", x.young)


def _voice(w: Writer, x: Lexeme, facts: Slots) -> None:
    w.say("animal voice", v=w.lexicon.word("voice", x.voice), **facts)


def _size(w: Writer, x: Lexeme, facts: Slots) -> None:
    above, below = _larger_and_smaller(w.lexicon)[int(x.size)]
    if below and (not above or w.chance(50)):
        other = w.pick(below)
        w.say("animal bigger", o=other, **facts)
        w.fact(x, "is bigger than", other)
    else:
        other = w.pick(above)
        w.say("animal smaller", o=other, **facts)
        w.fact(other, "is bigger than", x)


def _fact(w: Writer, x: Lexeme, facts: Slots) -> None:
    w.say(f"{x.cls} fact", **facts)


def _owner(w: Writer, x: Lexeme, facts: Slots) -> None:
    p = w.pick(w.world.owners_of[x])
    w.say("animal owner", p=p, **facts)
    w.fact(p, "pet", p.pet)


def _remark(w: Writer, x: Lexeme, facts: Slots) -> None:
    w.say("animal remark", **facts)
