"""Every task as a text that a language model can read: GPT's input transformations.

Radford et al. (2018), section 3.3 and figure 1. Three tokens that are new to the pre-trained model
frame the texts: start, delimiter and extract. Extract comes last: its state has read everything.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minibert.text.batches import Batch, PaddedBatches
from minibert.text.inputs import IGNORE
from minibert.text.tokens import TextOrIds, Tokenizer, cut_pair

Example = dict[str, Any]
START, DELIMITER, EXTRACT = SPECIALS = "<start>", "<delimiter>", "<extract>"
ROWS = "input_ids", "token_type_ids", "lm_labels"  # what an example has for each of its sequences


class Framing:
    """Texts to sequences of ids, framed as GPT's fine-tuning expects them.

    first_new: the id of the start token; delimiter and extract follow it (see
    `minibert.heads.framed`, which makes room for them). max_length: of a sequence; a text that is
    too long loses its end, a pair loses equally from both.

    All methods return ``input_ids``, a list of ids, or a list of such lists where a task has
    several sequences, and ``labels`` if a label was given.
    """

    def __init__(self, tokenizer: Tokenizer, first_new: int, max_length: int = 512) -> None:
        self.tokenizer, self.max_length = tokenizer, max_length
        self.start, self.delimiter, self.extract = range(first_new, first_new + 3)

    def text(self, text: TextOrIds, label: int | None = None) -> Example:
        """Classification: ``start text extract``."""
        room = self.max_length - 2
        return _example([self.start, *self._ids(text)[:room], self.extract], label)

    def pair(self, first: TextOrIds, second: TextOrIds, label: int | None = None) -> Example:
        """Entailment: ``start premise delimiter hypothesis extract``."""
        return _example(self._pair(first, second), label)

    def similar(self, first: TextOrIds, second: TextOrIds, label: float | None = None) -> Example:
        """Similarity has no order: both orders are read, and their states are added."""
        return _example([self._pair(first, second), self._pair(second, first)], label)

    def choices(
        self, context: TextOrIds, answers: Iterable[TextOrIds], label: int | None = None
    ) -> Example:
        """Multiple choice: the context with each answer; each is scored separately."""
        return _example([self._pair(context, answer) for answer in answers], label)

    def _ids(self, text):
        return self.tokenizer.encode(text) if isinstance(text, str) else list(text)

    def _pair(self, first, second):
        a, b = cut_pair(self._ids(first), self._ids(second), self.max_length - 3)
        return [self.start, *a, self.delimiter, *b, self.extract]


def _example(ids, label):
    return {"input_ids": ids} if label is None else {"input_ids": ids, "labels": label}


class FramedBatches(PaddedBatches):
    """Batches of examples with several sequences each, from `Framing.similar` or `.choices`.

    ``input_ids`` and ``attention_mask``, and what else the examples have of `ROWS`, are
    (batch * sequences, length), those of an example one after the other; ``labels`` (batch,). Each
    example has the same number, ``sequences``.
    """

    def __init__(self, examples: Sequence[Example], batch_size: int, **options: Any) -> None:
        if not len(examples):
            raise ValueError("expected at least one example, got none")
        self.sequences = len(examples[0]["input_ids"])
        if any(len(example["input_ids"]) != self.sequences for example in examples):
            wanted = f"{self.sequences} sequences in each example"
            raise ValueError(f"expected {wanted}, as in the first")
        longest = [{"input_ids": max(e["input_ids"], key=len)} for e in examples]
        super().__init__(longest, batch_size, **options)
        self.framed = examples

    def collate(self, entry: Any, rng: np.random.Generator) -> Batch:
        examples = [self.framed[i] for i in entry]
        names = [name for name in ROWS if name in examples[0]]
        each = range(self.sequences)
        rows = [{name: e[name][i] for name in names} for e in examples for i in each]
        pad_id = self.padding["input_ids"]
        padded = PaddedBatches(rows, len(rows), pad_id, shuffle=False, by_length=False)
        padded.padding["lm_labels"] = IGNORE
        (batch,) = padded
        batch["sequences"] = self.sequences
        if "labels" in examples[0]:
            batch["labels"] = self._stack("labels", [example["labels"] for example in examples])
        return batch
