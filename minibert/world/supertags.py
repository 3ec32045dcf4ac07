"""Supertags: a word's place in the sentence and what it takes, in one label.

Made from the dependencies, after Ouchi, Duh & Matsumoto (2014), "Improving Dependency Parsers with
Supertags", EACL: the relation to the head and the side on which the head stands, then the word's
own arguments, each with its side. ``root+nsubj/L+obj/R`` is a transitive main verb, what a
categorial grammar writes ``(S\\NP)/NP``; ``nsubj/R`` a subject without arguments whose verb stands
to its right. Adjuncts (obliques, adverbs, clauses that may be left out) are no arguments.
"""

from typing import Any

ARGUMENTS = "nsubj nsubj:pass csubj expl obj iobj ccomp xcomp".split()


def supertags_of(sentence: Any) -> list[str]:
    """The supertag of every token; ``sentence`` has ``.head`` and ``.relation``."""
    head, relation = sentence.head, sentence.relation
    taken: list[list[str]] = [[] for _ in head]
    for i, above in enumerate(head):
        if relation[i] in ARGUMENTS:
            taken[above].append(f"{relation[i]}/{'L' if i < above else 'R'}")
    tags = []
    for i, above in enumerate(head):
        place = relation[i] if above < 0 else f"{relation[i]}/{'R' if above > i else 'L'}"
        tags.append("+".join([place, *taken[i]]))
    return tags
