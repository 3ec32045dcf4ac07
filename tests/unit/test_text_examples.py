"""Real data with examples: pairs, tagged sentences, questions; made files and the real ones."""

import io
import json
import zipfile

import pytest

import minibert as mb
from minibert.data import readers
from minibert.data.sources import Source

SQUAD = {
    "data": [
        {
            "title": title,
            "paragraphs": [
                {
                    "context": "Ada met Ada in Rome in May.",
                    "qas": [
                        {
                            "id": f"{title}1",
                            "question": "Who?",
                            "answers": [
                                {"text": "Ada", "answer_start": 0, "ambiguous": True},
                                {"text": "Rome", "answer_start": 15, "ambiguous": False},
                            ],
                        },
                        {"id": f"{title}2", "question": "Why?", "answers": [], **impossible},
                    ],
                }
            ],
        }
        for title, impossible in (("one", {"is_impossible": True}), ("two", {}))
    ]
}


@pytest.fixture
def written(tmp_path):
    """A function: name and content -> the Source of such a file."""

    def write(name, content):
        data = content if isinstance(content, bytes) else content.encode()
        tmp_path.joinpath(name).write_bytes(data)
        return Source(tmp_path / name)

    return write


def test_pairs_of_both_editions(written):
    row = {"premise": "A", "hypothesis": "B", "label": "neutral"}
    data = readers.inference(None, [written("a.jsonl", json.dumps(row) + "\n")])
    assert (data.kind, len(data), data.groups) == ("text", 1, ["A"])
    assert (data[0].text, data[0].text_b, data[0].label) == ("A", "B", "neutral")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("train", "dev", "test"):
            rows = [
                {"sentence1": name, "sentence2": "B", "gold_label": label}
                for label in ("contradiction", "-", "entailment")
            ]
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            file.writestr(f"snli_1.0/snli_1.0_{name}.jsonl", lines)
            file.writestr(f"__MACOSX/snli_1.0/._snli_1.0_{name}.jsonl", "nothing")
    parts = readers.snli_archive(None, [written("snli.zip", archive.getvalue())])
    assert [e.label for e in parts.valid] == ["contradiction", "entailment"]  # "-": not agreed
    assert (parts.train[0].text, parts.valid[0].text, parts.test[0].text) == (
        "train", "dev", "test",
    )  # fmt: skip


def test_tagged_sentences(written):
    train, dev = (
        written("train.iob2", "Ada\tB-PER\nBell\tI-PER\n\nran\tO\n\n\n"),
        written("dev.conll", "Rome B-LOC"),
    )
    parts = readers.tagged(None, [train, dev])
    assert parts.train.labels == ("B-LOC", "B-PER", "I-PER", "O")
    assert [e.tokens for e in parts.train] == [("Ada", "Bell"), ("ran",)]
    assert parts.train[0].labels == ("B-PER", "I-PER") and parts.valid[0].tokens == ("Rome",)
    assert parts.train.groups == ["Ada Bell", "ran"]


def test_questions(written):
    data = readers.squad(None, [written("squad.json", json.dumps(SQUAD))])
    assert (data.kind, len(data), data.groups) == ("questions", 4, ["one"] * 2 + ["two"] * 2)
    first, second = data[0], data[1]
    assert first.text[slice(*first.span)] == "Rome"  # the answer that stands there once
    assert first.info["answers"] == ("Ada", "Rome") and first.text_b == "Who?"
    assert second.span is None and second.info["answers"] == ()
    two = readers.squad(None, [written(f"{i}.json", json.dumps(SQUAD)) for i in range(2)])
    assert len(two.train) == len(two.valid) == 4


def test_the_real_files(data_dir):
    snli, names, wnut, squad = map(mb.data.load, ("snli", "wikiann", "wnut17", "squad"))
    assert (len(snli), len(set(snli.groups))) == (7376, 2490)
    assert (len(names.train), len(names.valid), len(names.train.labels)) == (20_000, 10_000, 7)
    assert (len(wnut.train), len(wnut.valid), len(wnut.train.labels)) == (3394, 1009, 13)
    assert (len(squad), len(set(squad.groups))) == (7513, 36)
    assert all(e.text[slice(*e.span)] in e.info["answers"] for e in squad)
