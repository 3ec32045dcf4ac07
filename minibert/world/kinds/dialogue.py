"""Dialogues between two personas who stay true to the facts of the world.

``notes`` of a document: ``turns``, a tuple of (speaker, first sentence, one after the last), and
``personas``, from speaker to the sentences that this person would say about themselves.
"""

from minibert.world.kinds.dialogues.acquaintances import neighbours, plans
from minibert.world.kinds.dialogues.cast import cast
from minibert.world.kinds.dialogues.counter import doctor, library, shop, station, vet
from minibert.world.kinds.dialogues.homework import homework
from minibert.world.kinds.dialogues.strangers import meeting
from minibert.world.kinds.dialogues.talk import load
from minibert.world.words import Choice
from minibert.world.writer import Writer

WEIGHT = 12
SCENES = Choice(
    [meeting, neighbours, plans, homework, shop, station, doctor, vet, library],
    [8, 5, 4, 4, 4, 3, 3, 2, 2],
)
NEEDS = {  # the people without whom a scene is left out
    neighbours: "friends",
    plans: "friends",
    homework: "pupils",
    shop: "sellers",
    vet: "vets",
    library: "librarians",
}
TEMPLATES = load()


def write(w: Writer) -> None:
    people = cast(w.world)
    missing = [scene for scene, part in NEEDS.items() if getattr(people, part) is None]
    w.pick(SCENES, missing)(w, people)
