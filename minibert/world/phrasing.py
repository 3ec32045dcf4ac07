"""Constituents that are no clauses: NP, PP, ADJP, ADVP, and whatever *and* joins."""

from __future__ import annotations

from collections.abc import Callable

from minibert.world.arcs import Arcs
from minibert.world.trees import Tree

NOMINAL = ("NOUN", "PROPN", "PRON", "NUM", "DET", "SYM")
LABELS = dict.fromkeys(NOMINAL, "NP") | {
    "ADJ": "ADJP",
    "ADV": "ADVP",
    "INTJ": "INTJ",
    "ADP": "PP",
    "PART": "ADVP",
    "VERB": "VP",
    "AUX": "VP",
    "SCONJ": "SBAR",
    "CCONJ": "CONJP",
    "PUNCT": "FRAG",
}
FLAT = ("det", "case", "mark", "cc", "punct", "aux", "aux:pass", "cop", "flat", "fixed")
SINGLE = ("amod", "nummod", "compound", "nmod:poss", "compound:prt")  # flat where one word
CONJUNCTIONS = set("although because if that though unless when whenever while".split())
TIGHT = ("flat", "fixed", "compound", "nummod", "case")  # also behind a noun
Deps = list[int]
Make = Callable[[Deps], Tree]
Part = Callable[[int, Deps], Tree]


class Phrases:
    """The rules for phrases, over one sentence: each gives the tree of word ``i`` and ``deps``.

    ``deps`` are those of the words under it that the tree shall cover, in order.
    """

    def __init__(self, sentence: Arcs) -> None:
        self.s = sentence

    def word(self, i: int) -> Tree:
        return Tree(self.s.pos[i], i, i + 1)

    def of(self, i: int, deps: Deps, inside: bool = False) -> Tree:
        """The tree of any dependent; ``inside`` a phrase a single adverb is flat, too."""
        s, relation = self.s, self.s.relation[i]
        flat = FLAT + (("advmod", *SINGLE) if inside else ("compound:prt",))
        if not deps and (relation in flat or s.pos[i] in ("PART", "CCONJ", "PUNCT")):
            return Tree.of("PRT", [self.word(i)]) if relation == "compound:prt" else self.word(i)
        return self.clause(i, deps) if s.is_clause(i) else self.phrase(i, deps)

    def all(self, deps: Deps, inside: bool = False) -> list[Tree]:
        """The trees of dependents, each with all that hangs on it."""
        return [self.of(i, self.s.below[i], inside) for i in deps]

    def kind(self, c: int) -> str:
        """What a conjunct is: a clause with its own subject, a predicate, or a phrase."""
        if not self.s.is_clause(c):
            return "phrase"
        return "clause" if self.s.has_subject(c) else "predicate"

    def conjuncts(self, deps: Deps, *kinds: str) -> list[int]:
        return [c for c in deps if self.s.relation[c] == "conj" and self.kind(c) in kinds]

    def joined(self, first: Make, deps: Deps, found: Deps, part: Part, label: str = "") -> Tree:
        """Parts side by side, conjunctions and commas between: ``first(deps)``, ``part(c, deps)``.

        ``found`` are the conjuncts among ``deps``. Without a ``label`` it is that of the parts.
        """
        s, cut = self.s, deps.index(found[0])
        while cut and s.separates(deps[cut - 1]):
            cut -= 1
        parts = [first(deps[:cut])]
        trees = parts[:1]
        for c in deps[cut:]:
            if c not in found:
                trees += self.all([c])
                continue
            own = list(s.below[c])
            while own and own[0] < c and s.relation[own[0]] in ("cc", "punct"):
                trees.append(self.word(own.pop(0)))
            parts.append(part(c, own))
            trees.append(parts[-1])
        same = {part.label for part in parts}
        return Tree.of(label or (same.pop() if len(same) == 1 else "UCP"), trees)

    def attached(self, deps: Deps) -> list[Tree]:
        """What follows a verb; a phrase joined to it by *and* goes with the like one before."""
        s, trees = self.s, []
        for j in deps:
            own = list(s.below[j])
            if s.relation[j] != "conj":
                trees.append(self.of(j, own))
                continue
            while own and own[0] < j and s.relation[own[0]] in ("cc", "punct"):
                trees.append(self.word(own.pop(0)))
            cut = len(trees)
            while (
                cut and not trees[cut - 1].children and trees[cut - 1].label in ("CCONJ", "PUNCT")
            ):
                cut -= 1
            trees.append(self.of(j, own))
            if cut and trees[cut - 1].label == trees[-1].label:
                trees[cut - 1 :] = [Tree.of(trees[-1].label, trees[cut - 1 :])]
        return trees

    def phrase(self, i: int, deps: Deps) -> Tree:
        """A phrase that is no clause: NP, PP, ADJP, ADVP ..., and its parts joined by *and*."""
        s = self.s
        cases = [j for j in deps if j < i and s.relation[j] in ("case", "mark")]
        found = self.conjuncts(deps, "phrase", "predicate", "clause")
        if cases and s.pos[cases[0]] != "PART":
            if any(s.relation[j] == "case" for c in found for j in s.below[c]):
                return self.joined(lambda mine: self.phrase(i, mine), deps, found, self.of)
            return self.prepositional(i, deps, cases[0])
        if found:
            return self.joined(lambda mine: self.phrase(i, mine), deps, found, self.of)
        label = self.label(i, deps)
        label = f"WH{label}" if s.is_wh(i, deps) and label in ("NP", "ADJP", "ADVP") else label
        core = [j for j in deps if j < i]
        post = [j for j in deps if j > i]
        while post and self.is_tight(post[0]):
            core.append(post.pop(0))
        trees = self.all([j for j in core if j < i], True) + [self.word(i)]
        trees += self.all([j for j in core if j > i], True)
        if all(s.relation[j] == "punct" for j in post):
            return Tree.of(label, trees + self.all(post))
        if label.endswith("NP"):
            trees = [Tree.of(label, trees)]
        return Tree.of(label, trees + self.all(post))

    def label(self, i: int, deps: Deps) -> str:
        """The label of the phrase that a word heads."""
        s, label = self.s, LABELS.get(self.s.pos[i], "X")
        if s.relation[i] == "nummod" and deps:
            return "QP"
        if label in ("ADJP", "ADVP"):  # the second; each other
            named = any(s.relation[j] == "det" for j in deps)
            return "NP" if named or s.relation[i] in ("nsubj", "obj", "iobj") else label
        return label

    def is_tight(self, j: int) -> bool:
        """Whether what follows a noun is still flat in its NP: *'s*, the rest of a name."""
        bare = not self.s.below[j]
        return self.s.relation[j] in TIGHT or self.s.relation[j] == "amod" and bare

    def prepositional(self, i: int, deps: Deps, case: int) -> Tree:
        """PP: what precedes the first preposition, it, and its complement."""
        before, after = [j for j in deps if j < case], [j for j in deps if j > case]
        inner = self.phrase(i, after)
        label = "WHPP" if inner.label.startswith("WH") else "PP"
        if self.s.words[case] == "as" and inner.label in ("ADJP", "ADVP"):
            return Tree.of(inner.label, [*self.all(before, True), self.word(case), *inner.children])
        elif self.s.words[case] in CONJUNCTIONS:
            label = "SBAR"
        return Tree.of(label, [*self.all(before, True), self.word(case), inner])

    def clause(self, i: int, deps: Deps) -> Tree:
        """A clause; see ``minibert.world.constituents``."""
        raise NotImplementedError
