"""Several tasks at once: how often each is drawn, what learns, and that a run goes on exactly."""

from collections import Counter

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.text import PaddedBatches
from minibert.text.numbered import Numbered
from minibert.transfer import LossByTask, MixedBatches, Multitask, SideBySide
from tests.unit.test_train import Interrupt

SIZE = 20
CONFIG = {"vocab_size": SIZE, "dim": 8, "layers": 1, "heads": 2, "hidden": 16}
KINDS = ["BERT", "GPT", "AWDLSTM", "ELMo"]


def encoder(kind="BERT", seed=0):
    mb.seed_everything(seed)
    if kind == "AWDLSTM":
        return mb.AWDLSTM(mb.AWDLSTMConfig(SIZE, 8, 12, 2))
    if kind == "ELMo":
        sizes = {"dim": 7, "projection": 5, "char_dim": 3, "filters": ((1, 4), (2, 3))}
        words = mb.text.Vocab.train(["a b c d e"], specials=("<pad>", "<unk>", "<S>", "</S>"))
        return mb.ELMo(mb.ELMoConfig(len(words), **sizes, input="words"), words)
    return getattr(mb, kind)(getattr(mb, f"{kind}Config")(**CONFIG))


def rows(count, labels=2, most=SIZE, seed=0):
    rng = np.random.default_rng(seed)
    made = [rng.integers(1, most, 3 + i % 4).tolist() for i in range(count)]
    return [{"input_ids": ids, "labels": i % labels} for i, ids in enumerate(made)]


def padded(count, size=2, **options):
    return PaddedBatches(rows(count, **options), size, seed=count)


def two(how="proportional", **options):
    return MixedBatches({"large": padded(16), "small": padded(4)}, how, **options)


def multitask(kind="BERT"):
    below = encoder(kind)
    heads = {"large": mb.heads.SequenceClassifier(below, 2)}
    return Multitask({**heads, "small": mb.heads.SequenceClassifier(below, 3, pooling="mean")})


def fit(model, batches, **options):
    return mb.fit(model, batches, **{"progress": False, "device": "cpu", **options})


def test_the_chances_are_those_of_the_papers():
    assert two().chances(0).tolist() == [0.8, 0.2] == two().chances(7).tolist()
    assert np.allclose(two("root").chances(0), [2 / 3, 1 / 3])
    annealed = two("annealed", epochs=5)
    for epoch in range(5):
        alpha = 1 - 0.8 * epoch / 4  # the paper counts epochs from 1
        sizes = np.array([16**alpha, 4**alpha])
        assert np.allclose(annealed.chances(epoch), sizes / sizes.sum())
    assert np.allclose(annealed.chances(9), annealed.chances(4))
    assert two({"small": 0.75, "large": 0.25}).chances(0).tolist() == [0.25, 0.75]
    assert np.bincount(two("root", steps=9000).drawn(0))[1] == pytest.approx(3000, abs=200)


def test_sizes_are_examples_or_else_batches():
    batches = MixedBatches({"a": padded(16, 2), "b": padded(16, 8)})
    assert batches.sizes.tolist() == [16, 16] and len(batches) == 8 + 2
    listed = MixedBatches({"a": padded(16, 2), "b": list(padded(4))})
    assert listed.sizes.tolist() == [8, 2]


def endless(batches):
    while True:
        yield from batches


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        wanted = other[name]
        assert torch.equal(value, wanted) if torch.is_tensor(value) else value == wanted


def test_each_task_gives_its_batches_in_its_own_order():
    mixed, parts = two("root", steps=7), {"large": padded(16), "small": padded(4)}
    streams, seen = {name: endless(part) for name, part in parts.items()}, Counter()
    for _ in range(4):
        for batch in mixed:
            task = batch.pop("task")
            seen[task] += 1
            same(batch, next(streams[task]))
    assert sum(seen.values()) == 28 and seen["small"] > 2 * 2  # it began again
    assert mixed.epoch == 4


def test_a_saved_position_gives_the_same_batches_and_no_other_accepts_it():
    mixed = two("annealed", epochs=3)
    for _ in zip(range(13), endless(mixed), strict=False):
        pass
    state, rest = mixed.state_dict(), list(mixed)
    other = two("annealed", epochs=3)
    other.load_state_dict(state)
    assert 0 < len(rest) < len(mixed)
    for one, wanted in zip(other, rest, strict=True):
        same(one, wanted)
    for stranger in (two("root"), two("annealed", epochs=4), two("annealed", epochs=3, steps=2)):
        with pytest.raises(ValueError, match="belongs to other batches"):
            stranger.load_state_dict(state)


def test_a_batch_trains_the_head_of_its_task_and_the_encoder():
    model = multitask().eval()
    batch = {**next(iter(padded(4))), "task": "small"}
    loss, count = model.loss(batch)
    wanted, number = model.heads["small"].loss(batch)
    assert torch.equal(loss, wanted) and count == number == 2
    loss.backward()
    moved = {name for name, p in model.named_parameters() if p.grad is not None}
    assert any(name.startswith("encoder.") for name in moved)
    assert all(p.grad is None for p in model.heads["large"].output.parameters())
    assert model.heads["small"].output.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_encoder_can_be_shared(kind):
    model = multitask(kind)
    parts = {"large": padded(8, most=6), "small": padded(4, most=6)}
    history = fit(model, MixedBatches(parts, seed=1))
    assert len(history) == 6 and np.isfinite(history.loss).all()


def test_the_layers_of_the_encoder_are_groups_with_the_heads_on_top():
    model = multitask()
    groups = mb.transfer.layer_groups(model)
    alone = mb.transfer.layer_groups(model.encoder)
    assert [len(group) for group in groups[:-1]] == [len(group) for group in alone]
    assert {id(p) for p in groups[-1]} == {
        id(p) for head in model.heads.values() for p in head.output.parameters()
    }


def test_a_run_goes_on_exactly_and_keeps_the_loss_of_each_task(tmp_path):
    whole, losses = multitask(), LossByTask()
    mb.seed_everything(3)
    history = fit(whole, two("root"), steps=14, callbacks=[losses])
    parts = losses.histories
    assert sorted(parts["large"].step + parts["small"].step) == history.step
    for part in parts.values():
        assert part.loss == [history.loss[step - 1] for step in part.step]
        assert part.rate == [history.rate[step - 1] for step in part.step]
    broken, again = multitask(), LossByTask()
    mb.seed_everything(3)
    saved = {"steps": 14, "checkpoint": tmp_path}
    fit(broken, two("root"), callbacks=[again, Interrupt(9)], **saved)
    resumed, again = multitask(), LossByTask()
    went_on = fit(resumed, two("root"), callbacks=[again], **saved)
    assert went_on.loss == history.loss
    for name, part in parts.items():
        assert again.histories[name].loss == part.loss and again.histories[name].step == part.step
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_last_stretch_is_the_targets_alone():
    model = multitask()
    fit(model, two(), steps=2)
    before = {name: p.clone() for name, p in model.state_dict().items()}
    fit(model.heads["small"], padded(4), steps=2)
    now = model.state_dict()
    moved = {name for name in now if not torch.equal(now[name], before[name])}
    assert "heads.small.output.weight" in moved and "encoder.embeddings.word.weight" in moved
    assert "heads.large.output.weight" not in moved


def test_side_by_side_goes_round_both():
    batches, others = padded(6), [{"x": torch.tensor([i])} for i in range(4)]
    both = SideBySide(batches, others)
    seen, own = [], endless(padded(6))
    for _ in range(3):
        for batch in both:
            seen.append(batch.pop("beside")["x"].item())
            same(batch, next(own))
    assert seen == [0, 1, 2, 3, 0, 1, 2, 3, 0] and len(both) == 3
    state = both.state_dict()
    SideBySide(padded(6), others).load_state_dict(state)
    with pytest.raises(ValueError, match="belongs to other batches"):
        SideBySide(padded(6), others[:2]).load_state_dict(state)


def test_batches_by_number_are_those_of_the_epochs_and_each_epoch_is_planned_once(monkeypatch):
    part = padded(7)
    wanted = [batch for epoch in range(3) for batch in part.of_epoch(epoch)]
    numbered, planned, plan = Numbered(part), [], part.plan
    monkeypatch.setattr(part, "plan", lambda epoch: planned.append(epoch) or plan(epoch))
    for number in (*range(len(wanted)), 2, len(wanted) - 1):
        same(numbered[number], wanted[number])
    assert planned == [0, 0, 1, 1, 2, 2, 0, 2]  # for its size, and for its batches


def test_batches_that_do_not_fit_are_refused():
    part = padded(4)
    with pytest.raises(ValueError, match="a name for each task, got 'a' 2 times"):
        MixedBatches([("a", part), ("a", part)])
    with pytest.raises(ValueError, match="at least one task, got none"):
        MixedBatches({})
    with pytest.raises(ValueError, match="at least one batch of each task, the b task has none"):
        MixedBatches({"a": part, "b": []})
    with pytest.raises(ValueError, match="expected a list of batches, .* got a generator"):
        MixedBatches({"a": (batch for batch in part)})
    for wrong in ({"a": 0.5, "b": 0.4}, {"a": -0.5, "b": 1.5}, {"a": float("nan"), "b": 1.0}):
        with pytest.raises(ValueError, match="chances of at least 0 that add up to 1"):
            MixedBatches({"a": part, "b": part}, wrong)
    with pytest.raises(ValueError, match="the chance of each task, a, b"):
        MixedBatches({"a": part, "b": part}, {"a": 1.0})
    for options in ({"how": "square"}, {"how": "annealed"}, {"how": "annealed", "epochs": 1}):
        with pytest.raises(ValueError, match='"?expected how as one of'):
            MixedBatches({"a": part}, **options)
    with pytest.raises(ValueError, match="at least one step"):
        MixedBatches({"a": part}, steps=0)


def test_heads_and_tasks_that_do_not_fit_are_refused():
    head = mb.heads.SequenceClassifier
    below = encoder()
    with pytest.raises(ValueError, match="on one encoder"):
        Multitask({"a": head(below), "b": head(encoder())})
    with pytest.raises(ValueError, match="'a' 2 times"):
        Multitask([("a", head(below)), ("a", head(below))])
    for name in ("a.b", "", "keys"):
        with pytest.raises(ValueError, match="a task needs another name"):
            Multitask({name: head(below)})
    for odd, told in (({1: head(below)}, "1 for a SequenceC"), ({"a": 3}, "'a' for a int")):
        with pytest.raises(ValueError, match=f"heads by the names of their tasks, got {told}"):
            Multitask(odd)
    model, batch = Multitask({"a": head(below), "b": head(below)}), next(iter(padded(4)))
    for task in ("c", None):
        with pytest.raises(ValueError, match="expected a batch with a task out of a, b, got"):
            model.loss({**batch, "task": task})
    with pytest.raises(ValueError, match="one batch, of one task, in each update, .*=2"):
        fit(model, MixedBatches({"a": padded(8)}), accumulate=2, callbacks=[LossByTask()])
    with pytest.raises(ValueError, match="expected task in the batch"):
        fit(head(below), padded(4), callbacks=[LossByTask()])
