"""WordPiece: BERT's vocabulary of words and pieces of words.

A word that the vocabulary lacks is cut into pieces that it has. ``##`` marks a piece that continues
a word: "unaffable" is ``una ##ffa ##ble``. So about thirty thousand entries can spell almost any
text (Wu et al. 2016, section 4.1; Devlin et al. 2019, section 3).
"""

from collections import Counter
from collections.abc import Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np

from minibert.storage.safe_files import write
from minibert.text import basic, merges
from minibert.text.added import Added, Finder, added_of
from minibert.text.cache import Cache
from minibert.text.merges import GOES_ON
from minibert.text.tokens import Pieces, Placed, TextOrIds, checked, cut_pair
from minibert.text.vocab import check_line, numbered

PAD, UNK, CLS, SEP, MASK = SPECIALS = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
LONGEST = 100  # characters; a longer word becomes [UNK], as in the published tokenizer


class WordPiece(Pieces):
    """Text to ids of pieces and back: ``encode``, ``decode``, ``pair``, ``train``, ``load``.

    ``tokens``: id to token; ``##`` in front of a piece that continues a word, where ``continues``,
    bool (len,), is true. ``lowercase``: an uncased vocabulary. ``strip_accents``: as ``lowercase``
    when None. ``tokenize_chinese_chars``: make each Chinese character a word. ``added``: tokens
    found whole in a text before it is cut; they follow ``tokens``, or are among them. ``pad_id``,
    ``unk_id``, ``cls_id``, ``sep_id``, ``mask_id``: ids of the special tokens, or None; all are in
    ``special_ids``. Raises ValueError for a vocabulary without ``[UNK]``, and for one with a token
    twice.
    """

    def __init__(
        self,
        tokens: Iterable[str],
        lowercase: bool = True,
        strip_accents: bool | None = None,
        *,
        tokenize_chinese_chars: bool = True,
        added: Iterable[str | Added] = (),
    ) -> None:
        tokens, self.added = list(tokens), added_of(added)
        known = set(tokens)
        self.tokens = [*tokens, *(new.content for new in self.added if new.content not in known)]
        self.lowercase, self.tokenize_chinese_chars = bool(lowercase), bool(tokenize_chinese_chars)
        self.strip_accents = self.lowercase if strip_accents is None else bool(strip_accents)
        self.ids = numbered(self.tokens)
        if UNK not in self.ids:
            raise ValueError(f"a WordPiece vocabulary needs {UNK!r}, not so {self!r:.200}")
        self.unk_id, named = self.ids[UNK], map(self.ids.get, (PAD, CLS, SEP, MASK))
        self.pad_id, self.cls_id, self.sep_id, self.mask_id = named
        specials = [Added(token, True, False) for token in SPECIALS if token in self.ids]
        found = {token.content: token for token in (*specials, *self.added)}.values()
        self.special_ids = frozenset(self.ids[one.content] for one in found if one.special)
        self._pieces = {token: i for i, token in enumerate(tokens)}  # what words are cut into
        self.continues = np.zeros(len(self.tokens), bool)
        self.continues[: len(tokens)] = [token.startswith(GOES_ON) for token in tokens]
        self._longest = max(map(len, tokens), default=0)
        self._words, self._chunks = Cache(self._cut), Cache(self._encode_chunk)
        self._places = Cache(self._place_chunk)
        case: dict[str, Any] = {"lowercase": self.lowercase, "strip_accents": self.strip_accents}
        search, align = partial(basic.searchable, **case), partial(basic.align, **case)
        self._finder = Finder(found, self.ids, search, align)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        size: int,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        *,
        min_count: int = 2,
        alphabet: int = 1000,
    ) -> Self:
        """Learn a vocabulary of at most ``size`` tokens from ``texts`` (strings; any iterable).

        It starts from single characters and merges the pair of neighbouring pieces that is seen
        most often (at least ``min_count`` times), as Hugging Face's trainer does; of equal counts,
        the pair of older tokens comes first. The recipe of the published vocabularies was never
        released: Schuster & Nakajima (2012) merge by the gain in likelihood. The score count(ab) /
        (count(a) count(b)), taught in many courses, prefers the rarest pairs.

        Words with others than the ``alphabet`` most frequent characters are left out. Ids: the
        specials, all these characters, those that continue a word (``##``), both sorted, then the
        merges. Raises ValueError when ``size`` leaves no room for characters, and for a text that
        is no string.
        """
        counts = _count(texts, lowercase, lowercase if strip_accents is None else strip_accents)
        spelled, known = merges.continued(counts, alphabet)
        inner = {piece for word in spelled for piece in word[1:]}
        tokens = [*SPECIALS, *sorted(known), *sorted(inner)]
        if size < len(tokens):
            raise ValueError(
                f"size must be at least {len(tokens)} for {len(SPECIALS)} specials and the "
                f"characters of these texts (or set alphabet below {len(known)}), got {size}"
            )
        vocabulary = dict.fromkeys(tokens)
        for *_, joined in merges.learn(spelled, tokens, merges.join, min_count):
            if len(vocabulary) >= size:
                break
            vocabulary[joined] = None
        return cls(vocabulary, lowercase, strip_accents)

    def __getitem__(self, token: str) -> int:
        """The id of ``token``; that of ``[UNK]`` for an unknown one."""
        return self.ids.get(token, self.unk_id)

    def __repr__(self) -> str:
        case = "uncased" if self.lowercase else "cased"
        return f"WordPiece({len(self):,} tokens, {case}: {', '.join(self.tokens[:8])} ...)"

    def __reduce__(self) -> tuple:
        chinese, added = self.tokenize_chinese_chars, self.added
        make = partial(WordPiece, tokenize_chinese_chars=chinese, added=added)
        return make, (list(self._pieces), self.lowercase, self.strip_accents)  # without the caches

    @overload
    def encode(self, text: str, *, specials: bool = ...) -> list[int]: ...
    @overload
    def encode(self, text: str, offsets: Literal[True], specials: bool = ...) -> Placed: ...
    def encode(
        self, text: str, offsets: bool = False, specials: bool = False
    ) -> list[int] | Placed:
        """Ids of the pieces of ``text``; no special tokens are added.

        With ``offsets=True`` also a list of (start, end): the characters of ``text`` that each
        piece stands for. ``[MASK]`` and other special tokens in ``text`` are plain text, unless
        ``specials=True``. Raises ValueError for anything but a string.
        """
        if not isinstance(text, str):
            raise ValueError(f"expected a string to encode, got {type(text).__name__}")
        if specials or self._finder.any():
            return self._encode_stretches(text, specials, offsets)
        if offsets:
            return self._encode_places(text)
        return list(chain.from_iterable(map(self._chunks.__getitem__, basic.CHUNK.findall(text))))

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """`encode` for each of ``texts``; one string is one text."""
        return [self.encode(one) for one in ([texts] if isinstance(texts, str) else texts)]

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """The text of ``ids`` (a sequence of int, an array or a tensor of one dimension).

        Pieces are joined, with spaces as people write them; what `basic.normalise` removed is not
        restored. Encoding the text of encoded ids gives the same ids, except for ``[UNK]``.
        Raises ValueError for an id that the vocabulary does not have.
        """
        words = []
        for i in checked(ids, len(self)):
            token = self.tokens[i]
            if i in self.special_ids:
                words += [] if skip_special_tokens else [token]
            elif words and self.continues[i]:
                words[-1] += token.removeprefix(GOES_ON)
            else:
                words.append(token)
        return basic.join(words)

    def pair(
        self, a: TextOrIds, b: TextOrIds | None = None, max_length: int | None = None
    ) -> dict[str, list[int]]:
        """``[CLS] a [SEP]`` or ``[CLS] a [SEP] b [SEP]`` as BERT reads it (the paper's figure 2).

        Returns ``input_ids`` and ``token_type_ids``, 0 up to the first ``[SEP]`` and 1 after it.
        Above ``max_length`` ids, pieces are cut off the end of the longer part (of ``b`` at equal
        length), as in google-research/bert. Raises ValueError where the vocabulary has no ``[CLS]``
        or ``[SEP]``, and for a ``max_length`` below the number of special tokens.
        """
        if self.cls_id is None or self.sep_id is None:
            raise ValueError(f"a pair needs {CLS} and {SEP}, which this vocabulary lacks: {self}")
        a = self.encode(a) if isinstance(a, str) else list(a)
        second = [] if b is None else self.encode(b) if isinstance(b, str) else list(b)
        frame = 2 if b is None else 3
        if max_length is not None:
            if max_length < frame:
                raise ValueError(f"max_length must be at least {frame}, got {max_length}")
            a, second = cut_pair(a, second, max_length - frame)
        first = [self.cls_id, *a, self.sep_id]
        rest = [] if b is None else [*second, self.sep_id]
        types = [0] * len(first) + [1] * len(rest)
        return {"input_ids": first + rest, "token_type_ids": types}

    def save(self, path: str | Path) -> None:
        """Write ``vocab.txt``, UTF-8, the line number (from 0) being the id, and, beside it,
        ``tokenizer_config.json`` with the rest (see `minibert.text.tokenizer_files`).

        Raises ValueError for a token that one line cannot hold.
        """
        from minibert.text.tokenizer_files import save_settings

        for token in self._pieces:
            check_line(token, "\n\r")
        write(path, "".join(f"{token}\n" for token in self._pieces).encode("utf-8"))
        accents = None if self.strip_accents == self.lowercase else self.strip_accents
        settings = {
            "do_lower_case": self.lowercase,
            "strip_accents": accents,
            "tokenize_chinese_chars": self.tokenize_chinese_chars,
            "tokenizer_class": "BertTokenizer",
        }
        save_settings(path, settings, self.added, self.ids)

    @classmethod
    def load(
        cls, path: str | Path, lowercase: bool | None = None, strip_accents: bool | None = None
    ) -> Self:
        """Read a ``vocab.txt``, a published one or what `save` wrote, or a ``tokenizer.json``.

        The settings and added tokens beside it are read too; ``lowercase`` and ``strip_accents``
        overrule them. Where nothing says, it is uncased. Raises FileNotFoundError; ValueError with
        the file's name for a damaged one, and for whatever asks for another tokenizer than this
        one.
        """
        from minibert.text.tokenizer_files import read_wordpiece

        tokens, options = read_wordpiece(Path(path))
        if lowercase is not None:
            options |= {"lowercase": lowercase, "strip_accents": strip_accents}
        elif strip_accents is not None:
            options["strip_accents"] = strip_accents
        try:
            return cls(tokens, **options)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def _cut(self, word):
        """The ids of one word: from the left, the longest piece each time; else one ``[UNK]``."""
        if len(word) > LONGEST:
            return [self.unk_id]
        ids, start = [], 0
        while start < len(word):
            mark = GOES_ON if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                piece = self._pieces.get(mark + word[start:end])
                if piece is not None:
                    break
            else:
                return [self.unk_id]
            ids.append(piece)
            start = end
        return ids

    def _encode_chunk(self, chunk):
        """The ids of a stretch of text without white space."""
        words = basic.words(chunk, self.lowercase, self.strip_accents, self.tokenize_chinese_chars)
        return [i for word in words for i in self._words[word]]

    def _place_chunk(self, chunk):
        """The ids of a stretch without white space, and where their characters are in it."""
        options = self.lowercase, self.strip_accents
        origin = basic.align(chunk, *options)
        pattern = basic.WORD if self.tokenize_chinese_chars else basic.SIGNED_WORD
        ids, places = [], []
        for match in pattern.finditer(basic.normalise(chunk, *options)):
            pieces = self._words[match[0]]
            start, end = match.span()
            for i in pieces:
                length = len(self.tokens[i].removeprefix(GOES_ON))
                stop = end if i == self.unk_id else start + length
                ids.append(i)
                places.append((origin[start], origin[stop - 1] + 1))
                start = stop
        return ids, places

    def _encode_places(self, text):
        ids, places = [], []
        for match in basic.CHUNK.finditer(text):
            pieces, inside = self._places[match[0]]
            ids += pieces
            base = match.start()
            places += [(base + start, base + end) for start, end in inside]
        return ids, places

    def _encode_stretches(self, text, specials, offsets):
        """`encode` with the added tokens in ``text`` (special ones if asked for) taken whole."""
        ids, places = [], []
        for start, end, found in self._finder.cut(text, specials):
            inner, spans = [found], [(0, end - start)]
            if found is None:
                inner, spans = self._encode_places(text[start:end])
            ids += inner
            places += [(start + a, start + b) for a, b in spans]
        return (ids, places) if offsets else ids


def _count(texts, lowercase, strip_accents):
    """How often each word of ``texts`` occurs, a Counter; words that are too long are left out."""
    counts = Counter()
    for chunk, n in merges.counted(texts, basic.CHUNK.findall).items():
        for word in basic.words(chunk, lowercase, strip_accents):
            if len(word) <= LONGEST:
                counts[word] += n
    return counts
