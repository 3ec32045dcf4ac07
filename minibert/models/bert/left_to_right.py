"""BERT that sees one side only, for comparison with a model that sees both.

Devlin et al. (2019), section 5.1 and table 5, "LTR & No NSP": a place sees only itself and what
stands before it, in fine-tuning too, and what is learned is the next word.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from minibert.models.bert.model import BERT
from minibert.models.transformer.attention import Mask, causal_mask
from minibert.text.batches import IGNORE, Batch, Batches


class LeftToRight(BERT):
    """A `minibert.BERT` under a causal mask; in files, as in transformers, with ``is_decoder``."""

    causal = True  # for the fast path

    def seen(self, input_ids: Tensor, attention_mask: Tensor | None) -> Mask:
        """Each position sees itself and those before it."""
        return causal_mask(input_ids.shape[1], 0, input_ids.device, attention_mask)


class NextTokenBatches(Batches):
    """The texts of a `PretrainingBatches`, nothing masked; ``labels``: the next tokens, or -100."""

    def __init__(self, batches: Batches) -> None:
        super().__init__(batches.seed)
        self.batches = batches

    def identity(self) -> dict[str, Any]:
        return {**super().identity(), "batches": self.batches.identity()}

    def plan(self, epoch: int) -> Sequence[Any]:
        return self.batches.plan(epoch)

    def collate(self, entry: Any, rng: np.random.Generator) -> Batch:
        batch = self.batches.collate(entry, rng)
        masked = batch["labels"] != IGNORE
        ids = batch["input_ids"].where(~masked, batch["labels"])  # the text as it was
        labels = ids.new_full(ids.shape, IGNORE)
        labels[:, :-1] = ids[:, 1:].where(batch["attention_mask"][:, 1:] == 1, IGNORE)
        return {**batch, "input_ids": ids, "labels": labels}
