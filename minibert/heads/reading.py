"""Texts of a task as the examples that an encoder reads: its tokens, and what frames a text.

A `WordPiece` model reads ``[CLS] a [SEP]`` and ``[CLS] a [SEP] b [SEP]``. A GPT that
`minibert.heads.framed` made reads what `minibert.text.Framing` writes, another one the text alone.
An AWD-LSTM reads its start token before each text (after it, if it reads backward), an ELMo and a
table of word vectors the words alone.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.gpt.model import GPT
from minibert.text.characters import BOS, EOS, spell_all
from minibert.text.framing import SPECIALS, Example, Framing
from minibert.text.tokens import TextOrIds, tokenise


def innermost(encoder: Any) -> Any:
    """The model that reads tokens: what a `LayerMix` or a `Live` stands on, or the encoder."""
    while hasattr(encoder, "model"):
        encoder = encoder.model
    return encoder


@torch.no_grad()
def widths_of(encoder: nn.Module) -> list[int]:
    """The width of each of an encoder's hidden states, seen in what it gives for one token."""
    training, device = encoder.training, next(encoder.parameters()).device
    config: Any = getattr(innermost(encoder), "config", None)
    symbols = [config.max_characters] if getattr(config, "input", None) == "characters" else []
    encoder.eval()
    with torch.device(device):  # also where other modules are made on torch's meta device
        one, mask = (torch.ones(1, 1, *more, dtype=torch.long) for more in (symbols, []))
        out = encoder(one, attention_mask=mask)
    encoder.train(training)
    return [states.shape[-1] for states in out.hidden_states or [out.last_hidden_state]]


def reader_of(encoder: nn.Module, max_length: int | None = None) -> "Reader":
    """The `Reader` of an encoder; ``max_length``: tokens of an example, if fewer than it can read.

    Raises ValueError for an encoder without a tokenizer or a vocabulary.
    """
    model = innermost(encoder)
    tokenizer, vocab = (getattr(model, name, None) for name in ("tokenizer", "vocab"))
    config: Any = getattr(model, "config", None)
    longest = [n for n in (max_length, getattr(config, "max_length", None)) if n is not None]
    most = min(longest, default=None)
    if getattr(config, "input", None) == "characters":
        return Spelled(config.max_characters, most)
    if vocab is not None:
        return Words(model, most)
    if tokenizer is None:
        raise ValueError(
            f"expected an encoder that can read texts: this {type(model).__name__} has neither a "
            "tokenizer nor a vocabulary; give it the one that its ids come from"
        )
    return Pieces(tokenizer, most) if hasattr(tokenizer, "cls_id") else Framed(model, most)


def listed(texts: Any) -> list:
    """Several texts as a list; a string alone is one of them. ValueError for what is no list."""
    if isinstance(texts, str):
        return [texts]
    table = hasattr(texts, "columns")  # of pandas: its elements are the names of its columns
    if table or isinstance(texts, dict | set | bytes) or not hasattr(texts, "__iter__"):
        more = ": give one column of it" if table else ""
        raise ValueError(f"expected a list of texts, got a {type(texts).__name__}{more}")
    return list(texts)


def texts_of(given: Any, least: int = 1) -> tuple[str, ...]:
    """(text,) of a text, (text, other) of a pair; ValueError for fewer than ``least``, or else."""
    texts = (given,) if isinstance(given, str) else given
    if isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts):
        if least <= len(texts) <= 2:
            return tuple(texts)
    expected = "a text, or a pair (text, other)" if least == 1 else "a pair (text, other)"
    raise ValueError(f"expected {expected}, got {given!r:.80}")


def as_words(given: Any) -> list[str]:
    """The words of a text, or a list of words as it is; ValueError for anything else."""
    if isinstance(given, str):
        return tokenise(given)
    if isinstance(given, list | tuple) and all(isinstance(word, str) for word in given):
        return list(given)
    raise ValueError(f"expected a text, or a list of its words, got {given!r:.80}")


class Reader:
    """Makes examples; ``cut`` counts those that lost tokens to ``max_length``.

    A kind of reader says how a text (``ids``) and a word (``word``) become tokens. ``ends``: what
    stands before and after a text; ``between``: between two, or None.
    """

    ends: tuple[list, list] = ([], [])
    between: list | None = None

    def __init__(self, tokenizer: Any, max_length: int | None = None) -> None:
        self.tokenizer, self.max_length, self.cut = tokenizer, max_length, 0
        if max_length is not None and max_length < 1:
            raise ValueError(f"max_length must be at least 1, got {max_length}")

    def ids(self, text: TextOrIds) -> list:
        """The tokens of a text, or of a list that holds them."""
        return self.tokenizer.encode(text) if isinstance(text, str) else list(text)

    def word(self, word: str, first: bool) -> list:
        """The tokens of a word, at least one."""
        raise NotImplementedError

    def finished(self, ids: list) -> list | np.ndarray:
        return ids

    def framed(self, parts: list[list]) -> tuple[Example, int]:
        """The example of one or two texts, and how long it would be uncut."""
        if len(parts) > 1 and self.between is None:
            raise ValueError(
                "this encoder has no token that parts two texts: mb.heads.framed(gpt) adds it to a "
                "GPT, and mb.heads.PairClassifier reads each text by itself"
            )
        (before, after), (first, *second) = self.ends, parts
        inner = [*first, *(self.between or ()), *second[0]] if second else first
        frame = len(before) + len(after)
        kept = inner[: self.max_length and self.max_length - frame]
        return {"input_ids": self.finished([*before, *kept, *after])}, len(inner) + frame

    def text(self, *texts: TextOrIds) -> Example:
        """The example of a text, or of two: ``input_ids``, perhaps ``token_type_ids``."""
        example, whole = self.framed([self.ids(text) for text in texts])
        self.cut += len(example["input_ids"]) < whole
        return example

    def words(self, words: Sequence[str]) -> Example:
        """``input_ids``, and in ``words`` the place of each word's first token; as many words as
        ``max_length`` allows."""
        before, after = self.ends
        ids, places = list(before), list[int]()
        for word in words:
            pieces = self.word(word, not places)
            if self.max_length and len(ids) + len(pieces) + len(after) > self.max_length:
                self.cut += 1
                break
            places.append(len(ids))
            ids += pieces
        return {"input_ids": self.finished([*ids, *after]), "words": places}

    def warn(self, count: int) -> None:
        """Say how many of the examples were cut, if any were."""
        if self.cut:
            warnings.warn(
                f"{self.cut} of {count} texts are longer than the {self.max_length} tokens that "
                "are read at once: what is beyond them was left out",
                stacklevel=4,
            )


class Pieces(Reader):
    """`minibert.text.WordPiece`."""

    def __init__(self, tokenizer: Any, max_length: int | None = None) -> None:
        super().__init__(tokenizer, max_length)
        self.ends = [tokenizer.cls_id], [tokenizer.sep_id]

    def word(self, word: str, first: bool) -> list[int]:
        return self.tokenizer.encode(word) or [self.tokenizer.unk_id]

    def framed(self, parts: list[list]) -> tuple[Example, int]:
        example = self.tokenizer.pair(*parts, max_length=self.max_length)
        return example, sum(map(len, parts)) + len(parts) + 1


class Framed(Reader):
    """`minibert.text.BPE`, in the frame of GPT's fine-tuning if the model has room for it."""

    def __init__(self, model: GPT, max_length: int | None = None) -> None:
        super().__init__(model.tokenizer, max_length)
        first_new = model.config.vocab_size - len(SPECIALS)
        has_room = first_new >= len(self.tokenizer)
        self.framing = Framing(self.tokenizer, first_new, max_length or 512) if has_room else None

    def word(self, word: str, first: bool) -> list[int]:
        return self.tokenizer.encode(word if first else f" {word}") or [self.tokenizer.end_id]

    def framed(self, parts: list[list]) -> tuple[Example, int]:
        if self.framing is None:
            return super().framed(parts)
        make: Any = self.framing.text if len(parts) == 1 else self.framing.pair
        return make(*parts), sum(map(len, parts)) + len(parts) + 1


class Words(Reader):
    """`minibert.text.Vocab`, with an `AWDLSTM`'s start token; in lower case if all its words are.

    Unknown words of a text are left out where the vocabulary has no ``<unk>``.
    """

    def __init__(self, model: Any, max_length: int | None = None) -> None:
        super().__init__(model.vocab, max_length)
        known = {*self.tokenizer.tokens}.difference(self.tokenizer.specials)
        self.lower = all(token == token.lower() for token in known)
        if isinstance(model, AWDLSTM):
            self.between = start = [model.config.start_id]
            self.ends = ([], start) if model.backward_reader else (start, [])

    def ids(self, text: TextOrIds) -> list[int]:
        words: Any = tokenise(text) if isinstance(text, str) else text
        words = [word.lower() for word in words] if self.lower else words
        if self.tokenizer.unk_id is None:
            words = [word for word in words if word in self.tokenizer]
        return self.tokenizer.encode(words)

    def word(self, word: str, first: bool) -> list[int]:
        return self.tokenizer.encode([word.lower() if self.lower else word])


class Spelled(Reader):
    """The letters of each word, as an `ELMo` reads them; two texts are two of its sentences."""

    between = [EOS, BOS]

    def __init__(self, length: int, max_length: int | None = None) -> None:
        super().__init__(None, max_length)
        self.length = length

    def ids(self, text: TextOrIds) -> list:
        return tokenise(text) if isinstance(text, str) else list(text)

    def word(self, word: str, first: bool) -> list[str]:
        return [word]

    def finished(self, ids: list[str]) -> np.ndarray:
        """The symbols, int64 (words, length)."""
        return spell_all(ids, self.length).numpy()
