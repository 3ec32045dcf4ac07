"""A long text in blocks of equal length, cut at different positions in each epoch."""

import numpy as np
import torch

from minibert.text.batches import Batch, Batches


class BlockBatches(Batches):
    """One stream of ids as rows of ``length`` tokens: batches for a `minibert.GPT`.

    ids: one-dimensional integer array; may be memory-mapped: only what is needed is read. A row
    begins with the last token of the row before it, so every token but the first of an epoch is a
    target once. An epoch begins at a position drawn from the first ``length``. Tokens at the end
    that do not fill a row are left out, and so is a last batch that is not full.
    ``shuffle=False`` begins at the first token and keeps the order. A batch has ``input_ids``
    (batch, length), int64. Raises ValueError for a text that does not fill one batch.
    """

    SETTINGS = ("tokens", "batch_size", "length", "shuffle")

    def __init__(
        self, ids: np.ndarray, batch_size: int, length: int, shuffle: bool = True, *, seed: int = 0
    ) -> None:
        super().__init__(seed)
        self.ids, self.batch_size, self.length, self.shuffle = ids, batch_size, length, shuffle
        self.tokens = len(ids)
        if length < 2 or batch_size < 1 or len(self) < 1:
            wanted = f"a text that fills a batch of {batch_size} rows of {length} tokens"
            raise ValueError(f"expected {wanted} (at least 2), got {len(ids)} tokens")

    def __len__(self) -> int:
        room = len(self.ids) - 1 - (self.length if self.shuffle else 0)
        return max(0, room) // (self.length - 1) // self.batch_size

    def plan(self, epoch: int) -> list[np.ndarray]:
        """Arrays of the positions where rows begin, (batch_size,) each."""
        rng = self.rng(epoch)
        first = int(rng.integers(self.length)) if self.shuffle else 0
        starts = first + (self.length - 1) * np.arange(len(self) * self.batch_size)
        starts = rng.permutation(starts) if self.shuffle else starts
        return list(starts.reshape(-1, self.batch_size))

    def collate(self, entry: np.ndarray, rng: np.random.Generator) -> Batch:
        rows = np.stack([np.asarray(self.ids[start : start + self.length]) for start in entry])
        return {"input_ids": torch.from_numpy(rows.astype(np.int64))}
