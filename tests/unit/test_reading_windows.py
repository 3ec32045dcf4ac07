"""Reading in windows: no answer, each window by itself, and what must not answer or crash."""

import math

import pytest
import torch

import minibert as mb
from minibert.heads import spans
from minibert.heads.spans import Answer, Part, Reading, best_threshold
from tests.unit.test_spans import Letters, Pointer, Scripted

CONTEXT = "the quick brown fox jumps over the lazy dog"


class Nowhere(Scripted):
    """Cannot start or end an answer anywhere but in the question, and at [CLS] if ``none``."""

    def __init__(self, none=True):
        super().__init__({}, {})
        self.none = none

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        scores = torch.full(input_ids.shape, -torch.inf)
        scores[input_ids == ord("?")] = 9.0
        if self.none:
            scores[:, 0] = 1.0
        return scores, scores.clone()


def slow(model, question, context, longest, **options):
    """([((start, end), score) the best first], no answer, [the same of each window]), span by span.

    Of a token that several windows show, the one counts that has most context on its shorter side.
    """
    parts = spans.windows(Letters(), question, context, **options)
    everything, nowhere, each = {}, [], []

    def room(window, place):
        before = window.offsets.index(place)
        return min(before, len(window.offsets) - 1 - before) + 0.01 * len(window.offsets)

    for number, window in enumerate(parts):
        ids, kinds = torch.tensor([window.input_ids]), torch.tensor([window.token_type_ids])
        starts, ends = (row[0].tolist() for row in model(ids, None, kinds))
        nowhere.append(starts[0] + ends[0])
        here = {}
        for i, place in enumerate(window.offsets):
            rooms = [room(w, place) if place in w.offsets else -1.0 for w in parts]
            if rooms.index(max(rooms)) == number:
                for j in range(i, min(i + longest, len(window.offsets))):
                    score = starts[window.first + i] + ends[window.first + j]
                    here[place[0], window.offsets[j][1]] = score
        everything |= here
        each.append(max(here.items(), key=lambda item: item[1]))
    ordered = sorted(everything.items(), key=lambda item: -item[1])
    return ordered, nowhere, each


def random_reader(seed):
    torch.manual_seed(seed)
    config = mb.BERTConfig(130, 16, 1, 2, hidden=16, max_length=24, init_std=0.7)
    return mb.heads.SpanExtractor(mb.BERT(config)).eval()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("stride", [1, 5, 99])
def test_no_answer_and_each_window_against_all_spans_one_by_one(seed, stride):
    model, options = random_reader(seed), {"max_length": 20, "stride": stride}
    ordered, nowhere, each = slow(model, "who?", CONTEXT, 4, **options)
    best, none = ordered[0][1], min(nowhere)
    for threshold in (none - best - 0.01, none - best + 0.01):
        (found,) = mb.heads.answer(
            model, [("who?", CONTEXT)], Letters(), n_best=7, longest=4, no_answer=True,
            threshold=threshold, **options,
        )  # fmt: skip
        assert found.no_answer == pytest.approx(none - best, abs=1e-5)
        said = "" if none - best > threshold else CONTEXT[slice(*ordered[0][0])]
        assert found.best.text == found.said(threshold) == said
    kept = [*ordered[:7], ((None, None), none)]
    total = sum(math.exp(score) for _, score in kept)
    for one, (place, score) in zip(found.answers, sorted(kept, key=lambda k: -k[1]), strict=True):
        assert (one.start, one.end) == place and one.score == pytest.approx(score, abs=1e-5)
        assert one.probability == pytest.approx(math.exp(score) / total, rel=1e-4)
    assert len(found.parts) == len(nowhere)
    for part, none, (place, score) in zip(found.parts, nowhere, each, strict=True):
        assert part.best == place and part.score == pytest.approx(score, abs=1e-5)
        assert part.nowhere == pytest.approx(none, abs=1e-5)
        assert part.start <= place[0] < place[1] <= part.end
    assert (found.parts[0].start, found.parts[-1].end) == (0, len(CONTEXT))
    assert max(part.score for part in found.parts) == found.best.score or found.best.text == ""


def test_where_no_span_of_the_context_has_a_score_there_is_no_answer():
    """The best span would be in the question, and every candidate is null."""
    for none, score in ((True, 2.0), (False, -math.inf)):
        for no_answer in (True, False):
            (found,) = mb.heads.answer(
                Nowhere(none), [("????", "abcdefgh")], Letters(), no_answer=no_answer, max_length=12
            )
            assert found.best == Answer("", None, None, score, 1.0)
            assert found.answers == [found.best] and found.no_answer == math.inf
            assert [found.said(t) for t in (-math.inf, 0.0, math.inf)] == [""] * 3
            assert [(one.start, one.end) for one in found.parts] == [(0, 5), (5, 8)]
            assert {(one.best, one.score) for one in found.parts} == {(None, -math.inf)}


def test_the_question_is_never_an_answer():
    model = Scripted({"?": 99.0, "c": 1.0}, {"?": 99.0, "c": 1.0})
    (found,) = mb.heads.answer(model, [("????", "abc?d")], Letters(), longest=1, n_best=2)
    assert [(one.start, one.end) for one in found.answers] == [(3, 4), (2, 3)]
    (found,) = mb.heads.answer(model, [("????", "abcd")], Letters(), no_answer=True)
    assert found.best.text == "c"


def test_a_document_shorter_than_its_question():
    model = Scripted({"x": 5.0}, {"x": 5.0})
    asked = [("what is it then?" * 9, "x"), ("?", "  x ")]
    long, short = mb.heads.answer(model, asked, Letters(), max_length=70, no_answer=True)
    assert [(one.best.start, one.best.end) for one in (long, short)] == [(0, 1), (2, 3)]
    assert [len(one.parts) for one in (long, short)] == [1, 1]


@pytest.mark.parametrize("context", ["", "   "])
def test_an_empty_document_has_no_answer(context):
    model = random_reader(0)
    found, other = mb.heads.answer(
        model, [("who?", context), ("who?", "a fox")], Letters(), no_answer=True, threshold=99.0
    )
    assert found.best.text == "" and found.best.start is None and found.best.probability == 1.0
    assert found.starts == found.ends == found.offsets == []
    assert [(one.start, one.end, one.best) for one in found.parts] == [(0, 0, None)]
    assert other.best.text != ""
    with pytest.raises(ValueError, match="a context with at least one token"):
        mb.heads.answer(model, [("who?", context)], Letters())


def test_scores_that_are_no_numbers_choose_nothing():
    model = Scripted({"b": math.nan}, {})
    with pytest.raises(FloatingPointError, match="not finite"):
        mb.heads.answer(model, [("?", "abc")], Letters(), no_answer=True)


def test_the_longest_answer():
    model = Scripted({"a": 5.0, "c": 1.0, "d": 0.5}, {"d": 5.0})
    for longest, text in ((4, "abcd"), (3, "cd"), (1, "d")):
        (found,) = mb.heads.answer(model, [("?", "abcd")], Letters(), longest=longest, n_best=1)
        assert found.best.text == text
    with pytest.raises(ValueError, match="n_best and longest >= 1, got 20 and 0"):
        mb.heads.answer(model, [("?", "abcd")], Letters(), longest=0)


def test_a_question_without_an_answer_is_learned_as_cls():
    torch.manual_seed(0)
    model = mb.heads.SpanExtractor(Pointer())
    found = mb.heads.span_examples(Letters(), [("?", "abcdefgh", None)], max_length=8, stride=3)
    assert {(e["start_positions"], e["end_positions"]) for e in found} == {(0, 0)}
    (batch,) = mb.text.PaddedBatches(found, 9, shuffle=False)
    loss, count = model.loss(batch)
    starts, ends = model(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
    right = -(starts.log_softmax(-1)[:, 0] + ends.log_softmax(-1)[:, 0]).sum() / 2
    assert count == len(found) == 3
    torch.testing.assert_close(loss, right)


def test_a_reading_without_a_span_moves_no_threshold():
    def reading(text, difference):
        spans = [Answer(text, 0, len(text), 1.0, 1.0)] if text else []
        best = Answer("", None, None, 0.0, 1.0)
        return Reading(best, [*spans, best], [], [], [], difference, [Part(0, 0, None, 0.0, 0.0)])

    readings = [reading("cat", -3.0), reading("dog", 5.0), reading("", math.inf)]
    assert best_threshold(readings, [["cat"], [], ["owl"]]) == 1.0
    with pytest.raises(ValueError, match="at least one reading, got none with a span"):
        best_threshold(readings[2:], [["owl"]])


def test_the_scores_of_squad_2():
    said = ["the cat", "red dog", "", "", "owl"]
    true = [["cat"], ["dog", "a big red dog"], [], ["fox"], [""]]
    found = mb.heads.squad2_scores(said, true)
    assert list(found) == [
        "exact match", "f1", "HasAns exact match", "HasAns f1", "NoAns exact match", "NoAns f1"
    ]  # fmt: skip
    wanted = [2 / 5, (1 + 0.8 + 1) / 5, 1 / 3, (1 + 0.8) / 3, 1 / 2, 1 / 2]
    assert [*found.values()] == pytest.approx([100 * share for share in wanted])
    found = mb.heads.squad2_scores(said[:2], [iter(right) for right in true[:2]])
    assert [*found] == ["exact match", "f1", "HasAns exact match", "HasAns f1"]
    with pytest.raises(ValueError, match="one answer per question, got 0 for 0"):
        mb.heads.squad2_scores([], [])
