"""Encyclopedia entries: people, places, nature, works and things, and words with two meanings."""

from minibert.world.kinds import merged
from minibert.world.kinds.encyclopedia import nature, people, places
from minibert.world.words import Choice

WEIGHT = 18
TEMPLATES = merged(people.TEMPLATES, places.TEMPLATES, nature.TEMPLATES)
TOPICS = {
    people.person: 26,
    people.child: 6,
    places.town: 18,
    places.country: 6,
    places.river: 4,
    places.team: 4,
    nature.animal: 16,
    nature.plant: 8,
    nature.species: 3,
}
_TOPIC = Choice(list(TOPICS), list(TOPICS.values()))


def write(w):
    w.pick(_TOPIC)(w)
