"""Exercises of chapter 04 on heads and blocks."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import (
    IN_PLACE,
    NO_GRADIENT,
    called,
    made_with,
    normal,
    slopes,
    unreached,
)

ONE_EACH = (
    "right with one mask for all sentences, but not with a mask for each, (batch, 1, length, "
    "length): give `attention` all heads at once."
)


class SplitHeads(Exercise):
    id = "04.split_heads"
    title = "One vector per head"
    minutes, difficulty, importance, points = 6, 3, 4, 3
    hints = (
        "Cut the last dimension first: `(batch, length, dim)` -> `(batch, length, heads, head)`, "
        "by `reshape` or `unflatten(-1, (heads, -1))`. Head 0 gets the first `head` numbers.",
        "Then change places with `transpose(1, 2)`: attention works on the last two dimensions, so "
        "the heads must stand before the length.",
    )
    default = torch.zeros(2, 2, 3, 3)
    example = (torch.ones(2, 3, 6), 2)

    def as_functions(self, split: Callable[..., Any]) -> tuple:
        return split, partial(slopes, split)

    def untouched(self, split: Callable[..., Any], slopes: Callable[..., Any]) -> bool:
        return same(split(*self.example), self.default)

    def check(self, split: Callable[..., Any], slopes: Callable[..., Any]) -> Right | Wrong:
        x, heads = torch.arange(2.0 * 6 * 12).view(2, 6, 12), 3
        want = self.solve(x, heads)
        mistakes = [
            (x.reshape(2, 3, 6, 4),
             "the shape is right and the numbers are scrambled: this `reshape` cuts *across* the "
             "tokens, so that one head gets parts of several. Cut the last dimension, then "
             "transpose.", 1),
            (x.view(2, 6, 3, 4), "cut rightly; now the heads must come before the length.", 2),
            (x.view(2, 6, 4, 3).permute(0, 3, 1, 2),
             "each head gets every third number: give the first head the first `head` numbers.", 2),
            (x.view(2, 6, 3, 4).permute(2, 0, 1, 3),
             "the heads stand before the batch: (batch, heads, length, head).", 2),
            (x.view(2, 6, 3, 4).permute(0, 2, 3, 1),
             "the last two are turned round: (batch, heads, length, head).", 2),
            (x[:, None].expand(2, 3, 6, 12),
             "every head gets the whole vector: it gets its own part, dim / heads numbers.", 1),
            (x.transpose(1, 2).reshape(2, 3, 6, 4),
             "transposed before the cut: cut the last dimension first, then transpose.", 2),
            (want.flip(1), "the heads are in reverse order: the first gets the first numbers.", 2),
            (want[:, :1].expand(2, 3, 6, 4), "all heads get the part of the first one.", 1),
        ]  # fmt: skip
        got, kept = called(split, x, heads)
        if not kept:
            return Wrong(IN_PLACE, 2)
        right = "Head 0 reads the first numbers of every token, head 1 the next ones, and so on."
        verdict = compare(got, want, mistakes, what="the result", right=right)
        other = torch.arange(1.0 * 3 * 6).view(1, 3, 6)
        if isinstance(verdict, Right) and not same(split(other, 2), self.solve(other, 2)):
            return Wrong("right for three heads, but not for two: is a number written in it?", 2)
        if isinstance(verdict, Right) and slopes(other, 2) != [True]:
            return Wrong(NO_GRADIENT.format("x"), 2)
        return verdict

    @staticmethod
    def solve(x: Tensor, heads: int) -> Tensor:
        return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


class MultiHead(Exercise):
    id = "04.multi_head"
    title = "Multi-head attention from your own parts"
    minutes, difficulty, importance, points = 12, 3, 5, 5
    hints = (
        "Four layers `nn.Linear(dim, dim)`: `query`, `key`, `value` and `output`. Keep `heads`.",
        "`split_heads(self.query(x), self.heads)`, and likewise keys and values; your `attention` "
        "does all heads at once, with the mask.",
        "Put the heads side by side again: `found.transpose(1, 2).flatten(2)`. Last `self.output`.",
    )

    def as_functions(self, multi_head: type[nn.Module]) -> tuple:
        return (partial(self.run, multi_head),)

    @staticmethod
    def run(
        multi_head: type[nn.Module], case: tuple, mask: Tensor | None = None
    ) -> tuple[Any, list[str]]:
        """(What the class with these weights gives, the layers that get no gradient)."""
        weights, heads, x = case
        made = made_with(multi_head(x.shape[-1], heads), weights)
        got = made(x) if mask is None else made(x, mask)
        return got, unreached(made, weights, got)

    @staticmethod
    def case(
        seed: int = 0, batch: int = 2, length: int = 4, *, heads: int = 2, head: int = 4
    ) -> tuple:
        generator, dim = torch.Generator().manual_seed(seed), heads * head
        names = ("query", "key", "value", "output")
        weights = {name: torch.randn(dim, dim, generator=generator) * 0.5 for name in names}
        return weights, heads, torch.randn(batch, length, dim, generator=generator)

    def untouched(self, run: Callable[..., Any]) -> bool:
        got, _ = run(self.case())
        return got is None or (torch.is_tensor(got) and not got.any())

    def check(self, run: Callable[..., Any]) -> Right | Wrong:
        case = self.case(1)
        verdict = compare(run(case)[0], self.solve(*case), self.mistakes(*case), what="the result")
        if not isinstance(verdict, Right):
            return verdict
        causal = torch.ones(4, 4, dtype=torch.bool).tril()
        mask = causal.clone()
        mask[0, 2], mask[3, 1] = True, False  # not the causal mask alone
        got, lost = run(case, mask)
        weights, heads, x = case
        verdict = compare(got, self.solve(weights, heads, x, mask), [
            (self.solve(*case), "right without a mask; the mask is not passed on.", 3),
            (self.solve(weights, heads, x, mask.mT), "the mask is turned round.", 3),
            (self.solve(weights, heads, x, causal),
             "this hides the future, whatever the mask says: use the mask that is given.", 3),
        ], what="with a mask, the result")  # fmt: skip
        if isinstance(verdict, Right) and lost:
            return Wrong(NO_GRADIENT.format(", ".join(lost)), 2)
        other = self.case(2, batch=1, length=3, heads=3, head=2)
        if isinstance(verdict, Right) and not same(run(other)[0], self.solve(*other)):
            return Wrong("right for two heads, but not for three: is a 2 written in it?", 3)
        if isinstance(verdict, Right) and not self.one_each(run, case, mask):
            return Wrong(ONE_EACH, 3)
        right = Right("You have written the layer that reads in every Transformer.")
        return right if isinstance(verdict, Right) else verdict

    def one_each(self, run: Callable[..., Any], case: tuple, mask: Tensor) -> bool:
        """Is it right where each sentence has a mask of its own?"""
        weights, heads, x = case
        masks = torch.stack((mask, torch.tensor([1, 1, 0, 0]).bool().expand(4, 4)))[:, None]
        try:
            got, _ = run(case, masks)
        except Exception:
            return False
        return same(got, self.solve(weights, heads, x, masks))

    @classmethod
    def mistakes(cls, weights: dict[str, Tensor], heads: int, x: Tensor) -> list[tuple]:
        solve = partial(cls.solve, heads=heads, x=x)
        eye = torch.eye(x.shape[-1])
        turned = weights | {"query": weights["key"], "key": weights["query"]}
        return [
            (solve(weights | {"output": eye}), "the last layer, `output`, is missing.", 3),
            (cls.solve(weights, 1, x), "that is one head as wide as all: split first.", 2),
            (solve(turned), "queries and keys have changed places.", 3),
            (solve(weights | {"value": weights["key"]}), "keys are mixed: mix the values.", 3),
            (solve(weights | {"value": eye}), "`value` is not used.", 3),
            (solve(weights | {"query": eye, "key": eye}), "`query` and `key` are not used.", 2),
            (cls.solve(weights, heads, x, scale=x.shape[-1] ** -0.5),
             "divided by the root of the whole width: d is the width of one head.", 3),
            (cls.solve(weights, heads, x, scale=1.0), "the scores are not divided.", 3),
            (cls.solve(weights, heads, x, merge=lambda f: f.flatten(1).view(x.shape)),
             "heads and positions are scrambled: `transpose(1, 2)` before `flatten(2)`.", 3),
            (cls.solve(weights, heads, x, merge=lambda f: f.transpose(1, 2).mT.flatten(2)),
             "the heads' numbers are interleaved: put the heads side by side.", 3),
            (x + solve(weights), "x is added: the residual sum comes later, in the block.", 3),
        ]  # fmt: skip

    @staticmethod
    def solve(
        weights: dict[str, Tensor],
        heads: int,
        x: Tensor,
        mask: Tensor | None = None,
        *,
        scale: float | None = None,
        merge: Callable[..., Any] | None = None,
    ) -> Tensor:
        q, k, v = (
            SplitHeads.solve(x @ weights[name].T, heads) for name in ("query", "key", "value")
        )
        scores = q @ k.mT * (scale or q.shape[-1] ** -0.5)
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        found = scores.softmax(-1) @ v
        merged = merge(found) if merge else found.transpose(1, 2).flatten(2)
        return merged @ weights["output"].T


class FindTheBug(Exercise):
    id = "04.find_the_bug"
    title = "Find the bug: a residual around the wrong stream"
    minutes, difficulty, importance, points = 8, 3, 5, 3
    hints = (
        "With both sublayers at zero, a pre-LN block must give back `x` itself. What does this one "
        "give?",
        "Which `x` is added back: the stream, or its normalised copy?",
        "Never overwrite `x` by its norm: give the norm to the sublayer alone.",
    )

    def as_functions(self, block: type[nn.Module]) -> tuple:
        return (partial(self.output, block),)

    @staticmethod
    def output(
        block: type[nn.Module], layers: tuple, norms: list[tuple], x: Tensor
    ) -> tuple[Any, str]:
        """(What a block gives for ``x`` with these layers and norms, what is wrong behind it)."""
        made: Any = block(x.shape[-1], *layers)
        with torch.no_grad():
            for norm, (weight, bias) in zip((made.norm_1, made.norm_2), norms, strict=True):
                norm.weight.copy_(weight)
                norm.bias.copy_(bias)
        got, kept = called(made, x)
        if not kept:
            return got, IN_PLACE
        if slopes(made, x) != [True]:
            return got, NO_GRADIENT.format("the bottom")
        parts = [layer.weight for layer in layers]
        again = made(x.clone().requires_grad_())
        slope = torch.autograd.grad(again.square().sum(), parts, allow_unused=True)
        lost = [name for name, grad in zip(("attend", "feed"), slope, strict=True) if grad is None]
        return got, NO_GRADIENT.format(" and ".join(lost)) if lost else ""

    def untouched(self, output: Callable[..., Any]) -> bool:
        made, x = self.made(), normal(2, 3, 8, seed=7)
        return same(output(*self.given(made), x)[0], self.broken(made, x))

    def check(self, output: Callable[..., Any]) -> Right | Wrong:
        made, x = self.made(), 3 * normal(2, 3, 8, seed=8) + 1
        got, behind = output(*self.given(made), x)
        right = "Now there is a way from the bottom to the top that no norm interrupts."
        want, mistakes = self.solve(made, x), self.mistakes(made, x)
        verdict = compare(got, want, mistakes, what="the block's output", right=right)
        if isinstance(verdict, Right) and behind:
            return Wrong(behind, 1)
        return verdict

    def mistakes(self, made: SimpleNamespace, x: Tensor) -> list[tuple]:
        attend, feed, norm_1, norm_2 = made.attend, made.feed, made.norm_1, made.norm_2
        first, broken = x + attend(norm_1(x)), self.first_broken(made, x)
        post, n = norm_1(x + attend(x)), norm_2(first)
        want = self.solve(made, x)
        alone = attend(norm_1(x))
        return [
            (n + feed(n), "the first half is mended; the second has the same mistake.", 2),
            (broken + feed(norm_2(broken)),
             "the second half is mended; look at the first, too.", 2),
            (norm_2(post + feed(post)),
             "a right block, but post-LN: here the norm comes before each sublayer.", 1),
            (x + attend(x) + feed(x + attend(x)), "the norms are gone.", 1),
            (first + feed(norm_2(x)),
             "the second sublayer must read what the first has added.", 2),
            (x + feed(n), "what the attention found is lost: the second sum starts from the old x.",
             2),
            (feed(norm_2(alone)), "the residual sums are gone: add x back, twice.", 1),
            (feed(n), "the second residual sum is gone.", 2),
            (alone + feed(norm_2(alone)), "the first residual sum is gone.", 2),
            (first + feed(norm_1(first)), "the first norm is used twice: the second has its own "
             "weights.", 2),
            (norm_2(want), "the stream is normalised at the end of the block: a pre-LN stack does "
             "that once, after the last block.", 2),
            (x + alone + x + feed(n), "the old x is added twice.", 2),
        ]  # fmt: skip

    @staticmethod
    def solve(made: SimpleNamespace, x: Tensor) -> Tensor:
        first = x + made.attend(made.norm_1(x))
        return first + made.feed(made.norm_2(first))

    @staticmethod
    def made(dim: int = 8, seed: int = 9) -> SimpleNamespace:
        """The parts of a block: two layers, and two norms that change even a normed vector."""
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            attend, feed = nn.Linear(dim, dim), nn.Linear(dim, dim)
            norm_1, norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        with torch.no_grad():
            for norm in (norm_1, norm_2):
                norm.weight.copy_(0.5 + torch.rand(dim, generator=generator))
                norm.bias.copy_(torch.rand(dim, generator=generator))
        return SimpleNamespace(attend=attend, feed=feed, norm_1=norm_1, norm_2=norm_2)

    @staticmethod
    def given(made: SimpleNamespace) -> tuple[tuple, list[tuple]]:
        """These parts, as an answer gets them."""
        norms = [(norm.weight, norm.bias) for norm in (made.norm_1, made.norm_2)]
        return (made.attend, made.feed), norms

    @staticmethod
    def first_broken(made: SimpleNamespace, x: Tensor) -> Tensor:
        x = made.norm_1(x)
        return x + made.attend(x)

    def broken(self, made: SimpleNamespace, x: Tensor) -> Tensor:
        x = made.norm_2(self.first_broken(made, x))
        return x + made.feed(x)
