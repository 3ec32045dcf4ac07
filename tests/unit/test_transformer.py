"""Attention by hand, masks, positions, blocks, and the fast path against the readable one."""

import math

import pytest
import torch
from torch import nn

import minibert as mb
from minibert.models.transformer import attention as a
from minibert.models.transformer import model as t

SMALL = {"dim": 12, "layers": 2, "heads": 3, "hidden": 20, "dropout": 0.0, "max_length": 16}


def qkv(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator).double() for _ in range(3)]


def config(**changes):
    return mb.TransformerConfig(11, **{**SMALL, **changes})


def make(seed=0, **changes):
    torch.manual_seed(seed)
    return mb.Transformer(config(**changes)).double()


def test_attention_by_hand():
    query, key, value = qkv(2, 4, 6)
    found, weights = a.attend(query, key, value)
    for b in range(2):
        for i in range(4):
            scores = [float(query[b, i] @ key[b, j]) / math.sqrt(6) for j in range(4)]
            total = sum(map(math.exp, scores))
            shares = [math.exp(score) / total for score in scores]
            want = sum(share * value[b, j] for j, share in enumerate(shares))
            torch.testing.assert_close(found[b, i], want)
            torch.testing.assert_close(weights[b, i].tolist(), shares)


@pytest.mark.parametrize("kind", [None, "padding", "causal", "both"])
def test_the_fused_kernel_finds_the_same(kind):
    query, key, value = (x.requires_grad_() for x in qkv(3, 2, 5, 4))
    padding = a.padding_mask(torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]]))
    causal = a.causal_mask(5)
    mask = {None: None, "padding": padding, "causal": causal, "both": padding & causal}[kind]
    one, _ = a.attend(query, key, value, mask)
    other = a.attend_fused(query, key, value, mask)
    torch.testing.assert_close(one, other)
    grads = [torch.autograd.grad(x.sin().sum(), (query, key, value)) for x in (one, other)]
    for x, y in zip(*grads, strict=True):
        torch.testing.assert_close(x, y)


def test_what_is_masked_changes_nothing_and_gets_no_weight():
    query, key, value = qkv(1, 4, 6)
    mask = torch.tensor([[True, True, False, True]])
    found, weights = a.attend(query, key, value, mask)
    key[:, 2], value[:, 2] = 1e6, -1e6
    again, _ = a.attend(query, key, value, mask)
    assert torch.equal(found, again) and (weights[..., 2] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 4).double())


def test_a_place_that_may_look_nowhere_finds_zeros_and_finite_gradients():
    query, key, value = (x.requires_grad_() for x in qkv(1, 2, 3))
    mask = torch.tensor([[True, True], [False, False]])
    found, weights = a.attend(query, key, value, mask)
    assert (found[0, 1] == 0).all() and (weights[0, 1] == 0).all()
    found.sum().backward()
    for x in (query, key, value):
        assert x.grad.isfinite().all()
    torch.testing.assert_close(found, a.attend_fused(query, key, value, mask))


def test_masks():
    assert a.causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True] * 3]
    assert a.causal_mask(2, past=2).tolist() == [[True, True, True, False], [True] * 4]
    mask = a.padding_mask(torch.tensor([[1, 0], [1, 1]]))
    assert mask.shape == (2, 1, 1, 2) and mask.flatten().tolist() == [True, False, True, True]


def test_dropout_falls_on_the_weights_in_training_alone():
    torch.manual_seed(0)
    attention = a.MultiHeadAttention(8, 2, dropout=0.5)
    x = torch.randn(2, 6, 8)
    assert not torch.equal(attention(x)[0], attention(x)[0])
    found, weights, _ = attention(x, output_attentions=True)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 6))  # those shown are whole
    attention.eval()
    assert torch.equal(attention(x)[0], attention(x)[0])


def test_dropout_falls_on_what_a_sublayer_adds_and_not_on_the_sum():
    block = t.Block(config(norm="pre", dropout=0.5)).train()
    for layer in (block.attention.output, block.ffn.outer):  # they add nothing
        nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
    x = torch.randn(2, 5, 12)
    assert torch.equal(block(x)[0], x)


def test_heads_are_attentions_side_by_side():
    torch.manual_seed(0)
    attention = a.MultiHeadAttention(12, 3).double()
    x = torch.randn(2, 5, 12).double()
    parts = []
    for head in range(3):
        some = slice(4 * head, 4 * head + 4)
        projected = [
            x @ layer.weight[some].T + layer.bias[some]
            for layer in (attention.query, attention.key, attention.value)
        ]
        parts.append(a.attend(*projected)[0])
    want = attention.output(torch.cat(parts, -1))
    torch.testing.assert_close(attention(x)[0], want)
    torch.testing.assert_close(attention(x, fused=True)[0], want)


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh"])
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_the_encoder_is_torchs_with_the_same_weights(norm, activation):
    if activation == "gelu_tanh":  # torch's layer has no name for it
        theirs_activation = t.ACTIVATIONS["gelu_tanh"]
    else:
        theirs_activation = activation
    stack = t.Stack(config(norm=norm, activation=activation)).double()
    x = torch.randn(3, 5, 12, generator=torch.Generator().manual_seed(0)).double()
    lengths = torch.tensor([5, 2, 4])
    real = torch.arange(5) < lengths[:, None]
    want = x
    for block in stack.blocks:
        layer = nn.TransformerEncoderLayer(
            12, 3, 20, 0.0, theirs_activation, batch_first=True, norm_first=norm == "pre"
        ).double()
        mine = block.attention
        for part, tensor in (("in_proj_weight", "weight"), ("in_proj_bias", "bias")):
            joined = [getattr(p, tensor) for p in (mine.query, mine.key, mine.value)]
            getattr(layer.self_attn, part).data = torch.cat(joined).data
        pairs = ((layer.self_attn.out_proj, mine.output), (layer.linear1, block.ffn.inner),
                 (layer.linear2, block.ffn.outer), (layer.norm1, block.attention_norm),
                 (layer.norm2, block.ffn_norm))  # fmt: skip
        for theirs, ours in pairs:
            theirs.load_state_dict(ours.state_dict())
        want = layer(want, src_key_padding_mask=~real)
    want = stack.norm(want)
    out, _ = stack(x, a.padding_mask(real), output_attentions=True)
    torch.testing.assert_close(out.last_hidden_state[real], want[real])
    assert len(out.hidden_states) == 3 and torch.equal(out.hidden_states[0], x)
    assert out.hidden_states[-1] is out.last_hidden_state
    assert out.attentions[0].shape == (3, 3, 5, 5)


def test_the_decoder_looks_at_both():
    torch.manual_seed(0)
    block = t.Block(config(norm="post"), cross=True).double()
    theirs = nn.TransformerDecoderLayer(12, 3, 20, 0.0, "relu", batch_first=True).double()
    for name, mine in (("self_attn", block.attention), ("multihead_attn", block.cross)):
        joined = (mine.query, mine.key, mine.value)
        getattr(theirs, name).in_proj_weight.data = torch.cat([p.weight for p in joined]).data
        getattr(theirs, name).in_proj_bias.data = torch.cat([p.bias for p in joined]).data
        getattr(theirs, name).out_proj.load_state_dict(mine.output.state_dict())
    for name, mine in (("linear1", block.ffn.inner), ("linear2", block.ffn.outer),
                       ("norm1", block.attention_norm), ("norm2", block.cross_norm),
                       ("norm3", block.ffn_norm)):  # fmt: skip
        getattr(theirs, name).load_state_dict(mine.state_dict())
    x, memory = torch.randn(2, 4, 12).double(), torch.randn(2, 6, 12).double()
    real = torch.arange(6) < torch.tensor([[6], [3]])
    want = theirs(x, memory, tgt_mask=~a.causal_mask(4), memory_key_padding_mask=~real)
    got, _, _ = block(x, a.causal_mask(4), memory, a.padding_mask(real))
    torch.testing.assert_close(got, want)


def test_sinusoids_by_the_formula():
    table = t.sinusoids(7, 6)
    for place in range(7):
        for i in range(3):
            angle = place / 10_000 ** (2 * i / 6)
            assert table[place, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[place, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)
    assert t.sinusoids(4, 5).shape == (4, 5)


@pytest.mark.parametrize(("position", "told"), [("none", False), ("sinusoidal", True),
                                                ("learned", True)])  # fmt: skip
def test_without_positions_order_is_lost(position, told):
    model = make(position=position).eval()
    ids, turned = torch.tensor([[3, 4, 5, 6]]), torch.tensor([[6, 5, 4, 3]])
    one, other = (model.encode(x).last_hidden_state for x in (ids, turned))
    assert torch.allclose(one, other.flip(1)) != told


def test_a_causal_mask_tells_order_by_itself():
    model = make(position="none").eval()
    x = model.embed(torch.tensor([[3, 4, 5, 6], [6, 5, 4, 3]]))
    out, _ = model.encoder(x, a.causal_mask(4))
    assert not torch.allclose(out.last_hidden_state[0], out.last_hidden_state[1].flip(0))
    changed = x.clone()
    changed[:, -1] += 1.0
    again, _ = model.encoder(changed, a.causal_mask(4))
    assert torch.equal(out.last_hidden_state[:, :-1], again.last_hidden_state[:, :-1])


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_what_was_written_before_need_not_be_computed_again(norm):
    model = make(norm=norm, position="learned").eval()
    read, mask = torch.tensor([[3, 4, 5], [6, 7, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]])
    memory = model.encode(read, mask).last_hidden_state
    ids = torch.randint(11, (2, 6), generator=torch.Generator().manual_seed(0))
    whole, _ = model.decode(ids, memory, mask)
    past, found = None, []
    for start, stop in ((0, 1), (1, 4), (4, 6)):
        out, past = model.decode(ids[:, start:stop], memory, mask, past)
        found.append(out.last_hidden_state)
    torch.testing.assert_close(torch.cat(found, 1), whole.last_hidden_state)
    logits = model(read, ids, mask)
    torch.testing.assert_close(logits, model.output(whole.last_hidden_state))


@pytest.mark.long
def test_it_learns_to_turn_a_sequence_round_and_stops():
    torch.manual_seed(0)
    model = mb.Transformer(config(dim=32, hidden=64, heads=4, layers=1, norm="pre"))
    read = torch.randint(3, 11, (64, 4))
    end = torch.full((64, 1), 2)
    labels = torch.cat((read.flip(1), end), 1)
    batch = {
        "input_ids": read,
        "attention_mask": torch.ones_like(read),
        "decoder_ids": torch.cat((torch.ones_like(end), labels[:, :-1]), 1),
        "labels": labels,
    }
    mb.fit(model, [batch], steps=250, optimizer=mb.optim.adamw(model, 3e-3), progress=False,
           device="cpu")  # fmt: skip
    loss, count = model.loss(batch)
    assert count == 64 * 5 and loss / count < 0.05
    written = model.generate(read, 7, start_id=1, end_id=2)
    assert (written[:, :5] == labels).float().mean() > 0.98
    assert (written[:, 5:] == 2).float().mean() > 0.98


def test_after_the_end_there_is_only_the_end():
    model = make(dropout=0.3).train()
    model.output.weight = nn.Parameter(3 * torch.randn(11, 12).double())  # tied, it would repeat
    read = torch.randint(3, 11, (6, 4), generator=torch.Generator().manual_seed(0))
    free = model.generate(read, 6, start_id=1)
    assert model.training and torch.equal(free, model.generate(read, 6, start_id=1))
    end = int(free[0, 1])
    stopped = model.generate(read, 6, start_id=1, end_id=end)
    assert (free[0] != end).any()  # it would have gone on
    for one, other in zip(free.tolist(), stopped.tolist(), strict=True):
        stop = one.index(end) if end in one else 6
        assert other == one[:stop] + [end] * (6 - stop)


def test_layers_from_bottom_to_top_and_one_table():
    model = make(norm="pre")
    assert model.output.weight is model.embedding.weight
    groups = mb.transfer.layer_groups(model)
    assert sum(map(len, groups)) == len(list(model.parameters()))
    assert len(mb.transfer.layer_groups(t.Stack(config(norm="pre")))) == 3
    assert len(mb.transfer.layer_groups(t.Stack(config(norm="post")))) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"norm": "between"}, "norm must be 'post' or 'pre', got 'between'"),
        ({"activation": "tanh"}, "activation must be"),
        ({"position": "relative"}, "position must be"),
        ({"heads": 5}, "dim=12 must be a multiple of heads=5"),
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"dropout": 1.0}, "dropout must be from 0 to below 1"),
    ],
)
def test_a_wrong_configuration_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        config(**changes)


@pytest.mark.usefixtures("unchecked")
def test_too_many_tokens_are_refused():
    model = make()
    with pytest.raises(ValueError, match="at most max_length=16 tokens, got 17"):
        model.encode(torch.ones(1, 17, dtype=torch.long))
    with pytest.raises(ValueError, match=r"expected ids \(batch, length\), got \(17,\)"):
        model.encode(torch.ones(17, dtype=torch.long))
