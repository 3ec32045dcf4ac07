"""Batches for a language model that reads sentences in both directions."""

import numpy as np
import torch

from minibert.text.batches import IGNORE, Batches
from minibert.text.characters import BOS, EOS, LENGTH, Spellings, check_sentences


class BidirectionalBatches(Batches):
    """Sentences as two streams: one as they are, and one with each sentence reversed.

    A sentence w1 ... wn is read as ``<S> w1 ... wn`` with the targets ``w1 ... wn </S>``, and
    backwards as ``</S> wn ... w1`` with the targets ``wn ... w1 <S>`` (as in the authors' program):
    n + 1 targets in each direction. Both streams are cut into ``batch_size`` lanes, ``bptt`` words
    at a time, and lane b of a batch continues lane b of the one before, so that a recurrent model
    can carry its state over.

    A batch has ``input_ids targets backward_ids backward_targets``, int64 (batch_size, length),
    with -100 as target past the end of the text, and ``reset``, True on an epoch's first batch.
    ``spelled=True``: ``input_ids`` and ``backward_ids`` are rows of ``characters``, the symbols
    (words, 50) of the different words of this batch, so that an input is never unknown.

    ``sentences``: lists of words. ``vocab``: a `Vocab` with ``<S>`` and ``</S>`` (and ``<unk>``).
    """

    SETTINGS = ("batch_size", "bptt", "spelled", "targets")

    def __init__(self, sentences, vocab, batch_size, bptt, *, spelled=True, length=LENGTH, seed=0):
        super().__init__(seed)
        missing = [mark for mark in (BOS, EOS) if mark not in vocab]
        if missing:
            raise ValueError(f"the vocabulary needs {BOS} and {EOS}; it lacks {missing}")
        if batch_size < 1 or bptt < 1:
            raise ValueError(f"expected batch_size and bptt above 0, got {batch_size} and {bptt}")
        check_sentences(sentences)
        self.batch_size, self.bptt, self.spelled = batch_size, bptt, spelled
        self.spellings = Spellings([BOS, EOS], length) if spelled else None
        ids, offsets = vocab.encode_corpus(sentences)
        words = self._spelled(sentences) if spelled else ids
        marks = self.spellings.encode([BOS, EOS]) if spelled else [vocab[BOS], vocab[EOS]]
        self.arrays = {  # name -> int array (targets,)
            "input_ids": np.insert(words, offsets[:-1], marks[0]),
            "targets": np.insert(ids, offsets[1:], vocab[EOS]),
            "backward_ids": np.insert(_turned(words, offsets), offsets[:-1], marks[1]),
            "backward_targets": np.insert(_turned(ids, offsets), offsets[1:], vocab[BOS]),
        }
        self.targets = len(ids) + len(offsets) - 1  # in each direction
        self.length = -(-self.targets // batch_size)  # of each lane

    def _spelled(self, sentences):
        rows = [self.spellings.encode(words) for words in sentences]
        return np.concatenate([np.array(row, np.int64) for row in rows])

    def plan(self, epoch):
        """Windows (start, stop) in each lane."""
        starts = range(0, self.length, self.bptt)
        return [(start, min(start + self.bptt, self.length)) for start in starts]

    def __len__(self):
        return -(-self.length // self.bptt)

    def collate(self, entry, rng):
        start, stop = entry
        places = np.arange(self.batch_size)[:, None] * self.length + np.arange(start, stop)
        real = places < self.targets  # (batch_size, length)
        places = np.minimum(places, self.targets - 1)
        batch = {name: array[places].astype(np.int64) for name, array in self.arrays.items()}
        for name in ("targets", "backward_targets"):
            batch[name][~real] = IGNORE
        batch = {name: torch.from_numpy(array) for name, array in batch.items()}
        if self.spelled:
            self._share_words(batch)
        return {**batch, "reset": start == 0}

    def _share_words(self, batch):
        """Number the words of a batch from 0, and add the symbols of each."""
        both = torch.stack((batch["input_ids"], batch["backward_ids"]))
        words, rows = torch.unique(both, return_inverse=True)
        batch["input_ids"], batch["backward_ids"] = rows
        batch["characters"] = self.spellings.table[words]  # (words, symbols)


def _turned(ids, offsets):
    """The same words with each sentence reversed."""
    places = np.arange(len(ids))
    sizes = np.diff(offsets)
    ends = np.repeat(offsets[:-1] + offsets[1:] - 1, sizes)  # first + last position of the sentence
    return ids[ends - places]
