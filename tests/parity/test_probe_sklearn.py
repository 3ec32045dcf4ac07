"""The linear probe beside scikit-learn's logistic regression."""

import numpy as np
import pytest
import torch

import minibert as mb

linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")


def rows(count, seed):
    """Five labels of different frequency, ten columns of very different size, some overlap."""
    random = np.random.default_rng(seed)
    y = random.choice(5, count, p=[0.4, 0.3, 0.2, 0.06, 0.04])
    centres = np.random.default_rng(7).normal(size=(5, 10))
    x = (centres[y] + random.normal(size=(count, 10))) * 10.0 ** np.arange(-3, 7) + 5.0
    return torch.from_numpy(x).float(), y.tolist()


@pytest.mark.parametrize("penalty", [100.0, 1.0])
def test_probabilities_are_those_of_scikit_learn(penalty):
    (x, y), (other, wanted) = rows(1500, 0), rows(700, 1)
    ours = mb.probe.Linear(penalty, tolerance=0.0).fit(x, y, (other, wanted))
    standard = ours.standard
    theirs = linear_model.LogisticRegression(C=1 / penalty, max_iter=5000, tol=1e-8)
    theirs.fit(standard(x).double().numpy(), y)
    test = standard(other).double().numpy()
    difference = np.abs(ours.probabilities(other).numpy() - theirs.predict_proba(test)).max()
    assert difference < 2e-3
    assert abs(ours.score(other, wanted) - theirs.score(test, wanted)) < 0.005


def test_with_its_usual_tolerance_the_score_is_the_same():
    (x, y), (other, wanted) = rows(1500, 2), rows(1500, 3)
    ours = mb.probe.Linear(10.0).fit(x, y, (other, wanted))
    theirs = linear_model.LogisticRegression(C=0.1, max_iter=5000)
    theirs.fit(ours.standard(x).numpy(), y)
    score = theirs.score(ours.standard(other).numpy(), wanted)
    assert abs(ours.score(other, wanted) - score) < 0.005


@pytest.mark.parametrize("penalty", [30.0, 3.0])
def test_sparse_weights_are_those_of_scikit_learn(penalty):
    x, y = rows(600, 0)
    ours = mb.probe.Sparse(penalty, tolerance=1e-7).fit(x, y, rows(100, 1))
    standard = ours.standard(x).double().numpy()
    options = {"solver": "saga", "l1_ratio": 1.0, "max_iter": 20_000, "tol": 1e-7}
    theirs = linear_model.LogisticRegression(C=1 / penalty, **options).fit(standard, y)

    def cost(weights, biases):
        logits = torch.from_numpy(standard @ weights + biases)
        loss = torch.nn.functional.cross_entropy(logits, ours.numbers(y), reduction="sum")
        return float(loss) + penalty * np.abs(weights).sum()

    mine = ours.weights.double().numpy()
    assert cost(mine[:-1], mine[-1]) <= cost(theirs.coef_.T, theirs.intercept_) + 0.01
    np.testing.assert_allclose(mine[:-1], theirs.coef_.T, atol=0.02)
