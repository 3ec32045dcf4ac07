"""AWD-LSTM: each regulariser against its formula, and what must not depend on the batch."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.models.awd_lstm.model import (
    WeightDropLSTM,
    embedding_dropout,
    variational_dropout,
)
from minibert.text import Vocab
from minibert.text.inputs import reading_order
from minibert.training.callbacks import RateByLength
from minibert.training.loop import evaluate

PLAIN = dict.fromkeys(("alpha", "beta", *mb.models.awd_lstm.DROPOUTS), 0.0)
SMALL = {"vocab_size": 20, "dim": 6, "hidden": 10, "layers": 3}


def model(seed=0, **options):
    torch.manual_seed(seed)
    made = mb.AWDLSTM(mb.AWDLSTMConfig(**{**SMALL, **options}))
    for parameter in made.parameters():  # larger than at first, so that everything shows
        nn.init.uniform_(parameter, -0.5, 0.5)
    return made


def ids(*shape, seed=0):
    return torch.randint(0, 20, shape, generator=torch.Generator().manual_seed(seed))


def batch(length=7, rows=4, seed=0, reset=True):
    text = ids(rows, length + 1, seed=seed)
    return {"input_ids": text[:, :-1], "targets": text[:, 1:].clone(), "reset": reset}


@pytest.mark.parametrize("training", [True, False])
def test_the_fused_layer_equals_the_one_to_read(training):
    torch.manual_seed(0)
    layer, x = WeightDropLSTM(5, 8, weight_dropout=0.5).train(training), torch.randn(3, 6, 5)
    state = (torch.randn(1, 3, 8), torch.randn(1, 3, 8))
    results = []
    for way in (layer, layer.step_by_step):
        torch.manual_seed(1)  # the same connections are dropped
        layer.zero_grad()
        out, (h, c) = way(x, state)
        (out.square().sum() + c.sum()).backward()
        results.append([out, h, c, *(p.grad.clone() for p in layer.parameters())])
    for fused, read in zip(*results, strict=True):
        torch.testing.assert_close(fused, read, atol=1e-5, rtol=1e-4)


def test_without_dropout_the_layer_is_torchs_lstm():
    torch.manual_seed(0)
    layer, theirs = WeightDropLSTM(5, 8), nn.LSTM(5, 8, batch_first=True)
    for name, parameter in layer.named_parameters():
        getattr(theirs, f"{name}_l0").data.copy_(parameter.data)
    x = torch.randn(3, 6, 5)
    torch.testing.assert_close(layer(x)[0], theirs(x)[0])


def test_weight_drop_keeps_one_raw_weight_that_is_trained_again_and_again():
    layer, x = WeightDropLSTM(5, 8, weight_dropout=0.5), torch.randn(3, 6, 5)
    assert set(layer.state_dict()) == {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}
    raw = layer.weight_hh
    for _ in range(3):
        layer.train()
        layer(x)[0].sum().backward()
        assert layer.weight_hh is raw and raw.is_leaf and raw.grad is not None
        assert 0.2 < (raw.grad == 0).float().mean() < 0.8  # no gradient where it was dropped
        with torch.no_grad():
            raw -= 0.1 * raw.grad
        raw.grad = None
        first, again = layer.eval()(x)[0], layer(x)[0]
        assert torch.equal(first, again)


def test_variational_dropout_has_one_mask_a_sequence():
    torch.manual_seed(0)
    dropped = variational_dropout(torch.ones(50, 9, 40), 0.25)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert dropped.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.04)
    assert not torch.equal(dropped[0], dropped[1])


def test_embedding_dropout_drops_words_everywhere():
    torch.manual_seed(0)
    table, text = torch.ones(20, 6), ids(30, 40)
    x = embedding_dropout(table, text, 0.5)
    gone = {int(word) for word in text[x[..., 0] == 0]}
    assert 4 <= len(gone) <= 16
    for word in range(20):
        rows = x[text == word]
        assert (rows == (0 if word in gone else 2)).all()


def test_dropouts_are_off_in_eval_mode_and_on_in_training():
    one = model().eval()
    text = ids(2, 5)
    assert torch.equal(one(text).last_hidden_state, one(text).last_hidden_state)
    for name in mb.models.awd_lstm.DROPOUTS:
        one = model(**{**PLAIN, name: 0.5}).train()
        torch.manual_seed(0)
        losses = {one.loss(batch())[0].item() for _ in range(4)}
        assert len(losses) == 4, name


def test_hidden_dropout_falls_between_layers_alone():
    one = model(**{**PLAIN, "hidden_dropout": 0.5, "layers": 1}).train()
    first, second = (one.read(ids(2, 5))[0][-1] for _ in range(2))
    assert torch.equal(first, second)


def test_hidden_states_begin_with_the_embeddings():
    one = model().eval()
    out = one(ids(2, 5))
    assert [h.shape[-1] for h in out.hidden_states] == [6, 10, 10, 6]
    assert torch.equal(out.hidden_states[0], one.embedding(ids(2, 5)))
    assert out.hidden_states[-1] is out.last_hidden_state


@pytest.mark.parametrize("direction", mb.models.awd_lstm.DIRECTIONS)
@torch.no_grad()
def test_padding_changes_nothing(direction):
    one = model(direction=direction).eval()
    texts = [ids(1, n, seed=n) for n in (7, 3, 1)]
    padded = torch.full((3, 9), 13)
    mask = torch.zeros(3, 9, dtype=torch.long)
    for row, text in enumerate(texts):
        padded[row, : text.shape[1]], mask[row, : text.shape[1]] = text[0], 1
    together = one(padded, mask)
    for row, text in enumerate(texts):
        for alone, padded_layer in zip(
            one(text).hidden_states, together.hidden_states, strict=True
        ):
            torch.testing.assert_close(padded_layer[row, : text.shape[1]], alone[0])
    flipped = one(padded.roll(2, 1), mask.roll(2, 1))  # padding in front
    for layer, other in zip(together.hidden_states, flipped.hidden_states, strict=True):
        torch.testing.assert_close(other.roll(-2, 1)[mask.bool()], layer[mask.bool()])


@torch.no_grad()
def test_a_backward_model_is_a_forward_model_of_the_turned_text():
    one, other = model(direction="backward").eval(), model(direction="forward").eval()
    text = ids(2, 6)
    states = one(text).hidden_states
    for h, turned_h in zip(states, other(text.flip(1)).hidden_states, strict=True):
        torch.testing.assert_close(h, turned_h.flip(1))
    stream = np.arange(18)
    np.testing.assert_allclose(
        one.log_probs(stream), other.log_probs(stream[::-1].copy())[::-1], rtol=1e-6
    )
    first = next(iter(one.batches(stream, batch_size=1, bptt=5)))
    assert first["input_ids"].tolist() == [[17, 16, 15, 14, 13]]
    assert first["targets"].tolist() == [[16, 15, 14, 13, 12]]


def test_the_reading_order_passes_over_padding():
    mask = torch.tensor([[1, 1, 1, 0], [0, 1, 0, 1]])
    assert reading_order(mask).tolist() == [[0, 1, 2, 3], [1, 3, 0, 2]]
    assert reading_order(mask, backward=True).tolist() == [[2, 1, 0, 3], [3, 1, 0, 2]]


def test_the_loss_is_the_cross_entropy_and_carries_its_state():
    one = model(**PLAIN).eval()
    whole = batch(length=10)
    loss, count = one.loss(whole)
    logits = one.decoder(one(whole["input_ids"]).last_hidden_state)
    expected = F.cross_entropy(logits.flatten(0, 1), whole["targets"].flatten(), reduction="sum")
    torch.testing.assert_close(loss, expected)
    assert count == 40
    parts = [
        {name: whole[name][:, at] for name in ("input_ids", "targets")} | {"reset": not i}
        for i, at in enumerate((slice(0, 4), slice(4, 10)))
    ]
    torch.testing.assert_close(sum(one.loss(part)[0] for part in parts), expected)
    again = one.loss({**parts[1], "reset": True})[0]
    assert abs(again - one.loss({**parts[1], "reset": True})[0]) < 1e-4
    assert abs(again + one.loss(parts[0])[0] - expected) > 1e-3  # the state matters


def test_ignored_targets_do_not_count():
    one = model(**PLAIN).eval()
    full = batch()
    full["targets"][:, 3:] = -100
    loss, count = one.loss(full)
    first = {name: full[name][:, :3] for name in ("input_ids", "targets")} | {"reset": True}
    assert count == 12
    torch.testing.assert_close(loss, one.loss(first)[0])


def test_ar_and_tar_enter_training_alone():
    plain, with_both = model(**PLAIN), model(**{**PLAIN, "alpha": 2.0, "beta": 1.0})
    for one in (plain, with_both):
        one.eval()
    torch.testing.assert_close(plain.loss(batch())[0], with_both.loss(batch())[0])
    raw = plain(batch()["input_ids"]).last_hidden_state
    expected = 2 * raw.square().mean() + (raw[:, 1:] - raw[:, :-1]).square().mean()
    base, count = plain.train().loss(batch())
    torch.testing.assert_close(with_both.train().loss(batch())[0], base + count * expected)


def test_evaluating_leaves_the_stream_alone():
    one = model().train()
    one.loss(batch())
    before = [[t.clone() for t in pair] for pair in one.stream_state()]
    evaluate(one, one.batches(np.arange(20) % 7, 2, 5))
    for pair, other in zip(before, one.stream_state(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(pair, other, strict=True))


def test_log_probs_sum_to_the_loss_and_are_probabilities():
    one = model(**PLAIN, start_id=3).eval()
    text = np.array([3, 5, 9, 1, 17, 4])
    loss, _ = one.loss(
        {"input_ids": torch.tensor(text[None, :-1]), "targets": torch.tensor(text[None, 1:])}
    )
    found = one.log_probs(text[1:], chunk=2)
    assert -found.sum() == pytest.approx(loss.item(), rel=1e-5)
    every = [math.exp(one.log_probs(np.array([word]))[0]) for word in range(20)]
    assert sum(every) == pytest.approx(1, abs=1e-6)


def test_tied_weights_are_one_tensor_and_untied_are_two():
    one, other = model(), model(tied=False)
    assert one.decoder.weight is one.embedding.weight
    assert other.decoder.weight is not other.embedding.weight
    assert other.decoder.weight.shape == other.embedding.weight.shape == (20, 6)


def test_rates_follow_the_length_of_the_window():
    one = model(**PLAIN)
    stream, rates = np.arange(600) % 19, []

    class Watch:
        def on_step(self, run):
            rates.append((run.batch[0]["input_ids"].shape[1], run.rate))

    batches = one.batches(stream, batch_size=2, bptt=20, vary=True)
    optimizer = torch.optim.SGD(one.parameters(), lr=0.5)
    mb.fit(one, batches, optimizer=optimizer, callbacks=[RateByLength(20), Watch()], progress=False)
    assert len({length for length, _ in rates}) > 3
    assert all(rate == pytest.approx(0.5 * length / 20) for length, rate in rates)


def test_the_rate_of_several_windows_is_by_their_mean_length():
    group = {"lr": 1.0}
    windows = [{"input_ids": torch.zeros(2, length)} for length in (10, 30)]
    run = SimpleNamespace(batch=windows, optimizer=SimpleNamespace(param_groups=[group]))
    RateByLength(40).before_step(run)
    assert group["lr"] == 0.5


@pytest.mark.parametrize("direction", mb.models.awd_lstm.DIRECTIONS)
def test_it_learns_a_text_that_can_be_foreseen_from_either_end(direction):
    torch.manual_seed(0)
    config = mb.AWDLSTMConfig(12, 16, 24, 2, direction=direction, weight_dropout=0.1)
    one, stream = mb.AWDLSTM(config), np.tile(np.arange(12), 60)
    rates = mb.optim.adamw(one, 0.02)
    mb.fit(one, one.batches(stream, 4, 20), steps=120, optimizer=rates, progress=False)
    assert evaluate(one, one.batches(stream, 4, 20)) < 0.3


def test_a_run_that_is_resumed_goes_on_bit_for_bit(tmp_path):
    def run(steps, folder):
        one = model()
        batches = one.batches(np.arange(400) % 17, 4, 10, vary=True)
        mb.fit(one, batches, steps=steps, checkpoint=folder, device="cpu", progress=False)
        return one

    whole = run(9, tmp_path / "a")
    run(4, tmp_path / "b")
    parts = run(9, tmp_path / "b")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name]), name


def test_mistakes_are_named():
    for wrong in ({"direction": "up"}, {"layers": 0}, {"weight_dropout": 1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            mb.AWDLSTMConfig(**{**SMALL, **wrong})
    with pytest.raises(ValueError, match="vocab_size=20"):
        mb.AWDLSTM(mb.AWDLSTMConfig(**SMALL), Vocab(["<pad>", "<unk>", "a"]))
