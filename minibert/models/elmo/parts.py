"""The parts of ELMo's two language models: spelling, one LSTM layer, a cheaper softmax.

Peters et al. (2018), arXiv:1802.05365, and what it took over: the character network of Kim et al.
(2016), highway layers (Srivastava et al. 2015), the LSTM with projection (Sak et al. 2014).
"""

import math

import torch
from torch import nn

from minibert.text.batches import IGNORE
from minibert.text.characters import ALPHABET

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


class Highway(nn.Module):
    """t * relu(W x) + (1 - t) * x, with a gate t = sigmoid(V x) (Srivastava et al. 2015)."""

    def __init__(self, width):
        super().__init__()
        self.transform, self.gate = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.constant_(self.gate.bias, -2.0)  # at first, hand most of it through

    def forward(self, x):
        t = torch.sigmoid(self.gate(x))
        return t * torch.relu(self.transform(x)) + (1 - t) * x


class CharacterEncoder(nn.Module):
    """From a word's symbols to its vector, whatever the word (Peters et al. 2018, section 3.4)."""

    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Embedding(ALPHABET, config.char_dim, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.char_dim, number, width) for width, number in config.filters
        )
        found = sum(number for _, number in config.filters)
        self.highway = nn.ModuleList(Highway(found) for _ in range(config.highway))
        self.projection = nn.Linear(found, config.projection)
        self.activation = ACTIVATIONS[config.activation]
        nn.init.uniform_(self.embedding.weight[1:], -1.0, 1.0)

    def forward(self, characters):
        """(..., symbols) -> (..., projection)."""
        x = self.embedding(characters.flatten(0, -2))  # (words, symbols, char_dim)
        x = x.transpose(1, 2)  # (words, char_dim, symbols)
        found = [self.activation(filters(x).amax(-1)) for filters in self.convolutions]
        x = torch.cat(found, -1)  # (words, filters): each the best match anywhere in the word
        for layer in self.highway:
            x = layer(x)
        return self.projection(x).unflatten(0, characters.shape[:-1])  # (..., projection)


class LSTMP(nn.Module):
    """One layer in one direction: an LSTM whose output is projected (Sak et al. 2014).

    The rows of ``input`` and ``recurrent`` are the gates i, f, g, o, as in torch.
    """

    def __init__(self, width, dim, projection, cell_clip=None, proj_clip=None):
        super().__init__()
        self.cell_clip, self.proj_clip = cell_clip, proj_clip
        self.input = nn.Linear(width, 4 * dim)
        self.recurrent = nn.Linear(projection, 4 * dim, bias=False)
        self.projection = nn.Linear(dim, projection, bias=False)
        nn.init.zeros_(self.input.bias)
        nn.init.ones_(self.input.bias[dim : 2 * dim])  # at first, remember: the forget gate

    def step(self, x, h, c):
        """One word: x (batch, width), h (batch, projection), c (batch, dim) -> new h, c."""
        i, f, g, o = (self.input(x) + self.recurrent(h)).chunk(4, -1)  # (batch, dim) each
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        c = c if self.cell_clip is None else c.clamp(-self.cell_clip, self.cell_clip)
        h = self.projection(torch.sigmoid(o) * torch.tanh(c))
        return (h if self.proj_clip is None else h.clamp(-self.proj_clip, self.proj_clip)), c

    def forward(self, x, state, mask):
        """(batch, length, width) -> (batch, length, projection) and the last state (h, c).

        ``mask``: (batch, length), True for a word; the state of a sentence stays where it ended.
        """
        h, c = state
        outputs = []
        for t in range(x.shape[1]):
            real = mask[:, t, None]  # (batch, 1)
            new_h, new_c = self.step(x[:, t], h, c)
            h, c = torch.where(real, new_h, h), torch.where(real, new_c, c)
            outputs.append(new_h * real)
        return torch.stack(outputs, 1), (h, c)


def turned(x, mask):
    """Each sentence from its last word to its first; padding stays behind it.

    x: (batch, length, width); mask: (batch, length). Applied twice it gives x back.
    """
    lengths = mask.sum(1, keepdim=True)  # (batch, 1)
    places = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)  # (batch, length)
    places = torch.where(places < lengths, lengths - 1 - places, places)
    return x.gather(1, places[..., None].expand_as(x))


def both_directions(pair, inputs, state, mask):
    """A forward and a backward `LSTMP`, one after the other.

    inputs: two tensors (batch, length, width); state: h (2, batch, projection), c (2, batch, dim).
    """
    found = [layer(x, (h, c), mask) for layer, x, h, c in zip(pair, inputs, *state, strict=True)]
    (forward, first), (backward, second) = found
    return (forward, backward), tuple(torch.stack(both) for both in zip(first, second, strict=True))


def sampled_softmax(hidden, weight, bias, targets, negatives=None, drawn=None):
    """(sum of cross-entropies among target and drawn words, number of targets).

    hidden: (..., dim). weight: (V, dim), bias: (V,), sorted by the frequency of the words. targets:
    (...), -100 for none. ``negatives`` words are drawn, the same for all targets, with
    q(rank) = log((rank + 2) / (rank + 1)) / log(V + 1); or ``drawn``, (negatives,), says which.

    The score of a drawn word is lowered by the logarithm of how often it is expected, and a drawn
    word that is the target counts for nothing: so with ever more of them this comes to the full
    softmax (Blanc & Rendle 2018, arXiv:1712.00527; the authors' TensorFlow draws each word at most
    once, and lowers the target's score, too).
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
