"""What all heads share: an encoder below, its hidden states at chosen positions, files."""

import inspect

import torch
from torch import nn

from minibert.heads.pooling import _width
from minibert.text.batches import PaddedBatches
from minibert.text.inputs import check_wanted, whole_mask


class Head(nn.Module):
    """Base of the heads: ``encoder`` is any model that gives a `ModelOutput`, such as `BERT`.

    A batch is a dict with ``input_ids``, ``attention_mask`` and, for an encoder that takes them,
    ``token_type_ids``, all (batch, length). ``per_token``: whether the output has one state
    per token, or a tuple of bools for an output that is a tuple.
    """

    per_token = False

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        taken = inspect.signature(encoder.forward).parameters
        self.taken = [name for name in ("attention_mask", "token_type_ids") if name in taken]

    @classmethod
    def from_pretrained(cls, source):
        """Read encoder and head: a folder in Hugging Face's layout, a bundled name, a hub id.

        See `minibert.models.bert.files.load_head`. Raises FileNotFoundError or ValueError.
        """
        from minibert.models.bert import files as bert

        return bert.load_head(cls, source)

    def save_pretrained(self, folder):
        """Write encoder and head, a folder that `from_pretrained` reads, and Hugging Face's too."""
        from minibert.models.bert import files as bert

        bert.save(self, folder)

    def read(self, input_ids, attention_mask=None, token_type_ids=None):
        """The encoder's `ModelOutput`."""
        given = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
        return self.encoder(input_ids, **{name: given[name] for name in self.taken})

    def last_states(self, input_ids, attention_mask=None, token_type_ids=None):
        """The last hidden states (batch, length, width); those of padding mean nothing."""
        given = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
        if attention_mask is None or not hasattr(self.encoder, "states_at"):
            return self.read(input_ids, **given).last_hidden_state
        real = whole_mask(input_ids, attention_mask).bool()
        states = self.states_at({"input_ids": input_ids, **given}, real)  # (tokens, width)
        return states.new_zeros(*real.shape, states.shape[-1]).masked_scatter(
            real[..., None], states
        )

    def states_at(self, batch, wanted):
        """The last hidden states where ``wanted`` (batch, length) is True: (n, width), in order.

        An encoder that can skip the other positions has a method ``states_at``.
        """
        given = {name: batch.get(name) for name in self.taken}
        check_wanted(wanted, batch.get("attention_mask"))
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


def first_places(mask):
    """True at each row's first token: bool (batch, length)."""
    places = torch.arange(mask.shape[1], device=mask.device)
    return places == mask.argmax(1, keepdim=True)


def last_places(mask):
    """True at each row's last token: bool (batch, length)."""
    places = torch.arange(mask.shape[1], device=mask.device)
    return places == (places * mask).argmax(1, keepdim=True)


def new_linear(width, outputs, encoder):
    """A linear layer that starts as the encoder's own do: normal, ``init_std`` or 0.02."""
    layer = nn.Linear(width, outputs)
    std = getattr(getattr(encoder, "config", None), "init_std", None) or 0.02
    nn.init.normal_(layer.weight, std=std)
    nn.init.zeros_(layer.bias)
    return layer


@torch.no_grad()
def run(model, examples, batch_size=32):
    """A head's output for each example, in order; batches are sorted by length.

    examples: dicts with ``input_ids`` and, for pairs, ``token_type_ids``; other names are left
    out. Returns a list: one tensor per example, (labels,) or (length, ...), without padding; or a
    tuple of such tensors where the head gives several.
    """
    if isinstance(examples, dict | str) or not all(isinstance(one, dict) for one in examples):
        raise ValueError("expected a list of examples, each a dict with input_ids")
    training, device = model.training, next(model.parameters()).device
    tokenizer = getattr(model.encoder, "tokenizer", None)
    names = [n for n in ("input_ids", "token_type_ids") if n in examples[0]] if examples else []
    given = [{name: example[name] for name in names} for example in examples]
    found = [None] * len(examples)
    model.eval()
    if given:
        pad_id = 0 if tokenizer is None else tokenizer.pad_id
        batches = PaddedBatches(given, batch_size, pad_id, shuffle=False)
        for rows, batch in zip(batches.plan(0), batches, strict=True):
            out = model(**{name: tensor.to(device) for name, tensor in batch.items()})
            for place, row in enumerate(rows):
                length = len(given[row]["input_ids"])
                found[row] = _one(out, place, length, model.per_token)
    model.train(training)
    return found


def _one(out, place, length, per_token):
    """One example of a batch's output, without padding."""
    if isinstance(out, tuple):
        kinds = per_token if isinstance(per_token, tuple) else (per_token,) * len(out)
        return tuple(_one(part, place, length, k) for part, k in zip(out, kinds, strict=True))
    return (out[place, :length] if per_token else out[place]).cpu()
