"""Chapter 06: the fine-tuning loop."""

from collections.abc import Callable
from functools import partial
from operator import is_
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minibert.course.learn.compare import mistaken, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch06_rate import rate_at

SIZES = (4, 2, 6, 3, 5)  # of the batches
SPREADS = ((4.0, 3.0), (0.05, 0.5), (0.6, 0.8))  # of the weights and of the batches, by seed
BY_LEN = (
    "divided by `len(batch)`, which is no number of examples where a batch is a dict: `loss` gives "
    "that number."
)
Batch = dict[str, Tensor]
Problem = tuple[nn.Linear, Callable[[Batch], tuple[Tensor, int]], list[Batch]]


def plain(x: Any) -> Any:
    """A number for a tensor without a graph; one with a graph stays a tensor."""
    if torch.is_tensor(x) and x.numel() == 1 and not x.requires_grad:
        return x.item()
    return x.detach().clone() if torch.is_tensor(x) else x


class FineTune(Exercise):
    id = "06.fine_tune"
    title = "Build: the fine-tuning loop"
    minutes, difficulty, importance, points = 15, 3, 5, 5
    hints = (
        "Make the optimiser once: `torch.optim.AdamW` takes a list of dicts, each with `params` "
        "and its own `weight_decay`. `weight.ndim` is the number of dimensions.",
        "In the loop: `group['lr'] = ...` for each group of `optimizer.param_groups`; then the "
        "loss, the three calls of every training loop, and the clipping. Where does the clipping "
        "belong among them?",
        "The gradients exist after `backward()`, and are used by `step()`.",
    )
    default = []

    def as_functions(self, fine_tune: Any) -> tuple:
        def tried(seed, rate, passes):
            """(losses, matrix, bias, whether the loop left the rest as it was)."""
            model, loss, batches = self.problem(seed)
            given, all_weights = list(batches), list(model.parameters())
            found = fine_tune(all_weights, loss, batches, rate, passes)
            array = torch.is_tensor(found) and not found.requires_grad
            if (array or isinstance(found, np.ndarray)) and found.ndim == 1:
                found = found.tolist()
            if isinstance(found, tuple | list):
                found = [plain(x) for x in found]
            weights = [p.detach().clone() for p in model.parameters()]
            pairs = [(given, batches), (all_weights, list(model.parameters()))]
            kept = all(len(a) == len(b) and all(map(is_, a, b)) for a, b in pairs)
            first = self.problem(seed)[2]
            kept = kept and all(
                torch.equal(a["x"], b["x"]) for a, b in zip(first, given, strict=True)
            )
            return found, *weights, kept

        return (tried,)

    def untouched(self, tried: Any) -> bool:
        losses, *weights, _ = tried(0, 0.1, 2)
        moved = not all(map(torch.equal, weights, self.problem(0)[0].parameters()))
        return not moved and (losses is None or losses is Ellipsis or losses == [])

    def check(self, tried: Any) -> Right | Wrong:
        for seed, rate, passes in ((0, 0.1, 2), (1, 0.03, 3), (2, 0.05, 2)):
            losses, matrix, bias, kept = tried(seed, rate, passes)
            wrong = self.form(losses, 5 * passes)
            if wrong or not kept:
                return wrong or Wrong("a list that was given, weights or batches, was "
                                      "changed: leave it as it is.", 2)  # fmt: skip
            made = partial(self.variant, seed, rate, passes)
            want = made()
            if all(same(a, b, 1e-4) for a, b in zip((losses, matrix, bias), want, strict=True)):
                continue
            for message, options in self.mistakes().items():
                other = made(**options)
                if all(
                    same(a, b, 1e-4) for a, b in zip((losses, matrix, bias), other, strict=True)
                ):
                    return Wrong(message, 2)
            if same(matrix, want[1], 1e-4) and same(bias, want[2], 1e-4):
                return self.told(losses, want[0])
            return self.differing(seed, losses, (matrix, bias))
        return Right("Every fine-tuning of this chapter now runs through your loop.")

    @classmethod
    def differing(cls, seed: int, losses: Any, weights: tuple) -> Wrong:
        """The weights differ, by no mistake that has a name of its own."""
        model, loss, batches = cls.problem(seed)
        for name, given, before in zip(("matrices", "biases"), weights, model.parameters(),
                                       strict=True):  # fmt: skip
            if same(given, before):
                return Wrong(f"the {name} are not trained: all `weights` belong to one of the two "
                             "groups.", 2)  # fmt: skip
        firsts = [(total / count).item() for total, count in map(loss, batches)]
        if not same(losses[0], firsts[0], 1e-4) and any(same(losses[0], x, 1e-4) for x in firsts):
            return Wrong("the first update is not on the first batch: keep the order of the list.",
                         2)  # fmt: skip
        return Wrong("the weights differ from those of AdamW with the rate of `rate_at`, a decay "
                     "of 0.01 on matrices, gradients cut to length 1.", 1)  # fmt: skip

    @staticmethod
    def form(losses: Any, count: int) -> Wrong | None:
        if not isinstance(losses, list | tuple):
            return Wrong("expected a list of losses, one for each update: is there a `return` "
                         "behind the loop, and is it the list?")  # fmt: skip
        if any(isinstance(x, list | tuple) for x in losses):
            return Wrong("expected the list of losses alone, one number for each update.", 2)
        if any(torch.is_tensor(x) for x in losses):
            return Wrong("the list holds tensors, which keep every graph alive: `.item()`.", 3)
        if any(isinstance(x, str) for x in losses):
            return Wrong("the list holds texts: keep the numbers, `.item()` alone.", 3)
        if len(losses) == count // 5 and count > 5:
            return Wrong("one loss per pass: one per update was asked for.", 2)
        if len(losses) == 5:
            return Wrong("one pass only: go over the batches `passes` times.", 2)
        if len(losses) != count:
            return Wrong(f"expected one loss per update, {count} in all, got {len(losses)}.", 1)
        return None

    @staticmethod
    def told(losses: Any, want: list[float]) -> Wrong:
        """The weights are right, and the list is not."""
        told = mistaken(list(losses), [
            ([x * SIZES[i % 5] for i, x in enumerate(want)],
             "the list holds sums: divide by the number of examples.", 3),
            ([x * SIZES[i % 5] / 2 for i, x in enumerate(want)], BY_LEN, 3),
        ], lambda a, b: same(a, b, 1e-4))  # fmt: skip
        return told or Wrong("the weights are right, but the list is not: the mean loss of each "
                             "batch, before its update.", 3)  # fmt: skip

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> how the loop goes wrong."""
        return {  # the first only where an answer is right on long gradients
            "the gradients are cut, but to a length above 1: it should be 1.": {"clip": 10.0},
            "the gradients are cut to the length 0.1: it should be 1.": {"clip": 0.1},
            "the gradients are cut to the length 0.5: it should be 1.": {"clip": 0.5},
            "the gradients add up from batch to batch: call `optimizer.zero_grad()`.":
                {"keep": True},
            "nothing is learned: `zero_grad()`, `backward()`, `step()`, in this order, and on the "
            "given weights, not on copies.": {"step": False},
            "the schedule is missing: set the rate of every group before the update.":
                {"schedule": False},
            "biases decay, too: only weights with two or more dimensions should.":
                {"decay": (0.01, 0.01)},
            "nothing decays: matrices have a weight decay of 0.01.": {"decay": (0.0, 0.0)},
            "the groups are swapped: matrices decay, biases and LayerNorms do not.":
                {"decay": (0.0, 0.01)},
            "the gradients are not cut: `nn.utils.clip_grad_norm_(weights, 1.0)` belongs between "
            "`backward()` and `step()`.": {"clip": 0.0},
            "a new optimiser for every batch forgets its averages: make it once.": {"anew": True},
            "this is plain Adam, whose decay works differently: take `AdamW`.": {"kind": "Adam"},
            "the loss is a sum: divide by the number of examples before `backward()`.":
                {"mean": False},
            "the loss is turned upside down: the weights climb.": {"sign": -1},
            "the steps start again from zero in each pass: the schedule runs over all of them.":
                {"each": True},
            "the schedule is one update late: the first update is step 0.": {"shift": 1},
            "only the first group gets the rate: set it for every group.": {"groups": 1},
            "the schedule ends after one pass: `steps` is the number of all updates.":
                {"short": True},
            "the gradient is cut number by number: its length should be at most 1.":
                {"cut": "values"},
            "each tensor is cut alone: the length is that of the whole gradient.": {"cut": "each"},
            BY_LEN: {"by": 2},
            **FineTune.less_common(),
        }  # fmt: skip

    @staticmethod
    def less_common() -> dict[str, dict[str, Any]]:
        """More of them."""
        return {
            "a new optimiser in each pass forgets its averages: make it once.": {"anew": "pass"},
            "each pass has a schedule of its own: one schedule runs over all updates.":
                {"each": True, "short": True},
            "a batch is repeated before the next one comes: the outer loop goes over the passes.":
                {"repeat": True},
            "this is plain gradient descent: take `AdamW`.": {"kind": "SGD"},
            "the rate is set after the update: set it before, so that the first one is small, too.":
                {"first": True},
            "the rate is set after the update, which makes it one late: set it before.":
                {"first": True, "shift": -1},
            "all updates of a pass have one rate: count the updates, not the passes.":
                {"by_pass": True},
            "the schedule has as many steps as there are passes: it runs over all updates.":
                {"end": lambda passes, steps: passes},
            "the schedule has one step too many: `steps` is the number of updates.":
                {"end": lambda passes, steps: steps + 1},
            "the peak of the rate is 1: `rate_at` needs `top`.": {"peak": lambda top: 1.0},
            "the rate is multiplied by `top` twice.": {"peak": lambda top: top * top},
            "matrices have another decay than 0.01.": {"decay": (0.1, 0.0)},
            "`step()` stands before `backward()`, so that each update uses the gradient of the "
            "batch before.": {"early": True},
        }  # fmt: skip

    @staticmethod
    def variant(seed: int, rate: float, passes: int, **how: Any) -> tuple:
        """(losses, matrix, bias) after the loop, or after one with a mistake."""
        model, loss, batches = FineTune.problem(seed)
        optimizer, losses, steps = FineTune.optimizer(model, rate, how), [], passes * len(batches)
        for step in range(steps):
            if how.get("anew") is True or (how.get("anew") and step % len(batches) == 0):
                optimizer = FineTune.optimizer(model, rate, how)
            at, end = FineTune.place(step, passes, steps, how)
            for group in optimizer.param_groups[: how.get("groups")]:
                late = how.get("first") and step == 0  # the optimiser's own rate
                peak = how["peak"](rate) if "peak" in how else rate
                group["lr"] = rate_at(at, end, peak) if how.get("schedule", True) else rate
                group["lr"] = rate if late else group["lr"]
            place = step // passes if how.get("repeat") else step % len(batches)
            total, count = loss(batches[place])
            losses.append((total / count).item())
            if how.get("early"):
                optimizer.step()
            if not how.get("keep"):
                optimizer.zero_grad()
            count = how.get("by", count if how.get("mean", True) else 1)
            (how.get("sign", 1) * total / count).backward()
            if how.get("cut") == "values":
                nn.utils.clip_grad_value_(model.parameters(), 1.0)
            elif how.get("clip", 1.0):
                alone = how.get("cut") == "each"
                for part in model.parameters() if alone else [[*model.parameters()]]:
                    nn.utils.clip_grad_norm_(part, how.get("clip", 1.0))
            if how.get("step", True) and not how.get("early"):
                optimizer.step()
        return losses, *(p.detach().clone() for p in model.parameters())

    @staticmethod
    def place(step: int, passes: int, steps: int, how: dict[str, Any]) -> tuple[int, int]:
        """(The step that `rate_at` is given, the number of steps)."""
        one = steps // passes
        if how.get("by_pass"):
            return step // one, passes
        end = how["end"](passes, steps) if "end" in how else one if how.get("short") else steps
        return step % one if how.get("each") else step + how.get("shift", 0), end

    @staticmethod
    def optimizer(model: nn.Module, rate: float, how: dict[str, Any]) -> torch.optim.Optimizer:
        kind = getattr(torch.optim, how.get("kind", "AdamW"))
        decays = how.get("decay", (0.01, 0.0))
        groups = [
            {"params": [p for p in model.parameters() if (p.ndim >= 2) is many], "weight_decay": d}
            for many, d in zip((True, False), decays, strict=True)
        ]
        return kind(groups, lr=rate)

    @staticmethod
    def problem(seed: int) -> Problem:
        """A layer to learn, its loss (sum, count), and five batches of unequal sizes.

        A batch is a dict, as in the chapter: its `len` is 2, whatever it holds. Seed by seed all
        gradients are long, or short, or some of both.
        """
        generator, model = torch.Generator().manual_seed(seed), nn.Linear(3, 2)
        scale, wide = SPREADS[seed % len(SPREADS)]
        with torch.no_grad():
            model.weight.copy_(torch.eye(2, 3) + scale * torch.randn(2, 3, generator=generator))
            model.bias.copy_(scale * torch.randn(2, generator=generator))
        drawn = [wide * torch.randn(size, 3, generator=generator) for size in SIZES]
        batches = [{"x": x, "labels": x[:, :2]} for x in drawn]

        def loss(batch: Batch) -> tuple[Tensor, int]:
            return (model(batch["x"]) - batch["labels"]).square().sum(), len(batch["x"])

        return model, loss, batches
