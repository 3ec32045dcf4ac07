"""GloVe: word vectors from counts (Pennington, Socher & Manning 2014, EMNLP)."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from minibert.models.outputs import Loss
from minibert.text.batches import ArrayBatches, Batch

Ids = Sequence[int] | np.ndarray | Tensor


def cooccurrences(
    ids: Ids, offsets: Ids, size: int, window: int = 5
) -> Float[Tensor, "{size} {size}"]:
    """X: how often word j stands near word i; a neighbour at distance d counts 1 / d.

    ``ids`` and ``offsets`` as `Vocab.encode_corpus` gives them. A dense table: for small
    vocabularies.
    """
    ids, offsets = torch.as_tensor(ids).long(), torch.as_tensor(offsets)
    sentence = torch.repeat_interleave(torch.arange(len(offsets) - 1), offsets.diff())
    X = torch.zeros(size, size)
    for distance in range(1, window + 1):
        inside = sentence[:-distance] == sentence[distance:]
        left, right = ids[:-distance][inside], ids[distance:][inside]
        X.index_put_((left, right), torch.tensor(1 / distance), accumulate=True)
    return X + X.T


class GloVe(nn.Module):
    """Two tables whose products fit the logarithms of X (equation 8)."""

    def __init__(self, vocab_size: int, dim: int) -> None:
        super().__init__()
        self.w, self.w_context = (nn.Embedding(vocab_size, dim) for _ in range(2))
        self.b, self.b_context = (nn.Embedding(vocab_size, 1) for _ in range(2))
        for table in (self.w, self.w_context, self.b, self.b_context):
            nn.init.uniform_(table.weight, -0.5 / dim, 0.5 / dim)

    def loss(self, batch: Batch, x_max: float = 100.0) -> Loss:
        """(sum of weighted squared errors, number of cells); weights by equation 9, power 0.75."""
        i, j, x = batch["row"], batch["column"], batch["x"]
        guess = (self.w(i) * self.w_context(j)).sum(1) + (self.b(i) + self.b_context(j)).squeeze(1)
        weight = (x / x_max).pow(0.75).clamp(max=1)
        return (weight * (guess - x.log()) ** 2).sum(), len(x)

    @property
    def vectors(self) -> Float[Tensor, "V dim"]:
        """The sum of both tables, as section 4.2 of the paper uses it."""
        return (self.w.weight + self.w_context.weight).detach()


def cells(X: Float[Tensor, "V V"], batch_size: int = 8192, seed: int = 0) -> ArrayBatches:
    """Batches of the cells of X that are not empty."""
    row, column = X.nonzero(as_tuple=True)
    return ArrayBatches(batch_size, seed=seed, row=row, column=column, x=X[row, column])
