"""What is added to a model that rests: it learns, it comes off, and it is saved on its own."""

import copy
import json

import pytest
import torch

import minibert as mb
from minibert.heads.tagger import span_f1
from minibert.models.transformer import fast
from minibert.storage.bundled import BUNDLED
from minibert.transfer import METHODS

CONFIG = {"vocab_size": 50, "dim": 12, "layers": 2, "heads": 3, "hidden": 24, "dropout": 0.0}
SETTINGS = {"lora": {"rank": 2}, "adapters": {"size": 4}, "bitfit": {}, "prompts": {"length": 3}}
SETTINGS["pal"] = {"size": 6, "heads": 2}
IDS = torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
both = pytest.mark.parametrize("kind", ["BERT", "GPT"])
every = pytest.mark.parametrize("method", sorted(METHODS))


def model(kind, seed=0, **options):
    mb.seed_everything(seed)
    config = getattr(mb, f"{kind}Config")(**CONFIG | {"attention_dropout": 0.0} | options)
    return getattr(mb, kind)(config).eval()


def states(model, ids=IDS, mask=MASK, **options):
    return model(ids, attention_mask=mask, **options).last_hidden_state[mask.bool()]


def moved(model):
    """Move everything that learns by one step, far from where it was."""
    mb.seed_everything(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.add_(torch.randn_like(parameter), alpha=0.3)


@both
@every
def test_it_learns_and_the_rest_rests(kind, method):
    net = model(kind)
    plain = {name: value.clone() for name, value in net.state_dict().items()}
    before = states(net)
    mb.transfer.add(net, method, **SETTINGS[method])
    if method in ("lora", "bitfit", "pal"):
        assert torch.allclose(states(net), before, atol=1e-6)
    elif method == "adapters":  # near the identity
        assert (states(net) - before).abs().max() < 0.05
    states(net).square().sum().backward()
    learning = {name for name, p in net.named_parameters() if p.requires_grad}
    moving = {name for name, p in net.named_parameters() if p.grad is not None}
    assert learning - moving <= {"pooler.dense.bias"} and moving <= learning  # no state needs that
    moved(net)
    assert not torch.allclose(states(net), before, atol=1e-3)
    counts = mb.transfer.counts(net)
    assert 0 < counts.learning < counts.all == sum(p.numel() for p in net.parameters())
    mb.transfer.remove(net)
    assert {name: value.tolist() for name, value in net.state_dict().items()} == {
        name: value.tolist() for name, value in plain.items()
    }
    assert torch.equal(states(net), before)
    assert all(p.requires_grad for p in net.parameters())


@both
@every
def test_what_was_frozen_stays_frozen_and_modes_follow(kind, method):
    net = model(kind).train()
    mb.transfer.freeze(net, 1)
    frozen = [p.requires_grad for p in net.parameters()]
    mb.transfer.add(net, method, **SETTINGS[method])
    assert all(module.training for module in net.modules())
    net.eval()
    assert not any(module.training for module in net.modules())
    mb.transfer.remove(net)
    assert [p.requires_grad for p in net.parameters()] == frozen
    assert not any(module.training for module in net.modules())


@both
@every
def test_saved_apart_and_read_back(kind, method, tmp_path):
    net = model(kind)
    mb.transfer.add(net, method, **SETTINGS[method])
    moved(net)
    mb.transfer.save_added(net, tmp_path)
    other = model(kind)
    mb.transfer.load_added(other, tmp_path)
    assert torch.equal(states(other), states(net))
    stranger = model(kind, seed=5)
    kept = copy.deepcopy(stranger.state_dict())
    with pytest.raises(ValueError, match="learned on a model with other weights than this one"):
        mb.transfer.load_added(stranger, tmp_path)
    assert all(torch.equal(value, kept[name]) for name, value in stranger.state_dict().items())
    assert mb.transfer.added_to(stranger) is None


@both
@every
def test_padding_changes_nothing(kind, method):
    net = model(kind)
    mb.transfer.add(net, method, **SETTINGS[method])
    moved(net)
    alone = states(net, IDS[1:, :3], MASK[1:, :3])
    assert torch.allclose(states(net)[5:], alone, atol=1e-5)


@both
@pytest.mark.parametrize("method", ["lora", "adapters"])
def test_the_fast_path_computes_the_same(kind, method):
    net = model(kind)
    mb.transfer.add(net, method, **SETTINGS[method])
    moved(net)
    assert fast.suits(net, IDS)
    wanted = torch.tensor([[1, 0, 1, 0, 0], [0, 1, 0, 0, 0]]).bool()
    quick = net.states_at(IDS, MASK, wanted=wanted)
    assert torch.allclose(quick, net(IDS, MASK).last_hidden_state[wanted], atol=1e-5)
    learning = [p for p in net.parameters() if p.requires_grad]
    slow = torch.autograd.grad(net(IDS, MASK).last_hidden_state[wanted].square().sum(), learning)
    ours = torch.autograd.grad(quick.square().sum(), learning)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ours, slow, strict=True))


def test_lora_with_dropout_takes_the_slow_path_while_it_learns():
    net = model("BERT").train()
    mb.transfer.add(net, "lora", rank=2, dropout=0.5)
    assert not fast.suits(net, IDS) and fast.suits(net.eval(), IDS)


@pytest.mark.parametrize("method", ["prompts", "pal"])
def test_others_take_the_slow_path(method):
    net = model("BERT")
    mb.transfer.add(net, method, **SETTINGS[method])
    assert not fast.suits(net, IDS)


@pytest.mark.parametrize("method", ["lora", "adapters", "bitfit", "prompts"])
def test_a_gpt_writes_the_same_with_its_cache(method):
    net = model("GPT")
    mb.transfer.add(net, method, **SETTINGS[method])
    moved(net)
    first = net(IDS[:1, :3])
    after = net(IDS[:1, 3:], past=first.past).last_hidden_state
    assert torch.allclose(after, net(IDS[:1]).last_hidden_state[:, 3:], atol=1e-5)
    assert first.past[0][0].shape[2] == 3


def test_projected_attention_has_no_cache():
    net = model("GPT")
    mb.transfer.add(net, "pal", size=6, heads=2)
    past = net(IDS[:1, :3]).past
    with pytest.raises(ValueError, match="no cache: write with cache=False"):
        net(IDS[:1, 3:], past=past)


def test_prompts_are_read_in_front_of_the_text():
    """By hand: the vectors and the embedded text through the blocks, and the text's part of it."""
    net = model("BERT")
    mb.transfer.add(net, "prompts", length=3)
    net.stack.vectors.data.normal_()
    x = torch.cat((net.stack.vectors[None], net.embeddings(IDS[:1], None, None)), 1)
    for block in net.stack.blocks:
        x = block(x)[0]
    out = net(IDS[:1], output_attentions=True)
    assert torch.allclose(out.last_hidden_state, x[:, 3:], atol=1e-5)
    assert out.attentions[0].shape == (1, 3, 5, 5) and out.attentions[0].sum(-1).max() < 1


@both
def test_prompts_are_a_layer_of_their_own_behind_the_embeddings(kind):
    net = model(kind)
    plain = mb.transfer.layer_groups(net)
    mb.transfer.add(net, "prompts", length=3)
    first, prompts, *others = mb.transfer.layer_groups(net)
    assert len(prompts) == 1 and prompts[0] is net.stack.vectors
    assert [*map(len, [first, *others])] == [*map(len, plain)]


def test_lora_by_hand():
    net = model("BERT")
    mb.transfer.add(net, "lora", rank=2, alpha=6, layers=("query", "inner"))
    moved(net)
    lora, x = net.stack.blocks[0].ffn.inner, torch.randn(4, 12)
    by_hand = x @ lora.linear.weight.T + lora.linear.bias
    by_hand = by_hand + 6 / 2 * (x @ lora.down.weight.T) @ lora.up.weight.T
    assert torch.allclose(lora(x), by_hand, atol=1e-5)
    assert not hasattr(net.stack.blocks[0].attention.value, "down")


def test_an_adapter_by_hand():
    net = model("BERT")
    mb.transfer.add(net, "adapters", size=4, activation="relu")
    moved(net)
    adapted, x = net.stack.blocks[1].attention.output, torch.randn(4, 12)
    y = x @ adapted.linear.weight.T + adapted.linear.bias
    down, up = adapted.adapter.down, adapted.adapter.up
    by_hand = y + (y @ down.weight.T + down.bias).relu() @ up.weight.T + up.bias
    assert torch.allclose(adapted(x), by_hand, atol=1e-5)


def test_projected_attention_by_hand():
    """Beside the whole block, before its last norm; both projections are one for all blocks."""
    net = model("BERT")
    mb.transfer.add(net, "pal", size=6, heads=2)
    moved(net)
    block, x = net.stack.blocks[0], torch.randn(1, 5, 12)
    narrow = block.attention.narrow
    found = narrow.attention(narrow.down(x))[0] @ narrow.up.weight.T
    y = block.attention_norm(x + block.attention.attention(x)[0])
    by_hand = block.ffn_norm(y + block.ffn.ffn(y) + found)
    assert torch.allclose(block(x)[0], by_hand, atol=1e-5)
    assert narrow.up is net.stack.blocks[1].attention.narrow.up


@both
def test_merged_and_unmerged(kind):
    net = model(kind)
    mb.transfer.add(
        net, "lora", rank=2, layers=("query", "key", "value", "output", "inner", "outer")
    )
    moved(net)
    before, apart = states(net), copy.deepcopy(net.state_dict())
    plain = copy.deepcopy(net.stack.blocks[0].attention.query.linear.weight)
    mb.transfer.merge(net)
    assert torch.allclose(states(net), before, atol=1e-5)
    assert set(net.state_dict()) == set(model(kind).state_dict())
    with pytest.raises(ValueError, match="twice would count it twice"):
        mb.transfer.merge(net)
    mb.transfer.unmerge(net)
    assert all(torch.equal(value, apart[name]) for name, value in net.state_dict().items())
    mb.transfer.merge(net)
    mb.transfer.remove(net)
    assert torch.equal(net.stack.blocks[0].attention.query.weight, plain)
    assert mb.transfer.added_to(net) is None


def test_merging_leaves_tied_vectors_alone():
    net = model("GPT")
    table = net.embeddings.word.weight.clone()
    mb.transfer.add(net, "lora", rank=2)
    moved(net)
    mb.transfer.merge(net)
    assert net.output_weight is net.embeddings.word.weight and torch.equal(net.output_weight, table)


def test_below_a_head_the_new_layer_learns_and_is_saved(tmp_path):
    def head():
        net = model("BERT")
        mb.seed_everything(3)
        return mb.heads.SequenceClassifier(net, ["no", "yes"]).eval()

    one = head()
    mb.transfer.add(one, "lora", rank=2)
    assert one.output.weight.requires_grad and not one.encoder.embeddings.word.weight.requires_grad
    moved(one)
    mb.transfer.save_added(one, tmp_path)
    other = head()
    mb.transfer.load_added(other, tmp_path)
    assert torch.equal(other(IDS, MASK), one(IDS, MASK))
    with pytest.raises(ValueError, match="does not fit this model: encoder.stack"):
        mb.transfer.load_added(model("BERT"), tmp_path)


def test_only_a_plain_model_is_saved_as_one(tmp_path):
    net = model("BERT")
    head = mb.heads.SequenceClassifier(net, 2)
    mb.transfer.add(net, "lora")
    for one in (net, head):
        with pytest.raises(ValueError, match="lora was added to this model: mb.transfer"):
            one.save_pretrained(tmp_path / "plain")
    assert not list(tmp_path.iterdir())


def test_refused():
    net = model("BERT")
    for call, told in {
        lambda: mb.transfer.remove(net): "nothing was added to this model",
        lambda: mb.transfer.merge(net): "nothing was added to this model",
        lambda: mb.transfer.save_added(net, "x"): "but nothing was added",
        lambda: mb.transfer.add(net, "loras"): "method must be one of adapters, bitfit, lora",
        lambda: mb.transfer.add(net, "lora", rank=0): "expected a rank of at least 1, got 0",
        lambda: mb.transfer.add(net, "lora", layers=("gate",)): "expected layers out of query",
        lambda: mb.transfer.add(net, "adapters", size=0): "expected a size of at least 1",
        lambda: mb.transfer.add(net, "adapters", activation="x"): "an activation of relu",
        lambda: mb.transfer.add(net, "prompts", length=0): "expected a length of at least 1",
        lambda: mb.transfer.add(net, "pal", size=5, heads=2): "must be a multiple of heads=2",
    }.items():
        with pytest.raises(ValueError, match=told):
            call()
        assert mb.transfer.added_to(net) is None and all(p.requires_grad for p in net.parameters())
    mb.transfer.add(net, "adapters", size=4)
    for call, told in {
        lambda: mb.transfer.add(net, "lora"): "adapters was added to this model: remove or merge",
        lambda: mb.transfer.merge(net): "adapters cannot be merged",
        lambda: mb.transfer.unmerge(net): "adapters is not merged",
    }.items():
        with pytest.raises(ValueError, match=told):
            call()


def test_an_lstm_has_no_blocks_but_biases():
    net = mb.AWDLSTM(mb.AWDLSTMConfig(20, dim=4, hidden=6, layers=2))
    with pytest.raises(ValueError, match="blocks of a BERT or a GPT, and AWDLSTM has none"):
        mb.transfer.add(net, "lora")
    mb.transfer.add(net, "bitfit")
    learning = [name for name, p in net.named_parameters() if p.requires_grad]
    assert learning and all("bias" in name for name in learning)


@pytest.mark.parametrize("wrong", [{"method": "x"}, {"settings": {"ranks": 2}}, {"more": 1}])
def test_a_damaged_config_is_refused(wrong, tmp_path):
    net = model("BERT")
    mb.transfer.add(net, "lora", rank=2)
    mb.transfer.save_added(net, tmp_path)
    file = tmp_path / "added.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | wrong))
    with pytest.raises(ValueError, match="not what mb.transfer.save_added writes|does not know"):
        mb.transfer.load_added(model("BERT"), tmp_path)


def wholes(head):
    """All models with a head inside."""
    texts = mb.transfer.WithLanguageModel(head, mb.heads.MaskedLM(head.encoder))
    return (
        mb.transfer.Multitask({"a": head}),
        mb.transfer.Distilled(head),
        mb.transfer.Consistency(head),
        texts,
    )


def test_what_has_heads_inside_is_refused(tmp_path):
    head = mb.heads.SequenceClassifier(model("BERT"), 2)
    for whole in wholes(head):
        told = f"expected a model or a head, got a {type(whole).__name__}: give the head inside it"
        with pytest.raises(ValueError, match=told):
            mb.transfer.add(whole, "bitfit")
        assert all(p.requires_grad for p in whole.parameters())
        with pytest.raises(ValueError, match=told):
            mb.transfer.save_added(whole, tmp_path)


def test_below_a_frozen_mix_nothing_could_learn(tmp_path):
    for when in ("before", "after"):
        net = model("BERT")
        if when == "before":
            mb.transfer.add(net, "lora", rank=2)
        head = mb.heads.SequenceClassifier(mb.heads.LayerMix(net, (-1,)), 2)
        with pytest.raises(ValueError, match="its LayerMix is frozen: give freeze=False"):
            if when == "before":
                mb.transfer.save_added(head, tmp_path / when)
            else:
                mb.transfer.add(head, "lora", rank=2)
        assert (mb.transfer.added_to(net) is None) == (when == "after")
    mb.transfer.save_added(head, tmp_path)  # of features alone
    open_mix = mb.heads.LayerMix(model("BERT"), (-1,), freeze=False)
    head = mb.heads.SequenceClassifier(open_mix, 2)
    mb.transfer.add(head, "lora", rank=2)
    head(IDS, MASK).square().sum().backward()
    query = open_mix.model.stack.blocks[0].attention.query
    assert query.up.weight.grad.abs().max() > 0 and query.linear.weight.grad is None


@pytest.mark.parametrize("method", ["lora", "adapters", "bitfit", "pal"])
def test_the_attention_that_joins_two_models_goes_on_learning(method, tmp_path):
    def joined():
        mb.seed_everything(2)
        return mb.models.encoder_decoder.EncoderDecoder(model("BERT"), model("GPT", norm="pre"))

    one, batch = joined(), {"input_ids": IDS, "decoder_ids": IDS, "labels": IDS}
    plain = {name: p.clone() for name, p in one.named_parameters()}
    mb.transfer.add(one.decoder, method, **SETTINGS[method])
    assert all(p.requires_grad for p in one.new_layers.parameters())
    assert not one.decoder.embeddings.word.weight.requires_grad
    one.loss(batch)[0].backward()
    assert one.decoder.stack.blocks[0].cross.output.weight.grad.abs().max() > 0
    moved(one.decoder)
    mb.transfer.save_added(one.decoder, tmp_path)
    other = joined()
    torch.nn.init.normal_(other.decoder.stack.blocks[1].cross.query.weight)  # as another would
    mb.transfer.load_added(other.decoder, tmp_path)
    assert torch.equal(other.eval()(IDS, IDS, MASK), one.eval()(IDS, IDS, MASK))
    mb.transfer.remove(one.decoder)
    old = {name: p for name, p in one.named_parameters() if ".cross" not in name}
    assert all(torch.equal(p, plain[name]) for name, p in old.items())


def test_the_biases_of_joined_models():
    gpt = model("GPT")
    net = mb.models.encoder_decoder.EncoderDecoder(model("BERT"), gpt)
    mb.transfer.add(net, "bitfit")
    learning = {name for name, p in net.named_parameters() if p.requires_grad}
    assert all(".cross" in name or "bias" in name for name in learning)
    assert "decoder.stack.blocks.1.cross.query.weight" in learning
    mb.transfer.remove(net)
    with pytest.raises(ValueError, match="this GPT was joined to an encoder, and reads no prompts"):
        mb.transfer.add(gpt, "prompts")


@every
def test_the_base_rests_under_new_heads_and_after_freeze(method, tmp_path):
    def head(net):
        mb.seed_everything(4)
        return mb.heads.CNNClassifier(net, 2, channels=2).eval()

    net = model("BERT")
    added = mb.transfer.add(net, method, **SETTINGS[method])
    learning = [p.requires_grad for p in net.parameters()]
    one = head(net)
    assert [p.requires_grad for p in net.parameters()] == learning
    mb.transfer.freeze(one, 0)
    assert [p.requires_grad for p in net.parameters()] == learning
    mb.transfer.freeze(mb.transfer.Distilled(one), -1)  # the new layer alone
    assert not any(p.requires_grad for p in added.resting)
    for parameter in net.parameters():
        parameter.data += 0.0 if parameter in added.resting else 0.1
    mb.transfer.save_added(one, tmp_path)
    other = head(model("BERT"))
    mb.transfer.load_added(other, tmp_path)
    assert torch.equal(other(IDS, MASK), one(IDS, MASK))
    net.embeddings.word.weight.requires_grad_(True)
    with pytest.raises(ValueError, match="but encoder.embeddings.word.weight learns too"):
        mb.transfer.save_added(one, tmp_path)


def test_the_bundled_adapters_find_names_and_their_base_by_itself():
    head = mb.heads.load("minibert-bert-ner")
    assert not (BUNDLED / "minibert-bert-ner" / "model.safetensors").exists()
    examples = mb.world.task("ner", seed=0).test[:100]
    said = head.predict([e.tokens for e in examples]).labels
    assert span_f1(said, [e.labels for e in examples]) > 0.9  # each word's usual label: 0.89
    with pytest.raises(ValueError, match="minibert-gpt"):
        mb.heads.load("minibert-bert-ner", base="minibert-gpt")
