"""The widgets of the probing chapters: maps of words, heads, neurons, and the bench of probes."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

import minibert as mb
from minibert.show.context_map import aligned, flat, places_of, side_by_side
from minibert.show.heads_explorer import habits_of
from minibert.show.neurons import continued
from minibert.show.probe_bench import LEFT, MANY


def spirals(layers=4, n=12):
    """States of ``n`` words in six numbers: a figure that turns by 70 degrees a layer."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2)) * [3, 1]
    x -= x.mean(0)
    found = []
    for layer in range(layers):
        a = np.deg2rad(70 * layer)
        turn = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
        found.append(torch.tensor(np.pad(x @ turn * (layer + 1), ((0, 0), (0, 4)))).float())
    sentences = [["the", f"w{i}", "."] for i in range(n)]
    rows = [torch.zeros(3 * n, 6) for _ in found]
    for row, states in zip(rows, found, strict=True):
        row[1::3] = states
    return mb.probe.States(rows, sentences), sentences


def test_a_figure_that_only_turns_stays_where_it_is():
    states, sentences = spirals()
    widget = mb.show.ContextMap(states, sentences, [1] * len(sentences))
    for points in widget.points[1:]:
        np.testing.assert_allclose(points, widget.points[0], atol=1e-5)
    x, y = (np.array(line.get_data()) for line in (widget._map(0, 0, "a").axes[0].lines[0],) * 2)
    np.testing.assert_allclose(x.T, widget.points[0])
    assert (x == y).all()


def test_maps_are_mirrored_and_scaled_and_keep_their_own_plane():
    rng = np.random.default_rng(1)
    x = flat(rng.normal(size=(9, 5)))
    assert np.sqrt((x**2).sum(1).mean()) == pytest.approx(1.0)
    first, second = aligned([x, x * [1, -1]])
    np.testing.assert_allclose(first, second, atol=1e-9)
    other = rng.normal(size=(9, 2))
    turned = aligned([x, other])[1]
    np.testing.assert_allclose(turned @ turned.T, other @ other.T, atol=1e-9)  # no distance changed
    assert not flat(np.ones((5, 3))).any()


def test_the_neighbours_and_chance_are_counted():
    states, sentences = spirals(1, 6)
    labels = ["a", "a", "a", "b", "b", "c"]
    widget = mb.show.ContextMap(states, sentences, [1] * 6, labels=labels)
    assert widget.chance() == pytest.approx((3 * 2 + 2 * 1) / (6 * 5))
    x = widget.layers[0] / np.linalg.norm(widget.layers[0], axis=1, keepdims=True)
    likeness = x @ x.T - 9 * np.eye(6)
    same = np.mean([labels[i] == labels[j] for i, j in enumerate(likeness.argmax(1))])
    assert f"same label for {same:.0%} of the points, and 27% would" in widget.frame.text
    assert widget.frame.table[1][:2] == ["chosen", "a"] and "[w0]" in widget.frame.table[1][2]
    assert widget.frame.table[2][2].find(f"[w{likeness[0].argmax()}]") >= 0
    lines = widget._map(0, 0, "x").axes[0].lines
    looks = {(line.get_label(), line.get_marker(), to_hex(line.get_color())) for line in lines[:3]}
    assert len({look[1] for look in looks}) == len({look[2] for look in looks}) == 3


def test_points_in_one_place_share_the_nearest_neighbour_and_are_drawn_side_by_side():
    vectors = torch.tensor([[1.0, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1]])
    states = mb.probe.States([vectors], [[f"w{i}"] for i in range(6)])
    widget = mb.show.ContextMap(states, states.words, [0] * 6, labels="abbaaa")
    wanted = (1 / 3 * 4 + 2) / 6  # of three equals one has the label; the last two have each other
    assert widget.alike(0) == pytest.approx(wanted)
    assert f"for {wanted:.0%} of the points" in widget.frame.text
    assert "Up to 4 points are in one place" in widget.frame.text
    shown = np.concatenate(
        [line.get_data() for line in widget._map(0, 0, "x").axes[0].lines[:2]], 1
    )
    far = np.linalg.norm(shown[:, :, None] - shown[:, None], axis=0) + np.eye(6)
    assert far.min() > 0.05
    np.testing.assert_allclose(side_by_side(np.eye(2)), np.eye(2))


def test_words_in_context_come_from_any_model():
    elmo = mb.ELMo.from_pretrained("minibert-elmo")
    sentences = ["The king opened the door.", "A king slept.", "Nobody saw the king."]
    widget = mb.show.ContextMap(elmo, sentences, "king", labels="abc")
    wanted = mb.probe.states(elmo, sentences)
    np.testing.assert_allclose(widget.layers[2][1], wanted.sentence(1)[2][1].numpy(), rtol=1e-5)
    text = widget.frame.text
    widget.controls["layer"].value = 2
    assert widget.frame.text != text and "layer 2" in widget.frame.text


def test_a_map_refuses_what_does_not_fit():
    states, sentences = spirals()
    assert places_of([["A", "b"], ["b"]], "B") == [1, 0]
    for words, told in (("w3", "Sentence 0 has no word 'w3'"), ([1], "a word for each of 12"),
                        ([7] * 12, "no word 7")):  # fmt: skip
        with pytest.raises(ValueError, match=told):
            mb.show.ContextMap(states, sentences, words)
    with pytest.raises(ValueError, match="12 labels, one a sentence"):
        mb.show.ContextMap(states, sentences, 1, labels=["a"])
    with pytest.raises(ValueError, match="those of others"):
        mb.show.ContextMap(states, [["x", *one[1:]] for one in sentences], 1)
    with pytest.raises(ValueError, match="at most 6 labels"):
        mb.show.ContextMap(states, sentences, 1, labels=range(12))
    with pytest.raises(ValueError, match="3 sentences or more"):
        mb.show.ContextMap(states.part([0, 1]), sentences[:2], 1)
    with pytest.raises(ValueError, match="a layer from 0 to 3"):
        mb.show.ContextMap(states, sentences, 1, layer=4)


@pytest.fixture(scope="module")
def bert():
    return mb.heads.Pretraining.from_pretrained("minibert-bert")


@pytest.fixture(scope="module")
def gpt():
    return mb.GPT.from_pretrained("minibert-gpt")


@pytest.fixture(scope="module")
def awd():
    return mb.AWDLSTM.from_pretrained("minibert-awd-lstm-reviews-forward")


SENTENCE = "The king opened the door."


def test_all_heads_and_the_chosen_one_are_those_of_the_model(bert):
    widget = mb.show.HeadsExplorer(bert, SENTENCE, layer=2, head=1)
    ids = bert.encoder.tokenizer.pair(SENTENCE)["input_ids"]
    with torch.no_grad():
        found = bert.encoder.eval()(torch.tensor([ids]), output_attentions=True).attentions
    wanted, n = torch.stack(found)[:, 0].numpy(), len(ids)
    np.testing.assert_allclose(widget.passes.of(SENTENCE).looks, wanted, atol=1e-6)
    habits = habits_of(wanted[1, 1])
    assert widget.frame.table[2][1] == f"{habits['the token before']:.2f}"
    widget.set(token=3, head=2)  # the token number 2 looks
    row = wanted[1, 2, 2]
    tokens = widget.passes.tokens(SENTENCE)
    told = f"“{tokens[2]}” looks most at “{tokens[row.argmax()]}” ({row.max():.2f})"
    assert told in widget.frame.text and n == len(tokens)


def test_the_picture_of_all_heads_has_every_weight(bert):
    from minibert.show import figures
    from minibert.show.heads_explorer import arcs, glance

    weights = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 2, 3))
    _, (left, right) = figures.new("t", columns=2)
    glance(left, weights, 1, 0)
    canvas = left.images[0].get_array()
    np.testing.assert_allclose(canvas[:3, :3], weights[1, 0])  # the last layer stands on top
    np.testing.assert_allclose(canvas[4:7, 4:7], weights[0, 1])
    weights[0, 0, 1] = [0.5, 0.01, 0.49]  # what is next to nothing is not drawn
    arcs(right, ["a", "b", "c"], weights[0, 0], 1)
    (lines,) = right.collections
    np.testing.assert_allclose(np.array(lines.get_linewidths()), [2.5, 2.46])
    assert [line.tolist() for line in lines.get_segments()] == [[[0, 1], [1, 0]], [[0, 1], [1, 2]]]


def test_habits_are_means_over_the_tokens_that_have_such_a_place():
    weights = np.array([[1.0, 0, 0], [0.6, 0.4, 0], [0, 0.5, 0.5]])
    found = habits_of(weights)
    assert found == pytest.approx(
        {"itself": 1.9 / 3, "the token before": 0.55, "the token after": 0.0,
         "the first token": 1.6 / 3, "the last token": 0.5 / 3}
    )  # fmt: skip
    assert habits_of(np.ones((1, 1)))["itself"] == 1.0


def test_heads_are_refused_where_there_are_none(bert, awd):
    with pytest.raises(ValueError, match="Attention is a part of a BERT or a GPT"):
        mb.show.HeadsExplorer(awd, SENTENCE)
    with pytest.raises(ValueError, match="layers 1 to 4 and heads 0 to 3"):
        mb.show.HeadsExplorer(bert, SENTENCE, layer=0)
    widget = mb.show.HeadsExplorer(bert, SENTENCE)
    widget.set(text=" ")
    assert "type a text" in widget.message


@pytest.mark.parametrize("layer", [1, 2])
def test_a_unit_of_an_lstm_is_set_in_the_state_that_it_goes_on_from(layer):
    vocab = mb.text.Vocab(["<unk>", "<s>", *"abcdefghijklmnopqrstuvwxyz"])
    torch.manual_seed(0)
    model = mb.AWDLSTM(mb.AWDLSTMConfig(len(vocab), dim=5, hidden=7, layers=2), vocab).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    cells = []
    for one in model.layers:
        cells.append(torch.nn.LSTMCell(one.weight_ih.shape[1], one.outputs))
        cells[-1].load_state_dict(one.state_dict())
    ids, new = vocab.encode(["<s>", *"abc"]), []
    states = [(torch.zeros(1, one.outputs), torch.zeros(1, one.outputs)) for one in model.layers]
    with torch.no_grad():
        while len(new) < 9:
            x = model.embedding(torch.tensor(ids[:1]))
            for number, cell in enumerate(cells):
                h, c = cell(x, states[number])
                if number + 1 == layer:
                    h[:, 3] = -2.0  # what is read above, and at the next step
                x, states[number] = h, (h, c)
            ids = ids[1:]
            if not ids:
                logits = model.decoder(x)[0]
                logits[vocab.unk_id] = -torch.inf
                ids = [int(logits.argmax())]
                new += ids
    wanted = mb.text.tokens.detokenise([vocab.tokens[i] for i in new])
    given = vocab.encode(["<s>", *"abc"])
    assert continued(model, given, 9, (layer, 3, -2.0)) == wanted
    assert continued(model, given, 9) != wanted


@pytest.mark.parametrize("name", ["gpt", "awd"])
def test_a_unit_colours_the_text_and_setting_it_changes_what_is_written(name, request):
    model = request.getfixturevalue(name)
    text = "The king opened the door and"
    widget = mb.show.NeuronExplorer(model, text, 3, 5, steps=8)
    tokens, states = widget.read(text)
    ids = widget.ids(text)
    plain = continued(model, ids, 8)
    assert widget.frame.text == f"As it is, the text goes on: {plain}"
    top = tokens[int(states[3][:, 5].argmax())]
    assert f"the largest are {top} {float(states[3][:, 5].max()):.2f}" in widget.frame.alt
    widget.controls["value"].value = widget.controls["value"].max
    assert widget.controls["set_it"].value
    turned = continued(model, ids, 8, (3, 5, float(widget.controls["value"].value)))
    assert f"With the unit at {widget.controls['value'].value:.2f}: {turned}" in widget.frame.text
    assert ("differ" in widget.frame.text) == (plain != turned)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_setting_every_unit_in_turn_changes_some_text(gpt):
    ids = gpt.tokenizer.encode("The king opened the")
    plain = continued(gpt, ids, 3)
    with mb.probe.changed(gpt, 4, units=[0, 1, 2], value=30.0):
        assert continued(gpt, ids, 3) != plain
    assert continued(gpt, ids, 3) == plain


def test_what_an_lstm_writes_is_likeliest_at_each_step(awd):
    ids = [awd.config.start_id, *awd.vocab.encode("the price was".split())]
    told = continued(awd, ids, 4)
    for _ in range(4):
        out = awd.eval()(torch.tensor([ids])).last_hidden_state
        logits = awd.decoder(out[0, -1])
        logits[awd.vocab.unk_id] = -torch.inf
        ids = [*ids, int(logits.argmax())]
    assert told == mb.text.tokens.detokenise([awd.vocab.tokens[i] for i in ids[-4:]])


def test_neurons_that_are_not_there_and_models_that_do_not_write(gpt, awd, bert):
    with pytest.raises(ValueError, match="a unit from 0 to 191 in layer 2"):
        mb.show.NeuronExplorer(gpt, SENTENCE, 2, 192)
    with pytest.raises(ValueError, match="layer from 0 to 4"):
        mb.show.NeuronExplorer(gpt, SENTENCE, 5, 0)
    back = mb.AWDLSTM.from_pretrained("minibert-awd-lstm-backward")
    for model in (bert, back):
        with pytest.raises(ValueError, match="reads forward"):
            mb.show.NeuronExplorer(model, SENTENCE)
    widget = mb.show.NeuronExplorer(gpt, SENTENCE, 2, 0, steps=2)
    widget.set(unit=500)
    assert "the units 0 to 191" in widget.message
    widget.set(unit=0, text="")
    assert "type a text" in widget.message
    widget.set(text="the king " * 150)
    assert "the explorer reads" in widget.message


def test_coloured_text_says_and_shows_its_numbers():
    figure = mb.show.coloured_text(["good", "bad", "so"] * 9, [1, -2, 0] * 9, "t", unit="feeling")
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["good", "bad", "so"] * 9
    colours = [to_hex(text.get_bbox_patch().get_facecolor()) for text in texts[:3]]
    assert len({*colours}) == 3 and min(bytes.fromhex(colours[2][1:])) > 240
    lines = sorted({text.get_position()[1] for text in texts}, reverse=True)
    assert len(lines) > 1  # it does not run out of the picture
    for text in texts:
        box = text.get_window_extent(figure.canvas.get_renderer())
        assert box.x1 < figure.axes[0].get_window_extent().x1 + 10
    assert "largest are good 1.00" in figure.alt and "smallest bad -2.00" in figure.alt
    with pytest.raises(ValueError, match="for each of 2 tokens"):
        mb.show.coloured_text(["a", "b"], [1.0])


TABLE = {
    "BERT": {"POS": {0: 0.80, 1: 0.88, 2: 0.93, "mix": 0.94}, "depth": [0.3, 0.4, 0.5]},
    "ELMo": {"POS": [0.82, 0.9]},
}
BASE = {"POS": {"majority": 0.2, "most frequent tag": 0.86}}


def test_a_bench_draws_scores_and_baselines():
    widget = mb.show.ProbeBench(TABLE, BASE, {"BERT": {"POS": [0.7, 0.6, 0.5]}})
    lines = {line.get_label(): line for line in widget._lines("POS").axes[0].lines}
    np.testing.assert_allclose(lines["BERT"].get_xdata(), [0, 0.5, 1])
    np.testing.assert_allclose(lines["BERT"].get_ydata(), [0.8, 0.88, 0.93])
    np.testing.assert_allclose(lines["ELMo"].get_xdata(), [0, 1])
    np.testing.assert_allclose(lines["BERT, control"].get_ydata(), [0.7, 0.6, 0.5])
    assert lines["most frequent tag: 0.86"].get_ydata()[0] == 0.86
    assert lines["BERT"].get_marker() != lines["ELMo"].get_marker()
    assert "BERT is best in layer 2 of 2 (0.930)" in widget.frame.text
    assert "The best baseline is most frequent tag with 0.860" in widget.frame.text
    assert widget.frame.table == [
        ["model", "0", "1", "2", "mix"],
        ["BERT", "0.800", "0.880", "0.930", "0.940"],
        ["ELMo", "0.820", "0.900", "", ""],
    ]
    widget.controls["property"].value = "depth"
    assert "No baseline was given" in widget.frame.text


def test_a_bench_shows_one_model_and_what_is_left():
    widget = mb.show.ProbeBench(TABLE, BASE)
    matrix = widget._map("BERT", False).axes[0].images[0].get_array()
    np.testing.assert_allclose(matrix, [[0.8, 0.88, 0.93], [0.3, 0.4, 0.5]])
    left = widget._map("BERT", True).axes[0].images[0].get_array()
    np.testing.assert_allclose(left, [[-0.06, 0.02, 0.07]])
    widget.set(view=MANY)
    assert "BERT: accuracy" in widget.frame.alt and widget.message == ""
    widget = mb.show.ProbeBench({"BERT": {"depth": [0.1, 0.2]}})
    widget.set(view=LEFT)
    assert "No property of BERT has a baseline" in widget.message


def test_a_bench_takes_what_probes_give_and_refuses_the_rest():
    scores = mb.probe.Scores({0: 0.5, 1: 0.75, "mix": 0.7}, {})
    widget = mb.show.ProbeBench({"GPT": {"tense": scores}})
    assert widget.scores == {"GPT": {"tense": {0: 0.5, 1: 0.75, "mix": 0.7}}}
    with pytest.raises(ValueError, match="got none"):
        mb.show.ProbeBench({})
    with pytest.raises(ValueError, match="at least one layer"):
        mb.show.ProbeBench({"GPT": {"tense": {"mix": 0.5}}})
    with pytest.raises(ValueError, match="No model was probed for 'number'"):
        mb.show.ProbeBench({"GPT": {"tense": scores}}, {"number": {"majority": 0.5}})


@pytest.mark.parametrize("kind", ["ContextMap", "HeadsExplorer", "NeuronExplorer", "ProbeBench"])
def test_first_frames_are_plain_figures_with_alt_text(kind, bert, gpt):
    states, sentences = spirals()
    made = {
        "ContextMap": lambda: mb.show.ContextMap(states, sentences, 1),
        "HeadsExplorer": lambda: mb.show.HeadsExplorer(bert, SENTENCE),
        "NeuronExplorer": lambda: mb.show.NeuronExplorer(gpt, SENTENCE, 1, 3, steps=2),
        "ProbeBench": lambda: mb.show.ProbeBench(TABLE),
    }
    widget = made[kind]()
    data, metadata = widget._still
    assert len(metadata["image/png"]["alt"]) > 30 and data["image/png"]
