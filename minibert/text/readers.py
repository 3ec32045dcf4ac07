"""How each layout of a data set is read: functions from (entry, its files) to an object.

``registry.toml`` names them. Each takes the registered `Entry` and a list of `Source`.
"""

import math
import re

import numpy as np

from minibert.files import parse_json
from minibert.text.corpora import (
    Analogies,
    Examples,
    LabelledTexts,
    RatedPairs,
    Splits,
    TextCorpus,
)
from minibert.text.sources import Member
from minibert.world.tasksets import Example

_TAG = re.compile("O|[BI]-.+")
POLARITY = ("negative", "positive")
INFERENCE = ("entailment", "neutral", "contradiction")


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
    pairs, scores = [], []
    for number, line in enumerate(sources[0].lines(), 1):
        row = line.split("\t")
        if line and not (len(row) == 3 and _is_number(row[2])):
            _refuse(sources[0], number, "word, tab, word, tab, score", line)
        if line:
            pairs.append((row[0], row[1]))
            scores.append(float(row[2]))
    return RatedPairs(pairs, np.array(scores))


def analogies(entry, sources):
    """``: section``, then four words a line."""
    sections = {}
    for number, line in enumerate(sources[0].lines(), 1):
        if line.startswith(":"):
            section = sections[line[1:].strip()] = []
        elif line:
            if not sections or len(line.split()) != 4:
                _refuse(sources[0], number, "four words below the name of a section", line)
            section.append(tuple(line.split()))
    return Analogies(sections)


def inference(entry, sources):
    """A JSON object a line: premise, hypothesis, label in words; one part of the data."""
    names = ("premise", "hypothesis", "label")
    return _pairs(row for source in sources for row in _rows(source, names))


def snli_archive(entry, sources):
    """The published archive; pairs on whose label the writers did not agree are left out."""
    parts = {}
    for split, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
        member = Member(sources[0], f"snli_1.0_{name}.jsonl")
        parts[split] = _pairs(_rows(member, ("sentence1", "sentence2", "gold_label")))
    return Splits("", **parts)


def tagged(entry, sources):
    """A word and its IOB2 tag a line, an empty line after a sentence; a train and a dev file."""
    train, valid = (list(_sentences(source)) for source in sources)
    labels = tuple(sorted({tag for sentence in train + valid for tag in sentence.labels}))
    parts = {
        name: Examples("words", part, labels, [" ".join(sentence.tokens) for sentence in part])
        for name, part in (("train", train), ("valid", valid))
    }
    return Splits("the test part is not here", **parts)


def squad(entry, sources):
    """SQuAD's JSON: one file, or the published pair of train and dev."""
    parts = [_questions_of(source) for source in sources]
    return parts[0] if len(parts) == 1 else Splits("SQuAD's test is secret", **_two(parts))


def _two(parts):
    return dict(zip(("train", "valid"), parts, strict=True))


def _pairs(rows):
    """`Examples` of (premise, hypothesis, label); what stays together is a premise."""
    found = [Example(text=a, text_b=b, label=label) for a, b, label in rows if label in INFERENCE]
    return Examples("text", found, INFERENCE, [example.text for example in found])


def _sentences(source):
    """Examples of the sentences in a file of words and tags (tab or space between)."""
    words = []
    for number, line in enumerate([*source.lines(), ""], 1):
        if line.strip():
            fields = line.split()
            if len(fields) < 2 or not _TAG.fullmatch(fields[-1]):
                _refuse(source, number, "a word and its tag (O, B-... or I-...)", line)
            words.append((fields[0], fields[-1]))
        elif words:
            tokens, tags = zip(*words, strict=True)
            yield Example(text=" ".join(tokens), tokens=tokens, labels=tags)
            words = []


def _questions_of(source):
    """`_questions` of a file; ValueError, naming it, where it is laid out in another way."""
    try:
        return _questions(parse_json(source.read_text()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{source.path} is not laid out as SQuAD is: {error!r}") from error


def _questions(content):
    """`Examples` of a SQuAD file; what stays together is an article.

    ``span`` is that of the first answer which occurs once in its paragraph, else of the first;
    None for a question of SQuAD 2.0 that has no answer.
    """
    found, articles = [], []
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answers = [] if asked.get("is_impossible") else asked["answers"]
                sure = [a for a in answers if not a.get("ambiguous")] or answers
                start = sure[0]["answer_start"] if sure else None
                span = (start, start + len(sure[0]["text"])) if sure else None
                info = {"id": asked["id"], "answers": tuple(a["text"] for a in answers)}
                text, question = paragraph["context"], asked["question"]
                _check_asked(text, question, article["title"], span, info)
                found.append(Example(text=text, text_b=question, span=span, info=info))
                articles.append(article["title"])
    return Examples("questions", found, (), articles)


def _labelled(sources, names):
    rows = [row for s in sources for row in _rows(s, ("text", "label"), "fold", range(len(names)))]
    folds = [fold for *_, fold in rows]
    if len(set(map(type, folds))) > 1 or type(folds[0]) not in (int, type(None)):
        raise ValueError(f"expected a fold (a whole number) for all texts of {sources[0].path}")
    texts, labels = [text for text, *_ in rows], [label for _, label, _ in rows]
    return LabelledTexts(texts, labels, names, None if folds[0] is None else folds)


def _check_asked(text, question, title, span, info):
    for one in (text, question, title, *info["answers"]):
        if not isinstance(one, str):
            raise ValueError(f"expected text, got {one!r:.60}")
    if span is not None and not (type(span[0]) is int and 0 <= span[0] < span[1] <= len(text)):
        raise ValueError(f"an answer to {info['id']!r:.60} stands outside of its text")


def _rows(source, names, extra=None, labels=None):
    """Tuples of the fields ``names`` of a file with a JSON object a line, and of ``extra``.

    They are text, but for a last one that must be among ``labels``. Raises ValueError naming the
    first line that is none.
    """
    number = 0
    for number, line in enumerate(source.lines(), 1):
        try:
            row = parse_json(line)
            values = [row[name] for name in names]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{source.path}, line {number}: {error!r}") from error
        told = values if labels is None else values[:-1]
        whole = labels is None or (type(values[-1]) is int and values[-1] in labels)
        if not whole or not all(isinstance(value, str) for value in told):
            _refuse(source, number, f"an object with {', '.join(names)}", line)
        yield (*values, row.get(extra)) if extra else tuple(values)
    if not number:
        raise ValueError(f"{source.path} is empty: expected a JSON object a line")


def _is_number(text):
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _refuse(source, number, expected, line):
    raise ValueError(f"{source.path}, line {number}: expected {expected}, got {line[:60]!r}")


def _whole(entry):
    return f"`minibert data get {entry.name}` fetches the whole data set"
