"""BERT: a Transformer encoder that reads to both sides.

Devlin et al. (2019), "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", arXiv:1810.04805. What it is trained on stands in `minibert.heads`, how the text is
prepared in `minibert.text.masking`; published weights load by `minibert.models.bert.files`.
"""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minibert.models.base import Ids, Kind, Pretrained, Real, Where, check_vocab
from minibert.models.dropout import Dropout
from minibert.models.outputs import ModelOutput
from minibert.models.transformer import fast
from minibert.models.transformer.attention import Mask, padding_mask
from minibert.models.transformer.model import Positions, Stack, TransformerConfig, initialise
from minibert.text import inputs

if TYPE_CHECKING:
    from typing import Self  # beartype, which the tests use, does not know it here

    from minibert.text.wordpiece import WordPiece

Tokens = Int[Tensor, "*batch length"]
Places = Int[Tensor, "... length"]
Given = Tensor | None


@dataclass
class BERTConfig(TransformerConfig):
    """A `TransformerConfig` with the numbers of BERT-base (section 3).

    What is not named here is as in the Transformer. ``segments``: kinds of text that
    `token_type_ids` tell apart; ``pad_id``: of the vocabulary, for what is read from and written to
    published folders; None where they have none.
    """

    vocab_size: int = 30_522
    dim: int = 768
    layers: int = 12
    heads: int = 12
    _: KW_ONLY
    hidden: int = 3072
    attention_dropout: float = 0.1
    activation: str = "gelu"
    position: str = "learned"
    norm_eps: float = 1e-12
    init_std: float | None = 0.02
    segments: int = 2
    pad_id: int | None = 0

    @classmethod
    def base(cls, **changes: Any) -> "Self":
        """12 layers of 768: 109,482,240 parameters with the published uncased vocabulary."""
        return cls(**changes)

    @classmethod
    def large(cls, **changes: Any) -> "Self":
        """24 layers of 1,024: 335,141,888 parameters with the published uncased vocabulary."""
        return cls(**{"dim": 1024, "layers": 24, "heads": 16, "hidden": 4096, **changes})


@dataclass(repr=False)
class BERTOutput(ModelOutput):
    """A `ModelOutput` with ``pooled``: the first token's state after the pooler."""

    pooled: Float[Tensor, "batch width"] | None = None


class Embeddings(nn.Module):
    """What a token is, where it stands and which text it is in: three vectors, added (figure 2)."""

    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.dim)
        self.position = Positions(config)
        self.segment = nn.Embedding(config.segments, config.dim)
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, input_ids: Tokens, token_type_ids: Tokens | None = None, places: Places | None = None
    ) -> Float[Tensor, "*batch length dim"]:
        """The ``places`` are 0, 1, 2, ... by default."""
        if places is None:
            places = torch.arange(input_ids.shape[-1], device=input_ids.device)
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        x = self.word(input_ids) + self.segment(token_type_ids) + self.position(places)
        return self.dropout(self.norm(x))


class Pooler(nn.Module):
    """A linear layer and tanh on the state of the first token, `[CLS]`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dense = nn.Linear(dim, dim)

    def forward(self, first: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        return self.dense(first).tanh()


class BERT(Pretrained):
    """Embeddings, a stack of blocks, and the pooler.

    ``tokenizer``: a `minibert.text.WordPiece`, saved with the model; the table of word vectors may
    have more rows than it has pieces. ``pooler``: False leaves it out, as
    published models for masked words alone do.
    """

    _files = "minibert.models.bert.files"

    def __init__(
        self, config: BERTConfig, tokenizer: "WordPiece | None" = None, pooler: bool = True
    ) -> None:
        super().__init__()
        check_vocab(tokenizer, config.vocab_size, exact=False)
        self.config, self.tokenizer = config, tokenizer
        self.embeddings = Embeddings(config)
        self.stack = Stack(config)
        self.pooler = Pooler(config.dim) if pooler else None
        initialise(self, config.init_std)

    @classmethod
    def from_pretrained(cls, source: Path | str) -> "Self":
        """See `minibert.models.bert.files.load`; a subclass reads a model of its own class."""
        from minibert.models.bert import files as bert

        return cast("Self", bert.load(source, cls))

    def layer_groups(self) -> list[list[nn.Module]]:
        """From the bottom to the top: the embeddings, each block, the pooler."""
        top: list[list[nn.Module]] = [] if self.pooler is None else [[self.pooler]]
        return [[self.embeddings], *self.stack.layer_groups(), *top]

    def forward(
        self,
        input_ids: Ids,
        attention_mask: Real = None,
        token_type_ids: Kind = None,
        output_attentions: bool = False,
    ) -> BERTOutput:
        """Hidden states: the embeddings, then one state a layer.

        ``attention_mask``: padding, on either side, changes nothing, and what the output holds
        there means nothing. Positions count from a row's first token (in transformers, from its
        first column). Raises ValueError for shapes that differ, for more than ``max_length``
        tokens, and for ids that are not in the vocabulary.
        """
        attention_mask = self.check(input_ids, attention_mask, token_type_ids)
        places = None if attention_mask is None else inputs.from_first(attention_mask)
        x = self.embeddings(input_ids, token_type_ids, places)  # (batch, length, dim)
        seen = self.seen(input_ids, attention_mask)
        out, _ = self.stack(x, seen, output_attentions=output_attentions)
        last = out.last_hidden_state
        first = 0 if attention_mask is None else attention_mask.argmax(1)  # `[CLS]`
        rows = torch.arange(len(last), device=last.device)
        pooled = None if self.pooler is None else self.pooler(last[rows, first])
        return BERTOutput(last, out.hidden_states, out.attentions, pooled)

    def seen(self, input_ids: Tensor, attention_mask: Tensor | None) -> Mask | None:
        """What may be looked at; None is everything."""
        return None if attention_mask is None else padding_mask(attention_mask)

    def states_at(
        self,
        input_ids: Ids,
        attention_mask: Real = None,
        token_type_ids: Kind = None,
        *,
        wanted: Where,
    ) -> Float[Tensor, "n dim"]:
        """``model(...).last_hidden_state[wanted]``; a CPU does not compute the rest."""
        attention_mask = self.check(input_ids, attention_mask, token_type_ids)
        inputs.check_wanted(wanted, attention_mask)
        if fast.suits(self, input_ids):
            return fast.states_at(self, input_ids, attention_mask, token_type_ids, wanted=wanted)
        return self(input_ids, attention_mask, token_type_ids).last_hidden_state[wanted]

    def check(self, input_ids: Tensor, attention_mask: Given = None, kinds: Given = None) -> Given:
        """Refuse input that does not fit, in one sentence; gives the mask back as whole numbers."""
        inputs.check_length(input_ids, 0, self.config.max_length)
        inputs.check_segments(kinds, input_ids.shape, self.config.segments)
        inputs.check_ids(input_ids, self.config.vocab_size)
        return inputs.as_mask(attention_mask, input_ids.shape)
