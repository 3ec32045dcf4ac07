"""What a loaded data set is: running text, labelled texts, rated pairs, analogies."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from minibert.data.examples import Example, given, wanted
from minibert.data.sources import Member, Source
from minibert.text.tokens import tokenise

_TITLE = re.compile(r"\s*= (?!=)(.+) =\s*")  # = Title =, but not = = Section = =
_SECTION = re.compile(r"\s*=.*=\s*")


@dataclass
class Document:
    """A text of a corpus: ``title`` ("" where the file has none) and ``paragraphs``, strings."""

    title: str
    paragraphs: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The paragraphs, one per line."""
        return "\n".join(self.paragraphs)


class TextCorpus:
    """Running text, read from its files at each iteration; little stays in memory.

    Iterating gives `Document` objects. In the files a line ``= Title =`` starts a document and
    every other line that is not empty is a paragraph (headings of sections are left out).
    ``pretokenised``: the text has spaces between its tokens already, as WikiText has.
    """

    def __init__(self, sources: Iterable[Source | Member], pretokenised: bool = False) -> None:
        self.sources, self.pretokenised = tuple(sources), pretokenised

    def lines(self) -> Iterator[str]:
        """The lines of the files, unchanged."""
        for source in self.sources:
            yield from source.lines()

    def __iter__(self) -> Iterator[Document]:
        document = Document("")
        for line in self.lines():
            if title := _TITLE.fullmatch(line):
                if document.paragraphs or document.title:
                    yield document
                document = Document(title[1])
            elif line and not line.isspace() and not _SECTION.fullmatch(line):
                document.paragraphs.append(line.strip())
        if document.paragraphs or document.title:
            yield document

    @property
    def documents(self) -> list[Document]:
        """All documents as a list."""
        return list(self)

    def paragraphs(self) -> Iterator[str]:
        """Every paragraph, in order."""
        for document in self:
            yield from document.paragraphs

    def token_lines(self) -> Iterator[list[str]]:
        """The tokens of every line of the files, headings included, as lists.

        With one ``<eos>`` after each line this is the stream over which WikiText's perplexity is
        usually reported.
        """
        split = str.split if self.pretokenised else tokenise
        return map(split, self.lines())

    def text(self) -> str:
        """All paragraphs as one string, an empty line between documents."""
        return "\n\n".join(document.text for document in self)

    def __repr__(self) -> str:
        names = ", ".join(source.path.name for source in self.sources)
        return f"TextCorpus({names})"


@dataclass(repr=False)
class LabelledTexts:
    """``texts`` (strings) with ``labels`` (int); ``names[label]`` is the label in words.

    ``folds``: the fold of each text where the data set has fixed folds, else None. Indexing and
    iterating give (text, label).
    """

    texts: list[str]
    labels: list[int]
    names: tuple[str, ...]
    folds: list[int] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, i: int) -> tuple[str, int]:
        return self.texts[i], self.labels[i]

    def __repr__(self) -> str:
        return f"LabelledTexts({len(self):,} texts: {', '.join(self.names)})"


@dataclass(repr=False)
class Examples:
    """Labelled examples, `minibert.data.examples.Example`.

    ``kind``: "text" (``text`` and perhaps ``text_b``, ``label``), "words" (``tokens``, ``labels``)
    or "questions" (``text`` the passage, ``text_b`` the question, ``span`` or None,
    ``info["answers"]`` all texts that count as right). ``labels``: all values of a label.
    ``groups``: for each example, what must stay together when the data are split: its premise or
    its article. Indexing and iterating give examples.
    """

    kind: str
    examples: list[Example]
    labels: tuple[str, ...]
    groups: list[str]

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, i: int) -> Example:
        return self.examples[i]

    @property
    def inputs(self) -> list:
        """What a head reads of each: ``head.examples(data.inputs, data.targets)``."""
        return [given(example) for example in self.examples]

    @property
    def targets(self) -> list:
        """What a head is to say of each: a label or several, labels of words, a span or None."""
        return [wanted(example) for example in self.examples]

    def split(self, *shares: float, seed: int = 0) -> list["Examples"]:
        """Parts of these shares, no group in two of them, drawn by ``seed`` (see `split_groups`).

        >>> train, test = data.split(0.8, 0.2)  # doctest: +SKIP
        """
        return [self.part(places) for places in split_groups(self.groups, shares, seed)]

    def without(self, other: "Examples") -> "Examples":
        """The examples whose group is not among those of ``other``."""
        known = set(other.groups)
        return self.part([i for i, group in enumerate(self.groups) if group not in known])

    def part(self, places: Iterable[int]) -> "Examples":
        """The examples at these positions, in this order."""
        places = list(places)
        examples = [self.examples[i] for i in places]
        return replace(self, examples=examples, groups=[self.groups[i] for i in places])

    def __repr__(self) -> str:
        few = len(self.labels) <= 12
        labels = ", ".join(self.labels) if few else f"{len(self.labels)} labels"
        labels = f": {labels}" if labels else ""
        return f"Examples({len(self):,} {self.kind}{labels})"


@dataclass(repr=False)
class RatedPairs:
    """Word pairs rated by people: ``pairs``, tuples of two words, and ``scores``, float64 (n,)."""

    pairs: list[tuple[str, str]]
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        return f"RatedPairs({len(self)} pairs)"


@dataclass(repr=False)
class Analogies:
    """``sections``: name -> list of (a, b, c, d), to be read "a is to b as c is to d".

    The names of Google's sections on grammar begin with ``gram``.
    """

    sections: dict[str, list[tuple[str, str, str, str]]]

    def __len__(self) -> int:
        return sum(map(len, self.sections.values()))

    def __repr__(self) -> str:
        return f"Analogies({len(self):,} questions in {len(self.sections)} sections)"


def split_groups(groups: list, shares: Sequence[float], seed: int = 0) -> list[list[int]]:
    """Positions of examples in parts of these shares, no group in two of them.

    groups: of each example, what must stay together (a premise, an article). The groups are drawn
    in an order that ``seed`` says, and a part is full as soon as it has its share of the examples.

    Raises ValueError where there are fewer groups than parts.
    """
    names = list(dict.fromkeys(groups))
    if len(names) < len(shares):
        raise ValueError(
            f"expected at least {len(shares)} groups, such as different texts, for "
            f"{len(shares)} parts, got {len(names)}"
        )
    places: dict[str, list[int]] = {name: [] for name in names}
    for place, name in enumerate(groups):
        places[name].append(place)
    parts: list[list[int]] = [[] for _ in shares]
    limits = np.cumsum(shares) / sum(shares) * len(groups)
    number = done = 0
    for order, at in enumerate(np.random.default_rng(seed).permutation(len(names))):
        left = len(names) - order  # every part gets a group, however few there are
        full = done >= limits[number] or left < len(shares) - number
        number += bool(full and number < len(shares) - 1 and parts[number])
        parts[number] += places[names[at]]
        done += len(places[names[at]])
    return parts


class Splits:
    """A data set in parts: ``.train``, ``.valid``, ``.test``, as far as this edition has them."""

    def __init__(self, hint: str, **parts: Any) -> None:
        self.hint, self.parts = hint, parts  # what to do about a part that is missing

    def __getattr__(self, name: str) -> Any:
        parts = self.__dict__.get("parts", {})
        if name in parts:
            return parts[name]
        raise AttributeError(
            f"no {name!r} here, only {', '.join(parts)}; {self.__dict__.get('hint')}"
        )

    def __repr__(self) -> str:
        return f"Splits({', '.join(f'{name}={part!r}' for name, part in self.parts.items())})"
