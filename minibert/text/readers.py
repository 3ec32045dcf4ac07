"""How each layout of a data set is read: functions from (entry, its files) to an object.

``registry.toml`` names them. Each takes the registered `Entry` and a list of `Source`.
"""

import json

import numpy as np

from minibert.text.corpora import Analogies, LabelledTexts, Similarity, Splits, TextCorpus
from minibert.text.sources import Member

POLARITY = ("negative", "positive")


def corpus(entry, sources):
    """``= Title =`` and paragraphs, in one file or several shards."""
    return TextCorpus(sources)


def wikitext_archive(entry, sources):
    """The published archive: wiki.{train,valid,test}.tokens."""
    parts = {
        split: TextCorpus([Member(sources[0], f"wiki.{split}.tokens")], pretokenised=True)
        for split in ("train", "valid", "test")
    }
    return Splits("", **parts)


def wikitext_valid(entry, sources):
    """The validation file alone."""
    return Splits(_whole(entry), valid=TextCorpus(sources, pretokenised=True))


def imdb_archive(entry, sources):
    """The published archive: aclImdb/{train,test}/{neg,pos}/ID_RATING.txt."""
    parts = {"train": ([], []), "test": ([], [])}
    labels = {"neg": 0, "pos": 1}
    for name, data in sources[0].members():
        _, *folders, _ = name.split("/")
        if len(folders) == 2 and folders[0] in parts and folders[1] in labels:
            texts, labelled = parts[folders[0]]
            texts.append(data.decode("utf-8"))
            labelled.append(labels[folders[1]])
    return Splits("", **{s: LabelledTexts(*lists, POLARITY) for s, lists in parts.items()})


def imdb_lines(entry, sources):
    """The training half, a JSON object a line."""
    return Splits(_whole(entry), train=polarity(entry, sources))


def polarity(entry, sources):
    """A JSON object a line: text, label (1 positive), perhaps fold."""
    return _labelled(sources, POLARITY)


def subjectivity(entry, sources):
    """A JSON object a line: text, label (1 subjective)."""
    return _labelled(sources, ("objective", "subjective"))


def similarity(entry, sources):
    """Word, word, score, with tabs between them."""
    rows = [line.split("\t") for line in sources[0].lines() if line]
    return Similarity([(a, b) for a, b, _ in rows], np.array([float(score) for *_, score in rows]))


def analogies(entry, sources):
    """``: section``, then four words a line."""
    sections = {}
    for line in sources[0].lines():
        if line.startswith(":"):
            section = sections[line[1:].strip()] = []
        elif line:
            section.append(tuple(line.split()))
    return Analogies(sections)


def _labelled(sources, names):
    rows = [json.loads(line) for source in sources for line in source.lines()]
    folds = [row["fold"] for row in rows] if "fold" in rows[0] else None
    return LabelledTexts(
        [row["text"] for row in rows], [row["label"] for row in rows], names, folds
    )


def _whole(entry):
    return f"`minibert data get {entry.name}` fetches the whole data set"
