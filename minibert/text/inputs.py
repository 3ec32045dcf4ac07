"""What a model takes: each thing that does not fit is refused in one sentence.

Values are looked at on a CPU only; elsewhere that would have to wait for the device.
"""

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
    if not ids.shape[1]:
        raise ValueError("expected rows of at least one token, got none")
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


def check_targets(targets: torch.Tensor, classes: int, ignore_index: int = IGNORE) -> None:
    """Refuse labels or target words that there are no scores for."""
    check_tensor(targets, "labels")
    counted = targets[targets != ignore_index] if targets.device.type == "cpu" else targets
    if beyond := _beyond(counted, classes):
        raise ValueError(
            f"expected labels from 0 to below {classes} (or {ignore_index} for none), got {beyond}"
        )


def as_mask(attention_mask: torch.Tensor | None, shape: tuple) -> torch.Tensor | None:
    """An ``attention_mask`` of any kind of number as int64 0 and 1; None stays None.

    Raises ValueError for another shape, and for values that are neither 0 nor 1.
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
    binary = (attention_mask == 0) | (attention_mask == 1)
    if attention_mask.device.type == "cpu" and not bool(binary.all()):
        raise ValueError("expected an attention_mask of 1 for a token and 0 for padding")
    return attention_mask.long()


def _beyond(ids: torch.Tensor, size: int) -> str:
    """The range of ids where it leaves 0 to size - 1, in words; "" where all is well."""
    if ids.device.type != "cpu" or not ids.numel():
        return ""
    low, high = ids.aminmax()
    return f"{int(low)} to {int(high)}" if low < 0 or high >= size else ""
