"""A build of chapter 10: an adapter, a bottleneck beside the identity."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import (
    IN_PLACE,
    NO_GRADIENT,
    RANDOM,
    foreign,
    made_with,
    normal,
    unreached,
)

NEAR = 0.05  # of the identity, at the start
Weights = dict[str, Tensor]


class AdapterBlock(Exercise):
    id = "10.adapter"
    title = "Build: an adapter"
    minutes, difficulty, importance, points = 12, 2, 5, 6
    hints = (
        "Two layers: `nn.Linear(dim, size)` and `nn.Linear(size, dim)`, called `down` and `up`.",
        "`nn.init.normal_(self.down.weight, std=0.01)` draws small weights, "
        "`nn.init.zeros_(self.down.bias)` sets the biases to zero; the same for `up`.",
        "`forward` is one line: what came in, plus what the bottleneck makes of it.",
    )

    def as_functions(self, made: type) -> tuple:
        return (partial(self.tried, made),)

    @staticmethod
    def tried(made: type, dim: int, size: int, x: Tensor, *weights: Weights) -> dict:
        """What an adapter gives: a fresh one, or one with these weights."""
        torch.manual_seed(0)
        adapter: Any = made(dim, size)
        found: dict[str, Any] = {"numbers": sum(p.numel() for p in adapter.parameters())}
        if weights:
            made_with(adapter, weights[0])
        below = x.clone().requires_grad_()
        given = 1.0 * below
        got = adapter(given)
        found["changed"] = not torch.equal(given, x)
        found["got"] = got.detach() if torch.is_tensor(got) else got
        again = adapter(x.clone())
        found["random"] = torch.is_tensor(got) and not torch.equal(got, again)
        if weights:
            found["unreached"], found["slope"] = [], None
            if not found["changed"]:
                found["slope"] = AdapterBlock.slope(got, below)
                found["unreached"] = unreached(adapter, weights[0], got)
            return found
        named = {name: p.detach() for name, p in adapter.named_parameters()}
        found["biases"] = any(p.any().item() for n, p in named.items() if n.endswith("bias"))
        found["resting"] = [n for n, p in adapter.named_parameters() if not p.requires_grad]
        found["spreads"] = [float(p.std()) for p in named.values() if p.ndim > 1]
        found["constant"] = [n for n, p in named.items()
                             if p.ndim > 1 and p.any() and p.unique().numel() == 1]  # fmt: skip
        found["still"] = not found["changed"] and not AdapterBlock.learns(adapter, x)
        return found

    @staticmethod
    def slope(got: Any, below: Tensor) -> Tensor | None:
        """The gradient of the sum of squares that comes back to what came in."""
        if not (torch.is_tensor(got) and got.requires_grad):
            return None
        total = got.square().sum()
        return torch.autograd.grad(total, below, retain_graph=True, allow_unused=True)[0]

    @staticmethod
    def learns(adapter: Any, x: Tensor) -> bool:
        """Whether a matrix of a fresh adapter gets a gradient."""
        matrices = [p for p in adapter.parameters() if p.ndim > 1 and p.requires_grad]
        out = adapter(x.clone())
        if not (matrices and torch.is_tensor(out) and out.requires_grad):
            return False
        (out * normal(*out.shape, seed=9)).sum().backward()
        return any(p.grad is not None and bool(p.grad.any()) for p in matrices)

    @staticmethod
    def case(seed: int, dim: int, size: int) -> tuple[int, int, Tensor, Weights]:
        """(dim, size, input, weights)."""
        weights = {"down": normal(size, dim, seed=seed), "down.bias": normal(size, seed=seed + 1)}
        weights |= {"up": normal(dim, size, seed=seed + 2), "up.bias": normal(dim, seed=seed + 3)}
        shape = (2, 3, dim) if seed % 2 else (4, dim)
        return dim, size, normal(*shape, seed=seed + 4), weights

    def untouched(self, tried: Callable[..., Any]) -> bool:
        dim, size, x, _ = self.case(0, 6, 2)
        found = tried(dim, size, x)
        same = torch.is_tensor(found["got"]) and torch.equal(found["got"], x)
        return not found["numbers"] and (found["got"] is None or same)

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        for case in (self.case(1, 6, 2), self.case(2, 5, 3), self.case(3, 4, 7)):
            wrong = self.formula(tried, case) or self.start(tried, case)
            if wrong:
                return wrong
        spreads = tried(48, 16, normal(2, 48))["spreads"]
        if far := [x for x in spreads if x and not 0.005 < x < 0.015]:
            return Wrong("right for the rest; but the weights of both matrices start with a "
                         f"standard deviation of 0.01; yours have {far[0]:.2g}.", 5)  # fmt: skip
        return Right("Near the identity at first: the network below does not notice it yet.")

    @classmethod
    def formula(cls, tried: Callable[..., Any], case: tuple) -> Wrong | None:
        """What is wrong with what is computed from given weights."""
        found = tried(*case)
        if strange := foreign(found["got"], "the output"):
            return strange
        if found["random"]:
            return Wrong(RANDOM, 2)
        verdict = compare(found["got"], cls.solve(case), cls.mistakes(case), what="the output")
        if not isinstance(verdict, Right):
            return verdict
        if found["changed"]:
            return Wrong(IN_PLACE, 3)
        if found["unreached"]:
            return Wrong(NO_GRADIENT.format(" or ".join(found["unreached"])), 2)
        below = case[2].clone().requires_grad_()
        if not same(found["slope"], cls.slope(cls.solve((*case[:2], below, case[3])), below), 1e-4):
            return Wrong("the numbers are right, but the layers below get a wrong gradient: "
                         "detach nothing, neither x nor what the bottleneck reads.", 2)  # fmt: skip
        return None

    @staticmethod
    def start(tried: Callable[..., Any], case: tuple) -> Wrong | None:
        """What is wrong with a fresh adapter."""
        dim, size, x, _ = case
        found = tried(dim, size, x)
        wanted = 2 * dim * size + dim + size
        if found["numbers"] != wanted:
            return Wrong(f"an adapter of dim={dim} and size={size} has {wanted} numbers: two "
                         f"matrices and two biases. Yours has {found['numbers']}.", 3)  # fmt: skip
        if found["biases"]:
            return Wrong("the biases do not start at zero.", 4)
        if found["resting"]:
            return Wrong(f"{found['resting'][0]} rests: both matrices and both biases learn.", 4)
        if found["constant"]:
            return Wrong(f"all numbers of {found['constant'][0]} start alike: then all numbers of "
                         "the bottleneck learn the same. Draw them at random.", 4)  # fmt: skip
        if (found["got"] - x).abs().max() > NEAR:
            return Wrong("the formula is right, but a fresh adapter is far from the identity: draw "
                         "its weights with a standard deviation of 0.01.", 4)  # fmt: skip
        if found["still"]:
            return Wrong("both matrices start at zero: then no gradient reaches either of them, "
                         "and nothing will ever be learned.", 4)  # fmt: skip
        return None

    @staticmethod
    def solve(case: tuple, activation: Callable[..., Tensor] = F.gelu) -> Tensor:
        *_, x, weights = case
        inner = activation(F.linear(x, weights["down"], weights["down.bias"]))
        return x + F.linear(inner, weights["up"], weights["up.bias"])

    @classmethod
    def mistakes(cls, case: tuple) -> list[tuple]:
        """(output, message, points) of known mistakes."""
        *_, x, weights = case
        want = cls.solve(case)
        raw = F.linear(x, weights["down"], weights["down.bias"])
        plain = cls.solve(case, nn.Identity())
        over = F.gelu(F.linear(F.gelu(raw), weights["up"], weights["up.bias"]))
        late = F.gelu(plain - x)
        return [
            (want - x, "what came in is not added: x + up(...).", 2),
            (x - (want - x), "taken away from x: it is added.", 3),
            (want + x, "x is added twice.", 3),
            (x, "the adapter gives back what it got: is `up(...)` added?", 1),
            (plain, "there is no activation between the two layers.", 2),
            (cls.solve(case, F.relu), "that is ReLU: `F.gelu` is asked for.", 3),
            (cls.solve(case, torch.tanh), "that is tanh: `F.gelu` is asked for.", 3),
            (cls.solve(case, torch.sigmoid), "that is a sigmoid: `F.gelu` is asked for.", 3),
            (cls.solve(case, partial(F.gelu, approximate="tanh")),
             "that is GELU's approximation: plain `F.gelu` is asked for.", 3),
            (x + late, "the activation stands behind `up`: it belongs between the layers.", 2),
            (x + over, "there is a second activation, behind `up`.", 2),
            (F.gelu(want), "an activation on the sum: the way of x must be free of any.", 2),
            (F.gelu(plain), "the activation is on the sum: it belongs between the layers.", 2),
            (F.layer_norm(want, want.shape[-1:]), "the sum is normalised: BERT's block has a norm "
             "of its own behind the adapter.", 3),
            (cls.solve((F.layer_norm(x, x.shape[-1:]), weights)) + x
             - F.layer_norm(x, x.shape[-1:]), "x is normalised on its way in.", 3),
        ]  # fmt: skip
