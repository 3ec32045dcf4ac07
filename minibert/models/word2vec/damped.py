"""The rate of a frequent word's vector is damped, for `minibert.models.word2vec.fast`."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from minibert.models.word2vec.fast import Text

PerWord = Float[np.ndarray, " V"]
DAMPING = 0.03
SAMPLE = 256  # rows that tell how long vectors are


def expected_terms(text: "Text", centres: int, negatives: int) -> tuple[PerWord, PerWord]:
    """In how many terms of the loss a word of ``centres`` is expected: as centre, as answer."""
    pairs = text.window + 1  # a centre's, on average
    p, q = centres * text.frequency, centres * text.noise
    return pairs * (1 + negatives) * (1 + p), pairs * (negatives + p + negatives * q)


def mean_square(vectors: Float[Tensor, "rows d"]) -> float:
    """The mean squared length of the rows, judged by the first of them."""
    some = vectors[:SAMPLE]
    return float(torch.linalg.vector_norm(some)) ** 2 / len(some)


def descend(
    table: Float[Tensor, "V d"],
    rows: Int[Tensor, " rows"],
    gradient: Float[Tensor, "rows d"],
    rate: float,
    *,
    terms: Float[Tensor, " V"],
    size: float,
) -> None:
    """Subtract the gradient from its rows of a table, at a damped rate.

    ``terms`` logistic terms pull at a vector at once, each with a curvature of at most a quarter of
    the squared length on the other side (``size``, the mean). Where rate * curvature is large,
    their sum would overshoot. So each row's rate is rate / (1 + DAMPING * rate * size * terms).
    """
    damping = terms.index_select(0, rows).mul_(DAMPING * rate * size).add_(1)  # (rows,)
    table.index_add_(0, rows, gradient.mul_((-rate / damping).unsqueeze(1)))
