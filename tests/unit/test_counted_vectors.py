"""GloVe's counts and weights, and fastText's pieces, on numbers worked out by hand."""

import zlib

import pytest
import torch

from minibert.models.word2vec.fasttext import Pieces, pieces
from minibert.models.word2vec.glove import GloVe, cells, cooccurrences


def test_a_neighbour_counts_one_over_its_distance_within_its_sentence():
    X = cooccurrences([0, 1, 2, 0, 3], [0, 3, 5], size=4, window=2)  # "0 1 2" and "0 3"
    assert X.tolist() == [[0, 1, 0.5, 1], [1, 0, 1, 0], [0.5, 1, 0, 0], [1, 0, 0, 0]]


def test_the_loss_is_the_weighted_squared_error_of_the_logarithm():
    """Pennington et al. (2014), equations 8 and 9: x_max = 100, alpha = 3/4."""
    model = GloVe(2, dim=2)
    for table, rows in (
        (model.w, [[1.0, 2.0], [0.0, 0.0]]),
        (model.w_context, [[0.0, 0.0], [3.0, -1.0]]),
        (model.b, [[0.5], [0.0]]),
        (model.b_context, [[0.0], [-0.25]]),
    ):
        table.weight.data = torch.tensor(rows)
    # the guess is 1 * 3 - 2 * 1 + 0.5 - 0.25 = 1.25 for every x
    # weights (x / 100)^(3/4), at most 1: 0.031623, 0.177828, 1, 1
    for x, wanted in ((1.0, 0.0494106), (10.0, 0.1970222), (100.0, 11.2571667), (400.0, 22.481487)):
        batch = {"row": torch.tensor([0]), "column": torch.tensor([1]), "x": torch.tensor([x])}
        loss, count = model.loss(batch)
        assert (loss.item(), count) == (pytest.approx(wanted, rel=1e-5), 1)
    assert model.vectors.tolist() == [[1.0, 2.0], [3.0, -1.0]]  # section 4.2: the sum of both


def test_only_cells_with_a_count_are_learned_from():
    (batch,) = cells(torch.tensor([[0.0, 2.0], [0.5, 0.0]]))
    found = zip(*(batch[name].tolist() for name in ("row", "column", "x")), strict=True)
    assert sorted(found) == [(0, 1, 2.0), (1, 0, 0.5)]


def rows(*grams):
    return [zlib.crc32(gram.encode()) % 20_000 for gram in grams]


def test_the_ends_of_a_word_are_marked():
    """Bojanowski et al. (2017), section 3.2: *where*; the word *her* is not the gram in it."""
    assert pieces("where", 3, 3) == rows("<wh", "whe", "her", "ere", "re>")
    assert pieces("her") == rows("<he", "her", "er>", "<her", "her>", "<her>")
    assert pieces("a") == rows("<a>")


def test_any_word_is_the_mean_of_its_pieces():
    table = Pieces(["her", "a"], dim=3)
    her = table.table.weight[pieces("her")].mean(0)
    torch.testing.assert_close(table(torch.tensor([[1, 0]]))[0, 1], her)
    torch.testing.assert_close(table.vector("where"), table.table.weight[pieces("where")].mean(0))
