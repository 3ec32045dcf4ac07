"""A long text in blocks of equal length, cut at different positions in each epoch."""

import numpy as np
import torch

from minibert.text.batches import Batches


class BlockBatches(Batches):
    """One stream of ids as rows of ``length`` tokens: batches for a `minibert.GPT`.

    ids: one-dimensional integer array. It may be memory-mapped; only what is needed is read. A row
    begins with the last token of the row before it, so every token but the first of an epoch is a
    target once. An epoch begins at a position drawn from the first ``length``. Tokens at the end
    that do not fill a row are left out, and so is a last batch that is not full.
    ``shuffle=False`` begins at the first token and keeps the order.

    A batch has ``input_ids`` (batch, length), int64. Raises ValueError for a text that does not
    fill one batch.
    """

    SETTINGS = ("tokens", "batch_size", "length", "shuffle")

    def __init__(self, ids, batch_size, length, shuffle=True, *, seed=0):
        super().__init__(seed)
        self.ids, self.batch_size, self.length, self.shuffle = ids, batch_size, length, shuffle
        self.tokens = len(ids)
        if length < 2 or batch_size < 1 or len(self) < 1:
            raise ValueError(
                f"expected a text that fills a batch of {batch_size} rows of {length} tokens (at "
                f"least 2), got {len(ids)} tokens"
            )

    def __len__(self):
        room = len(self.ids) - 1 - (self.length if self.shuffle else 0)
        return max(0, room) // (self.length - 1) // self.batch_size

    def plan(self, epoch):
        """Arrays of the positions where rows begin, (batch_size,) each."""
        rng, first = self.rng(epoch), 0
        if self.shuffle:
            first = int(rng.integers(self.length))
        starts = first + (self.length - 1) * np.arange(len(self) * self.batch_size)
        if self.shuffle:
            starts = rng.permutation(starts)
        return list(starts.reshape(-1, self.batch_size))

    def collate(self, entry, rng):
        rows = np.stack([np.asarray(self.ids[start : start + self.length]) for start in entry])
        return {"input_ids": torch.from_numpy(rows.astype(np.int64))}
