"""The checks of chapter 10 agree with the library. (Wrong answers: see `tests/answers/ch10.py`.)"""

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.course.learn.exercises.ch04_tried import made_with
from minibert.course.learn.exercises.ch10 import (
    AdapterBlock,
    Anchor,
    ChainThaw,
    FindTheBug,
    Frontier,
    LowRank,
)
from minibert.course.learn.exercises.ch10_anchor import Small, examples


def test_an_adapter_is_the_library_s():
    dim, size, x, weights = case = AdapterBlock.case(4, 6, 3)
    adapter = made_with(mb.transfer.Adapter(dim, size), weights)
    assert torch.allclose(adapter(x), AdapterBlock.solve(case), atol=1e-5)
    assert (
        AdapterBlock.start(lambda *given: AdapterBlock.tried(mb.transfer.Adapter, *given), case)
        is None
    )


def test_lora_is_the_library_s():
    case = LowRank.CASES[0]
    inputs, _, rank, alpha, seed = case
    lora = mb.transfer.LoRALinear(LowRank.layer(case), rank, alpha)
    with torch.no_grad():
        for part, value in zip((lora.down, lora.up), LowRank.thin(case), strict=True):
            part.weight.copy_(value)
    x = torch.randn(2, 3, inputs, generator=torch.Generator().manual_seed(seed + 4))
    assert torch.allclose(lora(x), LowRank.solve(case), atol=1e-5)
    assert torch.allclose(lora.change, LowRank.change(case), atol=1e-5)


@pytest.mark.parametrize("plan", ChainThaw.CASES)
def test_chain_thaw_is_the_library_s(plan):
    layers, steps, rate, share = plan
    wanted = mb.transfer.rates("chain-thaw", layers, steps, rate, share=share)
    assert np.array_equal(ChainThaw.solve(*plan), wanted, equal_nan=True)


def test_the_frontier_has_no_point_that_another_beats():
    for seed in range(20):
        points = Frontier.case(seed)
        best = [points[name] for name in Frontier.solve(points)]
        assert best == sorted(best) and [s for _, s in best] == sorted(s for _, s in best)
        for size, score in points.values():
            assert any(s <= size and c >= score for s, c in best)


class Classifier(Small):
    """The model of the exercise as the library's functions want it."""

    def loss(self, batch):
        total = torch.nn.functional.cross_entropy(self(batch["x"]), batch["y"], reduction="sum")
        return total, len(batch["y"])


def test_the_fisher_is_the_library_s():
    case = FindTheBug.CASES[0]
    x, y = map(torch.cat, zip(*examples(case), strict=True))
    model = Classifier(case[0], case[1], case[3])
    wanted = mb.transfer.fisher(model, [{"x": x, "y": y}], part=model)
    found = FindTheBug.solve(case)
    assert found.keys() == wanted.keys()
    assert all(torch.allclose(found[name], f, atol=1e-5) for name, f in wanted.items())


def test_the_penalty_is_the_library_s():
    seed, strength, sizes = case = Anchor.case(3, 2.5)
    part = Anchor.part(seed)
    anchor = mb.transfer.EWC(part, sizes, strength)
    part.load_state_dict(Anchor.part(seed, moved=True).state_dict())
    penalty = anchor.penalty(part, {})
    assert torch.allclose(penalty, Anchor.solve(case), rtol=1e-5)
    for got, want in zip(torch.autograd.grad(penalty, [*part.parameters()], allow_unused=True),
                         Anchor.slopes(case), strict=True):  # fmt: skip
        assert torch.allclose(torch.zeros_like(want) if got is None else got, want, atol=1e-5)
