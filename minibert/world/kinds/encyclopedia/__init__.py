"""Encyclopedia entries: people, places, nature, works and things, and words with two meanings."""

from minibert.world.kinds.encyclopedia import people
from minibert.world.words import Choice

WEIGHT = 18

TEMPLATES = people.TEMPLATES
TOPICS = {people.person: 26, people.child: 6}
_TOPIC = Choice(list(TOPICS), list(TOPICS.values()))


def write(w):
    w.pick(_TOPIC)(w)
