"""What BERT is pre-trained on: pairs of texts with masked words, drawn again in each epoch.

It follows Devlin et al. (2019), section 3.1 and appendices A.1 and A.2, and where the paper is
silent, ``create_pretraining_data.py`` of google-research/bert. That program masks ten copies of
each text once; here, the masks are drawn in each epoch (dynamic masking, Liu et al. 2019).
"""

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from minibert.text.batches import IGNORE, Batch, Batches
from minibert.text.mapped import mapped
from minibert.text.tokens import Tokenizer
from minibert.text.wordpiece import MASK, WordPiece

MASKED, SPLIT = 0.15, (0.8, 0.1, 0.1)  # [MASK], a random word, the word itself
SHORT = 0.1  # the share of pairs that are made shorter than necessary
PAIR, SINGLE = 3, 2  # special tokens of [CLS] a [SEP] b [SEP] and of [CLS] a [SEP]
Texts = Iterable[Iterable[str | Sequence[int]]]


class Documents:
    """Documents of sentences of token ids, mapped from a file: they may exceed the memory.

    ``ids``: int32, all tokens. Sentence i is ``ids[starts[i]:starts[i + 1]]``; document d has the
    sentences from ``first[d]`` to before ``first[d + 1]``. Given are lists of sentences, each a
    list of ids or a string that ``tokenizer`` encodes; those without tokens are left out. Raises
    ValueError where no document is left, and for a string in place of a list.
    """

    def __init__(self, documents: Texts, tokenizer: Tokenizer | None = None) -> None:
        lengths, first = array("q"), array("q", [0])
        if isinstance(documents, str):
            raise ValueError("expected documents, each a list of sentences, got one string")

        def sentences():
            for document in documents:
                if isinstance(document, str):
                    raise ValueError("expected a document as a list of sentences, got a string")
                for sentence in document:
                    if isinstance(sentence, str):
                        sentence = tokenizer.encode(sentence)
                    if len(sentence):
                        lengths.append(len(sentence))
                        yield sentence
                if len(lengths) > first[-1]:
                    first.append(len(lengths))

        self.ids, self.first = mapped(sentences()), np.array(first)
        if not len(self.ids):
            raise ValueError("expected at least one document with a token, got none")
        self.starts = np.concatenate([[0], np.cumsum(lengths)])

    def __len__(self) -> int:
        return len(self.first) - 1

    def __repr__(self) -> str:
        sizes = f"{len(self):,} documents, {len(self.starts) - 1:,} sentences"
        return f"Documents({sizes}, {len(self.ids):,} tokens)"


class PretrainingBatches(Batches):
    """Masked words and next sentences: batches for `minibert.heads.Pretraining`.

    max_length: of a sequence, special tokens included. next_sentence: False makes one stretch of
    text a sequence instead of a pair. masked: the share of tokens to predict. split: the shares of
    these that become ``[MASK]``, become a random word, or stay. whole_words: mask all pieces of a
    word or none.

    A batch has ``input_ids``, ``attention_mask``, ``token_type_ids`` and ``labels`` (-100 where
    there is nothing to predict), all (batch, length); with pairs ``next_sentence_label`` (batch,):
    0 where the second text follows the first, 1 where it is from another document. Raises
    ValueError for settings out of range, and for pairs from a single document.
    """

    SETTINGS = tuple("tokens batch_size max_length next_sentence masked split whole_words".split())

    def __init__(
        self,
        documents: Documents | Texts,
        tokenizer: WordPiece,
        batch_size: int = 32,
        max_length: int = 128,
        *,
        next_sentence: bool = True,
        masked: float = MASKED,
        split: Sequence[float] = SPLIT,
        whole_words: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        if not isinstance(documents, Documents):
            documents = Documents(documents, tokenizer)
        self.documents, self.tokenizer = documents, tokenizer
        self.batch_size, self.max_length = batch_size, max_length
        self.next_sentence, self.whole_words = next_sentence, whole_words
        self.masked, self.split = masked, list(split)
        self.tokens = len(documents.ids)
        if batch_size < 1 or max_length < 8:
            told = "batch_size of at least 1 and max_length of at least 8"
            raise ValueError(f"expected {told}, got {batch_size} and {max_length}")
        if not 0 < masked < 1:
            raise ValueError(f"masked must be between 0 and 1, got {masked}")
        if len(split) != 3 or min(split) < 0 or abs(sum(split) - 1) > 1e-9:
            raise ValueError(f"split must be three shares that add up to 1, got {self.split}")
        if next_sentence and len(documents) < 2:
            raise ValueError("a wrong second text is from another document: expected two, got one")
        self._planned: tuple[int | None, list[np.ndarray]] = None, []

    def plan(self, epoch: int) -> list[np.ndarray]:
        """Arrays of pairs (batch, 5): first and past-the-last token of both texts, and label."""
        if self._planned[0] != epoch:
            rng, draw = self.rng(epoch), draw_pairs if self.next_sentence else draw_stretches
            pairs = draw(self.documents, self.max_length, rng)
            pairs = pairs[rng.permutation(len(pairs))]
            cuts = range(self.batch_size, len(pairs), self.batch_size)
            self._planned = epoch, np.split(pairs, cuts)
        return self._planned[1]

    def collate(self, entry: np.ndarray, rng: np.random.Generator) -> Batch:
        tokenizer, ids = self.tokenizer, self.documents.ids
        lengths = [a1 - a0 + b1 - b0 + (PAIR if b1 > b0 else SINGLE) for a0, a1, b0, b1, _ in entry]
        shape = len(entry), max(lengths)
        input_ids = np.full(shape, tokenizer.pad_id, np.int64)
        segments, text = np.zeros(shape, np.int64), np.zeros(shape, bool)
        for row, (a0, a1, b0, b1, _) in enumerate(entry.tolist()):
            end = 1 + a1 - a0
            input_ids[row, 0], input_ids[row, end] = tokenizer.cls_id, tokenizer.sep_id
            input_ids[row, 1:end], text[row, 1:end] = ids[a0:a1], True
            if b1 > b0:
                last = end + 1 + b1 - b0
                input_ids[row, end + 1 : last], text[row, end + 1 : last] = ids[b0:b1], True
                input_ids[row, last] = tokenizer.sep_id
                segments[row, end + 1 : last + 1] = 1
        rates: dict[str, Any] = {n: getattr(self, n) for n in ("masked", "split", "whole_words")}
        hidden, labels = mask_tokens(input_ids, text, tokenizer, rng, **rates)
        real = np.arange(shape[1]) < np.array(lengths)[:, None]  # (batch, length)
        batch = {"input_ids": hidden, "attention_mask": real.astype(np.int64), "labels": labels}
        batch["token_type_ids"] = segments
        if self.next_sentence:
            batch["next_sentence_label"] = entry[:, 4]
        return {name: torch.from_numpy(array) for name, array in batch.items()}


def mask_tokens(
    ids: np.ndarray,
    maskable: np.ndarray,
    tokenizer: WordPiece,
    rng: np.random.Generator,
    *,
    masked: float = MASKED,
    split: Sequence[float] = SPLIT,
    whole_words: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose tokens to be predicted, and hide them (Devlin et al. 2019, section 3.1, task 1).

    ids, maskable: (batch, length). Returns what the model sees, and the labels (-100 where nothing
    is chosen). Of n maskable tokens in a row, ``max(1, round(masked * n))`` are chosen (with
    ``whole_words``, at most that many, in whole words). A random word is never a special token.
    Raises ValueError for a vocabulary without ``[MASK]``.
    """
    if tokenizer.mask_id is None:
        raise ValueError(f"words are hidden by {MASK}, which this vocabulary lacks: {tokenizer}")
    chosen = np.zeros(ids.shape, bool)
    quota = np.maximum(1, np.rint(maskable.sum(1) * masked).astype(int))
    quota[(maskable.sum(1) == 0) | (masked == 0)] = 0
    if whole_words:
        for row in range(len(ids)):
            words = _words(ids[row], maskable[row], tokenizer.continues)
            _choose_words(chosen[row], words, quota[row], rng)
    else:
        chance = np.where(maskable, rng.random(ids.shape), 2.0)
        order = chance.argsort(1)  # the lowest first, what cannot be chosen last
        np.put_along_axis(chosen, order, np.arange(ids.shape[1]) < quota[:, None], 1)
    labels = np.where(chosen, ids, IGNORE)
    fate = rng.random(ids.shape)
    usual = np.setdiff1d(np.arange(len(tokenizer)), list(tokenizer.special_ids))
    random = usual[rng.integers(0, len(usual), ids.shape)]
    seen = np.where(chosen & (fate < split[0]), tokenizer.mask_id, ids)
    swapped = chosen & (fate >= split[0]) & (fate < split[0] + split[1])
    return np.where(swapped, random, seen), labels


def _words(ids, maskable, continues):
    """The positions of each maskable word: a piece with ``##`` belongs to the one before it."""
    words = []
    for place in np.flatnonzero(maskable).tolist():
        if words and continues[ids[place]] and words[-1][-1] == place - 1:
            words[-1].append(place)
        else:
            words.append([place])
    return words


def _choose_words(chosen, words, quota, rng):
    """Mark words in random order, skipping those that are too long for what is left."""
    for i in rng.permutation(len(words)).tolist():
        if len(words[i]) <= quota:
            chosen[words[i]] = True
            quota -= len(words[i])


def draw_pairs(documents: Documents, max_length: int, rng: np.random.Generator) -> np.ndarray:
    """Pairs of texts, half of them with a wrong second: int64 (pairs, 5) of a0, a1, b0, b1, label.

    A stretch of sentences that fills a sequence is cut in two. Half of the time, the second part is
    replaced by sentences of another document; the next stretch then begins with the part that was
    not used. If a document's last sentence is left alone, the one before joins it. A pair that is
    too long loses tokens at random ends. A stretch of a single sentence always gets a wrong second
    text.
    """
    found, starts = [], documents.starts
    for d in range(len(documents)):
        first, end = documents.first[d], documents.first[d + 1]
        at = first
        while at < end:
            room = _room(max_length - PAIR, rng)
            stop = _stretch(starts, at, end, room)
            alone = first < at == end - 1
            at -= alone
            middle = int(rng.integers(at + 1, stop)) if stop - at > 1 else stop
            wrong = middle == stop or rng.random() < 0.5
            if wrong:
                b = _elsewhere(documents, d, room - (starts[middle] - starts[at]), rng)
                after = stop if alone else middle
            else:
                b, after = (starts[middle], starts[stop]), stop
            a, b = _cut((starts[at], starts[middle]), b, max_length - PAIR, rng)
            found.append((*a, *b, int(wrong)))
            at = after
    return np.array(found, np.int64)


def draw_stretches(documents: Documents, max_length: int, rng: np.random.Generator) -> np.ndarray:
    """Stretches of text that fill a sequence, without a second text: int64 (stretches, 5)."""
    found, starts = [], documents.starts
    for d in range(len(documents)):
        at, end = documents.first[d], documents.first[d + 1]
        while at < end:
            stop = _stretch(starts, at, end, _room(max_length - SINGLE, rng))
            a, _ = _cut((starts[at], starts[stop]), (0, 0), max_length - SINGLE, rng)
            found.append((*a, 0, 0, 0))
            at = stop
    return np.array(found, np.int64)


def _room(most, rng):
    """The number of tokens of a stretch: usually as many as there is room for."""
    return int(rng.integers(2, most + 1)) if rng.random() < SHORT else most


def _stretch(starts, at, end, room):
    """Past the last of the sentences from ``at`` on that together have ``room`` tokens or more."""
    reached = int(np.searchsorted(starts[: end + 1], starts[at] + room))
    return min(max(reached, at + 1), end)


def _elsewhere(documents, but, room, rng):
    """Tokens (first, past the last) from a random sentence of another document on."""
    d = int(rng.integers(len(documents) - 1))
    d += d >= but
    first, end = documents.first[d], documents.first[d + 1]
    at = int(rng.integers(first, end))
    return documents.starts[at], documents.starts[_stretch(documents.starts, at, end, max(room, 1))]


def _cut(a, b, room, rng):
    """Two stretches of at most ``room`` tokens; the longer one loses first, at random ends."""
    (a0, a1), (b0, b1) = map(int, a), map(int, b)
    n, m = a1 - a0, b1 - b0
    over = n + m - room
    if over <= 0:
        return (a0, a1), (b0, b1)
    first = min(over, abs(n - m))  # until both are of one length
    from_a = (first if n > m else 0) + (over - first + 1) // 2
    return _shorter(a0, a1, from_a, rng), _shorter(b0, b1, over - from_a, rng)


def _shorter(start, end, count, rng):
    front = int(rng.binomial(count, 0.5))
    return start + front, end - (count - front)
