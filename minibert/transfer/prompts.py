"""Soft prompts: vectors in front of a text, which learn while the model rests.

Lester et al. (2021), "The Power of Scale for Parameter-Efficient Prompt Tuning", arXiv:2104.08691.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.heads.head import base_of
from minibert.models.outputs import ModelOutput
from minibert.models.transformer.attention import Past
from minibert.models.transformer.model import Stack
from minibert.transfer.places import Replacement, blocks_of


class Prompted(nn.Module):
    """A stack of blocks that reads ``vectors`` (n, dim) in front of what it is given.

    They stand behind the embeddings: no position of the text moves, and no state of theirs is
    given back. Attention that is given back has neither their rows nor their columns, so its rows
    add up to what the text got.
    """

    def __init__(self, stack: Stack, vectors: Float[Tensor, "n dim"], causal: bool) -> None:
        super().__init__()
        self.stack, self.causal = stack, causal
        self.vectors = nn.Parameter(vectors.clone())
        self.blocks, self.norm = stack.blocks, stack.norm

    def layer_groups(self) -> list[list[nn.Module]]:
        return [[nn.ParameterList([self.vectors])], *self.stack.layer_groups()]

    def forward(
        self,
        x: Float[Tensor, "batch length dim"],
        mask: Tensor | None = None,
        *,
        past: list[Past] | None = None,
        places: Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[ModelOutput, list[Past]]:
        n, told = len(self.vectors), {"output_attentions": output_attentions}
        front = self.vectors.expand(len(x), -1, -1)  # (batch, n, dim)
        if self.causal:  # they see nothing of the text, so they are read first
            seen = torch.ones(n, n, dtype=torch.bool, device=x.device).tril()
            _, before = self.stack(front, seen)
            if past is not None:
                pairs = zip(before, past, strict=True)
                before = [(torch.cat((a, c), 2), torch.cat((b, d), 2)) for (a, b), (c, d) in pairs]
            mask = None if mask is None else F.pad(mask, (n, 0), value=True)
            places = None if places is None else places + n
            out, carried = self.stack(x, mask, past=before, places=places, **told)
            after = [(keys[:, :, n:], values[:, :, n:]) for keys, values in carried]
            return _without(out, 0, n), after
        mask = None if mask is None else F.pad(mask, (n, 0), value=True)
        out, carried = self.stack(torch.cat((front, x), 1), mask, **told)
        return _without(out, n, n), carried


def _without(out: ModelOutput, rows: int, keys: int) -> ModelOutput:
    """The output without the prompt's places."""
    hidden = tuple(h[:, rows:] for h in out.hidden_states or ())
    looks = out.attentions and tuple(a[:, :, rows:, keys:] for a in out.attentions)
    return ModelOutput(hidden[-1], hidden, looks)


def put(model: nn.Module, *, length: int = 20) -> list[Replacement]:
    """Put ``length`` vectors in front of every text; they start as vectors of random tokens.

    Raises ValueError for a length below 1.
    """
    if length < 1:
        raise ValueError(f"expected a length of at least 1, got {length}")
    blocks_of(model)
    base: Any = base_of(model)
    table = base.embeddings.word.weight.detach()
    drawn = torch.randint(len(table), (length,), device=table.device)
    causal = getattr(base, "causal", False)
    return [Replacement(base, "stack", Prompted(base.stack, table[drawn], causal))]
