"""Classifiers over word vectors, or over any model that gives hidden states."""

import torch
from torch import nn
from torch.nn import functional as F

from minibert.heads.head import Head, width_of
from minibert.heads.labels import CLASSES
from minibert.models.outputs import ModelOutput
from minibert.text.inputs import check_ids, reading_order, whole_mask


class Table(nn.Module):
    """A table of word vectors as a model: ids in, a `ModelOutput` out.

    vectors: their start, (V, dim); or its shape alone, for random ones. vocab: the
    `minibert.text.Vocab` that the ids come from, with V words, or None.
    """

    def __init__(self, vectors, vocab=None):
        super().__init__()
        given = torch.is_tensor(vectors)
        if not given and not isinstance(vectors, list | tuple):
            raise ValueError(f"expected word vectors (V, dim), got a {type(vectors).__name__}")
        start = vectors.detach().clone() if given else torch.randn(*vectors)
        if vocab is not None and len(vocab) != len(start):
            raise ValueError(f"expected vectors for {len(vocab)} words, got {len(start)}")
        self.embedding, self.vocab = nn.Embedding.from_pretrained(start, freeze=False), vocab
        self.settings, self.width = {"vectors": list(start.shape)}, start.shape[1]

    def forward(self, input_ids, attention_mask=None):
        whole_mask(input_ids, attention_mask)
        check_ids(input_ids, self.embedding.num_embeddings)
        vectors = self.embedding(input_ids)  # (batch, length, dim)
        return ModelOutput(last_hidden_state=vectors, hidden_states=(vectors,))


class CNNClassifier(Head):
    """A convolutional text classifier on word vectors (Kim 2014, arXiv:1408.5882).

    encoder: the first layer's start, (V, dim), or a `Table` of it with its vocabulary; or a model,
    any that gives a `ModelOutput`. labels, problem: see `minibert.heads.labels.Labels`.
    ``freeze=True`` keeps the first layer as it is (Kim's "static"), otherwise it is trained with
    the rest ("non-static"; from random vectors, "rand"). widths: how many words each filter spans;
    channels: filters of each width.
    """

    def __init__(
        self,
        encoder,
        labels,
        freeze=False,
        widths=(3, 4, 5),
        channels=50,
        dropout=0.5,
        problem=CLASSES,
    ):
        sizes = {"widths": widths, "channels": channels, "dropout": dropout}
        encoder = _encoder(encoder, freeze)
        super().__init__(encoder, labels=labels, freeze=freeze, **sizes, problem=problem)
        dim = width_of(encoder)
        self.filters = nn.ModuleList(
            nn.Conv1d(dim, channels, width, padding=width - 1) for width in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels * len(widths), self.labels)

    def forward(self, input_ids, attention_mask):
        """(batch, length) ids and mask -> logits (batch, labels)."""
        mask = whole_mask(input_ids, attention_mask)
        hidden = self.encoder(input_ids, attention_mask=mask).last_hidden_state
        order = reading_order(mask)  # padding between words would part them
        hidden = hidden.take_along_dim(order[..., None], 1)
        mask = mask.gather(1, order).unsqueeze(1).to(hidden.dtype)  # (batch, 1, length)
        x = hidden.transpose(1, 2) * mask  # (batch, dim, length)
        best = []
        for filters in self.filters:
            width = filters.kernel_size[0]
            found = F.relu(filters(x))  # (batch, channels, length + width - 1)
            # 1 where a filter saw a word: its output on padding alone must not win
            seen = F.max_pool1d(F.pad(mask, (width - 1, width - 1)), width, stride=1)
            best.append((found * seen).amax(-1))  # (batch, channels), the maximum over time
        return self.outcome.scores(self.output(self.dropout(torch.cat(best, -1))))


class RNNClassifier(Head):
    """A bidirectional LSTM over word vectors; its last states are classified.

    Arguments as for `CNNClassifier`; ``hidden`` is the width of each direction. Padding is not
    read, wherever it stands.
    """

    def __init__(self, encoder, labels, freeze=False, hidden=64, dropout=0.5, problem=CLASSES):
        encoder, sizes = _encoder(encoder, freeze), {"hidden": hidden, "dropout": dropout}
        super().__init__(encoder, labels=labels, freeze=freeze, **sizes, problem=problem)
        self.lstm = nn.LSTM(width_of(encoder), hidden, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden, self.labels)

    def forward(self, input_ids, attention_mask):
        """(batch, length) ids and mask -> logits (batch, labels)."""
        mask = whole_mask(input_ids, attention_mask)
        hidden = self.encoder(input_ids, attention_mask=mask).last_hidden_state
        _, last = recurrent(self.lstm, hidden, mask)  # (2, batch, hidden), forward and backward
        return self.outcome.scores(self.output(self.dropout(torch.cat([last[0], last[1]], -1))))


def _encoder(vectors, freeze):
    """A model that gives hidden states, frozen or not."""
    model = Table(vectors) if torch.is_tensor(vectors) else vectors
    return model.requires_grad_(not freeze)


def recurrent(lstm, x, mask):
    """A bidirectional LSTM over the tokens of each row, wherever its padding stands.

    x (batch, length, width), mask (batch, length) -> its outputs, 0 at padding, (batch, length,
    2 * hidden), and the last states of both directions, (2 * layers, batch, hidden).
    """
    order = reading_order(mask)
    lengths, x = mask.sum(1).cpu(), x.take_along_dim(order[..., None], 1)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    out, (last, _) = lstm(packed)
    out, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return out.take_along_dim(order.argsort(1)[..., None], 1), last
