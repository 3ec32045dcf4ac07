"""AWD-LSTM, the language model of ULMFiT, and the ways of keeping it from learning by heart.

Merity, Keskar & Socher (2018), "Regularizing and Optimizing LSTM Language Models",
arXiv:1708.02182; what ULMFiT (Howard & Ruder 2018) does with it stands in `minibert.transfer`.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from minibert.models.awd_lstm.parts import (
    State,
    WeightDropLSTM,
    embedding_dropout,
    variational_dropout,
)
from minibert.models.base import Pretrained, Real, Streaming, check_vocab
from minibert.models.outputs import Loss, ModelOutput
from minibert.models.softmax import linear_cross_entropy
from minibert.storage.checked import check_settings
from minibert.text.batches import Batch, BPTTBatches
from minibert.text.inputs import check_ids, reading_order, whole_mask
from minibert.text.vocab import Vocab
from minibert.training.modes import evaluating

Ids = Sequence[int] | np.ndarray
States = Float[Tensor, "batch length dim"]
DIRECTIONS = ("forward", "backward")
DROPOUTS = [f"{part}_dropout" for part in ("embedding", "input", "weight", "hidden", "output")]


@dataclass
class AWDLSTMConfig:
    """``dim``: width of the word vectors and of the last layer; ``hidden``: of the layers between.
    ``tied``: the softmax shares the word vectors. ``embedding_dropout`` drops whole words;
    ``input_dropout``, ``hidden_dropout`` and ``output_dropout`` (after the embedding, between
    layers, after the last) keep one mask for a whole window; ``weight_dropout`` is on the recurrent
    matrices. ``alpha`` and ``beta`` weigh AR and TAR. ``direction``: which way the model reads.
    ``start_id``: the token before the first.

    The defaults are those of ULMFiT's published models, in fastai's edition.
    """

    vocab_size: int
    dim: int = 400
    hidden: int = 1152
    layers: int = 3
    _: KW_ONLY
    embedding_dropout: float = 0.02
    input_dropout: float = 0.25
    weight_dropout: float = 0.2
    hidden_dropout: float = 0.15
    output_dropout: float = 0.1
    alpha: float = 2.0
    beta: float = 1.0
    tied: bool = True
    direction: str = "forward"
    start_id: int = 1

    def __post_init__(self) -> None:
        known, positive = {"direction": DIRECTIONS}, ("vocab_size", "dim", "hidden", "layers")
        check_settings(self, known=known, positive=positive, shares=DROPOUTS)

    def widths(self) -> list[tuple[int, int]]:
        """(input, output) of each layer."""
        ends = [self.dim, *[self.hidden] * (self.layers - 1), self.dim]
        return list(zip(ends[:-1], ends[1:], strict=True))


class AWDLSTM(Streaming, Pretrained):
    """Word vectors, LSTM layers with dropped weights, and a softmax that shares the vectors.

    With ``direction="backward"`` each word is guessed from those after it. `forward` takes ids and
    gives hidden states in reading order, whichever way the model reads; a stream for `loss` has to
    be turned before it is cut into windows: `batches` does that.
    """

    _files = "minibert.models.awd_lstm.files"

    def __init__(self, config: AWDLSTMConfig, vocab: Vocab | None = None) -> None:
        super().__init__()
        check_vocab(vocab, config.vocab_size)
        self.config, self.vocab = config, vocab
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        widths = config.widths()
        layers = [WeightDropLSTM(*pair, config.weight_dropout) for pair in widths]
        self.layers = nn.ModuleList(layers)
        self.decoder = nn.Linear(widths[-1][1], config.vocab_size)
        for weight in (self.decoder.weight, self.embedding.weight):
            nn.init.uniform_(weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        if config.tied:
            self.decoder.weight = self.embedding.weight

    def layer_groups(self) -> list[list[nn.Module]]:
        """From the bottom to the top: the word vectors, each layer, the decoder.

        Tied vectors are the decoder's weights, too: they stand with it on top, as in fastai, or
        the softmax would learn at the slowest rate of all.
        """
        vectors, *layers = self.encoder_groups()
        if self.config.tied:
            return [*layers, [*vectors, self.decoder]]
        return [vectors, *layers, [self.decoder]]

    def encoder_groups(self) -> list[list[nn.Module]]:
        """The groups of what a task's head reads: the word vectors and each layer."""
        return [[self.embedding], *([layer] for layer in self.layers)]

    @property
    def backward_reader(self) -> bool:
        """Whether the model reads from the end of a text."""
        return self.config.direction == "backward"

    def read(
        self, input_ids: Int[Tensor, "batch length"], state: Sequence[State | None] | None = None
    ) -> tuple[list[Float[Tensor, "batch length _"]], list[State]]:
        """Ids in the order that the model reads -> (hidden states, embeddings first; state)."""
        config = self.config
        state = [None] * len(self.layers) if state is None else state
        check_ids(input_ids, config.vocab_size)
        if len(state) != len(self.layers):
            raise ValueError(f"expected a state of {len(self.layers)} layers, got {len(state)}")
        table = self.embedding.weight
        x = embedding_dropout(table, input_ids, config.embedding_dropout, self.training)
        x = variational_dropout(x, config.input_dropout, self.training)
        hidden, carried = [x], list[State]()
        for layer, before in zip(self.layers, state, strict=True):
            if carried:
                x = variational_dropout(x, config.hidden_dropout, self.training)
            x, after = layer(x, before)
            hidden.append(x)
            carried.append(after)
        return hidden, carried

    def forward(
        self, input_ids: Int[Tensor, "batch length"], attention_mask: Real = None
    ) -> ModelOutput:
        """Hidden states: the embeddings, then one a layer; padding may stand anywhere."""
        mask = whole_mask(input_ids, attention_mask)
        if attention_mask is None and not self.backward_reader:
            hidden, _ = self.read(input_ids)
        else:
            order = reading_order(mask, self.backward_reader)  # (batch, length)
            hidden, _ = self.read(input_ids.gather(1, order))
            back = order.argsort(1)[..., None]
            hidden = [h.take_along_dim(back, 1) for h in hidden]
        return ModelOutput(last_hidden_state=hidden[-1], hidden_states=tuple(hidden))

    def batches(
        self, ids: Ids, batch_size: int = 32, bptt: int = 70, vary: bool = False, *, seed: int = 0
    ) -> BPTTBatches:
        """`BPTTBatches` of a text, turned first for a backward model; ids (length,), numbers."""
        ids = np.asarray(ids)[:: -1 if self.backward_reader else 1]
        return BPTTBatches(ids, batch_size, bptt, vary, seed=seed)

    def loss(self, batch: Batch) -> Loss:
        """(sum of cross-entropies in nats, number of targets) of a batch from `batches`.

        In training AR and TAR are added; in eval mode they are not, so that what validation
        reports is a perplexity's logarithm. The state is carried on to the next batch.
        """
        if "targets" not in batch:
            told = "expected a batch of a stream, with targets, such as `AWDLSTM.batches` makes;"
            raise ValueError(f"{told} mb.heads.CausalLM takes texts with padding")
        state = None if batch.get("reset", True) else self.state
        hidden, state = self.read(batch["input_ids"], state)
        self.state = [(h.detach(), c.detach()) for h, c in state]
        dropped = variational_dropout(hidden[-1], self.config.output_dropout, self.training)
        decoder = self.decoder
        loss, count = linear_cross_entropy(dropped, decoder.weight, decoder.bias, batch["targets"])
        if self.training:
            loss = loss + count * self.activation_penalty(dropped, hidden[-1])
        return loss, count

    def activation_penalty(self, dropped: States, raw: States) -> Float[Tensor, ""]:
        """AR and TAR: large states, and states that change fast, cost something (a scalar).

        AR is on the last layer's outputs after dropout, TAR on those before it, each the mean of
        the squares (Merity et al. 2018, section 4.6, as in the authors' program).
        """
        penalty = dropped.new_zeros(())
        if self.config.alpha:
            penalty = penalty + self.config.alpha * dropped.square().mean()
        if self.config.beta and raw.shape[1] > 1:
            penalty = penalty + self.config.beta * (raw[:, 1:] - raw[:, :-1]).square().mean()
        return penalty

    def log_probs(self, ids: Ids, chunk: int = 1000) -> Float64[np.ndarray, " tokens"]:
        """log p of each token, in the order of ``ids``, given those read before it."""
        ids = np.asarray(ids)[:: -1 if self.backward_reader else 1]
        text = torch.as_tensor(np.concatenate([[self.config.start_id], ids]))[None]
        text = text.to(self.embedding.weight.device)
        found, state = [], None
        with evaluating(self):
            for at in range(0, len(ids), chunk):
                hidden, state = self.read(text[:, at : min(at + chunk, len(ids))], state)
                log_p = self.decoder(hidden[-1]).double().log_softmax(-1)  # (1, chunk, V)
                targets = text[:, at + 1 : at + 1 + chunk, None]
                found.append(log_p.gather(-1, targets)[0, :, 0].cpu())
        log_p = torch.cat(found).numpy() if found else np.zeros(0)
        return log_p[:: -1 if self.backward_reader else 1]
