"""One new layer on a pre-trained model: a label for a text or a pair, or for each word.

Devlin et al. (2019), section 4 and figure 4; regression as for STS-B.
"""

from torch import nn
from torch.nn import functional as F

from minibert.heads.head import Head, first_places, last_places, new_linear, width_of
from minibert.heads.scores import class_loss, recurrent
from minibert.models.dropout import Dropout
from minibert.text.inputs import IGNORE, labelled, of_batch, whole_mask

POOLINGS = ("first", "last", "mean")


class SequenceClassifier(Head):
    """A label for a text or a pair of texts, or a number with ``regression=True``.

    labels: how many there are. pooling: what is classified, the "first" token's state (through the
    encoder's pooler, where it has one), the "last" token's (for a model that reads to the right),
    or the "mean" of all. dropout: before the new layer.
    """

    def __init__(self, encoder, labels=2, regression=False, dropout=0.1, pooling="first"):
        super().__init__(encoder)
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be {' or '.join(map(repr, POOLINGS))}, got {pooling!r}")
        self.labels, self.regression, self.pooling = (
            1 if regression else labels,
            regression,
            pooling,
        )
        self.dropout = Dropout(dropout)
        self.output = new_linear(width_of(encoder), self.labels, encoder)

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        """(batch, length) ids -> logits (batch, labels); for a regression (batch,)."""
        mask = whole_mask(input_ids, attention_mask)
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        batch["token_type_ids"] = token_type_ids
        if self.pooling == "mean":
            hidden = self.read(**batch).last_hidden_state  # (batch, length, width)
            hidden = hidden.masked_fill(mask[..., None] == 0, 0.0)
            pooled = hidden.sum(1) / mask.sum(1, keepdim=True)  # (batch, width)
        elif self.pooling == "last":
            pooled = self.states_at(batch, last_places(mask))
        else:
            pooled = self.pool(self.states_at(batch, first_places(mask)))
        logits = self.output(self.dropout(pooled))
        return logits[:, 0] if self.regression else logits

    def loss(self, batch):
        """(sum of cross-entropies or squared errors, number of examples); ``labels`` (batch,)."""
        given = (batch.get(name) for name in ("input_ids", "attention_mask", "token_type_ids"))
        logits, labels = self(*given), batch["labels"]
        if self.regression:
            return F.mse_loss(logits, labels.to(logits.dtype), reduction="sum"), len(logits)
        return class_loss(logits, of_batch(batch))


class TokenClassifier(Head):
    """A label for each word, read from its first piece (section 5.3).

    labels: how many there are. dropout: before the new layer. lstm: width of each direction of a
    two-layer LSTM between them, 0 for none; the paper puts it on frozen features (see `LayerMix`).
    """

    per_token = True

    def __init__(self, encoder, labels, dropout=0.1, lstm=0):
        super().__init__(encoder)
        self.labels, self.dropout, self.lstm = labels, Dropout(dropout), None
        width = width_of(encoder)
        if lstm:
            self.lstm = nn.LSTM(width, lstm, 2, bidirectional=True, batch_first=True)
        self.output = new_linear(2 * lstm if lstm else width, labels, encoder)

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        """(batch, length) ids -> logits (batch, length, labels)."""
        hidden = self.last_states(input_ids, attention_mask, token_type_ids)
        if self.lstm is not None:
            hidden, _ = recurrent(self.lstm, hidden, whole_mask(input_ids, attention_mask))
        return self.output(self.dropout(hidden))  # the LSTM does not read padding

    def loss(self, batch):
        """(sum of cross-entropies, number of labels); ``labels`` (batch, length), -100 for none."""
        wanted = labelled(batch)
        if self.lstm is None:
            logits = self.output(self.dropout(self.states_at(batch, wanted)))
        else:
            given = (batch.get(name) for name in ("input_ids", "attention_mask", "token_type_ids"))
            logits = self(*given)[wanted]
        return class_loss(logits, batch["labels"][wanted])


def word_examples(tokenizer, sentences, labels=None, max_length=512):
    """Sentences of words as examples for `TokenClassifier`: a list of dicts.

    sentences: lists of words; labels: lists of label numbers, one per word, or None. ``input_ids``
    is ``[CLS] pieces [SEP]``, ``labels`` has a word's label at its first piece and -100 elsewhere,
    ``words`` (a list) the position of each word's first piece. Words beyond ``max_length`` pieces
    are cut off. A word of which the tokenizer leaves nothing becomes ``[UNK]``.
    """
    examples = []
    for number, sentence in enumerate(sentences):
        ids, places = [tokenizer.cls_id], []
        for word in sentence:
            pieces = tokenizer.encode(word) or [tokenizer.unk_id]
            if len(ids) + len(pieces) + 1 > max_length:
                break
            places.append(len(ids))
            ids += pieces
        ids.append(tokenizer.sep_id)
        example = {"input_ids": ids, "words": places}
        if labels is not None:
            if len(labels[number]) != len(sentence):
                raise ValueError(
                    f"expected a label for each word, got {len(labels[number])} labels for the "
                    f"{len(sentence)} words of sentence {number}"
                )
            marks = [IGNORE] * len(ids)
            for place, label in zip(places, labels[number], strict=False):
                marks[place] = label
            example["labels"] = marks
        examples.append(example)
    return examples
