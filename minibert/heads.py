"""Heads: what is put on top of a representation to solve a task."""

import torch
from torch import nn
from torch.nn import functional as F


class CNNClassifier(nn.Module):
    """A convolutional text classifier on word vectors (Kim 2014, arXiv:1408.5882).

    vectors: (V, dim), the first layer's start. labels: number of classes. ``freeze=True`` keeps
    the vectors as they are; otherwise they are trained with the rest. ``widths``: how many words
    each filter spans; ``channels``: filters of each width.
    """

    def __init__(self, vectors, labels, freeze=False, widths=(3, 4, 5), channels=50, dropout=0.5):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors.clone(), freeze=freeze)
        dim = vectors.shape[1]
        self.filters = nn.ModuleList(
            nn.Conv1d(dim, channels, width, padding=width - 1) for width in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels * len(widths), labels)

    def forward(self, input_ids, attention_mask):
        """(batch, length) ids and mask -> logits (batch, labels)."""
        mask = attention_mask.unsqueeze(-1).to(self.embedding.weight.dtype)  # (batch, length, 1)
        x = (self.embedding(input_ids) * mask).transpose(1, 2)  # (batch, dim, length)
        best = [F.relu(filters(x)).amax(-1) for filters in self.filters]  # (batch, channels) each
        return self.output(self.dropout(torch.cat(best, -1)))

    def loss(self, batch):
        """(sum of cross-entropies, number of examples); ``labels`` (batch,)."""
        logits = self(batch["input_ids"], batch["attention_mask"])
        return F.cross_entropy(logits, batch["labels"], reduction="sum"), len(logits)


class RNNClassifier(nn.Module):
    """A bidirectional LSTM over word vectors; its last states are classified.

    Arguments as in `CNNClassifier`; ``hidden`` is the width of each direction.
    """

    def __init__(self, vectors, labels, freeze=False, hidden=64, dropout=0.5):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors.clone(), freeze=freeze)
        self.lstm = nn.LSTM(vectors.shape[1], hidden, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden, labels)

    def forward(self, input_ids, attention_mask):
        """(batch, length) ids and mask -> logits (batch, labels)."""
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(input_ids),
            attention_mask.sum(1).cpu(),
            batch_first=True,
            enforce_sorted=False,
        )
        _, (last, _) = self.lstm(packed)  # (2, batch, hidden), forward and backward
        return self.output(self.dropout(torch.cat([last[0], last[1]], -1)))

    loss = CNNClassifier.loss


@torch.no_grad()
def predict(model, batches):
    """The likeliest class of every example, in the order of the batches: int64 (examples,)."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    found = [
        model(batch["input_ids"].to(device), batch["attention_mask"].to(device)).argmax(-1).cpu()
        for batch in batches
    ]
    model.train(training)
    return torch.cat(found)
