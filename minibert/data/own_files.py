"""A file of your own as `Examples`: a table of texts and labels, tagged words, or questions."""

import json
from dataclasses import replace
from pathlib import Path

from minibert.data import tables
from minibert.data.corpora import Examples
from minibert.data.examples import Example
from minibert.data.readers import objects, questions_of
from minibert.data.sources import Source, refusal
from minibert.data.tagged_words import sentences, universal

KINDS = {  # of examples -> endings of the files that hold them
    "text": (".csv", ".tsv", ".jsonl"),
    "words": (".conll", ".conllu", ".bio", ".iob", ".iob2"),
    "questions": (".json",),
}
OTHER = "other"  # the column of a second text, where a table has it
MANY = 20  # labels; more of them than half of the texts are taken for a mistake


def kind_of(path: str | Path) -> str | None:
    """The kind of examples in a file, by its ending, or None for an ending without one."""
    return next((kind for kind, endings in KINDS.items() if ending_of(path) in endings), None)


def read(
    path: str | Path,
    kind: str | None = None,
    *,
    text: str = "text",
    label: str = "label",
    other: str | None = None,
    separator: str | None = None,
    labels: tuple | None = None,
) -> Examples:
    """Read a labelled file (UTF-8; plain, .gz or .xz); ``kind`` is told by its ending.

    "text" (.csv, .tsv, .jsonl): a table with a line of column names, or a JSON object per line.
    ``text`` and ``label`` name the columns, and ``other`` that of a second text ("other" where
    there is such a column). With a ``separator`` a text has any number of labels, and the `Example`
    a tuple of them. "words": word and tag per line (O, B-..., I-...), or CoNLL-U's words and UPOS
    (.conllu). "questions" (.json): SQuAD's layout.

    ``labels``: those of other data, such as what a model has learned; no others are accepted. Else
    they are sorted, as numbers where all of them are whole numbers.

    Raises ValueError, naming file and line, for what cannot be read so.
    """
    source, kind = Source(Path(path)), kind or kind_of(path)
    if kind not in KINDS:
        expected = "; ".join(f"{name} ({', '.join(ends)})" for name, ends in KINDS.items())
        raise ValueError(f"{path}: say what kind of examples it holds: {expected}")
    if kind == "questions":
        return _questions(questions_of(source), path)
    if kind == "words":
        found = list((universal if ending_of(path) == ".conllu" else sentences)(source))
    else:
        found = list(_texts(source, (text, other, label), separator))
    if not found:
        raise ValueError(f"{path} holds no examples")
    groups = [example.text or "" for example in found]
    return Examples(kind, found, _labels(source, found, labels), groups)


def _questions(found, path):
    """The questions of a file; a part of them is held out by article, where there are some."""
    if not len(found):
        raise ValueError(f"{path} holds no examples")
    articles = len(set(found.groups)) > 2
    return found if articles else replace(found, groups=[e.text for e in found.examples])


def ending_of(path: str | Path) -> str:
    """The ending of a file's name in lower case, without .gz and .xz."""
    endings = [end for end in Path(path).suffixes if end not in (".gz", ".xz")]
    return endings[-1].lower() if endings else ""


def _texts(source, columns, separator):
    """The examples of a table; ``columns``: the names of text, other (or None), and label."""
    text, other, label = columns
    rows = _objects if ending_of(source.path) == ".jsonl" else tables.rows
    for number, row in rows(source, [name for name in columns if name]):
        texts = [row[name] for name in (text, other or OTHER) if name in row]
        if not all(isinstance(one, str) and one.strip() for one in texts):
            raise refusal(source, number, "a text that is not empty", str(texts))
        said = row[label]
        said = said.strip() if isinstance(said, str) else json.dumps(said)
        if separator:
            said = tuple(sorted({part.strip() for part in said.split(separator)} - {""}))
        elif said in ("", "null"):
            raise refusal(source, number, f"a label in the column {label!r}", said)
        yield Example(*texts, label=said, info={"line": number})


def _objects(source, wanted):
    """(line, row as a dict) of a file with one JSON object per line."""
    for number, _, row in objects(source):
        tables.check_columns(source, number, row, wanted)
        yield number, row


def _labels(source, examples, known):
    """All labels in their order; ValueError for one that is not known, and for too few or many."""
    said = [e.labels or (e.label if isinstance(e.label, tuple) else (e.label,)) for e in examples]
    if known is not None:
        for example, some in zip(examples, said, strict=True):
            if new := set(some) - set(known):
                expected = f"one of the labels {', '.join(known)}"
                raise refusal(source, example.info["line"], expected, min(new))
        return tuple(known)
    found = sorted({one for some in said for one in some})
    if all(one.isdecimal() for one in found):
        found.sort(key=int)
    if len(found) < 2:
        raise ValueError(f"{source.path}: expected at least two labels, got only {found}")
    if examples[0].labels is None and len(found) > max(MANY, len(examples) // 2):
        raise ValueError(
            f"{source.path} has {len(found):,} labels for {len(examples):,} texts: is it the right "
            f"column (label=...)?"
        )
    return tuple(found)
