"""A label for every word: a bidirectional LSTM, and the scores of taggers."""

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from minibert.heads.classify import WordLabels
from minibert.heads.context_encoder import OnWords, on_words
from minibert.heads.head import Marks, Rows, WordScores
from minibert.heads.labels import Given
from minibert.heads.reading import Reader, as_words
from minibert.text.framing import Example


class Tagger(WordLabels):
    """Word vectors, a bidirectional LSTM and one linear layer, with ELMo beside them if given.

    encoder: a `ContextEncoder`; or word vectors, and its other arguments as options.
    """

    words_only = True

    def __init__(self, encoder: OnWords, labels: Given, **options: Any) -> None:
        super().__init__(on_words(encoder, **options), labels=labels)
        self.output = nn.Linear(self.encoder.width, self.labels)

    def forward(
        self, input_ids: Rows, attention_mask: Marks, contextual_ids: Rows | None = None
    ) -> WordScores:
        return self.output(self.encoder(input_ids, attention_mask, contextual_ids))

    def example(self, reader: Reader, text: Any) -> Example:
        words = as_words(text)
        return {**reader.words(words), **self.encoder.also(words)}


def share_right(said: Iterable[Sequence], true: Iterable[Sequence]) -> float:
    """The share of words whose label is right; both are lists of sentences, lists of labels."""
    pairs = [pair for rows in zip(said, true, strict=True) for pair in zip(*rows, strict=True)]
    if not pairs:
        raise ValueError("expected at least one labelled word, got none")
    return sum(a == b for a, b in pairs) / len(pairs)


def spans(tags: Iterable[str]) -> set[tuple[int, int, str]]:
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


def span_f1(said: Iterable[Iterable[str]], true: Iterable[Iterable[str]]) -> float:
    """F1 of whole spans (CoNLL-2003): both are lists of sentences, lists of IOB2 tags.

    A span counts only when its kind and both of its ends are right.
    """
    return set_f1(map(spans, said), map(spans, true))


def set_f1(said: Iterable[set], true: Iterable[set]) -> float:
    """F1 of what is found in all of these sets; 1.0 where there is nothing at all."""
    pairs = list(zip(said, true, strict=True))
    total = sum(len(a) + len(b) for a, b in pairs)
    return 2 * sum(len(a & b) for a, b in pairs) / total if total else 1.0
