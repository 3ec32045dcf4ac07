"""Constituent trees from dependency trees: the rules, one function for each kind of phrase.

A dependency tree says which word hangs on which; a constituent is a head with what hangs on it.
What is missing is the label and the height at which each dependent joins (Xia & Palmer 2001,
"Converting Dependency Structures to Phrase Structures"). The rules follow the Penn Treebank:

- A noun, name, pronoun or number heads an NP, an adjective an ADJP, an adverb an ADVP. What stands
  before the head is flat in the phrase; what follows it (a PP, a clause, an apposition) joins one
  level above: ``(NP (NP the dog) (PP of (NP Anna)))``. Prepositions make a PP.
- A verb, or a predicate with a copula, heads an S: what precedes the verb, then a VP. Each
  auxiliary and ``to`` opens a VP of its own; objects, obliques and clauses join the innermost one.
  Not the verb but the predicate keeps what belongs to it: ``(VP is (ADJP afraid (PP of ...)))``.
- SBAR: a conjunction or a question word with its S. SQ, SBARQ and SINV: an auxiliary or a verb
  before its subject, in questions and elsewhere. A sentence without a predicate is a FRAG.
- Parts that ``and`` joins stand side by side under their common label: two S where the second has
  a subject of its own, two VP where they share it, two phrases elsewhere; UCP where they differ.
  What stands before the first of them counts as its part (``old men and women``), and an auxiliary
  as shared where the second verb has the form for it.

Only single words that modify (determiner, adjective, number ...) are no phrases of their own. There
are no traces and no functions: ``(NP-SBJ ...)`` is ``(NP ...)``. The two objects of *call it Bo*
are two NP of the VP, not a small clause.
"""

from __future__ import annotations

from typing import Any

from minibert.world.arcs import SUBJECTS, Arcs
from minibert.world.phrasing import Deps, Phrases
from minibert.world.trees import Tree

EDGES = ("punct", "vocative", "discourse", "parataxis")  # around a clause, not in it
WITHIN = (  # joins a predicate, not its copula
    "det amod nummod compound flat fixed nmod nmod:poss nmod:tmod case acl acl:relcl appos "
    "obl:npmod"
).split()
OF_ADJECTIVES = set("of with about for than as to".split())  # afraid of, good for
DEGREE = set(
    "very too so quite rather as more most less least almost nearly far hardly really only just "
    "even remarkably terribly how twice much".split()
)
CLAUSES = ("S", "SBAR", "SQ", "SBARQ", "SINV", "FRAG")
NONE: Deps = []


def tree_of(sentence: Any) -> Tree:
    """The constituent tree of a sentence.

    sentence: anything with ``.tokens .pos .lemma .head .relation``, as the world's sentences have
    them. Its dependency tree must be projective; raises ValueError where it is not.
    """
    rules = Clauses(Arcs(sentence))
    root = list(sentence.head).index(-1)
    tree = rules.utterance(root, rules.s.below[root])
    return tree if tree.children else Tree.of("FRAG", [tree])


class Clauses(Phrases):
    """The rules for clauses."""

    def utterance(self, i: int, deps: Deps) -> Tree:
        """The whole sentence."""
        tree = self.clause(i, deps)
        return tree if tree.label in CLAUSES else Tree.of("FRAG", [tree])

    def clause(self, i: int, deps: Deps) -> Tree:
        """A clause; what stands around it (quotes, who is spoken to ...) joins its top."""
        s, deps = self.s, list(deps)
        lead, trail = [], []
        found = self.conjuncts(deps, "clause")
        joined = found or self.conjuncts(deps, "predicate")
        while deps and deps[0] < i and s.relation[deps[0]] in (*EDGES, "cc"):
            if joined and s.words[deps[0]] == '"':
                break
            lead.append(deps.pop(0))
        while deps and deps[-1] > i and s.relation[deps[-1]] in EDGES:
            trail.insert(0, deps.pop())
        if found and not self.opened(i, deps, found):
            inner = self.joined(lambda mine: self.bare(i, mine), deps, found, self.clause, "S")
        else:
            inner = self.bare(i, deps)
        if not lead and not trail:
            return inner
        if not s.is_clause(i):
            inner = Tree.of("FRAG", [inner])
        return Tree.of(inner.label, [*self.all(lead), *inner.children, *self.all(trail)])

    def bare(self, i: int, deps: Deps) -> Tree:
        """SBAR where something introduces the clause, else what `sentence` gives."""
        s = self.s
        if not s.is_clause(i):
            return self.phrase(i, deps)
        verbs = self.verbs(i, deps)
        if verbs and i < verbs[0]:
            return self.fronted(i, deps, verbs)
        limit = min([*verbs[:1], i] if not verbs else verbs[:1])
        at = next((n for n, j in enumerate(deps) if j < limit and self.introduces(j)), None)
        if at is None:
            return self.sentence(i, deps, verbs)
        rest = deps[at + 1 :]
        opener, before = self.all(deps[at : at + 1]), self.all(deps[:at])
        while (
            rest and rest[0] < limit and s.relation[rest[0]] == "mark" and self.introduces(rest[0])
        ):
            opener += self.all([rest.pop(0)])  # as if
        found = self.conjuncts(rest, "clause")
        if found:
            inner = self.joined(
                lambda mine: self.sentence(i, mine, verbs), rest, found, self.clause, "S"
            )
        else:
            inner = self.sentence(i, rest, verbs)
        asks = inner.label == "SQ" or s.relation[i] in ("root", "parataxis")
        label = "SBARQ" if asks and opener[0].label.startswith("WH") else "SBAR"
        return Tree.of(label, [*before, *opener, inner])

    def opened(self, i: int, deps: Deps, found: Deps) -> bool:
        """Whether a conjunction opens several clauses together: *because he came and she went*."""
        s = self.s

        def marked(word: int, below: Deps) -> bool:
            return any(s.relation[j] == "mark" and self.introduces(j) for j in below if j < word)

        return marked(i, deps) and not any(marked(c, s.below[c]) for c in found)

    def introduces(self, j: int) -> bool:
        """Whether a dependent opens an SBAR: a conjunction, or a phrase that asks or relates."""
        if self.s.relation[j] == "mark":
            return self.s.words[j] != "to"
        return self.s.is_wh(j) and not self.s.is_clause(j)

    def verbs(self, i: int, deps: Deps) -> list[int]:
        """Auxiliaries, ``to``, the copula and, if it is one, the verb itself, in order."""
        s = self.s
        found = [j for j in deps if s.relation[j] in ("aux", "aux:pass", "cop")]
        found += [j for j in deps if s.relation[j] == "mark" and s.words[j] == "to" and j < i]
        copula = any(s.relation[j] == "cop" for j in deps)
        return sorted(found + [i] * (s.pos[i] in ("VERB", "AUX") and not copula))

    def fronted(self, i: int, deps: Deps, verbs: list[int]) -> Tree:
        """The predicate before its copula: *how old are you*, *what his name is*."""
        s = self.s
        mine = [j for j in deps if j < verbs[0] and s.relation[j] not in SUBJECTS]
        rest = [j for j in deps if j not in mine and j not in verbs]
        predicate, subjects = self.phrase(i, mine), [j for j in rest if s.relation[j] in SUBJECTS]
        if subjects and subjects[0] < verbs[0]:
            before = [j for j in rest if j < verbs[0]]
            after = [j for j in rest if j > verbs[0]]
            verb = Tree.of("VP", [*map(self.word, verbs), *self.all(after)])
            inner = Tree.of("S", [*self.all(before), verb])
        else:
            trees = {v: self.word(v) for v in verbs} | {j: self.all([j])[0] for j in rest}
            if not predicate.label.startswith("WH"):  # here are three shillings
                trees[verbs[0]] = Tree.of("VP", [trees[verbs[0]]])
            inner = Tree.of("SQ", [trees[j] for j in sorted(trees)])
        if not predicate.label.startswith("WH"):
            return Tree.of("SINV", [predicate, *inner.children])
        return Tree.of("SBAR" if inner.label == "S" else "SBARQ", [predicate, inner])

    def sentence(self, i: int, deps: Deps, verbs: list[int]) -> Tree:
        """S, or SQ and SINV where the verb precedes its subject; a VP where there is none."""
        s = self.s
        if not verbs:
            return self.verbless(i, deps)
        deps = [j for j in deps if j not in verbs]
        subject = next((j for j in deps if s.relation[j] == "expl"), None)
        if subject is None:
            subject = next((j for j in deps if s.relation[j] in SUBJECTS), None)
        before = [j for j in deps if j < verbs[0]]
        after = [j for j in deps if j > verbs[0]]
        if subject is None or subject < verbs[0]:
            bare = s.relation[i] == "conj" or s.relation[i] == "acl" and s.words[verbs[0]] != "to"
            if subject is None and bare:
                return self.predicate(i, after, verbs, before)
            return Tree.of("S", [*self.all(before), self.predicate(i, after, verbs)])
        place = after.index(subject)
        start = [*self.all(before), self.word(verbs[0]), *self.all(after[: place + 1])]
        rest = after[place + 1 :]
        if len(verbs) > 1:
            middle = [j for j in rest if j < verbs[1]]
            inner = self.predicate(i, rest[len(middle) :], verbs[1:])
            return Tree.of("SQ", [*start, *self.all(middle), inner])
        if verbs[0] != i:
            return Tree.of("SQ", [*start, *self.complement(i, rest)])
        more = self.conjuncts(rest, "predicate")
        if more:  # said Anna and went out
            return self.joined(
                lambda mine: self.sentence(i, mine, verbs), deps, more, self.clause, "S"
            )
        asks = any(word == "?" for word in s.words[i:]) and s.lemma[i] in ("be", "have")
        if not asks:
            start = [*self.all(before), Tree.of("VP", [self.word(i)]), *start[len(before) + 1 :]]
        return Tree.of("SQ" if asks else "SINV", [*start, *self.all(rest)])

    def verbless(self, i: int, deps: Deps) -> Tree:
        """A subject and its predicate without a copula: *Jonas first*."""
        subject = next((j for j in deps if self.s.relation[j] in SUBJECTS), None)
        if subject is None or subject > i:
            return self.phrase(i, deps)
        at = deps.index(subject) + 1
        return Tree.of("S", [*self.all(deps[:at]), self.phrase(i, deps[at:])])

    def predicate(self, i: int, deps: Deps, verbs: list[int], before: Deps = NONE) -> Tree:
        """A VP for each of ``verbs``, the innermost around the verb or the predicate phrase."""
        found = self.conjuncts(deps, "predicate")
        if len(verbs) > 1:
            found = [c for c in found if not self.shares(i, c, verbs)]
        if found:
            return self.joined(
                lambda mine: self.predicate(i, mine, verbs, before), deps, found, self.clause, "VP"
            )
        start = [*self.all(before), self.word(verbs[0])]
        if len(verbs) == 1:
            rest = self.attached(deps) if verbs[0] == i else self.complement(i, deps)
            return Tree.of("VP", start + rest)
        middle = [j for j in deps if j < verbs[1]]
        inner = self.predicate(i, deps[len(middle) :], verbs[1:])
        return Tree.of("VP", [*start, *self.all(middle), inner])

    def shares(self, i: int, c: int, verbs: list[int]) -> bool:
        """Whether a second verb stands under the first one's auxiliary, by its form."""
        s = self.s
        if verbs[-1] != i or self.verbs(c, s.below[c]) != [c]:
            return False
        base, ing = s.words[c] == s.lemma[c], s.words[c].endswith("ing")
        if s.lemma[verbs[-2]] == "be" and s.words[i].endswith("ing"):
            return ing
        if s.lemma[verbs[-2]] in ("be", "have"):
            return not base and not ing and not s.words[c].endswith("s")
        return base

    def complement(self, i: int, deps: Deps) -> list[Tree]:
        """The predicate phrase of a copula, and what else stands in its VP."""
        left, right = [j for j in deps if j < i], [j for j in deps if j > i]
        mine: Deps = []
        while left and self.belongs(i, left[-1]):
            mine.insert(0, left.pop())
        while right:
            size = 1
            while size < len(right) and self.s.relation[right[size - 1]] in ("punct", "cc"):
                size += 1
            if not self.belongs(i, right[size - 1]):
                break
            mine += right[:size]
            del right[:size]
        return [*self.all(left), self.phrase(i, mine), *self.attached(right)]

    def belongs(self, i: int, j: int) -> bool:
        """Whether a dependent belongs to the predicate phrase itself, not to its copula."""
        s, relation = self.s, self.s.relation[j]
        if relation in WITHIN or relation == "conj" and self.kind(j) == "phrase":
            return True
        if j < i:
            return relation == "mark" or relation == "advmod" and s.words[j] in DEGREE
        if s.pos[i] not in ("ADJ", "ADV"):
            return False
        case = next((s.words[k] for k in s.below[j] if s.relation[k] == "case"), "")
        return relation in ("xcomp", "ccomp") or relation == "obl" and case in OF_ADJECTIVES
