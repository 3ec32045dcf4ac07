"""What all heads share: an encoder below, its hidden states at chosen positions, files, texts."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from minibert.heads.labels import CLASSES, Labels
from minibert.heads.predictions import Predictions, batches_of, run
from minibert.heads.reading import one_or_two, reader_of, widths_of
from minibert.models.softmax import check_scores
from minibert.text.inputs import check_wanted, whole_mask


class Head(nn.Module):
    """Base of the heads: ``encoder`` is any model that gives a `ModelOutput`, such as `BERT`.

    A batch is a dict with ``input_ids``, ``attention_mask`` and, for an encoder that takes them,
    ``token_type_ids``, all (batch, length). ``per_token``: whether the output has one state
    per token, or a tuple of bools for an output that is a tuple.

    ``settings``: the other arguments of the constructor by name, as JSON can hold them; with them
    and the encoder the head is made again. With ``labels`` (and ``problem``) among them,
    ``outcome`` is the `Labels` that they describe, and ``labels`` their number.
    """

    per_token, words_only = False, False
    outcome = None

    def __init__(self, encoder, **settings):
        super().__init__()
        if not isinstance(encoder, nn.Module) or (
            hasattr(encoder, "mixes") and not self.words_only
        ):
            raise ValueError(
                f"a {type(self).__name__} stands on a model that gives a ModelOutput, such as "
                f"mb.BERT, got a {type(encoder).__name__}"
            )
        self.encoder = encoder
        if "labels" in settings:
            self.outcome = Labels(settings["labels"], settings.get("problem", CLASSES))
            self.labels, settings["labels"] = self.outcome.count, self.outcome.given
        self.settings = {n: list(v) if _listed(v) else v for n, v in settings.items()}
        taken = inspect.signature(encoder.forward).parameters
        self.taken = [name for name in ("attention_mask", "token_type_ids") if name in taken]

    @classmethod
    def from_pretrained(cls, source):
        """Read encoder and head: a folder that `save_pretrained` wrote, or a published one.

        source: a folder, a bundled name or a hub id; see `minibert.heads.files.load`. In eval mode.
        Raises FileNotFoundError, and ValueError for a folder that holds another head.
        """
        from minibert.heads import files

        return files.load(source, cls)

    def save_pretrained(self, folder):
        """Write encoder and head as a folder that `from_pretrained` reads.

        What Hugging Face's transformers has stands there in its layout, see
        `minibert.heads.files.save`. Raises ValueError for what cannot be written.
        """
        from minibert.heads import files

        files.save(self, folder)

    def examples(
        self,
        texts: Sequence,
        labels: Sequence | None = None,
        max_length: int | None = None,
    ) -> list[dict]:
        """Texts as the examples that this head learns from and predicts for; see `batches`.

        texts: strings, or pairs (text, other). labels: one for each text, a name or a number. What
        is longer than ``max_length`` tokens, or than the encoder can read, loses its end, and a
        warning says so. Raises ValueError, for an encoder without a tokenizer too.
        """
        texts, reader = list(texts), reader_of(self.encoder, max_length)
        found = [self.example(reader, one) for one in texts]
        reader.warn(len(found))
        if labels is None:
            return found
        if len(labels) != len(found):
            raise ValueError(f"expected a label for each of {len(found)} texts, got {len(labels)}")
        return [self.labelled(*row) for row in zip(found, labels, texts, strict=True)]

    def example(self, reader, text):
        """The example of one of the ``texts``."""
        return reader.text(*one_or_two(text))

    def labelled(self, example, label, text):
        """The example of ``text`` with its label."""
        if self.outcome is None:
            raise ValueError(f"the labels of a {type(self).__name__} are made with its batches")
        return {**example, "labels": self.outcome.number(label)}

    def batches(self, examples, batch_size=32, **options):
        """Batches of `examples`, padded as the encoder wants it; options: of `PaddedBatches`."""
        return batches_of(self, examples, batch_size, **options)

    def predict(self, texts: Sequence, batch_size: int = 32) -> Predictions:
        """What the head says of texts that it may never have seen, in their order.

        texts: as for `examples`; a single string is one text. The head is left as it was. Raises
        FloatingPointError where its scores are not finite.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)

        def keep(example, output):
            for part in output if isinstance(output, tuple) else (output,):
                check_scores(part)
            return self.decided(example, output)

        said = run(self, self.examples(texts), batch_size, keep=keep)
        labels, probabilities = [one for one, _ in said], [p for _, p in said]
        if probabilities and probabilities[0] is None:
            probabilities = None
        elif self.per_token is False:
            none = torch.zeros(0, len(self.columns))
            probabilities = torch.stack(probabilities) if said else none
        return Predictions(texts, labels, probabilities, self.columns)

    def decided(self, example: dict, output: Any) -> tuple:
        """(label, probabilities) of one example from the output for it."""
        return self.outcome.decided(output)

    @property
    def columns(self):
        """What the columns of the probabilities stand for."""
        return self.outcome.names or range(self.outcome.count)

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
    width, config = getattr(encoder, "width", None), getattr(encoder, "config", None)
    return width or (config.dim if hasattr(config, "heads") else widths_of(encoder)[-1])


def first_places(mask):
    """True at each row's first token: bool (batch, length)."""
    places = torch.arange(mask.shape[1], device=mask.device)
    return places == mask.argmax(1, keepdim=True)


def last_places(mask):
    """True at each row's last token: bool (batch, length)."""
    places = torch.arange(mask.shape[1], device=mask.device)
    return places == (places * mask).argmax(1, keepdim=True)


def new_linear(width, outputs, encoder, bias=True):
    """A linear layer that starts as the encoder's own do: normal, ``init_std`` or 0.02."""
    layer = nn.Linear(width, outputs, bias=bias)
    std = getattr(getattr(encoder, "config", None), "init_std", None) or 0.02
    nn.init.normal_(layer.weight, std=std)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def _listed(value):
    return isinstance(value, tuple | range)
