"""Sentence templates: a sentence with slots, and its dependency tree, written in one line.

    [nsubj {p.full}] was a *{trade} [obl in {town}] .

- A word stands for itself. Its part of speech comes from the lexicon, or is written behind it
  where there are several (``light/ADJ``, ``saw/VERB/see``, ``bats/bat.animal``; see reading.py).
- ``{slot.form}`` is filled when the sentence is written. ``{slot:class}`` draws from a class of the
  lexicon unless the writer is given the slot; ``{b:animal!a}`` draws one that differs from slot a;
  ``{b.plural:animal}`` draws and inflects. ``{slot.form^}`` starts with a capital.
  ``{p:people}`` draws from a Choice of the world; ``{p.town}``, ``{p.spouse.first}`` follow facts.
- ``[relation ...]`` is a phrase that hangs on the head of the phrase around it.
- In each phrase one word is the head: the one marked ``*``, or the only content word (noun, verb,
  pronoun or slot; an adjective if there is none of these). Function
  words hang on it, with the relation that follows from their part of speech (Universal
  Dependencies: det, case, aux, cop, mark, cc, punct, advmod, amod, nummod, nmod:poss).
- ``a`` before a slot becomes ``an`` where the filler asks for it.
"""

import re
from collections.abc import Callable, Container, Iterable
from typing import Any

from minibert.world.words import Form

SLOT = re.compile(r"\{(\w+)((?:\.\w+)*)(\^)?(?::(\w+))?(?:!(\w+(?:,\w+)*))?\}$")
GLUED = {".", ",", "?", "!", ":", ";", "'s", "'", "n't", "'m", "'re", "'ll", "'ve", "'d", ")"}
RELATION = {
    "DET": "det",
    "ADP": "case",
    "ADJ": "amod",
    "NUM": "nummod",
    "SCONJ": "mark",
    "CCONJ": "cc",
    "PUNCT": "punct",
    "ADV": "advmod",
    "INTJ": "discourse",
}
PARTICLE = {"to": "mark", "'s": "case", "'": "case", "not": "advmod", "n't": "advmod"}
OWN = {"my", "your", "his", "her", "its", "our", "their"}
HELPERS = set("be can could will would shall should may might must".split())
CONTENT = {"NOUN", "PROPN", "VERB", "PRON"}


class Slot:
    """A place to fill: which slot, which form, and where to draw from if it is not given."""

    __slots__ = ("name", "path", "form", "capital", "cls", "unlike")

    def __init__(self, text: str) -> None:
        match = SLOT.match(text)
        if not match:
            raise ValueError(f"cannot read the slot {text!r}; expected {{name.form:class!other}}")
        self.name, dotted, capital, self.cls, unlike = match.groups()
        path = dotted.split(".")[1:] or ["base"]
        self.path, self.form = tuple(path[:-1]), path[-1]
        self.capital = bool(capital)
        self.unlike = tuple(unlike.split(",")) if unlike else ()

    def form_of(self, filler: Any) -> Any:
        """The Form with which a filler stands here; AttributeError where it has none."""
        for attribute in self.path:
            filler = getattr(filler, attribute)
        form = filler.forms.get(self.form)
        return form if form is not None else getattr(filler, self.form).forms["base"]


class Template:
    """One compiled template; ``text`` writes it, ``gold`` annotates it (lazily, when asked)."""

    __slots__ = (
        "source",
        "leaves",
        "parents",
        "relations",
        "roots",
        "slots",
        "n",
        "parts",
        "draws",
    )

    def __init__(self, source: str, lookup: Callable[..., Form]) -> None:
        """``lookup(word, relation, alone, head)`` gives the Form of a literal word."""
        self.source = source
        self.leaves: list[Any] = []  # Form, Slot, or "a" (an article that waits for its slot)
        self.parents: list[int] = []  # of each leaf
        self.relations: list[str | None] = []  # of each leaf; None: from its POS
        try:
            self.roots = _Parser(self, lookup).parse(source.replace("]", " ] ").split())
        except ValueError as error:
            raise ValueError(f"template {source!r}: {error}") from None
        self.slots = [leaf for leaf in self.leaves if isinstance(leaf, Slot)]
        self.draws = [slot for slot in self.slots if slot.cls]
        self.n = len(self.leaves) - len(self.slots)
        self.parts = _spaced(self.leaves)

    def text(self, forms: Iterable, capital: bool = True) -> str:
        """The sentence, spaced; ``forms`` has one Form for each slot, in order."""
        out: list[Any] = []
        waiting = iter(forms)
        for before, part in self.parts:
            if before:
                out.append(before)
            if part.__class__ is str:
                out.append(part)
            elif part is ARTICLE:
                out.append(None)  # becomes a or an with the next form
            else:
                form = next(waiting)
                text = form.text
                if len(out) > 1 and out[-2] is None:
                    out[-2] = form.an
                out.append(text[0].upper() + text[1:] if part.capital else text)
        text = "".join(out)
        if not capital:
            return text
        first = 1 if text[0] == '"' else 0
        return text[:first] + text[first].upper() + text[first + 1 :]

    def tokens(self, forms: Iterable, capital: bool = True) -> list[str]:
        """The tokens alone: what `gold` gives under that name, several times faster."""
        out: list[str] = []
        waiting, article = iter(forms), None
        for leaf in self.leaves:
            if leaf is ARTICLE:
                article = len(out)
                out.append("a")
                continue
            form = next(waiting) if isinstance(leaf, Slot) else leaf
            if article is not None:
                out[article], article = form.an, None
            at = len(out)
            out += form.tokens
            if isinstance(leaf, Slot) and leaf.capital:
                out[at] = out[at][0].upper() + out[at][1:]
        if capital:
            first = 1 if out[0] == '"' else 0
            out[first] = out[first][0].upper() + out[first][1:]
        return out

    def gold(self, forms: Iterable, capital: bool = True) -> dict[str, list]:
        """Columns over tokens: tokens, pos, lemma, head (-1: root), relation, sense, entity."""
        waiting = iter(forms)
        filled, starts, at = [], [], 0
        for leaf in self.leaves:
            form = next(waiting) if isinstance(leaf, Slot) else leaf
            filled.append(form)
            starts.append(at)
            at += 1 if form is ARTICLE else form.n
        for i, form in enumerate(filled):
            if form is ARTICLE:
                filled[i] = Form(filled[i + 1].an, "DET", "a")
        root_of = [start + form.heads.index(-1) for start, form in zip(starts, filled, strict=True)]
        columns: dict[str, list] = {name: [] for name in COLUMNS}
        for i, form in enumerate(filled):
            leaf, parent = self.leaves[i], self.parents[i]
            tokens = list(form.tokens)
            if isinstance(leaf, Slot) and leaf.capital:
                tokens[0] = tokens[0][0].upper() + tokens[0][1:]
            columns["tokens"] += tokens
            columns["pos"] += form.pos
            columns["lemma"] += form.lemma
            columns["sense"] += form.sense
            columns["entity"] += form.entity
            for j in range(form.n):
                if form.heads[j] >= 0:
                    columns["head"].append(starts[i] + form.heads[j])
                    columns["relation"].append(form.relation[j])
                else:
                    columns["head"].append(-1 if parent < 0 else root_of[parent])
                    columns["relation"].append(self._relation(i, form, filled))
        if capital:
            first = 1 if columns["tokens"][0] == '"' else 0
            word = columns["tokens"][first]
            columns["tokens"][first] = word[0].upper() + word[1:]
        return columns

    def _relation(self, i, form, filled):
        if self.relations[i] is not None:
            return self.relations[i]
        pos = form.pos[form.heads.index(-1)]
        word = form.lemma[0]
        if pos == "AUX":
            head = filled[self.parents[i]]
            verbal = head.pos[head.heads.index(-1)] in ("VERB", "AUX")
            return "cop" if word == "be" and not verbal else "aux"
        if pos == "PART":
            return PARTICLE.get(form.tokens[0].lower(), "advmod")
        if pos == "PRON":
            return "nmod:poss"
        if pos in ("NOUN", "PROPN"):  # a garden gate; three miles away, Friday night
            head = filled[self.parents[i]]
            nominal = head.pos[head.heads.index(-1)] in ("NOUN", "PROPN")
            return "compound" if nominal else "obl:npmod"
        if pos == "VERB":  # let go, come and see
            return "xcomp"
        if pos not in RELATION:
            raise ValueError(
                f"template {self.source!r}: {form.text!r} ({pos}) needs a bracket with its relation"
            )
        return RELATION[pos]


COLUMNS = ("tokens", "pos", "lemma", "head", "relation", "sense", "entity")
ARTICLE = object()


class _Parser:
    """Reads the bracket notation into a template's leaves, parents and relations."""

    def __init__(self, template, lookup):
        self.template, self.lookup = template, lookup

    def parse(self, words: list[str]) -> int:
        self.words, self.at = words, 0
        root = self.phrase(None, closing=False)
        return root

    def phrase(self, relation: str | None, closing: bool = True) -> int:
        """Read one phrase; returns the index of its head leaf."""
        template = self.template
        direct, inner, starred = [], [], None
        while True:
            if self.at == len(self.words):
                if closing:
                    raise ValueError(f"the phrase [{relation} is not closed")
                break
            word = self.words[self.at]
            self.at += 1
            if word == "]":
                if not closing:
                    raise ValueError("there is a ] without its [")
                break
            if word.startswith("["):
                if len(word) == 1:
                    raise ValueError("a [ needs a relation right behind it, such as [nsubj")
                inner.append(self.phrase(word[1:]))
                continue
            star = word.startswith("*") and len(word) > 1
            template.leaves.append(self.leaf(word[1:] if star else word, relation, star))
            template.parents.append(-1)
            template.relations.append(None)
            index = len(template.leaves) - 1
            direct.append(index)
            if star:
                if starred is not None:
                    raise ValueError(f"two heads are marked * in the phrase [{relation}")
                starred = index
        head = self.head_of(direct, relation) if starred is None else starred
        head = self.full_verb(head, direct)
        for i in direct:
            if i != head:
                template.parents[i] = head
        for i in inner:
            template.parents[i] = head
        template.parents[head] = -1
        template.relations[head] = relation or "root"
        return head

    def leaf(self, word, relation, star):
        if word.startswith("{"):
            return Slot(word)
        if word in ("a", "A") and self.next_is_slot():
            return ARTICLE
        before, after = self.words[self.at - 2 : self.at - 1], self.words[self.at : self.at + 1]
        alone = bool(before) and before[0].startswith("[") and after == ["]"]
        return self.lookup(word, relation, alone, star)

    def next_is_slot(self) -> bool:
        rest = [w for w in self.words[self.at :] if not w.startswith("[")]
        return bool(rest) and rest[0].lstrip("*").startswith("{")

    def full_verb(self, head: int, direct: list[int]) -> int:
        """The head, or what a modal verb or a form of ``be`` marked as head stands beside."""
        leaves = self.template.leaves
        if not isinstance(leaves[head], Form) or leaves[head].lemma[0] not in HELPERS:
            return head
        content = [i for i in direct if i > head and _is(leaves[i], CONTENT)]
        if len(content) != 1:
            return head
        leaves[head] = Form(leaves[head].text, "AUX", *leaves[head].lemma)
        return content[0]

    def head_of(self, direct: list[int], relation: str | None) -> int:
        leaves = self.template.leaves
        content = [i for i in direct if _is(leaves[i], CONTENT)]
        if not content:  # a predicate such as "is old", a number such as "of nine"
            content = [i for i in direct if isinstance(leaves[i], Slot) or _is(leaves[i], ("ADJ",))]
        if not content:  # have, do or be as a full verb
            content = [i for i in direct if _is(leaves[i], ("AUX",))]
            for i in content:
                leaves[i] = Form(leaves[i].text, "VERB", *leaves[i].lemma)
        if not content:
            content = [i for i in direct if _is(leaves[i], ("ADV",))]
        if len(content) != 1 and len(direct) == 1:
            return direct[0]
        if len(content) != 1:
            words = [getattr(leaves[i], "text", getattr(leaves[i], "name", "a")) for i in direct]
            raise ValueError(
                f"mark the head of the phrase [{relation or 'root'} with *: {' '.join(words)}"
            )
        return content[0]


def _is(leaf: Slot | Form, parts_of_speech: Container[str]) -> bool:
    """Whether a leaf is a word of these parts of speech; a slot may be any of them."""
    if isinstance(leaf, Slot):
        return leaf.form not in ("his", "word")
    return (
        isinstance(leaf, Form) and leaf.pos[-1] in parts_of_speech and leaf.text.lower() not in OWN
    )


def _spaced(leaves):
    """(space before, part) for each leaf; neighbouring literals are joined into one string."""
    parts, quotes, glue_next = [], 0, True
    for leaf in leaves:
        word = leaf.text if isinstance(leaf, Form) else None
        space = "" if glue_next or word in GLUED else " "
        glue_next = False
        if word == '"':
            quotes += 1
            space = "" if quotes % 2 == 0 or not parts else " "
            glue_next = quotes % 2 == 1
        elif word == "(":
            glue_next = True
        if word is not None and parts and isinstance(parts[-1][1], str):
            parts[-1] = (parts[-1][0], parts[-1][1] + space + word)
        else:
            parts.append((space, leaf if word is None else word))
    return parts
