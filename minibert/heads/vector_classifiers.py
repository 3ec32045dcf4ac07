"""Classifiers over word vectors, or over any model that gives hidden states."""

import torch
from torch import nn
from torch.nn import functional as F

from minibert.heads.context_encoder import one_epoch
from minibert.heads.scores import class_loss, likeliest, recurrent
from minibert.models.outputs import ModelOutput
from minibert.text.inputs import check_ids, of_batch, reading_order, whole_mask


class CNNClassifier(nn.Module):
    """A convolutional text classifier on word vectors (Kim 2014, arXiv:1408.5882).

    vectors: the first layer's start, (V, dim); or a model, any that gives a `ModelOutput`. labels:
    number of classes. ``freeze=True`` keeps the first layer as it is (Kim's "static"), otherwise it
    is trained with the rest ("non-static"; from random vectors, "rand"). widths: how many words
    each filter spans; channels: filters of each width.
    """

    def __init__(self, vectors, labels, freeze=False, widths=(3, 4, 5), channels=50, dropout=0.5):
        super().__init__()
        self.encoder, dim = _encoder(vectors, freeze)
        self.filters = nn.ModuleList(
            nn.Conv1d(dim, channels, width, padding=width - 1) for width in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels * len(widths), labels)

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
        return self.output(self.dropout(torch.cat(best, -1)))

    def loss(self, batch):
        """(sum of cross-entropies, number of examples); ``labels`` (batch,)."""
        return class_loss(self(batch["input_ids"], batch["attention_mask"]), of_batch(batch))


class RNNClassifier(nn.Module):
    """A bidirectional LSTM over word vectors; its last states are classified.

    Arguments as for `CNNClassifier`; ``hidden`` is the width of each direction. Padding is not
    read, wherever it stands.
    """

    def __init__(self, vectors, labels, freeze=False, hidden=64, dropout=0.5):
        super().__init__()
        self.encoder, dim = _encoder(vectors, freeze)
        self.lstm = nn.LSTM(dim, hidden, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden, labels)

    def forward(self, input_ids, attention_mask):
        """(batch, length) ids and mask -> logits (batch, labels)."""
        mask = whole_mask(input_ids, attention_mask)
        hidden = self.encoder(input_ids, attention_mask=mask).last_hidden_state
        _, last = recurrent(self.lstm, hidden, mask)  # (2, batch, hidden), forward and backward
        return self.output(self.dropout(torch.cat([last[0], last[1]], -1)))

    loss = CNNClassifier.loss


class Table(nn.Module):
    """A table of vectors (V, dim) as a model: ids in, a `ModelOutput` out."""

    def __init__(self, vectors):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors.detach().clone(), freeze=False)

    def forward(self, input_ids, attention_mask=None):
        whole_mask(input_ids, attention_mask)
        check_ids(input_ids, self.embedding.num_embeddings)
        vectors = self.embedding(input_ids)  # (batch, length, dim)
        return ModelOutput(last_hidden_state=vectors, hidden_states=(vectors,))


@torch.no_grad()
def predict(model, batches):
    """The likeliest class of every example, in the order of the batches: int64 (examples,)."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    found = [
        likeliest(model(batch["input_ids"].to(device), batch["attention_mask"].to(device)))
        for batch in one_epoch(batches)
    ]
    model.train(training)
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.long)


def _encoder(vectors, freeze):
    """A model that gives hidden states, and their width."""
    model = Table(vectors) if torch.is_tensor(vectors) else vectors
    model.requires_grad_(not freeze)
    with torch.no_grad():
        device = next(model.parameters()).device
        one = torch.zeros(1, 1, dtype=torch.long, device=device)
        width = model(one, attention_mask=one + 1).last_hidden_state.shape[-1]
    return model, width
