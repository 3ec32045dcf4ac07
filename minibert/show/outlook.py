"""What a model says at the end of a pass: words, labels, or how like another text is.

Each kind gives scores, (rows, candidates): natural logarithms of probabilities, one row for each
place at which it says something. `minibert.show.passes` asks for them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from minibert.heads.causal import CausalLM
from minibert.heads.head import Head
from minibert.heads.labels import CLASSES
from minibert.heads.language import MaskedLM
from minibert.heads.parser import Parser
from minibert.heads.predictions import run
from minibert.heads.reading import Reader, reader_of
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.elmo.model import ELMo
from minibert.models.gpt.model import GPT
from minibert.models.word2vec.model import Word2Vec
from minibert.probe.places import model_of
from minibert.text.framing import Example

States = Sequence[Float[Tensor, "length _"]]
Scores = Float[Tensor, "rows candidates"]
SHARES = "probability"
WHERE = {"next": "after {}", "before": "before {}", "masked": "in place of {}"}


class Outlook:
    """What is said at the end of a text, and where.

    ``names``: of the candidates; ``what``: in words, with ``{}`` for the token it is said at;
    ``unit``: of what bars show.
    """

    what, unit = "", SHARES
    names: Sequence[str] = ()

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def example(self, text: str) -> Example:
        """What the model reads."""
        return self.reader.text(text)

    def places(self, example: Example) -> list[int]:
        """The tokens at which something is said, the usual one first; none for the whole text."""
        return []

    def scores(self, states: States, example: Example) -> Scores:
        """From the states of every layer, one row for each of the places (or one row)."""
        raise NotImplementedError


class Words(Outlook):
    """A language model: a word at each token, from the last state there.

    backward: it is the word before, not the one after. masked: only at ``[MASK]``.
    """

    def __init__(self, reader: Reader, softmax: Any, names: Sequence[str], kind: str) -> None:
        super().__init__(reader)
        self.softmax, self.names, self.kind = softmax, names, kind
        self.what = f"Predicted {WHERE[kind]}"

    def example(self, text: str) -> Example:
        if self.kind != "masked":  # as a language model reads it, without the frame of a task
            (before, after), ids = self.reader.ends, self.reader.ids(text)
            return {"input_ids": self.reader.finished([*before, *ids, *after])}
        example = self.reader.text(self.reader.tokenizer.encode(text, specials=True))
        if self.reader.tokenizer.mask_id not in example["input_ids"]:
            raise ValueError("Write [MASK] for the word that is to be predicted.")
        return example

    def places(self, example: Example) -> list[int]:
        ids = example["input_ids"]
        if self.kind == "masked":
            return [i for i, one in enumerate(ids) if one == self.reader.tokenizer.mask_id]
        return list(range(len(ids)))[:: -1 if self.kind == "next" else 1]

    def scores(self, states: States, example: Example) -> Scores:
        logits = self.softmax(states[-1][self.places(example)])[:, : len(self.names)]
        return logits.float().log_softmax(-1).cpu()


class Classes(Outlook):
    """A head with labels, for the text or for each of its words."""

    def __init__(self, reader: Reader, head: Any) -> None:
        super().__init__(reader)
        self.head, self.names = head, [str(name) for name in head.columns]
        self.each = bool(head.per_token)
        self.what = "Label of {}" if self.each else "Label of the text"

    def example(self, text: str) -> Example:
        return self.head.example(self.reader, text)

    def places(self, example: Example) -> list[int]:
        return list(example["words"]) if self.each else []

    def scores(self, states: States, example: Example) -> Scores:
        ((_, shares),) = run(self.head, [example], keep=self.head.decided)
        shares = shares[None] if shares.ndim == 1 else shares  # (rows, labels)
        return shares.float().clamp(min=1e-30).log().cpu()


class Likeness(Outlook):
    """No head: cosines of the text's vector, the mean of its last states, with those of texts.

    ``others``: the vectors of the text without changes and, if there is one, of the other text,
    which `minibert.show.passes` sets before it asks for scores.
    """

    what, unit = "How like others the text's vector is", "cosine"
    names = ("itself, unchanged", "the other text")

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.others: list[Float[Tensor, " width"]] = []

    def scores(self, states: States, example: Example) -> Scores:
        own = states[-1].mean(0)  # (width,)
        return torch.stack([F.cosine_similarity(own, one, dim=0) for one in self.others])[
            None
        ].cpu()


def outlook_of(model: Any, head: Any = None, tokenizer: Any = None) -> Outlook:
    """What ``model``, or a head on it, says; ValueError for what says nothing that can be shown."""
    inner = model_of(model)
    if isinstance(inner, Word2Vec):
        raise ValueError(
            "a Word2Vec has one vector for each word and no layers to look into: "
            "see mb.show.VectorExplorer"
        )
    head = model if head is None and isinstance(model, Head) else head
    if head is not None and (not isinstance(head, Head) or model_of(head) is not inner):
        raise ValueError(f"expected a head that stands on this model, got a {type(head).__name__}")
    with lent(inner, tokenizer):
        reader = reader_of(inner)
        if isinstance(head, MaskedLM):
            return Words(reader, head.output, reader.tokenizer.tokens, "masked")
        if isinstance(head, CausalLM) and head.output is not None:
            return Words(reader, head.output, reader.tokenizer.tokens, "next")
        if head is not None and not isinstance(head, CausalLM):
            _check(head)
            return Classes(reader, head)
        return _of_model(inner, reader)


def _of_model(inner: Any, reader: Reader) -> Outlook:
    if isinstance(inner, GPT):
        decode = reader.tokenizer.decode
        names = [shown(decode([i])) for i in range(len(reader.tokenizer))]
        return Words(reader, inner.logits, names, "next")
    if isinstance(inner, AWDLSTM):
        kind = "before" if inner.backward_reader else "next"
        return Words(reader, inner.decoder, reader.tokenizer.tokens, kind)
    if isinstance(inner, ELMo) and inner.output is not None and inner.vocab is not None:
        output, half = inner.output, inner.config.projection
        return Words(reader, lambda h: output(h[:, :half]), inner.vocab.tokens, "next")
    return Likeness(reader)


def _check(head):
    """Refuse heads that do not choose one label."""
    problem = getattr(getattr(head, "outcome", None), "problem", None)
    if problem != CLASSES or head.sequences is not None or isinstance(head, Parser):
        kind = type(head).__name__
        raise ValueError(f"expected a head that gives a label to a text or its words, got a {kind}")


@contextmanager
def lent(model: Any, tokenizer: Any) -> Iterator[None]:
    """Within it, the model has this tokenizer (or vocabulary), if one is given."""
    name = "tokenizer" if hasattr(model, "tokenizer") else "vocab"
    before = getattr(model, name, None)
    if tokenizer is not None:
        setattr(model, name, tokenizer)
    try:
        yield
    finally:
        if tokenizer is not None:
            setattr(model, name, before)


def shown(piece: str) -> str:
    """A piece of text with its spaces and line breaks to be seen."""
    return piece.replace(" ", "␣").replace("\n", "⏎") or "∅"
