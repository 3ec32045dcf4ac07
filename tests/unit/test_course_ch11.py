"""The checks of chapter 11 agree with the library. (Wrong answers: see `tests/answers/ch11.py`.)"""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import minibert as mb
from minibert.course.learn.exercises.ch11 import (
    Chances,
    Consistent,
    Distil,
    FindTheBug,
    Rules,
    Suspects,
)
from minibert.course.learn.exercises.ch11_rules import judgements
from minibert.course.learn.exercises.ch11_tried import trained
from minibert.text.batches import ListBatches


class Rows(ListBatches):
    """A task of so many examples, which nobody reads."""

    def __init__(self, count):
        super().__init__([{"labels": torch.zeros(1)}] * count)
        self.count = count


@pytest.mark.parametrize("how, first, last", [("proportional", 1, 1), ("root", 0.5, 0.5),
                                              ("annealed", 1, 0.2)])  # fmt: skip
def test_tasks_are_drawn_as_the_library_draws_them(how, first, last):
    sizes = torch.tensor([900, 90, 10])
    tasks = {str(n): Rows(n) for n in sizes.tolist()}
    mixed = mb.transfer.MixedBatches(tasks, how, epochs=4, steps=5)
    for epoch in range(4):
        ours = Chances.solve(sizes, first, last, epoch, 4)
        assert np.allclose(ours.numpy(), mixed.chances(epoch), atol=1e-6)


class Layer(mb.heads.SequenceClassifier):
    """A head that is one layer: its text is a row of numbers."""

    def __init__(self, layer, labels):
        bert = mb.BERT(mb.BERTConfig(vocab_size=9, dim=8, layers=1, heads=2, hidden=8))
        super().__init__(bert, labels)
        self.layer = layer

    def output_of(self, batch):
        return self.layer(batch["x"])


def test_a_student_learns_as_the_librarys_does():
    case = (3, 0.05, 2.5, 0.4)
    student, teachers, batches = Distil.problem(3)
    head, labels = Layer(student, 5), [y for _, y in batches]
    given = [Layer(teacher, 5) for teacher in teachers]

    def loss(x, y):
        batch = {"x": x, "input_ids": x, "labels": y}
        weight = 1.0 if y is None else 1 - case[3]
        net = mb.transfer.Distilled(head, given, temperature=case[2], weight=weight)
        total, count = net.loss(batch)
        return total / count, (total / count).item()

    steps = [partial(loss, x, y) for x, y in batches]
    ours, theirs = Distil.variant(*case), trained(student, steps, case[1], {})
    assert None in labels and len(labels) == 5
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(torch.as_tensor(a), torch.as_tensor(b), atol=1e-5)


def test_consistency_is_that_of_the_library():
    model, labelled, free = Consistent.problem(4)
    net = mb.transfer.Consistency(Layer(model, 3), 0.7, confidence=0.5).train()
    mask = torch.tensor([1.0, 0.0, 1.0, 1.0])
    (x, y), other = labelled[0], free[0]
    pair = {"text": {"x": other}, "changed": {"x": other * mask}}
    loss, count = net.loss({"x": x, "input_ids": x, "labels": y, "beside": pair})
    pairs, *_ = Consistent.variant(4, 0.01, 0.7, 0.5)
    assert abs((loss / count).item() - (pairs[0][0] + 0.7 * pairs[0][1])) < 1e-5


def test_each_case_tells_mistakes_apart():
    for exercise, case in ((Consistent, (1, 0.1, 0.5, 0.45)), (Distil, (1, 0.1, 2.0, 0.75))):
        right = exercise.variant(*case)
        for message, how in exercise.mistakes().items():
            other = exercise.variant(*case, **how)
            same = all(
                np.shape(a) == np.shape(b) and np.allclose(a, b, atol=1e-6)
                for a, b in zip(right, other, strict=True)
            )
            assert not same, message


def test_words_that_go_with_mistakes_by_a_slow_count():
    texts, right = Suspects.case(9)
    for word, excess in Suspects.solve(texts, right, 3):
        those = [hit for words, hit in zip(texts, right, strict=True) if word in words]
        share = those.count(False) / len(those) - right.count(False) / len(right)
        assert len(those) >= 3 and abs(excess - share) < 1e-9


def test_shares_are_those_of_the_majority_where_one_leads():
    votes = FindTheBug.case(5, 12, 4, 3)
    shares, theirs = FindTheBug.solve(votes, 3), mb.transfer.majority(votes.numpy(), 3)
    assert torch.allclose(shares.sum(1), torch.ones(12))
    lead = (shares == shares.amax(1, keepdim=True)).numpy()
    assert np.array_equal(lead, theirs > 0)


def test_sentences_have_one_side_each():
    pairs = judgements(7, 5_000)
    assert len({text for text, _ in pairs}) == len(pairs) > 50
    assert {side for _, side in pairs} == {"good", "bad"}
    assert Rules.measured([["good", None], [None, None]], (("a", "good"), ("b", "bad"))) == (0.5, 1)


def test_a_layer_is_no_more_than_it_is_given():
    layer = nn.Linear(4, 3)
    assert torch.equal(Layer(layer, 3).output_of({"x": torch.ones(2, 4)}), layer(torch.ones(2, 4)))
