"""Chapter 02: the exercises about the mix of layers."""

from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import CHANGED, Answer, Learnable, judged


class Mix(Learnable):
    id = "02.mix"
    title = "The scalar mix"
    minutes, difficulty, importance, points = 5, 2, 5, 3
    hints = (
        "The weights are free numbers; their softmax `s` is positive and adds up to one.",
        "`layers[j] * s[j]`, added up over j: a loop, or `torch.einsum('l,l...->...', s, layers)`.",
        "`gamma` scales the result as a whole.",
    )
    default = torch.zeros(2, 3)
    example = (torch.arange(12.0).view(2, 2, 3), torch.tensor([1.0, 2.0]), 1.0)

    def check(self, mix: Answer) -> Right | Wrong:
        all_weights = torch.tensor([0.5, 2.0, -1.0, 1.2])
        for shape, scale in (((3, 4, 6), 1.7), ((4, 2, 4, 3), 0.6)):  # a sentence, a batch
            gamma, weights = torch.tensor(scale), all_weights[: shape[0]]
            layers = torch.randn(*shape, generator=torch.Generator().manual_seed(5))
            want = self.reference(layers, weights, gamma)
            mistakes = self.mistakes(layers, weights, gamma, want)
            got, fault = mix(layers, weights, gamma)
            verdict = compare(got, want, mistakes, what="the mixed vectors")
            if not isinstance(verdict, Right):
                return verdict
        right = Right("L + 2 numbers, and each task has its own view of the same model.")
        return judged(right, fault)

    def mistakes(self, layers: Tensor, weights: Tensor, gamma: Tensor, want: Tensor) -> list[tuple]:
        """(what a mistake gives, its message, points)."""
        s = weights.softmax(0)
        return [
            (want / gamma, "gamma is missing.", 2),
            (gamma * self.summed(weights, layers),
             "the weights are used as they are: take their softmax first.", 1),
            (gamma * self.summed(weights / weights.sum(), layers),
             "divided by their sum, weights may still be negative: take the softmax.", 1),
            (gamma * self.summed(weights.sigmoid(), layers),
             "a sigmoid: the shares do not add up to one. Take the softmax.", 1),
            (self.summed((gamma * weights).softmax(0), layers),
             "gamma belongs outside of the softmax.", 1),
            (gamma * self.summed(weights.exp(), layers),
             "exponentials, and not divided by their sum: take the softmax.", 1),
            (gamma * self.summed(weights / weights.norm(), layers),
             "the weights have the length one; the shares must have the sum one.", 1),
            (gamma * self.summed(weights.abs() / weights.abs().sum(), layers),
             "no absolute values: take the softmax.", 1),
            (gamma * self.summed(s, self.level(layers)),
             "the layers are normalised first: mix them as they are.", 1),
            (gamma + want / gamma, "gamma is added: multiply by it.", 2),
            (gamma * want, "gamma is multiplied twice.", 2),
            (gamma * self.summed(weights.log_softmax(0), layers),
             "the logarithm of the softmax: take the softmax itself.", 1),
            (gamma * layers.mean(0), "all layers count alike: where are the weights?", 1),
            (gamma * layers.sum(0), "all layers count alike: where are the weights?", 1),
            (want / gamma * 1.7, "gamma is an argument: do not write a number in.", 1),
            (want / len(layers), "a mean in place of a sum: the shares add up to one already.", 2),
            (gamma * self.summed(weights[:3].softmax(0), layers[:3]),
             "only the first three layers: take as many as there are.", 1),
            (gamma * self.summed(s[:3], layers[:3]),
             "only the first three layers: take as many as there are.", 1),
            (gamma * layers[-1], "that is the top layer alone.", 1),
            (gamma * layers[int(weights.argmax())], "only the heaviest layer: mix all.", 1),
        ]  # fmt: skip

    def reference(self, layers: Tensor, weights: Tensor, gamma: Any) -> Tensor:
        return gamma * self.summed(weights.softmax(0), layers)

    @staticmethod
    def level(layers: Tensor) -> Tensor:
        """Each vector with mean 0 and variance 1."""
        return torch.nn.functional.layer_norm(layers, layers.shape[-1:])

    @staticmethod
    def summed(shares: Tensor, layers: Tensor) -> Tensor:
        """The layers, each times its share, added up."""
        return torch.einsum("l,l...->...", shares, layers)


class Normalise(Learnable):
    id = "02.normalise"
    title = "Layers of equal size"
    minutes, difficulty, importance, points = 6, 2, 4, 3
    hints = (
        "`layers.mean(-1, keepdim=True)` is one mean for each vector.",
        "Divide the difference by `layers.std(-1, keepdim=True) + 1e-5`: padding is all zeros, and "
        "zero divided by zero is no number.",
    )
    default = torch.zeros(2, 2, 4)
    example = (torch.arange(16.0).view(2, 2, 4) ** 2,)

    def check(self, normalise: Answer) -> Right | Wrong:
        for shape in ((3, 5, 256), (2, 3, 4, 128)):
            x = torch.randn(*shape, generator=torch.Generator().manual_seed(7))
            x = 5 * x * torch.arange(1.0, 1 + shape[0]).view(-1, *[1] * (len(shape) - 1)) + 2
            x[..., 0, :] = 0.0  # padding
            got, fault = normalise(x)
            if any(same(got, want, 1e-3) for want in self.wanted(x)):
                continue
            return compare(got, self.wanted(x)[0], self.mistakes(x), 1e-3, what="the vectors")
        return judged(Right("Now a share of 1/3 means a third of the mix."), fault)

    def reference(self, layers: Tensor) -> Tensor:
        return self.wanted(layers)[0]

    @staticmethod
    def wanted(x: Tensor) -> list[Tensor]:
        """The standard deviation divided by n, and by n - 1."""
        centred = x - x.mean(-1, keepdim=True)
        return [centred / (x.std(-1, correction=n, keepdim=True) + 1e-5) for n in (0, 1)]

    @staticmethod
    def mistakes(x: Tensor) -> list[tuple]:
        """(what a mistake gives, its message, points)."""

        def scaled(dim, centre=True, power=1):
            y = x - x.mean(dim, keepdim=True) if centre else x
            return y / (x.std(dim, keepdim=True, correction=0) + 1e-5) ** power

        low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
        others, every = tuple(range(1, x.ndim)), tuple(range(x.ndim))
        axis = "one mean for each vector: along the last dimension."
        y, zero = x - x.mean(-1, keepdim=True), x.norm(dim=-1, keepdim=True)
        return [
            (x, "nothing has changed.", 0),
            (scaled(-2), "normalised over the words: " + axis, 1),
            (scaled(0), "normalised over the layers: " + axis, 1),
            (scaled(others), "one mean for a whole layer: take " + axis, 1),
            (scaled(every), "one mean for all layers together: take " + axis, 1),
            (scaled(-1, centre=False), "the mean is not subtracted.", 1),
            (y, "only centred: divide by the standard deviation.", 1),
            (scaled(-1, power=2), "divided by the variance: take its square root.", 1),
            (x / (zero + 1e-5), "scaled to length one: mean 0 and variance 1 were asked for.", 1),
            (y / (y.norm(dim=-1, keepdim=True) + 1e-5),
             "centred and scaled to length one: the variance must be 1.", 1),
            (y / (x.std(-1, keepdim=True) + 1), "a 1 is added below the line: the number there "
             "must be tiny.", 2),
            (y / (x.abs().mean(-1, keepdim=True) + 1e-5), "divided by the mean size: divide by the "
             "standard deviation.", 1),
            (y * x.std(-1, keepdim=True), "multiplied by the deviation: divide by it.", 1),
            (x / (x.square().mean(-1, keepdim=True).sqrt() + 1e-5), "divided by the root mean "
             "square: the mean is not subtracted.", 1),
            ((x - low) / (high - low + 1e-5), "scaled to 0 ... 1: mean 0 and variance 1 were asked "
             "for.", 1),
            (x.softmax(-1), "a softmax: mean 0 and variance 1 were asked for.", 1),
            (scaled(tuple(range(x.ndim - 1))), "one mean for each component, over all words. "
             + axis, 1),
            (y / x.std(-1, keepdim=True), NAN, 2),
            (y / x.std(-1, keepdim=True, correction=0), NAN, 2),
        ]  # fmt: skip


NAN = "not a number for a vector of zeros (padding): add a small number below the line."


PAIR, COPY, NAME = "a pair", "a copy", "a name"  # where a group holds these, not a parameter


class Rates(Exercise):
    id = "02.rates"
    title = "A rate of its own"
    minutes, difficulty, importance, points = 6, 2, 4, 3
    hints = (
        'A group is a dictionary, {"params": [...], "lr": rate}.',
        'The parameters of the mix have ".mixes." in their names.',
    )
    default = []
    example = ([("encoder.mixes.input.gamma", torch.ones(())), ("w", torch.ones(2))], 0.1, 0.2)

    def as_functions(self, groups: Answer) -> tuple[Answer]:
        def tried(named, rate, mix_rate):
            """The groups, with names in place of the parameters (by identity)."""
            names, given = {id(p): name for name, p in named}, list(named)
            got = groups(given, rate, mix_rate)
            if not self.are_groups(got):
                return got, ""
            fault = "" if len(given) == len(named) else CHANGED
            if any(isinstance(group["params"], set) for group in got):
                fault = "a set has no order, and PyTorch refuses it: put the parameters in a list."
            found = []
            for group in got:
                one = isinstance(group["params"], Tensor)
                params = [group["params"]] if one else list(group["params"])
                said = [self.said(p, names) for p in params]
                found.append({"params": said, "lr": group["lr"]})
            return found, fault

        return (tried,)

    @staticmethod
    def said(p: Any, names: dict[int, str]) -> str:
        """The name of a parameter, or what stands in its place."""
        kind = PAIR if isinstance(p, list | tuple) else NAME if isinstance(p, str) else COPY
        return names.get(id(p), kind)

    def untouched(self, groups: Answer) -> bool:
        value, _ = groups(*self.example)
        return value is None or value == []

    @staticmethod
    def are_groups(got: Any) -> bool:
        """Is this a list of dictionaries, each with parameters and a rate?"""
        parts = isinstance(got, list | tuple) and all(isinstance(g, dict) for g in got)
        return parts and not any({"params", "lr"} - set(group) for group in got)

    def check(self, groups: Answer) -> Right | Wrong:
        for rate, mix_rate in ((0.01, 0.1), (0.02, 0.03)):
            named = self.named()
            got, fault = groups(named, rate, mix_rate)
            if not self.are_groups(got):
                return Wrong('expected a list of dictionaries, each with "params" and "lr".')
            rates: dict[str, list] = {}  # a parameter's name -> the rates at which it is trained
            for group in got:
                for name in group["params"]:
                    rates.setdefault(name, []).append(group["lr"])
            if PAIR in rates:
                return Wrong("the parameters themselves, without their names.", 1)
            if NAME in rates:
                return Wrong("the names stand in the groups: put the parameters there.", 1)
            if COPY in rates:
                return Wrong("copies: the optimiser would train them, and not the model.", 1)
            verdict = self.verdict_on({n: rates.get(n, []) for n, _ in named}, rate, mix_rate)
            if isinstance(verdict, Wrong):
                return verdict
        return judged(verdict, fault)

    def verdict_on(self, of: dict[str, list[float]], rate: float, mix_rate: float) -> Right | Wrong:
        """The verdict, from the rates at which each parameter is trained."""
        mixes = [name for name in of if ".mixes." in name]
        others = [name for name in of if name not in mixes]
        fast, slow = ([of[name] for name in names] for names in (mixes, others))
        missing = [name for name, rates in of.items() if not rates]
        double = [name for name, rates in of.items() if len(rates) > 1]
        if missing:
            return Wrong(f"{missing[0]} is in no group: it would never be trained.", 1)
        if double:
            return Wrong(f"{double[0]} is in two groups: PyTorch refuses that.", 1)
        if any(r[0] not in (rate, mix_rate) for r in fast + slow):
            return Wrong("take both rates from the arguments: a number is written in.", 1)
        if all(r == [rate] for r in fast) and all(r == [mix_rate] for r in slow):
            return Wrong("the two rates are swapped.", 1)
        if all(r == [rate] for r in fast + slow):
            return Wrong("the mix has the rate of all others.", 1)
        if all(r == [mix_rate] for r in fast + slow):
            return Wrong("all parameters have the rate of the mix.", 1)
        for name in others:
            if of[name] != [rate]:
                return Wrong(f"{name} does not belong to the mix: rate for it was {of[name][0]}.")
        for name in mixes:
            if of[name] != [mix_rate]:
                return Wrong(f"{name} belongs to the mix: rate for it was {of[name][0]}.", 1)
        return Right("Four numbers with a rate of their own: they may run while the rest walks.")

    @staticmethod
    def named() -> list[tuple[str, Tensor]]:
        """Parameters of a tagger with their names."""
        names = (
            "encoder.embedding.weight", "encoder.mixes.input.weights", "encoder.mixes.input.gamma",
            "encoder.mixes.output.weights", "encoder.mixes.output.gamma", "encoder.lstm.weight_ih",
            "output.weight", "output.mixture", "gamma",
        )  # fmt: skip
        return [(name, torch.full((2,), 1.0 + number)) for number, name in enumerate(names)]
