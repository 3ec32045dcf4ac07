"""What the entries share: openings that tell one aspect, and how one speaks of homes."""

from collections.abc import Iterable
from functools import cache

from minibert.world.lexicon import Lexicon
from minibert.world.words import Choice, Lexeme
from minibert.world.writer import Phrase

# How one speaks of living there; elsewhere it is "in" with a plural (in forests).
_NEAR = {"river": "by", "stream": "by", "coast": "along the", "sea": "in the", "ocean": "in the"}
_ON = ("farm", "hill", "moor", "chimney")
_WATER, _SWIMMERS = ("pond", "lake"), ("bird", "farm_animal")  # swans live on lakes


@cache
def home(lexicon: Lexicon, x: Lexeme) -> Phrase:
    """The phrase for where an animal or a plant lives: *in forests*, *by rivers*, *in the sea*."""
    way = _NEAR.get(x.home, "on" if x.home in _ON else "under" if x.home == "roof" else "in")
    if x.home in _WATER and x.cls in _SWIMMERS:
        way = "on"
    form = "base" if way.endswith("the") else "plural"
    noun = lexicon.find(x.home, form=form)
    return Phrase(lexicon.template(way + " {h}"), [noun.forms[form]], {"h": noun})


def openings(templates: Iterable[str], cls: str) -> Choice:
    """A Choice of the opening groups of a class of entries: ``fruit``, ``fruit, colour`` ..."""
    return Choice([name for name in templates if name.split(",")[0] == cls])


def without_told(names: list[str], opening: str) -> list[str]:
    """The aspects left after an opening: ``fruit, colour`` tells ``fruit colour``."""
    return [name for name in names if name != opening.replace(", ", " ")]
