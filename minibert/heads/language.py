"""What BERT is pre-trained on: masked words, and whether two texts follow each other.

Devlin et al. (2019), section 3.1 and appendix A.1 and A.2. The batches are made in
`minibert.text.masking`.
"""

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from minibert.heads.head import Head, Ids, Kind, Real, first_places, new_linear, width_of
from minibert.heads.labels import Labels, class_loss, likeliest
from minibert.heads.reading import Reader, innermost, texts_of
from minibert.models.outputs import Loss
from minibert.models.softmax import linear_cross_entropy
from minibert.models.transformer.model import ACTIVATIONS
from minibert.text.batches import Batch
from minibert.text.framing import Example
from minibert.text.inputs import labelled, of_batch, whole_mask

Hidden = Float[Tensor, "*shape dim"]
Logits = Float[Tensor, "batch length V"]
Pair = Float[Tensor, "batch 2"]
NEXT = "next_sentence_label"


class VocabularyOutput(nn.Module):
    """Hidden states to scores of the vocabulary: linear, activation, LayerNorm, linear.

    table: the word vectors (V, dim) that the last layer shares; or V, for some of its own.
    """

    def __init__(
        self,
        dim: int,
        table: Float[Tensor, "V dim"] | int,
        activation: str = "gelu",
        norm_eps: float = 1e-12,
    ) -> None:
        super().__init__()
        self.dense, self.norm = nn.Linear(dim, dim), nn.LayerNorm(dim, eps=norm_eps)
        self.activation = ACTIVATIONS[activation]
        self.decoder = nn.Linear(dim, len(table) if isinstance(table, Tensor) else table)
        for layer in (self.dense, self.decoder):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        if isinstance(table, Tensor):
            self.decoder.weight = table

    def transform(self, hidden: Hidden) -> Hidden:
        """What the last layer reads."""
        return self.norm(self.activation(self.dense(hidden)))

    def forward(self, hidden: Hidden) -> Float[Tensor, "*shape V"]:
        return self.decoder(self.transform(hidden))

    def loss(self, hidden: Float[Tensor, "n dim"], targets: Int[Tensor, " n"]) -> Loss:
        """(sum of cross-entropies, count); all logits are never held at once."""
        decoder = self.decoder
        return linear_cross_entropy(self.transform(hidden), decoder.weight, decoder.bias, targets)


class MaskedLM(Head):
    """Predict the masked words from both sides.

    The softmax shares the encoder's word vectors; with ``tied=False``, or for an encoder that has
    no ``embeddings.word``, it has its own, of ``vocab_size`` words.
    """

    per_token: bool | tuple[bool, ...] = True

    def __init__(
        self, encoder: nn.Module, vocab_size: int | None = None, tied: bool = True
    ) -> None:
        config = getattr(encoder, "config", None)
        words = getattr(getattr(encoder, "embeddings", None), "word", None) if tied else None
        usual = getattr(config, "vocab_size", None)
        own = None if words is not None or vocab_size == usual else vocab_size
        super().__init__(encoder, vocab_size=own, tied=words is not None)
        table = (own or usual) if words is None else words.weight
        if table is None:
            raise ValueError(f"expected vocab_size for a {type(encoder).__name__}, got None")
        kind, eps = getattr(config, "activation", "gelu"), getattr(config, "norm_eps", 1e-12)
        self.output = VocabularyOutput(width_of(encoder), table, kind, eps)

    def forward(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> Logits:
        return self.output(self.read(input_ids, attention_mask, token_type_ids))

    def example(self, reader: Reader, text: Any) -> Example:
        """A text with ``[MASK]`` where a word is hidden."""
        tokenizer = reader.tokenizer
        mask_id = getattr(tokenizer, "mask_id", None)
        if mask_id is None:
            raise ValueError("masked words are predicted by a model whose tokenizer has [MASK]")
        example = reader.text(*(tokenizer.encode(t, specials=True) for t in texts_of(text)))
        hidden = [i for i, one in enumerate(example["input_ids"]) if one == mask_id]
        if not hidden:
            raise ValueError(f"expected [MASK] in the text, got {text!r:.80}")
        return {**example, "words": hidden}

    def decided(self, example: Example, output: Any) -> tuple[list[str], Tensor]:
        """The likeliest piece for each ``[MASK]`` and the shares (masks, V) of all pieces."""
        logits = output[0] if isinstance(output, tuple) else output
        logits = logits[example["words"], : len(self.columns)]  # (masks, pieces)
        return [self.columns[i] for i in likeliest(logits).tolist()], logits.softmax(-1)

    @property
    def columns(self) -> list[str]:
        return innermost(self.encoder).tokenizer.tokens

    def loss(self, batch: Batch) -> Loss:
        """(sum of cross-entropies, number of masked tokens).

        ``labels`` (batch, length): the hidden word, -100 where there is none to predict.
        """
        wanted = labelled(batch)
        return self.output.loss(self.states_at(batch, wanted), batch["labels"][wanted])


class NextSentence(Head):
    """Whether the second text follows the first: class 0 if it does, 1 if it is random."""

    outcome = Labels(["follows", "random"])

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__(encoder)
        self.next = new_linear(width_of(encoder), 2, encoder)

    def forward(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> Pair:
        first = first_places(whole_mask(input_ids, attention_mask))
        return self.next(self.pool(self.read(input_ids, attention_mask, token_type_ids, first)))

    def loss(self, batch: Batch) -> Loss:
        """(sum of cross-entropies, number of pairs); ``next_sentence_label`` (batch,)."""
        return class_loss(self.output_of(batch), of_batch(batch, NEXT), NEXT)

    def example(self, reader: Reader, text: Any) -> Example:
        return reader.text(*texts_of(text, 2))

    def labelled(self, example: Example, label: Any, text: Any) -> Example:
        return {**example, NEXT: self.outcome.number(label)}


class Pretraining(MaskedLM):
    """Both tasks on one pass: the loss is the sum of their means (appendix A.2)."""

    per_token = True, False

    def __init__(
        self, encoder: nn.Module, vocab_size: int | None = None, tied: bool = True
    ) -> None:
        super().__init__(encoder, vocab_size, tied)
        self.next = new_linear(width_of(encoder), 2, encoder)

    def forward(  # type: ignore[override]  # two outputs in place of one
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> tuple[Logits, Pair]:
        hidden = self.read(input_ids, attention_mask, token_type_ids)
        first = hidden[first_places(whole_mask(input_ids, attention_mask))]
        return self.output(hidden), self.next(self.pool(first))

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor, int]:
        """Mean loss of masked words, of next sentences, and the number of masked words."""
        mask = whole_mask(batch["input_ids"], batch.get("attention_mask"))
        masked, first = labelled(batch), first_places(mask)
        either = masked | first
        hidden = self.states_at(batch, either)  # (n, dim), row by row
        words, count = self.output.loss(hidden[masked[either]], batch["labels"][masked])
        scores = self.next(self.pool(hidden[first[either]]))  # (batch, 2)
        pairs, number = class_loss(scores, of_batch(batch, NEXT), NEXT)
        return words / max(count, 1), pairs / number, count

    def loss(self, batch: Batch) -> Loss:
        """(mean of both losses' sum times the number of masked words, that number)."""
        words, pairs, count = self.losses(batch)
        return (words + pairs) * count, count
