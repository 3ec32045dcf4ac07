"""A frozen language model's layers beside the word vectors of a task model.

Peters et al. (2018), section 3.3: leave the task model as it is, and give it [x; ELMo] in place of
a word vector x; for some tasks also [h; ELMo] in place of the output h of its recurrent layer. The
language model is frozen; only one `ScalarMix` for each of these two uses is learned.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minibert.heads.head import Marks, Rows, States
from minibert.heads.vector_classifiers import Table, Vectors, recurrent
from minibert.models.dropout import Dropout
from minibert.models.elmo.model import ELMo
from minibert.models.elmo.parts import ScalarMix
from minibert.text.characters import Spellings
from minibert.text.inputs import check_ids, whole_mask

if TYPE_CHECKING:
    from typing import Self  # beartype, which the tests use, does not know it here

PLACES = ("input", "output")
Layers = Float[Tensor, "layers batch length width"]


class Remembered(nn.Module):
    """The layers of a frozen model for the words of given sentences, computed once.

    A frozen model gives the same vectors in every epoch, so they are kept: ``table``, with zeros in
    row 0, which stands for padding. `of` makes one.
    """

    table: Tensor

    def __init__(self, table: Float[Tensor, "layers rows width"]) -> None:
        super().__init__()
        self.register_buffer("table", table, persistent=False)
        self.layers, _, self.width = table.shape

    @classmethod
    def of(
        cls, model: Any, sentences: Sequence[Sequence[str]], batch_size: int = 64
    ) -> tuple["Self", list[list[int]]]:
        """Read sentences (lists of words); returns (`Remembered`, the rows of each sentence).

        ``model`` has ``encode(sentences)``, as `minibert.ELMo`. Sentence i is found under the ids
        ``rows[i]``, as many as it has words.
        """
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        found: list = [None] * len(sentences)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            out = model.encode([sentences[i] for i in chosen])
            layers = torch.stack(out.hidden_states)  # (layers, batch, length, width)
            for row, i in enumerate(chosen):
                found[i] = layers[:, row, : len(sentences[i])]
        ends = accumulate(map(len, sentences), initial=1)
        table = torch.cat([torch.zeros_like(found[0][:, :1]), *found], 1)
        return cls(table), [list(range(*pair)) for pair in pairwise(ends)]

    def forward(self, ids: Rows) -> Layers:
        check_ids(ids, self.table.shape[1])
        return self.table[:, ids]


class Live(nn.Module):
    """A frozen model that reads each batch again: for sentences that are not known in advance.

    ``spellings``: the words whose rows are the ids, by default none yet; 0 is padding.
    """

    def __init__(self, model: ELMo, spellings: Spellings | None = None) -> None:
        super().__init__()
        self.model, self.settings = model.requires_grad_(False).eval(), dict[str, Any]()
        self.spellings = spellings or Spellings(length=model.config.max_characters)
        self.layers, self.width = model.config.layers + 1, 2 * model.config.projection

    def train(self, mode: bool = True) -> "Self":
        """The language model stays in eval mode: frozen weights, no dropout."""
        super().train(mode)
        self.model.eval()
        return self

    def forward(self, ids: Rows) -> Layers:
        check_ids(ids, len(self.spellings))
        characters = self.spellings.table.to(ids.device)[ids]  # (batch, length, symbols)
        return torch.stack(self.model(characters, ids > 0).hidden_states)


class ContextEncoder(nn.Module):
    """Word vectors and a bidirectional LSTM, with or without the layers of a frozen model.

    vectors: the start of the word vectors, (V, dim), or a `Table` of them with its vocabulary; they
    are trained. contextual: `Remembered`, `Live`, or None. at: where its mix is added, some of
    "input" and "output". hidden: width of each direction.
    """

    def __init__(
        self,
        vectors: Vectors | Sequence[int] | Table,
        contextual: Remembered | Live | None = None,
        at: str | Sequence[str] = ("input",),
        hidden: int = 64,
        *,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        at = (at,) if isinstance(at, str) else tuple(at)
        if unknown := sorted(set(at) - set(PLACES)):
            raise ValueError(f"at names some of {PLACES}, got {unknown[0]!r}")
        table = vectors if isinstance(vectors, Table) else Table(vectors)
        self.embedding, self.vocab, self.contextual = table.embedding, table.vocab, contextual
        layers, width = (contextual.layers, contextual.width) if contextual else (0, 0)
        self.mixes = nn.ModuleDict({place: ScalarMix(layers) for place in at if contextual})
        before, after = (width * (place in self.mixes) for place in PLACES)
        self.lstm = nn.LSTM(table.width + before, hidden, bidirectional=True, batch_first=True)
        self.dropout, self.width = Dropout(dropout), 2 * hidden + after
        sizes = {"at": list(self.mixes), "hidden": hidden, "dropout": dropout}
        self.settings = {**table.settings, **sizes}

    def forward(
        self, input_ids: Rows, attention_mask: Marks, contextual_ids: Rows | None = None
    ) -> States:
        """Ids of words, their mask, and ids for ``contextual``."""
        layers, mask = None, whole_mask(input_ids, attention_mask)
        check_ids(input_ids, self.embedding.num_embeddings)
        if self.mixes and self.contextual:
            if contextual_ids is None:
                raise ValueError("this model mixes in a language model: expected contextual_ids")
            layers = self.contextual(contextual_ids)  # (layers, batch, length, width)
        x = self._with("input", self.embedding(input_ids), layers)
        h, _ = recurrent(self.lstm, x, mask)  # (batch, length, 2 * hidden)
        return self._with("output", h, layers)

    def _with(self, place, x, layers):
        """[x; ELMo], each after dropout."""
        if place in self.mixes:
            x = torch.cat((x, self.mixes[place](layers)), -1)
        return self.dropout(x)

    def also(self, words: Sequence[str], end: str = "") -> dict[str, list[int]]:
        """``contextual_ids`` (+ ``end``) of a sentence, where they are needed."""
        if self.contextual is None:
            return {}
        if not isinstance(self.contextual, Live):
            raise ValueError(
                "this model knows the layers of certain sentences only; to read others, set "
                "head.encoder.contextual = mb.heads.Live(elmo)"
            )
        return {f"contextual_ids{end}": self.contextual.spellings.encode(words)}


OnWords = ContextEncoder | Table | Vectors


def on_words(encoder: OnWords, **options: Any) -> ContextEncoder:
    """The `ContextEncoder` that is given, or one of word vectors and the options."""
    if not isinstance(encoder, ContextEncoder):
        return ContextEncoder(encoder, **options)
    if options:
        raise ValueError(f"the ContextEncoder has its own {', '.join(options)} already")
    return encoder
