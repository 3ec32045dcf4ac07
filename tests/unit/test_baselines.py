"""The first language models: distributions, a slow twin of the n-grams, and the exact floor."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.models import baselines


@pytest.fixture(scope="module")
def text():
    """Train and test corpora, the vocabulary and the training ids."""
    train = mb.world.generate(tokens=15_000, seed=0)
    test = mb.world.generate(tokens=8_000, seed=1)
    tokens = list(train.tokens())
    vocab = baselines.vocabulary(tokens)
    return tokens, list(test.tokens()), test, vocab, baselines.encode(tokens, vocab)


@pytest.fixture(scope="module")
def models(text):
    *_, vocab, ids = text
    network, _ = baselines.train_lstm(ids, len(vocab), dim=16, epochs=1, progress=False)
    return [*(baselines.NGram(ids, len(vocab), order) for order in (1, 2, 3)), network]


def test_every_distribution_sums_to_one_and_agrees_with_the_text_s_cost(text, models):
    ids = text[-1][:9].copy()
    ids[4] = 0  # a history never seen
    for model in models:
        logs = model.log_probs(ids)
        for place in range(len(ids)):
            p = model.distribution(ids[:place])
            assert math.isclose(p.sum(), 1, abs_tol=1e-6) and (p > 0).all()
            assert math.isclose(math.log(p[ids[place]]), logs[place], abs_tol=1e-5)


def slow(ids, size, order, start):
    """p(word, history) by dictionaries: the formula of Witten and Bell as it stands."""
    followers = Counter()
    for i in range(len(ids)):
        for length in range(order):
            before = [start] * length + list(ids[:i])
            followers[tuple(before[len(before) - length :]), ids[i]] += 1
    seen, kinds = Counter(), Counter()
    for (history, _), count in followers.items():
        seen[history] += count
        kinds[history] += 1

    def p(word, history):
        shorter = p(word, history[1:]) if history else 1 / size
        if not seen[history]:
            return shorter
        total = followers[history, word] + kinds[history] * shorter
        return total / (seen[history] + kinds[history])

    return p


def test_the_trigram_equals_a_slow_one_of_dictionaries():
    generator = np.random.default_rng(0)
    ids, new = generator.integers(0, 6, 200), generator.integers(0, 8, 60)
    got = baselines.NGram(ids, 8, order=3, start=1).log_probs(new)
    p = slow(ids.tolist(), 8, 3, 1)
    padded = [1, 1, *new.tolist()]
    want = [math.log(p(padded[i + 2], tuple(padded[i : i + 2]))) for i in range(len(new))]
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_a_fresh_lstm_remembers():
    lstm = baselines.LSTMLanguageModel(baselines.LSTMConfig(10, 6)).lstm
    gates = lstm.bias_ih_l0.view(4, 6)  # input, forget, cell, output
    assert (gates[1] == 1).all() and (gates[[0, 2, 3]].abs() < 0.5).all()


def test_a_long_text_in_chunks_costs_the_same(models, text):
    network, ids = models[-1], text[-1][:50]
    np.testing.assert_allclose(network.log_probs(ids), network.log_probs(ids, chunk=7), atol=1e-5)


def test_letters_are_paid_for_and_all_words_share_at_most_one(text):
    *_, vocab, ids = text
    letters = baselines.Spelling(vocab)
    assert math.isclose(math.fsum(np.exp(-letters.cost)), 1)
    model = baselines.NGram(ids, len(vocab), order=1)
    known, strange = baselines.costs(model, ["the", "Zyx"], vocab)
    new = -math.log(model.distribution([])[vocab.ids[baselines.NEW]])
    assert math.isclose(strange, new + math.fsum(letters.cost[[90, 121, 120, 256]]))
    assert math.isclose(known, -math.log(model.distribution([])[vocab.ids["the"]]))


def test_nobody_beats_the_floor(text, models):
    """Paired by document: what a model pays above the world's own probability is positive."""
    _, tokens, corpus, vocab, _ = text
    ends = np.cumsum([document.n for document in corpus.documents])
    assert ends[-1] == len(tokens)
    for model in models:
        paid = np.diff(np.cumsum(baselines.costs(model, tokens, vocab))[ends - 1], prepend=0)
        above = paid + np.array([document.log_prob for document in corpus.documents])
        assert above.mean() > 4 * above.std() / len(above) ** 0.5


def test_training_lowers_the_loss_and_is_the_same_for_the_same_seed():
    ids = np.tile(np.arange(2, 8), 200)
    first, history = baselines.train_lstm(ids, 8, dim=16, epochs=10, progress=False)
    again, _ = baselines.train_lstm(ids, 8, dim=16, epochs=10, progress=False)
    assert history.loss[-1] < 0.5 * history.loss[0]
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match="order=0"):
        baselines.NGram(np.arange(3), 5, order=0)
    with pytest.raises(ValueError, match="0 tokens"):
        baselines.NGram(np.arange(0), 5)
    with pytest.raises(ValueError, match="64 bits"):
        baselines.NGram(np.arange(3), 2**22)
