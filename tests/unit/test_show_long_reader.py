"""The reader of long documents: every window's span, the winner, and what it says of sizes."""

import numpy as np
import pytest

import minibert as mb
from minibert.heads.spans import Answer, Part, Reading
from minibert.show.long_reader import LongReader, winner_of

TEXT = "Ada Bell lives in Wold. " * 6
NONE = Answer("", None, None, 0.0, 1.0)
PARTS = [Part(0, 60, (0, 8), 3.0, 1.0), Part(30, 100, None, -np.inf, 0.5),
         Part(60, 144, (96, 104), 5.0, -2.0)]  # fmt: skip


def reading(parts=PARTS, no_answer=-7.0):
    best = max(parts, key=lambda part: part.score)
    said = NONE if best.best is None else Answer(TEXT[slice(*best.best)], *best.best, 5.0, 1.0)
    return Reading(said, [said], [], [], [], no_answer, parts)


def asked(question, document, window, stride):
    return reading(no_answer=-7.0 if "who" in question else 2.0)


@pytest.fixture
def reader():
    return LongReader(asked, TEXT, "who is it?", no_answer=True, examples=[(TEXT, "when?")])


def test_each_window_is_a_bar_with_its_best_span_and_one_wins(reader):
    ax = reader.frame.figure.axes[0]
    bars = [(round(bar.get_x()), round(bar.get_width())) for bar in ax.patches if bar.get_y() > -1]
    assert {(0, 60), (30, 70), (60, 84), (0, 8), (96, 8)} <= {*bars}
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["window 1", "window 2", "window 3 wins"]
    assert reader.frame.text.startswith("Answer: Ada Bell\n")
    head, *rows = reader.frame.table
    assert head[-1] == "“no answer”"
    assert [row[0] for row in rows] == ["1", "2", "3 (wins)"]
    assert rows[0][2:] == ["Ada Bell", "3.00", "1.00"]
    assert rows[1][2:] == ["(none)", "-inf", "0.50"]
    assert "window 3 has the best span, “Ada Bell” (5.00)" in reader.frame.alt


def test_no_answer_is_said_above_the_threshold(reader):
    reader.controls["example"].value = 1
    assert reader.controls["question"].value == "when?"
    assert reader.frame.text.startswith("Answer: none.")
    ax = reader.frame.figure.axes[0]
    assert ax.get_title(loc="left") == "“No answer” beats every window"
    assert [tick.get_text() for tick in ax.get_yticklabels()][2] == "window 3, best"
    assert "which is above the threshold 0.00" in reader.frame.text
    reader.set(threshold=2.5)
    assert reader.frame.text.startswith("Answer: Ada Bell")


def test_what_is_missing_is_one_sentence(reader):
    for wrong, told in (({"question": "  "}, "The question is empty"),
                        ({"question": "who", "document": ""}, "The document is empty"),
                        ({"document": "word " * 5000}, "has 25,000 characters")):  # fmt: skip
        reader.set(**wrong)
        assert told in reader.message and reader.message.count(".") == 1
    with pytest.raises(ValueError, match="The document is empty"):
        LongReader(asked, " ", "who?")
    with pytest.raises(ValueError, match="room for 1 to 40 windows, and there are 41"):
        mb.show.window_bars(TEXT, reading([PARTS[0]] * 41))
    with pytest.raises(ValueError, match="there are 0"):
        mb.show.window_bars(TEXT, Reading(NONE, [NONE], [], [], [], 0.0))


def test_the_winner_is_the_window_that_the_best_span_is_from():
    twice = [PARTS[0], Part(0, 90, (96, 104), 4.0, 0.0), PARTS[2]]
    assert winner_of(reading(twice)) == 2
    assert winner_of(reading([PARTS[1]])) is None
    assert "none of them has a span" in mb.show.window_bars(TEXT, reading([PARTS[1]])).alt


@pytest.fixture(scope="module")
def model():
    mb.seed_everything(0)
    tokenizer = mb.text.WordPiece.train([TEXT, "where is the cat"], 80, min_count=1)
    shape = {"dim": 16, "layers": 1, "heads": 2, "hidden": 16, "max_length": 48}
    return mb.heads.SpanExtractor(mb.BERT(mb.BERTConfig(len(tokenizer), **shape), tokenizer))


def test_a_model_reads_in_the_windows_of_the_sliders(model):
    text = TEXT * 2
    widget = LongReader(model, text, "where?", window=24, stride=6)
    wanted = mb.heads.answer(
        model, [("where?", text)], max_length=24, stride=6, max_question=12, longest=12
    )[0]
    assert len(widget.frame.table) == 1 + len(wanted.parts) > 4
    assert widget.frame.text.startswith(f"Answer: {wanted.best.text}\n")
    assert widget.controls["window"].max == 48
    best = max(range(len(wanted.parts)), key=lambda n: wanted.parts[n].score)
    assert widget.frame.table[1 + best][0].endswith("(wins)")
    widget.set(window=48, stride=48)
    assert len(widget.frame.table) < 1 + len(wanted.parts)
    assert "neighbours share 0" in widget.frame.text


def test_short_documents_and_long_questions_are_read_and_it_is_said(model):
    widget = LongReader(model, "the cat", "where is the cat " * 3, window=20)
    assert widget.message == "" and "Answer: " in widget.frame.text
    assert "One window holds the whole document" in widget.frame.text
    assert "is shorter than the question" in widget.frame.text
    assert "Only the first 10 of the question's" in widget.frame.text
    model.encoder.tokenizer, kept = None, model.encoder.tokenizer
    with pytest.raises(ValueError, match="needs a model whose encoder has a tokenizer"):
        LongReader(model, TEXT, "where?")
    model.encoder.tokenizer = kept
