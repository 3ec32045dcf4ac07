"""AWD-LSTM: an LSTM language model, and the ways of keeping it from learning its text by heart.

Merity, Keskar & Socher (2018), "Regularizing and Optimizing LSTM Language Models",
arXiv:1708.02182. It is the language model of ULMFiT (Howard & Ruder 2018, arXiv:1801.06146); what
ULMFiT does with it stands in `minibert.transfer`.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from minibert.models.dropout import dropout
from minibert.models.outputs import ModelOutput
from minibert.models.softmax import linear_cross_entropy
from minibert.storage.checked import check_settings
from minibert.text.batches import BPTTBatches
from minibert.text.inputs import check_ids, reading_order, whole_mask
from minibert.training.modes import evaluating

DIRECTIONS = ("forward", "backward")
DROPOUTS = (
    "embedding_dropout",
    "input_dropout",
    "weight_dropout",
    "hidden_dropout",
    "output_dropout",
)

# A dropped weight matrix is new at each step; cuDNN copies it, and would say so every time.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")


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

    def __post_init__(self):
        known, positive = {"direction": DIRECTIONS}, ("vocab_size", "dim", "hidden", "layers")
        check_settings(self, known=known, positive=positive, shares=DROPOUTS)

    def widths(self):
        """(input, output) of each layer."""
        ends = [self.dim, *[self.hidden] * (self.layers - 1), self.dim]
        return list(zip(ends[:-1], ends[1:], strict=True))


def variational_dropout(x, p, training=True):
    """One mask per sequence, for all positions (Gal & Ghahramani 2016); x: (batch, length, width).

    A number that is dropped is dropped at every place, so that noise cannot average out over time.
    """
    if not training or p == 0:
        return x
    mask = dropout(x.new_ones(len(x), 1, x.shape[-1]), p)  # (batch, 1, width)
    return x * mask


def embedding_dropout(table, input_ids, p, training=True):
    """Look words up in a table (V, dim), with whole words dropped: -> (batch, length, dim).

    A dropped word is a row of zeros wherever it stands in the batch; the others grow by 1 / (1 - p)
    (Merity et al. 2018, section 4.3).
    """
    x = F.embedding(input_ids, table)
    if not training or p == 0:
        return x
    mask = dropout(table.new_ones(len(table), 1), p)  # (V, 1)
    return x * F.embedding(input_ids, mask)


class WeightDropLSTM(nn.Module):
    """One LSTM layer whose recurrent matrix ``weight_hh`` loses weights (DropConnect).

    The same connections are missing at every place of a window (Merity et al. 2018, section 2). The
    parameter is never replaced: each call makes a dropped copy and gives that to the fused kernel,
    so the raw weights are trained, and saved once. Rows of the matrices are gates in torch's order:
    input, forget, cell, output.
    """

    def __init__(self, inputs, outputs, weight_dropout=0.0):
        super().__init__()
        self.outputs, self.weight_dropout = outputs, weight_dropout
        self.weight_ih = nn.Parameter(torch.empty(4 * outputs, inputs))
        self.weight_hh = nn.Parameter(torch.empty(4 * outputs, outputs))
        self.bias_ih = nn.Parameter(torch.empty(4 * outputs))
        self.bias_hh = nn.Parameter(torch.empty(4 * outputs))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(outputs**-0.5), outputs**-0.5)

    def forward(self, x, state=None):
        """x (batch, length, inputs) -> outputs (batch, length, outputs), state (h, c).

        h and c are (1, batch, outputs), as torch's LSTM has them; None stands for zeros. Raises
        ValueError for input or state of another shape.
        """
        state = self.zeros(x) if state is None else self.checked(x, state)
        dropped = dropout(self.weight_hh, self.weight_dropout, self.training)
        weights = [self.weight_ih, dropped, self.bias_ih, self.bias_hh]
        # input, state, weights, biases?, layers, dropout, training?, bidirectional?, batch first?
        out, h, c = torch._VF.lstm(x, state, weights, True, 1, 0.0, self.training, False, True)
        return out, (h, c)

    def step_by_step(self, x, state=None):
        """The same as `forward`, for reading: one position after another, one equation per line."""
        h, c = (part[0] for part in (self.zeros(x) if state is None else state))  # (batch, outputs)
        dropped = dropout(self.weight_hh, self.weight_dropout, self.training)  # once per sequence
        out = []
        for t in range(x.shape[1]):
            gates = x[:, t] @ self.weight_ih.T + self.bias_ih + h @ dropped.T + self.bias_hh
            i, f, g, o = gates.chunk(4, dim=-1)  # each (batch, outputs)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            out.append(h)
        return torch.stack(out, 1), (h[None], c[None])

    def zeros(self, x):
        """The state before the first token."""
        self.check(x)
        return (x.new_zeros(1, len(x), self.outputs),) * 2

    def checked(self, x, state):
        """The state, once it fits: the kernel itself does not look, and would end the process."""
        self.check(x)
        expected = (1, len(x), self.outputs)
        if len(state) != 2 or any(part.shape != expected for part in state):
            raise ValueError(
                f"expected a state (h, c) of the shape {expected} for {len(x)} rows, got "
                f"{' and '.join(str(tuple(part.shape)) for part in state)}: a state goes on with "
                f"the rows that it was made from"
            )
        return state

    def check(self, x):
        """Refuse input that the kernel cannot take."""
        inputs = self.weight_ih.shape[1]
        if x.ndim != 3 or x.shape[2] != inputs or not x.shape[1]:
            raise ValueError(
                f"expected input (batch, length, {inputs}) with a length of at least 1, got "
                f"{tuple(x.shape)}"
            )


class AWDLSTM(nn.Module):
    """Word vectors, LSTM layers with dropped weights, and a softmax that shares the vectors.

    ``vocab``: a `minibert.text.Vocab`, or None; it is saved with the model.

    A model with ``direction="backward"`` guesses each word from those after it. `forward` takes ids
    in reading order and gives hidden states in reading order, whichever way the model reads. A
    stream for `loss` is cut into windows that follow each other, so it has to be turned before it
    is cut: `batches` does that.
    """

    def __init__(self, config, vocab=None):
        super().__init__()
        if vocab is not None and len(vocab) != config.vocab_size:
            raise ValueError(
                f"expected a vocabulary of vocab_size={config.vocab_size} words, got {len(vocab)}"
            )
        self.config, self.vocab, self.state = config, vocab, None
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(
            WeightDropLSTM(*widths, config.weight_dropout) for widths in config.widths()
        )
        self.decoder = nn.Linear(config.widths()[-1][1], config.vocab_size)
        for weight in (self.decoder.weight, self.embedding.weight):
            nn.init.uniform_(weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        if config.tied:
            self.decoder.weight = self.embedding.weight

    @classmethod
    def from_pretrained(cls, source):
        """Read a model: a folder, a bundled name, or fastai's ``.pth`` with its ``itos`` beside it.

        See `minibert.models.awd_lstm.files.load`. Raises FileNotFoundError or ValueError.
        """
        from minibert.models.awd_lstm import files as awd_lstm

        return awd_lstm.load(source)

    def save_pretrained(self, folder):
        """Write a folder that `from_pretrained` reads."""
        from minibert.models.awd_lstm import files as awd_lstm

        awd_lstm.save(self, folder)

    def layer_groups(self):
        """From the bottom to the top: the word vectors, each layer, the decoder."""
        return [[self.embedding], *([layer] for layer in self.layers), [self.decoder]]

    @property
    def backward_reader(self):
        """Whether the model reads from the end of a text."""
        return self.config.direction == "backward"

    def read(self, input_ids, state=None):
        """Ids (batch, length) in the order that the model reads -> (hidden states, state).

        The hidden states are a list, the embeddings first, each (batch, length, width); dropout is
        on in training. ``state``: what an earlier call gave, to read on.
        """
        config, state = self.config, state or [None] * len(self.layers)
        check_ids(input_ids, config.vocab_size)
        if len(state) != len(self.layers):
            raise ValueError(f"expected a state of {len(self.layers)} layers, got {len(state)}")
        table = self.embedding.weight
        x = embedding_dropout(table, input_ids, config.embedding_dropout, self.training)
        x = variational_dropout(x, config.input_dropout, self.training)
        hidden, carried = [x], []
        for layer, before in zip(self.layers, state, strict=True):
            if carried:
                x = variational_dropout(x, config.hidden_dropout, self.training)
            x, after = layer(x, before)
            hidden.append(x)
            carried.append(after)
        return hidden, carried

    def forward(self, input_ids, attention_mask=None):
        """(batch, length) ids -> `ModelOutput`: embeddings, then one state a layer.

        ``attention_mask``: 1 for a token, 0 for padding, which changes nothing, wherever it stands;
        what the output holds there means nothing. Each text starts from a fresh state.
        """
        mask = whole_mask(input_ids, attention_mask)
        if attention_mask is None and not self.backward_reader:
            hidden, _ = self.read(input_ids)
        else:
            order = reading_order(mask, self.backward_reader)  # (batch, length)
            hidden, _ = self.read(input_ids.gather(1, order))
            back = order.argsort(1)[..., None]
            hidden = [h.take_along_dim(back, 1) for h in hidden]
        return ModelOutput(last_hidden_state=hidden[-1], hidden_states=tuple(hidden))

    def batches(self, ids, batch_size=32, bptt=70, vary=False, *, seed=0):
        """`BPTTBatches` of a text, turned first for a backward model; ids (length,), numbers."""
        ids = ids[::-1] if self.backward_reader else ids
        return BPTTBatches(ids, batch_size, bptt, vary, seed=seed)

    def loss(self, batch):
        """(sum of cross-entropies in nats, number of targets) of a batch from `batches`.

        In training AR and TAR are added; in eval mode they are not, so that what validation
        reports is a perplexity's logarithm. The state is carried on to the next batch.
        """
        if "targets" not in batch:
            raise ValueError(
                "expected a batch of a stream, with targets, such as `AWDLSTM.batches` makes; "
                "mb.heads.CausalLM takes texts with padding"
            )
        state = None if batch.get("reset", True) else self.state
        hidden, state = self.read(batch["input_ids"], state)
        self.state = [tuple(part.detach() for part in pair) for pair in state]
        dropped = variational_dropout(hidden[-1], self.config.output_dropout, self.training)
        decoder = self.decoder
        loss, count = linear_cross_entropy(dropped, decoder.weight, decoder.bias, batch["targets"])
        if self.training:
            loss = loss + count * self.activation_penalty(dropped, hidden[-1])
        return loss, count

    def activation_penalty(self, dropped, raw):
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

    def stream_state(self):
        """The state carried between batches."""
        return self.state

    def load_stream_state(self, state):
        self.state = state

    def log_probs(self, ids, chunk=1000):
        """log p of every token of a text given those read before it, float64 (length,).

        The text starts after ``start_id``; a backward model starts at its end. In the order of
        ``ids``. Dropout is off, and the model's own stream is not touched.
        """
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
