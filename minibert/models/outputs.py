"""What every model returns."""

from dataclasses import dataclass, fields

from jaxtyping import Float
from torch import Tensor

Loss = tuple[Float[Tensor, ""], int]  # the sum of the losses, and how many were added


@dataclass(repr=False)
class ModelOutput:
    """Hidden states of one forward pass, the same for all models.

    ``hidden_states``: the embeddings first, then one per layer, which may differ in width.
    ``attentions``: one per layer, rows summing to one; None unless asked for with
    ``output_attentions=True``, and for models without attention.
    """

    last_hidden_state: Float[Tensor, "batch length width"]
    hidden_states: tuple[Float[Tensor, "batch length _"], ...] | None = None
    attentions: tuple[Float[Tensor, "batch heads length keys"], ...] | None = None

    def __repr__(self) -> str:
        shown = ", ".join(f"{f.name}={_shape(getattr(self, f.name))}" for f in fields(self))
        return f"{type(self).__name__}({shown})"


def _shape(value: object) -> object:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, tuple):
        return f"{len(value)} x {_shape(value[0])}" if value else "()"
    return value
