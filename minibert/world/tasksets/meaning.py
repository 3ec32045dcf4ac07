"""Words in their sentences: the same sense or another, and whom a pronoun means."""

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from minibert.world.tasksets.base import Example, Source, maker
from minibert.world.tasksets.wording import sentence, somebody

SCHEMAS = Path(__file__).with_name("schemas.toml")
KINDS = ("encyclopedia", "review", "story")
DOCUMENTS = 800  # that a split takes its sentences from
SHORTEST = 5  # tokens of a sentence
ENOUGH = 2  # sentences that a sense must have to be asked for


@maker(
    "word_in_context",
    "does the word mean the same in both sentences? No two splits share a sentence",
    "accuracy",
    ("different", "same"),
    sizes=(1500, 150, 400),
)
def word_in_context(source: Source, split: str, size: int) -> list[Example]:
    """``info``: ``word``, ``senses``, and ``places``, the word's place among the tokens of both.

    In both labels the word and the sense of the first sentence are drawn alike.
    """
    examples: list[Example] = []
    pool, taken, tries = by_sense(source), {}, 0
    words = list(pool)
    while len(examples) < size and tries < 50 * size:
        tries, same = tries + 1, len(examples) % 2
        senses = source.shuffled(pool[source.one(words)].items())[: 1 if same else 2]
        (sense, one), (sense_b, other) = senses[0], senses[-1]
        first, second = source.one(one), source.one(other)
        if first[0] != second[0] and (first, second) not in taken:
            taken[first, second] = True
            info: dict[str, Any] = {"word": sense.split(".")[0], "senses": (sense, sense_b)}
            info |= {"places": (first[1], second[1])}
            label = ("different", "same")[same]
            examples.append(Example(first[0], second[0], label=label, info=info))
    return source.shuffled(examples)


def by_sense(source: Source) -> dict[str, dict[str, list[tuple[str, int]]]]:
    """word -> sense -> [(sentence, place of the word)], for words with two senses or more."""
    pool: dict[str, dict[str, list[tuple[str, int]]]] = {}
    taken = {}
    for document, _ in zip(source.documents(KINDS), range(DOCUMENTS), strict=False):
        for line, each in zip(document.lines(), document.sentences, strict=True):
            if line in taken or not source.owns(line):
                continue
            taken[line] = True
            places = [i for i, sense in enumerate(each.sense) if sense]
            if len(places) == 1 and len(each.tokens) >= SHORTEST:
                sense = each.sense[places[0]]
                senses = pool.setdefault(sense.split(".")[0], {})
                senses.setdefault(sense, []).append((line, places[0]))
    enough = {
        word: {sense: found for sense, found in senses.items() if len(found) >= ENOUGH}
        for word, senses in pool.items()
    }
    return {word: senses for word, senses in enough.items() if len(senses) > 1}


@maker(
    "coreference",
    "whom does the pronoun mean? Half by gender, half by the sense of the sentence",
    "accuracy by kind",
    (0, 1),
    sizes=(2000, 400, 800),
)
def coreference(source: Source, split: str, size: int) -> list[Example]:
    """``text``, ``span`` the pronoun, ``choices`` two names, ``label`` the place of the right one.

    ``info["kind"]``: "gender" (a man and a woman) or "sense" (two people of one gender;
    what is known about each tells who is meant: the schemas are the same in every split, the names
    are not). In either kind the one named first is meant as often as the other.
    """
    examples: list[Example] = []
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


def by_gender(source: Source) -> Iterator[tuple[str, int, str, str, str]]:
    """Two sentences about a man and a woman: (text, place, pronoun, who, who not)."""
    forms = schemas()["gender"]
    while True:
        one = somebody(source)
        other = somebody(source, one)
        if one.gender == other.gender:
            continue
        act, then = source.one(forms["acts"]), source.one(forms["then"])
        right, wrong = (one, other) if source.chance(50) else (other, one)
        act = sentence(act.format(A=one.first, B=other.first))
        at = len(act) + 1 + then.lower().index("{he}")
        text = f"{act} {sentence(then.format(he=right.he, He=right.he.capitalize()))}"
        yield text, at, text[at : at + len(right.he)], right.first, wrong.first


def by_schema(source: Source) -> Iterator[tuple[str, int, str, str, str]]:
    """Sentences from schemas.toml: (text, place, pronoun, who, who not)."""
    senses = [schema for schema in schemas().values() if "first" in schema]
    while True:
        schema = source.one(senses)
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
def schemas() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(SCHEMAS.read_text(encoding="utf-8"))
