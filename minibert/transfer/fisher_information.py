"""How much a task holds on to each weight: the diagonal of the Fisher information.

The mean over examples of the squared gradient of log p(label | text), one example at a time: the
square of a batch's mean gradient would be another number, since gradients of single examples cancel
(it is 0 at the end of training). Whose labels they are matters, too. Those of the data give the
"empirical" Fisher; the Fisher itself takes labels drawn from the model (Kunstner et al. 2019,
"Limitations of the Empirical Fisher Approximation", arXiv:1905.12558, section 2).
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from minibert.heads.causal import CausalLM
from minibert.heads.head import base_of
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.gpt.model import GPT, next_tokens
from minibert.text.batches import Batch
from minibert.text.inputs import IGNORE, of_batch
from minibert.training.distributed import TABLES, each_tensor
from minibert.training.loop import to_device
from minibert.training.modes import evaluating
from minibert.training.update import loss_of

LABELS = ("true", "model", "likely")


def fisher(
    model: nn.Module,
    batches: Iterable[Any],
    labels: str = "true",
    part: nn.Module | None = None,
    *,
    seed: int = 0,
) -> dict[str, Tensor]:
    """The diagonal of the Fisher information, by name, each of the shape of its parameter,
    and in float32 where the parameter is less exact.

    model: anything that `minibert.fit` trains. batches: of the task that is to be kept; each is cut
    into its examples (a row and all its targets), one backward pass for each; those without a
    target are left out. A window of a stream is read from an empty state. part: the module whose
    parameters that learn are meant, by default the model below the head, see `base_of`.
    labels: "true", those of the batches; "model", drawn from what the model predicts, with a
    generator of ``seed``; "likely", its likeliest ones. The last two are for heads and language
    models that give scores of classes.

    Dropout is off, and the model is left as it was. Raises ValueError for batches without an
    example or a label, a part of another model, and a model that has nothing to draw from.
    """
    if labels not in LABELS:
        raise ValueError(f"labels must be one of {', '.join(LABELS)}, got {labels!r}")
    if isinstance(batches, dict):
        raise ValueError("expected batches, got one dict: put it in a list")
    part = base_of(model) if part is None else part
    check_within(model, part)
    learning = {name: p for name, p in part.named_parameters() if p.requires_grad}
    if not learning:
        raise ValueError("expected parameters that learn, got none: are they all frozen?")
    device = next(iter(learning.values())).device
    batches = batches.of_epoch(0) if hasattr(batches, "of_epoch") else batches
    total, number = {name: _zeros(p) for name, p in learning.items()}, 0
    generator = torch.Generator().manual_seed(seed)
    with evaluating(model):
        for batch in batches:
            batch = to_device(batch, device)
            if labels != "true":
                batch = _relabelled(model, batch, generator if labels == "model" else None)
            for one in _examples(batch):
                number += _add_squares(model, one, learning, total)
    if not number:
        raise ValueError("expected batches with at least one example and its label, got none")
    return {name: squares / number for name, squares in total.items()}


def _zeros(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter, dtype=torch.promote_types(parameter.dtype, torch.float32))


def check_within(model: nn.Module, part: nn.Module) -> None:
    """Raise ValueError where ``part`` is no module of the model."""
    if all(module is not part for module in model.modules()):
        kinds = f"a {type(part).__name__} that is no part of this {type(model).__name__}"
        raise ValueError(f"expected the model or a module in it, such as its encoder, got {kinds}")


def _add_squares(
    model: Any, example: Any, learning: dict[str, nn.Parameter], total: dict[str, Tensor]
) -> bool:
    """Add the squared gradient of one example to ``total``; False where it has no target."""
    # cuDNN's recurrent layers have no gradient in eval mode
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        loss, count = loss_of(model.loss, example)
        if not count:
            return False
        gradients = torch.autograd.grad(loss, list(learning.values()), allow_unused=True)
    for squares, gradient in zip(total.values(), gradients, strict=True):
        if gradient is not None:
            squares += gradient.to(squares).square()
    return True


def _examples(batch: Any) -> Iterator[Any]:
    """A batch cut into batches of one example, which may have several rows."""
    lengths = set[int]()
    each_tensor(batch, lambda tensor: lengths.update(tensor.shape[:1]), TABLES)
    number = min(lengths, default=0)
    if number and any(length % number for length in lengths):
        rows = ", ".join(map(str, sorted(lengths)))
        raise ValueError(f"expected tensors with a row, or equally many, per example, got {rows}")
    if isinstance(batch, dict) and "reset" in batch:
        batch = {**batch, "reset": True}  # the state that is carried has all rows
    for i in range(number):
        yield each_tensor(batch, partial(_rows, i, number), TABLES)


def _rows(i: int, number: int, tensor: Tensor) -> Tensor:
    """Those of example ``i`` of ``number``."""
    return tensor.unflatten(0, (number, -1))[i] if tensor.ndim else tensor


def _relabelled(model: nn.Module, batch: Batch, generator: torch.Generator | None) -> Batch:
    """A batch with labels that the model says: the likeliest, or with a generator drawn ones."""
    head: Any = CausalLM(model) if isinstance(model, GPT | AWDLSTM) else model
    logits = head.output_of(batch) if hasattr(head, "output_of") else None
    if isinstance(head, CausalLM) and "targets" not in batch and logits is not None:
        wanted, _ = next_tokens(batch)
        labels = torch.full_like(batch["input_ids"], IGNORE)
        labels[:, 1:][wanted[:, :-1]] = _said(logits[wanted], generator)
        return {**batch, "labels": labels}
    name = "targets" if "targets" in batch else "labels"
    given = of_batch(batch, name)
    if not torch.is_tensor(logits) or logits.shape[:-1] != given.shape:
        told = f"a {type(model).__name__} gives no scores of classes for its {name}"
        raise ValueError(f'{told}, so none can be drawn: give labels="true"')
    return {**batch, name: given.where(given == IGNORE, _said(logits, generator))}


def _said(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    """Classes (...) from scores (..., classes); drawn on the CPU, the same on every device."""
    if generator is None:
        return logits.argmax(-1)
    shares = logits.softmax(-1).flatten(0, -2).cpu()  # (n, classes)
    drawn = torch.multinomial(shares, 1, generator=generator)
    return drawn.view(logits.shape[:-1]).to(logits.device)
