"""The first language models: counts of n-grams, and a small LSTM over words.

They share one task. A text is a stream of tokens (`minibert.world.Corpus.tokens`), and a model
gives each token a probability from the ones before it; before the first stands the end of a
document. A token that is not in the vocabulary is read as ``<new>``, and its letters are paid for
(`spelling`), so that every text has a probability and totals can be held against the exact floor.
"""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from minibert.text import BPTTBatches, Vocab
from minibert.text.inputs import IGNORE, check_ids, whole_mask
from minibert.training.loop import fit
from minibert.training.modes import evaluating
from minibert.world.document import EOD

NEW = "<new>"  # a word that the vocabulary lacks; its spelling follows


def vocabulary(tokens, min_count=2):
    """A cased `Vocab` of the tokens seen ``min_count`` times or more, and ``<new>`` for others."""
    known = [t for t, n in Counter(tokens).items() if n >= min_count and t != EOD]
    return Vocab([NEW, EOD, *sorted(known)], specials=(NEW, EOD))


def encode(tokens, vocab):
    """Ids of a stream of tokens, int64 (length,); unknown ones become ``<new>``."""
    return np.array([vocab.ids.get(token, vocab.ids[NEW]) for token in tokens], np.int64)


class Spelling:
    """The price of a word's letters: each letter's share among the words known, plus an end.

    Laplace's rule over the 256 bytes and the end, so that every string has a probability and all
    of them together have at most one.
    """

    END = 256

    def __init__(self, vocab):
        letters = np.ones(257)
        for token in vocab.tokens:
            for byte in token.encode():
                letters[byte] += 1
            letters[self.END] += 1
        self.cost = -np.log(letters / letters.sum())

    def __call__(self, token):
        """Nats that the letters of ``token`` cost."""
        return math.fsum(self.cost[[*token.encode(), self.END]])


def costs(model, tokens, vocab):
    """Nats that each token of a stream costs a model, float64 (length,).

    ``model.log_probs(ids)`` gives the natural logarithms of the ids' probabilities; a token that
    ``vocab`` lacks costs ``<new>`` and its letters.
    """
    ids = encode(tokens, vocab)
    paid, letters = -model.log_probs(ids), Spelling(vocab)
    for place in np.flatnonzero(ids == vocab.ids[NEW]):
        paid[place] += letters(tokens[place])
    return paid


class NGram:
    """An interpolated n-gram model (Witten & Bell 1991, method C); ``order`` 1 is a unigram.

    With c(h w) the times that w came after the words h, T(h) the number of different words
    that did, and h' the words h without the first::

        p(w | h) = (c(h w) + T(h) p(w | h')) / (c(h) + T(h))

    It ends in the uniform distribution 1 / V, so no probability is zero and all V of them sum to
    one. ``ids``: int (length,), the training text; ``size``: V; ``start``: the id of ``<eod>``.
    """

    def __init__(self, ids, size, order=3, start=1):
        if order < 1 or not len(ids):
            raise ValueError(
                f"expected order >= 1 and a text, got order={order}, {len(ids)} tokens"
            )
        if size**order > 2**63:
            raise ValueError(f"{size} words to the power of {order} are more than 64 bits hold")
        self.size, self.order, self.start = size, order, start
        self.tables = []  # one a length of history: (n-grams, counts), (histories, c, T)
        for length in range(order):
            grams, counts = np.unique(self._keys(ids, length), return_counts=True)
            histories, first = np.unique(grams // size, return_index=True)
            seen = np.add.reduceat(counts, first)
            kinds = np.diff(np.append(first, len(grams)))
            self.tables.append(((grams, counts), (histories, seen, kinds)))

    def _keys(self, ids, length):
        """Each token and the ``length`` before it as one number, int64 (tokens,)."""
        padded = np.concatenate([np.full(length, self.start), np.asarray(ids, np.int64)])
        keys = np.zeros(len(ids), np.int64)
        for back in range(length, -1, -1):
            keys = keys * self.size + padded[length - back : len(padded) - back]
        return keys

    def log_probs(self, ids):
        """log p of every token of a text given those before it, float64 (length,)."""
        p = np.full(len(ids), 1 / self.size)
        for length in range(self.order):
            p = self._step(self._keys(ids, length), length, p)
        return np.log(p)

    def distribution(self, context):
        """p of every word after the ids ``context``, float64 (V,)."""
        padded = [self.start] * self.order + list(context)
        p = np.full(self.size, 1 / self.size)
        for length in range(self.order):
            history = 0
            for word in padded[len(padded) - length :]:
                history = history * self.size + word
            p = self._step(history * self.size + np.arange(self.size), length, p)
        return p

    def _step(self, keys, length, shorter):
        """p with a history of ``length`` words from p with one word less."""
        (grams, counts), (histories, seen, kinds) = self.tables[length]
        together = _look_up(grams, counts, keys)
        total = _look_up(histories, seen, keys // self.size)
        different = _look_up(histories, kinds, keys // self.size)
        weight = np.maximum(total + different, 1)
        return np.where(total > 0, (together + different * shorter) / weight, shorter)


def _look_up(keys, values, wanted):
    """The value of each wanted key, 0 where it is missing; ``keys`` are sorted."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)


@dataclass
class LSTMConfig:
    """``vocab_size`` words, vectors and states of ``dim`` numbers, ``start`` the id of <eod>."""

    vocab_size: int
    dim: int = 128
    dropout: float = 0.0
    start: int = 1


class LSTMLanguageModel(nn.Module):
    """Vectors, one LSTM layer, and a softmax over all words that shares the vectors.

    (Hochreiter & Schmidhuber 1997; weights tied as in Press & Wolf 2017.) It carries its state from
    batch to batch, as `BPTTBatches` wants it.
    """

    def __init__(self, config):
        super().__init__()
        self.config, self.state = config, None
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.lstm = nn.LSTM(config.dim, config.dim, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.dim, config.vocab_size)
        nn.init.normal_(self.embedding.weight, std=config.dim**-0.5)
        nn.init.zeros_(self.output.bias)
        self.output.weight = self.embedding.weight
        with torch.no_grad():  # at first, remember: the second quarter is the forget gate's
            self.lstm.bias_ih_l0[config.dim : 2 * config.dim] = 1.0

    def forward(self, input_ids, state=None):
        """(batch, length) ids -> logits (batch, length, V) of the next words, and the state."""
        whole_mask(input_ids)
        check_ids(input_ids, self.config.vocab_size)
        x = self.dropout(self.embedding(input_ids))  # (batch, length, dim)
        x, state = self.lstm(x, state)
        return self.output(self.dropout(x)), state

    def loss(self, batch):
        """(sum of cross-entropies in nats, number of targets)."""
        logits, state = self(batch["input_ids"], None if batch["reset"] else self.state)
        self.state = tuple(part.detach() for part in state)
        flat, targets = logits.flatten(0, 1), batch["targets"].flatten()
        loss = F.cross_entropy(flat, targets, ignore_index=IGNORE, reduction="sum")
        return loss, int((targets != IGNORE).sum())

    def stream_state(self):
        """The state carried between batches."""
        return self.state

    def load_stream_state(self, state):
        self.state = state

    def log_probs(self, ids, chunk=1000):
        """log p of every token of a text given those before it, float64 (length,)."""
        text = torch.as_tensor(np.concatenate([[self.config.start], ids]))[None]
        text = text.to(self.embedding.weight.device)
        found, state = [], None
        with evaluating(self):
            for at in range(0, len(ids), chunk):
                logits, state = self(text[:, at : min(at + chunk, len(ids))], state)
                targets = text[:, at + 1 : at + 1 + chunk, None]
                log_p = logits.double().log_softmax(-1)  # (1, chunk, V)
                found.append(log_p.gather(-1, targets)[0, :, 0].cpu())
        return torch.cat(found).numpy() if found else np.zeros(0)

    def distribution(self, context):
        """p of every word after the ids ``context``, float64 (V,)."""
        text = torch.tensor([[self.config.start, *context]], device=self.embedding.weight.device)
        with evaluating(self):
            return self(text)[0][0, -1].double().softmax(-1).cpu().numpy()


def train_lstm(
    ids, size, dim=128, epochs=3, *, rate=1e-2, batch_size=8, bptt=16, seed=0, **options
):
    """An `LSTMLanguageModel` trained on a stream of ids; returns it and its history."""
    from minibert.training.optim import adamw, linear

    torch.manual_seed(seed)
    model = LSTMLanguageModel(LSTMConfig(size, dim))
    batches = BPTTBatches(np.concatenate([[1], ids]), batch_size, bptt)
    steps = epochs * len(batches)
    schedule = linear(steps, warmup=min(50, steps // 10))
    options.setdefault("optimizer", adamw(model, rate))
    history = fit(model, batches, epochs=epochs, schedule=schedule, **options)
    return model, history
