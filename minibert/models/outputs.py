"""What every model returns."""

from dataclasses import dataclass, fields

import torch


@dataclass(repr=False)
class ModelOutput:
    """Hidden states of one forward pass, the same for all models.

    ``last_hidden_state``: (batch, length, width).
    ``hidden_states``: tuple of such tensors, the embeddings first, then one per layer; or None.
    ``attentions``: tuple with one (batch, heads, length, length) a layer, rows summing to one;
    None unless asked for with ``output_attentions=True``, and for models without attention.
    """

    last_hidden_state: torch.Tensor
    hidden_states: tuple | None = None
    attentions: tuple | None = None

    def __repr__(self):
        shown = ", ".join(f"{f.name}={_shape(getattr(self, f.name))}" for f in fields(self))
        return f"{type(self).__name__}({shown})"


def _shape(value):
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, tuple):
        return f"{len(value)} x {_shape(value[0])}" if value else "()"
    return value
