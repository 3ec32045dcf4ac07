"""Next-token heads: a language model alone, and one with a choice among sequences beside it."""

from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from minibert.heads.head import Head, Ids, Kind, Real, Where
from minibert.heads.labels import likeliest
from minibert.heads.language import VocabularyOutput
from minibert.heads.last_token import LAMBDA, MultipleChoice
from minibert.heads.reading import Reader, texts_of
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.bert.left_to_right import LeftToRight
from minibert.models.gpt.model import GPT, next_tokens
from minibert.models.outputs import Loss
from minibert.models.softmax import linear_cross_entropy
from minibert.text.batches import Batch
from minibert.text.framing import Example
from minibert.text.inputs import check_targets

Logits = Float[Tensor, "batch length V"]


class CausalLM(Head):
    """Predict each token from those before it.

    encoder: a `minibert.GPT` or a forward `minibert.AWDLSTM`, whose own softmax is used (there is
    nothing new to train), or a `LeftToRight`, which gets the output of BERT's masked words. That
    shares the word vectors; with ``tied=False`` it has its own.

    Raises ValueError for an encoder that sees what it would have to predict.
    """

    per_token = True

    def __init__(self, encoder: nn.Module, tied: bool = True) -> None:
        super().__init__(encoder, tied=tied)
        backward = getattr(encoder, "backward_reader", False)
        if not isinstance(encoder, GPT | AWDLSTM | LeftToRight) or backward:
            kind = f"a {'backward ' if backward else ''}{type(encoder).__name__}"
            raise ValueError(
                f"expected a model that reads from left to right, a GPT, an AWDLSTM or a "
                f"LeftToRight, got {kind}"
            )
        self.output = None
        if isinstance(encoder, LeftToRight):
            config = encoder.config
            table = encoder.embeddings.word.weight if tied else config.vocab_size
            self.output = VocabularyOutput(config.dim, table, config.activation, config.norm_eps)

    def example(self, reader: Reader, text: Any) -> Example:
        """The text alone, to say the token after it; a long one loses its beginning."""
        start, ids = reader.ends[0], reader.ids(texts_of(text)[0])
        if reader.max_length:
            ids = ids[max(0, len(ids) - reader.max_length + len(start)) :]
        return {"input_ids": [*start, *ids]}

    def decided(self, example: Example, output: Tensor) -> tuple[str, Tensor]:
        """The likeliest next token, and the probabilities of all."""
        logits = output[-1, : len(self.columns)]
        return self.columns[int(likeliest(logits))], logits.softmax(-1)

    @property
    def columns(self) -> list[str]:
        return (getattr(self.encoder, "tokenizer", None) or self.encoder.vocab).tokens

    def layer_groups(self) -> list[list[nn.Module]]:
        """The encoder's groups, with the output layer in the last one."""
        *below, top = self.encoder.layer_groups()
        return [*below, top if self.output is None else [*top, self.output]]

    def forward(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> Logits:
        """The logits of the token after each."""
        hidden = self.read(input_ids, attention_mask, token_type_ids)
        if self.output is not None:
            return self.output(hidden)
        return nn.functional.linear(hidden, *self.softmax)

    @property
    def softmax(self) -> tuple[Float[Tensor, "V width"], Float[Tensor, " V"] | None]:
        """The last layer's matrix and its bias; both are the encoder's."""
        decoder = getattr(self.encoder, "decoder", None)
        if decoder is None:
            return self.encoder.output_weight, None
        return decoder.weight, decoder.bias

    def loss(self, batch: Batch) -> Loss:
        """(sum of cross-entropies in nats, number of targets).

        A row's tokens but the first are targets; with ``labels`` (batch, length), the tokens
        themselves and not the next ones, only where they are not -100. Padding is no target. A
        batch of a stream (with ``targets``, see `AWDLSTM.batches`) is left to the model: it carries
        its state on, and in training adds its penalties, which rows with padding are spared.
        """
        if "targets" in batch:
            return self.encoder.loss(batch)
        wanted, targets = next_tokens(batch)
        hidden = self.states_at(batch, wanted)  # (n, width)
        if self.output is not None:
            return self.output.loss(hidden, targets)
        return linear_cross_entropy(hidden, *self.softmax, targets)


class DoubleHeads(MultipleChoice):
    """GPT's language model and its choice among sequences, both given and both trained.

    A `MultipleChoice`, and trained like it (Radford et al. 2018, equation 5); it also gives the
    language model's logits, keeps both losses apart (`losses`), and may be told where to read a
    sequence (``mc_token_ids``). In files it is transformers' ``GPT2DoubleHeadsModel`` or
    ``OpenAIGPTDoubleHeadsModel``.
    """

    per_token = False, False

    def __init__(
        self, encoder: nn.Module, choices: int = 2, auxiliary: float = LAMBDA, dropout: float = 0.1
    ) -> None:
        super().__init__(encoder, choices, auxiliary, dropout)
        if not isinstance(encoder, GPT):
            raise ValueError(f"DoubleHeads is a GPT's, got a {type(encoder).__name__}")

    def forward(  # type: ignore[override]  # two outputs in place of one
        self,
        input_ids: Int[Tensor, "rows length"],
        attention_mask: Shaped[Tensor, "rows length"] | None = None,
        mc_token_ids: Tensor | None = None,
        token_type_ids: Int[Tensor, "rows length"] | None = None,
    ) -> tuple[Float[Tensor, "examples choices length V"], Float[Tensor, "examples choices"]]:
        """The language model's logits, and those of the choices.

        ``mc_token_ids``, as many numbers as rows: the position to judge each sequence by; its last
        token by default (transformers takes the last position, padding or not).
        """
        hidden = self.read(input_ids, attention_mask, token_type_ids)
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        judged = self.judged(batch | {"mc_token_ids": mc_token_ids})
        logits = self.encoder.logits(hidden).unflatten(0, (-1, self.labels))
        return logits, self.judge(hidden[judged])

    def decided(self, example: Example, output: Any) -> tuple[Any, Tensor | None]:
        return super().decided(example, output[1])

    def judged(self, batch: Batch) -> Where:
        """True where ``mc_token_ids`` says, or at each row's last token."""
        wanted = batch.get("mc_token_ids")
        if wanted is None:
            return super().judged(batch)
        rows, length = batch["input_ids"].shape
        check_targets(wanted, length, None, "mc_token_ids")
        if wanted.numel() != rows:
            raise ValueError(f"expected mc_token_ids for {rows} sequences, got {wanted.numel()}")
        return torch.arange(length, device=wanted.device) == wanted.reshape(rows, 1)

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor, int]:
        """Mean loss of the next tokens, mean loss of the choices, and the number of tokens.

        ``labels`` (examples,): the right choices; ``lm_labels`` (rows, length), the tokens, -100
        for none that counts: all but padding by default.
        """
        choices, examples, words, count = self.sums(batch)
        return words / max(count, 1), choices / examples, count
