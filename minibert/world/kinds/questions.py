"""Questions and answers: a short text, and what is asked about it in a test, a quiz or a class.

``notes``: ``questions``, a tuple of (question, answer, sentence, length) for each question: the
answer stands word for word in that sentence of the passage (counted from 0), and both are None
where the passage does not tell; ``length`` is the number of sentences in the passage. ``passage``
gives its first sentence in the document and the one behind its last.
"""

from functools import lru_cache

from minibert.world.base import World
from minibert.world.kinds import read_templates
from minibert.world.kinds.encyclopedia.tags import home
from minibert.world.places import Town, things
from minibert.world.telling import phrase, tell
from minibert.world.words import Choice, Filler, Lexeme
from minibert.world.writer import Slots, Writer, number, thousands

WEIGHT = 10
UNTOLD = 38  # in % of questions, where there is something left to tell, the passage has no answer
WHOLE = 40  # percentage of answers in a whole sentence
PASSAGE, STOP = 2, 50  # sentences after the first: at least so many, then it stops in % of cases
LONGEST = 6  # sentences of a passage
COUNT = Choice([2, 3], [1, 1])  # questions
LAYOUTS = Choice(["test", "quiz", "class"], [4, 3, 3])
ANIMALS = Choice(
    ["pet", "farm_animal", "wild_animal", "bird", "fish", "insect"], [3, 4, 6, 6, 2, 2]
)

# For each topic the sentences of the passage, the first one first, with the facts that they tell;
# a fact goes by the slot that has the answer.
TOPICS: dict[str, dict[str, tuple[str, ...]]] = {
    "person": {
        "lead": ("trade", "town"),
        "birth": ("born", "year"),
        "spouse": ("spouse",),
        "pet": ("animal", "pet"),
        "food": ("food",),
        "hobby": ("hobby",),
        "team": ("team",),
        "parent": ("parent",),
    },
    "town": {
        "lead": ("country",),
        "count": ("count",),
        "product": ("product",),
        "landmark": ("landmark",),
        "mayor": ("mayor",),
        "river": ("river",),
        "team": ("team",),
    },
    "animal": {
        "lead": ("home",),
        "food": ("food",),
        "young": ("young",),
        "trait": ("trait",),
        "owner": ("owner",),
    },
    "film": {
        "lead": ("kind",),
        "maker": ("maker",),
        "star": ("star",),
        "year": ("year",),
        "place": ("place",),
        "story": ("hero", "thing"),
    },
    "book": {
        "lead": ("kind",),
        "maker": ("maker",),
        "year": ("year",),
        "place": ("place",),
        "story": ("hero", "thing"),
    },
    "river": {
        "lead": ("country",),
        "length": ("length",),
        "fish": ("fish",),
        "town": ("town",),
        "product": ("product",),
    },
    "family": {
        "lead": ("town",),
        "father": ("work",),
        "mother": ("job",),
        "child": ("child",),
        "food": ("food",),
        "hobby": ("hobby",),
    },
    "team": {
        "lead": ("town",),
        "coach": ("coach",),
        "colour": ("colour",),
        "player": ("player",),
    },
}
WEIGHTS = {
    "person": 8, "town": 6, "animal": 5, "film": 3, "book": 3, "river": 2, "family": 4, "team": 2,
}  # fmt: skip
# The relation of the world's facts that a fact of a topic states about its subject.
RELATIONS = {
    "person": {
        "trade": "trade", "town": "lives in", "born": "born in", "year": "birth year",
        "spouse": "spouse", "pet": "pet", "food": "food", "hobby": "hobby", "team": "team",
    },
    "town": {name: name for name in ("country", "product", "landmark", "mayor", "river", "team")},
    "film": {"kind": "kind", "maker": "director", "star": "star", "year": "year"},
    "book": {"kind": "kind", "maker": "author", "year": "year"},
    "team": {"coach": "coach", "colour": "colour"},
}  # fmt: skip
TOPIC = Choice(list(WEIGHTS), list(WEIGHTS.values()))
TEMPLATES = read_templates(__file__)


def write(w: Writer) -> None:
    layout, topic = w.pick(LAYOUTS), w.pick(TOPIC)
    slots = SUBJECTS[topic](w)
    if layout == "class":
        teacher = w.pick(w.world.by_trade[w.lexicon.word("trade", "teacher")])
        slots["teacher"] = teacher
    tell(w, f"head {layout}", **slots | {"x": slots["about"]})
    told, left = passage(w, topic, slots)
    length = len(w.sentences) - 1
    notes: list[tuple] = []
    count = w.pick(COUNT)
    for k in range(count):
        untold = bool(left) and w.chance(UNTOLD)
        fact = w.pick(left if untold else list(told))
        question = phrase(w, f"ask {topic} {fact}", **slots)
        extra = {"k": number(k + 1)}
        again = "next" if layout != "test" and k else "question"
        tell(w, f"{layout} {again}", q=question, **extra, **slots)
        if layout == "class":
            extra["pupil"] = w.pick(_pupils(w.world))
        asked = question.text[0].upper() + question.text[1:] + "?"
        if untold:
            left.remove(fact)
            tell(w, f"{layout} unknown", **extra)
            notes.append((asked, None, None, length))
            continue
        where = told.pop(fact)
        whole = w.chance(WHOLE)
        answer = phrase(w, f"{'whole' if whole else 'short'} {topic} {fact}", **slots)
        tell(w, f"{layout} answer", a=answer, **extra)
        notes.append((asked, slots[fact].forms["base"].text, where, length))
    w.topic = topic
    w.notes = {"questions": tuple(notes), "passage": (1, 1 + length)}


def passage(w: Writer, topic: str, slots: Slots) -> tuple[dict[str, int], list[str]]:
    """Write the passage; returns the facts that it tells (to its sentence) and those left out."""
    lead, *rest = TOPICS[topic]
    told: dict[str, int] = {}

    def say(name: str) -> None:
        tell(w, f"tell {topic} {name}", **slots)
        told.update((fact, len(w.sentences) - 2) for fact in TOPICS[topic][name])
        for fact in TOPICS[topic][name]:
            if fact in RELATIONS.get(topic, ()):
                w.fact(slots["about"], RELATIONS[topic][fact], slots[fact])

    say(lead)
    known = [name for name in rest if all(slots.get(fact) for fact in TOPICS[topic][name])]
    for name in w.each(known, least=PASSAGE, stop=STOP):
        say(name)
        if len(w.sentences) > LONGEST:
            break
    untold = [fact for name in known for fact in TOPICS[topic][name] if fact not in told]
    return told, untold


@lru_cache(maxsize=8)
def _pupils(world: World) -> Choice:
    """Children, by whom a class can answer."""
    return world.part(lambda p: 6 <= p.age <= 14)


def _young(x: Lexeme) -> Filler:
    return Filler(x.forms["young"].text, {"base": x.forms["young"]})


def _person(w: Writer) -> Slots:
    p = w.pick(w.world.adults)
    parent = p.parents[0] if p.parents else None
    slots = {"p": p, "about": p, "trade": p.trade, "town": p.town, "born": p.born}
    slots |= {"year": number(p.birth), "s": p.spouse, "spouse": p.spouse, "pet": p.pet}
    slots |= {"animal": p.pet and p.pet.animal, "food": p.food, "hobby": p.hobby}
    return slots | {"team": p.team, "m": parent, "parent": parent}


def _town(w: Writer) -> Slots:
    t = w.pick(w.world.towns)
    slots = {"t": t, "about": t, "size": t.size, "country": t.country, "river": t.river}
    slots |= {"count": thousands(t.count), "product": t.product, "landmark": t.landmark}
    return slots | {"mayor": t.mayor, "team": t.team}


def _animal(w: Writer) -> Slots:
    cls = w.pick(ANIMALS)
    x = w.word(cls)
    owner = w.world.owners_of[x].items[0] if x in w.world.owners_of else None
    slots = {"x": x, "about": things(x), "home": home(w.lexicon, x)}
    slots |= {"kind": w.lexicon.find(w.lexicon.hypernyms[cls]), "food": w.lexicon.noun(x.eats)}
    slots |= {"trait": w.lexicon.find(x.trait, "ADJ"), "owner": owner}
    return slots | {
        "young": _young(x) if "young" in x.forms else None,
        "town": owner and owner.town,
    }


def _work(w: Writer, works: Choice) -> Slots:
    f = w.pick(works)
    slots = {"f": f, "about": f, "kind": f.kind, "maker": f.maker, "star": f.star}
    slots |= {"year": number(f.year), "topic": f.about}
    if str(f.kind) == "cookbook":
        return slots
    return slots | {"place": f.place, "hero": f.hero, "thing": f.thing}


def _river(w: Writer) -> Slots:
    r = w.pick(w.world.rivers)
    first, last = r.towns.items[0], r.towns.items[-1]
    slots = {
        "r": r,
        "about": phrase(w, "the river", r=r),
        "country": first.country,
        "length": number(r.length),
    }
    return slots | {"fish": r.fish, "town": last, "size": last.size, "product": _cargo(first)}


def _cargo(town: Town) -> Filler | None:
    return None if str(town.product) == "boats" else town.product


def _family(w: Writer) -> Slots:
    m = w.pick(_mothers(w.world))
    child = m.children[0]
    slots = {"m": m, "h": m.spouse, "a": child, "about": phrase(w, "the family", h=m.spouse)}
    slots |= {"town": m.town, "work": m.spouse.trade, "job": m.trade, "child": child}
    return slots | {"food": m.food, "hobby": m.spouse.hobby}


def _team(w: Writer) -> Slots:
    team = w.pick(w.world.teams)
    player = team.players.items[0]
    slots = {"team": team, "about": team, "town": team.town, "coach": team.coach, "p": player}
    return slots | {"colour": team.colour, "player": player}


@lru_cache(maxsize=8)
def _mothers(world: World) -> Choice:
    return world.part(lambda p: p.children and p.town is p.spouse.town, world.couples)


SUBJECTS = {
    "person": _person, "town": _town, "animal": _animal, "river": _river, "family": _family,
    "film": lambda w: _work(w, w.world.films), "book": lambda w: _work(w, w.world.books),
    "team": _team,
}  # fmt: skip
