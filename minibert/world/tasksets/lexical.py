"""Words: analogies from the lexicon and the facts."""

from collections.abc import Sequence

from minibert.world.base import Item, World
from minibert.world.kinds import lesson
from minibert.world.people import PAIRS
from minibert.world.tasksets.base import Example, Source, maker

FORMS = {"plural": "animals", "past": "verbs", "comparative": "comparison", "young": "animals"}
SECTIONS = ("capital", "gender", *FORMS)


def word_pairs(world: World) -> dict[str, list[tuple[str, str]]]:
    """section -> list of (a, b), single words in lower case, each first word once, in fixed order.

    ``capital``: country and its capital; ``gender``: a man's word and a woman's; ``plural``,
    ``past`` and ``comparative``: a word and its form; ``young``: an animal and its young. The words
    are those that pages of the school reader teach, so a text that has such pages has them all.
    """
    pairs: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for country in world.countries:
        pairs["capital"][str(country)] = str(country.capital)
    for his, her in [("he", "she"), *PAIRS.values()]:
        pairs["gender"][his] = her
    taught = lesson.words(world.lexicon)
    for form, kind in FORMS.items():
        for word in taught[kind]:
            base, other = word.forms["base"].text, word.forms[form].text
            if base != other:
                pairs[form].setdefault(base, other)
    return {
        section: [(a.lower(), b.lower()) for a, b in found.items()]
        for section, found in pairs.items()
    }


@maker(
    "analogies",
    "a is to b as c is to which word? Lower case; leave out questions with words not in your text",
    "accuracy by section",
    sizes=(0, 2000, 6000),
)
def analogies(source: Source, split: str, size: int) -> list[Example]:
    """Even shares of the sections; ``tokens`` a, b, c, ``label`` d, ``info["section"]``."""
    examples, pairs = [], word_pairs(source.world)
    for section in SECTIONS:
        for (a, b), (c, d) in two_each(source, pairs[section], size // len(SECTIONS)):
            examples.append(Example(tokens=(a, b, c), label=d, info={"section": section}))
    return examples


def two_each(source: Source, items: Sequence[Item], most: int) -> list[tuple[Item, Item]]:
    """Up to ``most`` different ordered couples of different items, drawn evenly."""
    most = min(most, len(items) * (len(items) - 1))
    drawn: dict[tuple[Item, Item], None] = {}
    while len(drawn) < most:
        couple = source.one(items), source.one(items)
        if couple[0] is not couple[1]:
            drawn[couple] = None
    return list(drawn)
