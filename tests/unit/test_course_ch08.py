"""The checks of chapter 08 agree with the library. (Wrong answers: see `tests/answers/ch08.py`.)"""

import torch

import minibert as mb
from minibert.course.learn.exercises.ch08 import FindTheBug, Gradient, Hits, Patch, Units
from minibert.course.learn.exercises.ch08_cut import Attention
from minibert.course.learn.exercises.ch08_patch import Tiny


def test_the_gradient_of_t_sne_is_that_of_its_cost():
    p, y = Gradient.case(5, 7)
    y.requires_grad_()
    near = 1 / (1 + (y[:, None] - y[None]).square().sum(-1))
    q = near / (near.sum() - len(y))  # without the ones on the diagonal
    pairs = ~torch.eye(len(y), dtype=torch.bool)
    cost = (p[pairs] * (p[pairs] / q[pairs]).log()).sum()
    (slope,) = torch.autograd.grad(cost, y)
    assert torch.allclose(slope, Gradient.solve(p, y.detach()), atol=1e-5)


def test_units_differ_as_the_library_says():
    x, positive = Units.case(3, 14, 5)
    names, d = mb.probe.mean_differences(x, [bool(one) for one in positive])
    assert torch.allclose(d[names.index(True)], Units.solve(x, positive), atol=1e-5)


def test_a_head_hits_as_often_as_the_library_counts():
    weights, heads = Hits.case(48, 9)
    right = Hits.solve(weights, heads)
    found = mb.probe.head_arcs([weights[None, None]], [heads])["all"]
    assert abs(found.best[2] - sum(right) / len(right)) < 1e-6


def test_a_head_is_cut_before_it_is_mixed():
    case = (6, 3, 1, 4)
    attention, x = Attention(6, 3, 4), torch.randn(2, 3, 6, generator=torch.Generator())
    assert FindTheBug.solve(case).shape == attention(x).shape
    assert not torch.allclose(FindTheBug.solve(case), FindTheBug.solve(case, behind=True))


def test_mistakes_of_the_patches_are_told_apart():
    case = Patch.case(2, blocks=3, length=6)
    want, (patched, best, worst) = Patch.solve(case), Patch.parts(case)
    assert want.shape == (4, 6) and abs(best - worst) > 0.05
    assert not torch.allclose(want, patched)
    model, (_, _, clean, corrupted) = Tiny(2, 3), case
    with torch.no_grad():
        assert abs(float(model(clean)) - best) < 1e-5
        assert abs(float(model(corrupted)) - worst) < 1e-5
    same = (clean == corrupted)[0]
    assert not want[0, same].any()  # the embeddings of equal tokens carry nothing
