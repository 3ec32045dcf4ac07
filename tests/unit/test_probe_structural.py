"""The structural probe: trees in distances, exactly where they are embedded exactly."""

import numpy as np
import pytest
import torch

import minibert as mb

HEADS = [1, 4, 3, 1, -1, 4, 7, 5]  # of eight words


def random_tree(rng, length):
    """Heads: each word in a random order hangs on one that came before it."""
    order, heads = rng.permutation(length).tolist(), [-1] * length
    for place, word in enumerate(order[1:], 1):
        heads[word] = order[rng.integers(place)]
    return heads


def embedded(heads, dim):
    """A vector a word whose squared distances are the lengths of paths: a unit step for each arc.

    The steps of a tree stand at right angles to each other.
    """
    found = torch.zeros(len(heads), dim)
    for word in range(len(heads)):
        at = word
        while heads[at] >= 0:
            found[word, at] = 1.0
            at = heads[at]
    return found


def test_distances_are_the_lengths_of_paths():
    found = mb.probe.tree_distances([1, -1, 1, 2])
    assert found.tolist() == [[0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 0, 1], [3, 2, 1, 0]]
    x = embedded(HEADS, 8)
    wanted = torch.cdist(x, x).square()
    assert torch.allclose(torch.from_numpy(mb.probe.tree_distances(HEADS)), wanted, atol=1e-5)


def test_the_spanning_tree_is_the_tree():
    rng = np.random.default_rng(0)
    for length in (1, 2, 9, 14):
        heads = random_tree(rng, length)
        edges = {(min(i, h), max(i, h)) for i, h in enumerate(heads) if h >= 0}
        assert mb.probe.spanning_tree(mb.probe.tree_distances(heads)) == edges


def test_prims_tree_is_scipys():
    scipy = pytest.importorskip("scipy.sparse.csgraph", reason="scipy is not installed")
    distances = np.random.default_rng(1).random((12, 12)) + 0.1
    distances = distances + distances.T
    wanted = scipy.minimum_spanning_tree(np.triu(distances, 1)).toarray()
    pairs = np.argwhere(wanted).tolist()
    assert mb.probe.spanning_tree(distances) == {(min(p), max(p)) for p in pairs}


def test_uuas_by_hand():
    heads = [[1, -1, 1, 2], [-1, 0]]
    found = [{(0, 1), (1, 3), (2, 3)}, {(0, 1)}]  # two of three, one of one
    assert mb.probe.uuas(found, heads) == 3 / 4
    ignored = [[False, False, True, False], [False, True]]
    assert mb.probe.uuas([{(0, 1), (1, 3)}, set()], heads, ignored) == 1.0
    assert mb.probe.chain(4, [False, True, False, False]) == {(0, 2), (2, 3)}
    assert mb.probe.uuas([mb.probe.chain(4), mb.probe.chain(2)], heads) == 1.0
    with pytest.raises(ValueError, match="two words that count"):
        mb.probe.uuas([set()], [[-1]])
    with pytest.raises(ValueError, match="sentence 0 has 2 words, got 1 to ignore"):
        mb.probe.uuas([set()], [[-1, 0]], [[True]])


def test_it_recovers_trees_that_are_there():
    """Trees stand in a turned part of the space, beside noise; B has to find that part."""
    rng, dim = np.random.default_rng(0), 20
    turn = torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(0)))[0]
    heads = [random_tree(rng, int(n)) for n in rng.integers(4, 9, 300)]
    noise = torch.Generator().manual_seed(1)
    states = []
    for one in heads:
        x = embedded(one, dim)
        x[:, 9:] = 2 * torch.randn(len(one), dim - 9, generator=noise)
        states.append(x @ turn)
    probe = mb.probe.StructuralProbe(rank=20, rate=0.03).fit(states[:250], heads[:250])
    assert probe.uuas(states[250:], heads[250:]) > 0.9
    assert probe.spearman(states[250:], heads[250:]) > 0.85
    chains = [mb.probe.chain(len(one)) for one in heads[250:]]
    assert mb.probe.uuas(chains, heads[250:]) < 0.6


def test_the_loss_by_hand():
    """B is the identity: |4 - 1| for the pair, counted twice, / 4; padding counts nothing."""
    probe = mb.probe.StructuralProbe(rank=1)
    probe.b = torch.ones(1, 1)
    x = torch.tensor([[[0.0], [2.0], [9.0]]])
    gold = torch.tensor([[[0.0, 1.0, -1.0], [1.0, 0.0, -1.0], [-1.0, -1.0, -1.0]]])
    assert float(probe.loss(x, gold)) == pytest.approx(6 / 4)
    assert probe.distances(x[0])[0].tolist() == [0.0, 4.0, 81.0]


def test_trees_that_are_none_are_refused():
    for heads, told in [
        ([0, -1], "circle"),
        ([1, 0, -1], "circle"),
        ([-1, -1], "one root .-1., got 2"),
        ([1, 0], "one root .-1., got 0"),
        ([-1, 5], "word 1 has the head 5"),
    ]:
        with pytest.raises(ValueError, match=f"sentence 3 is no tree.*{told}"):
            mb.probe.tree_distances(heads, 3)
    probe, x = mb.probe.StructuralProbe(), [torch.randn(2, 4)] * 3
    with pytest.raises(ValueError, match="sentence 1 has 2 words, but 3 heads"):
        probe.fit(x, [[-1, 0], [-1, 0, 0], [-1, 0]])
    with pytest.raises(ValueError, match="a tree for each of 3 sentences, got 1"):
        probe.fit(x, [[-1, 0]])
    with pytest.raises(ValueError, match="two words or more"):
        probe.fit([torch.randn(1, 4)], [[-1]])
