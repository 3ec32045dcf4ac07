"""Classifiers over word vectors, or over any model that gives hidden states."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.heads.head import Head, Ids, Marks, Real, Scores, States, width_of
from minibert.heads.labels import CLASSES, Given
from minibert.models.outputs import ModelOutput
from minibert.text.inputs import check_ids, reading_order, whole_mask
from minibert.text.vocab import Vocab

Vectors = Float[Tensor, "V dim"]


class Table(nn.Module):
    """A table of word vectors as a model: ids in, a `ModelOutput` out.

    vectors: their start, (V, dim); or its shape alone, for random ones. vocab: the
    `minibert.text.Vocab` that the ids come from, with V words, or None.
    """

    def __init__(self, vectors: Vectors | Sequence[int], vocab: Vocab | None = None) -> None:
        super().__init__()
        if isinstance(vectors, Tensor):
            start = vectors.detach().clone()
        elif isinstance(vectors, list | tuple):
            start = torch.randn(*vectors)
        else:
            raise ValueError(f"expected word vectors (V, dim), got a {type(vectors).__name__}")
        if vocab is not None and len(vocab) != len(start):
            raise ValueError(f"expected vectors for {len(vocab)} words, got {len(start)}")
        self.embedding, self.vocab = nn.Embedding.from_pretrained(start, freeze=False), vocab
        self.settings, self.width = {"vectors": list(start.shape)}, start.shape[1]

    def forward(
        self, input_ids: Int[Tensor, "batch length"], attention_mask: Real = None
    ) -> ModelOutput:
        whole_mask(input_ids, attention_mask)
        check_ids(input_ids, self.embedding.num_embeddings)
        vectors = self.embedding(input_ids)  # (batch, length, dim)
        return ModelOutput(last_hidden_state=vectors, hidden_states=(vectors,))


class VectorClassifier(Head):
    """What the two below share.

    encoder: the first layer's start, (V, dim), or a `Table` of it with its vocabulary; or a model,
    any that gives a `ModelOutput`. ``freeze=True`` keeps it as it is; otherwise it
    learns but for what rests already.
    """

    def __init__(self, encoder: nn.Module | Vectors, freeze: bool, **settings: object) -> None:
        model = Table(encoder) if isinstance(encoder, Tensor) else encoder
        if freeze:
            model.requires_grad_(False)
        super().__init__(model, freeze=freeze, **settings)


class CNNClassifier(VectorClassifier):
    """A convolutional text classifier on word vectors (Kim 2014, arXiv:1408.5882).

    encoder: see `VectorClassifier`; ``freeze=True`` is Kim's "static", otherwise it is trained with
    the rest ("non-static"; from random vectors, "rand"). widths: how many words each filter spans;
    channels: filters of each width.
    """

    def __init__(
        self,
        encoder: nn.Module | Vectors,
        labels: Given,
        freeze: bool = False,
        widths: Sequence[int] = (3, 4, 5),
        *,
        channels: int = 50,
        dropout: float = 0.5,
        problem: str = CLASSES,
    ) -> None:
        sizes = {"widths": widths, "channels": channels, "dropout": dropout}
        super().__init__(encoder, freeze, labels=labels, **sizes, problem=problem)
        self.widths, dim = tuple(widths), width_of(self.encoder)
        self.filters = nn.ModuleList(
            nn.Conv1d(dim, channels, width, padding=width - 1) for width in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels * len(widths), self.labels)

    def forward(self, input_ids: Ids, attention_mask: Marks) -> Scores:
        mask = whole_mask(input_ids, attention_mask)
        hidden = self.read(input_ids, mask)
        order = reading_order(mask)  # padding between words would part them
        hidden = hidden.take_along_dim(order[..., None], 1)
        mask = mask.gather(1, order).unsqueeze(1).to(hidden.dtype)  # (batch, 1, length)
        x = hidden.transpose(1, 2) * mask  # (batch, dim, length)
        best = []
        for width, filters in zip(self.widths, self.filters, strict=True):
            found = F.relu(filters(x))  # (batch, channels, length + width - 1)
            # 1 where a filter saw a word: its output on padding alone must not win
            seen = F.max_pool1d(F.pad(mask, (width - 1, width - 1)), width, stride=1)
            best.append((found * seen).amax(-1))  # (batch, channels), the maximum over time
        return self.judge(torch.cat(best, -1))


class RNNClassifier(VectorClassifier):
    """A bidirectional LSTM over word vectors; its last states are classified.

    ``hidden`` is the width of each direction. Padding is not read, wherever it stands.
    """

    def __init__(
        self,
        encoder: nn.Module | Vectors,
        labels: Given,
        freeze: bool = False,
        hidden: int = 64,
        *,
        dropout: float = 0.5,
        problem: str = CLASSES,
    ) -> None:
        sizes = {"hidden": hidden, "dropout": dropout}
        super().__init__(encoder, freeze, labels=labels, **sizes, problem=problem)
        self.lstm = nn.LSTM(width_of(self.encoder), hidden, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden, self.labels)

    def forward(self, input_ids: Ids, attention_mask: Marks) -> Scores:
        mask = whole_mask(input_ids, attention_mask)
        _, (forward, backward) = recurrent(self.lstm, self.read(input_ids, mask), mask)
        return self.judge(torch.cat([forward, backward], -1))


def recurrent(
    lstm: nn.LSTM, x: States, mask: Marks
) -> tuple[Float[Tensor, "batch length both"], Float[Tensor, "ends batch hidden"]]:
    """A bidirectional LSTM over the tokens of each row, wherever its padding stands.

    Its outputs, 0 at padding, and the last states of both directions of each layer.
    """
    order = reading_order(mask)
    lengths, x = mask.sum(1).cpu(), x.take_along_dim(order[..., None], 1)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    out, (last, _) = lstm(packed)
    out, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return out.take_along_dim(order.argsort(1)[..., None], 1), last
