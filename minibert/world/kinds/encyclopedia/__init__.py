"""Encyclopedia entries: people, places, nature, works and things, and words with two meanings."""

from minibert.world.kinds import merged
from minibert.world.kinds.encyclopedia import animals, people, places, plants
from minibert.world.words import Choice

WEIGHT = 18
TEMPLATES = merged(people.TEMPLATES, places.TEMPLATES, animals.TEMPLATES, plants.TEMPLATES)
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
}
_TOPIC = Choice(list(TOPICS), list(TOPICS.values()))


def write(w):
    w.pick(_TOPIC)(w)
