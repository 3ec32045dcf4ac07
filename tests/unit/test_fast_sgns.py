"""The fast trainer computes what a plain loop over pairs computes, and trains as well."""

import math

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.models.word2vec import damped
from minibert.models.word2vec import fast as sgns
from minibert.text import windows

WORDS = 40


def make_model(vocab_size=WORDS, dim=6, seed=0, counts=None, **settings):
    torch.manual_seed(seed)
    config = mb.Word2VecConfig(vocab_size=vocab_size, dim=dim, **settings)
    counts = np.arange(vocab_size, 0, -1) if counts is None else counts
    vocab = mb.text.Vocab([f"w{i}" for i in range(vocab_size)], counts, specials=())
    return mb.Word2Vec(config, vocab)


def make_text(words=500, sentences=25, vocab_size=WORDS, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, vocab_size, words), np.sort(rng.integers(0, sentences, words))


def drawn_steps(model, ids, sentence, size=64, seed=0):
    text = sgns.Text(model, ids, sentence)
    return list(text.steps(0, len(ids), size, np.random.default_rng(seed)))


def pairs_of(step, window):
    """(place in the step, id of the context word) of every pair of a step, from its own arrays."""
    answers = step.answer.view(-1, sgns.BLOCK + 2 * window + sgns.NOISE)
    for place, row in enumerate(step.reach.tolist()):
        reach, t = divmod(row, sgns.BLOCK)
        assert t == place % sgns.BLOCK
        left, right = divmod(reach, window + 1)
        block = answers[place // sgns.BLOCK]
        for distance in [*range(-left, 0), *range(1, right + 1)]:
            yield place, int(block[t + window + distance])


def textbook(v, u, pairs, negatives):
    """Skip-gram with negative sampling, one pair at a time: (loss, gradient of v, of u).

    Mikolov et al. 2013b, equation 4, for pairs (centre, context, noise words); each noise word
    counts ``negatives`` / (number of noise words).
    """

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    loss, for_v, for_u = 0.0, np.zeros_like(v), np.zeros_like(u)
    for centre, context, noise in pairs:
        score = sigmoid(v[centre] @ u[context])
        loss -= np.log(score)
        for_v[centre] += (score - 1) * u[context]
        for_u[context] += (score - 1) * v[centre]
        for word in noise:
            share = negatives / len(noise)
            score = sigmoid(v[centre] @ u[word])
            loss -= share * np.log(1 - score)
            for_v[centre] += share * score * u[word]
            for_u[word] += share * score * v[centre]
    return loss, for_v, for_u


def with_textbook(step, model, window):
    """The step's pairs with their centres and noise as `textbook` wants them."""
    answers = step.answer.view(-1, sgns.BLOCK + 2 * window + sgns.NOISE)
    return [
        (int(step.centre[place]), context, answers[place // sgns.BLOCK, -sgns.NOISE :].tolist())
        for place, context in pairs_of(step, window)
    ]


@pytest.mark.parametrize("window", [1, 3, 5])
def test_a_step_moves_the_tables_as_a_loop_over_pairs_does(window, monkeypatch):
    monkeypatch.setattr(damped, "DAMPING", 0.0)
    model = make_model(window=window, subsample=0, negatives=4).double()
    torch.nn.init.normal_(model.output.weight)
    torch.nn.init.normal_(model.input.weight)
    ids, sentence = make_text()
    step = drawn_steps(model, ids, sentence)[2]
    v, u = (table.weight.detach().numpy().copy() for table in (model.input, model.output))
    pairs = with_textbook(step, model, window)
    loss, for_v, for_u = textbook(v, u, pairs, negatives=4)

    tables = sgns.Tables(model, sgns.Text(model, ids, sentence), size=64, workers=1)
    assert tables.loss(step) * len(pairs) == pytest.approx(loss, rel=1e-9)
    tables.update(step, rate=0.1)
    assert len(pairs) > 64
    np.testing.assert_allclose(model.input.weight.detach(), v - 0.1 * for_v, atol=1e-9)
    np.testing.assert_allclose(model.output.weight.detach(), u - 0.1 * for_u, atol=1e-9)


def test_the_gradients_by_hand_are_those_of_the_loss():
    window, blocks, d = 2, 3, 5
    width = sgns.BLOCK + 2 * window + sgns.NOISE
    torch.manual_seed(0)
    v = torch.randn(blocks * sgns.BLOCK, d, dtype=torch.double, requires_grad=True)
    u = torch.randn(blocks * width, d, dtype=torch.double, requires_grad=True)
    weights = sgns.reach_weights(window, negatives=3).double()
    weight = weights[torch.randint(len(weights), (blocks * sgns.BLOCK,))]
    sgns.step_loss(v, u, weight).backward()
    for_v, for_u = sgns.gradients(v.detach(), u.detach(), weight)
    torch.testing.assert_close(for_v, v.grad)
    torch.testing.assert_close(for_u, u.grad)


def test_an_epoch_has_every_pair_within_reach_once_and_none_across_sentences(monkeypatch):
    monkeypatch.setattr(sgns, "CHUNK", 10_000)
    window = 4
    model = make_model(window=window, subsample=0, vocab_size=500)
    ids, sentence = np.arange(500), make_text()[1]  # every word once: an id is a place
    found, reach = [], np.zeros(500, int)
    for step in drawn_steps(model, ids, sentence):
        for place, context in pairs_of(step, window):
            centre = int(step.centre[place])
            found.append((centre, context))
            reach[centre] = max(reach[centre], abs(context - centre))
    centres, contexts = windows.pairs(ids, sentence, reach)
    assert sorted(found) == sorted(zip(centres.tolist(), contexts.tolist(), strict=True))
    inner = [i for i in range(4, 496) if sentence[i - 4] == sentence[i + 4]]
    drawn = np.bincount(reach[inner], minlength=5)
    assert drawn[0] == 0 and drawn[1:].min() > 0.6 * len(inner) / window


def test_words_are_thinned_out_as_often_as_they_should_be():
    counts = np.array([60_000, 20_000, 400, 4])
    ids = np.random.default_rng(1).permutation(np.repeat(np.arange(4), counts))
    model = make_model(4, counts=counts, subsample=1e-3)
    steps = drawn_steps(model, ids, np.zeros(len(ids), int))
    weight = sgns.reach_weights(5, 5)
    kept = np.zeros(4)
    for step in steps:
        real = weight[step.reach].sum(1) > 0  # the padding of a chunk has no pair
        kept += np.bincount(step.centre[real], minlength=4)
    expected = counts * windows.keep_probability(counts, 1e-3)
    assert np.all(np.abs(kept - expected) <= 5 * np.sqrt(expected))


def test_noise_words_come_as_often_as_the_noise_distribution_says():
    model = make_model(window=2, subsample=0)
    ids, sentence = make_text(words=20_000)
    steps = drawn_steps(model, ids, sentence, size=1024)
    width = sgns.BLOCK + 4 + sgns.NOISE
    noise = torch.cat([s.answer.view(-1, width)[:, -sgns.NOISE :].flatten() for s in steps])
    expected = len(noise) * model.noise.numpy()
    drawn = np.bincount(noise, minlength=WORDS)
    assert np.all(np.abs(drawn - expected) <= 5 * np.sqrt(expected))
    assert model.noise[0] / model.noise[-1] == pytest.approx(WORDS**0.75, rel=1e-4)


def test_sharing_noise_words_leaves_the_expected_loss_as_it_is():
    model = make_model(window=2, negatives=5, subsample=0)
    torch.nn.init.normal_(model.output.weight)
    torch.nn.init.normal_(model.input.weight)
    ids, sentence = make_text()
    tables = sgns.Tables(model, sgns.Text(model, ids, sentence), 64, 1)
    shared, exact, noise = [], [], model.noise.double()
    u = model.output.weight.detach().double()
    for seed in range(40):
        step = drawn_steps(model, ids, sentence, seed=seed)[1]
        pairs = list(pairs_of(step, 2))
        v = model.input.weight.detach().double()[[int(step.centre[p]) for p, _ in pairs]]
        real = torch.nn.functional.logsigmoid((v * u[[c for _, c in pairs]]).sum(1))
        fake = torch.nn.functional.logsigmoid(-v @ u.T) @ noise  # expected, over all noise words
        shared.append(tables.loss(step))
        exact.append(float(-(real + 5 * fake).mean()))
    difference = np.array(shared) - exact
    assert abs(difference.mean()) < 3 * difference.std() / math.sqrt(len(difference))
    assert difference.std() < 1


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_parts_of_the_workers_make_up_the_text(workers):
    text = sgns.Text(make_model(), *make_text(words=101))
    parts = [text.share(number, workers) for number in range(workers)]
    assert [i for start, stop in parts for i in range(start, stop)] == list(range(101))


def trained(seed=0, workers=1, ids=None, **options):
    ids, sentence = make_text(words=20_000, sentences=900)
    ids = ids // 10 * 10 + ids % 3  # some words never occur
    model = make_model(seed=5, window=3, subsample=1e-2)
    history = sgns.train(model, ids, sentence, epochs=2, seed=seed, workers=workers, **options)
    return model.input.weight.detach().clone(), history


def test_with_one_worker_a_seed_gives_the_same_vectors_again():
    first, again, other = trained(seed=3)[0], trained(seed=3)[0], trained(seed=4)[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_loss_falls_whatever_the_number_of_workers(workers):
    _, history = trained(workers=workers)
    first = 6 * math.log(2)  # all answers' vectors are zero
    if workers == 1:  # with two, the other may have gone ahead before the first is reported
        assert history.loss[0] == pytest.approx(first, rel=1e-6)
    assert history.recent() < 0.8 * first
    assert history.step == sorted(history.step) and 50 < len(history) <= sgns.REPORTS + 1


def test_frequent_words_diverge_in_long_steps_without_damping_and_not_with_it(monkeypatch):
    rng = np.random.default_rng(0)
    ids, sentence = rng.choice(3, 60_000, p=[0.8, 0.1, 0.1]), np.arange(60_000) // 10

    def longest():
        model = make_model(3, counts=np.bincount(ids), subsample=0)
        sgns.train(model, ids, sentence, epochs=1, rate=0.3)
        return float(model.vectors.norm(dim=1).max())

    assert longest() < 10
    monkeypatch.setattr(damped, "DAMPING", 0.0)
    with pytest.raises(FloatingPointError, match="try a rate below 0.3"):
        longest()


def test_a_text_without_known_words_is_refused():
    with pytest.raises(ValueError, match="no word of the model's vocabulary"):
        sgns.train(make_model(), np.zeros(0, int), np.zeros(0, int))


class Stopper:
    def __init__(self, error=None):
        self.error, self.ended = error, False

    def on_step(self, run):
        if len(run.history) == 5:
            if self.error:
                raise self.error
            run.stop()

    def on_end(self, run):
        self.ended = True


@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_a_run_can_be_stopped_and_leaves_a_usable_model(error, capsys):
    threads = torch.get_num_threads()
    stopper = Stopper(error)
    vectors, history = trained(workers=2, callbacks=[stopper])
    assert len(history) == 5 and stopper.ended
    assert torch.isfinite(vectors).all()
    assert torch.get_num_threads() == threads
    assert ("Interrupted" in capsys.readouterr().out) == (error is not None)


def test_an_error_in_a_callback_ends_all_workers_and_is_raised():
    with pytest.raises(RuntimeError, match="from the callback"):
        trained(workers=2, callbacks=[Stopper(RuntimeError("from the callback"))])


def test_what_it_cannot_train_is_left_to_the_readable_version():
    assert sgns.suits(make_model())
    assert not sgns.suits(make_model(mode="cbow"))
    assert not sgns.suits(make_model(loss="full"))
    model = make_model()
    model.input = torch.nn.EmbeddingBag(WORDS, 6)
    assert not sgns.suits(model)


def test_a_step_is_damped_by_the_terms_that_pull_and_the_length_of_what_they_pull_to():
    table, terms = torch.zeros(3, 2), torch.tensor([0.0, 1000.0, 1.0])
    gradient = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    sgns.descend(table, torch.tensor([0, 1, 1]), gradient, rate=0.5, terms=terms, size=4.0)
    frequent = 0.5 / (1 + damped.DAMPING * 0.5 * 4 * 1000)  # and this row is there twice
    expected = torch.tensor([[-0.5, -1.0], [-2 * frequent, -4 * frequent], [0.0, 0.0]])
    torch.testing.assert_close(table, expected)
