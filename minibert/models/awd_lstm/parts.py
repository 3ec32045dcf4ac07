"""Dropout with lasting masks, an LSTM with dropped weights (Merity et al. 2018, sections 2, 4)."""

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.models.dropout import dropout

State = tuple[Float[Tensor, "1 batch _"], Float[Tensor, "1 batch _"]]  # h and c of a layer
Rows = Float[Tensor, "batch length width"]
Inputs = Float[Tensor, "batch length inputs"]
Outputs = Float[Tensor, "batch length outputs"]

# A dropped weight matrix is new at each step; cuDNN copies it, and would say so every time.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")


def variational_dropout(x: Rows, p: float, training: bool = True) -> Rows:
    """One mask per sequence, so that noise does not average out (Gal & Ghahramani 2016)."""
    if not training or p == 0:
        return x
    mask = dropout(x.new_ones(len(x), 1, x.shape[-1]), p)  # (batch, 1, width)
    return x * mask


def embedding_dropout(
    table: Float[Tensor, "V dim"],
    input_ids: Int[Tensor, "batch length"],
    p: float,
    training: bool = True,
) -> Float[Tensor, "batch length dim"]:
    """Look words up in a table; a dropped word is a row of zeros wherever it stands in the batch.

    The others grow by 1 / (1 - p) (Merity et al. 2018, section 4.3).
    """
    x = F.embedding(input_ids, table)
    if not training or p == 0:
        return x
    mask = dropout(table.new_ones(len(table), 1), p)  # (V, 1)
    return x * F.embedding(input_ids, mask)


class WeightDropLSTM(nn.Module):
    """One LSTM layer whose recurrent matrix ``weight_hh`` loses weights (DropConnect).

    The same connections are missing all over a window (Merity et al. 2018, section 2). Each call
    gives a dropped copy to the fused kernel, so the raw weights are trained, and saved once. Rows
    of the matrices are gates in torch's order: input, forget, cell, output.
    """

    def __init__(self, inputs: int, outputs: int, weight_dropout: float = 0.0) -> None:
        super().__init__()
        self.outputs, self.weight_dropout = outputs, weight_dropout
        self.weight_ih = nn.Parameter(torch.empty(4 * outputs, inputs))
        self.weight_hh = nn.Parameter(torch.empty(4 * outputs, outputs))
        self.bias_ih = nn.Parameter(torch.empty(4 * outputs))
        self.bias_hh = nn.Parameter(torch.empty(4 * outputs))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(outputs**-0.5), outputs**-0.5)

    def forward(self, x: Inputs, state: State | None = None) -> tuple[Outputs, State]:
        """Outputs and the state (h, c). Raises ValueError for input or state of another shape."""
        state = self.started(x, state)
        dropped = dropout(self.weight_hh, self.weight_dropout, self.training)
        weights = [self.weight_ih, dropped, self.bias_ih, self.bias_hh]
        # input, state, weights, biases?, layers, dropout, training?, bidirectional?, batch first?
        out, h, c = torch._VF.lstm(x, state, weights, True, 1, 0.0, self.training, False, True)
        return out, (h, c)

    def step_by_step(self, x: Inputs, state: State | None = None) -> tuple[Outputs, State]:
        """The same as `forward`, for reading: one position after another, one equation per line."""
        h, c = (part[0] for part in self.started(x, state))  # (batch, outputs)
        dropped = dropout(self.weight_hh, self.weight_dropout, self.training)  # once per sequence
        out = []
        for t in range(x.shape[1]):
            gates = x[:, t] @ self.weight_ih.T + self.bias_ih + h @ dropped.T + self.bias_hh
            i, f, g, o = gates.chunk(4, dim=-1)  # each (batch, outputs)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            out.append(h)
        return torch.stack(out, 1), (h[None], c[None])

    def started(self, x: Inputs, state: State | None) -> State:
        """The state to start from, checked: the kernel would end the process otherwise."""
        inputs, shape = self.weight_ih.shape[1], (1, len(x), self.outputs)
        if x.ndim != 3 or x.shape[2] != inputs or not x.shape[1]:
            told = f"expected input (batch, length, {inputs}) with a length of at least 1,"
            raise ValueError(f"{told} got {tuple(x.shape)}")
        if state is None:
            return x.new_zeros(shape), x.new_zeros(shape)
        got = [tuple(one.shape) if torch.is_tensor(one) else type(one).__name__ for one in state]
        if got != [shape, shape]:
            raise ValueError(
                f"expected a state (h, c) of the shape {shape} for {len(x)} rows, got "
                f"{' and '.join(map(str, got))[:80]}: a state goes on with the rows that it was "
                f"made from"
            )
        h, c = state
        return h, c
