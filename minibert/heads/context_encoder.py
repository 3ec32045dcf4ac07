"""A frozen language model's layers beside the word vectors of a task model.

Peters et al. (2018), section 3.3: leave the task model as it is, and give it [x; ELMo] in place of
a word vector x; for some tasks also [h; ELMo] in place of the output h of its recurrent layer. The
language model is frozen; only one `ScalarMix` for each of these two uses is learned.
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from minibert.models.dropout import Dropout
from minibert.models.elmo.parts import ScalarMix

PLACES = ("input", "output")


class Remembered(nn.Module):
    """The layers of a frozen model for the words of given sentences, computed once.

    A frozen model gives the same vectors in every epoch, so they are kept: ``table``, a tensor
    (layers, 1 + words, width) with zeros in row 0, which stands for padding. `of` makes one.
    """

    def __init__(self, table):
        super().__init__()
        self.register_buffer("table", table, persistent=False)
        self.layers, _, self.width = table.shape

    @classmethod
    def of(cls, model, sentences, batch_size=64):
        """Read sentences (lists of words); returns (`Remembered`, the rows of each sentence).

        ``model`` has ``encode(sentences)``, as `minibert.ELMo`. Sentence i is found under the ids
        ``rows[i]``, a list of int as long as the sentence.
        """
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        rows, found, at = [None] * len(sentences), [], 1
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            out = model.encode([sentences[i] for i in chosen])
            layers = torch.stack(out.hidden_states)  # (layers, batch, length, width)
            for row, i in enumerate(chosen):
                length = len(sentences[i])
                found.append(layers[:, row, :length])
                rows[i] = list(range(at, at + length))
                at += length
        table = torch.cat([torch.zeros_like(found[0][:, :1]), *found], 1)
        return cls(table), rows

    def forward(self, ids):
        """(batch, length) rows -> (layers, batch, length, width)."""
        return self.table[:, ids]


class Live(nn.Module):
    """A frozen model that reads each batch again: for sentences that are not known in advance.

    ``spellings``: a `minibert.text.characters.Spellings`; the ids are its rows, 0 for padding.
    """

    def __init__(self, model, spellings):
        super().__init__()
        self.model, self.spellings = model.requires_grad_(False).eval(), spellings
        self.layers, self.width = model.config.layers + 1, 2 * model.config.projection

    def train(self, mode=True):
        """The language model stays in eval mode: frozen weights, no dropout."""
        super().train(mode)
        self.model.eval()
        return self

    def forward(self, ids):
        """(batch, length) rows -> (layers, batch, length, width)."""
        characters = self.spellings.table.to(ids.device)[ids]  # (batch, length, symbols)
        return torch.stack(self.model(characters, ids > 0).hidden_states)


class ContextEncoder(nn.Module):
    """Word vectors and a bidirectional LSTM, with or without the layers of a frozen model.

    vectors: the start of the word vectors, (V, dim); they are trained. contextual: `Remembered`,
    `Live`, or None. at: where its mix is added, some of "input" and "output". hidden: width of each
    direction. Output: (batch, length, ``width``).
    """

    def __init__(self, vectors, contextual=None, at=("input",), hidden=64, dropout=0.3):
        super().__init__()
        at = (at,) if isinstance(at, str) else tuple(at)
        if unknown := sorted(set(at) - set(PLACES)):
            raise ValueError(f"at names some of {PLACES}, got {unknown[0]!r}")
        self.embedding = nn.Embedding.from_pretrained(vectors.detach().clone(), freeze=False)
        self.contextual = contextual
        at = at if contextual is not None else ()
        self.mixes = nn.ModuleDict({place: ScalarMix(contextual.layers) for place in at})
        more = {place: contextual.width if place in at else 0 for place in PLACES}
        width = vectors.shape[1] + more["input"]
        self.lstm = nn.LSTM(width, hidden, bidirectional=True, batch_first=True)
        self.dropout = Dropout(dropout)
        self.width = 2 * hidden + more["output"]

    def forward(self, input_ids, attention_mask, contextual_ids=None):
        """(batch, length) ids of words, mask, and ids for ``contextual``."""
        layers = None
        if self.mixes:
            if contextual_ids is None:
                raise ValueError("this model mixes in a language model: expected contextual_ids")
            layers = self.contextual(contextual_ids)  # (layers, batch, length, width)
        x = self._with("input", self.embedding(input_ids), layers)
        lengths = attention_mask.sum(1).cpu()
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        h, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=input_ids.shape[1]
        )  # (batch, length, 2 * hidden)
        return self._with("output", h, layers)

    def _with(self, place, x, layers):
        """[x; ELMo], each after dropout."""
        if place in self.mixes:
            x = torch.cat((x, self.mixes[place](layers)), -1)
        return self.dropout(x)


def one_epoch(batches):
    """All batches once, from the first one, whatever the position of ``batches``."""
    return batches.of_epoch(0) if hasattr(batches, "of_epoch") else batches
