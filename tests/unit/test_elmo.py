"""ELMo's parts by hand, the quick way against the readable one, and training."""

import math

import pytest
import torch

import minibert as mb
from minibert.models.elmo import fast
from minibert.models.elmo import model as elmo
from minibert.models.elmo import parts as bilm
from minibert.text.characters import spell_all

SPECIALS = ("<pad>", "<unk>", "<S>", "</S>")
SENTENCES = [["the", "cat", "sat"], ["a", "dog", "ran", "away", "from", "the", "cat"], ["dogs"]]
SMALL = {"dim": 7, "projection": 5, "char_dim": 3, "filters": ((1, 4), (2, 3), (4, 6))}


def make_vocab():
    return mb.text.Vocab.train(SENTENCES, specials=SPECIALS)


def make_model(seed=0, double=True, **settings):
    torch.manual_seed(seed)
    vocab = make_vocab()
    settings = {"dropout": 0.0, **SMALL, **settings}
    model = mb.ELMo(mb.ELMoConfig(len(vocab), **settings), vocab)
    with torch.no_grad():
        for layer in (*model.forward_layers, *model.backward_layers):
            for parameter in layer.parameters():
                parameter.normal_(std=0.8)  # so that both clips are at work
    return model.double() if double else model


def make_batches(model, lanes=2, bptt=4):
    spelled = model.config.input == "characters"
    return mb.text.BidirectionalBatches(SENTENCES * 3, model.vocab, lanes, bptt, spelled=spelled)


def test_the_character_network_by_hand():
    encoder = make_model().encoder
    word = spell_all(["cat"])  # (1, 50)
    x = encoder.embedding.weight[word[0]]  # (50, char_dim)
    found = []
    for filters in encoder.convolutions:
        number, _, width = filters.weight.shape
        for k in range(number):
            scores = [
                (x[i : i + width].T * filters.weight[k]).sum() + filters.bias[k]
                for i in range(50 - width + 1)
            ]
            found.append(max(0.0, max(score.item() for score in scores)))
    y = torch.tensor(found).double()
    for layer in encoder.highway:
        t = 1 / (1 + (-layer.gate(y)).exp())
        y = t * layer.transform(y).clamp(min=0) + (1 - t) * y
    torch.testing.assert_close(encoder(word)[0], encoder.projection(y))


def test_tanh_as_activation():
    word = spell_all(["cat", "dog"])
    relu, tanh = (make_model(activation=name).encoder for name in ("relu", "tanh"))
    x = tanh.embedding(word).mT
    found = torch.cat([filters(x).amax(-1) for filters in tanh.convolutions], -1)
    y = found.tanh()
    for layer in tanh.highway:
        y = layer(y)
    torch.testing.assert_close(tanh(word), tanh.projection(y))
    assert not torch.allclose(tanh(word), relu(word))


def test_an_lstm_with_projection_is_torchs_where_nothing_is_clipped():
    layer = make_model(cell_clip=None, proj_clip=None).forward_layers[0]
    torchs = torch.nn.LSTM(5, 7, proj_size=5, batch_first=True).double()
    torchs.load_state_dict(
        {
            "weight_ih_l0": layer.input.weight,
            "weight_hh_l0": layer.recurrent.weight,
            "bias_ih_l0": layer.input.bias,
            "bias_hh_l0": torch.zeros(28),
            "weight_hr_l0": layer.projection.weight,
        }
    )
    x, h, c = torch.randn(3, 6, 5).double(), torch.randn(3, 5).double(), torch.randn(3, 7).double()
    out, (last_h, last_c) = layer(x, (h, c), torch.ones(3, 6, dtype=torch.bool))
    want, (want_h, want_c) = torchs(x, (h[None], c[None]))
    torch.testing.assert_close(out, want)
    torch.testing.assert_close((last_h, last_c), (want_h[0], want_c[0]))


def test_clipping_limits_cells_and_outputs():
    layer = make_model(cell_clip=0.3, proj_clip=0.2).forward_layers[0]
    x = 5 * torch.randn(4, 9, 5).double()
    state = torch.zeros(4, 5).double(), torch.zeros(4, 7).double()
    out, (_, c) = layer(x, state, torch.ones(4, 9, dtype=torch.bool))
    assert out.abs().max() == 0.2 and c.abs().max() == 0.3
    h = layer.projection.weight @ torch.zeros(7).double()
    new_h, new_c = layer.step(x[0, 0], h, torch.zeros(7).double())
    i, f, g, o = (layer.input.weight @ x[0, 0] + layer.input.bias).view(4, 7)
    cell = (i.sigmoid() * g.tanh()).clamp(-0.3, 0.3)
    torch.testing.assert_close(new_c, cell)
    want = (layer.projection.weight @ (o.sigmoid() * cell.tanh())).clamp(-0.2, 0.2)
    torch.testing.assert_close(new_h, want)


def test_the_state_of_a_sentence_stays_where_it_ended():
    layer = make_model().forward_layers[0]
    x, mask = torch.randn(2, 6, 5).double(), torch.arange(6) < torch.tensor([[6], [4]])
    state = torch.randn(2, 5).double(), torch.randn(2, 7).double()
    out, (h, c) = layer(x, state, mask)
    alone, (h_alone, c_alone) = layer(x[1:, :4], [part[1:] for part in state], mask[1:, :4])
    torch.testing.assert_close((out[1:, :4], h[1:], c[1:]), (alone, h_alone, c_alone))
    assert (out[1, 4:] == 0).all()


def test_turning_round_leaves_padding_in_place():
    x = torch.arange(8.0).view(2, 4, 1)
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]).bool()
    assert bilm.turned(x, mask)[..., 0].tolist() == [[2, 1, 0, 3], [7, 6, 5, 4]]
    assert torch.equal(bilm.turned(bilm.turned(x, mask), mask), x)


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("source", ["characters", "words"])
def test_hidden_states_come_in_order_and_padding_is_zero(source, quick):
    model = make_model(input=source)
    model.quick = quick
    out = model.encode(SENTENCES)
    assert len(out.hidden_states) == 3 and out.last_hidden_state is out.hidden_states[-1]
    assert out.last_hidden_state.shape == (3, 7, 10)
    first = out.hidden_states[0]
    assert torch.equal(first[..., :5], first[..., 5:])  # the word vectors, twice
    if source == "words":
        want = model.encoder.weight[model.vocab["sat"]]
    else:
        want = model.encoder(spell_all(["sat"]))[0]
    torch.testing.assert_close(first[0, 2, :5], want)
    for layer in out.hidden_states:
        assert layer[0, 3:].abs().max() == 0 and layer[2, 1:].abs().max() == 0
    for row, words in enumerate(SENTENCES):  # alone, a sentence gives the same
        alone = model.encode([words]).last_hidden_state
        torch.testing.assert_close(out.last_hidden_state[row, : len(words)], alone[0])


def test_each_direction_sees_its_side_alone():
    model = make_model()
    one = model.encode([["the", "cat", "sat"]]).last_hidden_state[0]
    other = model.encode([["the", "cat", "ran"]]).last_hidden_state[0]
    torch.testing.assert_close(one[:2, :5], other[:2, :5])  # forward, before the changed word
    assert not torch.allclose(one[:2, 5:], other[:2, 5:])  # backward
    other = model.encode([["a", "cat", "sat"]]).last_hidden_state[0]
    torch.testing.assert_close(one[1:, 5:], other[1:, 5:])
    assert not torch.allclose(one[1:, :5], other[1:, :5])


def test_skip_connections_add_from_the_second_layer_on():
    with_skip, without = make_model(layers=3, skip=True), make_model(layers=3, skip=False)
    a, b = (model.encode(SENTENCES).hidden_states for model in (with_skip, without))
    assert torch.equal(a[1], b[1])
    torch.testing.assert_close(a[2], b[2] + b[1])
    assert not torch.allclose(a[3], b[3])


def test_carrying_on_is_reading_one_long_sentence():
    model = make_model()
    whole = ["the", "cat", "sat", "away"]
    ids, mask = mb.text.characters.spell_sentences([whole])
    tokens = model.encoder(ids)
    streams = tokens, tokens  # as training reads them
    at_once, _ = model.layers(streams)
    first, state = model.layers(tuple(x[:, :2] for x in streams))
    second, _ = model.layers(tuple(x[:, 2:] for x in streams), state)
    for number in range(2):
        for direction in range(2):
            parts = torch.cat((first[number][direction], second[number][direction]), 1)
            torch.testing.assert_close(parts, at_once[number][direction])


def test_fewer_or_more_sentences_may_be_carried_on():
    model = make_model()
    model.encode(SENTENCES, carry=True)
    kept = [c[:, :1].clone() for _, c in model.state]
    alone = model.encode(SENTENCES[:1], carry=True).last_hidden_state
    fresh = model.encode(SENTENCES[:1]).last_hidden_state
    assert not torch.allclose(alone, fresh) and all(c.abs().sum() > 0 for c in kept)
    more = model.encode(SENTENCES * 2, carry=True).last_hidden_state
    want = model.encode(SENTENCES).last_hidden_state[1:]
    torch.testing.assert_close(more[1:3], want)  # these begin anew


def gradients(model, batch):
    model.zero_grad()
    loss, count = model.loss(batch)
    loss.backward()
    return loss, count, {n: p.grad.clone() for n, p in model.named_parameters()}


@pytest.mark.parametrize("settings", [{}, {"cell_clip": None, "proj_clip": None}, {"layers": 1}])
@pytest.mark.parametrize("source", ["characters", "words"])
def test_the_quick_way_gives_the_same_losses_and_gradients(source, settings):
    settings = {"cell_clip": 0.7, "proj_clip": 0.6, **settings}
    quick, slow = make_model(input=source, **settings), make_model(input=source, **settings)
    slow.quick = False
    for batch in make_batches(quick).of_epoch(0):  # the state goes along
        (a, n, for_a), (b, m, for_b) = gradients(quick, batch), gradients(slow, batch)
        torch.testing.assert_close(a, b)
        assert n == m and for_a.keys() == for_b.keys()
        for name in for_a:
            torch.testing.assert_close(for_a[name], for_b[name], msg=name)


def test_the_quick_layer_differentiates_as_numbers_say():
    pair = [make_model(seed=s, cell_clip=0.9, proj_clip=0.8).forward_layers[0] for s in (1, 2)]
    inputs = [torch.randn(2, 3, 5).double().requires_grad_() for _ in range(2)]
    state = torch.randn(2, 2, 5).double() / 2, torch.randn(2, 2, 7).double() / 2
    mask = torch.ones(2, 3, dtype=torch.bool)
    weights = [p for one in pair for p in one.parameters()]

    def run(*_):
        return torch.stack(fast.layer(pair, inputs, state, mask)[0])

    assert torch.autograd.gradcheck(run, (*inputs, *weights), atol=1e-6)


def test_words_are_cut_only_where_nothing_changes():
    model = make_model()
    words = spell_all(["a", "understandable", "x" * 48, "cat", "é"])
    torch.testing.assert_close(fast.spelled_once(model.encoder, words), model.encoder(words))
    short = spell_all(["a", "be"])
    torch.testing.assert_close(fast.spelled_once(model.encoder, short), model.encoder(short))
    seen = []
    model.encoder.embedding.register_forward_pre_hook(lambda m, x: seen.append(x[0].shape))
    fast.spelled(model.encoder, short[[0, 1, 0, 1]].view(2, 2, 50))
    assert seen == [(2, 4 + 4)]  # two words; two letters, two marks, and the widest filter


def test_losses_are_those_of_a_softmax_shared_by_both_directions():
    model = make_model()
    batch = next(iter(make_batches(model)))
    (forward, n), (backward, m) = model.losses(batch)
    streams = [model.encoder(batch["characters"][batch[k]]) for k in ("input_ids", "backward_ids")]
    (top_f, top_b) = model.layers(streams)[0][-1]
    for top, name, loss in ((top_f, "targets", forward), (top_b, "backward_targets", backward)):
        log_p = torch.log_softmax(model.output(top), -1)
        want = -sum(
            log_p[i, j, target]
            for i, row in enumerate(batch[name].tolist())
            for j, target in enumerate(row)
            if target != -100
        )
        torch.testing.assert_close(loss, want)
    model.state = None
    total, count = model.loss(batch)
    torch.testing.assert_close(total, forward + backward)
    assert count == n + m == int((batch["targets"] >= 0).sum()) * 2


def test_dropout_falls_before_each_layer_and_before_the_softmax(monkeypatch):
    model, seen = make_model(dropout=0.5, layers=1, proj_clip=None), []
    monkeypatch.setattr(model, "softmax", lambda x, targets: seen.append(x) or (x.sum(), 1))
    for training in (True, False):
        model.train(training).loss(next(iter(make_batches(model))))
    assert all(0.2 < (x == 0).double().mean() < 0.8 for x in seen[:2])
    assert all((x != 0).all() for x in seen[2:])


def test_a_fresh_layer_remembers():
    layer = bilm.LSTMP(3, 4, 2)
    assert layer.input.bias.view(4, 4).tolist() == [[0] * 4, [1] * 4, [0] * 4, [0] * 4]


def test_the_sampled_softmax_by_its_formula():
    model = make_model(softmax="sampled", negatives=4)
    hidden, targets = torch.randn(3, 5).double(), torch.tensor([2, -100, 6])
    drawn = torch.tensor([1, 6, 3, 3])
    weight, bias = model.output.weight, model.output.bias
    loss, count = bilm.sampled_softmax(hidden, weight, bias, targets, drawn=drawn)
    V, want = len(model.vocab), 0.0

    def score(word, h):
        return float((h @ weight[word] + bias[word]).detach())

    def log_expected(word):
        return math.log(4 * math.log((word + 2) / (word + 1)) / math.log(V + 1))

    for h, target in ((hidden[0], 2), (hidden[2], 6)):
        others = [score(w, h) - log_expected(w) for w in drawn.tolist() if w != target]
        true = score(target, h)
        want += math.log(math.exp(true) + sum(map(math.exp, others))) - true
    assert count == 2 and loss.item() == pytest.approx(want, rel=1e-6)


def test_a_large_sample_comes_near_the_full_softmax():
    model = make_model(softmax="sampled", negatives=200_000)
    hidden, targets = torch.randn(4, 5).double(), torch.tensor([4, 5, -100, 0])
    sampled, n = model.train().softmax(hidden, targets)
    full, m = model.eval().softmax(hidden, targets)
    assert n == m == 3 and sampled != full
    torch.testing.assert_close(sampled, full, rtol=0.01, atol=0)


@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_a_small_text_is_learned(softmax):
    sizes = {"dim": 24, "projection": 12, "negatives": 20}
    torch.manual_seed(1)
    vocab = make_vocab()
    config = {**SMALL, **sizes, "softmax": softmax, "dropout": 0.0}
    model = mb.ELMo(mb.ELMoConfig(len(vocab), **config), vocab)
    batches = make_batches(model, lanes=2, bptt=7)
    before = mb.training.evaluate(model, batches)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    mb.fit(model, batches, steps=100, optimizer=optimizer, progress=False)
    assert mb.training.evaluate(model, batches) < before / 3


def test_the_state_goes_from_batch_to_batch_and_can_be_saved():
    model = make_model()
    first, second, *_ = make_batches(model)
    model.loss(first)
    saved = model.stream_state()
    after = model.loss(second)[0]
    model.load_stream_state(None)
    assert not torch.isclose(model.loss(second)[0], after)
    model.load_stream_state(saved)
    torch.testing.assert_close(model.loss(second)[0], after)
    assert not any(part.requires_grad for pair in saved for part in pair)


def test_scalar_mix_by_hand():
    mix = elmo.ScalarMix(3)
    layers = [torch.randn(2, 4, 5) for _ in range(3)]
    torch.testing.assert_close(mix(layers), sum(layers) / 3)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([0.0, 1.0, -1.0]))
        mix.gamma.fill_(2.0)
    e = math.e
    total = 1 + e + 1 / e
    want = 2 * (layers[0] / total + layers[1] * e / total + layers[2] / e / total)
    torch.testing.assert_close(mix(layers), want)
    torch.testing.assert_close(mix(torch.stack(layers)), want)
    with pytest.raises(ValueError, match="expected 3 layers, got 2"):
        mix(layers[:2])


def test_scalar_mix_with_layers_brought_to_one_scale():
    mix = elmo.ScalarMix(2, layer_norm=True)
    h = torch.randn(3, 6)
    want = (h - h.mean(-1, keepdim=True)) / (h.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(mix([100 * h, 100 * h]), want, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"input": "bytes"}, "input must be 'characters' or 'words', got 'bytes'"),
        ({"softmax": "half"}, "softmax must be"),
        ({"activation": "gelu"}, "activation must be"),
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"input": "words"}, "words need a vocabulary"),
        ({"filters": ((60, 4),)}, "filters must span"),
        ({"filters": ()}, "filters must span"),
    ],
)
def test_configs_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        mb.ELMoConfig(**settings)


def test_misuse_is_told_in_one_sentence():
    model = make_model()
    with pytest.raises(ValueError, match="expected input_ids .batch, length, symbols."):
        model(torch.ones(2, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="expected a vocabulary of vocab_size=3"):
        mb.ELMo(mb.ELMoConfig(3, **SMALL), make_vocab())
    with pytest.raises(ValueError, match="no softmax"):
        mb.ELMo(mb.ELMoConfig(**SMALL)).softmax(torch.zeros(1, 5), torch.zeros(1).long())
    with pytest.raises(ValueError, match="no vocabulary"):
        config = mb.ELMoConfig(8, input="words", **SMALL)
        mb.ELMo(config).encode([["cat"]])
