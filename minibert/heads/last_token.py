"""GPT's fine-tuning: one new layer at the last token, and the language model beside it.

Radford et al. (2018), sections 3.2 and 3.3. The texts are framed by `minibert.text.framing`.
"""

import copy
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minibert.heads.head import TEXT, Head, Where, last_places, new_linear, width_of
from minibert.heads.labels import CLASSES, Given
from minibert.heads.reading import Reader, texts_of
from minibert.models.dropout import Dropout
from minibert.models.gpt.model import GPT, next_tokens
from minibert.models.outputs import Loss
from minibert.models.softmax import linear_cross_entropy
from minibert.text.batches import Batch
from minibert.text.framing import SPECIALS, Example
from minibert.text.inputs import whole_mask

Judged = Float[Tensor, "examples *labels"]
LAMBDA = 0.5  # of the auxiliary loss (section 4.1)


@torch.no_grad()
def framed(model: GPT, more: int = len(SPECIALS)) -> tuple[GPT, int]:
    """(a copy of a `minibert.GPT` that also has start, delimiter, extract; the first new id).

    more: how many new tokens there are, if not these three. Their vectors are random: where the
    model rests (`minibert.transfer.add`), they stay so, and a head saved apart needs this copy.
    """
    first = model.config.vocab_size
    new = copy.deepcopy(model)
    new.config = replace(model.config, vocab_size=first + more)
    table, output = model.embeddings.word.weight, model.output
    added = torch.randn(more, table.shape[1]).to(table) * (model.config.init_std or 0.02)
    new.embeddings.word = nn.Embedding.from_pretrained(
        torch.cat((table, added)), freeze=not table.requires_grad
    )
    if output is not None and new.output is not None:
        longer = torch.cat((output.weight, added))
        new.output.weight = nn.Parameter(longer, output.weight.requires_grad)
        new.output.out_features += more
    return new, first


class LastToken(Head):
    """A label for a text or pair from the state of its last token, the extract token.

    auxiliary: how much predicting the text's own tokens counts beside the task while training, the
    paper's lambda; 0 for not at all. dropout: before the new layer.
    """

    one_score = False  # for each sequence, see `MultipleChoice`

    def __init__(
        self,
        encoder: nn.Module,
        labels: Given = None,
        auxiliary: float = LAMBDA,
        dropout: float = 0.1,
        *,
        problem: str = CLASSES,
    ) -> None:
        settings = {"labels": labels, "auxiliary": auxiliary, "dropout": dropout}
        super().__init__(encoder, **settings, problem=problem)
        if auxiliary and not hasattr(encoder, "output_weight"):
            raise ValueError(
                f"auxiliary={auxiliary} trains a GPT's language model beside the task, which a "
                f"{type(encoder).__name__} is not: give auxiliary=0"
            )
        self.auxiliary, self.dropout = auxiliary, Dropout(dropout)
        self.output = new_linear(width_of(encoder), 1 if self.one_score else self.labels, encoder)

    def forward(
        self,
        input_ids: Int[Tensor, "rows length *letters"],
        attention_mask: Tensor | None = None,
        token_type_ids: Int[Tensor, "rows length"] | None = None,
    ) -> Judged:
        batch = dict(zip(TEXT, (input_ids, attention_mask, token_type_ids), strict=True))
        return self.judge(self.states_at(batch, self.judged(batch)))

    def judged(self, batch: Batch) -> Where:
        """True where a sequence is judged, at each row's last token."""
        return last_places(whole_mask(batch["input_ids"], batch.get("attention_mask")))

    def loss(self, batch: Batch) -> Loss:
        """(sum of losses, their number), see `Labels.loss`; ``labels`` (examples,).

        In training, lambda times the mean loss per token is added to each example's loss.
        """
        if not (self.training and self.auxiliary > 0):
            states = self.states_at(batch, self.judged(batch))
            return self.outcome.loss(self.judge(states), batch)
        loss, examples, words, count = self.sums(batch)
        return loss + self.auxiliary * examples * words / max(count, 1), examples

    def sums(self, batch: Batch) -> tuple[Tensor, int, Tensor, int]:
        """The sum of the task's losses and their number, and both for the next tokens.

        ``lm_labels`` (rows, length), if there, says which tokens count, -100 for none.
        """
        judged = self.judged(batch)
        text = {name: batch.get(name) for name in ("input_ids", "attention_mask")}
        text["labels"] = batch.get("lm_labels", batch["input_ids"])
        spoken, targets = next_tokens(text)
        read = spoken | judged
        states = self.states_at(batch, read)  # (n, width), row by row
        task = self.outcome.loss(self.judge(states[judged[read]]), batch)
        table = self.encoder.output_weight
        return *task, *linear_cross_entropy(states[spoken[read]], table, None, targets)


class Similarity(LastToken):
    """The same for two texts without an order: the states of both orders are added."""

    sequences = 2

    def judge(self, states: Float[Tensor, "rows width"]) -> Judged:
        return super().judge(states.unflatten(0, (-1, 2)).sum(1))

    def example(self, reader: Reader, text: Any) -> Example:
        """Both orders of a pair of texts."""
        first, second = texts_of(text, 2)
        both = (first, second), (second, first)
        return {"input_ids": [reader.text(*texts)["input_ids"] for texts in both]}


class MultipleChoice(LastToken):
    """Which of several sequences? Each gets a score, and the softmax is over the scores.

    Texts are (context, [choices]); a label is the number of a choice, or the choice itself.
    """

    one_score = True

    def __init__(
        self, encoder: nn.Module, choices: int, auxiliary: float = LAMBDA, dropout: float = 0.1
    ) -> None:
        super().__init__(encoder, choices, auxiliary, dropout)
        self.sequences = choices
        self.settings = {"choices": choices, "auxiliary": auxiliary, "dropout": dropout}

    def judge(self, states: Float[Tensor, "rows width"]) -> Judged:
        return self.output(self.dropout(states)).view(-1, self.labels)

    def example(self, reader: Reader, text: Any) -> Example:
        """The context with each of the choices."""
        pair = isinstance(text, list | tuple) and len(text) == 2
        choices = text[1] if pair and isinstance(text[1], list | tuple) else ()
        if len(choices) != self.labels:
            raise ValueError(
                f"expected (context, choices) with {self.labels} choices, got {text!r:.80}"
            )
        rows = [reader.text(*texts_of((text[0], choice), 2))["input_ids"] for choice in choices]
        return {"input_ids": rows, "choices": list(choices)}

    def labelled(self, example: Example, label: Any, text: Any) -> Example:
        number = list(text[1]).index(label) if label in text[1] else label
        return super().labelled(example, number, text)

    def decided(self, example: Example, output: Any) -> tuple[Any, Tensor | None]:
        """The likeliest choice as it stands in the text, and the probabilities of all."""
        number, shares = self.outcome.decided(output)
        return example["choices"][number], shares
