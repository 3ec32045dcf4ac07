"""Semantic roles: who does what to whom, where and when, read off the dependency trees.

The syntax says which words are arguments of a verb, ``roles.toml`` what the verb makes of them:
*Anna ate the cake* and *the cake was eaten by Anna* have the same agent and patient, *told him the
story* and *told the story to him* the same recipient. Roles: agent, patient, theme (what moves or
is somewhere), experiencer, stimulus, recipient, topic, company, instrument, place, source, goal,
time.

Left out rather than guessed: verbs that the table does not have (*be*, *have*, and those whose
subject may be agent or theme, where it is a person without an object); subjects that act but are
no people or animals (*the ball hit the bar*); what an infinitive's subject would be; clauses as
arguments; prepositional phrases whose meaning the noun does not settle (*in a loud voice*).
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from minibert.world import lexicon
from minibert.world.arcs import Arcs

ROLES = tuple(
    (
        "agent patient theme experiencer stimulus recipient topic company instrument place source goal "
        "time"
    ).split()
)
PEOPLE = set(
    "i me we us you he him she her they them who whom everyone everybody someone somebody anyone "
    "anybody nobody man woman boy girl king queen baby child children".split()
)
WHERE = set(
    "in on at under behind beside near above over between among around round through along across "
    "opposite outside inside past".split()
)
AT = {"wave", "laugh", "smile", "bark", "nod"}
GIVING = {"bring", "sell", "lend", "pay", "read", "write", "teach"}
CLEAR = {"under", "behind", "beside", "above", "between", "among"}  # space, whatever the noun
WHITHER, WHENCE = {"to", "into", "onto", "towards"}, {"from"}
WHEN = set("in on at after before until since for by during".split())
Role = tuple[int, int, int, str]


@cache
def verbs() -> dict[str, dict[str, str]]:
    """Verb -> its roles: ``subject object alone thing to``, and ``class``."""
    table = tomllib.loads(Path(__file__).with_name("roles.toml").read_text(encoding="utf-8"))
    return {
        verb: {**entry, "class": name}
        for name, entry in table.items()
        if name != "nouns"
        for verb in entry["verbs"].split()
    }


@cache
def nouns() -> dict[str, set[str]]:
    """Noun -> what it is: "time", "place", "animate", "instrument"; a few are several things."""
    table = tomllib.loads(Path(__file__).with_name("roles.toml").read_text(encoding="utf-8"))
    known = lexicon.load()
    found: dict[str, set[str]] = {
        lexeme.forms["base"].lemma[-1].lower(): set()
        for cls in sorted(known.classes)
        for lexeme in known[cls]
        if lexeme.pos == "NOUN"
    }
    for kind, classes in table["nouns"].items():
        for cls in classes.split():
            for lexeme in known[cls]:
                found.setdefault(lexeme.forms["base"].lemma[-1].lower(), set()).add(kind)
    return found


def roles_of(sentence: Any) -> list[Role]:
    """(position of the verb, first and last token of the argument, role), the end exclusive.

    sentence: one of the world's. A verb that shares the subject of the one it is joined to has it
    as its argument, too.
    """
    view = View(sentence)
    return sorted(
        (verb, *view.span(word), role)
        for verb, pos in enumerate(view.pos)
        if pos == "VERB" and view.lemma[verb] in verbs()
        for word, role in view.arguments(verb)
    )


class View(Arcs):
    """A sentence as the roles see it."""

    def __init__(self, sentence: Any) -> None:
        super().__init__(sentence)
        self.entity = sentence.entity

    def span(self, i: int) -> tuple[int, int]:
        """First token under word i and the one after the last, without marks at the edges."""
        found = sorted(self.under(i))
        start, end = found[0], found[-1] + 1
        while self.pos[start] == "PUNCT" and start < i:
            start += 1
        while self.pos[end - 1] == "PUNCT" and end - 1 > i:
            end -= 1
        return start, end

    def under(self, i: int) -> list[int]:
        return [i, *(k for j in self.below[i] for k in self.under(j))]

    def subject(self, verb: int) -> tuple[int, str] | None:
        """The subject of a verb and its relation; that of the verb before it where it is shared."""
        for j in self.below[verb]:
            if self.relation[j] in ("nsubj", "nsubj:pass"):
                return j, "nsubj:pass" if self.is_passive(verb) else self.relation[j]
        above = self.head[verb]
        if self.relation[verb] != "conj" or above < 0 or self.pos[above] != "VERB":
            return None
        if any(self.relation[j] in ("mark", "expl") for j in self.below[verb]):
            return None
        shared = self.subject(above)
        return shared if shared and shared[1] == "nsubj" else None

    def is_passive(self, verb: int) -> bool:
        """Whether a verb stands in the passive by its form: *is fed*, *has been found*."""
        helpers = [self.lemma[j] for j in self.below[verb] if self.relation[j] == "aux"]
        return helpers[-1:] == ["be"] and not self.words[verb].endswith("ing")

    def arguments(self, verb: int) -> list[tuple[int, str]]:
        """(word, role) of what a verb takes, by the table and by preposition."""
        made, found = verbs()[self.lemma[verb]], []
        objects = [j for j in self.below[verb] if self.relation[j] == "obj"]
        subject = self.subject(verb)
        if subject and subject[1] == "nsubj:pass":
            found.append((subject[0], self.of_object(subject[0], made, bool(objects))))
        elif subject:
            found.append((subject[0], self.of_subject(subject[0], made, bool(objects))))
        for j in self.below[verb]:
            if self.relation[j] == "obj":
                found.append((j, self.of_object(j, made, False)))
            elif self.relation[j] == "iobj":
                found.append((j, "recipient"))
            elif self.relation[j] == "obl:tmod":
                found.append((j, "time"))
            elif self.relation[j] == "obl":
                found.append((j, self.of_oblique(j, verb, made)))
        return [(word, role) for word, role in found if role]

    def of_subject(self, word: int, made: dict[str, str], has_object: bool) -> str:
        """Of an active verb's subject: somebody acts or feels, a thing moves or changes."""
        role = made["subject"] if has_object else made["alone"]
        if role == "theme" or self.is_person(word):
            return role
        return "" if has_object or not self.is_thing(word) else made.get("thing", "")

    def of_object(self, word: int, made: dict[str, str], another: bool) -> str:
        """Of an object, or of a passive's subject: *he was given the key*, with ``another``."""
        if another or ("to" in made and self.is_person(word)):
            return "recipient"
        return made["object"]

    def of_oblique(self, word: int, verb: int, made: dict[str, str]) -> str:
        """The role of a phrase with a preposition; "" where it is not settled."""
        cases = [self.words[j] for j in self.below[word] if self.relation[j] == "case"]
        case, person = (cases or [""])[0], self.is_person(word)
        if self.is_a(word, "time"):
            return "time" if case in WHEN or not case else ""
        if case == "by":
            passive = self.is_passive(verb)
            return made["subject"] if passive and person else ""
        if case == "to" and person:
            gives = made["class"] in ("give", "say") or self.lemma[verb] in GIVING
            return "recipient" if gives else "goal"
        if case == "about":
            return "topic" if made["class"] in ("say", "feel") else ""
        if case == "with":
            tool = self.is_a(word, "instrument") and made["class"] in ("act", "change")
            return "company" if person else "instrument" if tool else ""
        if case == "at" and (made["class"] == "look" or self.lemma[verb] in AT):
            return "stimulus"
        if not (self.is_a(word, "place") or case in CLEAR and not person):
            return ""
        moves = case in WHITHER and made["class"] != "say"
        whither = "goal" if moves else "source" if case in WHENCE else ""
        return whither or ("place" if case in WHERE else "")

    def is_a(self, word: int, kind: str) -> bool:
        """Whether a noun is a place, a time, somebody, an instrument, and nothing else of these."""
        known = nouns().get(self.lemma[word].lower(), set())
        if self.entity[word].endswith("LOC"):
            known = {"place"}
        if kind == "time" and self.pos[word] == "NUM" and len(self.words[word]) == 4:
            return self.words[word].isdigit()  # a year
        return known == {kind}

    def is_thing(self, word: int) -> bool:
        """Whether a noun of the lexicon is meant that is nobody."""
        known = nouns().get(self.lemma[word].lower())
        return self.pos[word] == "NOUN" and known is not None and not self.is_person(word)

    def is_person(self, word: int) -> bool:
        """Whether somebody, a person or an animal, is meant."""
        if self.entity[word][2:] in ("PER", "ORG") or self.words[word] in PEOPLE:
            return True
        return self.is_a(word, "animate") or self.lemma[word].lower() in PEOPLE
