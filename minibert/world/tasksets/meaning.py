"""Words in their sentences: the same sense or another, and whom a pronoun means."""

import re
import tomllib
from functools import cache
from pathlib import Path

from minibert.world.tasksets.base import Example, maker
from minibert.world.tasksets.entailment import sentence, somebody

SCHEMAS = Path(__file__).with_name("schemas.toml")
KINDS = ("encyclopedia", "review", "story")
PRONOUN = re.compile(r"\{([hf])\.(?:he|him|his|hers|himself)\}")
NAMED = re.compile(r"\{(?:[hf]\.(?:full|first|last)|intro)\}")
ENOUGH = 3  # sentences that a sense must have to be asked for


@maker(
    "word_in_context",
    "does the word mean the same in both sentences? No two splits share a sentence",
    "accuracy",
    ("different", "same"),
    sizes=(1500, 300, 600),
)
def word_in_context(source, split, size):
    """``info``: ``word``, ``senses``, and ``places``, the word's place among the tokens of both.

    In both labels the word and the sense of the first sentence are drawn alike.
    """
    pool, examples, tries = by_sense(source, 2 * size), [], 0
    words = list(pool)
    while len(examples) < size and tries < 50 * size:
        tries, same = tries + 1, len(examples) % 2
        senses = source.shuffled(pool[source.one(words)].items())[: 1 if same else 2]
        (sense, one), (sense_b, other) = senses[0], senses[-1]
        first, second = source.one(one), source.one(other)
        if first[0] != second[0] and source.new(first[0], second[0]):
            info = {"word": sense.split(".")[0], "senses": (sense, sense_b)}
            info |= {"places": (first[1], second[1])}
            label = ("different", "same")[same]
            examples.append(Example(first[0], second[0], label=label, info=info))
    return source.shuffled(examples)


def by_sense(source, documents):
    """word -> sense -> [(sentence, place of the word)], for words with two senses or more."""
    pool, taken = {}, {}
    for document, _ in zip(source.documents(KINDS), range(documents), strict=False):
        for each in document.sentences:
            places = [i for i, sense in enumerate(each.sense) if sense]
            if len(places) == 1 and each.text not in taken and source.owns(each.text):
                taken[each.text] = True
                sense = each.sense[places[0]]
                senses = pool.setdefault(sense.split(".")[0], {})
                senses.setdefault(sense, []).append((each.text, places[0]))
    enough = {
        word: {sense: found for sense, found in senses.items() if len(found) >= ENOUGH}
        for word, senses in pool.items()
    }
    return {word: senses for word, senses in enough.items() if len(senses) > 1}


@maker(
    "coreference",
    "whom does the pronoun mean? Half by gender, in stories; half by sense, in single sentences",
    "accuracy by kind",
    (0, 1),
    sizes=(2000, 400, 800),
)
def coreference(source, split, size):
    """``text``, ``span`` the pronoun, ``choices`` two names, ``label`` the place of the right one.

    ``info["kind"]``: "gender" (a man and a woman of a story) or "sense" (two people of one gender;
    what is known about each tells who is meant: the schemas are the same in every split, the names
    are not). In either kind the one named first is meant as often as the other.
    """
    examples = []
    for kind, made in (("gender", by_gender(source)), ("sense", by_schema(source))):
        wanted = {True: size // 4, False: size // 4}
        for text, at, pronoun, right, wrong in made:
            first = text.index(right) < text.index(wrong)
            if not wanted[first] or not source.new(text):
                continue
            wanted[first] -= 1
            label = int(source.chance(50))
            choices = (wrong, right) if label else (right, wrong)
            span, info = (at, at + len(pronoun)), {"kind": kind, "pronoun": pronoun, "first": first}
            examples.append(Example(text, label=label, choices=choices, span=span, info=info))
            if not any(wanted.values()):
                break
    return source.shuffled(examples)


def by_gender(source):
    """Stories up to a sentence with one *he* or *she*: (text, place, pronoun, who, who not)."""
    for story in source.documents("story"):
        before = ""
        for line, each in zip(story.lines(), story.sentences, strict=True):
            meant = PRONOUN.findall(each.template)
            if len(meant) == 1 and not NAMED.search(each.template):
                who, other = (each.slots[key] for key in (meant[0], "hf".replace(meant[0], "")))
                pronoun = who.forms["he"].text
                at = re.search(rf"\b{pronoun}\b", line, re.IGNORECASE)
                names = [person.forms["first"].text for person in (who, other)]
                if at and all(re.search(rf"\b{name}\b", before) for name in names):
                    place = len(before) + at.start()
                    yield before + line, place, line[slice(*at.span())], *names
                    break
            before += line + " "


def by_schema(source):
    """Sentences from schemas.toml: (text, place, pronoun, who, who not)."""
    while True:
        schema = source.one(schemas())
        one = somebody(source)
        other = somebody(source, one)
        if one.gender != other.gender:
            continue
        act, side = source.one(schema["acts"]), source.one(("first", "second"))
        reason = source.one(schema[side])
        act = act.format(A=one.first, B=other.first)
        text = sentence(f"{act}, {reason.format(he=one.he)}")
        at = len(act) + 2 + reason.index("{he}")
        right, wrong = (one, other) if side == "first" else (other, one)
        yield text, at, one.he, right.first, wrong.first


@cache
def schemas():
    return list(tomllib.loads(SCHEMAS.read_text(encoding="utf-8")).values())
