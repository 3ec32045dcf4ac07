"""The checks of chapter 09 agree with the library. (Wrong answers: see `tests/answers/ch09.py`.)"""

import torch

import minibert as mb
from minibert.course.learn.exercises.ch09_pairs import Pairs
from minibert.course.learn.exercises.ch09_probe import LinearProbe
from minibert.course.learn.exercises.ch09_training import best
from minibert.course.learn.exercises.ch09_trees import Erase, TreeLoss


def test_pairs_are_judged_as_the_library_judges_them():
    for good, bad, groups in Pairs.CASES:
        scores = mb.probe.PairScores(torch.tensor(good).numpy(), torch.tensor(bad).numpy())
        assert scores.by(groups) == Pairs.solve(good, bad, groups)


def test_the_smallest_loss_is_that_of_the_library():
    case = LinearProbe.case()
    x, y = LinearProbe.scaled(case, case["x"]), case["y"]
    probe = mb.probe.Linear(penalty=6.0, tolerance=1e-9).fit(x, y, (x, y))
    shares = probe.probabilities(x)
    W, b = best(probe.standard(x), y, 6.0)
    assert torch.allclose((probe.standard(x) @ W + b).softmax(1), shares, atol=2e-3)


def test_the_loss_of_trees_is_that_of_the_library():
    h, B, gold = TreeLoss.case()
    probe = mb.probe.StructuralProbe(rank=3)
    probe.b = B
    assert torch.allclose(probe.loss(h[None], gold[None]), TreeLoss.solve(h, B, gold), atol=1e-5)


def test_nothing_is_left_along_erased_directions_and_the_rest_stays():
    H, directions = Erase.case()
    left = Erase.solve(H, directions)
    assert torch.allclose((left - left.mean(0)) @ directions.T, torch.zeros(7, 2), atol=1e-5)
    assert torch.allclose(left.mean(0), H.mean(0), atol=1e-5)
    outside = torch.linalg.svd(directions)[2][2:]  # at right angles to both
    assert torch.allclose(left @ outside.T, H @ outside.T, atol=1e-5)
