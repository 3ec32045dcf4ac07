"""How each layout of a data set is read: functions from (entry, its files) to an object.

``registry.toml`` names them. Each takes the registered `Entry` and a list of `Source`.
"""

import json

import numpy as np

from minibert.text.corpora import (
    Analogies,
    Examples,
    LabelledTexts,
    Similarity,
    Splits,
    TextCorpus,
)
from minibert.text.sources import Member
from minibert.world.tasksets import Example

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


def inference(entry, sources):
    """A JSON object a line: premise, hypothesis, label in words; one part of the data."""
    rows = (json.loads(line) for source in sources for line in source.lines())
    return _pairs((row["premise"], row["hypothesis"], row["label"]) for row in rows)


def snli_archive(entry, sources):
    """The published archive; pairs on whose label the writers did not agree are left out."""
    parts = {}
    for split, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
        lines = Member(sources[0], f"snli_1.0_{name}.jsonl").lines()
        rows = (json.loads(line) for line in lines)
        parts[split] = _pairs((r["sentence1"], r["sentence2"], r["gold_label"]) for r in rows)
    return Splits("", **parts)


def tagged(entry, sources):
    """A word and its IOB2 tag a line, an empty line after a sentence; a train and a dev file."""
    train, valid = (list(_sentences(source.lines())) for source in sources)
    labels = tuple(sorted({tag for sentence in train + valid for tag in sentence.labels}))
    parts = {
        name: Examples("words", part, labels, [" ".join(sentence.tokens) for sentence in part])
        for name, part in (("train", train), ("valid", valid))
    }
    return Splits("the test part is not here", **parts)


def squad(entry, sources):
    """SQuAD's JSON: one file, or the published pair of train and dev."""
    parts = [_questions(json.loads(source.read_text())) for source in sources]
    return parts[0] if len(parts) == 1 else Splits("SQuAD's test is secret", **_two(parts))


def _two(parts):
    return dict(zip(("train", "valid"), parts, strict=True))


def _pairs(rows):
    """`Examples` of (premise, hypothesis, label); what stays together is a premise."""
    found = [Example(text=a, text_b=b, label=label) for a, b, label in rows if label in INFERENCE]
    return Examples("text", found, INFERENCE, [example.text for example in found])


def _sentences(lines):
    """Examples of the sentences in a file of words and tags (tab or space between)."""
    words = []
    for line in [*lines, ""]:
        if line.strip():
            word, *_, tag = line.split()
            words.append((word, tag))
        elif words:
            tokens, tags = zip(*words, strict=True)
            yield Example(text=" ".join(tokens), tokens=tokens, labels=tags)
            words = []


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
                found.append(Example(text=text, text_b=question, span=span, info=info))
                articles.append(article["title"])
    return Examples("questions", found, (), articles)


def _labelled(sources, names):
    rows = [json.loads(line) for source in sources for line in source.lines()]
    folds = [row["fold"] for row in rows] if "fold" in rows[0] else None
    return LabelledTexts(
        [row["text"] for row in rows], [row["label"] for row in rows], names, folds
    )


def _whole(entry):
    return f"`minibert data get {entry.name}` fetches the whole data set"
