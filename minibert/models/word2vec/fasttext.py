"""fastText's idea: a word's vector is made from its pieces, so that no word is unknown.

Bojanowski et al. (2017), "Enriching Word Vectors with Subword Information", TACL 5,
arXiv:1607.04606, section 3.2. They sum over n-grams of 3 to 6 characters and the word itself; here
it is the mean over 3 to 5, which keeps long words from having long vectors.
"""

import zlib
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def pieces(word: str, low: int = 3, high: int = 5, rows: int = 20_000) -> list[int]:
    """Rows of a word's character n-grams in a table of ``rows``; ``<`` and ``>`` mark its ends."""
    text = f"<{word}>"
    grams = [text[i : i + n] for n in range(low, high + 1) for i in range(len(text) - n + 1)]
    return [zlib.crc32(gram.encode()) % rows for gram in grams or [text]]


class Pieces(nn.Module):
    """A table of words made from a table of pieces; takes the place of ``Word2Vec.input``."""

    flat: Tensor  # the rows of all pieces
    starts: Tensor  # where those of each word begin

    def __init__(self, words: Sequence[str], dim: int, rows: int = 20_000) -> None:
        super().__init__()
        self.rows = rows
        self.table = nn.EmbeddingBag(rows, dim, mode="mean")
        nn.init.uniform_(self.table.weight, -0.5 / dim, 0.5 / dim)
        found = [pieces(word, rows=rows) for word in words]
        flat = torch.tensor([row for rows_of_word in found for row in rows_of_word])
        starts = torch.tensor([0, *map(len, found[:-1])]).cumsum(0)
        for name, table in (("flat", flat), ("starts", starts)):
            self.register_buffer(name, table, persistent=False)

    def forward(self, input_ids: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape dim"]:
        return self.table(self.flat, self.starts)[input_ids]  # all (V, dim), then those asked for

    @torch.no_grad()
    def vector(self, word: str) -> Float[Tensor, " dim"]:
        """The vector of any word at all."""
        rows = torch.tensor([pieces(word, rows=self.rows)], device=self.table.weight.device)
        return self.table(rows)[0]
