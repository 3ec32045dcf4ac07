"""Slanted triangles, and SGD with non-monotonically triggered averaging."""

import math

import pytest
import torch
from torch import nn

import minibert as mb
from minibert.text import ArrayBatches
from minibert.training.loop import evaluate
from minibert.training.optim import NTASGD, NonMonotone, slanted_triangular


def test_the_slanted_triangle_is_the_papers():
    steps, cut, ratio = 200, 0.1, 32
    factor = slanted_triangular(steps, cut, ratio)
    top = math.floor(steps * cut)
    for t in range(steps):
        p = t / top if t < top else 1 - (t - top) / (top * (1 / cut - 1))
        assert factor(t) == pytest.approx((1 + p * (ratio - 1)) / ratio)
    assert factor(0) == pytest.approx(1 / 32) and factor(20) == 1
    assert factor(200) == factor(900) == pytest.approx(1 / 32)
    factor = slanted_triangular(37, 0.33)  # 12.2 updates: the twelfth is the last that rises
    assert factor(11) < 1 == factor(12) > factor(13)


@pytest.mark.parametrize("steps, cut", [(1, 0.1), (2, 0.1), (5, 0.9), (37, 0.33)])
def test_short_triangles_rise_to_one_and_never_above(steps, cut):
    factors = [slanted_triangular(steps, cut)(t) for t in range(steps + 1)]
    assert all(1 / 32 <= f <= 1 for f in factors)
    top = factors.index(max(factors))
    assert factors[:top] == sorted(factors[:top])
    assert factors[top:] == sorted(factors[top:], reverse=True)


def test_a_triangle_needs_a_cut_between_0_and_1():
    for wrong in ((10, 0.0, 32), (10, 1.0, 32), (10, 0.1, 0.5), (0, 0.1, 32)):
        with pytest.raises(ValueError, match="0 < cut < 1"):
            slanted_triangular(*wrong)


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def loss(self, batch):
        return ((batch["x"] * self.weight - batch["y"]) ** 2).sum(), len(batch["x"])


def line(n=20, batch_size=1):
    torch.manual_seed(0)
    x = torch.linspace(1, 2, n)
    return ArrayBatches(batch_size, x=x, y=3 * x + torch.randn(n))


def test_before_it_averages_it_is_sgd():
    ours, theirs = Line(), Line()
    a = NTASGD(ours, 0.03, weight_decay=0.1)
    b = torch.optim.SGD(theirs.parameters(), lr=0.03, weight_decay=0.1)
    for model, optimizer in ((ours, a), (theirs, b)):
        mb.fit(model, line(), steps=15, optimizer=optimizer, progress=False)
    torch.testing.assert_close(ours.weight, theirs.weight)
    equal = NTASGD(Line(), 0.1)
    equal.record(2.0, patience=0), equal.record(2.0, patience=0)
    assert not equal.averaging  # no worse is not worse


def test_averaging_begins_when_validation_is_worse_than_some_time_ago():
    optimizer = NTASGD(Line(), 0.1)
    for loss in (5.0, 4.0, 4.5, 4.6):  # 4.5 and 4.6 are worse than 4.0, but that is too recent
        optimizer.record(loss, patience=3)
        assert not optimizer.averaging
    optimizer.record(4.4, patience=3)  # compared with 5.0 alone
    assert not optimizer.averaging
    optimizer.record(4.4, patience=3)  # 4.0 is now old enough
    assert optimizer.averaging


def test_averages_are_the_mean_of_the_weights_since_then():
    model, seen = Line(), []
    optimizer = NTASGD(model, 0.05, weight_decay=0.0)
    optimizer.param_groups[0]["averaging"] = True

    class Watch:
        def on_step(self, run):
            seen.append(run.model.weight.item())

    mb.fit(model, line(), steps=9, optimizer=optimizer, callbacks=[Watch()], progress=False)
    with optimizer.averaged():
        assert model.weight.item() == pytest.approx(sum(seen) / 9, rel=1e-5)
    assert model.weight.item() == pytest.approx(seen[-1])


def trained(steps, folder=None, callbacks=()):
    model = Line()
    optimizer = NTASGD(model, 0.3, weight_decay=0.0)
    history = mb.fit(
        model,
        line(),
        steps=steps,
        optimizer=optimizer,
        callbacks=[NonMonotone(patience=1), *callbacks],
        clip=None,
        valid=line(batch_size=20),
        valid_every=3,
        checkpoint=folder,
        device="cpu",
        progress=False,
    )
    return model, optimizer, history


def test_validation_sees_the_averages_and_they_stay_at_the_end():
    seen, began = [], []

    class Watch:
        def on_step(self, run):
            seen.append(run.model.weight.item())
            began.append(run.optimizer.averaging)

    model, optimizer, history = trained(60, callbacks=[Watch()])
    averaged = [weight for weight, averaging in zip(seen, began, strict=True) if averaging]
    assert 1 < len(averaged) < 60
    assert model.weight.item() == pytest.approx(sum(averaged) / len(averaged), rel=1e-5)
    assert evaluate(model, line(batch_size=20)) == pytest.approx(history.valid_loss[-1])
    optimizer.show_weights()
    assert model.weight.item() == seen[-1]  # of the last update alone


def test_an_averaging_run_that_is_resumed_goes_on_bit_for_bit(tmp_path):
    whole, optimizer, _ = trained(40, tmp_path / "a")
    trained(30, tmp_path / "b")
    parts, again, _ = trained(40, tmp_path / "b")
    assert again.averaging and torch.equal(whole.weight, parts.weight)
    assert optimizer.param_groups[0]["valid_losses"] == again.param_groups[0]["valid_losses"]
