"""A label for every word: a bidirectional LSTM, and the scores of taggers."""

from torch import nn

from minibert.heads.classify import WordLabels
from minibert.heads.context_encoder import on_words
from minibert.heads.head import Head
from minibert.heads.reading import as_words
from minibert.text.inputs import labelled


class Tagger(WordLabels, Head):
    """Word vectors, a bidirectional LSTM and one linear layer, with ELMo beside them if given.

    encoder: a `ContextEncoder`; or word vectors, and its other arguments as options. labels: how
    many there are, or their names.
    """

    words_only = True

    def __init__(self, encoder, labels, **options):
        super().__init__(on_words(encoder, **options), labels=labels)
        self.output = nn.Linear(self.encoder.width, self.labels)

    def forward(self, input_ids, attention_mask, contextual_ids=None):
        """(batch, length) -> logits (batch, length, labels)."""
        return self.output(self.encoder(input_ids, attention_mask, contextual_ids))

    def loss(self, batch):
        """(sum of cross-entropies, number of labels); ``labels`` (batch, length), -100 for none."""
        logits = self(batch["input_ids"], batch["attention_mask"], batch.get("contextual_ids"))
        wanted = labelled(batch)
        return self.outcome.loss(logits[wanted], batch["labels"][wanted])

    def example(self, reader, text):
        words = as_words(text)
        return {**reader.words(words), **self.encoder.also(words)}


def share_right(said, true):
    """The share of words whose label is right."""
    right = [
        a == b for row, want in zip(said, true, strict=True) for a, b in zip(row, want, strict=True)
    ]
    if not right:
        raise ValueError("expected at least one labelled word, got none")
    return sum(right) / len(right)


def spans(tags):
    """The named spans of a sentence in IOB2: a set of (first word, past the last, kind).

    A span begins at ``B-``, and also at an ``I-`` of another kind than the word before it.

    >>> sorted(spans(["B-PER", "I-PER", "O", "I-LOC"]))
    [(0, 2, 'PER'), (3, 4, 'LOC')]
    """
    found, start, kind = set(), 0, None
    for place, tag in enumerate([*tags, "O"]):
        mark, _, here = tag.partition("-")
        if kind is not None and (mark != "I" or here != kind):
            found.add((start, place, kind))
            kind = None
        if mark != "O" and kind is None:
            start, kind = place, here
    return found


def span_f1(said, true):
    """F1 of whole spans (CoNLL-2003): both are lists of sentences, lists of IOB2 tags.

    A span counts only when its kind and both of its ends are right; 1.0 where there is none at all.
    """
    pairs = [(spans(a), spans(b)) for a, b in zip(said, true, strict=True)]
    right = sum(len(a & b) for a, b in pairs)
    total = sum(len(a) + len(b) for a, b in pairs)
    return 2 * right / total if total else 1.0
