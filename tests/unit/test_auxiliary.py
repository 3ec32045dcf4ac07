"""A language model beside the task: the loss is that of GPT's paper, its weight falls, and ends."""

import math

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.text import PaddedBatches
from minibert.transfer import Annealed, SideBySide, WithLanguageModel, exponential

SIZE = 20
CONFIG = {"vocab_size": SIZE, "dim": 8, "layers": 1, "heads": 2, "hidden": 16}
STILL = {"dropout": 0.0, "attention_dropout": 0.0}


def model(kind, seed=0, **options):
    mb.seed_everything(seed)
    return getattr(mb, kind)(getattr(mb, f"{kind}Config")(**CONFIG | STILL | options))


def padded(count=6, size=3, **options):
    rng = np.random.default_rng(count)
    made = [rng.integers(1, SIZE, 3 + i % 4).tolist() for i in range(count)]
    rows = [{"input_ids": ids, "labels": i % 2} for i, ids in enumerate(made)]
    return PaddedBatches(rows, size, **options)


def one():
    return next(iter(padded()))


def fit(net, batches, **options):
    return mb.fit(net, batches, **{"progress": False, "device": "cpu", **options})


def test_it_is_what_gpts_own_head_learns_from():
    gpt, batch = model("GPT"), one()
    own = mb.heads.LastToken(gpt, 2, auxiliary=0.3, dropout=0.0)
    plain = mb.heads.LastToken(gpt, 2, auxiliary=0.0, dropout=0.0)
    plain.output = own.output
    both = WithLanguageModel(plain, mb.heads.CausalLM(gpt), 0.3)
    wanted, count = own.loss(batch)
    loss, number = both.loss(batch)
    assert count == number == 3
    torch.testing.assert_close(loss, wanted)
    learned = [p for p in own.parameters() if p.requires_grad]
    slow, quick = (torch.autograd.grad(value, learned) for value in (wanted, loss))
    for a, b in zip(slow, quick, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(both.eval().loss(batch)[0], plain.loss(batch)[0])


def test_masked_words_stand_beside_the_task():
    bert, batch = model("BERT"), one()
    head, words = mb.heads.SequenceClassifier(bert, 2, dropout=0.0), mb.heads.MaskedLM(bert)
    labels = torch.full_like(batch["input_ids"], -100)
    labels[:, 1:3] = 7
    beside = {**batch, "labels": labels}
    loss, count = WithLanguageModel(head, words, 0.5).loss({**batch, "beside": beside})
    task, lm = head.loss(batch)[0] / 3, words.loss(beside)[0] / 6
    torch.testing.assert_close(loss / count, task + 0.5 * lm)


def test_an_lstm_reads_on_in_its_own_texts():
    mb.seed_everything(0)
    lstm = mb.AWDLSTM(mb.AWDLSTMConfig(SIZE, 8, 12, 2))
    head = mb.heads.PoolingClassifier(lstm, 2)
    net = WithLanguageModel(head, mb.heads.CausalLM(lstm), 0.2)
    assert len(fit(net, padded())) == 2
    stream = lstm.batches(np.arange(60) % SIZE, batch_size=2, bptt=7)
    history = fit(WithLanguageModel(head, lstm, 0.2), SideBySide(padded(), stream), epochs=3)
    assert len(history) == 6 and np.isfinite(history.loss).all()


def test_without_weight_an_update_is_the_plain_one():
    def trained(wrapped):
        gpt = model("GPT")
        head = mb.heads.SequenceClassifier(gpt, 2, dropout=0.0, pooling="last")
        net = WithLanguageModel(head, mb.heads.CausalLM(gpt), 0.0) if wrapped else head
        fit(net, padded(), steps=1, optimizer=torch.optim.SGD(net.parameters(), lr=0.1))
        return list(head.parameters())

    for plain, beside in zip(trained(False), trained(True), strict=True):
        assert torch.equal(plain, beside)


class Noted:
    def __init__(self, name, stop=None):
        self.name, self.stop, self.seen = name, stop, []

    def on_step(self, run):
        self.seen.append(getattr(run.model, self.name))
        if run.step == self.stop:
            raise RuntimeError("stopped")


def wrapped():
    gpt = model("GPT")
    head = mb.heads.SequenceClassifier(gpt, 2, dropout=0.0, pooling="last")
    return WithLanguageModel(head, mb.heads.CausalLM(gpt), 0.7)


def test_the_weight_falls_by_the_same_factor_at_each_step():
    schedule = exponential(5, 0.2, 0.05)
    weights = [schedule(step) for step in range(5)]
    ratios = [b / a for a, b in zip(weights, weights[1:], strict=False)]
    assert weights[0] == 0.2 and weights[4] == schedule(99) == pytest.approx(0.05)
    assert ratios == pytest.approx([0.25**0.25] * 4)
    assert weights[2] == pytest.approx(math.exp((math.log(0.2) + math.log(0.05)) / 2))


@pytest.mark.parametrize("make", [wrapped, lambda: mb.heads.LastToken(model("GPT"), 2)])
def test_fit_sets_the_weight_and_gives_it_back(make):
    net, noted, schedule = make(), Noted("auxiliary"), exponential(4)
    before = net.auxiliary
    fit(net, padded(), steps=4, callbacks=[Annealed("auxiliary", schedule), noted])
    assert noted.seen == [schedule(step) for step in range(4)]
    assert net.auxiliary == before
    with pytest.raises(RuntimeError, match="stopped"):
        callbacks = [Annealed("auxiliary", schedule), Noted("auxiliary", stop=2)]
        fit(net, padded(), steps=4, callbacks=callbacks)
    assert net.auxiliary == before


def test_a_resumed_run_goes_on_with_the_weight_of_its_step(tmp_path):
    options = {"checkpoint": tmp_path}
    fit(wrapped(), padded(), steps=2, callbacks=[Annealed("auxiliary", exponential(4))], **options)
    noted = Noted("auxiliary")
    callbacks = [Annealed("auxiliary", exponential(4)), noted]
    fit(wrapped(), padded(), steps=4, callbacks=callbacks, **options)
    assert noted.seen == [exponential(4)(2), exponential(4)(3)]


def test_the_layers_of_the_encoder_are_groups():
    net = wrapped()
    assert len(mb.transfer.layer_groups(net)) == len(mb.transfer.layer_groups(net.encoder)) + 1


def test_what_does_not_fit_is_refused():
    gpt = model("GPT")
    head = mb.heads.SequenceClassifier(gpt, 2, pooling="last")
    with pytest.raises(ValueError, match="on one encoder, got two"):
        WithLanguageModel(head, mb.heads.CausalLM(model("GPT")))
    for weight in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="auxiliary weight of at least 0"):
            WithLanguageModel(head, mb.heads.CausalLM(gpt), weight)
    with pytest.raises(ValueError, match="a number 'auxiliary', got a SequenceClassifier"):
        fit(head, padded(), callbacks=[Annealed("auxiliary", exponential(4))])
    for wrong in ((1,), (4, 0.0), (4, 0.2, -1.0)):
        with pytest.raises(ValueError, match="two steps or more and weights above 0"):
            exponential(*wrong)
