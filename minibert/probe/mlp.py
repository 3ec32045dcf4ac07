"""Probes that learn batch by batch: a layer in between, and a mix of all of a model's layers."""

import copy
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.models.elmo.parts import ScalarMix
from minibert.probe.classify import Labels, Probe, Standard, X, Y

Made = TypeVar("Made")
BATCH, EPOCHS, PATIENCE = 128, 100, 4  # rows; the most epochs; epochs in a row without a gain


class MLP(Probe):
    """One hidden layer with ReLU on standardised rows, as in Hewitt & Liang 2019.

    hidden: its width. rate: of AdamW, halved after every epoch that is no better on ``valid``;
    after four such epochs in a row the best state is kept.
    """

    def __init__(self, hidden: int = 128, rate: float = 1e-3, seed: int = 0) -> None:
        self.hidden, self.rate, self.seed = hidden, rate, seed

    def learn(self, x: X, y: Y, valid_x: X, valid_y: Y) -> None:
        self.standard = Standard(x)
        layers = seeded(
            lambda: [nn.Linear(x.shape[1], self.hidden), nn.Linear(self.hidden, len(self.names))],
            self.seed,
        )
        self.network = nn.Sequential(layers[0], nn.ReLU(), layers[1]).to(x.device)
        valid = self.standard(valid_x), valid_y
        train(self.network, (self.standard(x), y), valid, self.rate, seed=self.seed)

    def logits(self, x: X) -> Float[Tensor, "rows labels"]:
        return self.network(self.standard(x))


class Mixed(nn.Module):
    """A linear layer on the `ScalarMix` of standardised layers, (rows, layers, dim)."""

    def __init__(self, layers: int, dim: int, labels: int) -> None:
        super().__init__()
        self.mix, self.output = ScalarMix(layers), nn.Linear(dim, labels)

    def forward(self, x: Float[Tensor, "rows layers dim"]) -> Float[Tensor, "rows labels"]:
        return self.output(self.mix(x.unbind(1)))


def learned_mix(
    layers: Sequence[X], y: Labels, valid: tuple[Sequence[X], Labels], seed: int = 0
) -> tuple[Float[Tensor, " layers"], list[Standard]]:
    """(the share of each layer, how each is standardised) that serve a linear probe best.

    The layers are standardised first, so that a share says how much a layer is used, not how large
    its numbers are (Peters et al. 2018, section 3.2, normalise for the same reason).
    """
    names = {name: i for i, name in enumerate(sorted({*y}, key=str))}
    standards = [Standard(x) for x in layers]

    def rows(parts: Sequence[X], labels: Labels) -> tuple[Tensor, Y]:
        x = torch.stack([s(part) for s, part in zip(standards, parts, strict=True)], 1)
        return x, torch.tensor([names[label] for label in labels])  # x: (rows, layers, dim)

    width = layers[0].shape[1]
    network = seeded(lambda: Mixed(len(layers), width, len(names)), seed)
    train(network, rows(layers, y), rows(*valid), rate=3e-3, seed=seed)
    return network.mix.shares.detach(), standards


def train(
    network: nn.Module,
    rows: tuple[Tensor, Y],
    valid: tuple[Tensor, Y],
    rate: float,
    *,
    seed: int = 0,
) -> None:
    """AdamW until ``valid`` gets no better; the network ends in its best state."""
    (x, y), random = rows, torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    best, kept, worse = math.inf, None, 0
    for _ in range(EPOCHS):
        for some in torch.randperm(len(y), generator=random).to(y.device).split(BATCH):
            with torch.enable_grad():
                F.cross_entropy(network(x[some]), y[some]).backward()
            optimizer.step()
            optimizer.zero_grad()
        with torch.no_grad():
            loss = float(F.cross_entropy(network(valid[0]), valid[1]))
        worse = 0 if loss < best else worse + 1
        if not worse:
            best, kept = loss, copy.deepcopy(network.state_dict())
            continue
        for group in optimizer.param_groups:
            group["lr"] /= 2
        if worse == PATIENCE:
            break
    if kept is None:
        raise ValueError("the probe found no finite loss on the validation rows")
    network.load_state_dict(kept)


def seeded(make: Callable[[], Made], seed: int) -> Made:
    """What ``make()`` gives with torch's random numbers from ``seed``, on the processor."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()
