"""Chapter 03: the build, a training loop that goes gently. It is checked step by step."""

from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import Answer
from minibert.course.learn.exercises.ch03_gentle import Triangle

STEPS, LAYERS = 12, 4
PROBLEM = {"rate": 0.5, "factor": 2.0, "every": 5}


class Tune(Exercise):
    id = "03.tune"
    title = "Build: tune a network gently"
    minutes, difficulty, importance, points = 25, 4, 5, 8
    hints = (
        "Before the loop: the groups, an optimiser of them, and the highest rate of each group. "
        "`optimizer.param_groups` is the list that the optimiser works from.",
        "In the loop, for update `t`: unfreeze, set the rate of each group, and then the five "
        "calls of any training loop (chapter 02).",
        'Each group\'s own highest rate must be read before the first change of `group["lr"]`: '
        "what is overwritten is lost.",
        "After the loop all layers should be free to learn again, for whoever trains them next.",
    )

    def as_functions(self, tune: Answer) -> tuple[Answer]:
        def tried(seed, kind, given, asleep=False):
            """The losses, the weights at each call of the loss and at the end, and what learns."""
            layers, batches = self.problem(seed)
            for (p,) in layers[:-1]:
                p.requires_grad_(not asleep)
            seen: list[Tensor] = []

            def loss(batch):
                seen.append(torch.stack([p.detach().clone() for (p,) in layers]))
                return sum((p * part).sum() for (p,), part in zip(layers, batch, strict=True)) + 1

            made = {"optimizer": getattr(torch.optim, kind)} if kind else {}
            losses = tune(layers, loss, batches, **given, **made)
            seen.append(torch.stack([p.detach().clone() for (p,) in layers]))
            free = all(p.requires_grad for (p,) in layers)
            tensors = isinstance(losses, list) and any(map(torch.is_tensor, losses))
            if tensors:
                losses = [float(value) for value in losses]
            return losses, torch.stack(seen), free, tensors

        return (tried,)

    def untouched(self, tried: Answer) -> bool:
        losses, seen, *_ = tried(0, "SGD", PROBLEM)
        return losses in (None, []) and len(seen) == 1

    def check(self, tried: Answer) -> Right | Wrong:
        gentle, plain = PROBLEM, {"rate": 0.2, "factor": 3.0, "every": None}
        for seed, given in ((0, plain), (1, gentle), (3, {**gentle, "every": 2})):
            losses, seen, free, tensors = tried(seed, "SGD", given)
            verdict = self.judged(losses, seen, seed, given)
            if isinstance(verdict, Wrong):
                return verdict
            asleep = tried(seed, "SGD", given, True)[1] if given["every"] else seen
            if not same(asleep, seen):
                return Wrong("right, but not where lower layers begin frozen: the optimiser needs "
                             "all parameters from the start.", 5)  # fmt: skip
            if tensors:
                return Wrong("the losses are tensors, and keep every graph alive: `.item()`.", 6)
            if not free:
                return Wrong("at the end some layers are still frozen: free them all again.", 6)
        return self.defaults(tried)

    def judged(self, losses: Any, seen: Tensor, seed: int, given: dict) -> Right | Wrong:
        """The verdict on one run with plain SGD, in which each step shows rate and gradient."""
        calls = len(seen) - 1
        if calls != STEPS:
            return Wrong(f"the loop: the loss is called {calls} times for {STEPS} batches, "
                         "once for each.")  # fmt: skip
        want, said = self.simulated(seed, **given)
        if same(seen, want):
            if not isinstance(losses, list) or not same(losses, said):
                return Wrong("the weights are right, but not the list: one loss for each batch, "
                             "measured before its update.", 6)  # fmt: skip
            return Right()
        if same(seen[-1], seen[0]):
            return Wrong("learning: the weights do not move. `zero_grad()`, then "
                         "`backward()` on the loss, then `step()`.", 1)  # fmt: skip
        for message, points, wrong in self.mistakes(given["every"]):
            if same(seen, self.simulated(seed, **{**given, **wrong})[0]):
                return Wrong(message, points)
        at = int((~torch.isclose(seen, want, atol=1e-6).flatten(1).all(1)).nonzero()[0])
        off = ~torch.isclose(seen[at], want[at], atol=1e-6).all(1)
        return Wrong(f"update {at - 1} changes layer {int(off.nonzero()[0])} (0 is the lowest) in "
                     "another way than its rate and its gradient say.", 2)  # fmt: skip

    @staticmethod
    def mistakes(every: int | None) -> list[tuple[str, int, dict[str, Any]]]:
        """(message, points, how the loop goes wrong), in the order of the steps."""
        found: list[tuple[str, int, dict[str, Any]]] = [
            ("learning: the gradients add up from batch to batch: `zero_grad()`.", 2,
             {"keep": True}),
            ("learning: the weights climb: minimise the loss.", 2, {"sign": -1}),
            ("learning: it trains on the first batch again and again.", 1, {"first": True}),
            ("the layers: all have the same rate. Keep the highest rate of each group, and "
             "give that to `triangle`.", 3, {"factor": 1.0}),
            ("the layers: `factor` is ignored: hand it to `rate_groups`.", 3, {"factor": 2.6}),
            ("the layers: same rate and no triangle: use `rate_groups` and `triangle`.", 2,
             {"factor": 1.0, "constant": True}),
            ("the triangle: the rates do not change from update to update. Set "
             "`group[\"lr\"]`.", 4, {"constant": True}),
            ("the triangle: each rate is made from the one before it, and shrinks to "
             "nothing: start from the highest rate of the group each time.", 4,
             {"compound": True}),
            ("the triangle: the rate is set after the update: the first one is made at "
             "the full rate.", 4, {"late": True}),
            ("the triangle: it is one update ahead: the first update is number 0.", 4,
             {"ahead": 1}),
            ("the triangle: `steps` is the number of batches.", 4, {"steps": STEPS + 1}),
            ("the triangle: `steps` is the number of batches.", 4, {"steps": STEPS - 1}),
        ]  # fmt: skip
        found += Tune.fixed(every)
        if every:
            found += [
                ("unfreezing: all layers learn from the start: call `unfreeze` at every "
                 "update.", 5, {"every": None}),
                ("unfreezing: only the head ever learns: call `unfreeze` at every update.",
                 5, {"every": STEPS + 1}),
                ("unfreezing: it is one update late: unfreeze before the loss is computed.",
                 5, {"woken": -1}),
                ("unfreezing: it is one update early: the first update is number 0.", 5,
                 {"woken": 1}),
                ("no triangle, and all layers learn from the start.", 3,
                 {"every": None, "constant": True}),
            ]  # fmt: skip
        return found

    @staticmethod
    def fixed(every: int | None) -> list[tuple[str, int, dict[str, Any]]]:
        """The loops that unfreeze after another number of updates."""
        told = "`every` is ignored: a number is fixed."
        if every is None:
            told = "where `every` is None, all layers learn from the start."
        others = [number for number in range(1, STEPS) if number != every]
        return [(f"unfreezing: {told}", 5, {"every": number}) for number in others]

    def defaults(self, tried: Answer) -> Right | Wrong:
        """The verdict on a call that gives only a rate."""
        _, seen, *_ = tried(2, None, {"rate": 0.1})
        _, sgd, *_ = tried(2, "SGD", {"rate": 0.1})
        if same(seen, sgd):
            return Wrong("right with SGD, but without an argument the optimiser is Adam.", 6)
        if not same(sgd, self.simulated(2, 0.1, 2.6, None)[0]):
            return Wrong("right with all arguments, but not without: the factor is 2.6 and all "
                         "layers learn from the start.", 6)  # fmt: skip
        sizes = seen[1].abs().mean(1)  # Adam's first update is as large as the rate
        if not same(sizes, [0.1 / 32 / 2.6**depth for depth in (3, 2, 1, 0)], 1e-3):
            return Wrong("without an argument the optimiser is Adam: make it from the groups.", 6)
        if not same(seen, self.with_adam(2, 0.1), 1e-4):
            return Wrong("Adam keeps means of the gradients from update to update: make it once, "
                         "before the loop, and from the groups alone.", 5)  # fmt: skip
        return Right("A dozen lines, and stages 2 and 3 of ULMFiT run through them.")

    @staticmethod
    def with_adam(seed: int, rate: float) -> Tensor:
        """The weights at each call of the loss and at the end, with Adam."""
        layers, batches = Tune.problem(seed)
        adam = torch.optim.Adam([{"params": layer, "lr": rate} for layer in layers])
        seen = [torch.zeros(LAYERS, 3)]
        for t, batch in enumerate(batches):
            for depth, group in enumerate(reversed(adam.param_groups)):
                group["lr"] = Triangle.rate(t, STEPS, rate / 2.6**depth, 0.1, ratio=32)
            for (p,), gradient in zip(layers, batch, strict=True):
                p.grad = gradient.clone()
            adam.step()
            seen.append(torch.stack([p.detach().clone() for (p,) in layers]))
        return torch.stack(seen)

    @staticmethod
    def problem(seed: int) -> tuple[list[list[nn.Parameter]], list[Tensor]]:
        """Four layers of three numbers, and twelve batches that are the layers' gradients."""
        generator = torch.Generator().manual_seed(seed)
        batches = torch.rand(STEPS, LAYERS, 3, generator=generator) + 0.5
        return [[nn.Parameter(torch.zeros(3))] for _ in range(LAYERS)], list(batches)

    @staticmethod
    def simulated(
        seed: int,
        rate: float,
        factor: float,
        every: int | None,
        **wrong: Any,
    ) -> tuple[Tensor, list[float]]:
        """The weights at each call of the loss and at the end, and the losses; or with a mistake.

        wrong: ``keep``, ``sign``, ``first``, ``constant``, ``compound``, ``late``, ``ahead``,
        ``steps``, ``woken``, as in `mistakes`.
        """
        _, batches = Tune.problem(seed)
        weights, total = torch.zeros(LAYERS, 3), torch.zeros(LAYERS, 3)
        highest = torch.tensor([rate / factor ** (LAYERS - 1 - i) for i in range(LAYERS)])
        seen, losses, rates = [weights.clone()], [], highest.clone()
        steps = wrong.get("steps", STEPS)
        for t in range(STEPS):
            batch = batches[0 if wrong.get("first") else t]
            losses.append(float((weights * batch).sum()) + 1)
            place = t + wrong.get("ahead", 0) - bool(wrong.get("late"))
            height = Triangle.rate(max(place, 0), steps, 1.0, 0.1, ratio=32)
            if wrong.get("constant") or (wrong.get("late") and t == 0):
                rates = highest
            else:
                rates = (rates if wrong.get("compound") else highest) * height
            at = max(0, t + wrong.get("woken", 0))
            awake = LAYERS if every is None else min(LAYERS, 1 + at // every)
            learns = (torch.arange(LAYERS) >= LAYERS - awake)[:, None]
            if wrong.get("woken") == -1 and t == 0:
                learns = torch.ones(LAYERS, 1, dtype=torch.bool)
            gradient = batch * learns * wrong.get("sign", 1)
            total = total + gradient if wrong.get("keep") else gradient
            weights = weights - rates[:, None] * total
            seen.append(weights.clone())
        return torch.stack(seen), losses
