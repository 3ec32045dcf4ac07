"""Windows over sentences: the pairs of words that word2vec learns from."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from minibert.text.batches import Batches
from minibert.text.vocab import Texts, Vocab

Two = tuple[np.ndarray, np.ndarray]


def keep_probability(counts: Sequence[float] | np.ndarray, subsample: float) -> np.ndarray:
    """The probability of keeping each word, min(1, sqrt(t / f) + t / f), float64 (V,).

    f is the word's share of ``counts`` and t is ``subsample``; 0 keeps all. So the authors'
    program; equation 5 of Mikolov et al. 2013b lacks the second summand, and keeps fewer words.
    """
    counts = np.asarray(counts, float)
    if not subsample:
        return np.ones_like(counts)
    ratio = subsample * counts.sum() / np.maximum(counts, 1e-9)  # t / f
    return np.minimum(1.0, np.sqrt(ratio) + ratio)


def word_counts(vocab: Vocab) -> np.ndarray:
    """The counts of a vocabulary, with 0 for its specials, which are not words: int64 (V,)."""
    counts = vocab.counts.copy()
    counts[[vocab[token] for token in vocab.specials]] = 0
    return counts


def known_words(vocab: Vocab, sentences: Texts) -> Two:
    """Ids and sentences of the known words, int (words,); windows reach over unknown ones."""
    ids, offsets = vocab.encode_corpus(sentences)
    sentence = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    known = np.ones(len(vocab), bool)
    known[[vocab[token] for token in vocab.specials]] = False
    return ids[known[ids]], sentence[known[ids]]


def pairs(ids: np.ndarray, sentence: np.ndarray, reach: np.ndarray) -> Two:
    """The positions (centre, context) of all pairs: two int64 arrays.

    Given (n,) each: ``ids``; ``sentence``, which no pair leaves; ``reach``, each centre's own
    window.
    """
    places = np.arange(len(ids))
    centres, contexts = [], []
    for distance in range(1, int(reach.max(initial=0)) + 1):
        left, right = places[:-distance], places[distance:]
        inside = sentence[left] == sentence[right]
        for centre, context in ((left, right), (right, left)):
            taken = inside & (reach[centre] >= distance)
            centres.append(centre[taken])
            contexts.append(context[taken])
    if not centres:
        return places[:0], places[:0]
    return np.concatenate(centres), np.concatenate(contexts)


class WindowBatches(Batches):
    """Batches for `minibert.Word2Vec`: inputs (``input_ids``) and what they predict (``targets``).

    Windows do not cross the sentences' ends. Each epoch thins out frequent words, draws a reach
    from 1 to ``window`` for every centre, and shuffles, all from ``seed`` and the epoch's number.
    Skip-gram: ``input_ids`` (batch, 1) is the centre, ``targets`` (batch,) one context word. CBOW:
    ``input_ids`` (batch, 2 * window) is the context, padded, ``targets`` the centre.
    ``attention_mask``: 1 at inputs.
    """

    SETTINGS = ("tokens", "mode", "window", "batch_size")

    def __init__(
        self,
        vocab: Vocab,
        sentences: Texts,
        mode: str = "skipgram",
        window: int = 5,
        *,
        subsample: float = 1e-3,
        batch_size: int = 1024,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        self.mode, self.window, self.batch_size = mode, window, batch_size
        self.ids, self.sentence = known_words(vocab, sentences)  # (words,) each
        self.keep = keep_probability(word_counts(vocab), subsample)
        self._made: tuple[Any, ...] = (None,)  # (epoch, inputs, targets) once they are drawn
        self.tokens = len(self.ids)

    @classmethod
    def of(cls, model: Any, sentences: Texts, batch_size: int = 1024, seed: int = 0) -> Self:
        """The batches that fit a model's configuration."""
        c = model.config
        options = {"subsample": c.subsample, "batch_size": batch_size, "seed": seed}
        return cls(model.vocab, sentences, c.mode, c.window, **options)

    def plan(self, epoch: int) -> list[Two]:
        """Pairs (inputs, targets): views of the arrays that were drawn for this epoch."""
        if self._made[0] != epoch:
            self._made = (epoch, *self._guesses(epoch))
        _, inputs, targets = self._made
        if not len(targets):
            raise ValueError("the sentences give no pair of words: expected two words or more")
        starts = range(0, len(targets), self.batch_size)
        return [(inputs[i : i + self.batch_size], targets[i : i + self.batch_size]) for i in starts]

    def _guesses(self, epoch):
        """inputs (guesses, width), -1 where there is none, and targets (guesses,), shuffled."""
        rng = self.rng(epoch)
        kept = rng.random(len(self.ids)) < self.keep[self.ids]
        ids, sentence = self.ids[kept].astype(np.int64), self.sentence[kept]
        reach = rng.integers(1, self.window + 1, len(ids))
        centre, context = pairs(ids, sentence, reach)
        if self.mode == "skipgram":
            inputs, targets = ids[centre][:, None], ids[context]
        else:
            inputs = np.full((len(ids), 2 * self.window), -1)
            away = context - centre
            inputs[centre, away + self.window - (away > 0)] = ids[context]
            used = (inputs >= 0).any(1)
            inputs, targets = inputs[used], ids[used]
        order = rng.permutation(len(targets))
        return inputs[order], targets[order]

    def collate(self, entry: Two, rng: np.random.Generator) -> dict[str, Tensor]:
        rows, targets = map(torch.from_numpy, entry)
        batch = {"input_ids": rows.clamp(min=0), "attention_mask": (rows >= 0).long()}
        return {**batch, "targets": targets}
