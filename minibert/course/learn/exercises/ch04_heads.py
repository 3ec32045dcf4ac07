"""Exercises of chapter 04 on masks and heads."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import (
    IN_PLACE,
    NO_GRADIENT,
    RANDOM,
    called,
    foreign,
    instead,
    made_with,
    slopes,
    through,
    unbiased,
    unreached,
    with_biases,
    without,
)

ONE_EACH = (
    "right with one mask for all sentences, but not with a mask for each, (batch, 1, length, "
    "length): give `attention` all heads at once."
)


class Mask(Exercise):
    id = "04.mask"
    title = "Neither padding nor the future"
    minutes, difficulty, importance, points = 8, 2, 5, 3
    hints = (
        "`True`: *may be looked at*. The padding mask is about the keys, `(batch, 1, length)`: "
        "the same for all positions that look.",
        "The causal mask is about positions alone: position i sees j <= i, `torch.ones(length, "
        "length).tril().bool()`, the same for all sentences.",
        "Both must allow it: `&`. Broadcasting makes (batch, 1, length) & (length, length) a "
        "(batch, length, length).",
    )
    default = torch.ones(1, 2, 2, dtype=torch.bool)
    example = (torch.tensor([[1, 0]]),)

    def check(self, mask: Callable[..., Any]) -> Right | Wrong:
        attention_mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]])
        want = self.solve(attention_mask)
        got, kept = called(mask, attention_mask)
        if not kept:
            return Wrong(IN_PLACE, 2)
        if strange := foreign(got, "the mask"):
            return strange
        if torch.is_tensor(got) and got.shape == (3, 1, 4, 4):
            return Wrong("(batch, 1, length, length): here without the 1, which is for heads.", 2)
        if torch.is_tensor(got) and got.dtype != torch.bool and got.shape == want.shape:
            if same(got.float(), want.float()):
                return Wrong("right, but in numbers: a mask is boolean (`.bool()`).", 2)
            if same((got == 0).float(), want.float()):
                return Wrong("right to be added to the scores; here True means *may look*.", 2)
        verdict = compare(got, want, self.mistakes(attention_mask), what="the mask")
        other = torch.tensor([[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0]])
        if isinstance(verdict, Right) and not same(mask(other), self.solve(other)):
            return Wrong("right for four tokens, but not for six: is a 4 written in it?", 2)
        return verdict

    @classmethod
    def mistakes(cls, attention_mask: Tensor) -> list[tuple]:
        """For three sentences of four tokens."""
        real, want = attention_mask.bool(), cls.solve(attention_mask)
        tril = torch.ones(4, 4, dtype=torch.bool).tril()
        return [
            (~want, "turned round: here True means that a position *may* be looked at.", 2),
            (real[:, None, :].expand(3, 4, 4), "the future can still be seen.", 1),
            (tril.expand(3, 4, 4), "padding can still be looked at.", 1),
            (tril, "padding can still be looked at; and there is one mask for each sentence.", 1),
            (real[:, None, :] & tril.mT, "this shows the future and hides the past.", 2),
            (real[:, None, :] & ~tril, "this shows the future and hides the past.", 2),
            (real[:, None, :] & tril.tril(-1),
             "a position may see itself: with `tril(-1)` the first can look nowhere at all.", 2),
            (real[:, :, None] & tril,
             "the padding mask hides rows, so that padding looks nowhere (and a softmax over "
             "nothing is not a number): it is about what is looked *at*, the columns.", 2),
            (real[:, None, :] | tril, "that is `or`: both must allow a look, `&`.", 2),
            (want | torch.eye(4, dtype=torch.bool),
             "padding can still be looked at, by itself: its whole column is False.", 2),
            (want.mT, "turned round: rows are positions that look, columns what they look at.", 2),
            (real[:, None, :] & torch.ones(4, 4).tril(1).bool(),
             "each position can still see the next one: `tril()`, without the 1.", 2),
            (~real[:, None, :] & tril, "this shows padding and hides the words.", 2),
            (real[:, :, None] & real[:, None, :],
             "the future can still be seen; and the rows of padding are hidden, too.", 1),
            (real[:, :, None] & real[:, None, :] & tril,
             "the rows of padding are hidden, too, and a softmax over nothing is not a number: "
             "hide columns alone.", 2),
        ]  # fmt: skip

    @staticmethod
    def solve(attention_mask: Tensor) -> Tensor:
        length = attention_mask.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        return attention_mask.bool()[:, None, :] & causal


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
        got, kept = called(split, x, heads)
        if not kept:
            return Wrong(IN_PLACE, 2)
        if torch.is_tensor(got) and got.shape == (3, 2, 6, 4) or isinstance(got, list | tuple):
            return Wrong("the heads stand before the batch: (batch, heads, length, head).", 2)
        if strange := foreign(got, "the result"):
            return strange
        right = "Head 0 reads the first numbers of every token, head 1 the next ones, and so on."
        verdict = compare(
            got, self.solve(x, heads), self.mistakes(x), what="the result", right=right
        )
        for number in (2, 4):
            other = torch.arange(1.0 * 3 * 6 * number).view(1, 3, 6 * number)
            if isinstance(verdict, Right) and not same(
                split(other, number), self.solve(other, number)
            ):
                return Wrong(f"right for 3 heads, but not for {number}: is a number written in it?",
                             2)  # fmt: skip
        if isinstance(verdict, Right) and slopes(other, 4) != [True]:
            return Wrong(NO_GRADIENT.format("x"), 2)
        return verdict

    @classmethod
    def mistakes(cls, x: Tensor) -> list[tuple]:
        """For x of shape (2, 6, 12), and three heads."""
        want = cls.solve(x, 3)
        return [
            (x.reshape(2, 3, 6, 4),
             "the shape is right and the numbers are scrambled: this `reshape` cuts *across* the "
             "tokens, so that one head gets parts of several. Cut the last dimension, then "
             "transpose.", 1),
            (x.view(2, 6, 3, 4), "cut rightly; now the heads must come before the length.", 2),
            (x.view(2, 6, 4, 3).permute(0, 3, 1, 2),
             "each head gets every third number: give the first head the first `head` numbers.", 2),
            (x.view(2, 6, 3, 4).permute(0, 2, 3, 1),
             "the last two are turned round: (batch, heads, length, head).", 2),
            (x[:, None].expand(2, 3, 6, 12),
             "every head gets the whole vector: it gets its own part, dim / heads numbers.", 1),
            (x.transpose(1, 2).reshape(2, 3, 6, 4),
             "transposed before the cut: cut the last dimension first, then transpose.", 2),
            (x.view(3, 2, 6, 4).transpose(0, 1),
             "this `view` cuts *across* the tokens: cut the last dimension, then transpose.", 1),
            (want.flip(1), "the heads are in reverse order: the first gets the first numbers.", 2),
            (want[:, :1].expand(2, 3, 6, 4), "all heads get the part of the first one.", 1),
        ]  # fmt: skip

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
        weights = with_biases(weights, generator)
        return weights, heads, torch.randn(batch, length, dim, generator=generator)

    def untouched(self, run: Callable[..., Any]) -> bool:
        got, _ = run(self.case())
        return got is None or (torch.is_tensor(got) and not got.any())

    def check(self, run: Callable[..., Any]) -> Right | Wrong:
        case = self.case(1)
        got, _ = run(case)
        if strange := foreign(got, "the result"):
            return strange
        verdict = compare(got, self.solve(*case), self.mistakes(*case), what="the result")
        if not isinstance(verdict, Right):
            return verdict if same(got, run(case)[0]) else Wrong(RANDOM, 1)
        causal = torch.ones(4, 4, dtype=torch.bool).tril()
        mask = causal.clone()
        mask[0, 2], mask[3, 1] = True, False  # not the causal mask alone
        got, lost = run(case, mask)
        weights, heads, x = case
        verdict = compare(got, self.solve(weights, heads, x, mask), [
            (self.solve(*case), "right without a mask; the mask is not passed on.", 3),
            (self.solve(weights, heads, x, mask.mT), "the mask is turned round.", 3),
            (self.solve(weights, heads, x, ~mask),
             "the mask is turned round: True means *may be looked at*.", 3),
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
        return [
            (solve(without(weights, "output")), "the last layer, `output`, is missing.", 3),
            (cls.solve(weights, 1, x), "that is one head as wide as all: split first.", 2),
            (solve(instead(weights, query="key", key="query")),
             "queries and keys have changed places.", 3),
            (solve(instead(weights, value="key")), "keys are mixed: mix the values.", 3),
            (solve(instead(weights, value="query")), "queries are mixed: mix the values.", 3),
            (solve(instead(weights, key="query")), "`query` makes the keys: use `key`.", 3),
            (solve(instead(weights, query="key")), "`key` makes the queries: use `query`.", 3),
            *((solve(without(weights, name)), f"`{name}` is not used.", 3)
              for name in ("value", "query", "key")),
            (solve(without(weights, "query", "key")), "`query` and `key` are not used.", 2),
            (solve(unbiased(weights)),
             "the biases are left out: call the layers, as in `self.value(x)`.", 3),
            (solve(weights) - weights["output.bias"],
             "the bias of `output` is left out: call the layer.", 3),
            *cls.scrambled(weights, heads, x),
            (solve(weights, mask=torch.ones(4, 4).tril().bool()),
             "the future is hidden although no mask was given.", 3),
            (through(through(x, weights, "value"), weights, "output"),
             "no position looks at another: the attention is missing.", 1),
            (x + solve(weights), "x is added: the residual sum comes later, in the block.", 3),
        ]  # fmt: skip

    @classmethod
    def scrambled(cls, weights: dict[str, Tensor], heads: int, x: Tensor) -> list[tuple]:
        """Heads cut, scaled or put together wrongly."""
        solve = partial(cls.solve, heads=heads, x=x)
        every = partial(torch.Tensor.unflatten, dim=-1, sizes=(-1, heads))
        interleaved: dict[str, Any] = {"split": lambda y: every(y).permute(0, 3, 1, 2)}
        scrambled: dict[str, Any] = {"split": lambda y: y.reshape(len(y), heads, y.shape[1], -1)}
        return [
            (solve(weights, scale=x.shape[-1] ** -0.5),
             "divided by the root of the whole width: d is the width of one head.", 3),
            (solve(weights, scale=1.0), "the scores are not divided.", 3),
            (solve(weights, merge=lambda f: f.flatten(1).view(x.shape)),
             "heads and positions are scrambled: `transpose(1, 2)` before `flatten(2)`.", 3),
            (solve(weights, merge=lambda f: f.transpose(1, 2).mT.flatten(2)),
             "the heads' numbers are interleaved: put the heads side by side.", 3),
            (solve(weights, merge=lambda f: f.flip(1).transpose(1, 2).flatten(2)),
             "the heads are put together in reverse order.", 3),
            (solve(weights, merge=lambda f: f[:, :1].expand_as(f).transpose(1, 2).flatten(2)),
             "the first head stands in for all the others.", 2),
            (solve(weights, **scrambled), "the cut goes across the tokens: use `split_heads`.", 2),
            (solve(weights, **scrambled, merge=lambda f: f.reshape(x.shape)),
             "the cut goes across the tokens: use `split_heads`.", 2),
            (solve(weights, **interleaved), "each head gets every n-th number: use `split_heads`.",
             2),
            (solve(weights, **interleaved, merge=lambda f: f.permute(0, 2, 3, 1).flatten(2)),
             "each head gets every n-th number: use `split_heads`.", 2),
            (solve(weights, split=lambda y: y.unflatten(-1, (heads, -1)),
                   merge=lambda f: f.flatten(2)),
             "the heads of one token look at one another: the heads must stand before the length, "
             "as `split_heads` puts them.", 2),
        ]  # fmt: skip

    @staticmethod
    def solve(
        weights: dict[str, Tensor],
        heads: int,
        x: Tensor,
        mask: Tensor | None = None,
        *,
        scale: float | None = None,
        split: Callable[..., Any] | None = None,
        merge: Callable[..., Any] | None = None,
    ) -> Tensor:
        split = split or partial(SplitHeads.solve, heads=heads)
        q, k, v = (split(through(x, weights, name)) for name in ("query", "key", "value"))
        scores = q @ k.mT * (scale or q.shape[-1] ** -0.5)
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        found = scores.softmax(-1) @ v
        merged = merge(found) if merge else found.transpose(1, 2).flatten(2)
        return through(merged, weights, "output")
