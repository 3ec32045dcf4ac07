"""Entries on words with two meanings, each sense in a sentence of its own."""

from minibert.world.kinds import read_templates
from minibert.world.words import Choice, Filler, Form
from minibert.world.writer import Writer

TEMPLATES = read_templates(__file__)


def _word(name: str) -> Filler:
    return Filler(name, {"base": Form(name, "NOUN")})


_WORDS = Choice([_word(name[:-2]) for name in TEMPLATES if name.endswith(" 1")])


def word(w: Writer) -> None:
    """An entry on a word with two meanings."""
    x = w.pick(_WORDS)
    w.topic = "words"
    w.say("word", x=x)
    for sense in w.each((1, 2), least=2):
        w.say(f"{x} {sense}")
    if w.chance(60):
        w.say("word end")
