"""Probes of labels: by layer, with control tasks and baselines, in bits, for pairs of words."""

import math

import pytest
import torch

import minibert as mb
from minibert.probe import States


def blobs(count=300, dim=6, labels=3, seed=0):
    """Rows around a centre for each label, far enough apart for a line between them."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % labels
    centres = 4 * torch.randn(labels, dim, generator=torch.Generator().manual_seed(9))
    x = centres[y] + torch.randn(count, dim, generator=generator)
    return x, [f"label {i}" for i in y.tolist()]


def rings(count=400, seed=0):
    """Inside or outside of a circle: no line tells them apart."""
    x = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
    return x, (x.norm(dim=1) > 1.18).tolist()


def made(sentences=40, length=5, seed=0):
    """States of two layers, noise and then signal, and a label for each word."""
    x, y = blobs(sentences * length, seed=seed)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    words = [[f"w{(i * length + j) % 17}" for j in range(length)] for i in range(sentences)]
    return States([noise, x], words), y


def test_a_line_is_found_and_a_ring_is_not():
    x, y = blobs()
    linear = mb.probe.Linear().fit(x, y, blobs(seed=1))
    assert linear.score(*blobs(seed=2)) > 0.97
    assert set(linear.predict(x)) == set(y) and linear.names == sorted(set(y))
    p = linear.probabilities(x)
    torch.testing.assert_close(p.sum(1), torch.ones(len(x)))
    x, y = rings()
    assert mb.probe.Linear().fit(x, y).score(*rings(seed=1)) < 0.7
    assert mb.probe.MLP(32, rate=1e-2).fit(x, y).score(*rings(seed=1)) > 0.9


def test_the_minimum_is_one():
    """At the weights that come out the gradient is zero, and the biases are not penalised."""
    x, y = blobs(90)
    fitted = mb.probe.Linear(2.0, tolerance=0.0).fit(x, y, blobs(30, seed=1))
    weights = fitted.weights.clone().requires_grad_()
    scores = fitted.standard(x) @ weights[:-1] + weights[-1]
    losses = torch.nn.functional.cross_entropy(scores, fitted.numbers(y), reduction="sum")
    (losses + weights[:-1].square().sum()).backward()  # penalty / 2 = 1
    assert weights.grad.abs().max() < 1e-2
    assert fitted.penalty == 2.0


def test_a_probe_is_the_same_each_time():
    x, y = blobs(120)
    for make in (mb.probe.Linear, mb.probe.MLP):
        state = torch.get_rng_state()
        a, b = make().fit(x, y), make().fit(x, y)
        assert torch.equal(a.probabilities(x), b.probabilities(x))
        assert torch.equal(torch.get_rng_state(), state)


def test_columns_that_never_vary_do_no_harm():
    x, y = blobs()
    still = torch.cat((x, torch.full((len(x), 2), 3.0)), 1)
    assert mb.probe.Linear().fit(still, y).score(still, y) > 0.97


@pytest.mark.parametrize("make", [mb.probe.Linear, mb.probe.MLP])
def test_labels_that_do_not_fit_are_refused(make):
    x, y = blobs(30)
    spoilt = x.clone()
    spoilt[7, 2] = math.nan
    for given, told in [
        ((x, y[:-1]), "a label for each row of .30, 6., got 29"),
        ((x, ["one"] * 30), "at least two labels to tell apart, got ..one"),
        ((spoilt, y), "row 7 has some that are not"),
        ((x[:0], []), "at least one row"),
        ((x, y, (x, ["new", *y[1:]])), "the label 'new' is not among the 3 of training"),
    ]:
        with pytest.raises(ValueError, match=told):
            make().fit(*given)
    with pytest.raises(ValueError, match="the label 'new' .and 1 others"):
        make().fit(x, y).score(x, ["new", "newer", *y[2:]])
    with pytest.raises(ValueError, match="penalties above 0"):
        mb.probe.Linear(0.0)


def test_every_layer_and_the_mix():
    states, y = made()
    found = mb.probe.probe(states, y, made(seed=1), made(seed=2))
    assert list(found) == [0, 1, "mix"] and found.best == 1
    assert found[1] > 0.95 and found["mix"] > 0.9 and found[0] < 0.6
    assert found.shares[1] > found.shares[0] and sum(found.shares) == pytest.approx(1)
    assert "mix" in repr(found)
    nested = [y[i : i + 5] for i in range(0, 200, 5)]
    some = mb.probe.probe(states, nested, layers=[-1], make=lambda: mb.probe.MLP(8))
    assert list(some) == [1] and some.shares is None


def test_rows_without_a_label_are_left_out():
    states, y = made()
    holes = [None if i % 2 else label for i, label in enumerate(y)]
    few = States([layer[::2] for layer in states.layers], [[w] for w in range(100)])
    a = mb.probe.probe(states, holes, made(seed=1), made(seed=2), layers=[1])
    b = mb.probe.probe(few, y[::2], made(seed=1), made(seed=2), layers=[1])
    assert a.scores == b.scores


def test_a_probe_of_states_refuses_in_one_sentence():
    states, y = made()
    with pytest.raises(ValueError, match="a layer from 0 to 1, got 2"):
        mb.probe.probe(states, y, layers=[2])
    with pytest.raises(ValueError, match="each of 200 rows or each of 40 sentences, got 199"):
        mb.probe.probe(states, y[1:])
    with pytest.raises(ValueError, match="sentence 3 has 5 rows, but 4 labels"):
        mb.probe.probe(states, [["a"] * (4 if i == 3 else 5) for i in range(40)])
    with pytest.raises(ValueError, match="from one model"):
        mb.probe.probe(states, y, test=(States(states.layers[:1], states.words), y))


def test_a_control_task_gives_a_type_its_label_wherever_it_stands():
    task = mb.probe.ControlTask(["A"] * 80 + ["B"] * 20, seed=1)
    words = [f"w{i}" for i in range(2000)]
    (labels,) = task.labels([words])
    assert labels == [task.label(word) for word in words]
    assert mb.probe.ControlTask(["B", *["A"] * 4], seed=1).labels([words]) == [labels]
    assert 0.75 < labels.count("A") / 2000 < 0.85
    assert mb.probe.ControlTask(["A", "B"], seed=2).labels([words]) != [labels]
    low = mb.probe.ControlTask(["A", "B"], lower=True)
    assert all(low.label(f"W{i}") == low.label(f"w{i}") for i in range(50))
    with pytest.raises(ValueError, match="at least one label"):
        mb.probe.ControlTask([])


def test_selectivity_is_what_the_task_has_over_its_control():
    states, y = made(80)
    task, control, over = mb.probe.selectivity(states, y, layers=[1])
    assert task[1] > 0.95 and control[1] < 0.7
    assert over == {1: task[1] - control[1]}


def test_baselines_know_no_context():
    states = States([torch.zeros(6, 1)], [["a", "b", "a"], ["b", "b", "c"]])
    test = States([torch.zeros(3, 1)], [["a", "b", "d"]])
    found = mb.probe.baselines((states, list("XYXYYY")), (test, list("XYX")))
    assert found == {"majority": pytest.approx(1 / 3), "most frequent tag": pytest.approx(2 / 3)}


@pytest.mark.parametrize(
    "kind, name",
    [
        (mb.BERT, "minibert-bert"),
        (mb.GPT, "minibert-gpt"),
        (mb.ELMo, "minibert-elmo"),
        (mb.AWDLSTM, "minibert-awd-lstm-backward"),
        (mb.Word2Vec, "minibert-word2vec"),
    ],
)
def test_an_untrained_model_has_the_same_shape(kind, name):
    model = kind.from_pretrained(name)
    fresh, again = mb.probe.untrained(model), mb.probe.untrained(model)
    a, b = (mb.probe.states(one, [["the", "dog"]]) for one in (model, fresh))
    assert [x.shape for x in a.layers] == [x.shape for x in b.layers]
    assert not torch.allclose(a.layers[-1], b.layers[-1])
    pairs = zip(fresh.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs) and not fresh.training
    with pytest.raises(ValueError, match="got a Linear"):
        mb.probe.untrained(torch.nn.Linear(1, 1))


def test_labels_that_follow_from_the_rows_take_fewer_bits():
    x, y = blobs(400)
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0)).tolist()
    easy, hard = mb.probe.online_code(x, y), mb.probe.online_code(x, [y[i] for i in order])
    assert easy.uniform == hard.uniform == pytest.approx(400 * math.log2(3))
    assert easy.bits < 0.3 * hard.bits and easy.compression > 3
    assert 0.7 < hard.compression < 1.1
    assert easy.blocks[0] == (0, math.log2(3)) and easy.blocks[-1][0] == 200


def test_a_code_is_of_all_labels_even_of_those_that_come_late():
    """By hand: the probe has learned from one label alone, which then has (n + 1) / (n + K)."""
    x, y = torch.zeros(4, 1), ["a", "a", "a", "a", "b"]
    found = mb.probe.online_code(torch.zeros(5, 1), y, parts=(0.2, 1.0), seed=3)
    first = 1.0  # log2(2)
    learned_a = 3 * -math.log2(2 / 3) - math.log2(1 / 3)
    learned_b = 4 * -math.log2(1 / 3)
    assert any(found.bits == pytest.approx(first + rest) for rest in (learned_a, learned_b))
    with pytest.raises(ValueError, match="growing shares"):
        mb.probe.online_code(torch.zeros(5, 1), y, parts=(0.5, 0.2, 1.0))
    with pytest.raises(ValueError, match="at least two labels"):
        mb.probe.online_code(x, ["a"] * 4)


def test_pairs_of_words_become_rows():
    states = States([torch.arange(10.0).view(5, 2)], [["a", "b"], ["c", "d", "e"]])
    found = mb.probe.pairs_of(states, [[(0, 1)], [(2, 0), (1, 1)]])
    assert found.lengths == [1, 2] and found.words[1] == [("e", "c"), ("d", "d")]
    assert found.layers[0].tolist() == [
        [0, 1, 2, 3, 0, 3],
        [8, 9, 4, 5, 32, 45],
        [6, 7, 6, 7, 36, 49],
    ]
    assert len(mb.probe.pairs_of(states, [[], []]).layers[0]) == 0
    with pytest.raises(ValueError, match="sentence 0 has 2 words, expected a pair, got .0, 2."):
        mb.probe.pairs_of(states, [[(0, 2)], []])
    with pytest.raises(ValueError, match="each of 2 sentences, got 1"):
        mb.probe.pairs_of(states, [[]])


def test_arcs_stand_beside_pairs_that_are_none():
    pairs, labels = mb.probe.arc_pairs([[1, -1, 1, 2], [-1], [1, -1]])
    assert pairs[1:] == [[], [(0, 1)]] and labels[2] == [True]
    heads = {(0, 1), (2, 1), (3, 2)}
    for pair, label in zip(pairs[0], labels[0], strict=True):
        assert (pair in heads) is label and pair[0] != pair[1]
    assert labels[0] == [True, False] * 3


def test_a_control_label_that_training_has_not_is_left_out():
    """Three words in training, of two control labels; words of the test were drawn the third."""
    real, new = ["X", "Y", "Z"], [f"new{i}" for i in range(30)]
    seed = next(
        n for n in range(99) if len({mb.probe.ControlTask(real, n).label(w) for w in "abc"}) == 2
    )
    torch.manual_seed(0)
    train = States([torch.randn(60, 4)], [list("abc")] * 20), [real] * 20
    test = States([torch.randn(30, 4)], [new]), [real * 10]
    task, control, _ = mb.probe.selectivity(*train, train, test, layers=[0], seed=seed)
    assert 0 <= task[0] <= 1 and 0 <= control[0] <= 1
