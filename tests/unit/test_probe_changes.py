"""`mb.probe.changed` and its kind: every model, every layer, and nothing that stays."""

import contextlib

import pytest
import torch

import minibert as mb

NAMES = {
    "minibert-word2vec": mb.Word2Vec,
    "minibert-elmo": mb.ELMo,
    "minibert-awd-lstm-forward": mb.AWDLSTM,
    "minibert-awd-lstm-backward": mb.AWDLSTM,
    "minibert-bert": mb.BERT,
    "minibert-gpt": mb.GPT,
}
HERE = "the baker opened the door .".split(), "a dog barked .".split()
THERE = "a mayor saw the red house".split(), "the cat slept ,".split()


@pytest.fixture(scope="module")
def models():
    return {name: kind.from_pretrained(name) for name, kind in NAMES.items()}


def inputs(model, sentences, left=False):
    """Two sentences of different length, padded at the end or (``left``) in front."""
    rows = [mb.probe.tokens_of(model, words)[0][0] for words in sentences]
    rows = [rows[0][:5], rows[1][:4]]
    length = len(rows[0])
    ids = rows[0].new_zeros(2, *rows[0].shape)
    mask = torch.ones(2, length, dtype=torch.long)
    ids[0] = rows[0]
    few = len(rows[1])
    place = slice(length - few, None) if left else slice(0, few)
    ids[1, place], mask[1] = rows[1], 0
    mask[1, place] = 1
    return {"input_ids": ids, "attention_mask": mask}


def hooks(model):
    """How many hooks there are in a model, of any kind."""
    return sum(
        len(h) for m in model.modules() for h in (m._forward_hooks, m._forward_pre_hooks)
    )  # fmt: skip


@torch.no_grad()
def states(model, given):
    return model.eval()(**given).hidden_states


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_layer_of_another_input_makes_all_above_it_the_others(models, name, left):
    model = models[name]
    here, there = inputs(model, HERE, left), inputs(model, THERE, left)
    real = here["attention_mask"].bool()
    wanted, before = states(model, there), states(model, here)
    for layer in range(len(wanted)):
        with mb.probe.changed(model, layer, value=wanted[layer]):
            found = states(model, here)
        for at, (a, b) in enumerate(zip(found, wanted, strict=True)):
            if at >= layer:
                torch.testing.assert_close(a[real], b[real], rtol=1e-4, atol=1e-5)
            else:
                torch.testing.assert_close(a[real], before[at][real], rtol=1e-4, atol=1e-5)
    assert hooks(model) == 0
    for a, b in zip(states(model, here), before, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_named_changes(models, name):
    model = models[name]
    given = inputs(model, HERE)
    before = states(model, given)
    for layer, h in enumerate(before):
        with mb.probe.changed(model, layer, units=[1, 3], tokens=[2], value=7.0):
            after = states(model, given)[layer]
        if name == "minibert-elmo" and layer == 0:  # the same vector twice
            half = h.shape[-1] // 2
            h, after = h[..., :half], after[..., :half]
        wanted = h.clone()
        wanted[:, 2, [1, 3]] = 7.0
        torch.testing.assert_close(after, wanted, rtol=1e-4, atol=1e-5)
        where = torch.zeros(2, h.shape[1], dtype=torch.bool)
        where[1, 0] = True
        with mb.probe.changed(model, layer, tokens=where):
            after = states(model, given)[layer]
        assert not after[1, 0].any()
        torch.testing.assert_close(after[0], before[layer][0], rtol=1e-4, atol=1e-5)


def test_a_model_that_reads_backward_is_changed_where_its_input_says(models):
    model = models["minibert-awd-lstm-backward"]
    given = inputs(model, HERE)
    before = states(model, given)[-1]
    with mb.probe.changed(model, 0, tokens=[2]):
        after = states(model, given)[-1]
        with pytest.raises(ValueError, match="reads backward tells no positions"):
            model.log_probs([5, 6, 7])
    assert torch.equal(after[0, 3:], before[0, 3:])
    assert not torch.isclose(after[0, :3], before[0, :3]).all()


@pytest.mark.parametrize("name", NAMES)
def test_hooks_come_off_whatever_happens(models, name):
    model = models[name].eval()
    given, quick = inputs(model, HERE), getattr(model, "quick", None)
    before = states(model, given)
    with pytest.raises(KeyboardInterrupt), mb.probe.changed(model, 0, units=[0]):
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="expected tokens from 0 to"):
        with mb.probe.changed(model, 0, units=[0], tokens=[99]):  # a hook that raises
            states(model, given)
    with pytest.raises(ValueError, match="the source's"):

        def fails():
            raise ValueError("the source's")

        one = {key: value[:1] for key, value in given.items()}
        mb.probe.patched(model, one, one, fails)
    assert hooks(model) == 0 and getattr(model, "quick", None) == quick
    assert all(map(torch.equal, states(model, given), before))


def test_hooks_come_off_a_part_that_has_left_the_model(models):
    model = mb.BERT(mb.BERTConfig(20, 8, 2, 2, hidden=8)).eval()
    block = model.stack.blocks[0]
    with mb.probe.changed(model, 1, units=[0]):
        model.stack.blocks[0] = torch.nn.Identity()
    assert not block._forward_hooks and hooks(model) == 0


@pytest.mark.parametrize("name", ["minibert-bert", "minibert-gpt"])
def test_heads_are_cut_before_the_projection(models, name):
    """As with a model whose projection ignores what these heads have found."""
    model, copy = models[name], NAMES[name].from_pretrained(name)
    given, size = inputs(model, HERE), model.config.dim // model.config.heads
    weight = copy.stack.blocks[1].attention.output.weight
    with torch.no_grad():
        weight[:, : 2 * size] = 0
        weight[:, 3 * size :] = 0
    with mb.probe.changed(model, 2, heads=[0, 1, *range(3, model.config.heads)]):
        found = states(model, given)
    for a, b in zip(found, states(copy, given), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["minibert-bert", "minibert-gpt"])
def test_a_neuron_is_set(models, name):
    model, copy = models[name], NAMES[name].from_pretrained(name)
    given, outer = inputs(model, HERE), copy.stack.blocks[0].ffn.outer
    with torch.no_grad():
        outer.bias += 3.0 * outer.weight[:, 5]
        outer.weight[:, 5] = 0
    with mb.probe.changed(model, 1, neurons=[5], value=3.0):
        found = states(model, given)
    for a, b in zip(found, states(copy, given), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    with (
        mb.probe.changed(model, 1, neurons=[5], value=3.0),
        mb.probe.recorded(model, 1, "neurons") as seen,
    ):  # the later hook sees what the first one did
        states(model, given)
    assert len(seen) == 1 and bool((seen[0][..., 5] == 3.0).all())


def test_heads_see_the_change_too(models):
    """And take the slow way for it: the fast one calls no blocks."""
    head = mb.heads.MaskedLM.from_pretrained("minibert-bert").eval()
    given = inputs(head.encoder, HERE)
    wanted = given["attention_mask"].bool()
    with torch.no_grad(), mb.probe.changed(head, 1, heads=[0]):
        fast, slow = head.states_at(given, wanted), head.read(**given)[wanted]
    assert torch.equal(fast, slow)
    assert not torch.allclose(fast, head.states_at(given, wanted))
    pairs = ["the dog sleeps ."], ["the dog sleep ."]
    with mb.probe.changed(head, 1, heads=[0]):
        cut = mb.probe.minimal_pairs(head, *pairs)
    assert cut.good != mb.probe.minimal_pairs(head, *pairs).good


def test_contexts_are_nested_and_carry_gradients(models):
    model = models["minibert-gpt"]
    given = inputs(model, HERE)
    value = torch.zeros(4, requires_grad=True)
    with contextlib.ExitStack() as stack:
        for units, number in (([0, 1, 2, 3], value), ([1], 5.0)):
            stack.enter_context(mb.probe.changed(model, 1, units=units, value=number))
        out = model.eval()(**given)
    assert (out.hidden_states[1][..., 1] == 5).all() and not out.hidden_states[1][..., 0].any()
    out.last_hidden_state.square().sum().backward()
    assert value.grad[0] != 0 and value.grad[1] == 0
    model.zero_grad()


@pytest.mark.parametrize("name", NAMES)
def test_recorded_states_are_the_models_own(models, name):
    model = models[name]
    given = inputs(model, HERE)
    wanted = states(model, given)
    for layer, h in enumerate(wanted):
        with mb.probe.recorded(model, layer) as seen:
            states(model, given)
            states(model, given)
        assert len(seen) == 2 and torch.equal(seen[0], h)
    assert hooks(model) == 0


@pytest.mark.parametrize("name", ["minibert-gpt", "minibert-elmo"])
def test_patching_puts_in_one_state_at_a_time(models, name):
    model = models[name].eval()
    ids = [mb.probe.tokens_of(model, words[:4])[0] for words in (THERE[0], HERE[0])]
    length = min(one.shape[1] for one in ids)
    source, target = ({"input_ids": one[:, :length]} for one in ids)

    def score():
        with torch.no_grad():
            return float(model(**target).last_hidden_state[0, -1, 0])

    found = mb.probe.patched(model, source, target, score)
    there = states(model, source)
    assert found.shape == (len(there), length)
    for layer, token in ((0, 0), (1, 1), (len(there) - 1, length - 1)):
        with mb.probe.changed(model, layer, tokens=[token], value=there[layer][:, token]):
            assert float(found[layer, token]) == pytest.approx(score(), rel=1e-5, abs=1e-6)
    assert float(found[-1, -1]) == pytest.approx(float(there[-1][0, -1, 0]), rel=1e-4, abs=1e-5)
    assert float(found[-1, 0]) == pytest.approx(score(), rel=1e-4, abs=1e-5)
    with pytest.raises(ValueError, match="two inputs .1, length. of equal length"):
        mb.probe.patched(model, source, {"input_ids": ids[1][:, :2]}, score)


def test_words_and_their_tokens(models):
    for name in ("minibert-bert", "minibert-gpt", "minibert-awd-lstm-backward"):
        model = models[name]
        ids, places = mb.probe.tokens_of(model, ["The", "Unaffable", "dog"])
        reader = mb.heads.reading.reader_of(model)
        said = [ids[0, place].tolist() for place in places]
        assert said == [reader.word(w, not i) for i, w in enumerate(["The", "Unaffable", "dog"])]
    with pytest.raises(ValueError, match="expected at least one word"):
        mb.probe.tokens_of(model, [])
    with pytest.raises(ValueError, match="expected 1 to 192 tokens, got 500 words"):
        mb.probe.tokens_of(models["minibert-gpt"], ["dog"] * 500)


@pytest.mark.parametrize(
    "name, options, told",
    [
        ("minibert-bert", {"layer": 99}, "a layer from 0 to . with state, got 99"),
        ("minibert-bert", {"layer": -1}, "a layer from 0 to . with state, got -1"),
        ("minibert-bert", {"layer": 0, "heads": [0]}, "a layer from 1 to . with heads, got 0"),
        ("minibert-bert", {"layer": 1, "heads": [9]}, "heads from 0 to ., got 9"),
        ("minibert-bert", {"layer": 1, "units": [0, 0]}, "units as different whole numbers"),
        ("minibert-bert", {"layer": 1, "units": []}, "units as different whole numbers"),
        ("minibert-bert", {"layer": 1, "units": [0], "heads": [0]}, "one of units, neurons and"),
        ("minibert-bert", {"layer": 1, "value": torch.ones(3)}, "a number or .* of them for each"),
        ("minibert-elmo", {"layer": 1, "heads": [0]}, "heads are parts of a BERT or a GPT"),
        ("minibert-awd-lstm-forward", {"layer": 1, "neurons": [0]}, "neurons are parts of a BERT"),
        ("minibert-word2vec", {"layer": 1}, "a layer from 0 to 0 with state, got 1"),
    ],
)
def test_parts_that_are_not_there_are_refused(models, name, options, told):
    model = models[name]
    with pytest.raises(ValueError, match=told), mb.probe.changed(model, **options):
        pass
    assert hooks(model) == 0


def test_what_is_no_model_of_the_family_is_refused(models):
    transformer = mb.Transformer(mb.TransformerConfig(20, 8, 1, 2, hidden=8))
    with pytest.raises(ValueError, match="expected a BERT, GPT, .* got a Transformer"):
        with mb.probe.changed(transformer, 0):
            pass
    with pytest.raises(ValueError, match="part must be 'state' or"):
        with mb.probe.recorded(models["minibert-bert"], 1, "head"):
            pass
    elmo = models["minibert-elmo"]
    with pytest.raises(ValueError, match="both halves of ELMo's layer 0"):
        with mb.probe.changed(elmo, 0, value=torch.arange(2.0 * elmo.config.projection)):
            states(elmo, inputs(elmo, HERE))
