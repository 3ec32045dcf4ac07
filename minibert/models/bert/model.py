"""BERT: a Transformer encoder that reads to both sides.

Devlin et al. (2019), "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", arXiv:1810.04805. What it is trained on stands in `minibert.heads`
(`MaskedLM`, `NextSentence`, `Pretraining`), how the text is prepared in `minibert.text.masking`.
Its blocks are those of `minibert.models.transformer`; published weights load by
`minibert.models.bert.files`.
"""

from dataclasses import dataclass

import torch
from torch import nn

from minibert.models.dropout import Dropout
from minibert.models.outputs import ModelOutput
from minibert.models.transformer import fast
from minibert.models.transformer.attention import padding_mask
from minibert.models.transformer.model import Positions, Stack, TransformerConfig, initialise
from minibert.text.inputs import (
    as_mask,
    check_ids,
    check_length,
    check_segments,
    check_wanted,
    from_first,
)


@dataclass
class BERTConfig(TransformerConfig):
    """A `TransformerConfig` with the numbers of BERT-base (section 3).

    What is not named here is as in the Transformer: dropout 0.1, norms after the sublayers, 512
    positions.
    ``segments``: kinds of text that `token_type_ids` tell apart; ``pad_id``: of the vocabulary, for
    what is read from and written to published folders; None where they have none.
    """

    vocab_size: int = 30_522
    dim: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    attention_dropout: float = 0.1
    activation: str = "gelu"
    position: str = "learned"
    norm_eps: float = 1e-12
    init_std: float | None = 0.02
    segments: int = 2
    pad_id: int | None = 0

    @classmethod
    def base(cls, **changes):
        """12 layers of 768: 109,482,240 parameters with the published uncased vocabulary."""
        return cls(**changes)

    @classmethod
    def large(cls, **changes):
        """24 layers of 1,024: 335,141,888 parameters with the published uncased vocabulary."""
        return cls(**{"dim": 1024, "layers": 24, "heads": 16, "hidden": 4096, **changes})


@dataclass(repr=False)
class BERTOutput(ModelOutput):
    """A `ModelOutput` with ``pooled`` (batch, dim): the first token's state after the pooler."""

    pooled: torch.Tensor | None = None


class Embeddings(nn.Module):
    """What a token is, where it stands and which text it is in: three vectors, added (figure 2)."""

    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.dim)
        self.position = Positions(config)
        self.segment = nn.Embedding(config.segments, config.dim)
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.dropout = Dropout(config.dropout)

    def forward(self, input_ids, token_type_ids=None, places=None):
        """ids (..., length) -> (..., length, dim); positions are 0, 1, 2, ... by default."""
        if places is None:
            places = torch.arange(input_ids.shape[-1], device=input_ids.device)
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        x = self.word(input_ids) + self.segment(token_type_ids) + self.position(places)
        return self.dropout(self.norm(x))


class Pooler(nn.Module):
    """A linear layer and tanh on the state of the first token, `[CLS]`."""

    def __init__(self, dim):
        super().__init__()
        self.dense = nn.Linear(dim, dim)

    def forward(self, first):
        """(batch, dim) -> (batch, dim)."""
        return self.dense(first).tanh()


class BERT(nn.Module):
    """Embeddings, a stack of blocks, and the pooler.

    ``tokenizer``: a `minibert.text.WordPiece`, or None; it is saved with the model. The table of
    word vectors may have more rows than it has pieces. ``pooler``: False leaves it out, as
    published models for masked words alone do.
    """

    def __init__(self, config, tokenizer=None, pooler=True):
        super().__init__()
        if tokenizer is not None and len(tokenizer) > config.vocab_size:
            raise ValueError(
                f"expected at most vocab_size={config.vocab_size} pieces, got {len(tokenizer)}"
            )
        self.config, self.tokenizer = config, tokenizer
        self.embeddings = Embeddings(config)
        self.stack = Stack(config)
        self.pooler = Pooler(config.dim) if pooler else None
        initialise(self, config.init_std)

    @classmethod
    def from_pretrained(cls, source):
        """Read a model: a folder in Hugging Face's layout or Google's, a bundled name, or a hub id.

        See `minibert.models.bert.files.load`. Raises FileNotFoundError or ValueError.
        """
        from minibert.models.bert import files as bert

        return bert.load(source, cls)

    def save_pretrained(self, folder):
        """Write a folder in Hugging Face's layout, which `from_pretrained` reads."""
        from minibert.models.bert import files as bert

        bert.save(self, folder)

    def layer_groups(self):
        """From the bottom to the top: the embeddings, each block, the pooler."""
        top = [] if self.pooler is None else [[self.pooler]]
        return [[self.embeddings], *self.stack.layer_groups(), *top]

    def forward(self, input_ids, attention_mask=None, token_type_ids=None, output_attentions=False):
        """(batch, length) ids -> `BERTOutput`: embeddings, then one state a layer.

        ``attention_mask``: 1 for a token, 0 for padding, which changes nothing, on either side:
        positions count from a row's first token (in transformers, from its first column). What the
        output holds at padding means nothing. ``token_type_ids``: 0 for the first text (the
        default), 1 for the second. Raises ValueError for shapes that differ, for more than
        ``max_length`` tokens, and for ids that are not in the vocabulary.
        """
        attention_mask = self.check(input_ids, attention_mask, token_type_ids)
        places = None if attention_mask is None else from_first(attention_mask)
        x = self.embeddings(input_ids, token_type_ids, places)  # (batch, length, dim)
        seen = self.seen(input_ids, attention_mask)
        out, _ = self.stack(x, seen, output_attentions=output_attentions)
        last = out.last_hidden_state
        first = 0 if attention_mask is None else attention_mask.argmax(1)  # `[CLS]`
        rows = torch.arange(len(last), device=last.device)
        pooled = None if self.pooler is None else self.pooler(last[rows, first])
        return BERTOutput(last, out.hidden_states, out.attentions, pooled)

    def seen(self, input_ids, attention_mask):
        """What may be looked at: a mask that broadcasts to (batch, heads, length, length)."""
        return None if attention_mask is None else padding_mask(attention_mask)

    def states_at(self, input_ids, attention_mask=None, token_type_ids=None, wanted=None):
        """The last hidden states at positions where ``wanted`` (batch, length) is True: (n, dim).

        Row by row, from left to right: ``model(...).last_hidden_state[wanted]``, where it can be
        without computing padding, nor what the last layer would say elsewhere.
        """
        attention_mask = self.check(input_ids, attention_mask, token_type_ids)
        check_wanted(wanted, attention_mask)
        if fast.suits(self, input_ids):
            return fast.states_at(self, input_ids, attention_mask, token_type_ids, wanted)
        return self(input_ids, attention_mask, token_type_ids).last_hidden_state[wanted]

    def check(self, input_ids, attention_mask=None, token_type_ids=None):
        """Refuse input that does not fit, in one sentence; gives the mask back as whole numbers."""
        check_length(input_ids, 0, self.config.max_length)
        others = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
        for name, other in others.items():
            if torch.is_tensor(other) and other.shape != input_ids.shape:
                raise ValueError(
                    f"expected {name} of the shape of input_ids, {tuple(input_ids.shape)}, "
                    f"got {tuple(other.shape)}"
                )
        check_segments(token_type_ids, self.config.segments)
        check_ids(input_ids, self.config.vocab_size)
        return as_mask(attention_mask, input_ids.shape)
