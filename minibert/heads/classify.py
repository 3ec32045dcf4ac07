"""One new layer on a pre-trained model: a label for a text or a pair, or for each word.

Devlin et al. (2019), section 4 and figure 4; regression as for STS-B.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from minibert.heads.head import (
    Head,
    Ids,
    Kind,
    Real,
    Scores,
    Some,
    Where,
    WordScores,
    first_places,
    last_places,
    new_linear,
    width_of,
)
from minibert.heads.labels import CLASSES, Given, likeliest
from minibert.heads.predictions import Predictions
from minibert.heads.reading import Pieces, Reader, as_words, listed
from minibert.heads.vector_classifiers import recurrent
from minibert.models.dropout import Dropout
from minibert.models.gpt.model import GPT
from minibert.models.outputs import Loss
from minibert.text.batches import Batch
from minibert.text.framing import Example
from minibert.text.inputs import IGNORE, labelled, whole_mask

POOLINGS = ("first", "last", "mean")


class SequenceClassifier(Head):
    """A label for a text or a pair of texts; several labels, or a number, if that is the problem.

    pooling: what is classified, the "first" token's state (through the encoder's pooler, where it
    has one), the "last" token's (for a model that reads to the right), or the "mean" of all.
    dropout: before the new layer.
    """

    def __init__(
        self,
        encoder: nn.Module,
        labels: Given = None,
        problem: str = CLASSES,
        dropout: float = 0.1,
        *,
        pooling: str = "first",
    ) -> None:
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be {' or '.join(map(repr, POOLINGS))}, got {pooling!r}")
        super().__init__(encoder, labels=labels, problem=problem, dropout=dropout, pooling=pooling)
        self.pooling, self.dropout = pooling, Dropout(dropout)
        # read at a GPT's last token, it is transformers' own classifier, which has no bias
        bias = not (pooling == "last" and isinstance(encoder, GPT))
        self.output = new_linear(width_of(encoder), self.labels, encoder, bias)

    def forward(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> Scores:
        mask = whole_mask(input_ids, attention_mask)
        text = input_ids, attention_mask, token_type_ids
        if self.pooling == "mean":
            hidden = self.read(*text).masked_fill(mask[..., None] == 0, 0.0)
            pooled = hidden.sum(1) / mask.sum(1, keepdim=True)  # (batch, width)
        elif self.pooling == "last":
            pad_id = getattr(getattr(self.encoder, "config", None), "pad_id", None)
            if attention_mask is None and self.output.bias is None and pad_id is not None:
                mask = (input_ids != pad_id).long()  # as transformers finds a text's end
            pooled = self.read(*text, last_places(mask))
        else:
            pooled = self.pool(self.read(*text, first_places(mask)))
        return self.judge(pooled)


class WordLabels(Head):
    """A label for each word: what `TokenClassifier` and `Tagger` share.

    Texts are strings, cut into words by `minibert.text.tokenise`, or lists of words.
    """

    per_token = True

    def loss(self, batch: Batch) -> Loss:
        """(sum of cross-entropies, number of labels); ``labels`` (batch, length), -100 for none."""
        wanted = labelled(batch)
        labels = {"labels": batch["labels"][wanted]}
        return self.outcome.loss(self.logits_at(batch, wanted), labels)

    def logits_at(self, batch: Batch, wanted: Where) -> Some:
        """The logits where ``wanted`` is True, in order."""
        return self.output_of(batch)[wanted]

    def example(self, reader: Reader, text: Any) -> Example:
        return reader.words(as_words(text))

    def labelled(self, example: Example, label: Iterable, text: Any) -> Example:
        return marked(example, [self.outcome.number(one) for one in label], as_words(text))

    def predict(self, texts: Iterable, batch_size: int = 32) -> Predictions:
        """A label and probabilities for each word, as far as the encoder can read."""
        return super().predict([as_words(text) for text in listed(texts)], batch_size)

    def decided(self, example: Example, output: Tensor) -> tuple[list, Tensor]:
        rows = output[example["words"]]  # (words, labels)
        return [self.columns[i] for i in likeliest(rows).tolist()], rows.softmax(-1)


class TokenClassifier(WordLabels):
    """A label for each word, read from its first piece (section 5.3).

    dropout: before the new layer. lstm: width of each direction of a two-layer LSTM between them, 0
    for none; the paper puts it on frozen features (see `LayerMix`).
    """

    def __init__(
        self, encoder: nn.Module, labels: Given, dropout: float = 0.1, lstm: int = 0
    ) -> None:
        super().__init__(encoder, labels=labels, dropout=dropout, lstm=lstm)
        self.dropout, self.lstm, width = Dropout(dropout), None, width_of(encoder)
        if lstm:
            self.lstm = nn.LSTM(width, lstm, 2, bidirectional=True, batch_first=True)
        self.output = new_linear(2 * lstm if lstm else width, self.labels, encoder)

    def forward(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> WordScores:
        hidden = self.last_states(input_ids, attention_mask, token_type_ids)
        if self.lstm is not None:
            hidden, _ = recurrent(self.lstm, hidden, whole_mask(input_ids, attention_mask))
        return self.output(self.dropout(hidden))

    def logits_at(self, batch: Batch, wanted: Where) -> Some:
        """Without an LSTM, only these states are computed."""
        if self.lstm is not None:
            return super().logits_at(batch, wanted)
        return self.output(self.dropout(self.states_at(batch, wanted)))


def word_examples(
    tokenizer: Any,
    sentences: Iterable[str | Sequence[str]],
    labels: Iterable[Sequence[int]] | None = None,
    max_length: int | None = 512,
) -> list[Example]:
    """Sentences of words as examples for `TokenClassifier`.

    tokenizer: a `minibert.text.WordPiece`, or what is used like one. sentences: lists of words, or
    texts, which are cut into them. labels: lists of label numbers, one per word, or None.
    ``input_ids`` is ``[CLS] pieces [SEP]``, ``labels`` has a word's label at its first piece and
    -100 elsewhere, ``words`` (a list) the position of each word's first piece. Words beyond
    ``max_length`` pieces are cut off. A word of which the tokenizer leaves nothing
    becomes ``[UNK]``.
    """
    rows = [as_words(one) if isinstance(one, str) else list(one) for one in listed(sentences)]
    reader = Pieces(tokenizer, max_length)
    examples = [reader.words(words) for words in rows]
    if labels is None:
        return examples
    return [marked(*row) for row in zip(examples, labels, rows, strict=True)]


def marked(example: Example, labels: Collection, words: list[str]) -> Example:
    """An example with the numbers of its words' labels, -100 at tokens that begin no word."""
    if len(labels) != len(words):
        raise ValueError(
            f"expected a label for each word, got {len(labels)} labels for the {len(words)} words "
            f"of {' '.join(words)!r:.60}"
        )
    marks = [IGNORE] * len(example["input_ids"])
    for place, label in zip(example["words"], labels, strict=False):
        marks[place] = label
    return {**example, "labels": marks}
