"""Chapter 10: what a task holds on to (Fisher information), and an anchor made of it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import normal
from minibert.course.learn.exercises.ch08_cut import kept_settings, settings

Found = dict[str, Tensor]
Example = tuple[Tensor, Tensor]
DROPPED = 0.5  # by dropout


class Small(nn.Module):
    """Two layers with dropout between them, and one that nothing uses."""

    def __init__(self, dim: int, classes: int, seed: int) -> None:
        super().__init__()
        self.inner, self.dropout = nn.Linear(dim, dim), nn.Dropout(DROPPED)
        self.outer, self.idle = nn.Linear(dim, classes), nn.Linear(2, 1)
        with torch.no_grad():
            for number, p in enumerate(self.parameters()):
                p.copy_(normal(*p.shape, seed=seed + number))

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.dropout(self.inner(x).tanh()))


def examples(case: tuple) -> list[Example]:
    """(input, label) of each example of a case."""
    dim, classes, number, seed = case
    draw = torch.Generator().manual_seed(seed + 40)
    labels = torch.randint(0, classes, (number, 1), generator=draw)
    return [(normal(1, dim, seed=seed + 50 + n), label) for n, label in enumerate(labels)]


class FindTheBug(Exercise):
    id = "10.find_the_bug"
    title = "Find the bug: a Fisher information that is nearly zero"
    minutes, difficulty, importance, points = 10, 3, 5, 5
    hints = (
        "At the end of training the mean gradient is about zero. Is a weight without influence "
        "then the only kind of weight whose squared mean gradient is small?",
        "Two examples may pull a weight in opposite directions. Square before you add: one "
        "`torch.autograd.grad` for each example.",
        "What does dropout do in a model that is in training mode? `model.training` tells the "
        "mode, and `model.train(was)` puts it back.",
    )
    CASES = ((4, 3, 6, 1), (3, 2, 5, 7), (5, 4, 3, 20))  # width, classes, examples, seed

    def as_functions(self, fisher: Callable[..., Any]) -> tuple:
        return (partial(self.tried, fisher),)

    @staticmethod
    def tried(fisher: Callable[..., Any], case: tuple, training: bool = False) -> dict:
        """What the answer finds in a model of this case, and what it leaves behind."""
        model, seen = Small(case[0], case[1], case[3]).train(training), examples(case)
        before, alone = settings(model), [True]

        def loss(example: Example) -> Tensor:
            alone[0] = alone[0] and len(example) == 2 and len(example[0]) == 1
            return F.cross_entropy(model(example[0]), example[1], reduction="sum")

        torch.manual_seed(case[3])
        got, graph = fisher(model, loss, seen), False
        if isinstance(got, dict):
            graph = any(torch.is_tensor(x) and x.requires_grad for x in got.values())
            got = {n: x.detach() if torch.is_tensor(x) else x for n, x in got.items()}
        left = any(p.grad is not None for p in model.parameters())
        changed = kept_settings(model, before) or (
            "dropout rates" if model.dropout.p != DROPPED else ""
        )
        return {"got": got, "graph": graph, "changed": changed, "left": left}

    @classmethod
    def gradients(cls, case: tuple) -> dict[str, Tensor]:
        """The gradient of each example's loss: (examples, ...) by name."""
        model = Small(case[0], case[1], case[3]).eval()
        names, weights = zip(*model.named_parameters(), strict=True)
        rows = []
        for x, y in examples(case):
            loss = F.cross_entropy(model(x), y, reduction="sum")
            found = torch.autograd.grad(loss, weights, allow_unused=True)
            rows.append([torch.zeros_like(w) if g is None else g
                         for g, w in zip(found, weights, strict=True)])  # fmt: skip
        return {n: torch.stack(g) for n, g in zip(names, zip(*rows, strict=True), strict=True)}

    @classmethod
    def solve(cls, case: tuple, how: Callable[[Tensor], Tensor] | None = None) -> Found:
        how = how or (lambda g: g.square().mean(0))
        return {name: how(g) for name, g in cls.gradients(case).items()}

    def untouched(self, tried: Callable[..., Any]) -> bool:
        case = self.CASES[0]
        still, moving = tried(case), tried(case, True)
        mean = self.solve(case, lambda g: g.mean(0).square())
        dropout_on = not alike(moving["got"], still["got"])
        return still["got"] in (None, {}) or (alike(still["got"], mean) and dropout_on)

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        for case in self.CASES:
            found = tried(case)
            if wrong := self.numbers(found["got"], case):
                return wrong
            if found["changed"]:
                return Wrong(f"the {found['changed']} of the model are changed afterwards.", 3)
            if found["left"]:
                return Wrong("gradients stay in `.grad` of the weights, where the next training "
                             "would find them: use `torch.autograd.grad`, or set them to "
                             "None.", 3)  # fmt: skip
            if found["graph"]:
                return Wrong("the values are right, but still hang on the graph of the gradients, "
                             "which fills the memory: without `create_graph`.", 3)  # fmt: skip
            found = tried(case, True)
            if not alike(found["got"], self.solve(case)):
                told = "in training mode dropout is on, and the numbers are random"
                return Wrong(f"right for a model in eval mode; but {told}: call `model.eval()`.", 3)
            if found["changed"]:
                return Wrong("right; but a model that was in training mode is not in training mode "
                             "afterwards.", 4)  # fmt: skip
        return Right("Square first, then take the mean: what matters to any example counts.")

    @classmethod
    def numbers(cls, got: Any, case: tuple) -> Wrong | None:
        """What is wrong with the values."""
        want = cls.solve(case)
        if not isinstance(got, dict) or any(not torch.is_tensor(x) for x in got.values()):
            return Wrong("the result should be a dictionary of tensors, by the weights' names.", 1)
        if lost := [name for name in want if name not in got]:
            return Wrong(f"{lost[0]} is missing: each of the model's weights has its number, 0 "
                         "where it plays no role.", 2)  # fmt: skip
        if alike(got, want):
            return None
        for how, message in cls.MISTAKES:
            if alike(got, cls.solve(case, how)):
                return Wrong(message, 1)
        name = next(name for name in want if not same(got[name], want[name], 1e-4))
        verdict = compare(got[name], want[name], tolerance=1e-4, what=f"the value of {name}")
        return verdict if isinstance(verdict, Wrong) else None

    MISTAKES: Any = (
        (lambda g: g.mean(0).square(), "still the square of the *mean* gradient: gradients of "
         "single examples cancel before they are squared."),
        (lambda g: g.sum(0).square(), "that is the square of the sum: square each example's "
         "gradient first."),
        (lambda g: g.sum(0).square() / len(g), "summed before it is squared: square each "
         "example's gradient first."),
        (lambda g: g.square().sum(0), "the sum over examples: take their mean."),
        (lambda g: g.square().mean(0) / len(g), "divided by the number of examples twice: square "
         "the gradient of an example's own loss, and divide once."),
        (lambda g: g.mean(0), "the mean gradient, not squared."),
        (lambda g: g.abs().mean(0), "the mean size of the gradients: they are squared."),
        (lambda g: g.mean(0).abs(), "the size of the mean gradient: square each example's."),
        (lambda g: g.square().mean(0).sqrt(), "there is a root too many."),
        (lambda g: g.square().mean(0) - g.mean(0).square(), "that is the variance: the mean of "
         "squares, and nothing taken away."),
        (lambda g: g.var(0), "that is the variance: the mean of squares, and nothing taken away."),
        (lambda g: g[-1].square(), "only the last example counts: add them up."),
        (lambda g: g[-1].square() / len(g), "only the last example counts: add them up."),
        (lambda g: g[0].square(), "only the first example counts: is the `return` in the loop?"),
        (lambda g: g.square().sum(0) / (len(g) - 1), "divided by one less than the number."),
        (lambda g: g.cumsum(0).square().mean(0), "each example's gradient is added to those before "
         "it, and then squared: was `.grad` not set to None?"),
        (lambda g: g.cumsum(0).square().sum(0), "each example's gradient is added to those before "
         "it, and then squared: was `.grad` not set to None?"),
        (lambda g: g.square().mean().expand(g[0].shape), "one number for a whole matrix: each "
         "weight has its own."),
    )  # fmt: skip


def alike(got: Any, want: Found) -> bool:
    """Whether all tensors agree."""
    return isinstance(got, dict) and got.keys() == want.keys() and all(
        same(got[name], want[name], 1e-4) for name in want
    )  # fmt: skip


class Anchor(Exercise):
    id = "10.ewc"
    title = "Build: an elastic anchor"
    minutes, difficulty, importance, points = 12, 3, 5, 5
    hints = (
        "Keep a copy of each weight as it is now: `{name: p.detach().clone() for name, p in "
        "part.named_parameters()}`. Without `clone` it would move with the weight.",
        "Go over `self.part.named_parameters()`. Where `importance` has the name, add "
        "`(importance[name] * (p - start[name]) ** 2).sum()`.",
    )

    def as_functions(self, made: type) -> tuple:
        return (partial(self.tried, made),)

    @staticmethod
    def case(seed: int, strength: float) -> tuple:
        """(seed, strength, importance of three of the four weights of two layers)."""
        shapes = {"0.weight": (3, 4), "0.bias": (3,), "1.weight": (2, 3)}
        sizes = {n: normal(*s, seed=seed + i).abs() for i, (n, s) in enumerate(shapes.items())}
        return seed, strength, sizes

    @staticmethod
    def part(seed: int, moved: bool = False) -> nn.Module:
        part = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        with torch.no_grad():
            for number, p in enumerate(part.parameters()):
                p.copy_(normal(*p.shape, seed=seed + 10 + number))
                if moved:
                    p.add_(normal(*p.shape, seed=seed + 20 + number))
        return part

    @classmethod
    def tried(cls, made: type, case: tuple) -> dict:
        """The penalty where nothing has moved, and where all weights have; its gradients."""
        seed, strength, sizes = case
        part, given = cls.part(seed), {name: x.clone() for name, x in sizes.items()}
        anchor: Any = made(part, given, strength)
        model = nn.ModuleDict({"encoder": part, "output": nn.Linear(2, 2)})
        first = anchor.penalty(model, {})
        goal = cls.part(seed, moved=True)
        with torch.no_grad():
            for p, q in zip(part.parameters(), goal.parameters(), strict=True):
                p.copy_(q)
        there = [p.detach().clone() for p in part.parameters()]
        got, again, grads = anchor.penalty(model, {}), anchor.penalty(model, {}), None
        named = not torch.is_tensor(got) and torch.is_tensor(anchor.penalty(part, {}))
        if torch.is_tensor(got) and got.requires_grad and got.ndim == 0:
            parts = torch.autograd.grad(got, [*part.parameters()], allow_unused=True)
            grads = [torch.zeros_like(p) if g is None else g
                     for g, p in zip(parts, part.parameters(), strict=True)]  # fmt: skip
        still = all(map(torch.equal, part.parameters(), there))
        kept = still and all(torch.equal(given[name], sizes[name]) for name in sizes)
        first, got, again = (x.detach() if torch.is_tensor(x) else x for x in (first, got, again))
        found = {"first": first, "got": got, "again": again, "grads": grads}
        return {**found, "kept": kept, "model": named}

    def untouched(self, tried: Callable[..., Any]) -> bool:
        found = tried(self.case(1, 3.0))
        zeros = all(isinstance(x, int | float) and x == 0 for x in (found["got"], found["first"]))
        return found["got"] is None or (zeros and not found["model"])

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        for case in (self.case(1, 5.0), self.case(2, 0.25)):
            found = tried(case)
            if found["model"]:
                return Wrong("the weights are looked up in `model`, where they have other names: "
                             "go over `self.part.named_parameters()`.", 2)  # fmt: skip
            if not torch.is_tensor(found["got"]):
                kind = type(found["got"]).__name__
                return Wrong(f"`penalty` should give a tensor, without `.item()`; got a {kind}.", 1)
            want, grads = self.solve(case), self.slopes(case)
            mistakes = self.mistakes(case)
            verdict = compare(found["got"], want, mistakes, 1e-4, what="the penalty")
            if not isinstance(verdict, Right):
                return verdict
            if not same(found["first"], 0.0):
                return Wrong("where nothing has moved, the penalty should be 0.", 2)
            if found["grads"] is None or not all(map(partial(same, tolerance=1e-4),
                                                     found["grads"], grads)):  # fmt: skip
                return Wrong("the value is right, but the weights do not get their gradient: in "
                             "`penalty` they are not detached, but their start is.", 2)  # fmt: skip
            if not same(found["again"], want, 1e-4):
                return Wrong("right the first time; but asked again, it gives another value: the "
                             "start stays where it was when the anchor was made.", 2)  # fmt: skip
            if not found["kept"]:
                return Wrong("the weights or the importance are changed: only read them.", 3)
        return Right("Stiff where the old task needs it, soft elsewhere: hence *elastic*.")

    @classmethod
    def moves(cls, case: tuple) -> list[tuple[str, Tensor, Tensor, Tensor]]:
        """(name, weight, start, importance or 0) of all weights."""
        seed, _, sizes = case
        pairs = zip(
            cls.part(seed, True).named_parameters(), cls.part(seed).parameters(), strict=True
        )
        return [(n, p.detach(), q.detach(), sizes.get(n, torch.zeros_like(q).detach()))
                for (n, p), q in pairs]  # fmt: skip

    @classmethod
    def solve(cls, case: tuple) -> Tensor:
        total = [(f * (p - q).square()).sum() for _, p, q, f in cls.moves(case)]
        return case[1] / 2 * sum(total, torch.tensor(0.0))

    @classmethod
    def slopes(cls, case: tuple) -> list[Tensor]:
        return [case[1] * f * (p - q) for _, p, q, f in cls.moves(case)]

    @classmethod
    def mistakes(cls, case: tuple) -> list[tuple]:
        """(penalty, message, points) of known mistakes."""
        moves, strength, sizes = cls.moves(case), case[1], case[2]
        want = cls.solve(case)

        def half(term: Callable[..., Tensor]) -> Tensor:
            found = [term(n, p, q, f) for n, p, q, f in moves]
            return strength / 2 * sum(found, torch.tensor(0.0))

        free = half(lambda n, p, q, f: ((f if n in sizes else 1) * (p - q).square()).sum())
        return [
            (0.0, "the penalty stays 0 when the weights move: is `start` a copy (`clone`)?", 2),
            (2 * want, "the factor 1/2 is missing.", 3),
            (want / 2, "the factor 1/2 is applied twice.", 3),
            (half(lambda n, p, q, f: (f.mean() * (p - q).square()).sum()),
             "one importance for a whole matrix: each of its numbers has its own.", 2),
            (want / strength, "the strength plays no role.", 3),
            (want * strength, "the strength is applied twice.", 3),
            (-want, "the sign is wrong: what has moved is punished.", 2),
            (half(lambda n, p, q, f: ((f > 0) * (p - q).square()).sum()),
             "importance plays no role: that is L2-SP.", 2),
            (half(lambda n, p, q, f: (p - q).square().sum()),
             "importance plays no role: that is L2-SP.", 2),
            (free, "a weight that `importance` does not name is free: yours pulls it back.", 3),
            (half(lambda n, p, q, f: (f.square() * (p - q).square()).sum()),
             "importance is squared: it holds squares already.", 3),
            (half(lambda n, p, q, f: (f.sqrt() * (p - q).square()).sum()),
             "there is a root too many on importance.", 3),
            (half(lambda n, p, q, f: (f * p.square()).sum()),
             "the weights are pulled to 0, not to where they were: p - start.", 2),
            (half(lambda n, p, q, f: (f * (p - q).abs()).sum()), "distances are squared.", 2),
            (half(lambda n, p, q, f: (f * (p - q)).sum()), "distances are squared.", 2),
            (half(lambda n, p, q, f: (f * (p - q)).sum().square()),
             "squared after the sum: square each distance.", 2),
            (half(lambda n, p, q, f: (f * (p - q)).square().sum()),
             "importance is squared with the distance: it stands before the square.", 3),
            (half(lambda n, p, q, f: (f * (p - q).square()).mean()),
             "a mean within each matrix: the sum over all weights.", 3),
            *cls.mistaken_sums(case),
        ]  # fmt: skip

    @classmethod
    def mistaken_sums(cls, case: tuple) -> list[tuple]:
        """The same, of mistakes in adding up what each matrix gives."""
        named = [(f * (p - q).square()).sum() for n, p, q, f in cls.moves(case) if n in case[2]]
        first, *_, last = parts = [case[1] / 2 * part for part in named]
        return [
            (last, "only the last weight that is named counts: add all up.", 2),
            (first, "only the first weight counts: is the `return` in the loop?", 2),
            (sum(parts) / len(parts), "a mean over the matrices: the sum over all weights.", 3),
        ]
