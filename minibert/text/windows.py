"""Windows over sentences: the pairs of words that word2vec learns from."""

import numpy as np
import torch

from minibert.text.batches import Batches


def keep_probability(counts, subsample):
    """The probability of keeping each word, min(1, sqrt(t / f) + t / f), float64 (V,).

    f is the word's share of ``counts`` and t is ``subsample``; 0 keeps all. The authors' program
    does this, and so do gensim and fastText. Equation 5 of Mikolov et al. 2013b (the probability of
    discarding) lacks the second summand, and keeps fewer words.
    """
    counts = np.asarray(counts, float)
    if not subsample:
        return np.ones_like(counts)
    ratio = subsample * counts.sum() / np.maximum(counts, 1e-9)  # t / f
    return np.minimum(1.0, np.sqrt(ratio) + ratio)


def word_counts(vocab):
    """The counts of a vocabulary, with 0 for its specials, which are not words: int64 (V,)."""
    counts = vocab.counts.copy()
    counts[[vocab[token] for token in vocab.specials]] = 0
    return counts


def known_words(vocab, sentences):
    """The words of a text that a vocabulary knows: ids, and the sentence of each, int (words,).

    ``sentences``: strings or lists of tokens. Unknown words are left out before windows are formed,
    as in the authors' program, so that a window reaches over them.
    """
    ids, offsets = vocab.encode_corpus(sentences)
    sentence = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    known = np.ones(len(vocab), bool)
    known[[vocab[token] for token in vocab.specials]] = False
    return ids[known[ids]], sentence[known[ids]]


def pairs(ids, sentence, reach):
    """The positions (centre, context) of all pairs: two int64 arrays.

    ``ids``: (n,), only its length matters. ``sentence``: (n,), which sentence each token is in;
    a pair never crosses from one into the next. ``reach``: (n,), each centre's own window.
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

    vocab: gives the ids, and the counts for subsampling. sentences: strings or lists of tokens;
    windows do not cross their ends. Each epoch thins out frequent words, draws a reach from 1 to
    ``window`` for every centre, and shuffles, all from ``seed`` and the epoch's number.

    Skip-gram: ``input_ids`` (batch, 1) is the centre, ``targets`` (batch,) one context word. CBOW:
    ``input_ids`` (batch, 2 * window) is the context, padded, ``targets`` the centre.
    ``attention_mask`` is 1 at real inputs.
    """

    SETTINGS = ("tokens", "mode", "window", "batch_size")

    def __init__(
        self,
        vocab,
        sentences,
        mode="skipgram",
        window=5,
        *,
        subsample=1e-3,
        batch_size=1024,
        seed=0,
    ):
        super().__init__(seed)
        self.mode, self.window, self.batch_size = mode, window, batch_size
        self.ids, self.sentence = known_words(vocab, sentences)  # (words,) each
        self.keep = keep_probability(word_counts(vocab), subsample)
        self.tokens, self._made = len(self.ids), None

    @classmethod
    def of(cls, model, sentences, batch_size=1024, seed=0):
        """The batches that fit a model's configuration."""
        c = model.config
        options = {"subsample": c.subsample, "batch_size": batch_size, "seed": seed}
        return cls(model.vocab, sentences, c.mode, c.window, **options)

    def plan(self, epoch):
        """Pairs (inputs, targets): views of the arrays that were drawn for this epoch."""
        if self._made is None or self._made[0] != epoch:
            self._made = (epoch, *self._guesses(epoch))
        _, inputs, targets = self._made
        if not len(targets):
            raise ValueError(
                "the sentences give no pair of words: expected some of two words or more"
            )
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

    def collate(self, entry, rng):
        inputs, targets = entry
        rows = torch.from_numpy(inputs)
        return {
            "input_ids": rows.clamp(min=0),
            "attention_mask": (rows >= 0).long(),
            "targets": torch.from_numpy(targets),
        }
