"""The parts of ELMo's two language models (Peters et al. 2018, arXiv:1802.05365).

The character network is that of Kim et al. (2016), with highway layers (Srivastava et al. 2015);
the LSTM with projection, that of Sak et al. (2014).
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.models.base import Where
from minibert.models.outputs import Loss
from minibert.text.batches import IGNORE
from minibert.text.characters import ALPHABET

if TYPE_CHECKING:
    from minibert.models.elmo.model import ELMoConfig

Streams = Sequence[Float[Tensor, "batch length width"]]  # one of each direction
Symbols = Int[Tensor, "*batch symbols"]
State = tuple[Float[Tensor, "2 batch projection"], Float[Tensor, "2 batch dim"]]  # of a layer: h, c
Output = Float[Tensor, "*batch projection"]  # h at one word
Cells = Float[Tensor, "*batch dim"]  # c
Words = Float[Tensor, "*batch width"]
Stream = Float[Tensor, "batch length width"]
ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


class Highway(nn.Module):
    """t * relu(W x) + (1 - t) * x, with a gate t = sigmoid(V x) (Srivastava et al. 2015)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform, self.gate = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.constant_(self.gate.bias, -2.0)  # at first, hand most of it through

    def forward(self, x: Words) -> Words:
        t = torch.sigmoid(self.gate(x))
        return t * torch.relu(self.transform(x)) + (1 - t) * x


class CharacterEncoder(nn.Module):
    """From a word's symbols to its vector, whatever the word (Peters et al. 2018, section 3.4)."""

    def __init__(self, config: "ELMoConfig") -> None:
        super().__init__()
        self.embedding = nn.Embedding(ALPHABET, config.char_dim, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.char_dim, number, width) for width, number in config.filters
        )
        self.widest = max(width for width, _ in config.filters)
        found = sum(number for _, number in config.filters)
        self.highway = nn.ModuleList(Highway(found) for _ in range(config.highway))
        self.projection = nn.Linear(found, config.projection)
        self.activation = ACTIVATIONS[config.activation]
        nn.init.uniform_(self.embedding.weight[1:], -1.0, 1.0)

    def forward(self, characters: Symbols) -> Output:
        x = self.embedding(characters.flatten(0, -2))  # (words, symbols, char_dim)
        x = x.transpose(1, 2)  # (words, char_dim, symbols)
        found = [self.activation(filters(x).amax(-1)) for filters in self.convolutions]
        x = torch.cat(found, -1)  # (words, filters): each the best match anywhere in the word
        for layer in self.highway:
            x = layer(x)
        return self.projection(x).unflatten(0, characters.shape[:-1])  # (..., projection)


class LSTMP(nn.Module):
    """An LSTM layer with projection (Sak et al. 2014); rows of matrices are gates i, f, g, o."""

    def __init__(
        self,
        width: int,
        dim: int,
        projection: int,
        *,
        cell_clip: float | None = None,
        proj_clip: float | None = None,
    ) -> None:
        super().__init__()
        self.cell_clip, self.proj_clip = cell_clip, proj_clip
        self.input = nn.Linear(width, 4 * dim)
        self.recurrent = nn.Linear(projection, 4 * dim, bias=False)
        self.projection = nn.Linear(dim, projection, bias=False)
        nn.init.zeros_(self.input.bias)
        nn.init.ones_(self.input.bias[dim : 2 * dim])  # at first, remember: the forget gate

    def step(self, x: Words, h: Output, c: Cells) -> tuple[Output, Cells]:
        """One word: x and the state before it -> the new h, c."""
        i, f, g, o = (self.input(x) + self.recurrent(h)).chunk(4, -1)  # (batch, dim) each
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        c = c if self.cell_clip is None else c.clamp(-self.cell_clip, self.cell_clip)
        h = self.projection(torch.sigmoid(o) * torch.tanh(c))
        return (h if self.proj_clip is None else h.clamp(-self.proj_clip, self.proj_clip)), c

    def forward(
        self, x: Float[Tensor, "batch length width"], state: tuple[Output, Cells], mask: Where
    ) -> tuple[Float[Tensor, "batch length projection"], tuple[Output, Cells]]:
        """Outputs and last state (h, c), where a sentence ends; mask: True for a word."""
        h, c = state
        outputs = []
        for t in range(x.shape[1]):
            real = mask[:, t, None]  # (batch, 1)
            new_h, new_c = self.step(x[:, t], h, c)
            h, c = torch.where(real, new_h, h), torch.where(real, new_c, c)
            outputs.append(new_h * real)
        return torch.stack(outputs, 1), (h, c)


class ScalarMix(nn.Module):
    """gamma * sum_j s_j h_j with s = softmax(w): one vector a word from all layers (equation 1).

    Works on any model's ``hidden_states``. ``layer_norm``: normalise each layer in every word
    first.
    """

    def __init__(self, layers: int, layer_norm: bool = False) -> None:
        super().__init__()
        self.layer_norm = layer_norm
        self.weights = nn.Parameter(torch.zeros(layers))  # w: all layers alike at first
        self.gamma = nn.Parameter(torch.ones(()))

    @property
    def shares(self) -> Float[Tensor, " layers"]:
        """s: positive, with the sum 1."""
        return torch.softmax(self.weights, 0)

    def forward(self, hidden_states: Sequence[Words] | Float[Tensor, "layers ..."]) -> Words:
        if len(hidden_states) != len(self.weights):
            raise ValueError(f"expected {len(self.weights)} layers, got {len(hidden_states)}")
        if self.layer_norm:
            hidden_states = [F.layer_norm(h, h.shape[-1:]) for h in hidden_states]
        return self.gamma * sum(s * h for s, h in zip(self.shares, hidden_states, strict=True))


def turned(x: Stream, mask: Where) -> Stream:
    """Each sentence from its last word to its first, padding behind it; twice, it gives x back."""
    lengths = mask.sum(1, keepdim=True)  # (batch, 1)
    places = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)  # (batch, length)
    places = torch.where(places < lengths, lengths - 1 - places, places)
    return x.gather(1, places[..., None].expand_as(x))


def both_directions(
    pair: tuple[LSTMP, LSTMP], inputs: Streams, state: State, mask: Where
) -> tuple[Streams, State]:
    """A forward and a backward `LSTMP`, one after the other."""
    found = [layer(x, (h, c), mask) for layer, x, h, c in zip(pair, inputs, *state, strict=True)]
    (forward, first), (backward, second) = found
    h, c = map(torch.stack, zip(first, second, strict=True))
    return (forward, backward), (h, c)


def sampled_softmax(
    hidden: Float[Tensor, "*shape dim"],
    weight: Float[Tensor, "V dim"],
    bias: Float[Tensor, " V"],
    targets: Int[Tensor, "*shape"],
    *,
    negatives: int = 8192,
    drawn: Int[Tensor, " negatives"] | None = None,
) -> Loss:
    """(sum of cross-entropies in nats among target and drawn words, number of targets).

    weight, bias: sorted by the frequency of the words. ``negatives`` words are drawn for all
    targets, with q(rank) = log((rank + 2) / (rank + 1)) / log(V + 1); or ``drawn`` says which. The
    score of a drawn word is lowered by the logarithm of how often it is expected, and one that is
    the target counts for nothing: with ever more of them this comes to the full softmax (Blanc &
    Rendle 2018, arXiv:1712.00527; the authors' TensorFlow draws each word once, and lowers the
    target, too).
    """
    real = targets != IGNORE
    hidden, targets = hidden[real], targets[real]  # (n, dim), (n,)
    ranks = torch.arange(len(weight), device=hidden.device)
    q = torch.log((ranks + 2.0) / (ranks + 1.0)) / math.log(len(weight) + 1)  # (V,)
    if drawn is None:
        drawn = torch.multinomial(q, negatives, replacement=True)
    lower = (q[drawn] * len(drawn)).log()  # (negatives,)
    true = (hidden * weight[targets]).sum(-1) + bias[targets]  # (n,)
    noise = hidden @ weight[drawn].T + bias[drawn] - lower  # (n, negatives)
    noise = noise.masked_fill(drawn == targets[:, None], -math.inf)
    scores = torch.cat((true[:, None], noise), 1)
    return (scores.logsumexp(1) - true).sum(), len(targets)
