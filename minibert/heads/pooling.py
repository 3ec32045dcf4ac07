"""ULMFiT's classifier: concat pooling over documents of any length (BPT3C).

Howard & Ruder (2018), "Universal Language Model Fine-tuning for Text Classification",
arXiv:1801.06146, section 3.3.
"""

import torch
from torch import nn

from minibert.heads.head import Head, Saved, width_of
from minibert.heads.labels import CLASSES
from minibert.heads.predictions import Predictions
from minibert.text.inputs import reading_order, whole_mask


class PoolingClassifier(Head):
    """The last state, and the maximum and the mean of all states, through two linear blocks.

    encoder: a model that gives hidden states; its last layer's are pooled. labels, problem: see
    `minibert.heads.labels.Labels`. hidden: width between the blocks. dropout: of both; each is
    batch norm, dropout, linear, with a ReLU between them.

    An encoder with ``read(input_ids, state)``, an `AWDLSTM`, takes documents of any length. All but
    the last tokens are read in windows of ``bptt`` tokens without gradient, and only their maximum,
    sum and state are kept. The gradient goes through the last ``max_len`` tokens (up to ``bptt``
    fewer). So the memory does not grow with the document. Other encoders get the text at once.

    In training, batch norm needs at least two examples per batch: ValueError for one.
    """

    def __init__(
        self, encoder, labels, hidden=50, dropout=(0.4, 0.1), bptt=70, max_len=1400, problem=CLASSES
    ):
        sizes = {"hidden": hidden, "dropout": dropout, "bptt": bptt, "max_len": max_len}
        super().__init__(encoder, labels=labels, **sizes, problem=problem)
        if bptt < 1 or max_len < bptt:
            raise ValueError(f"expected 1 <= bptt <= max_len, got {bptt} and {max_len}")
        self.bptt, self.max_len = bptt, max_len
        width = 3 * width_of(encoder)
        self.head = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.Dropout(dropout[0]),
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.BatchNorm1d(hidden),
            nn.Dropout(dropout[1]),
            nn.Linear(hidden, self.labels),
        )

    def layer_groups(self):
        """The encoder's groups (without a language model's output layer), and the head on top."""
        encoder = self.encoder
        own = getattr(encoder, "encoder_groups", None) or getattr(encoder, "layer_groups", None)
        return [*(own() if own else [[encoder]]), [self.head]]

    def forward(self, input_ids, attention_mask=None):
        """(batch, length) ids and mask -> logits (batch, labels)."""
        mask = whole_mask(input_ids, attention_mask)
        if self.training and len(input_ids) < 2:
            raise ValueError(
                "batch norm needs at least two examples in a training batch, got one: choose "
                "another batch_size, or drop_last=True"
            )
        return self.outcome.scores(self.head(self.pooled(input_ids, mask)))

    def pooled(self, input_ids, mask):
        """(batch, 3 * width): last state, maximum, mean, over the tokens of each row."""
        lengths = mask.sum(1)  # (batch,)
        order = reading_order(mask, getattr(self.encoder, "backward_reader", False))
        if not hasattr(self.encoder, "read"):
            hidden = self.encoder(input_ids, attention_mask=mask).last_hidden_state
            return pool(hidden.take_along_dim(order[..., None], 1), lengths)
        input_ids = input_ids.gather(1, order)
        # the tokens of each row that are read without gradient: whole windows, perhaps none
        windows = (lengths - self.max_len + self.bptt - 1).clamp(min=0) // self.bptt
        earlier, state = self.skim(input_ids, windows)
        start = windows * self.bptt
        rest = lengths - start  # at least 1, at most max_len
        places = start[:, None] + torch.arange(int(rest.max()), device=start.device)
        tail = input_ids.gather(1, places.clamp(max=input_ids.shape[1] - 1))  # (batch, max rest)
        hidden, _ = self.encoder.read(tail, state)
        return pool(hidden[-1], rest, *earlier, start)

    @torch.no_grad()
    def skim(self, input_ids, windows):
        """Read the first ``windows`` (batch,) windows of each row, keeping no more than a state.

        Returns (maximum, sum) of the last layer's states, each (batch, width), and the encoder's
        state after them; (None, None), None where there are none. A finished row drops out, so
        that no row ever reads padding.
        """
        if not windows.any():
            return (None, None), None
        highest = total = state = None
        for window in range(int(windows.max())):
            rows = (windows > window).nonzero()[:, 0]  # rows that have such a window
            part = slice(window * self.bptt, (window + 1) * self.bptt)
            before = _rows(state, rows)
            hidden, after = self.encoder.read(input_ids[rows, part], before)
            last = hidden[-1]  # (rows, bptt, width)
            if state is None:
                size = (len(input_ids), last.shape[-1])
                highest, total = last.new_full(size, -torch.inf), last.new_zeros(size)
                state = [[t.new_zeros(1, len(input_ids), t.shape[-1]) for t in s] for s in after]
            highest[rows] = torch.maximum(highest[rows], last.amax(1))
            total[rows] += last.sum(1)
            for kept, new in zip(state, after, strict=True):
                for k, n in zip(kept, new, strict=True):
                    k[:, rows] = n
        return (highest, total), [tuple(pair) for pair in state]


class Ensemble(Saved):
    """The mean of several classifiers' probabilities, for example a forward and a backward one."""

    def __init__(self, classifiers):
        super().__init__()
        self.classifiers = nn.ModuleList(classifiers)

    def predict(self, texts, batch_size=32):
        """The `Predictions` of the mean of the classifiers, each of which reads in its own way."""
        found = [model.predict(texts, batch_size) for model in self.classifiers]
        mean = torch.stack([one.probabilities for one in found]).mean(0)  # (texts, labels)
        labels = [found[0].names[i] for i in mean.argmax(-1).tolist()]
        return Predictions(found[0].inputs, labels, mean, found[0].names)

    def forward(self, input_ids, attention_mask=None):
        """(batch, length) ids and mask -> log probabilities (batch, labels)."""
        found = [model(input_ids, attention_mask).softmax(-1) for model in self.classifiers]
        return torch.stack(found).mean(0).log()


def pool(hidden, lengths, highest=None, total=None, before=0):
    """Concat pooling: [last, maximum, mean] of (batch, length, width) -> (batch, 3 * width).

    lengths: (batch,) tokens of each row, which come first. ``highest``, ``total`` (batch, width)
    and ``before`` (batch,): maximum, sum and number of the states of earlier windows.
    """
    places = torch.arange(hidden.shape[1], device=hidden.device)
    padding = (places >= lengths[:, None])[..., None]  # (batch, length, 1)
    last = hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]  # (batch, width)
    most = hidden.masked_fill(padding, -torch.inf).amax(1)
    summed = hidden.masked_fill(padding, 0).sum(1)
    if highest is not None:
        most, summed = torch.maximum(most, highest), summed + total
    return torch.cat([last, most, summed / (lengths + before)[:, None]], -1)


def _rows(state, rows):
    """The state of some rows; parts are (1, batch, width)."""
    return None if state is None else [tuple(t[:, rows] for t in pair) for pair in state]
