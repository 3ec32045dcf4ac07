"""What all heads share: an encoder below, its hidden states at chosen positions, files, texts."""

import inspect
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.heads.labels import CLASSES, Labels
from minibert.heads.predictions import Predictions, check_examples, run
from minibert.heads.reading import Reader, innermost, listed, reader_of, texts_of, widths_of
from minibert.models.base import Kind, Marks, Real, Where
from minibert.models.outputs import Loss
from minibert.text.batches import Batch, PaddedBatches
from minibert.text.framing import Example, FramedBatches
from minibert.text.inputs import check_wanted, whole_mask

if TYPE_CHECKING:
    from typing import Self  # beartype, which the tests use, does not know it here

TEXT = ("input_ids", "attention_mask", "token_type_ids")
Ids = Int[Tensor, "batch length *letters"]  # an ELMo may read the letters of each word
Rows = Int[Tensor, "batch length"]
States = Float[Tensor, "batch length width"]
Some = Float[Tensor, "n width"]  # the states of chosen positions, row by row
Pooled = Float[Tensor, "batch width"]
Scores = Float[Tensor, "batch *labels"]  # logits (batch, labels), or (batch,) of single numbers
WordScores = Float[Tensor, "batch length labels"]


class Saved(nn.Module):
    """What is written into a folder of its own, see `minibert.heads.files`."""

    @classmethod
    def from_pretrained(
        cls, source: str | Path, base: str | Path | nn.Module | None = None
    ) -> "Self":
        """Read it, in eval mode: a folder, a bundled name or a hub id of what is published.

        base: the model below, or its name or folder, for a folder by `minibert.transfer.save_added`
        (without it, the name that the folder gives). Raises FileNotFoundError, and ValueError for a
        folder that holds another head, and for another base than the head was learned on.
        """
        from minibert.heads import files

        return cast("Self", files.load(source, cls, base))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write what `from_pretrained` reads; ValueError for what no folder can hold."""
        from minibert.heads import files

        files.save(self, folder)


class Head(Saved):
    """Base of the heads: ``encoder`` is any model that gives a `ModelOutput`, such as `BERT`.

    A batch is a dict with ``input_ids``, ``attention_mask`` and, for an encoder that takes them,
    ``token_type_ids``, all (batch, length). ``per_token``: whether the output has one state per
    token, or a bool for each where the output is a tuple. ``sequences``: of an example, if several.

    ``settings``: the other arguments of the constructor by name, as JSON can hold them. In every
    head ``labels`` and ``problem`` are those of `Labels`; they make ``outcome``, and then
    ``labels`` is their number.
    """

    per_token: bool | tuple[bool, ...] = False
    words_only = False
    sequences: int | None = None
    outcome: Labels
    labels: int
    encoder: Any  # each kind of model has more of its own
    output: Any  # the new layer, and what stands before it
    dropout: Any

    def __init__(self, encoder: nn.Module, **settings: Any) -> None:
        super().__init__()
        on_words = hasattr(encoder, "mixes")
        if not isinstance(encoder, nn.Module) or on_words and not self.words_only:
            raise ValueError(
                f"a {type(self).__name__} stands on a model that gives a ModelOutput, such as "
                f"mb.BERT, got a {type(encoder).__name__}"
            )
        self.encoder = encoder
        if "labels" in settings:
            self.outcome = Labels(settings["labels"], settings.get("problem", CLASSES))
            self.labels, settings["labels"] = self.outcome.count, self.outcome.given
        self.settings = {name: plain(value) for name, value in settings.items()}
        taken = inspect.signature(encoder.forward).parameters
        self.taken = [name for name in ("attention_mask", "token_type_ids") if name in taken]

    def examples(
        self, texts: Iterable, labels: Collection | None = None, max_length: int | None = None
    ) -> list[Example]:
        """Texts as the examples that this head learns from and predicts for; see `batches`.

        texts: strings, or pairs (text, other). labels: for each text, a name or a number. What is
        longer than ``max_length`` tokens, or than the encoder can read, loses its end with a
        warning. Raises ValueError, for an encoder without a tokenizer too.
        """
        texts, reader = listed(texts), reader_of(self.encoder, max_length)
        found = [self.example(reader, one) for one in texts]
        for given, example in zip(texts, found, strict=True):
            if not len(example["input_ids"]):
                raise ValueError(f"expected a text of at least one token, got {given!r:.80}")
        reader.warn(len(found))
        if labels is None:
            return found
        if len(labels) != len(found):
            raise ValueError(f"expected a label for each of {len(found)} texts, got {len(labels)}")
        return [self.labelled(*row) for row in zip(found, labels, texts, strict=True)]

    def example(self, reader: Reader, text: Any) -> Example:
        """The example of one of the ``texts``."""
        return reader.text(*texts_of(text))

    def labelled(self, example: Example, label: Any, text: Any) -> Example:
        """The example of ``text`` with its label."""
        if not hasattr(self, "outcome"):
            raise ValueError(f"the labels of a {type(self).__name__} are made with its batches")
        return {**example, "labels": self.outcome.number(label)}

    def batches(
        self, examples: Sequence[Example], batch_size: int = 32, **options: Any
    ) -> PaddedBatches:
        """`PaddedBatches` of `examples`, or `FramedBatches` where each has several sequences."""
        check_examples(examples)
        encoder = innermost(self.encoder)
        words = getattr(encoder, "tokenizer", None) or getattr(encoder, "vocab", None)
        kind = PaddedBatches if self.sequences is None else FramedBatches
        return kind(examples, batch_size, pad_id=getattr(words, "pad_id", None) or 0, **options)

    def predict(self, texts: Iterable, batch_size: int = 32) -> Predictions:
        """What the head says of texts that it may never have seen, in their order.

        texts: as for `examples`; a single string is one text. The head is left as it was. Raises
        FloatingPointError where its scores are not finite.
        """
        texts = listed(texts)
        said = run(self, self.examples(texts), batch_size, keep=self.decided)
        labels, shares = [one for one, _ in said], [shares for _, shares in said]
        if shares and shares[0] is None:
            return Predictions(texts, labels, None, self.columns)
        whole = torch.stack(shares) if shares and shares[0].ndim == 1 else shares
        return Predictions(texts, labels, whole, self.columns)

    def decided(self, example: Example, output: Any) -> tuple[Any, Tensor | None]:
        """(label, probabilities) of one example from the output for it."""
        return self.outcome.decided(output)

    @property
    def columns(self) -> Sequence:
        """What the columns of the probabilities stand for."""
        return self.outcome.names or range(self.outcome.count)

    def output_of(self, batch: Batch) -> Any:
        """What ``forward`` gives for a batch."""
        names = inspect.signature(self.forward).parameters
        return self(**{name: batch[name] for name in batch if name in names})

    def loss(self, batch: Batch) -> Loss:
        """(sum of losses, their number), see `Labels.loss`; ``labels`` (batch,) or (batch, n)."""
        return self.outcome.loss(self.output_of(batch), batch)

    def read(
        self,
        input_ids: Ids,
        attention_mask: Real = None,
        token_type_ids: Kind = None,
        wanted: Where | None = None,
    ) -> Float[Tensor, "*places width"]:
        """The encoder's last hidden states (batch, length, width), or those that are wanted."""
        given = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
        given = {name: given[name] for name in self.taken}
        if wanted is None:
            return self.encoder(input_ids, **given).last_hidden_state
        check_wanted(wanted, attention_mask)
        if hasattr(self.encoder, "states_at"):  # it skips the other positions
            return self.encoder.states_at(input_ids, **given, wanted=wanted)
        return self.encoder(input_ids, **given).last_hidden_state[wanted]

    def states_at(self, batch: Batch, wanted: Where) -> Some:
        """The last hidden states of a batch where ``wanted`` is True, in order."""
        text: Batch = {name: batch.get(name) for name in TEXT}
        return self.read(**text, wanted=wanted)

    def last_states(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> States:
        """All of them, but those of padding mean nothing: an encoder that can skips it."""
        text = input_ids, attention_mask, token_type_ids
        if attention_mask is None or not hasattr(self.encoder, "states_at"):
            return self.read(*text)
        real = whole_mask(input_ids, attention_mask).bool()
        states = self.read(*text, real)  # (n, width)
        hidden = states.new_zeros(*real.shape, states.shape[-1])
        return hidden.masked_scatter(real[..., None], states)

    def pool(self, first: Some) -> Some:
        """The encoder's pooler, if it has one, on states of first tokens."""
        pooler = getattr(self.encoder, "pooler", None)
        return first if pooler is None else pooler(first)

    def judge(self, states: Some) -> Scores:
        """Dropout and the new layer on the states that are classified."""
        return self.outcome.scores(self.output(self.dropout(states)))


def base_of(model: Any) -> Any:
    """The model that reads tokens: what a head or a `LayerMix` stands on, or itself."""
    while isinstance(model, Head):
        model = model.encoder
    return innermost(model)


def width_of(encoder: Any) -> int:
    """The width of an encoder's last hidden state."""
    config: Any = getattr(encoder, "config", None)
    given = config.dim if hasattr(config, "heads") else None
    return getattr(encoder, "width", None) or given or widths_of(encoder)[-1]


def first_places(mask: Marks) -> Where:
    """True at each row's first token."""
    return F.one_hot(mask.argmax(1), mask.shape[1]).bool()


def last_places(mask: Marks) -> Where:
    """True at each row's last token."""
    return first_places(mask.flip(1)).flip(1)


def new_linear(width: int, outputs: int, encoder: nn.Module, bias: bool = True) -> nn.Linear:
    """A linear layer that starts as the encoder's own do: normal, ``init_std`` or 0.02."""
    layer = nn.Linear(width, outputs, bias=bias)
    std = getattr(getattr(encoder, "config", None), "init_std", None) or 0.02
    nn.init.normal_(layer.weight, std=std)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def plain(value: Any) -> Any:
    """A setting as JSON has it: a list for a tuple or a range, a number for one of numpy."""
    if isinstance(value, tuple | range):
        return [plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value
