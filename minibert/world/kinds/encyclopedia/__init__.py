"""Encyclopedia entries: people, places, nature, works and things, and words with two meanings."""

from minibert.world.kinds import merged
from minibert.world.kinds.encyclopedia import animals, people, places, plants, things, words, works
from minibert.world.words import Choice
from minibert.world.writer import Writer

WEIGHT = 18
PARTS = (people, places, animals, plants, works, things, words)
TEMPLATES = merged(*(part.TEMPLATES for part in PARTS))
TOPICS = {
    people.person: 26,
    people.child: 6,
    places.town: 18,
    places.country: 6,
    places.river: 4,
    places.team: 4,
    animals.animal: 16,
    plants.plant: 8,
    plants.species: 3,
    works.film: 7,
    works.book: 5,
    things.trade: 8,
    things.tool: 4,
    things.instrument: 3,
    things.food: 6,
    words.word: 6,
}
_TOPIC = Choice(list(TOPICS), list(TOPICS.values()))


def write(w: Writer) -> None:
    w.pick(_TOPIC)(w)
