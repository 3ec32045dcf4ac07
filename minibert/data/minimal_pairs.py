"""Pairs of sentences of which one is good and one is bad: BLiMP, Marvin & Linzen's, Linzen's.

Warstadt et al. (2020), arXiv:1912.00582; Marvin & Linzen (2018), arXiv:1808.09031; Linzen, Dupoux &
Goldberg (2016), arXiv:1611.01368. What a model makes of them: `minibert.probe.minimal_pairs`.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minibert.data.sources import Member, Source, numbered, refusal
from minibert.storage.safe_files import parse_json

File = Source | Member | Path | str
BLIMP = ("sentence_good", "sentence_bad", "UID", "linguistics_term", "field")
LINZEN = ("orig_sentence", "verb_index", "n_intervening", "n_diff_intervening")
GAP = "***mask***"  # where the verb stands in the file with both forms


@dataclass(repr=False)
class SentencePairs:
    """``good`` and ``bad``: sentences, text; ``labels``: by name, one for each pair.

    The names are "phenomenon" and "set" (BLiMP has "field" too), or "attractors" and "between",
    how many nouns of the other number, and of any, stand between subject and verb.
    """

    good: list[str]
    bad: list[str]
    labels: dict[str, list[Hashable]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.good), len(self.bad), *map(len, self.labels.values())}
        if len(lengths) > 1:
            raise ValueError(f"expected as many good sentences as bad ones and labels: {lengths}")

    def part(self, places: Iterable[int]) -> "SentencePairs":
        """The pairs at these positions, in this order."""
        places = list(places)
        labels = {name: [row[i] for i in places] for name, row in self.labels.items()}
        return SentencePairs([self.good[i] for i in places], [self.bad[i] for i in places], labels)

    def where(self, **labels: Hashable) -> "SentencePairs":
        """The pairs with these labels: ``pairs.where(phenomenon="island_effects")``."""
        for name, wanted in labels.items():
            if wanted not in self.labels.get(name, ()):
                known = ", ".join(map(str, dict.fromkeys(self.labels.get(name, self.labels))))
                raise ValueError(f"no pair has {name}={wanted!r}; there are {known:.300}")
        rows = range(len(self))
        return self.part(i for i in rows if all(self.labels[n][i] == w for n, w in labels.items()))

    def __len__(self) -> int:
        return len(self.good)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{len(set(row))} of {name}" for name, row in self.labels.items())
        return f"SentencePairs({len(self):,} pairs{': ' * bool(kinds)}{kinds})"


def blimp(files: File | Iterable[File]) -> SentencePairs:
    """BLiMP's files, an object per line; several files follow each other.

    Labels: "set", "phenomenon" and "field", as the files name them. Seven of the published pairs
    are of equal sentences: no model can tell them apart.
    """
    rows = []
    for source in _sources(files):
        for number, line in numbered(source):
            rows.append(_object(source, number, line))
    good, bad, sets, phenomena, fields = map(list, zip(*rows, strict=True))
    return SentencePairs(good, bad, {"set": sets, "phenomenon": phenomena, "field": fields})


def marvin_linzen(file: File) -> SentencePairs:
    """Marvin & Linzen's sentences as a table: four columns with tabs between them, no header.

    The columns are the case ("obj_rel_across_anim"), what is singular and plural in it, the good
    sentence and the bad one, the layout that Goldberg (2019), arXiv:1901.05287, made of the
    authors' pickles. A pickle can run any program and is not read. Labels: "phenomenon", the case,
    and "set". The sentences have no full stop, as published.
    """
    rows = [_columns(source, n, line, 4) for source in _sources(file) for n, line in _lines(source)]
    phenomena, sets, good, bad = map(list, zip(*rows, strict=True))
    return SentencePairs(good, bad, {"phenomenon": phenomena, "set": sets})


def linzen(file: File, forms: Mapping[str, str] | None = None) -> SentencePairs:
    """Linzen's sentences from Wikipedia, in which the verb agrees with its subject or does not.

    Either of two layouts: Goldberg's table of five columns with both forms of the verb (the number
    of attractors, sentence, sentence with ``***mask***``, good and bad verb), or the whole data set
    (``agr_50_mostcommon_10K.tsv``, with a header), which has the right form alone: ``forms`` then
    maps each verb to its form of the other number ("is" to "are"); a verb it lacks is an error.

    Labels: "attractors", intervening nouns of the other number, and, of the whole data set,
    "between", all intervening nouns.
    """
    (source,) = _sources(file)
    (number, first), *rest = _lines(source)
    names = first.split("\t")
    if not set(LINZEN) <= set(names):
        rows = [_masked(source, n, line) for n, line in [(number, first), *rest]]
        attractors, good, bad = map(list, zip(*rows, strict=True))
        return SentencePairs(good, bad, {"attractors": attractors})
    if forms is None:
        raise ValueError(f"{source.path} has one form of each verb: give the other ones as forms")
    if not rest:
        raise ValueError(f"{source.path} has a header and no sentences")
    rows = [_agreeing(source, n, line, names, forms) for n, line in rest]
    attractors, between, good, bad = map(list, zip(*rows, strict=True))
    return SentencePairs(good, bad, {"attractors": attractors, "between": between})


KINDS: dict[str, Callable[..., SentencePairs]] = {
    "blimp": blimp,
    "marvin-linzen": marvin_linzen,
    "linzen": linzen,
}


def pairs(path: File, kind: str, **options: Any) -> SentencePairs:
    """A file of minimal pairs of your own; ``kind``: "blimp", "marvin-linzen" or "linzen".

    Plain, .gz or .xz. options: those of `linzen`. Raises ValueError, with the file and the line,
    for a file of another format.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be {' or '.join(map(repr, KINDS))}, got {kind!r}")
    return KINDS[kind](path, **options)


def _sources(files):
    """A list of sources of a path, a source, or several of them."""
    single = isinstance(files, Source | Member | Path | str)
    found = [Source(Path(one)) if isinstance(one, Path | str) else one
             for one in ([files] if single else files)]  # fmt: skip
    for source in found:
        if source.path.suffix in (".pickle", ".pkl"):
            told = "is a pickle, which can run any program: expected a table of its sentences"
            raise ValueError(f"{source.path} {told}")
    return found


def _lines(source):
    return list(numbered(source))


def _object(source, number, line):
    """The fields of a line of BLiMP, in the order of ``BLIMP``."""
    expected = f"an object with the texts {', '.join(BLIMP)}"
    try:
        row = parse_json(line)
    except ValueError as error:
        raise refusal(source, number, expected, line) from error
    values = [row.get(name) if isinstance(row, dict) else None for name in BLIMP]
    if not all(isinstance(value, str) and value.strip() for value in values):
        raise refusal(source, number, expected, line)
    return values


def _columns(source, number, line, count):
    """The columns of a line, none of them empty."""
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) != count or not all(cells):
        raise refusal(source, number, f"{count} columns with tabs between them", line)
    return cells


def _masked(source, number, line):
    """(attractors, good, bad) of a line with both forms of the verb."""
    attractors, _, text, good, bad = _columns(source, number, line, 5)
    if not attractors.isdecimal() or text.count(GAP) != 1 or good == bad:
        expected = f"a number of attractors, a sentence with one {GAP}, and two verbs"
        raise refusal(source, number, expected, line)
    return int(attractors), text.replace(GAP, good), text.replace(GAP, bad)


def _agreeing(source, number, line, names, forms):
    """(attractors, nouns between, good, bad) of a line of the data set itself."""
    row = dict(zip(names, _columns(source, number, line, len(names)), strict=True))
    words, place = row["orig_sentence"].split(), row["verb_index"]  # counted from 1
    counts = row["n_diff_intervening"], row["n_intervening"]
    if not all(n.isdecimal() for n in (place, *counts)) or not 1 <= int(place) <= len(words):
        raise refusal(source, number, "verb_index and counts of nouns that fit the sentence", line)
    verb = words[int(place) - 1]
    other = forms.get(verb)
    if other is None or other == verb:
        raise refusal(source, number, "a verb of which forms has the other number", verb)
    bad = [*words[: int(place) - 1], other, *words[int(place) :]]
    return int(counts[0]), int(counts[1]), " ".join(words), " ".join(bad)
