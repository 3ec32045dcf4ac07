"""A model as a source of features: some of its layers, mixed, with its weights unchanged."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from minibert.heads.head import Ids, Kind, Real
from minibert.heads.reading import widths_of
from minibert.models.elmo.parts import ScalarMix
from minibert.models.outputs import ModelOutput

if TYPE_CHECKING:
    from typing import Self  # beartype, which the tests use, does not know it here

HOWS = ("concat", "sum", "mean", "scalar")
Layer = TypeVar("Layer")


class LayerMix(nn.Module):
    """Any model with its layers mixed; gives a `ModelOutput`, so every head works on it.

    layers: which of ``hidden_states`` (0 is the embeddings, -1 the last layer). how: "concat" one
    after the other, "sum", "mean", or "scalar", a `minibert.models.elmo.ScalarMix` that is learned.
    With ``freeze`` (the default) the model below is not trained and its dropout is off: the
    feature-based approach (Devlin et al. 2019, section 5.3 and table 7).
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Iterable[int] = (-4, -3, -2, -1),
        how: str = "concat",
        freeze: bool = True,
    ) -> None:
        super().__init__()
        if how not in HOWS:
            raise ValueError(f"how must be {' or '.join(map(repr, HOWS))}, got {how!r}")
        self.model, self.layers, self.how, self.freeze = model, tuple(map(int, layers)), how, freeze
        self.mix = ScalarMix(len(self.layers)) if how == "scalar" else None
        if freeze:
            model.requires_grad_(False)
        self.tokenizer = getattr(model, "tokenizer", None)
        self.settings = {"layers": list(self.layers), "how": how, "freeze": freeze}

    @property
    def width(self) -> int:
        """Of the mix."""
        widths = self._chosen(widths_of(self.model))
        return sum(widths) if self.how == "concat" else widths[0]

    def _chosen(self, states: Sequence[Layer]) -> list[Layer]:
        try:
            return [states[layer] for layer in self.layers]
        except IndexError:
            raise ValueError(
                f"expected layers from {-len(states)} to {len(states) - 1}, got {self.layers}"
            ) from None

    def train(self, mode: bool = True) -> "Self":
        super().train(mode)
        if self.freeze:
            self.model.eval()
        return self

    def forward(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> ModelOutput:
        """The only layer of the output is the mix."""
        more = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze):
            states = self.model(input_ids, attention_mask=attention_mask, **more).hidden_states
        chosen = self._chosen(states)  # each (batch, length, dim)
        if self.how == "concat":
            mixed = torch.cat(chosen, -1)
        elif self.mix is not None:
            mixed = self.mix(chosen)
        else:
            mixed = torch.stack(chosen).sum(0) / (len(chosen) if self.how == "mean" else 1)
        return ModelOutput(mixed, (mixed,))
