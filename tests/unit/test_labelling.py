"""Labelling functions: what they vote, how well they are judged without a label, and refusals."""

import math

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.transfer import ABSTAIN, LabelModel, majority, vote_rates, votes

ACCURACY = np.array([0.9, 0.8, 0.75, 0.7, 0.6, 0.85])
COVERAGE = np.array([0.5, 0.7, 0.4, 0.8, 0.6, 0.3])
BALANCE = np.array([0.5, 0.3, 0.2])
FEW = np.array([[0, 0, 1], [1, ABSTAIN, 1], [ABSTAIN] * 3, [0, 1, ABSTAIN], [2, ABSTAIN, ABSTAIN]])


def drawn(seed, texts=4000):
    """(true classes, votes) from functions with the accuracy and coverage above."""
    rng = np.random.default_rng(seed)
    true, shape = rng.choice(3, texts, p=BALANCE), (texts, len(ACCURACY))
    other = (true[:, None] + rng.integers(1, 3, shape)) % 3
    found = np.where(rng.random(shape) < ACCURACY, true[:, None], other)
    return true, np.where(rng.random(shape) < COVERAGE, found, ABSTAIN)


@pytest.mark.parametrize("seed", range(5))
def test_accuracies_come_near_without_a_label(seed):
    """The margins are more than twice what 5 seeds show: 0.021, 0.017 and 0.011."""
    true, cast = drawn(seed)
    model = LabelModel.fit(cast, 3)
    assert np.abs(model.accuracy - ACCURACY).max() < 0.05
    assert np.abs(model.coverage - COVERAGE).max() < 0.05
    assert np.abs(model.balance - BALANCE).max() < 0.04
    fired = (cast != ABSTAIN).any(1)
    ours, theirs = (
        (shares.argmax(1) == true)[fired].mean()
        for shares in (model.posterior(cast), majority(cast, 3))
    )
    assert ours > theirs
    silent = LabelModel.fit(np.vstack([cast, np.full_like(cast, ABSTAIN)]), 3)
    assert silent.likelihood == pytest.approx(model.likelihood)
    np.testing.assert_allclose(silent.coverage, model.coverage / 2)
    known = LabelModel.fit(cast, 3, BALANCE)
    assert np.array_equal(known.balance, BALANCE)
    assert np.abs(known.accuracy - ACCURACY).max() < 0.05


@pytest.mark.parametrize("balance", [None, [0.2, 0.3, 0.5], [0.5, 0.5, 0.0]])
def test_the_likelihood_never_falls(balance):
    for cast in (drawn(5, 50)[1], drawn(6, 300)[1], np.zeros((4, 3), int)):
        found = LabelModel.fit(cast, 3, balance, rounds=200, tolerance=0.0).likelihood
        assert len(found) > 1 and all(
            b >= a - 1e-12 for a, b in zip(found, found[1:], strict=False)
        )


def bayes(model, row):
    """p(class | votes) by its definition, with the chance that each function votes at all."""
    joint = []
    for label, prior in enumerate(model.balance):
        p = prior
        for vote, accuracy, coverage in zip(row, model.accuracy, model.coverage, strict=True):
            wrong = (1 - accuracy) / (len(model.balance) - 1)
            right = accuracy if vote == label else wrong
            p *= 1 - coverage if vote == ABSTAIN else coverage * right
        joint.append(p)
    return np.array(joint) / sum(joint)


def test_the_posterior_is_that_of_bayes():
    model = LabelModel(ACCURACY, COVERAGE, BALANCE)
    rows = np.array([[*np.ndindex(4, 4)]]).reshape(-1, 2) - 1  # all pairs of votes, and none
    cast = np.hstack([rows, rows[::-1], np.full((16, 2), ABSTAIN)])
    for row, shares in zip(cast, model.posterior(cast), strict=True):
        np.testing.assert_allclose(shares, bayes(model, row), atol=1e-12)
    silent = np.full((1, 6), ABSTAIN)
    silent = np.vstack([silent, np.zeros_like(silent)])
    np.testing.assert_allclose(model.posterior(silent)[0], BALANCE)


def test_the_likelihood_is_that_of_the_votes():
    """One round by hand: accuracies of 0.7, classes alike."""
    model = LabelModel.fit(np.array([[0, 0, 1], [1, ABSTAIN, ABSTAIN]]), 2, rounds=1)
    first = 0.5 * (0.7 * 0.7 * 0.3 + 0.3 * 0.3 * 0.7)
    assert model.likelihood == pytest.approx([(math.log(first) + math.log(0.5)) / 2])
    zero = 0.7 * 0.7 * 0.3 / (2 * first)  # how likely the first text is of class 0
    assert model.accuracy == pytest.approx([(zero + 0.7) / 2, zero, 1 - zero])
    assert model.balance == pytest.approx([(zero + 0.3) / 2, (1 - zero + 0.7) / 2])


def test_rates_and_majority_by_hand():
    assert vote_rates(FEW) == [(0.8, 0.6, 0.4), (0.4, 0.4, 0.4), (0.4, 0.4, 0.2)]
    assert vote_rates(FEW)[2].conflict == 0.2
    third = 1 / 3
    assert np.allclose(
        majority(FEW, 3), [[1, 0, 0], [0, 1, 0], [third] * 3, [0.5, 0.5, 0], [0, 0, 1]], atol=1e-12
    )


def good(text):
    return "positive" if "good" in text else None


def bad(text):
    return "negative" if "bad" in text else None


def short(text):
    return 1 if len(text) < 9 else None


TEXTS = ["a good film", "a bad film", "good", "not good, bad", "a film"]
NAMES = ["negative", "positive"]


def test_functions_vote_by_name_or_number():
    found = votes([good, bad, short], TEXTS, NAMES)
    assert found.tolist() == [[1, -1, -1], [-1, 0, -1], [1, -1, 1], [1, 0, -1], [-1, -1, 1]]
    assert votes([good], "a good film", NAMES).tolist() == [[1]]


def test_from_rules_to_a_trained_classifier():
    """Soft labels are what a head learns: one batch by heart."""
    pieces = mb.text.WordPiece.train(TEXTS, 40)
    torch.manual_seed(0)
    still = {"hidden": 16, "dropout": 0.0, "attention_dropout": 0.0, "init_std": 0.1}
    model = mb.BERT(mb.BERTConfig(len(pieces), 16, 1, 2, **still), pieces)
    head = mb.heads.SequenceClassifier(model, NAMES, dropout=0.0)
    cast = votes([good, bad, short], TEXTS, NAMES)
    shares = LabelModel(np.array([0.9, 0.8, 0.7]), np.zeros(3), np.array([0.5, 0.5])).posterior(
        cast
    )
    examples = mb.transfer.soft_examples(head, TEXTS, shares)
    taught = mb.transfer.Distilled(head, temperature=1.0, weight=1.0)
    mb.fit(taught, head.batches(examples, 5), steps=100, optimizer=mb.optim.adamw(head, 0.01),
           progress=False, device="cpu")  # fmt: skip
    found = head.predict(TEXTS)
    torch.testing.assert_close(
        found.probabilities, torch.tensor(shares).float(), atol=0.08, rtol=0.0
    )


def test_what_is_no_vote_is_refused():
    def strange(text):
        return "neutral"

    with pytest.raises(ValueError, match="labelling function strange: expected one of the labels "
                                         "negative, positive, got 'neutral', or None"):  # fmt: skip
        votes([good, strange], TEXTS, NAMES)
    with pytest.raises(ValueError, match="expected votes from 0 to below 2, or -1 for none, got -1 "
                                         "to 2"):  # fmt: skip
        LabelModel.fit(np.array([[0, 1, 2], [0, 1, -1]]), 2)
    for functions in (good, [good, "bad"]):
        with pytest.raises(ValueError, match="expected a list of functions of a text, got"):
            votes(functions, TEXTS, NAMES)
    with pytest.raises(ValueError, match="expected votes from 0 to below inf"):
        vote_rates(np.array([[-2]]))
    with pytest.raises(ValueError, match="whole numbers"):
        majority(np.array([[0.5]]), 2)
    with pytest.raises(ValueError, match="whole numbers"):
        majority(np.array([1, 0]), 2)
    with pytest.raises(ValueError, match="expected at least 2 classes, got 1"):
        majority(np.array([[0]]), 1)
    silent = np.full((4, 3), ABSTAIN)
    for use in (vote_rates, lambda v: majority(v, 2), lambda v: LabelModel.fit(v, 2)):
        with pytest.raises(ValueError, match="no function votes on any of the texts"):
            use(silent)
    with pytest.raises(ValueError, match="at least 3 functions to compare, got 2"):
        LabelModel.fit(FEW[:4, :2], 2)
    with pytest.raises(ValueError, match="function 1 never votes: leave it out"):
        LabelModel.fit(np.array([[0, -1, 1]]), 2)
    for balance in ([0.5, 0.6], [1.5, -0.5], [1.0]):
        with pytest.raises(ValueError, match="expected a balance of 2 shares that add up to 1"):
            LabelModel.fit(FEW[:4], 2, balance)
    with pytest.raises(ValueError, match="expected the votes of 3 functions, got 2"):
        LabelModel.fit(FEW[:4], 2).posterior(FEW[:4, :2])
