"""Chapter 02, first half: exercises about letters, the two directions, and their training."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import Answer, Learnable, judged


class Convolve(Learnable):
    id = "02.convolve"
    title = "One filter over the letters of a word"
    minutes, difficulty, importance, points = 8, 2, 4, 3
    hints = (
        "There are `len(x) - width + 1` positions at which a filter of that width fits.",
        "At position `i` it sees `width` rows of `x`. They have the shape of `weight`: multiply "
        "element by element, add everything up, add the bias.",
        "Max-pooling keeps the largest of these scores.",
    )
    default = 0.0
    example = (torch.arange(10.0).view(5, 2), torch.ones(3, 2), torch.tensor(0.0))

    def check(self, best_match: Answer) -> Right | Wrong:
        for x, weight, bias in self.cases():
            scores = self.scores(x, weight, bias)
            got, fault = best_match(x, weight, bias)
            verdict = self.named(got, scores, x, weight, bias=bias)
            if not isinstance(verdict, Right):
                return verdict
        return judged(verdict, fault)

    @staticmethod
    def cases() -> list[tuple[Tensor, Tensor, Tensor]]:
        """x, weight and bias: three good matches, and a word that matches nowhere."""
        found = []
        for best, shift, width, scale in ((9, 0.7, 3, 1), (5, 0.7, 3, 1), (0, -100.0, 2, 0.1)):
            generator = torch.Generator().manual_seed(0)
            x = torch.randn(12, 4, generator=generator)
            weight = torch.randn(width, 4, generator=generator)
            x[8 : 8 + width] = 2 * weight  # a good match
            x[best : best + width] = 4 * weight  # the best match
            found.append((scale * x, weight, torch.tensor(shift)))
        row = torch.tensor([0.5, -1.0, 0.3, 0.8])
        x = -torch.arange(1.0, 8.0)[:, None] * row
        return [*found, (x, row.repeat(3, 1), torch.tensor(0.7))]

    def named(
        self, got: object, scores: Tensor, x: Tensor, weight: Tensor, *, bias: Tensor
    ) -> Right | Wrong:
        """The verdict on one answer."""
        turned = self.scores(x, weight.flip(0), bias)
        padded = self.scores(nn.functional.pad(x, (0, 0, 1, 1)), weight, bias)
        mistakes = [
            (0.0, "a match of 0 where every score is below zero: the best is the largest score all "
             "the same, so do not start from 0 (the ReLU comes later).", 2),
            (scores.max() - bias, "the bias is missing.", 2),
            (scores.max() + (weight.numel() - 1) * bias, "the bias is added once, not to each "
             "product.", 2),
            (scores.logsumexp(0), "a soft maximum (logsumexp): keep the largest score alone.", 1),
            (padded.max(), "zeros were added at the ends: only positions where the whole filter "
             "fits count.", 1),
            (scores[:-1].max(), "the last position is left out: `range` stops one before its end.",
             2),
            (scores[::2].max(), "every second position is left out: move by one symbol.", 1),
            (scores[:: len(weight)].max(), "the windows do not overlap: move by one symbol.", 1),
            (scores[-1], "only the last position counts: keep the best of all, do not overwrite "
             "it.", 1),
            (scores[0], "only the first position counts: move the filter along the word.", 1),
            (int(scores.argmax()), "that is the position of the best match (argmax): return its "
             "score.", 1),
            (scores.mean(), "that is the mean over the positions: keep the largest score.", 1),
            (scores.sum(), "that is the sum over the positions: keep the largest score.", 1),
            (scores.min(), "that is the smallest score.", 1),
            (scores.abs().max(), "no absolute value: a strong mismatch is no match.", 2),
            (turned.max(), "the filter is reversed: in deep learning a convolution does not flip "
             "it.", 2),
            (scores, "these are the scores at all positions: keep the largest.", 1),
        ]  # fmt: skip
        mistakes = [row for row in mistakes if not same(row[0], scores.max())]
        return compare(got, scores.max(), mistakes, what="the match")

    @staticmethod
    def scores(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The scores, (positions,), of a filter (width, dim) over letters (length, dim)."""
        positions = range(len(x) - len(weight) + 1)
        return torch.stack([(x[i : i + len(weight)] * weight).sum() + bias for i in positions])


class BothWays(Exercise):
    id = "02.both_ways"
    title = "What each direction reads, and what it must predict"
    minutes, difficulty, importance, points = 8, 2, 5, 3
    hints = (
        "Forward: the model reads `<S>` first. Every token that it reads must predict the next.",
        "Backward is the same game on the reversed sentence, `words[::-1]`. There the sentence "
        "begins with `</S>` and ends with `<S>`.",
    )
    default: Any = ([], [], [], [])
    example = (["a", "b"],)

    def untouched(self, both_ways: Answer) -> bool:
        parts = both_ways(["a", "b"])
        return parts is None or not any(len(part) for part in parts)

    def check(self, both_ways: Answer) -> Right | Wrong:
        for words in ("a cat saw the dog saw a bird".split(), ["yes"]):
            got = both_ways(list(words))
            if not isinstance(got, tuple | list) or len(got) != 4:
                return Wrong("expected four lists: forward inputs and targets, backward the same.")
            want = self.solve(words)
            for number, (mine, right) in enumerate(zip(got, want, strict=True)):
                if list(mine) != right:
                    return self.named(number, list(mine), want)
        return Right("n words give n + 1 predictions in each direction. None can see its answer.")

    def named(self, number: int, mine: list[str], want: list[list[str]]) -> Wrong:
        """What is wrong with one of the four lists."""
        names = ("forward inputs", "forward targets", "backward inputs", "backward targets")
        name, right, points = names[number], want[number], 1 if number > 1 else 0
        swapped = {"<S>": "</S>", "</S>": "<S>"}
        if mine == want[number ^ 1]:
            return Wrong(f"{name}: these are the other side: inputs and targets are swapped.", 1)
        if number > 1 and mine == want[number - 2]:
            return Wrong("backward is the same as forward: reverse the sentence.", points)
        if [swapped.get(word, word) for word in mine] == right:
            return Wrong(
                f"{name}: the marks belong to the sentence and are reversed with it; read from "
                "the end, it begins with `</S>`.", points
            )  # fmt: skip
        if number > 1 and mine[::-1] == right:
            return Wrong(f"{name}: in the order of the text; list them in reading order.", points)
        if mine in (right[1:], right[:-1]):
            return Wrong(f"{name}: a mark or a word is missing at one end.", points)
        if sorted(set(mine)) == sorted(set(right)) and len(mine) < len(right):
            return Wrong(f"{name}: a word that occurs twice is listed once.", points)
        if len(mine) > len(right):
            return Wrong(f"{name}: too long. The last token is not read, the first is not a "
                         "target.", points)  # fmt: skip
        return Wrong(f"{name}: expected {right}, got {mine}.", points)

    @staticmethod
    def solve(words: list[str]) -> list[list[str]]:
        """The four lists."""
        back = words[::-1]
        return [["<S>", *words], [*words, "</S>"], ["</S>", *back], [*back, "<S>"]]


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
        for seed in (0, 1):
            parts = self.parts(seed)
            got, fault = step(*parts)
            if not isinstance(got, tuple | list) or len(got) != 2:
                return Wrong("return two tensors, the new h and the new c.")
            want = self.variant(*parts)
            for message, options in self.mistakes().items():
                wrong = self.variant(*parts, **options)
                if all(map(same, got, wrong)) and not all(map(same, wrong, want)):
                    return Wrong(message, 1)
            if same(got[0], want[1]) and same(got[1], want[0]):
                return Wrong("h and c are swapped in what you return.", 2)
            for name, mine, right in zip(("the new h", "the new c"), got, want, strict=True):
                verdict = compare(mine, right, what=name)
                if not isinstance(verdict, Right):
                    return verdict
        return judged(Right("c may be large and stays inside; h is small and is handed on."), fault)

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> how the step goes wrong."""
        return {
            "the gates are in another order: i, f, g, o.": {"order": "ifog"},
            "input gate and forget gate are swapped.": {"order": "figo"},
            "h before this step plays no part: add `from_h(h)`.": {"recurrent": 0},
            "the old c is forgotten: c = f * c + i * g.": {"old": 0},
            "g needs a tanh, not a sigmoid.": {"g": torch.sigmoid},
            "g needs a tanh before it is added.": {"g": torch.Tensor.clone},
            "the output needs tanh(c), not c.": {"out": torch.Tensor.clone},
            "the output is computed from the old c: take the new one.": {"stale": True},
            "the gates need a sigmoid.": {"gate": torch.Tensor.clone},
            "the output gate is missing: sigmoid(o) * tanh(c).": {"open_": True},
            "h is not projected: it must be as narrow as the h that came in.": {"raw": True},
        }

    @staticmethod
    def variant(
        x: Tensor,
        h: Tensor,
        c: Tensor,
        to_gates: nn.Module,
        *layers: nn.Module,
        order: str = "ifgo",
        recurrent: int = 1,
        old: int = 1,
        g: Answer = torch.tanh,
        out: Answer = torch.tanh,
        gate: Answer = torch.sigmoid,
        stale: bool = False,
        open_: bool = False,
        raw: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """The step, or one of the mistakes."""
        from_h, project = layers
        with torch.no_grad():
            chunks = (to_gates(x) + recurrent * from_h(h)).chunk(4, dim=-1)
            gates = dict(zip(order, chunks, strict=True))
            new = gate(gates["f"]) * c * old + gate(gates["i"]) * g(gates["g"])
            h = (1 if open_ else gate(gates["o"])) * out(c if stale else new)
            return (h if raw else project(h)), new

    @staticmethod
    def parts(seed: int) -> tuple:
        """x, h, c and the three layers, drawn from a seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = nn.Linear(4, 20), nn.Linear(3, 20, bias=False), nn.Linear(5, 3, bias=False)
            return torch.randn(2, 4), torch.randn(2, 3), torch.randn(2, 5), *layers


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
            return read(x, [self.layer(*one) for one in weights], dim)

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

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> how the reading goes wrong."""
        return {
            "the skip connection is missing: from the second layer on, add the input.":
                {"skip": ()},
            "the first layer has no skip connection: its input are words, not a layer.":
                {"skip": range(9)},
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
                h, new = step(source[:, -1 - t if back else t], h, c)
                c = c if no_c else new
                outputs.append(h)
            out = torch.stack(outputs[::-1] if back else outputs, 1)
            x = out + (first if words else source) if number in skip else out
        return x[:, -1] if last else x

    @staticmethod
    def parts(seed: int) -> tuple[Tensor, list[tuple[Tensor, ...]], int]:
        """x, the weights of 3 or 4 layers, and the number of their cells, drawn from a seed."""
        generator, dim = torch.Generator().manual_seed(seed), 5 + seed % 2
        x = torch.randn(2, 4, 3, generator=generator)
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
