"""A vocabulary of whole words: counting, encoding, decoding, saving."""

import re
from array import array
from collections import Counter
from pathlib import Path

import numpy as np

from minibert.storage.safe_files import atomic
from minibert.text.tokens import detokenise, spans, tokenise

PAD, UNK = "<pad>", "<unk>"
_COUNT = re.compile("[0-9]{1,18}")
BLOCK = 1 << 20  # chunks of text that encode_corpus holds before it turns them into ids


class Vocab:
    """Word types and their ids: ``vocab["cat"]``, ``vocab.tokens[id]``, ``"cat" in vocab``.

    ``tokens``: list of str, id to token. ``counts``: int64 array (len(vocab),), how often each
    was seen in training. Tokens that were left out count for ``<unk>``, so that the counts add up
    to the length of the text. ``specials``: the tokens that stand for no word. ``pad_id`` and
    ``unk_id`` are the ids of ``<pad>`` and ``<unk>``, None without them.
    """

    def __init__(self, tokens, counts=None, specials=(PAD, UNK)):
        self.tokens = list(tokens)
        self.counts = np.zeros(len(self.tokens), np.int64)
        if counts is not None:
            self.counts[:] = counts
        self.ids = numbered(self.tokens)
        self.specials = tuple(token for token in specials if token in self.ids)
        self.pad_id, self.unk_id = self.ids.get(PAD), self.ids.get(UNK)

    @classmethod
    def train(cls, texts, size=None, min_count=1, specials=(PAD, UNK)):
        """The most frequent tokens of ``texts`` (strings, or lists of tokens; any iterable).

        ``size`` is the most entries to keep, specials included; tokens seen fewer than
        ``min_count`` times are left out. Ids: the specials in the order given, then the tokens by
        falling count; tokens with the same count are in code point order.

        Raises ValueError when ``size`` leaves no room for a token beside the specials.
        """
        if size is not None and size <= len(specials):
            raise ValueError(f"size must exceed the {len(specials)} specials, got {size}")
        seen = _count(texts)
        words = [(w, n) for w, n in seen.items() if n >= min_count and w not in specials]
        words.sort(key=lambda pair: (-pair[1], pair[0]))
        words = words[: None if size is None else size - len(specials)]
        counts = [seen[token] for token in specials] + [n for _, n in words]
        vocab = cls([*specials, *(w for w, _ in words)], counts, specials)
        if vocab.unk_id is not None:
            vocab.counts[vocab.unk_id] += sum(seen.values()) - vocab.counts.sum()
        return vocab

    def __len__(self):
        return len(self.tokens)

    def __contains__(self, token):
        return token in self.ids

    def __getitem__(self, token):
        """The id of ``token``; that of ``<unk>`` for an unknown one."""
        return self._lookup([token])[0]

    def __repr__(self):
        return f"Vocab({len(self):,} tokens: {', '.join(self.tokens[:8])} ...)"

    def encode(self, text, offsets=False):
        """Ids of the tokens of ``text`` (a string, or a list of tokens), as a list of int.

        With ``offsets=True`` also a list of (start, end), each token's characters in the string.
        Raises ValueError for an unknown token where the vocabulary has no ``<unk>``.
        """
        if offsets:
            places = spans(text)
            return self._lookup([text[start:end] for start, end in places]), places
        return self._lookup(tokenise(text) if isinstance(text, str) else text)

    def _lookup(self, tokens):
        if self.unk_id is not None:
            return [self.ids.get(token, self.unk_id) for token in tokens]
        try:
            return [self.ids[token] for token in tokens]
        except KeyError as error:
            raise ValueError(
                f"{error.args[0]!r} is not in this vocabulary, which has no {UNK!r} to stand for "
                f"unknown tokens; train it with specials=({PAD!r}, {UNK!r})"
            ) from None

    def decode(self, ids, skip_special_tokens=False):
        """The text of ``ids`` (a sequence of int, an array or a tensor of one dimension)."""
        tokens = (self.tokens[int(i)] for i in ids)
        if skip_special_tokens:
            tokens = (token for token in tokens if token not in self.specials)
        return detokenise(tokens)

    def encode_corpus(self, texts):
        """Encode all of ``texts`` at once, as `encode` does, but several times faster.

        ``texts``: an iterable of strings or of lists of tokens, read once. Returns ``ids``, an
        int32 array of every token in order, and ``offsets``, an int64 array of len(texts) + 1:
        text i is ``ids[offsets[i]:offsets[i + 1]]``.
        """
        flat, ends = array("i"), array("q", [0])
        chunk_rows = _Rows(lambda chunk: self._lookup(tokenise(chunk)), flat, ends)
        token_rows = _Rows(lambda token: self._lookup([token]), flat, ends)
        ids, lengths, rows, stops = [], [np.zeros(1, np.int64)], array("q"), [0]
        for text in [texts] if isinstance(texts, str) else texts:
            if isinstance(text, str):
                rows.extend(map(chunk_rows.__getitem__, text.split()))
            else:
                rows.extend(map(token_rows.__getitem__, text))
            stops.append(len(rows))
            if len(rows) > BLOCK:
                _expand(rows, stops, flat, ends, ids, lengths)
                rows, stops = array("q"), [0]
        _expand(rows, stops, flat, ends, ids, lengths)
        return np.concatenate(ids), np.cumsum(np.concatenate(lengths))

    def save(self, path):
        """Write one token per line with its count, in UTF-8, with specials marked; see `load`.

        Raises ValueError for a token that holds a tab or a line break.
        """
        for token in self.tokens:
            if "\t" in token or "\n" in token or token == "":
                raise ValueError(
                    f"cannot save {token!r}: each token must fit on one line of the file"
                )
        with atomic(path) as file:
            for token, count in zip(self.tokens, self.counts.tolist(), strict=True):
                mark = "\tspecial" if token in self.specials else ""
                file.write(f"{token}\t{count}{mark}\n".encode("utf-8", "surrogatepass"))

    @classmethod
    def load(cls, path):
        """Read what `save` wrote.

        Raises FileNotFoundError, and ValueError naming the first line that does not fit.
        """
        tokens, counts, specials = [], [], []
        try:
            text = Path(path).read_bytes().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is no vocabulary: it is not UTF-8 text ({error})") from None
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            token, *rest = line.split("\t")
            if not (token and rest and _COUNT.fullmatch(rest[0]) and rest[1:] in ([], ["special"])):
                raise ValueError(
                    f"{path}, line {number}: expected token, tab, count, got {line[:60]!r}"
                )
            tokens.append(token)
            counts.append(int(rest[0]))
            if rest[1:]:
                specials.append(token)
        try:
            return cls(tokens, counts, specials)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def numbered(tokens):
    """Each token's id, its number in the list; ValueError where one stands there twice."""
    ids = {token: i for i, token in enumerate(tokens)}
    if len(ids) != len(tokens):
        twice = next(token for i, token in enumerate(tokens) if ids[token] != i)
        raise ValueError(f"a vocabulary holds each token once, got {twice!r:.60} more than once")
    return ids


def _count(texts):
    """How often each token occurs: each distinct chunk of text is split only once."""
    chunks, seen = Counter(), Counter()
    for text in [texts] if isinstance(texts, str) else texts:
        if isinstance(text, str):
            chunks.update(text.split())
        else:
            seen.update(text)
    for chunk, count in chunks.items():
        for token in tokenise(chunk):
            seen[token] += count
    return seen


class _Rows(dict):
    """Chunk of text -> its row in one flat array of ids, encoded when first met.

    Row r is ``flat[ends[r]:ends[r + 1]]``.
    """

    def __init__(self, encode, flat, ends):
        self.encode, self.flat, self.ends = encode, flat, ends

    def __missing__(self, chunk):
        row = self[chunk] = len(self.ends) - 1
        self.flat.extend(self.encode(chunk))
        self.ends.append(len(self.flat))
        return row


def _expand(rows, stops, flat, ends, ids, lengths):
    """Append the ids of ``rows``, and the number of ids of each text, to the two lists.

    Text i is made of the rows from ``stops[i]`` to ``stops[i + 1]``.
    """
    rows = np.frombuffer(rows, np.int64) if rows else np.zeros(0, np.int64)
    flat, ends = np.array(flat, np.int32), np.array(ends)
    sizes = (ends[1:] - ends[:-1])[rows]
    before = np.concatenate([[0], np.cumsum(sizes)])
    ids.append(flat[np.arange(before[-1]) + np.repeat(ends[rows] - before[:-1], sizes)])
    lengths.append(np.diff(before[stops]))
