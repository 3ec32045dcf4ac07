"""BERT that sees one side only, for comparison with a model that sees both.

Devlin et al. (2019), section 5.1 and table 5, "LTR & No NSP": the same network and the same text,
but a place sees only itself and what stands before it, and what is learned is the next word. The
constraint stays when the model is fine-tuned.
"""

from minibert.models.bert.model import BERT
from minibert.models.transformer.attention import causal_mask
from minibert.text.batches import IGNORE, Batches


class LeftToRight(BERT):
    """A `minibert.BERT` under a causal mask; takes the same configurations, weights and heads.

    In files it is a BERT with ``is_decoder``, as in transformers.
    """

    causal = True  # for the fast path

    def seen(self, input_ids, attention_mask):
        """Each position sees itself and those before it: (.., length, length)."""
        return causal_mask(input_ids.shape[1], 0, input_ids.device, attention_mask)


class NextTokenBatches(Batches):
    """The texts of ``batches``, a `minibert.text.PretrainingBatches`, with nothing masked.

    ``labels`` (batch, length) are the tokens that come next, -100 at the end: for a
    `minibert.heads.MaskedLM` on a `LeftToRight`.
    """

    def __init__(self, batches):
        super().__init__(batches.seed)
        self.batches = batches

    def identity(self):
        return {**super().identity(), "batches": self.batches.identity()}

    def plan(self, epoch):
        return self.batches.plan(epoch)

    def collate(self, entry, rng):
        batch = self.batches.collate(entry, rng)
        masked = batch["labels"] != IGNORE
        ids = batch["input_ids"].where(~masked, batch["labels"])  # the text as it was
        labels = ids.new_full(ids.shape, IGNORE)
        labels[:, :-1] = ids[:, 1:].where(batch["attention_mask"][:, 1:] == 1, IGNORE)
        return {**batch, "input_ids": ids, "labels": labels}
