"""ULMFiT's classifier: concat pooling over documents of any length (BPT3C).

Howard & Ruder (2018), "Universal Language Model Fine-tuning for Text Classification",
arXiv:1801.06146, section 3.3.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minibert.heads.ensemble import averaged, mean
from minibert.heads.head import (
    Head,
    Ids,
    Marks,
    Pooled,
    Real,
    Rows,
    Saved,
    Scores,
    States,
    width_of,
)
from minibert.heads.labels import CLASSES, MULTI_LABEL, REGRESSION, Given
from minibert.heads.predictions import Predictions
from minibert.heads.reading import listed
from minibert.text.inputs import reading_order, whole_mask

Counts = Int[Tensor, " batch"]


class PoolingClassifier(Head):
    """The last state, and the maximum and the mean of all states, through two linear blocks.

    encoder: a model that gives hidden states; its last layer's are pooled. hidden: width between
    the blocks. dropout: of both; each is batch norm, dropout, linear, with a ReLU between them.

    An encoder with ``read(input_ids, state)``, an `AWDLSTM`, takes documents of any length. All but
    the last tokens are read in windows of ``bptt`` tokens without gradient, and only their maximum,
    sum and state are kept. The gradient goes through the last ``max_len`` tokens (up to ``bptt``
    fewer). So the memory does not grow with the document. Other encoders get the text at once.

    In training, batch norm needs at least two examples per batch: ValueError for one.
    """

    def __init__(
        self,
        encoder: nn.Module,
        labels: Given,
        hidden: int = 50,
        dropout: Sequence[float] = (0.4, 0.1),
        *,
        bptt: int = 70,
        max_len: int = 1400,
        problem: str = CLASSES,
    ) -> None:
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

    def layer_groups(self) -> list[list[nn.Module]]:
        """The encoder's groups (without a language model's output layer), and the head on top."""
        encoder = self.encoder
        own = getattr(encoder, "encoder_groups", None) or getattr(encoder, "layer_groups", None)
        return [*(own() if own else [[encoder]]), [self.head]]

    def forward(self, input_ids: Ids, attention_mask: Real = None) -> Scores:
        mask = whole_mask(input_ids, attention_mask)
        if self.training and len(input_ids) < 2:
            raise ValueError(
                "batch norm needs at least two examples in a training batch, got one: choose "
                "another batch_size, or drop_last=True"
            )
        return self.outcome.scores(self.head(self.pooled(input_ids, mask)))

    def pooled(self, input_ids: Ids, mask: Marks) -> Float[Tensor, "batch pooled"]:
        """Last state, maximum, mean, over the tokens of each row."""
        lengths = mask.sum(1)  # (batch,)
        order = reading_order(mask, getattr(self.encoder, "backward_reader", False))
        if not hasattr(self.encoder, "read"):
            hidden = self.read(input_ids, mask)
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
        return pool(hidden[-1], rest, earlier, start)

    @torch.no_grad()
    def skim(
        self, input_ids: Rows, windows: Counts
    ) -> tuple[tuple[Pooled, Pooled], list] | tuple[None, None]:
        """Read the first ``windows`` windows of each row, keeping no more than a state.

        Returns (maximum, sum) of the last layer's states, and the encoder's state after them;
        (None, None) where there are none. A finished row drops out, so that no row ever
        reads padding.
        """
        if not windows.any():
            return None, None
        highest: Any = None
        total: Any = None
        state: Any = None
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
    """The mean of several classifiers' probabilities, for example a forward and a backward one.

    Raises ValueError for regressions, and for some with one label beside others with several.
    """

    classifiers: Any  # a list of them, as torch keeps it

    def __init__(self, classifiers: Iterable[Head]) -> None:
        super().__init__()
        self.classifiers = nn.ModuleList(classifiers)
        outcomes = [getattr(one, "outcome", None) for one in self.classifiers]
        problems = {getattr(outcome, "problem", CLASSES) for outcome in outcomes}
        if REGRESSION in problems or len(problems) > 1:
            got = ", ".join(sorted(problems))
            raise ValueError(f"expected classifiers of one kind, and no regressions, got {got}")
        self.several = MULTI_LABEL in problems

    def predict(self, texts: Iterable, batch_size: int = 32) -> Predictions:
        """The `Predictions` of the mean of the classifiers, each of which reads in its own way.

        Raises ValueError for classifiers with other labels than the first one's.
        """
        texts = listed(texts)
        return averaged([model.predict(texts, batch_size) for model in self.classifiers])

    def forward(self, input_ids: Ids, attention_mask: Real = None) -> Scores:
        """Log probabilities; of each label by itself where a text may have several."""
        scores = [model(input_ids, attention_mask) for model in self.classifiers]
        return (torch.stack(scores).sigmoid().mean(0) if self.several else mean(scores)).log()


def pool(
    hidden: States,
    lengths: Counts,
    earlier: tuple[Pooled, Pooled] | None = None,
    before: Counts | int = 0,
) -> Float[Tensor, "batch pooled"]:
    """Concat pooling: [last, maximum, mean].

    lengths: tokens of each row, which come first. ``earlier``: maximum and sum of the states of
    earlier windows, and ``before``, their number.
    """
    places = torch.arange(hidden.shape[1], device=hidden.device)
    padding = (places >= lengths[:, None])[..., None]  # (batch, length, 1)
    last = hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]  # (batch, width)
    most = hidden.masked_fill(padding, -torch.inf).amax(1)
    summed = hidden.masked_fill(padding, 0).sum(1)
    if earlier is not None:
        most, summed = torch.maximum(most, earlier[0]), summed + earlier[1]
    return torch.cat([last, most, summed / (lengths + before)[:, None]], -1)


def _rows(state, rows):
    """The state of some rows; parts are (1, batch, width)."""
    return None if state is None else [tuple(t[:, rows] for t in pair) for pair in state]
