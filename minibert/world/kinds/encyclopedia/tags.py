"""How the encyclopedia speaks of the tags of the lexicon: homes, food and uses."""

from functools import cache

from minibert.world.words import Filler
from minibert.world.writer import Phrase

# How one speaks of living there; elsewhere it is "in" with a plural (in forests).
_NEAR = {"river": "by", "stream": "by", "coast": "along the", "sea": "in the", "ocean": "in the"}
_ON = ("farm", "hill", "moor", "chimney")


@cache
def home(lexicon, x):
    """The phrase for where an animal or a plant lives: *in forests*, *by rivers*, *in the sea*."""
    way = _NEAR.get(x.home, "on" if x.home in _ON else "under" if x.home == "roof" else "in")
    form = "base" if way.endswith("the") else "plural"
    noun = lexicon.find(x.home, form=form)
    return Phrase(lexicon.template(way + " {h}"), [noun.forms[form]], {"h": noun})


@cache
def noun(lexicon, text):
    """A noun of a tag, in the number in which it stands there: *grass*, *worms*."""
    return Filler(text, {"base": lexicon.literal(f"{text}/NOUN")})
