"""Two sentences, one label: read both, and compare each word with its match in the other."""

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from minibert.heads.context_encoder import ContextEncoder, OnWords, on_words
from minibert.heads.head import Head, Marks, Rows, Scores
from minibert.heads.labels import CLASSES, Given
from minibert.heads.reading import Reader, as_words
from minibert.text.framing import Example
from minibert.text.inputs import check_tensor, whole_mask

RowsB = Int[Tensor, "batch length_b"]


class PairClassifier(Head):
    """A sentence-pair model in the manner of ESIM (Chen et al. 2017), which ELMo was added to.

    One `ContextEncoder` reads both sentences. Each word attends to the other sentence and is
    compared with what it finds there, [a, a', a - a', a * a']. The mean and the maximum over each
    sentence are classified. encoder: a `ContextEncoder`; or word vectors, and its other arguments
    as options.
    """

    words_only = True

    def __init__(
        self,
        encoder: OnWords,
        labels: Given,
        compared: int = 64,
        dropout: float = 0.3,
        *,
        problem: str = CLASSES,
        **options: Any,
    ) -> None:
        if not isinstance(encoder, ContextEncoder):
            options["dropout"] = dropout
        sizes = {"compared": compared, "dropout": dropout}
        super().__init__(on_words(encoder, **options), labels=labels, **sizes, problem=problem)
        self.compare = nn.Sequential(nn.Linear(4 * self.encoder.width, compared), nn.ReLU())
        self.output = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(4 * compared, compared), nn.ReLU(), nn.Dropout(dropout)
        )
        self.output.append(nn.Linear(compared, self.labels))

    def forward(
        self,
        input_ids: Rows,
        attention_mask: Marks,
        input_ids_b: RowsB,
        contextual_ids: Rows | None = None,
        *,
        contextual_ids_b: RowsB | None = None,
    ) -> Scores:
        """Two sentences; the second one has 0 at padding."""
        attention_mask = whole_mask(input_ids, attention_mask)
        check_tensor(input_ids_b, "input_ids_b")
        mask_b = whole_mask(input_ids_b, input_ids_b > 0)
        a = self.encoder(input_ids, attention_mask, contextual_ids)  # (batch, length, width)
        b = self.encoder(input_ids_b, mask_b, contextual_ids_b)  # (batch, length b, width)
        scores = a @ b.mT / a.shape[-1] ** 0.5  # (batch, length, length b)
        of_a = self._compared(a, b, scores, mask_b, attention_mask)
        of_b = self._compared(b, a, scores.mT, attention_mask, mask_b)
        return self.outcome.scores(self.output(torch.cat((of_a, of_b), -1)))

    def _compared(self, a, b, scores, mask_b, mask_a):
        """Sentence a compared with b, word by word: mean and maximum, (batch, 2 * compared)."""
        scores = scores.masked_fill(mask_b[:, None] == 0, -torch.inf)
        found = scores.softmax(-1) @ b  # (batch, length, width): what each word of a finds in b
        x = self.compare(torch.cat((a, found, a - found, a * found), -1))
        x = x * mask_a[..., None]  # (batch, length, compared); not below 0, so 0 never wins wrongly
        return torch.cat((x.sum(1) / mask_a.sum(1, keepdim=True), x.amax(1)), -1)

    def example(self, reader: Reader, text: Any) -> Example:
        """A pair (text, other), or a pair of lists of words; other names end with ``_b``."""
        if not isinstance(text, list | tuple) or len(text) != 2:
            raise ValueError(f"expected a pair (text, other), got {text!r:.80}")
        a, b = map(as_words, text)
        ids, ids_b = reader.words(a)["input_ids"], reader.words(b)["input_ids"]
        if 0 in ids_b:  # it would be taken for padding
            raise ValueError("pairs need a vocabulary whose first word, number 0, is <pad>")
        rest = {**self.encoder.also(a), **self.encoder.also(b, "_b")}
        return {"input_ids": ids, "input_ids_b": ids_b, **rest}
