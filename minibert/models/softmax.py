"""A linear layer over the vocabulary and its cross-entropy, without ever holding all logits.

The version to read is one line::

    F.cross_entropy(hidden @ weight.T + bias, targets, ignore_index=IGNORE, reduction="sum")

It keeps (targets, V) logits, their softmax and its gradient, and for a small model with a large
vocabulary that is most of the memory and of the time. Here a few rows are taken at a time. The
gradient of the loss by the logits is known at once, softmax - one-hot, so each piece is turned into
gradients of ``hidden``, ``weight`` and ``bias`` while it is in the cache, and then forgotten.
"""

import torch
from torch.nn import functional as F

from minibert.text.inputs import IGNORE, check_targets

PIECE = 1 << 20  # logits that are held at a time


def linear_cross_entropy(hidden, weight, bias, targets, ignore_index=IGNORE):
    """(sum of the cross-entropies in nats, number of targets that counted).

    hidden: (..., dim). weight: (V, dim). bias: (V,) or None. targets: (...), class numbers, or
    ``ignore_index`` where there is nothing to predict. The sum can be differentiated once, by
    ``hidden``, ``weight`` and ``bias``.

    Raises ValueError for shapes that do not fit together and for targets that are not in the
    vocabulary.
    """
    if hidden.shape[:-1] != targets.shape or hidden.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"expected hidden (..., {weight.shape[1]}) with one target each, got hidden "
            f"{tuple(hidden.shape)} and targets {tuple(targets.shape)}"
        )
    hidden, targets = hidden.flatten(0, -2), targets.flatten()  # (n, dim), (n,)
    check_targets(targets, len(weight), ignore_index)
    counted = targets != ignore_index
    count = int(counted.sum())
    if count < len(targets):
        hidden, targets = hidden[counted], targets[counted]
    if torch.is_autocast_enabled(hidden.device.type):
        return F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction="sum"), count
    if not torch.is_grad_enabled():  # inside apply it would look as if gradients were wanted
        hidden, weight = hidden.detach(), weight.detach()
        bias = None if bias is None else bias.detach()
    return _LinearCrossEntropy.apply(hidden, weight, bias, targets), count


def check_scores(logits):
    """Refuse to choose where the highest of the scores (..., V) is not finite.

    Raises FloatingPointError; a score of minus infinity, what may not be chosen, is well.
    """
    if logits.numel() and not logits.amax(-1).isfinite().all():
        raise FloatingPointError(
            "the model's scores are not finite, so nothing can be chosen: is one of its weights "
            "not a number?"
        )


class _LinearCrossEntropy(torch.autograd.Function):
    """Losses and gradients together, piece by piece."""

    @staticmethod
    def forward(ctx, hidden, weight, bias, targets):
        wanted = ctx.needs_input_grad[:3]
        grads = [
            torch.zeros_like(tensor) if needed else None
            for tensor, needed in zip((hidden, weight, bias), wanted, strict=True)
        ]
        total = hidden.new_zeros(())
        rows = max(1, PIECE // len(weight))
        for start in range(0, len(hidden), rows):
            piece = slice(start, start + rows)
            total += _piece(hidden[piece], weight, bias, targets[piece], grads, piece)
        ctx.save_for_backward(*grads)
        return total

    @staticmethod
    def backward(ctx, upstream):
        grads = [None if grad is None else grad * upstream for grad in ctx.saved_tensors]
        return *grads, None


def _piece(hidden, weight, bias, targets, grads, piece):
    """The loss of some rows, a scalar; adds what they give to ``grads``."""
    logits = hidden @ weight.T if bias is None else torch.addmm(bias, hidden, weight.T)  # (n, V)
    at_target = logits.gather(1, targets[:, None])  # (n, 1)
    highest, where = logits.max(1, keepdim=True)
    p = logits.softmax(1)
    # log sum exp = highest - log p(highest), and p(highest) >= 1 / V never underflows
    loss = (highest - p.gather(1, where).log() - at_target).sum()
    for_hidden, for_weight, for_bias = grads
    if any(grad is not None for grad in grads):
        p.scatter_add_(1, targets[:, None], -torch.ones_like(at_target))  # softmax - one-hot
    if for_hidden is not None:
        torch.mm(p, weight, out=for_hidden[piece])
    if for_weight is not None:
        for_weight.addmm_(p.T, hidden)  # (V, n) @ (n, dim) -> (V, dim)
    if for_bias is not None:
        for_bias += p.sum(0)
    return loss
