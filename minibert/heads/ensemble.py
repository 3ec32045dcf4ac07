"""Several models that answer together: other seeds, other encoders, one set of labels.

Dietterich (2000), "Ensemble Methods in Machine Learning". The predictions of any heads are joined,
those for words and masks too; `minibert.heads.Ensemble` makes one model of several classifiers.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from minibert.heads.predictions import Predictions

Scores = Float[Tensor, "*rows labels"]
MEANS = PROBABILITIES, LOGITS = "probabilities", "logits"


def mean(scores: Iterable[Scores], of: str = PROBABILITIES) -> Scores:
    """One distribution over the labels from each model's logits.

    of: "probabilities", their mean; or "logits": their mean, and of that the probabilities. That is
    the geometric mean of the probabilities, so one model that is sure of a no weighs more.
    """
    whole = torch.stack([*scores])  # (models, ..., labels)
    return whole.mean(0).softmax(-1) if of == LOGITS else whole.softmax(-1).mean(0)


def averaged(found: Sequence[Predictions], of: str = PROBABILITIES) -> Predictions:
    """The `mean` of what several heads say of the same texts: ``[head.predict(texts), ...]``.

    Where a text may have several labels, each is a question of its own, and given above one half.
    Raises ValueError for no predictions, for those without probabilities of labels (numbers,
    places, trees), and for those of other texts, of other labels, or of texts cut at another
    length.
    """
    first: Any = _checked(found, of)
    labels, rows = list[Any](), list[Tensor]()
    shares: list[Any] = [one.probabilities for one in found]
    for text, label, *given in zip(first.inputs, first.labels, *shares, strict=True):
        columns = _columns(text, label, first.names)
        several = isinstance(label, list) and given[0].ndim == 1
        p = torch.stack([1 - torch.stack(given), torch.stack(given)], -1) if several else given
        row = mean([one.clamp(min=torch.finfo(one.dtype).tiny).log() for one in p], of)
        if several:
            row = row[..., 1]
            labels.append([columns[k] for k in (row > 0.5).nonzero()[:, 0].tolist()])
        else:
            best: Any = row.argmax(-1).tolist()
            labels.append([columns[k] for k in best] if row.ndim > 1 else columns[best])
        rows.append(row)
    whole = torch.stack(rows) if torch.is_tensor(first.probabilities) and rows else rows
    return Predictions(first.inputs, labels, whole, first.names)


def _columns(text, label, names):
    """What the columns stand for: the names, or the choices in a text (context, choices)."""
    if all(one in names for one in (label if isinstance(label, list) else [label])):
        return names
    choices = text[1] if isinstance(text, list | tuple) and len(text) == 2 else ()
    if isinstance(choices, list | tuple) and len(choices) == len(names) and label in choices:
        return choices
    told = f"expected predictions whose labels are names of their columns, got {label!r:.60}"
    raise ValueError(told)


def _checked(found, of):
    """The first of the predictions, to which the others are alike."""
    if of not in MEANS:
        raise ValueError(f"of must be {' or '.join(map(repr, MEANS))}, got {of!r}")
    if not found:
        raise ValueError("expected the predictions of at least one head, got none")
    first, *others = found
    for one in found:
        if one.probabilities is None or one.names is None:
            raise ValueError("expected predictions with probabilities of labels, got some without")
    for one in others:
        if list(one.names) != list(first.names):
            got = f"{list(first.names)!r:.60} and {list(one.names)!r:.60}"
            raise ValueError(f"expected heads with the same labels in the same order, got {got}")
        if list(one.inputs) != list(first.inputs):
            raise ValueError("expected predictions of the same texts in the same order")
        pairs = zip(one.probabilities, first.probabilities, strict=True)
        at = next((i for i, (p, q) in enumerate(pairs) if p.shape != q.shape), None)
        if at is not None:
            raise ValueError(f"the heads read text {at} to different lengths: cut it for all alike")
    return first
