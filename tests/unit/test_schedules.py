"""What learns when: the rates that are drawn are those that training uses."""

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.show.schedules import rate_map
from minibert.text.batches import PaddedBatches
from minibert.transfer import Follow, discriminative_groups, following, layer_groups, rates
from minibert.transfer.stages import ULMFiTConfig, document, ulmfit

NAN = float("nan")
IDS = [{"input_ids": [4, 5 + i % 7, 6], "labels": i % 2} for i in range(24)]


def heads():
    """A classifier on each of the five systems."""
    mb.seed_everything(0)
    bert = mb.BERT(mb.BERTConfig(20, dim=8, layers=2, heads=2, hidden=16))
    gpt = mb.GPT(mb.GPTConfig(20, dim=8, layers=2, heads=2, hidden=16))
    vocab = mb.text.Vocab(["<pad>", "<unk>", "<s>", "</s>", *"abcdefghijklmnop"])
    elmo = mb.ELMo(mb.ELMoConfig(20, input="words", dim=8, projection=4, layers=2), vocab)
    awd = mb.AWDLSTM(mb.AWDLSTMConfig(20, 8, 12, 2))
    word2vec = mb.Word2Vec(mb.Word2VecConfig(20, dim=8))
    return {
        "bert": mb.heads.SequenceClassifier(bert, 2),
        "gpt": mb.heads.LastToken(gpt, 2),
        "elmo": mb.heads.RNNClassifier(elmo, 2),
        "awd_lstm": mb.heads.PoolingClassifier(awd, 2),
        "word2vec": mb.heads.CNNClassifier(word2vec, 2),
    }


class Watch:
    """What really happened: the rate of each layer, NaN where none of its weights moved."""

    def __init__(self):
        self.seen = []

    def before_step(self, run):
        self.kept = [[p.detach().clone() for p in layer] for layer in layer_groups(run.model)]

    def on_step(self, run):
        lr = {p: g["lr"] for g in run.optimizer.param_groups for p in g["params"]}
        row = []
        for layer, old in zip(layer_groups(run.model), self.kept, strict=True):
            moved = any(not torch.equal(a, b) for a, b in zip(layer, old, strict=True))
            row.append({lr[p] for p in layer}.pop() if moved else NAN)
        self.seen.append(row)


def trained(model, plan, **options):
    mb.seed_everything(1)
    watch, how = Watch(), following(model, plan)
    how["callbacks"].append(watch)
    batches = PaddedBatches(IDS, 8, seed=0)
    history = mb.fit(model, batches, **how, device="cpu", progress=False, **options)
    return np.array(watch.seen).T, history


def test_each_order_on_three_layers():
    found = {
        order: np.isfinite(rates(order, 3, 8, 0.1)).T.astype(int).tolist()
        for order in mb.transfer.ORDERS
    }
    low, middle, top, both, every = [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]
    assert found == {
        "all": [every] * 8,
        "top": [top] * 8,
        "gradual": [top, top, both, both, *[every] * 4],
        "chain-thaw": [top, top, low, middle, *[every] * 4],
        "sequential": [top, top, both, both, *[every] * 4],
    }


def test_the_last_stage_begins_after_the_share_however_many_stages_there_are():
    for layers, steps, share, last in ((31, 100, 0.5, 50), (14, 10, 0.5, 5), (4, 10, 0.0, 0)):
        for order in ("gradual", "chain-thaw", "sequential"):
            learning = np.isfinite(rates(order, layers, steps, 0.1, share=share)).all(0)
            assert np.flatnonzero(learning).tolist() == [*range(last, steps)], order
    learning = np.isfinite(rates("gradual", 4, 11, 0.1, share=0.7)).sum(0)
    assert learning.tolist() == [1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4]


def test_a_rate_is_that_of_the_layer_above_divided_by_the_factor_times_the_schedule():
    plan = rates("all", 3, 4, 0.8, factor=2.0, schedule=mb.optim.linear(4))
    np.testing.assert_allclose(plan[:, 0], [0.2, 0.4, 0.8])
    np.testing.assert_allclose(plan[2], [0.8, 0.6, 0.4, 0.2])


@pytest.mark.parametrize("name", ["bert", "gpt", "elmo", "awd_lstm", "word2vec"])
@pytest.mark.parametrize("order", ["gradual", "chain-thaw", "sequential"])
def test_training_does_what_the_matrix_says(name, order):
    model = heads()[name]
    layers = len(layer_groups(model))
    warm = mb.optim.linear(14, warmup=3)
    plan = rates(order, layers, 14, 0.01, factor=1.5, schedule=warm, share=0.8)
    seen, history = trained(model, plan)
    np.testing.assert_allclose(seen, plan, rtol=1e-6)
    np.testing.assert_allclose(history.rate, np.nan_to_num(plan[-1]), rtol=1e-6)
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("order", mb.transfer.ORDERS)
def test_ulmfit_follows_the_same_rates(order):
    model, watch = mb.AWDLSTM(mb.AWDLSTMConfig(20, 8, 12, 2)), Watch()
    examples = [{"input_ids": document([3, 4, i % 9], model), "labels": i % 2} for i in range(40)]
    config = ULMFiTConfig(
        batch_size=10, classifier_epochs=6, max_len=140, classifier_rate=0.1, factor=2.0, cut=0.25,
        unfreezing=order,
    )  # fmt: skip
    ulmfit(model, examples, 2, config=config, callbacks=[watch], progress=False)
    triangle = mb.optim.slanted_triangular(24, 0.25)
    expected = rates(order, 4, 24, 0.1, factor=2.0, schedule=triangle)
    np.testing.assert_allclose(np.array(watch.seen).T, expected, rtol=1e-6)


def test_what_rested_before_rests_during_and_after():
    model = heads()["bert"]
    model.encoder.stack.blocks[1].requires_grad_(False)
    before = [p.requires_grad for p in model.parameters()]
    kept = [p.clone() for p in model.encoder.stack.blocks[1].parameters()]
    with pytest.raises(ValueError, match="at update 1 no parameter learns"):
        trained(model, np.array([[0.1, NAN]] * 2 + [[NAN, 0.1]] + [[NAN, NAN]] * 2))
    assert [p.requires_grad for p in model.parameters()] == before
    trained(model, rates("all", 5, 3, 0.1))
    assert [p.requires_grad for p in model.parameters()] == before
    assert all(map(torch.equal, kept, model.encoder.stack.blocks[1].parameters()))


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("broken")])
def test_all_parameters_learn_again_after_a_run_that_breaks(error):
    class Halt:
        def before_step(self, run):
            if run.step == 2:
                raise error

    model = heads()["bert"]
    how = following(model, rates("gradual", 5, 8, 0.01))
    how["callbacks"].append(Halt())
    options = {"device": "cpu", "progress": False, "reraise": True}
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        mb.fit(model, PaddedBatches(IDS, 8), **how, **options)
    assert all(p.requires_grad for p in model.parameters())


def test_a_run_that_is_resumed_goes_on_bit_for_bit(tmp_path):
    plan = rates("gradual", 5, 8, 0.01)
    whole, parts = heads()["bert"], heads()["bert"]
    trained(whole, plan, checkpoint=tmp_path / "a")

    class Stop:
        def on_step(self, run):
            if run.step == 3:
                run.stop()

    mb.seed_everything(1)
    how = following(parts, plan)
    how["callbacks"].append(Stop())
    options = {"device": "cpu", "progress": False, "checkpoint": tmp_path / "b"}
    mb.fit(parts, PaddedBatches(IDS, 8, seed=0), **how, **options)
    again = heads()["bert"]
    seen, _ = trained(again, plan, checkpoint=tmp_path / "b")
    np.testing.assert_allclose(seen, plan[:, 3:], rtol=1e-6)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    with pytest.raises(ValueError, match="saved with other rates"):
        trained(again, plan / 2, checkpoint=tmp_path / "b")


def test_what_is_no_plan_is_refused():
    with pytest.raises(ValueError, match="order must be one of all, top"):
        rates("bottom", 3, 8, 0.1)
    for wrong in ({"layers": 0}, {"steps": 0}, {"rate": 0.0}, {"factor": 0.0}, {"share": 1.0}):
        with pytest.raises(ValueError, match="expected layers and steps of at least 1"):
            rates(**{"order": "all", "layers": 3, "steps": 8, "rate": 0.1, **wrong})
    with pytest.raises(ValueError, match="at least one layer that learns"):
        Follow(np.full((2, 3), NAN))
    model = heads()["bert"]
    with pytest.raises(ValueError, match="expected rates of 5 layers, got 3 rows"):
        trained(model, rates("all", 3, 4, 0.1))
    plan = rates("all", 5, 4, 0.1)
    with pytest.raises(ValueError, match="hold a schedule already"):
        trained(model, plan, schedule=mb.optim.linear(4))
    for how, told in (({"steps": 9}, "end after 4 of 9 updates"), ({}, "each lie in one layer")):
        groups = discriminative_groups(model, 0.1) if how else model
        how = {"steps": 4, "optimizer": mb.optim.adamw(groups), "callbacks": [Follow(plan)], **how}
        with pytest.raises(ValueError, match=told):
            mb.fit(model, PaddedBatches(IDS, 8), **how, device="cpu", progress=False)


def test_batches_that_go_on_longer_than_they_say_are_told():
    class Longer:
        def __len__(self):
            return 2

        def __iter__(self):
            return iter(PaddedBatches(IDS, 8, seed=0))

    model = heads()["bert"]
    how = following(model, rates("all", 5, 2, 0.1)) | {"steps": None}
    with pytest.raises(ValueError, match="the rates end after 2 updates"):
        mb.fit(model, Longer(), **how, device="cpu", progress=False)


def test_the_picture_says_when_each_layer_learns():
    names = ["words", "layer 1", "layer 2", "head"]
    told = rate_map(rates("gradual", 4, 60, 0.01), names).alt
    assert "layer 2 learns from 10 on" in told and "head learns from 0 on" in told
    told = rate_map(rates("chain-thaw", 4, 60, 0.01), names).alt
    assert "words learns in 8-14 and from 30 on" in told
    assert "words sleeps throughout" in rate_map(rates("top", 2, 9, 0.01), ["words", "head"]).alt
