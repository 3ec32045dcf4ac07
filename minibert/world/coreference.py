"""Coreference: which phrases of a document mean the same one.

The writer filled each slot with somebody or something, so that it is known: all mentions of the
same person, pet, place, team or work are one chain, and the pronouns among them (*she*, *his*,
*himself*) are resolved by what was filled in. In a dialogue the speaker is *I*.

Left out rather than guessed: pronouns that a template says in so many words (*it*, *they*, and *I*
elsewhere), and descriptions (*the dog*); the world does not know whom they mean. A chain may
therefore miss a mention, but it never joins two that differ. People without a name are one person
within a sentence; from one to the next only in kinds of text in which somebody stays on stage.
A predicate (*she is a woman*) and a name that modifies (*the Lions coach*) are no mentions.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from minibert.world.people import PAIRS
from minibert.world.places import Place
from minibert.world.template import ARTICLE, Slot

Mention = tuple[int, int, int]  # the sentence, its first token, the one after its last
SAYS = {"i", "me", "my", "mine", "myself"}
PASSING = ("lesson", "encyclopedia", "questions")  # the next sentence speaks of somebody else
BEFORE = ("det", "amod", "nummod", "nmod:poss", "compound")  # of a noun, in its mention
NO_MENTION = ("compound", "xcomp", "flat")


def chains_of(document: Any) -> list[list[Mention]]:
    """The chains of a document with two mentions or more, by their first mention."""
    chains: dict[Hashable, list[Mention]] = {}
    for mention, who in mentions_of(document):
        chains.setdefault(who, []).append(mention)
    return [chain for chain in chains.values() if len(chain) > 1]


def mentions_of(document: Any) -> list[tuple[Mention, Hashable]]:
    """All mentions in order, and of each a key that those of the same one share."""
    found: list[tuple[Mention, Hashable]] = []
    for n, sentence in enumerate(document.sentences):
        here = {}
        for at, size, slot, who in filled(sentence):
            if is_mention(sentence, at, size, slot):
                here[phrase(sentence, at, size)] = key(who, n, document.kind)
        if document.kind == "dialogue" and "me" in sentence.slots:
            for at, word in enumerate(sentence.tokens):
                if word.lower() in SAYS:
                    here.setdefault((at, at + 1), key(sentence.slots["me"], n, document.kind))
        generic = {who for span, who in here.items() if is_generic(sentence, span, who, found)}
        told = sorted((span, who) for span, who in here.items() if who not in generic)
        found += [((n, *span), who) for span, who in told]
    return found


def is_generic(sentence: Any, span: tuple[int, int], who: Hashable, found: list) -> bool:
    """Whether *a queen* is said where the queen has been spoken of: then any queen is meant."""
    says_any = sentence.tokens[span[0]].lower() in ("a", "an")
    return says_any and any(who == other for _, other in found)


def key(who: Any, sentence: int, kind: str) -> Hashable:
    """What mentions of the same one share."""
    named = isinstance(who, Place) or "first" in who.forms
    return id(who) if named or kind not in PASSING else (id(who), sentence)


def filled(sentence: Any) -> Iterator[tuple[int, int, Slot, Any]]:
    """(first token, number of tokens, slot, who) of every slot filled with somebody or a name."""
    yield from inside(sentence._template, sentence._forms, sentence.slots, 0)


def inside(
    template: Any, forms: list, slots: dict, at: int
) -> Iterator[tuple[int, int, Slot, Any]]:
    """The same for a template, which may be that of a phrase in another's slot."""
    waiting = iter(forms)
    for leaf in template.leaves:
        if leaf is ARTICLE:
            at += 1
            continue
        form = next(waiting) if isinstance(leaf, Slot) else leaf
        if isinstance(leaf, Slot):
            who = slots[leaf.name]
            for attribute in leaf.path:
                who = getattr(who, attribute)
            if hasattr(form, "filled"):
                yield from inside(form.template, form.filled, form.fillers, at)
            else:
                who = who if leaf.form in who.forms else getattr(who, leaf.form)
                if isinstance(who, Place) or "he" in who.forms:
                    yield at, form.n, leaf, who
        at += form.n


def is_mention(sentence: Any, at: int, size: int, slot: Slot) -> bool:
    """Whether a filled slot refers: no part of a name, no modifier, no predicate."""
    root = root_of(sentence, at, size)
    if slot.form == "last" or sentence.relation[root] in NO_MENTION:
        return False
    below = [r for r, head in zip(sentence.relation, sentence.head, strict=True) if head == root]
    says_what = slot.form in PAIRS and ("cop" in below or sentence.relation[root] == "appos")
    return not says_what


def root_of(sentence: Any, at: int, size: int) -> int:
    """The head of some neighbouring tokens."""
    inner = range(at, at + size)
    return next(i for i in inner if sentence.head[i] not in inner)


def phrase(sentence: Any, at: int, size: int) -> tuple[int, int]:
    """First token and the one after the last of a mention: the filled words and what precedes."""
    root, start = root_of(sentence, at, size), at
    while start and chain_to(sentence, start - 1, root):
        start -= 1
    return start, at + size


def chain_to(sentence: Any, i: int, root: int) -> bool:
    """Whether a token belongs to what stands before a noun as part of its phrase."""
    while sentence.head[i] >= 0:
        if sentence.head[i] == root:
            return sentence.relation[i] in BEFORE
        i = sentence.head[i]
    return False
