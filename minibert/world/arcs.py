"""What hangs on each word of a sentence, and what kind of thing it is: for rules over its tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SUBJECTS = ("nsubj", "nsubj:pass", "csubj", "expl")
WH = set("who whom whose which what where when how why whoever whatever".split())
RELATIVE = {"acl:relcl", "acl"}


class Arcs:
    """What the rules look at: the columns of a sentence, and what hangs on each word."""

    def __init__(self, sentence: Any) -> None:
        self.words = [word.lower() for word in sentence.tokens]
        self.pos, self.lemma = sentence.pos, sentence.lemma
        self.head, self.relation = sentence.head, sentence.relation
        self.below: list[list[int]] = [[] for _ in self.words]
        for i, head in enumerate(self.head):
            if head >= 0:
                self.below[head].append(i)

    def is_clause(self, i: int) -> bool:
        """Whether this word is a predicate: a verb, or what has a copula or a subject."""
        if self.pos[i] in ("VERB", "AUX"):
            return True
        return any(self.relation[j] in (*SUBJECTS, "cop", "aux") for j in self.below[i])

    def has_subject(self, i: int) -> bool:
        return any(self.relation[j] in SUBJECTS for j in self.below[i])

    def separates(self, j: int) -> bool:
        """Whether a word may stand between two parts that are joined: and, a comma, but no full
        stop or question mark of the first, nor the quotation mark that ends it."""
        if self.words[j] == '"':
            return self.words[:j].count('"') % 2 == 0
        return self.relation[j] == "cc" or self.words[j] in (",", ";", ":")

    def is_wh(self, i: int, deps: Sequence[int] | None = None) -> bool:
        """Whether a phrase asks or relates: who, whose dog, how many, of which."""
        if self.words[i] in WH or (
            self.words[i] == "that"
            and self.pos[i] == "PRON"
            and self.relation[self.head[i]] in RELATIVE
        ):
            return True
        inner = ("det", "nmod:poss", "amod", "advmod", "nummod")
        below = self.below[i] if deps is None else deps
        return any(self.relation[j] in inner and j < i and self.is_wh(j) for j in below)
