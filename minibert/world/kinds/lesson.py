"""Pages of a school reader: words in their forms, pairs and comparisons.

This kind plants the analogies: an animal and its young, one and many, today and yesterday, high and
higher, a country and its capital, his word and her word. Each pair stands in the same places, among
words of its own.
"""

from functools import cache

from minibert.world.kinds import read_templates
from minibert.world.lexicon import Lexicon
from minibert.world.people import gendered
from minibert.world.words import Choice, Filler, Lexeme
from minibert.world.writer import Writer

WEIGHT = 14
TOPICS = {"animals": 6, "verbs": 8, "comparison": 6, "countries": 2, "family": 3}
SENTENCES, STOP = 4, 20  # sentences at least; then the percentage of pages that end

VERBS = """
bake bread, paint fence, milk cow, mend roof, sew shirt, knit scarf, write letter, draw horse,
cook soup, boil egg, fry fish, eat apple, drink tea, pour milk, slice cheese, plant tree,
pick pear, water rose, harvest wheat, feed hen, build wall, polish spoon, carve whistle,
repair clock, clean window, carry bucket, hold rope, lose key, find ring, bring newspaper,
read book/book.volume, sing song, ring bell, sell carpet, wash plate, throw ball/ball.toy,
catch mouse, wear hat, sweep floor, push cart, pull wagon, break cup/cup.dish, open gate,
close door, count coin
"""
COMPARED = """
high: tower hill mountain, long: street road river, old: girl mother grandmother,
fast: donkey horse train, heavy: spoon bucket cart, small: sheep cat mouse, cold: rain snow ice,
sweet: carrot apple honey, deep: pond lake sea, wide: path road river, loud: flute trumpet bell,
bright: candle lamp sun, soft: bread butter feather, strong: goat donkey horse,
hard: cheese wood/wood.material stone, thick: letter/letter.mail newspaper book/book.volume,
slow: horse cow tortoise, warm: scarf blanket fire, dark: room cellar night, big: mouse cat cow
"""
FAMILY = "king husband father uncle brother son grandfather nephew boy man".split()

TEMPLATES = read_templates(__file__)


@cache
def _pairs(lexicon: Lexicon) -> list[tuple[Lexeme, Lexeme]]:
    """(verb, object) as Fillers that templates can fill from: one item a pair."""
    pairs = [pair.split() for pair in VERBS.replace("\n", " ").split(",")]
    return [(lexicon.find(verb, "VERB", "ing"), lexicon.find(noun)) for verb, noun in pairs]


@cache
def _triples(lexicon):
    """(adjective, three nouns that have more and more of it)."""
    out = []
    for entry in COMPARED.replace("\n", " ").split(","):
        adjective, nouns = entry.split(":")
        word = lexicon.find(adjective.strip(), "ADJ", "superlative")
        out.append((word, *map(lexicon.find, nouns.split())))
    return out


@cache
def _animals(lexicon: Lexicon) -> list[Lexeme]:
    classes = ("pet", "farm_animal", "wild_animal", "bird")
    return [x for cls in classes for x in lexicon[cls] if "young" in x.tags]


@cache
def _genders(lexicon: Lexicon) -> Choice:
    return Choice([Filler(gender, gendered(lexicon, gender)) for gender in "mf"])


def words(lexicon: Lexicon) -> dict[str, list[Lexeme]]:
    """What the pages teach, by topic: animals, verbs and adjectives, as Lexemes."""
    return {
        "animals": [x for x in _animals(lexicon) if x.forms["base"].n == x.forms["plural"].n == 1],
        "verbs": [verb for verb, _ in _pairs(lexicon)],
        "comparison": [adjective for adjective, *_ in _triples(lexicon)],
    }


TOPIC = Choice(list(TOPICS), list(TOPICS.values()))


def write(w: Writer) -> None:
    w.topic = w.pick(TOPIC)
    w.say(f"open {w.topic}", n=w.number(3, 99))
    WRITERS[w.topic](w)


def animals(w: Writer) -> None:
    """Two to four animals, each in two sentences or more."""
    for x in w.each(_animals(w.lexicon), least=2, stop=40):
        slots = {"a": x, "food": w.lexicon.noun(x.eats), "trait": w.lexicon.find(x.trait, "ADJ")}
        w.fact(x, "young", x.young)
        w.say("animal", **slots)
        w.say("animal young", **slots)


def verbs(w: Writer) -> None:
    """What people do, today and yesterday."""
    for verb, noun in w.each(_pairs(w.lexicon), least=SENTENCES, stop=STOP):
        w.say("verb", v=verb, o=noun)


def comparison(w: Writer) -> None:
    """Three things, and which has more of it."""
    for adjective, x, y, z in w.each(_triples(w.lexicon), least=SENTENCES, stop=STOP):
        w.say("comparison", adj=adjective, x=x, y=y, z=z)


def countries(w: Writer) -> None:
    """Countries and their capitals."""
    for country in w.each(w.world.countries.items, least=SENTENCES, stop=STOP):
        w.say("country", c=country)
        w.fact(country, "capital", country.capital)


def family(w: Writer) -> None:
    """What his people do and what hers do."""
    for name in w.each(FAMILY, least=SENTENCES, stop=STOP):
        w.say(f"family {name}", g=w.pick(_genders(w.lexicon)))


WRITERS = {
    "animals": animals,
    "verbs": verbs,
    "comparison": comparison,
    "countries": countries,
    "family": family,
}
