"""How a literal word of a template is read: its part of speech, lemma and sense.

A word that the lexicon knows in one way is read in that way. ``word/POS``, ``word/POS/lemma`` and
``word/sense`` choose among several. A few function words are read by their place, as Universal
Dependencies reads them: ``to``, ``that``, ``for``, ``as``, ``her``, ``have`` ...
"""

from __future__ import annotations

from minibert.world.words import Form

CLAUSES = ("ccomp", "xcomp", "advcl", "acl", "acl:relcl", "csubj", "parataxis", "root")
BY_RELATION = {"amod": "/ADJ", "advmod": "/ADV", "nummod": "/NUM", "discourse": "/INTJ"}
TWO_FACED = set("before after since until till as than like for".split())
DETERMINERS = set(
    "this that these those some any all both each another what which many few several most".split()
)
AUXILIARIES = {
    "be": set("be is are was were am been being".split()),
    "have": set("have has had having".split()),
    "do": set("do does did done doing".split()),
}


def by_place(word: str, relation: str | None, alone: bool, head: bool) -> Form | None:
    """The Form of a function word that its place decides, or None.

    ``relation`` is that of the phrase around it, ``alone`` tells that it is the whole phrase, and
    ``head`` that it is marked as the phrase's head.
    """
    lower = word.lower()
    clause = relation is None or relation in CLAUSES
    if lower == "there" and relation == "expl":
        return Form(word, "PRON", lower)
    if lower == "to" and relation != "conj":
        return Form(word, "PART" if clause else "ADP", lower)
    if lower == "that" and clause and not alone:
        return Form(word, "SCONJ", lower)
    if lower in DETERMINERS:
        if alone:
            return Form(word, "PRON", lower)
        return Form(word, "ADJ" if lower in ("many", "few", "several", "most") else "DET", lower)
    if lower == "like" and clause and head:
        return Form(word, "VERB", lower)
    if lower in TWO_FACED and relation != "conj":
        return Form(word, "SCONJ" if clause else "ADP", lower)
    if lower == "about" and (clause or relation in ("nmod", "obl")):
        return Form(word, "ADP", lower)
    if lower == "'s" and (clause or relation == "conj"):  # it 's late
        return Form(word, "VERB" if head else "AUX", "be")
    if lower == "her":
        return Form(word, "PRON", "she" if alone else "her")
    for lemma, forms in AUXILIARIES.items():
        if lower in forms:
            return Form(word, "VERB" if head else "AUX", lemma)
    return None


class Readings:
    """All readings of each word form that the lexicon has."""

    def __init__(self, others: Readings | None = None) -> None:
        copied = others.of.items() if others else ()
        self.of: dict[str, list[Form]] = {word: list(forms) for word, forms in copied}

    def add(self, form: Form) -> None:
        known = self.of.setdefault(form.text, [])
        same = (form.pos, form.lemma, form.sense)
        if all((k.pos, k.lemma, k.sense) != same for k in known):
            known.append(form)

    def read(self, text: str) -> Form:
        """The Form of a literal as it stands in a template; ValueError says how to write it."""
        word, *marks = text.split("/") if "/" in text and len(text) > 1 else [text]
        known = self.of.get(word) or self.of.get(word.lower()) or []
        found = known
        for mark in marks:
            column = "sense" if "." in mark else "pos" if mark.isupper() else "lemma"
            found = [form for form in found if getattr(form, column)[0] == mark]
        found = _without_sense(found) or found
        if len(found) == 1:
            form = found[0]
            return form if form.text == word else Form(word, form.pos[0], *form.lemma, *form.sense)
        if found:
            options = ", ".join(_spell(word, form) for form in found)
            raise ValueError(f"the word {text!r} may be {options}")
        if marks and marks[0].isupper():
            lemma = marks[1] if len(marks) > 1 else word if marks[0] == "PROPN" else word.lower()
            return Form(word, marks[0], lemma, marks[2] if len(marks) > 2 else "")
        if known:
            options = ", ".join(_spell(word, form) for form in known)
            raise ValueError(f"no reading of {word!r} is {text!r}; it may be {options}")
        raise ValueError(
            f"the word {word!r} is in no class of the lexicon: write {word}/POS, or add it"
        )


def _without_sense(found: list[Form]) -> list[Form] | None:
    """Of readings that differ in their sense alone, the one that names none."""
    same = len({(form.pos[0], form.lemma[0]) for form in found}) == 1
    return [form for form in found if not form.sense[0]] if same else None


def _spell(word, form):
    return "/".join(x for x in (word, form.pos[0], form.lemma[0], form.sense[0]) if x)
