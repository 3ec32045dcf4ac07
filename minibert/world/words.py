"""Words with their gold annotation: forms, lexemes and the choices among them."""

from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from math import log
from typing import Any

from minibert.world import morphology


class Form:
    """One or more tokens that fill a slot together, annotated.

    ``heads`` are positions inside the form, -1 for its root; ``text`` is the form as it stands in
    the middle of a sentence; ``an`` is the indefinite article that it takes.
    """

    __slots__ = (
        "text",
        "n",
        "an",
        "tokens",
        "pos",
        "lemma",
        "heads",
        "relation",
        "sense",
        "entity",
    )

    def __init__(
        self, text: str, pos: str, lemma: str | None = None, sense: str = "", *, entity: str = ""
    ) -> None:
        self.text = text
        self.tokens = tuple(text.split())
        self.n = len(self.tokens)
        self.an = morphology.article(text)
        lemmas = (lemma or text).split()
        self.lemma = tuple(lemmas) if len(lemmas) == self.n else self.tokens
        # A name and a phrasal verb are headed by their first word, a compound noun by its last.
        root = 0 if pos in ("PROPN", "VERB") else self.n - 1
        relation = {"PROPN": "flat", "VERB": "compound:prt"}.get(pos, "compound")
        self.pos = tuple(pos if i == root or pos != "VERB" else "ADP" for i in range(self.n))
        self.heads = tuple(-1 if i == root else root for i in range(self.n))
        self.relation = tuple("" if i == root else relation for i in range(self.n))
        self.sense = tuple(sense if i == root else "" for i in range(self.n))
        self.entity = tuple(
            "O" if not entity else ("B-" if i == 0 else "I-") + entity for i in range(self.n)
        )

    def __repr__(self) -> str:
        return f"Form({self.text!r})"


class Filler:
    """Anything that can fill a slot: it has named forms, ``base`` among them."""

    def __init__(self, name: str, forms: dict[str, Any], **tags: Any) -> None:
        self.name, self.forms, self.tags = name, forms, tags

    def __getattr__(self, tag: str) -> Any:
        try:
            return self.__dict__["tags"][tag]
        except KeyError:
            raise AttributeError(f"{self!r} has no attribute {tag!r}") from None

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """Texts in small letters, one of which stands in any document that speaks of this."""
        return tuple(form.text.lower() for form in self.forms.values())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __str__(self) -> str:
        return self.name


class Lexeme(Filler):
    """A dictionary word of one class, in one sense, with its inflected forms."""

    def __init__(
        self,
        word: str,
        cls: str,
        pos: str,
        rules: Iterable[str] = (),
        *,
        irregular: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        lemma: str | None = None,
        sense: str = "",
        entity: str = "",
        extra: Iterable[str] = (),
        **tags: Any,
    ) -> None:
        """``rules`` names the inflections; ``irregular`` has a text, + (by rule) or - (none)."""
        listed: dict[str, str] = dict(irregular)
        forms = {"base": Form(word, pos, lemma or word, sense, entity=entity)}
        for name in rules:
            text = listed.get(name)
            if text == "+" or text is None and name not in morphology.LISTED:
                text = _inflect(word, morphology.FORMS[pos][name], pos)
            if text is None and name == "participle":  # the participle is the past unless listed
                text = forms["past"].text
            if text is None or text == "-":
                continue
            form_pos = morphology.FORM_POS.get(name, pos)
            same = form_pos == pos and name != "un"
            forms[name] = Form(
                text, form_pos, word if same else text, sense if same else "", entity=entity
            )
        for name in extra:  # forms with a lemma of their own, such as the young of an animal
            if name in tags:
                forms[name] = Form(tags[name], pos, tags[name])
                if pos == "NOUN":
                    forms[name + "_plural"] = Form(morphology.plural(tags[name]), pos, tags[name])
        super().__init__(word, forms, **tags)
        self.cls, self.pos, self.sense = cls, pos, sense


def _inflect(word, rule, pos):
    """Apply a rule to the inflected part: a noun's last word, a verb's first."""
    parts = word.split()
    at = 0 if pos == "VERB" else -1
    parts[at] = rule(parts[at])
    return None if parts[at] is None else " ".join(parts)


class Choice:
    """Items with integer weights, drawn in proportion to them.

    Weights are integers so that a draw gives the same item on every platform, and so that a
    restricted draw is renormalised exactly.
    """

    __slots__ = ("items", "weights", "bounds", "total", "logs", "log_total", "index")

    def __init__(self, items: Iterable, weights: Iterable[int] | None = None) -> None:
        self.items = tuple(items)
        self.weights = tuple(weights) if weights is not None else (1,) * len(self.items)
        if not self.items:
            raise ValueError("a choice needs at least one item, got none")
        if len(self.weights) != len(self.items) or any(w < 1 or w != int(w) for w in self.weights):
            raise ValueError(
                f"a choice needs a positive whole weight for each of its {len(self.items)} items, "
                f"got {self.weights[:8]}"
            )
        self.bounds = tuple(accumulate(self.weights))
        self.total = self.bounds[-1]
        self.log_total = log(self.total)
        self.logs = tuple(log(w) - self.log_total for w in self.weights)
        self.index = {id(item): i for i, item in enumerate(self.items)}

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def find(self, uniform: float) -> int:
        """The index that a uniform number in [0, 1) falls on."""
        return bisect(self.bounds, uniform * self.total)

    def find_without(self, uniform: float, without: Sequence[int]) -> tuple[int, float]:
        """Like ``find`` among all items but those at the sorted indices ``without``.

        Returns the index and its log-probability under the renormalised weights.
        """
        rest = self.total
        for i in without:
            rest -= self.weights[i]
        if rest <= 0:
            raise ValueError(f"nothing is left to choose among {len(self.items)} items")
        at = uniform * rest
        for i in without:
            if at >= self.bounds[i] - self.weights[i]:
                at += self.weights[i]
        found = bisect(self.bounds, at)
        return found, log(self.weights[found]) - log(rest)


def zipf(count: int, exponent: float = 1.0, scale: int = 1000) -> list[int]:
    """Integer weights that fall with rank like a natural vocabulary: scale / (rank + 2)^s."""
    return [max(1, round(scale / (rank + 3) ** exponent)) for rank in range(count)]
