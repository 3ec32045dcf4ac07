"""How well a training run uses the machine."""

import pytest
import torch
from torch import nn

import minibert as mb
from minibert.training import progress, utilisation
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


class Steady:
    """1,000 tokens a second, whatever the machine does."""

    def on_step(self, run):
        run.history.speed[-1] = 1000.0


def test_what_an_update_multiplies_over_what_the_machine_could(monkeypatch):
    monkeypatch.setattr(utilisation, "peak_flops", lambda device: 16_384_000.0)
    batch = {"x": torch.randn(16, 64), "input_ids": torch.zeros(4, 4)}
    busy, seen = Utilisation(), Seen()
    mb.fit(Linear(), [batch], steps=6, callbacks=[Steady(), busy, seen], progress=False)
    # forward 2 * 16 * 64 * 32 = 65,536, for the gradient of the weights as many, none for x
    assert busy.a_token == 131_072 / 16 == 8_192
    assert seen.run.utilisation == 0.5  # of 8,192 * 1,000 FLOP a second
    assert "50% of peak" in seen.facts


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


def test_the_peak_is_that_of_this_machine(monkeypatch):
    assert 1e8 < peak_flops(size=256) < 1e14
    times = iter([0.0, 0.5, 1.0, 1.25, 2.0, 4.0])  # products that took 0.5, 0.25 and 2 seconds
    monkeypatch.setattr(utilisation, "perf_counter", lambda: next(times))
    assert peak_flops(size=100) == 8e6  # 100 * 100 sums of 100 products and 100 additions
