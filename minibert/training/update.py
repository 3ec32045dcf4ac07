"""One update: from batches to losses, gradients and new weights."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from minibert.training import distributed
from minibert.training.run import Run


def train_step(run: Run) -> tuple[float, float]:
    """One update from the batches in ``run.batch``; returns (loss, tokens or else targets seen).

    The gradient is that of (sum of all losses) / (sum of all counts), whichever way the targets
    fall into batches. Each sum is divided by the first count before its backward pass, so that
    numbers stay moderate, and the gradient is put right when all counts are known.
    """
    total, count, tokens, scale = 0.0, 0.0, 0, 0.0
    for batch in run.batch:
        tokens += tokens_of(batch)
        with autocast(run.device, run.precision):
            losses, n = loss_of(run.loss_of, to_device(distributed.share(batch), run.device))
        n = distributed.total(n, run.device)
        scale = scale or n
        if scale:  # gradients are the mean over the processes
            if not losses.requires_grad:
                raise ValueError(
                    "the loss depends on no parameter that learns: are all parameters frozen, or "
                    "is the loss computed without gradients?"
                )
            (losses * (distributed.size() / scale)).backward()
        total, count = total + distributed.total(losses.item(), run.device), count + n
    if not count:
        raise ValueError(f"the loss of step {run.step + 1} counted no target: expected one or more")
    parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
    if all(p.grad is None for p in parameters):
        raise ValueError(
            "the loss depends on no parameter of the optimiser, so nothing would be learned: are "
            "they frozen, or did the model get new layers after the optimiser was made?"
        )
    if scale != count:
        for p in parameters:
            if p.grad is not None:
                p.grad.mul_(scale / count)
    _check_finite(run, "loss", total / count)
    if run.clip is not None:
        norm = torch.nn.utils.clip_grad_norm_(parameters, run.clip)
        _check_finite(run, "gradient's norm", norm)
    run.torn = True  # until the history says so too
    run.optimizer.step()
    run.optimizer.zero_grad()
    run.unit = "tokens" if tokens else "targets"
    return total / count, tokens or count


def loss_of(function: Callable[[Any], Any], batch: Any) -> tuple[torch.Tensor, float]:
    """A sum of losses and a count; ValueError where it is no such pair, or a label has no score."""
    try:
        found = function(batch)
    except IndexError as error:
        if "out of bounds" not in str(error):
            raise
        expected = "expected labels from 0 to below the model's number of them, or -100 for none"
        raise ValueError(f"a label of this batch is out of range ({error}): {expected}") from error
    pair = isinstance(found, tuple | list) and len(found) == 2
    if not pair or not torch.is_tensor(found[0]) or found[0].ndim or found[1] < 0:
        raise ValueError(
            f"expected loss(batch) to give a tensor with one number, the sum of the losses, and a "
            f"count; got {found!r:.80}"
        )
    return found[0], found[1]


def to_device(batch: Any, device: torch.device | str) -> Any:
    """A batch with its tensors on ``device``: dicts, lists and tuples are gone through."""
    return distributed.each_tensor(batch, lambda t: t.to(device, non_blocking=True))


def autocast(device: torch.device | str, precision: str | None) -> AbstractContextManager:
    """The context of a forward pass: mixed precision for "bf16", none otherwise."""
    if precision == "bf16":
        return torch.autocast(torch.device(device).type, torch.bfloat16)
    return nullcontext()


def tokens_of(batch: Any) -> int:
    """How many tokens a batch holds, padding left out; 0 where it does not say."""
    batch = batch if isinstance(batch, dict) else {}
    if torch.is_tensor(batch.get("attention_mask")):
        return int(batch["attention_mask"].sum())
    return batch["input_ids"].numel() if torch.is_tensor(batch.get("input_ids")) else 0


def _check_finite(run: Run, what: str, value: float | torch.Tensor) -> None:
    if math.isfinite(value):
        return
    step, losses = run.step, run.history.loss
    before = f"the last good loss was {losses[-1]:.4f} at step {step}" if losses else "the first"
    raise FloatingPointError(
        f"the {what} is {float(value)} at step {step + 1} ({before}); the weights were not updated "
        f"with it. Try a lower learning rate, warm-up or clipping, and look at this step's batch"
    )
