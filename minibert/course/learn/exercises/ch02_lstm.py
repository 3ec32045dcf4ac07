"""Chapter 02: the exercises about the LSTM, one step of it and layers over a sentence."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import Answer, Learnable, judged


class Step(Learnable):
    id = "02.step"
    title = "One step of the projected LSTM"
    minutes, difficulty, importance, points = 8, 3, 4, 4
    hints = (
        "One sum gives all four gates: `to_gates(x) + from_h(h)`, of shape `(batch, 4 * dim)`.",
        "`.chunk(4, dim=-1)` cuts it into i, f, g and o. Three go through a sigmoid, g through "
        "tanh.",
        "First the new `c`; then `h` from it, through `project`.",
    )
    default = None

    def untouched(self, step: Answer) -> bool:
        got, _ = step(*self.parts(0))
        return got is None or got[0] is None

    def check(self, step: Answer) -> Right | Wrong:
        for seed, scale in ((0, 1), (1, 1), (2, 9)):
            parts = self.parts(seed, scale)
            got, fault = step(*parts)
            if not isinstance(got, tuple | list) or len(got) != 2:
                return Wrong("return two tensors, the new h and the new c.")
            want = self.variant(*parts)
            for message, options in self.mistakes().items():
                wrong = self.variant(*parts, **options)
                if all(map(same, got, wrong)) and not all(map(same, wrong, want)):
                    return Wrong(message, 1)
            orders = [self.variant(*parts, order="".join(order)) for order in permutations("ifgo")]
            if any(all(map(same, got, wrong)) for wrong in orders[1:]):
                return Wrong("the gates are in another order: i, f, g, o.", 1)
            if same(got[0], want[1]) and same(got[1], want[0]):
                return Wrong("h and c are swapped in what you return.", 2)
            for name, mine, right in zip(("the new h", "the new c"), got, want, strict=True):
                verdict = compare(mine, right, what=name)
                if not isinstance(verdict, Right):
                    return verdict
        return judged(Right("c may be large and stays inside; h is small and is handed on."), fault)

    def reference(self, *parts: Any) -> tuple[Tensor, Tensor]:
        return self.variant(*parts)

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> how the step goes wrong."""
        return {
            "input gate and forget gate are swapped.": {"order": "figo"},
            "h before this step plays no part: add `from_h(h)`.": {"recurrent": 0},
            "the input plays no part: add `to_gates(x)`.": {"inputs": 0},
            "the forget gate is a gate of its own: sigmoid(f), not 1 - sigmoid(i).":
                {"coupled": True},
            "the old h is added to the new one: no skip connection here.": {"skip": 1},
            "c' = f * c + i * g is a sum, and has no tanh around it.": {"squash": torch.tanh},
            "the old c is forgotten: c = f * c + i * g.": {"old": 0},
            "g needs a tanh, not a sigmoid.": {"g": torch.sigmoid},
            "g needs a tanh before it is added.": {"g": torch.Tensor.clone},
            "the output needs tanh(c), not c.": {"out": torch.Tensor.clone},
            "the output is computed from the old c: take the new one.": {"stale": True},
            "the gates need a sigmoid.": {"gate": torch.Tensor.clone},
            "the output gate is missing: sigmoid(o) * tanh(c).": {"open_": True},
            "h is not projected: it must be as narrow as the h that came in.": {"raw": True},
            "c is cut off at 3: the published models do that, and this formula does not.":
                {"squash": lambda c: c.clamp(-3, 3)},
            "h is cut off at 3: the published models do that, and this formula does not.":
                {"most": 3.0},
        }  # fmt: skip

    @staticmethod
    def variant(
        x: Tensor,
        h: Tensor,
        c: Tensor,
        to_gates: nn.Module,
        *layers: nn.Module,
        order: str = "ifgo",
        recurrent: int = 1,
        inputs: int = 1,
        coupled: bool = False,
        skip: int = 0,
        squash: Answer = torch.Tensor.clone,
        old: int = 1,
        g: Answer = torch.tanh,
        out: Answer = torch.tanh,
        gate: Answer = torch.sigmoid,
        stale: bool = False,
        open_: bool = False,
        raw: bool = False,
        most: float = torch.inf,
    ) -> tuple[Tensor, Tensor]:
        """The step, or one of the mistakes."""
        from_h, project = layers
        chunks = (inputs * to_gates(x) + recurrent * from_h(h)).chunk(4, dim=-1)
        gates = dict(zip(order, chunks, strict=True))
        enter = gate(gates["i"])
        keep = 1 - enter if coupled else gate(gates["f"])
        new = squash(keep * c * old + enter * g(gates["g"]))
        read = (1 if open_ else gate(gates["o"])) * out(c if stale else new)
        return (read if raw else (project(read) + skip * h).clamp(-most, most)), new

    @staticmethod
    def parts(seed: int, scale: float = 1.0) -> tuple:
        """x, h, c and the three layers, drawn from a seed; ``scale``: of c and the projection."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = nn.Linear(4, 20), nn.Linear(3, 20, bias=False), nn.Linear(5, 3, bias=False)
            layers[2].weight.data *= scale
            return torch.randn(2, 4), torch.randn(2, 3), scale * torch.randn(2, 5), *layers


class Read(Learnable):
    id = "02.read"
    title = "Layers over a sentence"
    minutes, difficulty, importance, points = 10, 3, 4, 4
    hints = (
        "Two loops: over the layers outside, over the positions inside.",
        "Each layer begins with h and c of zeros, collects its h at every position, and "
        "`torch.stack(outputs, 1)` makes (batch, length, width) of them.",
        "From the second layer on, add the layer's input to its output.",
    )
    default = None

    def as_functions(self, read: Answer) -> tuple[Answer]:
        def with_layers(x, weights, dim):
            layers = [self.layer(*one) for one in weights]
            value = read(x, layers, dim)
            if len(layers) != len(weights):
                raise ValueError("the list of layers was changed: do not take layers out of it.")
            return value

        return super().as_functions(with_layers)

    def untouched(self, read: Answer) -> bool:
        x, *others = self.parts(0)
        got, _ = read(x, *others)
        return got is None or same(got, x)

    def check(self, read: Answer) -> Right | Wrong:
        for seed in (0, 1):
            parts = self.parts(seed)
            (got, fault), want = read(*parts), self.variant(*parts)
            for message, options in self.mistakes().items():
                wrong = self.variant(*parts, **options)
                if same(got, wrong) and not same(wrong, want):
                    return Wrong(message, 1)
            verdict = compare(got, want, what="the top layer")
            if not isinstance(verdict, Right):
                return verdict
        right = Right("The same loop gives the backward model: turn the sentence round first.")
        return judged(right, fault)

    def reference(self, *parts: Any) -> Tensor:
        return self.variant(*parts)

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> how the reading goes wrong."""
        return {
            "the skip connection is missing: from the second layer on, add the input.":
                {"skip": ()},
            "the first layer has no skip connection: its inputs are words, not a layer.":
                {"skip": range(9)},
            "the skip connection begins at the third layer: it begins at the second.":
                {"skip": range(2, 9)},
            "the sum is handed on to the next word: only h goes on, and the skip connection is for "
            "the next layer.": {"summed": True},
            "h is not handed on from word to word.": {"no_h": True},
            "the skip connection adds the words: add the input of the same layer.":
                {"words": True},
            "the state starts again at every word: set h and c to zero once per layer.":
                {"fresh": True},
            "h and c run on from one layer into the next: every layer begins with zeros.":
                {"carried": True},
            "c is not handed on from word to word.": {"no_c": True},
            "only the first layer has read.": {"most": 1},
            "the last layer is left out.": {"most": -1},
            "this reads from the end: the positions go from 0 up.": {"back": True},
            "only the last word's state: keep the h of every position.": {"last": True},
            "these are the first layer's words read by every layer: hand each output on.":
                {"parallel": True},
        }  # fmt: skip

    @staticmethod
    def variant(
        x: Tensor,
        weights: Sequence[tuple[Tensor, ...]],
        dim: int,
        *,
        skip: Sequence[int] = range(1, 9),
        words: bool = False,
        fresh: bool = False,
        carried: bool = False,
        no_c: bool = False,
        no_h: bool = False,
        summed: bool = False,
        most: int | None = None,
        back: bool = False,
        last: bool = False,
        parallel: bool = False,
    ) -> Tensor:
        """The top layer's states, or those of one of the mistakes."""
        first, h, c = x, torch.zeros_like(x[:, 0]), x.new_zeros(len(x), dim)
        for number, step in enumerate([Read.layer(*one) for one in weights][:most]):
            if not carried:
                h, c = torch.zeros_like(x[:, 0]), x.new_zeros(len(x), dim)
            source, outputs = first if parallel else x, []
            for t in range(x.shape[1]):
                if fresh:
                    h, c = torch.zeros_like(h), torch.zeros_like(c)
                word = source[:, -1 - t if back else t]
                h, new = step(word, h * 0 if no_h else h, c)
                c, h = (c if no_c else new), (h + word if summed and number in skip else h)
                outputs.append(h)
            out = torch.stack(outputs[::-1] if back else outputs, 1)
            added = number in skip and not summed
            x = out + (first if words else source) if added else out
        return x[:, -1] if last else x

    @staticmethod
    def parts(seed: int) -> tuple[Tensor, list[tuple[Tensor, ...]], int]:
        """x, the weights of 3 or 4 layers, and the number of their cells, drawn from a seed."""
        generator, dim = torch.Generator().manual_seed(seed), 5 + seed % 2
        x = torch.randn(2 + seed % 2, 4, 3, generator=generator)
        sizes = (3, dim), (dim, 3), (3, dim)
        layers = range(3 + seed % 2)
        drawn = [tuple(torch.randn(s, generator=generator) for s in sizes) for _ in layers]
        return x, drawn, dim

    @staticmethod
    def layer(a: Tensor, b: Tensor, m: Tensor) -> Answer:
        """One layer, as a function of the word, h and c."""

        def step(x, h, c):
            c = 0.6 * c + torch.tanh(x @ a + h @ m)
            return torch.tanh(c) @ b, c

        return step
