"""Chapter 06: what its exercises compare with is what the library does."""

import torch

import minibert as mb
from minibert.course.learn.exercises import ch06_score
from minibert.course.learn.exercises.ch06_rate import rate_at
from minibert.course.learn.exercises.ch06_spans import BestSpan, SpanLoss
from minibert.course.learn.exercises.ch06_words import Names
from minibert.heads.spans import answer_f1, normalise_answer
from minibert.heads.tagger import spans


def test_the_score_of_an_answer_is_the_librarys():
    for text in ("The cat's  an-tics!", "A.B. the 3 men", "", "theatre an"):
        assert " ".join(ch06_score.normalise(text)) == normalise_answer(text)
        for other in ("cats antics", "ab 3", ""):
            assert ch06_score.Score.solve(text, other) == answer_f1(text, other)


def test_names_and_rates_are_the_librarys():
    for labels in Names.CASES:
        assert Names.solve(labels) == spans(labels)
    for steps in (7, 20, 37):
        schedule = mb.optim.linear(steps, steps // 10)
        assert all(abs(rate_at(s, steps, 2.0) - 2 * schedule(s)) < 1e-12 for s in range(steps))


def test_the_loss_of_spans_is_that_of_the_head():
    states, mask, S, E, first, last = SpanLoss().case()
    head = mb.heads.SpanExtractor(mb.BERT.from_pretrained("minibert-bert"))
    with torch.no_grad():
        scores = [(states @ x).masked_fill(mask == 0, -torch.inf) for x in (S, E)]
    head.output_of = lambda batch: scores
    batch = {"start_positions": first, "end_positions": last, "attention_mask": mask}
    total, count = head.loss(batch)
    assert torch.allclose(total / count, SpanLoss.solve(states, mask, S, E, first, last))


def test_every_mistake_of_a_best_span_differs_from_the_right_one_somewhere():
    cases = BestSpan.cases()
    kinds = zip(*(BestSpan.mistakes(*case) for case in cases), strict=True)
    right = [BestSpan.solve(*case) for case in cases]
    assert all([pair for pair, *_ in kind] != right for kind in kinds)
