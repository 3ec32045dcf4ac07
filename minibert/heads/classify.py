"""One new layer on a pre-trained model: a label for a text or a pair, or for each word.

Devlin et al. (2019), section 4 and figure 4; regression as for STS-B.
"""

from torch import nn

from minibert.heads.head import Head, first_places, last_places, new_linear, width_of
from minibert.heads.labels import CLASSES, likeliest
from minibert.heads.reading import Pieces, as_words, listed
from minibert.heads.vector_classifiers import recurrent
from minibert.models.dropout import Dropout
from minibert.models.gpt.model import GPT
from minibert.text.inputs import IGNORE, labelled, whole_mask

POOLINGS = ("first", "last", "mean")


class SequenceClassifier(Head):
    """A label for a text or a pair of texts; several labels, or a number, if that is the problem.

    labels, problem: see `minibert.heads.labels.Labels`. pooling: what is classified, the "first"
    token's state (through the encoder's pooler, where it has one), the "last" token's (for a model
    that reads to the right), or the "mean" of all. dropout: before the new layer.
    """

    def __init__(self, encoder, labels=None, problem=CLASSES, dropout=0.1, pooling="first"):
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be {' or '.join(map(repr, POOLINGS))}, got {pooling!r}")
        super().__init__(encoder, labels=labels, problem=problem, dropout=dropout, pooling=pooling)
        self.pooling, self.dropout = pooling, Dropout(dropout)
        # read at a GPT's last token, it is transformers' own classifier, which has no bias
        bias = not (pooling == "last" and isinstance(encoder, GPT))
        self.output = new_linear(width_of(encoder), self.labels, encoder, bias)

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        """(batch, length) ids -> logits (batch, labels), or (batch,) for a single number."""
        mask = whole_mask(input_ids, attention_mask)
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        batch["token_type_ids"] = token_type_ids
        if self.pooling == "mean":
            hidden = self.read(**batch)  # (batch, length, width)
            hidden = hidden.masked_fill(mask[..., None] == 0, 0.0)
            pooled = hidden.sum(1) / mask.sum(1, keepdim=True)  # (batch, width)
        elif self.pooling == "last":
            pad_id = getattr(getattr(self.encoder, "config", None), "pad_id", None)
            if attention_mask is None and self.output.bias is None and pad_id is not None:
                mask = (input_ids != pad_id).long()  # as transformers finds a text's end
            pooled = self.states_at(batch, last_places(mask))
        else:
            pooled = self.pool(self.states_at(batch, first_places(mask)))
        return self.outcome.scores(self.output(self.dropout(pooled)))


class WordLabels(Head):
    """A label for each word: what `TokenClassifier` and `Tagger` share.

    Texts are strings, cut into words by `minibert.text.tokenise`, or lists of words.
    """

    per_token = True

    def loss(self, batch):
        """(sum of cross-entropies, number of labels); ``labels`` (batch, length), -100 for none."""
        wanted = labelled(batch)
        labels = {"labels": batch["labels"][wanted]}
        return self.outcome.loss(self.logits_at(batch, wanted), labels)

    def logits_at(self, batch, wanted):
        """The logits where ``wanted`` (batch, length) is True: (n, labels), in order."""
        return self.output_of(batch)[wanted]

    def example(self, reader, text):
        return reader.words(as_words(text))

    def labelled(self, example, labels, text):
        return marked(example, [self.outcome.number(one) for one in labels], as_words(text))

    def predict(self, texts, batch_size=32):
        """A label and probabilities for each word, as far as the encoder can read."""
        return super().predict([as_words(text) for text in listed(texts)], batch_size)

    def decided(self, example, output):
        rows = output[example["words"]]  # (words, labels)
        return [self.columns[i] for i in likeliest(rows).tolist()], rows.softmax(-1)


class TokenClassifier(WordLabels):
    """A label for each word, read from its first piece (section 5.3).

    labels: how many there are, or their names. dropout: before the new layer. lstm: width of each
    direction of a two-layer LSTM between them, 0 for none; the paper puts it on frozen features
    (see `LayerMix`).
    """

    def __init__(self, encoder, labels, dropout=0.1, lstm=0):
        super().__init__(encoder, labels=labels, dropout=dropout, lstm=lstm)
        self.dropout, self.lstm, width = Dropout(dropout), None, width_of(encoder)
        if lstm:
            self.lstm = nn.LSTM(width, lstm, 2, bidirectional=True, batch_first=True)
        self.output = new_linear(2 * lstm if lstm else width, self.labels, encoder)

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        """(batch, length) ids -> logits (batch, length, labels)."""
        hidden = self.last_states(input_ids, attention_mask, token_type_ids)
        if self.lstm is not None:
            hidden, _ = recurrent(self.lstm, hidden, whole_mask(input_ids, attention_mask))
        return self.output(self.dropout(hidden))

    def logits_at(self, batch, wanted):
        """Without an LSTM, only these states are computed."""
        if self.lstm is not None:
            return super().logits_at(batch, wanted)
        return self.output(self.dropout(self.states_at(batch, wanted)))


def word_examples(tokenizer, sentences, labels=None, max_length=512):
    """Sentences of words as examples for `TokenClassifier`: a list of dicts.

    sentences: lists of words, or texts, which are cut into them. labels: lists of label numbers,
    one per word, or None. ``input_ids`` is ``[CLS] pieces [SEP]``, ``labels`` has a word's label at
    its first piece and -100 elsewhere, ``words`` (a list) the position of each word's first piece.
    Words beyond ``max_length`` pieces are cut off. A word of which the tokenizer leaves nothing
    becomes ``[UNK]``.
    """
    sentences = [as_words(one) if isinstance(one, str) else list(one) for one in listed(sentences)]
    reader = Pieces(tokenizer, max_length)
    examples = [reader.words(sentence) for sentence in sentences]
    if labels is None:
        return examples
    return [marked(*row) for row in zip(examples, labels, sentences, strict=True)]


def marked(example, labels, words):
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
