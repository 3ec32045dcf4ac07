"""How well a training run uses the machine."""

import pytest
import torch
from torch import nn

import minibert as mb
from minibert.training import progress
from minibert.training.utilisation import Utilisation, peak_flops


class Linear(nn.Module):
    """A product of matrices, (16, 64) by (64, 32), whose gradient is another one."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 32, bias=False)

    def loss(self, batch):
        out = self.layer(batch["x"])  # (16, 32)
        return out.square().sum(), 16


class Seen:
    def on_step(self, run):
        self.run, self.facts = run, progress.facts(run)


def test_what_an_update_multiplies_over_what_the_machine_could():
    batch = {"x": torch.randn(16, 64), "input_ids": torch.zeros(4, 4)}
    busy, seen = Utilisation(), Seen()
    mb.fit(Linear(), [batch], steps=6, callbacks=[busy, seen], progress=False)
    forward = 2 * 16 * 64 * 32
    assert busy.a_token == 2 * forward / 16  # and the gradient of the weights; x needs none
    assert busy.peak > 1e8
    expected = busy.a_token * seen.run.history.speed[-1] / busy.peak
    assert seen.run.utilisation == pytest.approx(expected)
    assert f"{expected:.0%} of peak" in seen.facts


def test_a_run_that_is_not_asked_does_not_say():
    seen = Seen()
    mb.fit(Linear(), [{"x": torch.randn(16, 64)}], steps=4, callbacks=[seen], progress=False)
    assert seen.run.utilisation is None and "peak" not in seen.facts


def test_an_error_in_the_counted_update_leaves_nothing_behind():
    def batches():
        yield from [{"x": torch.randn(16, 64)}] * 2
        yield {"x": torch.randn(16, 63)}

    busy = Utilisation()
    with pytest.raises(RuntimeError):
        mb.fit(Linear(), list(batches()), steps=6, callbacks=[busy], progress=False)
    assert busy.counter is None


def test_the_peak_is_that_of_this_machine():
    assert 1e8 < peak_flops(size=256) < 1e14
