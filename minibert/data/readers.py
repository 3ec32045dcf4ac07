"""Readers for each layout of a data set: functions from (entry, its files) to an object.

``registry.toml`` names them. Each takes the registered `Entry` and a list of `Source`.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from minibert.data.corpora import Analogies, Examples, LabelledTexts, RatedPairs, Splits, TextCorpus
from minibert.data.dialogues import Dialogue, Dialogues
from minibert.data.examples import Example
from minibert.data.minimal_pairs import SentencePairs
from minibert.data.minimal_pairs import blimp as pairs_of_blimp
from minibert.data.registry import Entry
from minibert.data.sources import Member, Source, decoded, numbered, refusal
from minibert.data.tables import rows
from minibert.data.tagged_words import sentences
from minibert.storage.safe_files import parse_json

Sources = Sequence[Source]
POLARITY = ("negative", "positive")
INFERENCE = ("entailment", "neutral", "contradiction")
UNDECIDED = "-"  # the gold label of a pair on which SNLI's writers did not agree


def corpus(entry: Entry, sources: Sources) -> TextCorpus:
    """``= Title =`` and paragraphs, in one file or several shards."""
    return TextCorpus(sources)


def wikitext_archive(entry: Entry, sources: Sources) -> Splits:
    """The published archive: wiki.{train,valid,test}.tokens."""
    parts = {s: Member(sources[0], f"wiki.{s}.tokens") for s in ("train", "valid", "test")}
    return Splits("", **{s: TextCorpus([one], pretokenised=True) for s, one in parts.items()})


def wikitext_valid(entry: Entry, sources: Sources) -> Splits:
    """The validation file alone."""
    return Splits(_whole(entry), valid=TextCorpus(sources, pretokenised=True))


def imdb_archive(entry: Entry, sources: Sources) -> Splits:
    """The published archive: aclImdb/{train,test}/{neg,pos}/ID_RATING.txt."""
    parts: dict[str, tuple[list, list]] = {"train": ([], []), "test": ([], [])}
    labels = {"neg": 0, "pos": 1}
    for name, data in sources[0].members():
        folders = name.split("/")[1:-1]
        if len(folders) == 2 and folders[0] in parts and folders[1] in labels:
            texts, labelled = parts[folders[0]]
            texts.append(decoded(data, sources[0].path / name))
            labelled.append(labels[folders[1]])
    if not all(texts for texts, _ in parts.values()):
        raise ValueError(f"{sources[0].path} lacks reviews: expected aclImdb/train/neg and so on")
    return Splits("", **{s: LabelledTexts(*lists, POLARITY) for s, lists in parts.items()})


def imdb_lines(entry: Entry, sources: Sources) -> Splits:
    """The training half, one JSON object per line."""
    return Splits(_whole(entry), train=polarity(entry, sources))


def polarity(entry: Entry, sources: Sources) -> LabelledTexts:
    """One JSON object per line: text, label (1 positive), perhaps fold."""
    return _labelled(sources, POLARITY)


def subjectivity(entry: Entry, sources: Sources) -> LabelledTexts:
    """One JSON object per line: text, label (1 subjective)."""
    return _labelled(sources, ("objective", "subjective"))


def intents(entry: Entry, sources: Sources) -> Examples:
    """A table with the columns text and category: what a customer of a bank wants."""
    table = [row for s in sources for _, row in rows(s, ("text", "category"))]
    found = [Example(row["text"], label=row["category"]) for row in table]
    labels = tuple(sorted({row["category"] for row in table}))
    return Examples("text", found, labels, [row["text"] for row in table])


def similarity(entry: Entry, sources: Sources) -> RatedPairs:
    """Word, word, score, with tabs between them."""
    pairs, scores = [], []
    for number, line in numbered(sources[0]):
        row = [field.strip() for field in line.split("\t")]
        if len(row) != 3 or not all(row) or not _is_number(row[2]):
            raise refusal(sources[0], number, "word, tab, word, tab, score", line)
        pairs.append((row[0], row[1]))
        scores.append(float(row[2]))
    return RatedPairs(pairs, np.array(scores))


def analogies(entry: Entry, sources: Sources) -> Analogies:
    """``: section``, then four words per line; a section may go on later."""
    sections: dict[str, list] = {}
    section = None
    for number, line in numbered(sources[0]):
        words = line.split()
        if line.startswith(":"):
            section = sections.setdefault(line[1:].strip(), [])
        elif section is None or len(words) != 4:
            raise refusal(sources[0], number, "four words below the name of a section", line)
        else:
            section.append(tuple(words))
    return Analogies(sections)


def inference(entry: Entry, sources: Sources) -> Examples:
    """One JSON object per line: premise, hypothesis, label in words; one part of the data."""
    return _pairs(sources, ("premise", "hypothesis", "label"))


def snli_archive(entry: Entry, sources: Sources) -> Splits:
    """The published archive: snli_1.0_{train,dev,test}.jsonl."""
    names = {"train": "train", "valid": "dev", "test": "test"}
    parts = {s: Member(sources[0], f"snli_1.0_{name}.jsonl") for s, name in names.items()}
    fields = "sentence1", "sentence2", "gold_label"
    return Splits("", **{s: _pairs([one], fields) for s, one in parts.items()})


def tagged(entry: Entry, sources: Sources) -> Splits:
    """A word and its IOB2 tag per line, an empty line after a sentence; train and dev files."""
    parts = [list(sentences(source)) for source in sources]
    labels = tuple(sorted({tag for part in parts for one in part for tag in one.labels or ()}))
    train, valid = (Examples("words", p, labels, [one.text or "" for one in p]) for p in parts)
    return Splits("the test part is not here", train=train, valid=valid)


def blimp(entry: Entry, sources: Sources) -> SentencePairs:
    """BLiMP's pairs, an object per line; one file or several."""
    return pairs_of_blimp(sources)


def dialogues(entry: Entry, sources: Sources) -> Dialogues:
    """One JSON object per line: persona1, persona2, and turns, [1 or 2, text] each.

    A dialogue without a turn, as three of the published ones are, is left out.
    """
    expected = "an object with the lists persona1 and persona2 of texts, and turns, [1 or 2, text]"
    found = []
    for source in sources:
        for number, line, row in objects(source):
            made = _dialogue(row)
            if made is None:
                raise refusal(source, number, expected, line)
            found += [made] if made.turns else []
    return Dialogues(found)


def _dialogue(row):
    """The dialogue of an object, None where it is laid out in another way."""
    *personas, turns = parts = [row.get(name) for name in ("persona1", "persona2", "turns")]
    if not all(isinstance(part, list) for part in parts):
        return None
    if not all(map(_is_text, chain(*personas))) or not all(map(_is_turn, turns)):
        return None
    return Dialogue(tuple(map(tuple, personas)), tuple(map(tuple, turns)))


def squad(entry: Entry, sources: Sources) -> Examples | Splits:
    """SQuAD's JSON: one file, or the published pair of train and dev."""
    parts = [questions_of(source) for source in sources]
    if len(parts) == 1:
        return parts[0]
    return Splits("SQuAD's test is secret", train=parts[0], valid=parts[1])


def _pairs(sources, names):
    """`Examples` of (premise, hypothesis, label); what stays together is a premise.

    A pair with the label "-", on which the writers did not agree, is left out, as everywhere.
    """
    rows = (row for s in sources for row in _rows(s, names, labels=(*INFERENCE, UNDECIDED)))
    found = [Example(text=a, text_b=b, label=label) for a, b, label in rows if label != UNDECIDED]
    return Examples("text", found, INFERENCE, [example.text for example in found])


def questions_of(source: Source) -> Examples:
    """`_questions` of a file; ValueError, naming it, where it is laid out in another way."""
    try:
        return _questions(parse_json(source.read_text()))
    except KeyError as error:
        raise ValueError(f"{source.path} is not laid out as SQuAD is: no {error} in it") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{source.path} is not laid out as SQuAD is: {error}") from error


def _questions(content):
    """`Examples` of a SQuAD file, grouped by article.

    ``span`` is that of the first answer which occurs once in its paragraph, else of the first;
    None for a question of SQuAD 2.0 that has no answer.
    """
    found, articles = [], []
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                impossible = asked.get("is_impossible", False)
                if type(impossible) is not bool:
                    raise ValueError(f"is_impossible is {impossible!r:.40}, not true or false")
                answers = [] if impossible else asked["answers"]
                text, question = paragraph["context"], asked["question"]
                info = {"id": asked["id"], "answers": tuple(a["text"] for a in answers)}
                for one in (text, question, article["title"], *info["answers"]):
                    if not isinstance(one, str):
                        raise ValueError(f"expected text, got {one!r:.60}")
                spans = [_span(text, answer, asked["id"]) for answer in answers]
                sure = [s for s, a in zip(spans, answers, strict=True) if not a.get("ambiguous")]
                span = (sure or spans or [None])[0]
                found.append(Example(text=text, text_b=question, span=span, info=info))
                articles.append(article["title"])
    return Examples("questions", found, (), articles)


def _span(text, answer, name):
    """Where an answer stands in its text, spaces around it left out: (start, end)."""
    start, said = answer["answer_start"], answer["text"]
    if type(start) is not int or start < 0 or text[start : start + len(said)] != said:
        place = text.find(said)
        where = f"it stands at {place}" if place >= 0 else "it is nowhere in its text"
        raise ValueError(
            f"the answer {said!r:.60} to question {name!r:.60} does not stand at answer_start "
            f"{start!r:.20}; {where}"
        )
    if not said.strip():
        raise ValueError(f"an answer to question {name!r:.60} is empty")
    start += len(said) - len(said.lstrip())
    return start, start + len(said.strip())


def _labelled(sources, names):
    rows = [row for s in sources for row in _rows(s, ("text", "label"), "fold", range(len(names)))]
    folds = [fold for *_, fold in rows]
    if len(set(map(type, folds))) > 1 or type(folds[0]) not in (int, type(None)):
        raise ValueError(f"expected a fold (a whole number) for all texts of {sources[0].path}")
    texts, labels = [text for text, *_ in rows], [label for _, label, _ in rows]
    return LabelledTexts(texts, labels, names, None if folds[0] is None else folds)


def _rows(source, names, extra=None, labels=None):
    """Tuples of the fields ``names``, and of ``extra``, of a file with one JSON object per line.

    They are text, but for a last one that must be among ``labels``. Raises ValueError naming the
    first line that is none.
    """
    expected = f"an object with the texts {', '.join(names)}"
    if labels is not None:
        known = ", ".join(map(str, labels))
        expected = f"an object with {', '.join(names)}, the last one of {known}"
    for number, line, row in objects(source):
        if any(name not in row for name in names):
            raise refusal(source, number, expected, line)
        values = [row[name] for name in names]
        told = values if labels is None else values[:-1]
        known = labels is None or (type(values[-1]) in (int, str) and values[-1] in labels)
        if not known or not all(isinstance(value, str) for value in told):
            raise refusal(source, number, expected, line)
        yield (*values, row.get(extra)) if extra else tuple(values)


def objects(source: Source | Member) -> Iterator[tuple[int, str, dict]]:
    """(number, line, what it says) of a file with one JSON object per line."""
    for number, line in numbered(source):
        try:
            row = parse_json(line)
        except ValueError as error:
            raise ValueError(f"{source.path}, line {number}: {error}") from error
        if not isinstance(row, dict):
            raise refusal(source, number, "an object with names and values", line)
        yield number, line, row


def _is_text(value):
    return isinstance(value, str) and bool(value.strip())


def _is_turn(value):
    right = isinstance(value, list) and len(value) == 2 and type(value[0]) is int
    return right and value[0] in (1, 2) and _is_text(value[1])


def _is_number(text):
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _whole(entry):
    return f"`minibert data get {entry.name}` fetches the whole data set"
