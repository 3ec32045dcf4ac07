"""Words as characters, as the published ELMo spells them.

A word is 50 symbols: begin-of-word, its UTF-8 bytes, end-of-word, and padding. The alphabet has the
256 bytes, five marks (begin and end of a sentence and of a word, padding), and 0, "no word here":
262 symbols (`ELMoCharacterMapper` in AllenNLP; Peters et al. 2018, section 3.4).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

BOS, EOS = "<S>", "</S>"  # begin and end of a sentence, as words
ALPHABET, LENGTH = 262, 50
BEGIN_SENTENCE, END_SENTENCE, BEGIN_WORD, END_WORD, PADDING = range(257, 262)
MARKS = {BOS: BEGIN_SENTENCE, EOS: END_SENTENCE}
Sentences = Sequence[Sequence[str]]


def spell(word: str, length: int = LENGTH) -> list[int]:
    """The ``length`` symbols of a word, a list of int from 1 to 261; a longer word is cut.

    >>> spell("cat", length=7)
    [259, 100, 98, 117, 260, 261, 261]
    """
    if length < 3:
        raise ValueError(f"a word needs at least 3 symbols, two of them marks; got length={length}")
    letters = [byte + 1 for byte in word.encode("utf-8", "ignore")[: length - 2]]
    symbols = [BEGIN_WORD, *([MARKS[word]] if word in MARKS else letters), END_WORD]
    return symbols + [PADDING] * (length - len(symbols))


def unspell(symbols: Sequence[int]) -> str:
    """The word of some symbols: the inverse of `spell` for words that were not cut."""
    for mark, number in MARKS.items():
        if number in symbols:
            return mark
    return bytes(int(s) - 1 for s in symbols if 0 < s <= 256).decode("utf-8", "replace")


def spell_all(words: Iterable[str], length: int = LENGTH) -> Tensor:
    """An int64 tensor (len(words), length)."""
    rows = np.array([spell(word, length) for word in words], np.int64).reshape(-1, length)
    return torch.from_numpy(rows)


def spell_sentences(sentences: Sentences, length: int = LENGTH) -> tuple[Tensor, Tensor]:
    """Symbols (batch, longest, length), 0 behind a sentence; a mask (batch, longest), 1 a word."""
    check_sentences(sentences)
    longest = max(map(len, sentences))
    symbols = torch.zeros(len(sentences), longest, length, dtype=torch.long)
    mask = torch.zeros(len(sentences), longest, dtype=torch.long)
    for row, words in enumerate(sentences):
        symbols[row, : len(words)] = spell_all(words, length)
        mask[row, : len(words)] = 1
    return symbols, mask


def check_sentences(sentences: Sentences) -> None:
    """Raise ValueError unless these are lists of words, none of them empty."""
    if isinstance(sentences, str) or not len(sentences):
        raise ValueError(f"expected a list of sentences, each a list of words; got {sentences!r}")
    for number, words in enumerate(sentences):
        if isinstance(words, str) or not len(words):
            raise ValueError(f"sentence {number} must be a list of words, got {words!r}")


class Spellings:
    """A growing table of words and their symbols: row 0 is "no word", then each word once."""

    def __init__(self, words: Iterable[str] = (), length: int = LENGTH) -> None:
        self.length, self.words = length, [""]
        self.index: dict[str, int] = {}
        self._rows, self._table = [[0] * length], torch.zeros(0, length, dtype=torch.long)
        self.encode(words)

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, words: Iterable[str]) -> list[int]:
        """The rows of some words, a list of int from 1 up; new words are added."""
        for word in words:
            if word not in self.index:
                self.index[word] = len(self.words)
                self.words.append(word)
                self._rows.append(spell(word, self.length))
        return [self.index[word] for word in words]

    @property
    def table(self) -> Tensor:
        """All symbols, int64 (rows, length)."""
        if len(self._table) != len(self._rows):
            self._table = torch.tensor(self._rows)
        return self._table
