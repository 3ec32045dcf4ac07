"""What all heads share: an encoder below, its hidden states where they are wanted, files."""

import inspect

import torch
from torch import nn

from minibert.heads.pooling import _width


class Head(nn.Module):
    """Base of the heads: ``encoder`` is any model that gives a `ModelOutput`, such as `BERT`.

    A batch is a dict with ``input_ids``, ``attention_mask`` and, for an encoder that takes them,
    ``token_type_ids``, all (batch, length).
    """

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        taken = inspect.signature(encoder.forward).parameters
        self.taken = [name for name in ("attention_mask", "token_type_ids") if name in taken]

    @classmethod
    def from_pretrained(cls, source):
        """Read encoder and head from a folder in Hugging Face's layout, or a bundled name.

        See `minibert.weights.bert.load_head`. Raises FileNotFoundError or ValueError.
        """
        from minibert.weights import bert

        return bert.load_head(cls, source)

    def save_pretrained(self, folder):
        """Write encoder and head, a folder that `from_pretrained` reads, and Hugging Face's too."""
        from minibert.weights import bert

        bert.save(self, folder)

    def read(self, input_ids, attention_mask=None, token_type_ids=None):
        """The encoder's `ModelOutput`."""
        given = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
        return self.encoder(input_ids, **{name: given[name] for name in self.taken})

    def states_at(self, batch, wanted):
        """The last hidden states where ``wanted`` (batch, length) is True: (n, width), in order.

        An encoder that can spare itself the others has a method ``states_at``.
        """
        given = {name: batch.get(name) for name in self.taken}
        if hasattr(self.encoder, "states_at"):
            return self.encoder.states_at(batch["input_ids"], **given, wanted=wanted)
        return self.encoder(batch["input_ids"], **given).last_hidden_state[wanted]

    def pool(self, first):
        """The encoder's pooler, if it has one, on the first states: (batch, width)."""
        pooler = getattr(self.encoder, "pooler", None)
        return first if pooler is None else pooler(first)


def width_of(encoder):
    """The width of an encoder's last hidden state."""
    config = getattr(encoder, "config", None)
    return config.dim if hasattr(config, "heads") else _width(encoder)


def first_places(input_ids):
    """True in the first column: bool (batch, length)."""
    wanted = torch.zeros_like(input_ids, dtype=torch.bool)
    wanted[:, 0] = True
    return wanted


def new_linear(width, outputs, encoder):
    """A linear layer that starts as the encoder's own do: normal, ``init_std`` or 0.02."""
    layer = nn.Linear(width, outputs)
    nn.init.normal_(layer.weight, std=getattr(getattr(encoder, "config", None), "init_std", 0.02))
    nn.init.zeros_(layer.bias)
    return layer
