"""What BERT is pre-trained on: masked words, and whether two texts follow each other.

Devlin et al. (2019), section 3.1 and appendix A.1 and A.2. The batches are made in
`minibert.text.masking`.
"""

import torch
from torch import nn

from minibert.heads.head import Head, first_places, new_linear, width_of
from minibert.heads.labels import Labels, class_loss, likeliest
from minibert.heads.reading import innermost, texts_of
from minibert.models.softmax import linear_cross_entropy
from minibert.models.transformer.model import ACTIVATIONS
from minibert.text.inputs import labelled, of_batch, whole_mask

NEXT = "next_sentence_label"


class VocabularyOutput(nn.Module):
    """Hidden states to scores of the vocabulary: linear, activation, LayerNorm, linear.

    table: the word vectors (V, dim) that the last layer shares; or V, for some of its own.
    """

    def __init__(self, dim, table, activation="gelu", norm_eps=1e-12):
        super().__init__()
        tied = torch.is_tensor(table)
        self.dense, self.norm = nn.Linear(dim, dim), nn.LayerNorm(dim, eps=norm_eps)
        self.activation = ACTIVATIONS[activation]
        self.decoder = nn.Linear(dim, len(table) if tied else table)
        for layer in (self.dense, self.decoder):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        if tied:
            self.decoder.weight = table

    def transform(self, hidden):
        """(..., dim) -> what the last layer reads, of the same shape."""
        return self.norm(self.activation(self.dense(hidden)))

    def forward(self, hidden):
        """(..., dim) -> logits (..., V)."""
        return self.decoder(self.transform(hidden))

    def loss(self, hidden, targets):
        """(sum of cross-entropies, count); (n, dim) and (n,), all logits never held at once."""
        decoder = self.decoder
        return linear_cross_entropy(self.transform(hidden), decoder.weight, decoder.bias, targets)


class MaskedLM(Head):
    """Predict the masked words from both sides.

    The softmax shares the encoder's word vectors; with ``tied=False``, or for an encoder that has
    no ``embeddings.word``, it has its own, of ``vocab_size`` words.
    """

    per_token = True

    def __init__(self, encoder, vocab_size=None, tied=True):
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

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        """(batch, length) ids -> logits (batch, length, V)."""
        return self.output(self.read(input_ids, attention_mask, token_type_ids))

    def example(self, reader, text):
        """A text with ``[MASK]`` where a word is hidden."""
        tokenizer = getattr(reader, "tokenizer", None)
        mask_id = getattr(tokenizer, "mask_id", None)
        if mask_id is None:
            raise ValueError("masked words are predicted by a model whose tokenizer has [MASK]")
        example = reader.text(*(tokenizer.encode(t, specials=True) for t in texts_of(text)))
        hidden = [i for i, one in enumerate(example["input_ids"]) if one == mask_id]
        if not hidden:
            raise ValueError(f"expected [MASK] in the text, got {text!r:.80}")
        return {**example, "words": hidden}

    def decided(self, example, output):
        """The likeliest piece for each ``[MASK]`` and the shares (masks, V) of all pieces."""
        logits = output[0] if isinstance(output, tuple) else output
        logits = logits[example["words"], : len(self.columns)]  # (masks, pieces)
        return [self.columns[i] for i in likeliest(logits).tolist()], logits.softmax(-1)

    @property
    def columns(self):
        return innermost(self.encoder).tokenizer.tokens

    def loss(self, batch):
        """(sum of cross-entropies, number of masked tokens).

        ``labels`` (batch, length): the hidden word, -100 where there is none to predict.
        """
        wanted = labelled(batch)
        return self.output.loss(self.states_at(batch, wanted), batch["labels"][wanted])


class NextSentence(Head):
    """Whether the second text follows the first: class 0 if it does, 1 if it is random."""

    outcome = Labels(["follows", "random"])

    def __init__(self, encoder):
        super().__init__(encoder)
        self.next = new_linear(width_of(encoder), 2, encoder)

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        """(batch, length) ids -> logits (batch, 2)."""
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        first = first_places(whole_mask(input_ids, attention_mask))
        return self.next(
            self.pool(self.states_at(batch | {"token_type_ids": token_type_ids}, first))
        )

    def loss(self, batch):
        """(sum of cross-entropies, number of pairs); ``next_sentence_label`` (batch,)."""
        return class_loss(self.output_of(batch), of_batch(batch, NEXT), NEXT)

    def example(self, reader, text):
        return reader.text(*texts_of(text, 2))

    def labelled(self, example, label, text):
        return {**example, NEXT: self.outcome.number(label)}


class Pretraining(MaskedLM):
    """Both tasks on one pass: the loss is the sum of their means (appendix A.2)."""

    per_token = True, False

    def __init__(self, encoder, vocab_size=None, tied=True):
        super().__init__(encoder, vocab_size, tied)
        self.next = new_linear(width_of(encoder), 2, encoder)

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        """(batch, length) ids -> logits (batch, length, V), and of the next sentence (batch, 2)."""
        hidden = self.read(input_ids, attention_mask, token_type_ids)
        first = hidden[first_places(whole_mask(input_ids, attention_mask))]
        return self.output(hidden), self.next(self.pool(first))

    def losses(self, batch):
        """Mean loss of masked words, of next sentences, and the number of masked words."""
        mask = whole_mask(batch["input_ids"], batch.get("attention_mask"))
        masked, first = labelled(batch), first_places(mask)
        either = masked | first
        hidden = self.states_at(batch, either)  # (n, dim), row by row
        words, count = self.output.loss(hidden[masked[either]], batch["labels"][masked])
        scores = self.next(self.pool(hidden[first[either]]))  # (batch, 2)
        pairs, number = class_loss(scores, of_batch(batch, NEXT), NEXT)
        return words / max(count, 1), pairs / number, count

    def loss(self, batch):
        """(mean of both losses' sum times the number of masked words, that number)."""
        words, pairs, count = self.losses(batch)
        return (words + pairs) * count, count
