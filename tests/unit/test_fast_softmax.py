"""The chunked linear layer with cross-entropy is the plain one."""

import pytest
import torch
from torch.nn import functional as F

from minibert.models import softmax
from minibert.models.softmax import linear_cross_entropy
from minibert.text.batches import IGNORE


def make(rows=(3, 7), dim=5, vocab=11, bias=True):
    torch.manual_seed(0)
    make = {"dtype": torch.float64, "requires_grad": True}
    targets = torch.randint(vocab, rows)
    targets[0, :2] = IGNORE
    return (
        torch.randn(*rows, dim, **make),
        torch.randn(vocab, dim, **make),
        torch.randn(vocab, **make) if bias else None,
        targets,
    )


def plain(hidden, weight, bias, targets):
    logits = F.linear(hidden, weight, bias).flatten(0, 1)
    return F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORE, reduction="sum")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("piece", [11, 30, 1 << 20])  # one row, two rows, all rows at a time
def test_equals_the_plain_version_with_its_gradients(monkeypatch, bias, piece):
    monkeypatch.setattr(softmax, "PIECE", piece)
    *leaves, targets = make(bias=bias)
    loss, count = linear_cross_entropy(*leaves, targets)
    want = plain(*leaves, targets)
    assert count == 19
    torch.testing.assert_close(loss, want)
    leaves = [leaf for leaf in leaves if leaf is not None]
    got = torch.autograd.grad(loss * 0.3, leaves)
    for one, other in zip(got, torch.autograd.grad(want * 0.3, leaves), strict=True):
        torch.testing.assert_close(one, other)


def test_a_hopeless_target_has_a_finite_loss():
    hidden, weight = torch.tensor([[200.0]]), torch.tensor([[1.0], [-1.0]])
    loss, _ = linear_cross_entropy(hidden, weight, None, torch.tensor([1]))
    assert loss.item() == pytest.approx(400.0)


def test_frozen_parts_get_no_gradient():
    hidden, weight, bias, targets = make()
    loss, _ = linear_cross_entropy(hidden, weight.detach(), None, targets)
    loss.backward()
    assert weight.grad is None and bias.grad is None
    assert hidden.grad[0, :2].abs().sum() == 0 and hidden.grad[1:].abs().sum() > 0


def test_without_gradients_none_are_made():
    with torch.no_grad():
        loss, count = linear_cross_entropy(*make())
    assert not loss.requires_grad and count == 19


def test_nothing_to_predict():
    hidden, weight, bias, targets = make()
    loss, count = linear_cross_entropy(hidden, weight, bias, torch.full_like(targets, IGNORE))
    assert (loss.item(), count) == (0.0, 0)
    loss.backward()
    assert weight.grad.abs().sum() == 0


def test_mixed_precision_keeps_to_autocast():
    hidden, weight, bias, targets = (
        t.detach().float() if t.is_floating_point() else t for t in make()
    )
    want, _ = linear_cross_entropy(hidden, weight, bias, targets)
    with torch.autocast("cpu", torch.bfloat16):
        got, count = linear_cross_entropy(hidden, weight, bias, targets)
    assert count == 19 and got.item() == pytest.approx(want.item(), rel=0.02)
    assert got.item() != want.item()


@pytest.mark.usefixtures("unchecked")
def test_wrong_shapes_are_named():
    hidden, weight, bias, targets = make()
    with pytest.raises(ValueError, match=r"hidden \(3, 7, 5\) and targets \(7, 3\)"):
        linear_cross_entropy(hidden, weight, bias, targets.T)


def test_without_gradients_none_are_computed(monkeypatch):
    wanted = []
    plain = softmax._piece

    def noted(*rows, grads, piece):
        wanted.append([grad is not None for grad in grads])
        return plain(*rows, grads=grads, piece=piece)

    monkeypatch.setattr(softmax, "_piece", noted)
    hidden, weight = torch.randn(3, 4, requires_grad=True), torch.randn(9, 4, requires_grad=True)
    targets = torch.tensor([1, 2, 3])
    with torch.no_grad():
        quick, _ = softmax.linear_cross_entropy(hidden, weight, None, targets)
    slow, _ = softmax.linear_cross_entropy(hidden, weight, None, targets)
    assert wanted == [[False] * 3, [True, True, False]]
    torch.testing.assert_close(quick, slow.detach())
