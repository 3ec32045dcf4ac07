"""The checks of chapter 09 agree with the library. (Wrong answers: see `tests/answers/ch09.py`.)"""

from itertools import combinations, pairwise, product

import pytest
import torch

import minibert as mb
from minibert.course.learn.exercises.ch09_pairs import Pairs
from minibert.course.learn.exercises.ch09_probe import LinearProbe
from minibert.course.learn.exercises.ch09_training import best
from minibert.course.learn.exercises.ch09_tree_probe import BOUNCING, SMOOTH, TreeProbe
from minibert.course.learn.exercises.ch09_tree_search import spanning
from minibert.course.learn.exercises.ch09_tree_training import (
    MISTAKES,
    arcs_between,
    mean_loss,
    problem,
    variant,
)
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


def joined(arcs, count):
    """Whether these arcs join all words."""
    seen = {0}
    for _ in range(count):
        seen |= {b for a, b in product(seen, range(count)) if (min(a, b), max(a, b)) in arcs}
    return len(seen) == count


def test_the_slow_spanning_tree_is_the_best_of_all_trees_and_the_library_finds_it():
    for seed in range(6):
        x, B, ignored = TreeProbe.sentence(seed, 9, 4, 3, seed % 3)
        far = TreeProbe.solve(x, B)
        assert spanning(far.tolist(), ignored) == mb.probe.spanning_tree(far.numpy(), ignored)
        every = combinations(combinations(range(5), 2), 4)
        trees = [arcs for arcs in every if joined(set(arcs), 5)]
        assert len(trees) == 125  # Cayley's 5 ** 3
        least = min(trees, key=lambda arcs: sum(float(far[a, b]) for a, b in arcs))
        assert spanning(far[:5, :5].tolist(), [False] * 5) == set(least)


def test_the_probe_that_is_kept_has_the_smallest_validation_loss():
    for case in BOUNCING:
        losses, B = variant(case)
        *_, valid = problem(case[0])
        assert float(mean_loss(B, valid)) == pytest.approx(min(losses), abs=1e-6)
        assert len(losses) < case[2] and losses[-case[3] - 1] == min(losses)


def test_each_mistake_in_training_is_seen_in_one_of_the_cases():
    wanted = {case: variant(case) for case in (*SMOOTH, *BOUNCING)}
    seen = [
        any(not TreeProbe.alike(variant(case, **how), want) for case, want in wanted.items())
        for how in MISTAKES.values()
    ]
    assert all(seen)


def test_no_two_epochs_of_a_case_are_so_close_that_another_processor_could_change_their_order():
    for case in (*SMOOTH, *BOUNCING):
        ranked = sorted(variant(case)[0])
        assert min(b - a for a, b in pairwise(ranked)) > 0.004


def test_the_arcs_between_words_are_those_that_the_library_counts():
    for heads in ([-1], [-1, 0, 0, 2, 1, 3], [-1, 0, 1, 2]):
        assert arcs_between(heads).tolist() == mb.probe.tree_distances(heads).tolist()
