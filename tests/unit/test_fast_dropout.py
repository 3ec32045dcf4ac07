"""Dropout from bytes: what it drops, keeps and scales."""

import pytest
import torch

from minibert.models.dropout import Dropout, dropout, kept


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_drops_its_share_and_keeps_the_mean(p):
    torch.manual_seed(0)
    y = dropout(torch.ones(1000, 1000), p)
    assert (y == 0).float().mean().item() == pytest.approx(round(p * 256) / 256, abs=0.002)
    assert y.mean().item() == pytest.approx(1.0, abs=0.01)
    assert len(y.unique()) == 2


def test_draws_are_independent_within_a_word():
    torch.manual_seed(0)
    m = (kept((100_000, 8), 0.5) > 0).double()
    correlation = torch.corrcoef(m.T) - torch.eye(8)
    assert correlation.abs().max() < 0.02


def test_the_gradient_has_the_same_mask():
    x = torch.ones(7, 3, requires_grad=True)
    y = dropout(x, 0.5)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_nothing_to_do():
    x = torch.randn(3)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0) is x
    layer = Dropout(0.5).eval()
    assert layer(x) is x and (layer.train()(torch.ones(100)) == 0).any()


def test_the_seed_rules():
    def draw():
        torch.manual_seed(3)
        return kept((5, 5), 0.3)

    assert torch.equal(draw(), draw())


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_a_wrong_rate_is_refused(p):
    with pytest.raises(ValueError, match="0 <= p < 1"):
        dropout(torch.ones(2), p)
