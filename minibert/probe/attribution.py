"""Which tokens a score comes from: gradients, integrated gradients, erasure, attention rollout.

All but the rollout work on every model and head of the family: they change the embeddings, layer 0.
``inputs`` are what the model reads by name, ``score`` makes one number a row of its output::

    inputs = {"input_ids": ids, "attention_mask": mask}
    integrated_gradients(head, inputs, lambda logits: logits[:, 1])
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from minibert.models.word2vec.scores import spearman
from minibert.probe.places import hooked
from minibert.text.inputs import whole_mask
from minibert.training.modes import evaluating

Inputs = Mapping[str, Tensor]
Score = Callable[[Any], Tensor]
PerToken = Float[Tensor, "batch length"]  # 0 at padding
Embedded = Float[Tensor, "batch length dim"]
INCOMPLETE = 0.05  # of the difference that integrated gradients must add up to


def gradient_times_input(model: Any, inputs: Inputs, score: Score) -> PerToken:
    """The gradient of the score by each token's embedding, times the embedding.

    It is what the token adds where the score is linear (Denil et al. 2014, arXiv:1412.6815).
    """
    with evaluating(model):
        x = embedded(model, inputs)
        gradient = _run(model, inputs, score, x)[1]
        return _told(inputs, (gradient * x).sum(-1))


def integrated_gradients(
    model: Any,
    inputs: Inputs,
    score: Score,
    baseline: Tensor | None = None,
    *,
    steps: int = 50,
) -> PerToken:
    """(x - b) times the mean gradient on the way from the baseline b to x (Sundararajan et al.).

    The rows add up to score(x) - score(b), the axiom of completeness (2017, arXiv:1703.01365,
    section 3). baseline: embeddings that say nothing, zeros by default, what broadcasts to (batch,
    length, dim); or ids of the shape of ``input_ids`` to be embedded, such as all ``[MASK]``.
    steps: points of Gauss-Legendre quadrature.

    Warns where the sums miss the differences by more than 5 %. Raises ValueError for a baseline or
    a score that does not fit.
    """
    if steps < 1:
        raise ValueError(f"expected at least one step, got {steps}")
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    with evaluating(model):
        x = embedded(model, inputs)
        b = _baseline(model, inputs, baseline, x)
        total = torch.zeros_like(x)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            total += float(weight) * _run(model, inputs, score, b + float(node) * (x - b))[1]
        found = _told(inputs, (total * (x - b)).sum(-1))
        wanted = _run(model, inputs, score, x)[0] - _run(model, inputs, score, b)[0]
    missed = (found.sum(1) - wanted).abs()
    if bool((missed > INCOMPLETE * wanted.abs() + 1e-4).any()):
        row = int(missed.argmax())
        told = f"row {row} adds up to {float(found[row].sum()):.4f} of {float(wanted[row]):.4f}"
        warnings.warn(
            f"integrated gradients are not complete: {told}; take more steps than {steps}",
            stacklevel=2,
        )
    return found


def erasure(model: Any, inputs: Inputs, score: Score, baseline: Tensor | None = None) -> PerToken:
    """How much the score falls when a token's embedding becomes the baseline's.

    One token at a time (Li, Monroe & Jurafsky 2016, arXiv:1612.08220). baseline: as in
    `integrated_gradients`.
    """
    with evaluating(model):
        x = embedded(model, inputs)
        b = _baseline(model, inputs, baseline, x)
        whole = _run(model, inputs, score, x, gradient=False)[0]
        found = x.new_zeros(x.shape[:2])
        for token in range(x.shape[1]):
            without = x.clone()
            without[:, token] = b[:, token]
            found[:, token] = whole - _run(model, inputs, score, without, gradient=False)[0]
        return _told(inputs, found)


def rollout(
    attentions: Sequence[Float[Tensor, "batch heads length length"]] | None,
) -> Float[Tensor, "batch length length"]:
    """How much of each input token reaches each position of the last layer, in rows that sum to 1.

    The product over layers of (A + I) / 2, A the mean of the heads: the residual stream carries one
    half on (Abnar & Zuidema 2020, arXiv:2005.00928, section 3). attentions: of a `ModelOutput`,
    which a BERT or a GPT gives with ``output_attentions=True``. Raises ValueError without them.
    """
    if not attentions:
        told = "which a BERT or a GPT gives with output_attentions=True"
        raise ValueError(f"expected the attentions of each layer, {told}, got none")
    one = torch.eye(attentions[0].shape[-1], device=attentions[0].device)
    found = one.expand(len(attentions[0]), -1, -1)
    for weights in attentions:
        found = (weights.mean(1) + one) / 2 @ found
    return found


def rank_agreement(
    attributions: Mapping[str, Sequence[Float[Tensor, " length"]]],
) -> dict[tuple[str, str], float]:
    """Spearman's rank correlation of each two methods, averaged over the sentences.

    attributions: by method, one row of scores for each sentence, without padding. Sentences in
    which a method ranks nothing (one token, or all alike) are left out; nan where none is left.
    Raises ValueError for methods that do not have the same tokens.
    """
    lengths = {name: [len(row) for row in rows] for name, rows in attributions.items()}
    found = {}
    for a, b in combinations(attributions, 2):
        if lengths[a] != lengths[b]:
            raise ValueError(f"expected as many scores of {a} as of {b} in each sentence")
        pairs = zip(attributions[a], attributions[b], strict=True)
        rows = [tuple(np.asarray(one.detach().cpu(), np.float64) for one in pair) for pair in pairs]
        told = [spearman(*row) for row in rows if all(len(np.unique(one)) > 1 for one in row)]
        found[a, b] = float(np.mean(told)) if told else float("nan")
    return found


def embedded(model: Any, inputs: Inputs) -> Embedded:
    """Layer 0 of the model for these inputs, detached."""
    found = []

    def keep(h: Tensor) -> Tensor:
        found.append(h.detach())
        return h

    with torch.no_grad(), hooked(model, "state", 0, keep):
        model(**inputs)
    return found[0]


def _run(model, inputs, score, x, gradient=True):
    """(the score of each row, its gradient by ``x`` or None) with ``x`` as the embeddings."""
    x = x.detach().requires_grad_(gradient)
    with torch.set_grad_enabled(gradient), hooked(model, "state", 0, lambda _: x):
        told = score(model(**inputs))
        total = told.sum() if isinstance(told, Tensor) else None
    if not isinstance(told, Tensor) or told.shape != (len(x),):
        got = tuple(told.shape) if isinstance(told, Tensor) else type(told).__name__
        raise ValueError(f"expected a score of one number for each of {len(x)} rows, got {got}")
    by_x = torch.autograd.grad(total, x)[0] if gradient else None
    return told.detach(), by_x


def _baseline(model, inputs, baseline, x):
    """The embeddings of the baseline, of the shape of ``x``."""
    if baseline is None:
        return torch.zeros_like(x)
    if not baseline.is_floating_point():
        if baseline.shape != inputs["input_ids"].shape:
            wanted, got = tuple(inputs["input_ids"].shape), tuple(baseline.shape)
            raise ValueError(f"expected baseline ids of the shape {wanted}, got {got}")
        return embedded(model, {**inputs, "input_ids": baseline})
    try:
        return baseline.to(x).expand_as(x)
    except RuntimeError as error:
        wanted, got = tuple(x.shape), tuple(baseline.shape)
        raise ValueError(f"expected a baseline that broadcasts to {wanted}, got {got}") from error


def _told(inputs, found):
    """The scores of tokens, 0 at padding."""
    mask = whole_mask(inputs["input_ids"], inputs.get("attention_mask"))
    return (found * mask.to(found.device)).detach()
