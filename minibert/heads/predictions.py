"""What heads say of texts that they have not learned from: one loop, and what it gives."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from minibert.heads.labels import likeliest
from minibert.text.batches import IGNORE, Batch
from minibert.text.framing import Example
from minibert.training.modes import evaluating

SHOWN, WIDEST = 10, 60  # predictions that are printed; letters of a text


@dataclass(frozen=True, repr=False)
class Predictions:
    """What a head says of each of the ``inputs``, in their order.

    ``labels``: the likeliest label; a list of them for the words or masks of an input, and where it
    may have several. ``probabilities``: a tensor (inputs, labels), or a list with one (words,
    labels) for each input; None for a regression. ``names``: of the columns.
    """

    inputs: Sequence
    labels: list
    probabilities: Tensor | list[Tensor] | None = None
    names: Sequence | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def best(self, count: int = 5) -> list:
        """(name, probability) of the likeliest names of each input (or of each of its words)."""
        if self.names is None or self.probabilities is None:
            raise ValueError("these predictions have one answer for each input, no names to rank")
        return [self._best(row, count) for row in self.probabilities]

    def _best(self, row, count):
        if row.ndim > 1:
            return [self._best(one, count) for one in row]
        values, places = row.topk(min(count, len(row)))
        return [(self.names[i], p) for i, p in zip(places.tolist(), values.tolist(), strict=True)]

    def __repr__(self) -> str:
        rows = [self._row(i) for i in range(min(len(self), SHOWN))]
        more = [f"... and {len(self) - SHOWN} more"] if len(self) > SHOWN else []
        count = f"{len(self)} prediction{'s' * (len(self) != 1)}"
        return "\n".join([count, *rows, *more])

    def _row(self, i):
        label, given = self.labels[i], self.inputs[i]
        if isinstance(label, list) and isinstance(given, list) and len(label) == len(given):
            return "  " + " ".join(f"{w}/{one}" for w, one in zip(given, label, strict=True))
        row = None if self.probabilities is None else self.probabilities[i]
        sure = f"  {float(row.max()):.2f}" if row is not None and row.ndim < 2 else ""
        shown = f"{label:.3f}" if isinstance(label, float) else label
        text = given if isinstance(given, str) else " | ".join(map(str, given))
        return f"  {shown}{sure}  {text if len(text) <= WIDEST else text[: WIDEST - 3] + '...'}"


def each(model: nn.Module, batches: Iterable[Batch], act: Callable[[Batch, Any], Any]) -> list:
    """``act(batch, output)`` for each batch from the first, in eval mode on the model's device."""
    if isinstance(batches, dict):
        raise ValueError("expected batches, got one dict: put it in a list")
    batches = batches.of_epoch(0) if hasattr(batches, "of_epoch") else batches
    device, taken = next(model.parameters()).device, inspect.signature(model.forward).parameters
    with evaluating(model):
        return [
            act(batch, model(**{name: batch[name].to(device) for name in batch if name in taken}))
            for batch in batches
        ]


def run(
    model: Any,
    examples: Sequence[Example],
    batch_size: int = 32,
    keep: Callable[[Example, Any], Any] | None = None,
) -> list:
    """A head's output for each example, in order; batches are sorted by length.

    examples: dicts with ``input_ids`` and what else the model takes; other names are left out.
    Gives a tensor for each, (labels,) or (length, ...), without padding, or a tuple of such tensors
    where the head gives several; or what ``keep(example, output)`` makes of it.
    """
    check_examples(examples)
    found: list = [None] * len(examples)
    if not found:
        return found
    taken = inspect.signature(model.forward).parameters
    given = [{name: e[name] for name in e if name in taken} for e in examples]
    batches = model.batches(given, batch_size, shuffle=False)
    plan = iter(batches.plan(0))

    def act(batch, out):
        for place, row in enumerate(next(plan)):
            one = _one(out, place, len(given[row]["input_ids"]), model.per_token)
            found[row] = keep(examples[row], one) if keep else one

    each(model, batches, act)
    return found


def check_examples(examples: Iterable) -> None:
    """Refuse what is no list of dicts, such as texts that were not encoded."""
    if isinstance(examples, dict | str) or not all(isinstance(one, dict) for one in examples):
        raise ValueError("expected a list of examples, each a dict with input_ids")


def _one(out, place, length, per_token):
    """One example of a batch's output, without padding."""
    if isinstance(out, tuple):
        kinds = per_token if isinstance(per_token, tuple) else (per_token,) * len(out)
        return tuple(_one(part, place, length, k) for part, k in zip(out, kinds, strict=True))
    return (out[place, :length] if per_token else out[place]).cpu()


def predict(model: nn.Module, batches: Iterable[Batch]) -> Int[Tensor, " examples"]:
    """The likeliest class of every example, in the order of the batches."""
    found = each(model, batches, lambda _, logits: likeliest(logits))
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.long)


def tagged(model: nn.Module, batches: Iterable[Batch]) -> tuple[list[list[int]], list[list[int]]]:
    """Predicted and true labels: two lists with a list of label numbers per sentence."""
    said, true = list[list[int]](), list[list[int]]()

    def act(batch, logits):
        for row, labels in zip(likeliest(logits), batch["labels"], strict=True):
            said.append(row[labels != IGNORE].tolist())
            true.append(labels[labels != IGNORE].tolist())

    each(model, batches, act)
    return said, true
