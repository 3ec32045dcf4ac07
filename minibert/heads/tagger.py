"""A label for every word: a bidirectional LSTM, and the scores of taggers."""

import torch
from torch import nn

from minibert.heads.context_encoder import ContextEncoder, one_epoch
from minibert.heads.scores import class_loss, likeliest
from minibert.text.inputs import IGNORE, labelled


class Tagger(nn.Module):
    """Word vectors, a bidirectional LSTM and one linear layer, with ELMo beside them if given.

    labels: how many there are; the other arguments are those of `ContextEncoder`.
    """

    def __init__(self, vectors, labels, **options):
        super().__init__()
        self.encoder = ContextEncoder(vectors, **options)
        self.output = nn.Linear(self.encoder.width, labels)

    def forward(self, input_ids, attention_mask, contextual_ids=None):
        """(batch, length) -> logits (batch, length, labels)."""
        return self.output(self.encoder(input_ids, attention_mask, contextual_ids))

    def loss(self, batch):
        """(sum of cross-entropies, number of labels); ``labels`` (batch, length), -100 for none."""
        logits = self(batch["input_ids"], batch["attention_mask"], batch.get("contextual_ids"))
        wanted = labelled(batch)
        return class_loss(logits[wanted], batch["labels"][wanted])


@torch.no_grad()
def tagged(model, batches):
    """Predicted and true labels: two lists with a list of label numbers per sentence."""
    training, device = model.training, next(model.parameters()).device
    model.eval()
    said, true = [], []
    for batch in one_epoch(batches):
        more = batch.get("contextual_ids")
        ids, mask = batch["input_ids"].to(device), batch["attention_mask"].to(device)
        best = likeliest(model(ids, mask, None if more is None else more.to(device)))
        for row, labels in zip(best, batch["labels"], strict=True):
            real = labels != IGNORE
            said.append(row[real].tolist())
            true.append(labels[real].tolist())
    model.train(training)
    return said, true


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
