"""The answer explorer: the span, the two curves, and what it says when something is wrong."""

import re

import numpy as np
import pytest
import torch
from scipy.special import softmax

import minibert as mb
from minibert.heads.spans import Answer, Reading
from minibert.show.answer import AnswerExplorer, asker, place_of

TEXT = "Ada Bell lives in Wold <b>now</b>."
PLACES = [(0, 3), (4, 8), (9, 14), (15, 17), (18, 22), (23, 33), (33, 34)]


def toy(question, paragraph, longest, no_answer):
    """The start is sure of the place of the question's last word, the end comes from `longest`."""
    at = next(i for i, (s, e) in enumerate(PLACES) if paragraph[s:e] == question.split()[-1])
    starts, ends = np.zeros(7), np.zeros(7)
    starts[at], ends[min(at + longest, 7) - 1], ends[0] = 5.0, 4.0, 4.5
    last = min(at + longest, 7) - 1
    span = PLACES[at][0], PLACES[last][1]
    best = Answer(paragraph[slice(*span)], *span, 9.0, 0.8)
    answers = [best, Answer("", None, None, 7.0, 0.2)] if no_answer else [best]
    return Reading(best, answers, starts.tolist(), ends.tolist(), PLACES, -2.0)


@pytest.fixture
def explorer():
    return AnswerExplorer(toy, TEXT, "where is Bell", examples=[(TEXT, "where is Wold")])


def test_the_first_frame_has_the_answer_and_both_curves(explorer):
    explorer.set(longest=2)
    assert "Answer: Bell lives\n" in explorer.frame.text
    assert "Ada [Bell lives] in Wold" in explorer.frame.text
    assert explorer.frame.table == [
        ["answer", "score", "probability"],
        ["Bell lives", "9.00", "0.80"],
    ]
    bars = [[bar.get_height() for bar in ax.patches[:7]] for ax in explorer.frame.figure.axes]
    np.testing.assert_allclose(bars[0], softmax([0, 5, 0, 0, 0, 0, 0]))
    np.testing.assert_allclose(bars[1], softmax([4.5, 0, 4, 0, 0, 0, 0]))


def test_start_and_end_alone_may_be_no_span(explorer):
    assert "the best end alone “Ada”, which comes before it: no span" in explorer.frame.text
    explorer.set(question="where is Ada")
    assert "no span" not in explorer.frame.text


def test_an_example_fills_both_boxes(explorer):
    explorer.set(paragraph="Nothing but Ada.")
    explorer.controls["example"].value = 1
    assert explorer.controls["paragraph"].value == TEXT
    assert "Answer: Wold" in explorer.frame.text


def test_the_threshold_decides_about_no_answer():
    explorer = AnswerExplorer(toy, TEXT, "where is Wold", no_answer=True)
    assert "Answer: Wold" in explorer.frame.text and "scores -2.00" in explorer.frame.text
    explorer.set(threshold=-3.0)
    assert "Answer: none." in explorer.frame.text and "which is above the" in explorer.frame.text
    assert ["(no answer)", "7.00", "0.20"] in explorer.frame.table


def test_text_is_escaped_and_mistakes_are_sentences(explorer):
    explorer.set(question="where is <b>now</b>", longest=1)
    assert explorer.message == "" and "&lt;b&gt;now" in explorer._words.value
    assert "<b>now" not in explorer._words.value
    for wrong in ({"question": " "}, {"question": "where is Ada", "paragraph": ""}):
        explorer.set(**wrong)
        assert "Type a paragraph and a question" in explorer.message
    explorer.set(paragraph="word " * 1000)
    assert "5,000 characters" in explorer.message
    with pytest.raises(ValueError, match="Type a paragraph"):
        AnswerExplorer(toy, "", "where is Bell")


def test_a_model_is_asked_in_windows():
    mb.seed_everything(0)
    tokenizer = mb.text.WordPiece.train([TEXT * 3, "where is the cat"], 80, min_count=1)
    shape = {"dim": 16, "layers": 1, "heads": 2, "hidden": 16, "max_length": 24}
    model = mb.heads.SpanExtractor(mb.BERT(mb.BERTConfig(len(tokenizer), **shape), tokenizer))
    text = " ".join([TEXT] * 12)  # longer than the model's window, and than the axis
    explorer = AnswerExplorer(model, text, "where?")
    assert explorer.message == ""
    told = re.search(r"tokens \d+ to \d+", explorer.frame.figure.get_supxlabel()).group()
    assert told in explorer.frame.alt  # which part is drawn, for all readers
    with torch.no_grad():
        reading = asker(model)("where?", text, 12, False)
    assert "".join(text[s:e] for s, e in reading.offsets) == text.replace(" ", "")
    i, j = place_of(reading, reading.best)
    assert text[reading.offsets[i][0] : reading.offsets[j][1]] == reading.best.text
    model.encoder.tokenizer = None
    with pytest.raises(ValueError, match="tokenizer"):
        AnswerExplorer(model, text, "where?")
