"""Slices: kinds of examples that matter or that go wrong, each with an expert of its own.

Chen et al. (2019), "Slice-based Learning: A Programming Model for Residual Learning in Critical
Data Slices", arXiv:1909.06349. A slicing function says of a text whether it belongs, such as
``lambda text: "?" in text``. It may be a guess, and it is not asked when the model predicts.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.heads.classify import SequenceClassifier
from minibert.heads.head import Ids, Kind, Real, Scores, Some, new_linear
from minibert.heads.labels import Given
from minibert.heads.reading import listed
from minibert.models.outputs import Loss
from minibert.text.batches import Batch
from minibert.text.framing import Example
from minibert.text.inputs import of_batch

Slices = Mapping[str, Callable[[Any], bool]]


class SlicedClassifier(SequenceClassifier):
    """A `SequenceClassifier` with an indicator and an expert for each slice.

    An indicator says whether a text belongs to its slice. An expert adds something of its own to
    the state x of a text, r = x + W x, and one layer that they share classifies the r of the texts
    in its slice. Attention over the experts, softmax(indicator + confidence), mixes their r, and
    the last layer classifies the mix. The confidence is the distance between an expert's two
    highest logits; with two classes it is the paper's |p|. One more expert has all texts as its
    slice. W starts at zero, and the head as a plain one.

    slices: functions of a text by name. Other arguments are those of `SequenceClassifier`. Raises
    ValueError for no slice, fewer than two classes, and, by ``examples`` with labels, for a slice
    to which no text belongs. There is no file format for functions: the head cannot be saved.
    """

    def __init__(
        self,
        encoder: nn.Module,
        slices: Slices,
        labels: Given = None,
        dropout: float = 0.1,
        *,
        pooling: str = "first",
    ) -> None:
        super().__init__(encoder, labels, dropout=dropout, pooling=pooling)
        _check(slices)
        if self.labels < 2:
            raise ValueError(f"expected two classes or more, got {self.labels}")
        self.slices, width = dict(slices), self.output.in_features
        self.experts = nn.Linear(width, (len(slices) + 1) * width, bias=False)
        nn.init.zeros_(self.experts.weight)
        self.indicators = new_linear(width, len(slices) + 1, encoder)
        self.shared = new_linear(width, self.labels, encoder)

    def labelled(self, example: Example, label: Any, text: Any) -> Example:
        """The example with its label, and in ``slices`` whether it belongs to each of them."""
        marks = [bool(belongs(text)) for belongs in self.slices.values()]
        return {**super().labelled(example, label, text), "slices": marks}

    def examples(
        self, texts: Iterable, labels: Collection | None = None, max_length: int | None = None
    ) -> list[Example]:
        found = super().examples(texts, labels, max_length)
        for place, name in enumerate(self.slices):
            if labels is not None and not any(example["slices"][place] for example in found):
                raise ValueError(
                    f"expected an example in each slice, {name} has none to learn from"
                )
        return found

    def judge(self, states: Some) -> Scores:
        """All scores in one row: those of the classes first, see `parts`."""
        x = self.dropout(states)  # (n, width)
        seen = x[:, None] + self.experts(x).unflatten(1, (-1, x.shape[1]))  # (n, slices, width)
        said, inside = self.shared(seen), self.indicators(x)  # (n, slices, labels), (n, slices)
        best = said.topk(2, -1).values
        weights = (inside + best[..., 0] - best[..., 1]).softmax(-1)
        mixed = (weights[..., None] * seen).sum(1)  # (n, width)
        return torch.cat((self.output(mixed), inside, said.flatten(1)), 1)

    def forward(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> Scores:
        return super().forward(input_ids, attention_mask, token_type_ids)[:, : self.labels]

    def parts(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the classes (batch, labels), of the indicators (batch, slices + 1), and of the
        classes by each expert (batch, slices + 1, labels); what is last belongs to all texts."""
        mask, kinds = batch.get("attention_mask"), batch.get("token_type_ids")
        scores = super().forward(batch["input_ids"], mask, kinds)
        count = len(self.slices) + 1
        logits, inside, said = scores.split((self.labels, count, count * self.labels), 1)
        return logits, inside, said.unflatten(1, (count, self.labels))

    def loss(self, batch: Batch) -> Loss:
        """(sum of the losses, number of examples).

        In training, the losses of all indicators and experts are added; an expert's is that of the
        examples in its slice, which ``slices`` (batch, slices) tells.
        """
        if not self.training:
            return super().loss(batch)
        logits, inside, said = self.parts(batch)
        loss, count = self.outcome.loss(logits, batch)
        marks = F.pad(of_batch(batch, "slices").to(inside), (0, 1), value=1.0)
        told = F.binary_cross_entropy_with_logits(inside, marks, reduction="sum")
        labels = batch["labels"].long()[:, None].expand(marks.shape)
        wrong = F.cross_entropy(said.mT, labels, reduction="none")  # (batch, slices + 1)
        return loss + told + (wrong * marks).sum(), count


def score_by_slice(
    slices: Slices, texts: Iterable, scores: Sequence[float] | Float[Tensor, " texts"]
) -> dict[str, float]:
    """The mean score of the texts in each slice by its name, and of ``all``.

    scores: a number for each text, such as whether its label was found: then the mean is the
    accuracy. Raises ValueError for another number of scores and a slice to which no text belongs.
    """
    texts, kept = listed(texts), torch.as_tensor(scores).cpu().double()
    _check(slices)
    if not texts or kept.shape != (len(texts),):
        told = f"{len(texts)} texts and scores {tuple(kept.shape)}"
        raise ValueError(f"expected texts and a score for each, got {told}")
    found = {"all": kept.mean().item()}
    for name, belongs in slices.items():
        marks = torch.tensor([bool(belongs(text)) for text in texts])
        if not marks.any():
            raise ValueError(f"expected a text in each slice, {name} has none of {len(texts)}")
        found[name] = kept[marks].mean().item()
    return found


def _check(slices: Slices) -> None:
    if not slices or not all(map(callable, slices.values())):
        raise ValueError(f"expected functions of a text by name, got {slices!r:.80}")
