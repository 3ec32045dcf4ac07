"""Byte-pair encoding: the vocabularies of GPT (from characters) and of GPT-2 (from bytes).

Sennrich, Haddow & Birch (2016), arXiv:1508.07909. A word starts as its characters; adjacent pairs
are merged in the order in which they were learned. There are two kinds of words:

- ``"words"`` (Radford et al. 2018): lower case without accents, cut as BERT's basic tokenisation
  does (Hugging Face's version). The last character of a word carries ``</w>``, so that ``er</w>``
  ends a word and ``er`` does not. A character that the vocabulary lacks becomes ``<unk>``.
- ``"bytes"`` (Radford et al. 2019, section 2.2): a word keeps the space before it and is spelled in
  the bytes of UTF-8. Nothing is unknown, and decoding gives every text back exactly. With
  ``digits``, as SmolLM has it (Ben Allal et al. 2025, arXiv:2502.02737), each digit is a word.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Self

from minibert.storage.safe_files import remove, write
from minibert.text import basic, merges
from minibert.text.added import Added, Finder, added_of
from minibert.text.cache import Cache
from minibert.text.tokens import Pieces, checked

KINDS = ("words", "bytes")
TOKENIZERS = {"words": "OpenAIGPTTokenizer", "bytes": "GPT2Tokenizer"}  # as transformers says it
END, UNK, EOT = "</w>", "<unk>", "<|endoftext|>"
VOCAB, MERGES = "vocab.json", "merges.txt"
# GPT-2's words: English clitics, then letters, digits or other signs with the space before them.
GPT2_WORD = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# The same between digits, which are words by themselves: white space before one stays together.
DIGIT_WORD = r"\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?=\p{N})|\s+(?!\S)|\s+"


@cache
def byte_letters() -> tuple[str, ...]:
    """A visible character for each byte, as in GPT-2's files: itself if printable; "Ġ", a space."""
    printed = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return tuple(chr(byte if byte in printed else next(spare)) for byte in range(256))


@cache
def gpt2_words(digits: bool = False) -> Any:
    """The compiled pattern of GPT-2's words, or of those with each digit alone."""
    import regex  # knows \p{L}, which the standard library's re does not

    return regex.compile(DIGIT_WORD if digits else GPT2_WORD)


class BPE(Pieces):
    """Text to ids of pieces and back: ``encode``, ``decode``, ``train``, ``load``, ``save``.

    ``ids``: piece to id; ``tokens``: id to piece; ``merges``: (left, right) in the order in which
    they were learned; ``kind``: "words" or "bytes"; ``digits``: whether each digit is a word of its
    own, in bytes; ``special_ids``: of ``specials``, which no text
    gives. ``added``: tokens of ``ids`` that are found whole in a text before it is cut. ``unk_id``:
    the id of ``unk``, which stands for unknown letters, ``end_id``: of ``end``, which ends a text;
    or None. Raises ValueError for ids that are not 0, 1, 2, ..., and for a merge or token without
    an id.
    """

    def __init__(
        self,
        ids: Mapping[str, int],
        merges: Iterable[Sequence[str]],
        kind: str = "bytes",
        specials: Iterable[str] = (UNK, EOT),
        *,
        added: Iterable[str | Added] = (),
        unk: str = UNK,
        end: str = EOT,
        digits: bool = False,
    ) -> None:
        if kind not in KINDS or (digits and kind != "bytes"):
            only = ", and digits are words of bytes only" if digits else ""
            raise ValueError(f"kind must be 'words' or 'bytes', got {kind!r}{only}")
        self.ids, self.kind, self.digits = dict(ids), kind, digits
        self.merges = [tuple(pair) for pair in merges]
        self.tokens = sorted(self.ids, key=self.ids.__getitem__)
        if [self.ids[token] for token in self.tokens] != list(range(len(self.tokens))):
            raise ValueError(f"expected the ids 0 to {len(self.tokens) - 1}, each once")
        for pair in self.merges:
            for piece in (*pair, "".join(pair)):
                if piece not in self.ids:
                    told = f"the merge {pair!r:.80} needs {piece!r:.80}"
                    raise ValueError(f"{told}, which no id stands for")
        if len(set(self.merges)) != len(self.merges):
            twice = next(pair for pair, n in Counter(self.merges).items() if n > 1)
            raise ValueError(f"expected each merge once, got {twice!r:.80} more than once")
        specials = [Added(token, True, False) for token in specials if token in self.ids]
        self.added = added_of([*specials, *added_of(added)])
        if lacking := next((t.content for t in self.added if t.content not in self.ids), None):
            raise ValueError(f"the added token {lacking!r:.80} has no id")
        whole = {token.content for token in self.added}
        letters = {*"".join(token for token in self.tokens if token not in whole)}
        if kind == "bytes" and (odd := letters.difference(byte_letters())):
            raise ValueError(f"expected pieces made of bytes, got the character {min(odd)!r}")
        self.unk, self.end = unk, end
        self.unk_id, self.end_id = self.ids.get(unk), self.ids.get(end)
        self.special_ids = {self.ids[token.content] for token in self.added if token.special}
        self._whole_ids = {self.ids[token.content] for token in self.added}
        places = basic.searchable, basic.align
        self._finder = Finder(self.added, self.ids, *(places if kind == "words" else ()))
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self._words, self._chunks = Cache(self._cut), Cache(self._encode_chunk)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        size: int,
        kind: str = "bytes",
        min_count: int = 2,
        *,
        specials: Iterable[str] = (),
    ) -> Self:
        """Learn a vocabulary of at most ``size`` pieces from ``texts`` (strings; any iterable).

        Ids: ``specials`` first (``<unk>`` among them for words), then all bytes, or the letters of
        the text within and at the end of a word, then the merges (see
        `minibert.text.merges.learn`). One string is one text. Raises ValueError where ``size``
        leaves no room for the letters, and for a text that is no string.
        """
        counts, specials = merges.counted(texts, partial(words, kind=kind)), tuple(specials)
        spelled = {spell(word, kind): count for word, count in counts.items()}
        if kind == "bytes":
            letters = list(byte_letters())
        else:
            letters = sorted(set(chain.from_iterable(spelled)))
            specials = tuple(dict.fromkeys((UNK, *specials)))
        if twice := {*specials}.intersection(letters):
            raise ValueError(f"the special token {min(twice)!r:.60} is a letter of the texts, too")
        ids, learned = {piece: i for i, piece in enumerate([*specials, *letters])}, []
        if size < len(ids):
            least = f"a size of at least {len(ids)} to hold all characters"
            raise ValueError(f"expected {least}, got {size}")
        for left, right, joined in merges.learn(spelled, letters, str.__add__, min_count):
            if len(ids) == size:
                break
            learned.append((left, right))
            ids.setdefault(joined, len(ids))
        return cls(ids, learned, kind, specials)

    def __repr__(self) -> str:
        return f"BPE({len(self):,} pieces of {self.kind}, {len(self.merges):,} merges)"

    def __reduce__(self) -> tuple:
        make = partial(BPE, added=self.added, unk=self.unk, end=self.end, digits=self.digits)
        return make, (self.ids, self.merges, self.kind, ())  # without the caches

    def pieces(self, word: str, merges_used: int | None = None) -> list[str]:
        """The pieces of one word, as `words` gives it: the pair learned first merges first.

        merges_used: how many merges to use; all by default.
        """
        most = len(self.merges) if merges_used is None else merges_used
        symbols = list(spell(word, self.kind))
        while len(symbols) > 1:
            best = min(pairwise(symbols), key=lambda pair: self._ranks.get(pair, most))
            if self._ranks.get(best, most) >= most:
                break
            symbols = merges.merge(symbols, best, "".join(best))
        return symbols

    def encode(self, text: str) -> list[int]:
        """The ids of a text's pieces; special tokens are plain text, added ones are whole.

        Raises ValueError for an unknown letter where the vocabulary has no ``<unk>``.
        """
        if not isinstance(text, str):
            raise ValueError(f"expected a string to encode, got {type(text).__name__}")
        if not self._finder.any():
            return self._encode_plain(text)
        parts = self._finder.cut(text)
        found = (self._encode_plain(text[a:b]) if i is None else [i] for a, b, i in parts)
        return [*chain.from_iterable(found)]

    def _encode_plain(self, text):
        """`encode` for a text without added tokens."""
        if self.kind == "bytes":
            found = words(text, "bytes", self.digits)
            return [*chain.from_iterable(map(self._words.__getitem__, found))]
        return [*chain.from_iterable(map(self._chunks.__getitem__, basic.CHUNK.findall(text)))]

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """The text of ids (a sequence of int, an array, a tensor of one dimension).

        From bytes, it is the text that was encoded; a character that was cut in two is "\\ufffd".
        From words, it is in lower case, with spaces as people write them. Raises ValueError for an
        id that the vocabulary does not have.
        """
        pieces = checked(ids, len(self))
        if skip_special_tokens:
            pieces = [i for i in pieces if i not in self.special_ids]
        if self.kind == "words":
            tokens = [self.tokens[i] + (END if i in self._whole_ids else "") for i in pieces]
            return basic.join("".join(tokens).replace(END, " ").split())
        value = {letter: byte for byte, letter in enumerate(byte_letters())}
        whole, tokens = self._whole_ids, self.tokens
        spelled = (
            tokens[i].encode() if i in whole else bytes(map(value.__getitem__, tokens[i]))
            for i in pieces
        )
        return b"".join(spelled).decode("utf-8", errors="replace")

    def save(self, folder: str | Path) -> None:
        """Write ``vocab.json``, ``merges.txt`` and ``tokenizer_config.json`` into a folder.

        Where digits are words, ``tokenizer.json`` for the first two, which cannot say so.
        """
        from minibert.text.tokenizer_files import JSON, save_settings
        from minibert.text.tokenizer_json import of_digits

        roles = {"unk_token": self.unk, "eos_token": self.end}
        settings = {role: token if token in self.ids else None for role, token in roles.items()}
        settings["tokenizer_class"] = TOKENIZERS[self.kind]
        save_settings(Path(folder) / VOCAB, settings, self.added, self.ids)
        if self.digits:
            remove(folder, (VOCAB, MERGES))
            told = of_digits(self.ids, self.merges, self.unk, self.added)
            return write(Path(folder) / JSON, json.dumps(told, ensure_ascii=False).encode())
        lines = ["#version: 0.2", *(" ".join(pair) for pair in self.merges), ""]
        write(Path(folder) / VOCAB, (json.dumps(self.ids, ensure_ascii=False) + "\n").encode())
        write(Path(folder) / MERGES, "\n".join(lines).encode())

    @classmethod
    def load(
        cls, vocab: str | Path, merges: str | Path | None = None, kind: str | None = None
    ) -> Self:
        """Read ``vocab.json`` and ``merges.txt`` (``encoder.json`` and ``vocab.bpe`` are the same).

        vocab, merges: the two files, or a folder that holds them or a ``tokenizer.json``; what lies
        beside them is read too. kind: found out by whether pieces end with ``</w>``, if None.
        Raises FileNotFoundError; ValueError for damaged files, and for another tokenizer.
        """
        from minibert.text.tokenizer_files import read_bpe

        ids, pairs, kind, options, source = read_bpe(Path(vocab), merges, kind)
        try:
            return cls(ids, pairs, kind, (), **options)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None

    def _cut(self, word):
        """The ids of one word."""
        found = [self.ids.get(piece, self.unk_id) for piece in self.pieces(word)]
        if None in found:
            raise ValueError(f"{word!r} has characters that the vocabulary lacks, and no {UNK}")
        return found

    def _encode_chunk(self, chunk):
        return [i for word in basic.words(chunk) for i in self._words[word]]


def words(text: str, kind: str = "bytes", digits: bool = False) -> list[str]:
    """The words of a text within which pairs are merged, a list of str."""
    return basic.words(text) if kind == "words" else gpt2_words(digits).findall(text)


def spell(word: str, kind: str = "bytes") -> tuple[str, ...]:
    """The symbols that a word is made of before any merge: a tuple of str."""
    if kind == "bytes":
        letters = byte_letters()
        return tuple(letters[byte] for byte in word.encode("utf-8", errors="surrogatepass"))
    return (*word[:-1], word[-1] + END)
