"""What a model takes: each thing that does not fit is refused in one sentence.

Values are looked at on a CPU only; elsewhere that would have to wait for the device.
"""

from collections.abc import Mapping

import torch

IGNORE = -100  # the target that torch's cross-entropy ignores


def check_tensor(given: torch.Tensor, name: str = "input_ids") -> None:
    """Refuse what is no tensor of whole numbers."""
    if not torch.is_tensor(given):
        raise ValueError(
            f"expected {name} as a tensor of int64 (batch, length), got a {type(given).__name__}: "
            f"torch.tensor(...) makes one of a list of equally long rows"
        )
    if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
        raise ValueError(f"expected {name} as int64, got {given.dtype}: use .long()")


def check_length(ids: torch.Tensor, start: int, max_length: int) -> None:
    """Refuse ids that are no (batch, length), or more positions than there are."""
    check_tensor(ids)
    if ids.ndim != 2:
        raise ValueError(f"expected ids (batch, length), got {tuple(ids.shape)}")
    if not ids.numel():
        raise ValueError(f"expected rows of at least one token, got ids {tuple(ids.shape)}")
    if start + ids.shape[1] > max_length:
        raise ValueError(
            f"expected at most max_length={max_length} tokens, got {start + ids.shape[1]}; cut the "
            f"text into windows, or train a model with more positions"
        )


def check_ids(ids: torch.Tensor, vocab_size: int) -> None:
    """Refuse ids that the vocabulary does not have."""
    check_tensor(ids)
    if beyond := _beyond(ids, vocab_size):
        raise ValueError(
            f"expected ids from 0 to below vocab_size={vocab_size}, got {beyond}: does the "
            f"tokenizer belong to the model?"
        )


def check_segments(token_type_ids: torch.Tensor | None, segments: int) -> None:
    """Refuse kinds of text that a model does not tell apart."""
    if token_type_ids is None:
        return
    check_tensor(token_type_ids, "token_type_ids")
    if beyond := _beyond(token_type_ids, segments):
        raise ValueError(
            f"expected token_type_ids from 0 to below segments={segments}, got {beyond}"
        )


def check_targets(
    targets: torch.Tensor, classes: int, ignore_index: int | None = IGNORE, name: str = "labels"
) -> None:
    """Refuse labels or target words that there are no scores for; ``ignore_index`` is none."""
    check_tensor(targets, name)
    counted = targets[targets != ignore_index] if targets.device.type == "cpu" else targets
    if beyond := _beyond(counted, classes):
        none = "" if ignore_index is None else f" (or {ignore_index} for none)"
        raise ValueError(f"expected {name} from 0 to below {classes}{none}, got {beyond}")


def as_mask(attention_mask: torch.Tensor | None, shape: tuple) -> torch.Tensor | None:
    """An ``attention_mask`` of any kind of number as int64 0 and 1; None stays None.

    Raises ValueError for another shape, for values that are neither 0 nor 1, and for a row of
    padding alone: nothing can be said of it.
    """
    if attention_mask is None:
        return None
    if not torch.is_tensor(attention_mask):
        raise ValueError(
            f"expected attention_mask as a tensor, got a {type(attention_mask).__name__}"
        )
    if attention_mask.shape != torch.Size(shape):
        raise ValueError(
            f"expected an attention_mask of shape {tuple(shape)}, got {tuple(attention_mask.shape)}"
        )
    if attention_mask.device.type == "cpu":
        real = attention_mask == 1
        if not bool((real | (attention_mask == 0)).all()):
            raise ValueError("expected an attention_mask of 1 for a token and 0 for padding")
        if not bool(real.any(1).all()):
            row = int(real.any(1).int().argmin())
            raise ValueError(f"expected at least one token in each row, row {row} has none")
    return attention_mask.long()


def whole_mask(input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
    """The mask of ids (batch, length, ...) as int64 (batch, length), all 1 where there is none.

    Raises ValueError as `as_mask` does, and for ids that are no tensor or hold no token.
    """
    check_tensor(input_ids)
    if input_ids.ndim < 2 or not input_ids.numel():
        raise ValueError(
            f"expected ids (batch, length) of at least one token, got {tuple(input_ids.shape)}"
        )
    shape = input_ids.shape[:2]
    return input_ids.new_ones(shape) if attention_mask is None else as_mask(attention_mask, shape)


def of_batch(batch: Mapping, name: str = "labels") -> torch.Tensor:
    """What a batch calls ``name``; ValueError where it has none."""
    if batch.get(name) is None:
        raise ValueError(f"expected {name} in the batch, which has {', '.join(batch)}")
    return batch[name]


def labelled(batch: Mapping, name: str = "labels") -> torch.Tensor:
    """Where a batch has a label, not -100: bool (batch, length). ValueError where it must not."""
    labels, shape = of_batch(batch, name), batch["input_ids"].shape[:2]
    check_tensor(labels, name)
    if labels.shape != shape:
        raise ValueError(f"expected {name} {tuple(shape)}, got {tuple(labels.shape)}")
    check_wanted(labels != IGNORE, batch.get("attention_mask"))
    return labels != IGNORE


def check_wanted(wanted: torch.Tensor, attention_mask: torch.Tensor | None) -> None:
    """Refuse to be asked (``wanted``, bool (batch, length)) about padding."""
    if attention_mask is not None and wanted.device.type == "cpu":
        if bool((wanted & (attention_mask == 0)).any()):
            raise ValueError(
                "expected labels and positions at tokens alone, got a place of padding"
            )


def from_first(attention_mask: torch.Tensor) -> torch.Tensor:
    """Positions counted from each row's first token, 0 before it: int64 (batch, length)."""
    places = torch.arange(attention_mask.shape[1], device=attention_mask.device)
    return (places - attention_mask.argmax(1, keepdim=True)).clamp(min=0)


def reading_order(attention_mask: torch.Tensor, backward: bool = False) -> torch.Tensor:
    """Positions that put each row's tokens first, its padding last: int64 (batch, length).

    ``backward``: the last token first. ``x.gather(1, order)`` is in that order, and
    ``order.argsort(1)`` is the way back. So what reads word by word may forget where padding was.
    """
    length = attention_mask.shape[1]
    places = torch.arange(length, device=attention_mask.device).expand_as(attention_mask)
    keys = (-places if backward else places).masked_fill(attention_mask == 0, length)
    return keys.argsort(dim=1, stable=True)


def _beyond(ids: torch.Tensor, size: int) -> str:
    """The range of ids where it leaves 0 to size - 1, in words; "" where all is well."""
    if ids.device.type != "cpu" or not ids.numel():
        return ""
    low, high = ids.aminmax()
    return f"{int(low)} to {int(high)}" if low < 0 or high >= size else ""
