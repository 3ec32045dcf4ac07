"""A build of chapter 10: LoRA, a change of low rank beside a linear layer, merged and unmerged."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import NO_GRADIENT, foreign, normal

Case = tuple[int, int, int, float, int]  # in, out, rank, alpha, seed
TWICE = "merged a second time, the change is counted twice: raise a ValueError instead."


class LowRank(Exercise):
    id = "10.lora"
    title = "Build: LoRA beside a layer, and merged into it"
    minutes, difficulty, importance, points = 25, 4, 5, 8
    hints = (
        "`linear.requires_grad_(False)` lets a layer rest. `self.A = nn.Parameter(0.02 * "
        "torch.randn(rank, linear.in_features))` learns, and so does `self.B`, which starts as "
        "`torch.zeros(linear.out_features, rank)`.",
        "In `forward`, `x @ self.A.T` has the shape (..., rank), and `@ self.B.T` brings it to "
        "(..., out). Whether something was merged is known from an attribute, say `self.kept`.",
        "`merge` keeps `self.linear.weight.detach().clone()`, and adds `scale * B @ A` to the "
        "weight, within `torch.no_grad()`. `unmerge` copies the kept matrix back: subtracting "
        "would leave rounding errors.",
    )

    def as_functions(self, made: type) -> tuple:
        return (partial(self.tried, made),)

    @staticmethod
    def layer(case: Case) -> nn.Linear:
        """The linear layer of a case."""
        inputs, outputs, _, _, seed = case
        linear = nn.Linear(inputs, outputs)
        with torch.no_grad():
            linear.weight.copy_(normal(outputs, inputs, seed=seed))
            linear.bias.copy_(normal(outputs, seed=seed + 1))
        return linear

    @staticmethod
    def given(case: Case) -> Tensor:
        """The input of a case, (..., in)."""
        return normal(*((4,) if case[2] == 1 else (2, 3)), case[0], seed=case[-1] + 4)

    @staticmethod
    def thin(case: Case) -> tuple[Tensor, Tensor]:
        """A and B of a case, as if they had been learned."""
        inputs, outputs, rank, _, seed = case
        return normal(rank, inputs, seed=seed + 2), normal(outputs, rank, seed=seed + 3)

    @classmethod
    def tried(cls, made: type, case: Case, steps: str, learned: bool = True) -> list:
        """What each of the steps gives, of a layer of this case whose A and B have learned.

        forward: the output; merge, unmerge: the name of the ValueError that is raised, or "";
        again, undo: the same, and the name of any error; weight: the matrix; learning: names of
        what learns; parts: A and B; reached: which of them get a gradient; slope: the gradient of
        the input; half: B is halved; eval: the mode.
        """
        torch.manual_seed(case[-1])
        linear = cls.layer(case)
        lora: Any = made(linear, case[2], case[3])
        if learned and all(isinstance(getattr(lora, n, None), nn.Parameter) for n in "AB"):
            with torch.no_grad():
                for part, value in zip((lora.A, lora.B), cls.thin(case), strict=True):
                    if part.shape != value.shape:
                        told = f"{tuple(part.shape)}, not {tuple(value.shape)}"
                        raise ValueError(f"A is (rank, in) and B is (out, rank); one is {told}")
                    part.copy_(value)
        return [cls.step(lora, linear, name, case) for name in steps.split()]

    @classmethod
    def step(cls, lora: Any, linear: nn.Linear, name: str, case: Case) -> Any:
        x = cls.given(case)
        if name == "forward":
            got = lora(x)
            return got.detach() if torch.is_tensor(got) else got
        if name == "weight":
            return linear.weight.detach().clone()
        if name == "learning":
            return sorted(n for n, p in lora.named_parameters() if p.requires_grad)
        if name == "parts":
            return cls.parts(lora)
        if name in ("reached", "slope"):
            below = x.clone().requires_grad_()
            got = lora(1.0 * below)
            if got.requires_grad:
                got.square().sum().backward()
            if name == "slope":
                return below.grad
            return [n for n in "AB" if (g := getattr(lora, n).grad) is not None and bool(g.any())]
        if name == "half":
            return lora.B.data.mul_(0.5)
        return cls.called(lora, name)

    @staticmethod
    def parts(lora: Any) -> list[Tensor]:
        """A and B; nothing, of the shape (0,), in place of one that is missing."""
        found = [getattr(lora, name, torch.zeros(0)) for name in "AB"]
        for name, part in zip("AB", found, strict=True):
            if not torch.is_tensor(part):
                kind = type(part).__name__
                raise TypeError(f"self.{name} should be an nn.Parameter, but is a {kind}")
        return [part.detach().clone() for part in found]

    @staticmethod
    def called(lora: Any, name: str) -> str:
        """The name of the error that a method raises, or nothing."""
        caught = Exception if name in ("again", "undo") else ValueError
        try:
            getattr(lora, {"again": "merge", "undo": "unmerge"}.get(name, name))()
        except caught as error:
            return type(error).__name__
        return ""

    CASES: tuple[Case, ...] = ((5, 3, 3, 6.0, 10), (4, 4, 3, 1.5, 20), (3, 6, 1, 4.0, 30))

    def untouched(self, tried: Callable[..., Any]) -> bool:
        learning, parts = tried(self.CASES[0], "learning parts")
        return not any(part.numel() for part in parts) and "A" not in learning

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        for case in self.CASES:
            for part in (self.start, self.beside, self.merging, self.back):
                if wrong := part(tried, case):
                    return wrong
        return Right(
            "Beside the layer it can be taken off; merged into it, it costs no time at all. It can "
            "be one or the other, never both."
        )

    @classmethod
    def start(cls, tried: Callable[..., Any], case: Case) -> Wrong | None:
        """What is wrong with a fresh layer."""
        got, learning, (a, b) = tried(case, "forward learning parts", False)
        inputs, outputs, rank, _, seed = case
        if (tuple(a.shape), tuple(b.shape)) != ((rank, inputs), (outputs, rank)):
            told = f"A is {tuple(a.shape)} and B is {tuple(b.shape)}"
            return Wrong(f"1. A should be (rank, in) and B (out, rank), but {told}.", 0)
        if learning != ["A", "B"]:
            kept = [name for name in learning if name.startswith("linear")]
            told = f"{kept[0]} learns, too: the layer rests" if kept else f"{learning} learn"
            return Wrong(f"1. A and B should learn, and nothing else; {told}.", 0)
        if not a.any() and not b.any():
            return Wrong("1. A and B are both zero: no gradient would reach either.", 0)
        if a.any() and a.numel() > 1 and a.unique().numel() == 1:
            return Wrong("1. all numbers of A start alike: then its rows learn the same, and the "
                         "rank is 1. Draw them at random.", 0)  # fmt: skip
        if b.any():
            return Wrong("1. a fresh LoRA changes what the layer gives: let B start at zero.", 0)
        if strange := foreign(got, "1. the output"):
            return strange
        linear = cls.layer(case)
        x = cls.given(case)
        verdict = compare(got, linear(x).detach(), what="1. what a fresh one gives")
        return None if isinstance(verdict, Right) else verdict

    @classmethod
    def solve(cls, case: Case, scale: float | None = None) -> Tensor:
        """The output with the change beside the layer."""
        linear, x = cls.layer(case), cls.given(case)
        return (linear(x) + F.linear(x, cls.change(case, scale))).detach()

    @classmethod
    def change(cls, case: Case, scale: float | None = None) -> Tensor:
        """What is learned, as a matrix."""
        (a, b), (_, _, rank, alpha, _) = cls.thin(case), case
        return (alpha / rank if scale is None else scale) * b @ a

    @classmethod
    def beside(cls, tried: Callable[..., Any], case: Case) -> Wrong | None:
        """What is wrong beside the layer."""
        got, reached = tried(case, "forward reached")
        linear, x = cls.layer(case), cls.given(case)
        _, _, rank, alpha, _ = case
        plain, want = linear(x).detach(), cls.solve(case)
        mistakes = [
            (plain, "2. A and B change nothing: add scale * (x A^T) B^T.", 1),
            (want - plain, "2. only the change: what the layer itself gives is missing.", 1),
            (want - linear.bias.detach(), "2. the layer's bias is missing.", 1),
            (want + linear.bias.detach(), "2. the layer's bias is added twice.", 1),
            (plain - (want - plain), "2. the change is taken away: it is added.", 1),
            (cls.solve(case, 1.0), "2. the scale, alpha / rank, is missing.", 2),
            (cls.solve(case, alpha), "2. the scale is alpha / rank, not alpha.", 2),
            (cls.solve(case, 1 / rank), "2. the scale is alpha / rank, not 1 / rank.", 2),
            (cls.solve(case, rank / alpha), "2. the scale is turned round: alpha / rank.", 2),
            (cls.solve(case, (alpha / rank) ** 2), "2. the scale is applied twice.", 2),
            (cls.solve(case, alpha / rank**0.5), "2. divided by the root of the rank: LoRA divides "
             "by the rank.", 2),
            (cls.solve(case, alpha * rank), "2. multiplied by the rank: alpha / rank.", 2),
        ]  # fmt: skip
        verdict = compare(got, want, mistakes, what="2. the output")
        if not isinstance(verdict, Right):
            return verdict
        if lost := [name for name in "AB" if name not in reached]:
            return Wrong("2. " + NO_GRADIENT.format(" or ".join(lost)), 2)
        return cls.later(tried, case)

    @classmethod
    def later(cls, tried: Callable[..., Any], case: Case) -> Wrong | None:
        """What is wrong beside the layer once more is asked than one output."""
        slope, _, _, halved, _, silent = tried(case, "slope forward half forward eval forward")
        _, _, rank, alpha, _ = case
        whole = cls.layer(case).weight.detach() + cls.change(case)
        if not same(slope, 2 * cls.solve(case) @ whole, 1e-3):
            return Wrong("2. the numbers are right, but the layers below get a wrong gradient: "
                         "detach nothing on the way of x; the layer rests anyway.", 2)  # fmt: skip
        want = cls.solve(case, alpha / rank / 2)
        if not same(halved, want, 1e-4):
            return Wrong("2. the change does not follow A and B, which go on learning: compute it "
                         "from them at each call.", 2)  # fmt: skip
        if not same(silent, want, 1e-4):
            return Wrong("2. in eval mode the change is missing: predictions need it, too.", 2)
        return None

    @classmethod
    def merging(cls, tried: Callable[..., Any], case: Case) -> Wrong | None:
        """What is wrong with what is merged."""
        raised, got, weight, parts = tried(case, "merge forward weight parts")
        before, change = cls.layer(case).weight.detach(), cls.change(case)
        _, _, rank, alpha, _ = case
        mistakes = [
            (before, "3. `merge` does not change the layer's own matrix.", 3),
            (change, "3. the change takes the matrix's place: it is added to it.", 3),
            (before - change, "3. the change is taken away from the matrix: it is added.", 3),
            (before + cls.change(case, 1.0), "3. merged without the scale, alpha / rank.", 3),
            (before + cls.change(case, alpha), "3. the scale is alpha / rank, not alpha.", 3),
            (before + 2 * change, "3. the change is merged twice.", 3),
        ]  # fmt: skip
        if case[0] == case[1]:
            mistakes.append((before + change.T, "3. the change is transposed: B A.", 3))
        if raised:
            return Wrong("3. the first `merge` raises a ValueError.", 3)
        verdict = compare(weight, before + change, mistakes, what="3. the merged matrix")
        if not isinstance(verdict, Right):
            return verdict
        mistakes = [(cls.solve(case) + F.linear(cls.given(case), change),
                     "3. after `merge`, `forward` adds the change again: it is in the matrix "
                     "already.", 4)]  # fmt: skip
        verdict = compare(got, cls.solve(case), mistakes, 1e-4, what="3. the output after `merge`")
        if not isinstance(verdict, Right):
            return verdict
        if not all(map(torch.equal, parts, cls.thin(case))):
            return Wrong("3. `merge` changes A or B: `unmerge` has to find them again.", 4)
        again, weight = tried(case, "merge again weight")[1:]
        if not torch.allclose(weight, before + change, atol=1e-5):
            return Wrong(f"3. {TWICE}", 4)
        if again not in ("", "ValueError"):
            return Wrong(f"3. a second `merge` raises {again}: it should be a ValueError.", 6)
        if again != "ValueError":
            return Wrong("3. a second `merge` does nothing, and says nothing: a ValueError tells "
                         "the caller of the mistake.", 6)  # fmt: skip
        return cls.resting(tried, case)

    @classmethod
    def resting(cls, tried: Callable[..., Any], case: Case) -> Wrong | None:
        """What is wrong with what learns after `merge`, and after `unmerge`."""
        _, merged, _, back = tried(case, "merge learning unmerge learning")
        if more := [name for name in merged if name not in ("A", "B")]:
            return Wrong(f"3. after `merge`, {more[0]} learns: the layer rests as before: change "
                         "its matrix in place, within `torch.no_grad()`.", 4)  # fmt: skip
        if back != ["A", "B"]:
            return Wrong(f"4. after `unmerge`, A and B should learn, and nothing else; {back} "
                         "learn.", 5)  # fmt: skip
        return None

    @classmethod
    def back(cls, tried: Callable[..., Any], case: Case) -> Wrong | None:
        """What is wrong with `unmerge`."""
        before, want = cls.layer(case).weight.detach(), cls.solve(case)
        raised, weight, got = tried(case, "merge unmerge weight forward")[1:]
        if raised:
            return Wrong("4. `unmerge` after `merge` raises a ValueError.", 5)
        if not torch.allclose(weight, before, atol=1e-4):
            return Wrong("4. after `unmerge` the matrix is not what it was.", 5)
        if not torch.allclose(got, want, atol=1e-4):
            return Wrong("4. after `unmerge` the change no longer counts: it stands beside the "
                         "layer again.", 5)  # fmt: skip
        if not torch.equal(weight, before):
            return Wrong("4. the matrix is what it was but for rounding: keep a copy in `merge`, "
                         "and put that back.", 6)  # fmt: skip
        raised, weight = tried(case, "undo weight")
        if raised not in ("", "ValueError"):
            return Wrong(f"4. `unmerge` where nothing is merged raises {raised}: it should be a "
                         "ValueError.", 6)  # fmt: skip
        if raised != "ValueError" or not torch.equal(weight, before):
            return Wrong("4. `unmerge` where nothing is merged should raise a ValueError, and "
                         "leave the matrix.", 6)  # fmt: skip
        raised, got = tried(case, "merge unmerge merge forward")[2:]
        if raised or not torch.allclose(got, want, atol=1e-4):
            return Wrong("4. after `merge` and `unmerge`, a new `merge` should work.", 6)
        return None
