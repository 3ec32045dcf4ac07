"""Byte-pair encoding: the vocabularies of GPT (from characters) and of GPT-2 (from bytes).

Sennrich, Haddow & Birch (2016), "Neural Machine Translation of Rare Words with Subword Units",
arXiv:1508.07909. A word starts as a list of its characters. Adjacent pairs are merged in the order
in which they were learned, and the result is the word's pieces. There are two kinds of words:

- ``"words"`` (Radford et al. 2018): lower case without accents, cut as BERT's basic tokenisation
  does (Hugging Face's version of a tokenizer that used spaCy). The last character of a word carries
  ``</w>``, so that ``er</w>`` ends a word and ``er`` does not. A character that the vocabulary
  lacks becomes ``<unk>``.
- ``"bytes"`` (Radford et al. 2019, section 2.2): a word keeps the space before it and is spelled in
  the bytes of UTF-8. Nothing is unknown, and decoding gives every text back exactly.
"""

import json
from collections import Counter
from functools import cache, partial
from itertools import chain, pairwise
from pathlib import Path

from minibert.storage.safe_files import atomic
from minibert.text import basic, merges
from minibert.text.added import Added, Finder, added_of
from minibert.text.cache import Cache

KINDS = ("words", "bytes")
END, UNK, EOT = "</w>", "<unk>", "<|endoftext|>"
VOCAB, MERGES = "vocab.json", "merges.txt"
# GPT-2's words: English clitics, then letters, digits or other signs with the space before them.
GPT2_WORD = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@cache
def byte_letters():
    """A visible character for each of the 256 bytes, a tuple of str, as in GPT-2's own files.

    Printable bytes stand for themselves; the others get code points from 256 on ("Ġ" is a space).
    """
    printed = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return tuple(chr(byte if byte in printed else next(spare)) for byte in range(256))


@cache
def gpt2_words():
    """The compiled pattern of GPT-2's words."""
    import regex  # knows \p{L}, which the standard library's re does not

    return regex.compile(GPT2_WORD)


class BPE:
    """Text to ids of pieces and back: ``encode``, ``decode``, ``train``, ``load``, ``save``.

    ``ids``: dict, piece to id; ``tokens``: list, id to piece; ``merges``: list of (left, right) in
    the order in which they were learned; ``kind``: "words" or "bytes"; ``special_ids``: the ids of
    ``specials``, tokens that no text gives. ``added``: tokens of ``ids`` that are found whole in a
    text before it is cut (str or `Added`). ``unk_id``: the id of ``unk``, which stands for unknown
    letters, ``end_id``: of ``end``, which ends a text; None where the vocabulary lacks it.

    Raises ValueError for ids that are not 0, 1, 2, ..., for a merge whose parts or result the
    vocabulary lacks, and for an added token that it lacks.
    """

    def __init__(
        self, ids, merges, kind="bytes", specials=(UNK, EOT), *, added=(), unk=UNK, end=EOT
    ):
        if kind not in KINDS:
            raise ValueError(f"kind must be 'words' or 'bytes', got {kind!r}")
        self.ids, self.kind = dict(ids), kind
        self.merges = [tuple(pair) for pair in merges]
        self.tokens = sorted(self.ids, key=self.ids.get)
        if [self.ids[token] for token in self.tokens] != list(range(len(self.tokens))):
            raise ValueError(f"expected the ids 0 to {len(self.tokens) - 1}, each once")
        for pair in self.merges:
            for piece in (*pair, "".join(pair)):
                if piece not in self.ids:
                    raise ValueError(
                        f"the merge {pair!r:.80} needs {piece!r:.80}, which no id stands for"
                    )
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
    def train(cls, texts, size, kind="bytes", min_count=2, *, specials=()):
        """Learn a vocabulary of at most ``size`` pieces from ``texts`` (strings; any iterable).

        Ids: ``specials`` first (``<unk>`` among them for words), then all bytes, or the letters of
        the text within and at the end of a word, and the merges, the most frequent pair first (see
        `minibert.text.merges.learn`).

        Raises ValueError where ``size`` leaves no room for the letters, and for a text that is no
        string. One string is one text.
        """
        counts = merges.counted(texts, partial(words, kind=kind))
        spelled = {spell(word, kind): count for word, count in counts.items()}
        if kind == "bytes":
            letters = list(byte_letters())
        else:
            letters = sorted(set(chain.from_iterable(spelled)))
            specials = tuple(dict.fromkeys((UNK, *specials)))
        ids, learned = {piece: i for i, piece in enumerate([*specials, *letters])}, []
        if size < len(ids):
            raise ValueError(
                f"expected a size of at least {len(ids)} to hold all characters, got {size}"
            )
        for left, right, joined in merges.learn(spelled, letters, str.__add__, min_count):
            if len(ids) == size:
                break
            learned.append((left, right))
            ids.setdefault(joined, len(ids))
        return cls(ids, learned, kind, specials)

    def __len__(self):
        return len(self.tokens)

    def __contains__(self, piece):
        return piece in self.ids

    def __repr__(self):
        return f"BPE({len(self):,} pieces of {self.kind}, {len(self.merges):,} merges)"

    def __reduce__(self):
        make = partial(BPE, added=self.added, unk=self.unk, end=self.end)
        return make, (self.ids, self.merges, self.kind, ())  # without the caches

    def pieces(self, word, merges_used=None):
        """The pieces of one word, as `words` gives it: a list of str.

        Again and again, the adjacent pair that was learned first is merged wherever it occurs,
        until no learned pair is left. merges_used: how many merges to use; all by default.
        """
        most = len(self.merges) if merges_used is None else merges_used
        symbols = list(spell(word, self.kind))
        while len(symbols) > 1:
            best = min(pairwise(symbols), key=lambda pair: self._ranks.get(pair, most))
            if self._ranks.get(best, most) >= most:
                break
            symbols = merges.merge(symbols, best, "".join(best))
        return symbols

    def encode(self, text):
        """The ids of a text's pieces, a list of int. What is unknown becomes ``<unk>``.

        Added tokens are found whole; special ones in a text are text like any other.

        Raises ValueError for anything but a string, and for an unknown letter where the vocabulary
        has no ``<unk>``.
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
            return [*chain.from_iterable(map(self._words.__getitem__, words(text, "bytes")))]
        return [*chain.from_iterable(map(self._chunks.__getitem__, basic.CHUNK.findall(text)))]

    def decode(self, ids, skip_special_tokens=False):
        """The text of ids (a sequence of int, an array, a tensor of one dimension).

        From bytes, it is the text that was encoded; a character that was cut in two is "\\ufffd".
        From words, it is in lower case, with spaces as people write them.

        Raises ValueError for an id that the vocabulary does not have.
        """
        pieces = []
        for i in map(int, ids):
            if not 0 <= i < len(self.tokens):
                raise ValueError(f"expected ids from 0 to {len(self) - 1}, got {i}")
            if not (skip_special_tokens and i in self.special_ids):
                pieces.append(i)
        if self.kind == "words":
            tokens = [self.tokens[i] + (END if i in self._whole_ids else "") for i in pieces]
            return basic.join("".join(tokens).replace(END, " ").split())
        value = {letter: byte for byte, letter in enumerate(byte_letters())}
        return b"".join(
            self.tokens[i].encode()
            if i in self._whole_ids
            else bytes(map(value.get, self.tokens[i]))
            for i in pieces
        ).decode("utf-8", errors="replace")

    def save(self, folder):
        """Write ``vocab.json`` and ``merges.txt`` into a folder, the layout of published ones.

        Special and added tokens stand in ``tokenizer_config.json`` beside them.
        """
        from minibert.text.tokenizer_files import save_settings

        with atomic(Path(folder) / VOCAB) as file:
            file.write((json.dumps(self.ids, ensure_ascii=False) + "\n").encode())
        lines = ["#version: 0.2", *(" ".join(pair) for pair in self.merges), ""]
        with atomic(Path(folder) / MERGES) as file:
            file.write("\n".join(lines).encode())
        roles = {"unk_token": self.unk, "eos_token": self.end}
        settings = {role: token if token in self.ids else None for role, token in roles.items()}
        save_settings(Path(folder) / VOCAB, settings, self.added, self.ids)

    @classmethod
    def load(cls, vocab, merges=None, kind=None):
        """Read ``vocab.json`` and ``merges.txt`` (``encoder.json`` and ``vocab.bpe`` are the same).

        vocab, merges: the two files, or a folder that holds them or a ``tokenizer.json``. What lies
        beside them in ``tokenizer_config.json`` and the files of added tokens is read too. kind:
        found out by whether pieces end with ``</w>``, if None.

        Raises FileNotFoundError, and ValueError for damaged files, and for whatever asks for
        another tokenizer than this one.
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
            raise ValueError(
                f"{word!r} has characters that the vocabulary lacks, and it has no {UNK}"
            )
        return found

    def _encode_chunk(self, chunk):
        return [i for word in basic.words(chunk) for i in self._words[word]]


def words(text, kind="bytes"):
    """The words of a text within which pairs are merged, a list of str."""
    return basic.words(text) if kind == "words" else gpt2_words().findall(text)


def spell(word, kind="bytes"):
    """The symbols that a word is made of before any merge: a tuple of str."""
    if kind == "bytes":
        letters = byte_letters()
        return tuple(letters[byte] for byte in word.encode("utf-8", errors="surrogatepass"))
    return (*word[:-1], word[-1] + END)
