"""The exercises and the quiz of chapter 04, attention and the Transformer."""

import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Choice, Exercise, Quiz, Right, Written, Wrong


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers, the same at each call."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Attention(Exercise):
    id = "04.attention"
    title = "Scaled dot-product attention"
    minutes, difficulty, importance, points = 12, 2, 5, 4
    hints = (
        "Scores first: every query with every key is one matrix product, `query @ key.T`, of shape "
        "`(length, keys)`. Divide by the square root of the width of a key, `key.shape[-1]`.",
        "The weights of one query must add up to 1 over the *keys*: the last dimension.",
        "What is found is a mixture of the values: `weights @ value`.",
    )
    default = torch.zeros(3, 2)
    example = (torch.ones(3, 4), torch.ones(5, 4), torch.ones(5, 2))

    def check(self, attention: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Right | Wrong:
        query, key = normal(4, 8, seed=1), normal(4, 8, seed=2)
        value = normal(4, 8, seed=3)  # four of each, so that wrong axes do not show as shapes
        want = self.solve(query, key, value)
        scores = query @ key.T
        scaled = scores / math.sqrt(8)
        mistakes = [
            (scores.softmax(-1) @ value, "the scores are not divided by sqrt(d).", 2),
            ((scores / 8).softmax(-1) @ value, "divided by d: divide by its square root.", 3),
            ((scores / 2).softmax(-1) @ value,
             "divided by the root of the number of keys: d is the width of one key.", 3),
            (scaled.softmax(0) @ value,
             "the softmax runs over the queries: the weights of each *query* add up to 1 over the "
             "keys, the last dimension.", 2),
            (scaled @ value, "the softmax is missing.", 1),
            (scaled.softmax(-1) @ key, "that is a mixture of the keys: mix the values.", 2),
            (scaled.softmax(-1), "these are the weights: multiply them with the values.", 2),
            (scaled.T.softmax(-1) @ value, "queries and keys have changed places.", 2),
            (scores.softmax(-1) @ value / math.sqrt(8),
             "the result is divided: the *scores* have to be, before the softmax.", 2),
        ]  # fmt: skip
        verdict = compare(attention(query, key, value), want, mistakes, what="what is found")
        if not isinstance(verdict, Right):
            return verdict
        more = normal(3, 6, seed=4), normal(5, 6, seed=5), normal(5, 2, seed=6)
        by_values = ((more[0] @ more[1].T) / math.sqrt(2)).softmax(-1) @ more[2]
        verdict = compare(attention(*more), self.solve(*more), [
            (by_values, "d is the width of a key, not of a value.", 3),
        ], what="what three queries find in five")  # fmt: skip
        if not isinstance(verdict, Right):
            return Wrong(f"right for four queries, keys and values; but {verdict.message}", 3)
        return Right("Any number of queries, any number of keys: nothing here knows a length.")

    @staticmethod
    def solve(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(length, dim), (keys, dim) and (keys, width) give (length, width)."""
        return (query @ key.T / math.sqrt(key.shape[-1])).softmax(-1) @ value


class Mask(Exercise):
    id = "04.mask"
    title = "Neither padding nor the future"
    minutes, difficulty, importance, points = 10, 2, 5, 3
    hints = (
        "`True`: *may be looked at*. The padding mask is about the keys, `(batch, 1, length)`: "
        "the same for all places that look.",
        "The causal mask is about places alone: place i sees j <= i, `torch.ones(length, length)"
        ".tril().bool()`, the same for all sentences.",
        "Both must allow it: `&`. Broadcasting makes (batch, 1, length) & (length, length) a "
        "(batch, length, length).",
    )
    default = torch.ones(1, 2, 2, dtype=torch.bool)
    example = (torch.tensor([[1, 0]]),)

    def check(self, mask: Callable[[Tensor], Tensor]) -> Right | Wrong:
        attention_mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]])
        real, want = attention_mask.bool(), self.solve(attention_mask)
        tril = torch.ones(4, 4, dtype=torch.bool).tril()
        got = mask(attention_mask)
        mistakes = [
            (~want, "turned round: here True means that a place *may* be looked at.", 2),
            (real[:, None, :].expand(3, 4, 4), "the future can still be seen.", 1),
            (tril.expand(3, 4, 4), "padding can still be looked at.", 1),
            (real[:, None, :] & tril.mT, "this shows the future and hides the past.", 2),
            (real[:, None, :] & ~tril, "this shows the future and hides the past.", 2),
            (real[:, None, :] & tril.tril(-1),
             "a place may see itself: with `tril(-1)` the first place can look nowhere at all.", 2),
            (real[:, :, None] & tril,
             "the padding mask hides rows, so that padding looks nowhere (and a softmax over "
             "nothing is not a number): it is about what is looked *at*, the columns.", 2),
            (real[:, None, :] | tril, "that is `or`: both must allow a look, `&`.", 2),
        ]  # fmt: skip
        if torch.is_tensor(got) and got.dtype != torch.bool and got.shape == want.shape:
            if same(got.float(), want.float()):
                return Wrong("right, but in numbers: a mask is boolean (`.bool()`).", 2)
            if same((got == 0).float(), want.float()):
                return Wrong("right to be added to the scores; here True means *may look*.", 2)
        return compare(got, want, mistakes, what="the mask")

    @staticmethod
    def solve(attention_mask: Tensor) -> Tensor:
        """(batch, length) gives (batch, length, length): True where a token may look."""
        length = attention_mask.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        return attention_mask.bool()[:, None, :] & causal


class SplitHeads(Exercise):
    id = "04.split_heads"
    title = "One vector a head"
    minutes, difficulty, importance, points = 10, 3, 4, 3
    hints = (
        "Cut the last dimension first: `(batch, length, dim)` -> `(batch, length, heads, head)`, "
        "by `reshape` or `unflatten(-1, (heads, -1))`. Head 0 gets the first `head` numbers.",
        "Then change places with `transpose(1, 2)`: attention works on the last two dimensions, so "
        "the heads must stand before the length.",
    )
    default = torch.zeros(2, 2, 3, 2)
    example = (torch.ones(2, 3, 4), 2)

    def check(self, split: Callable[[Tensor, int], Tensor]) -> Right | Wrong:
        x, heads = torch.arange(2.0 * 6 * 12).view(2, 6, 12), 3
        want = x.view(2, 6, 3, 4).transpose(1, 2)
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
        ]  # fmt: skip
        right = "No number has moved in memory: both steps only read it otherwise."
        return compare(split(x.clone(), heads), want, mistakes, what="the result", right=right)


class Sinusoids(Exercise):
    id = "04.sinusoids"
    title = "A clock with many hands"
    minutes, difficulty, importance, points = 12, 3, 3, 3
    hints = (
        "One rate for every pair of columns: `rate = 10000 ** (-torch.arange(0, dim, 2) / dim)`.",
        "Every place times every rate: `torch.arange(length)[:, None] * rate`, "
        "`(length, dim / 2)`.",
        "Even columns are sines, odd ones cosines: `table[:, 0::2] = angle.sin()`.",
    )
    default = torch.zeros(2, 4)
    example = (2, 4)

    def check(self, sinusoids: Callable[[int, int], Tensor]) -> Right | Wrong:
        length, dim = 9, 6
        rate = 10_000 ** (-torch.arange(0, dim, 2) / dim)
        angle = torch.arange(length)[:, None] * rate
        want = self.woven(angle.sin(), angle.cos())
        halved = torch.arange(length)[:, None] * 10_000 ** (-torch.arange(dim // 2) / dim)
        late = torch.arange(1, length + 1)[:, None] * rate
        columns = torch.arange(length)[:, None] * 10_000 ** (-torch.arange(dim) / dim)
        apart = self.woven(columns[:, 0::2].sin(), columns[:, 1::2].cos())
        columns = torch.arange(length)[:, None] * 10_000 ** (-2 * torch.arange(dim) / dim)
        twice = self.woven(columns[:, 0::2].sin(), columns[:, 1::2].cos())
        mistakes = [
            (torch.cat((angle.sin(), angle.cos()), 1),
             "all sines, then all cosines: many libraries do so, and it works as well; the paper "
             "has them in turn.", 2),
            (self.woven(angle.cos(), angle.sin()), "sine and cosine have changed places.", 2),
            (self.woven(halved.sin(), halved.cos()),
             "the exponent is 2i / dim: the rates fall only half as far as they should.", 2),
            (self.woven(late.sin(), late.cos()), "the first place is number 0.", 2),
            (apart, "a sine and its cosine turn at one rate, that of the even column.", 2),
            (twice, "2i is the number of the even column: i counts pairs of columns.", 2),
            (torch.arange(length)[:, None] * 10_000 ** (torch.arange(0, dim, 2) / dim),
             "these are angles, and the rates grow: divide by 10000^(2i / dim).", 1),
            (self.woven((torch.arange(length)[:, None] / rate).sin(),
                        (torch.arange(length)[:, None] / rate).cos()),
             "the rates grow instead of falling: divide by 10000^(2i / dim).", 1),
        ]  # fmt: skip
        right = "The first pair turns once in about 6 places, the last in thousands."
        got = sinusoids(length, dim)
        return compare(got, want, mistakes, tolerance=1e-4, what="the table", right=right)

    @staticmethod
    def woven(even: Tensor, odd: Tensor) -> Tensor:
        """The columns in turn: twice (length, dim / 2) gives (length, dim)."""
        return torch.stack((even, odd), -1).flatten(1)


class FindTheBug(Exercise):
    id = "04.find_the_bug"
    title = "Find the bug: a residual around the wrong stream"
    minutes, difficulty, importance, points = 12, 3, 5, 3
    hints = (
        "With both sublayers at zero, a pre-LN block must give back `x` itself. What does this one "
        "give?",
        "Which `x` is added back: the stream, or its normalised copy?",
        "Never overwrite `x` by its norm: `x = x + self.attend(self.norm_1(x))`.",
    )

    def as_functions(self, block: type[nn.Module]) -> tuple:
        return (partial(self.output, block),)

    @staticmethod
    def output(block: type, layers: tuple, norms: list[tuple], x: Tensor) -> Tensor:
        """What a block gives for ``x`` with these layers, and these weights of its two norms."""
        made = block(x.shape[-1], *layers)
        with torch.no_grad():
            for norm, (weight, bias) in zip((made.norm_1, made.norm_2), norms, strict=True):
                norm.weight.copy_(weight)
                norm.bias.copy_(bias)
        return made(x)

    def untouched(self, output: Callable[..., Tensor]) -> bool:
        made, x = self.made(), normal(2, 3, 8, seed=7)
        return same(output(*self.given(made), x), self.broken(made, x))

    def check(self, output: Callable[..., Tensor]) -> Right | Wrong:
        made, x = self.made(), 3 * normal(2, 3, 8, seed=8) + 1
        first, broken = x + made.attend(made.norm_1(x)), self.first_broken(made, x)
        want = first + made.feed(made.norm_2(first))
        post, n = made.norm_1(x + made.attend(x)), made.norm_2(first)
        mistakes = [
            (n + made.feed(n), "the first half is mended; the second has the same mistake.", 2),
            (broken + made.feed(made.norm_2(broken)),
             "the second half is mended; look at the first, too.", 2),
            (made.norm_2(post + made.feed(post)),
             "a right block, but post-LN: here the norm comes before each sublayer.", 1),
            (x + made.attend(x) + made.feed(x + made.attend(x)), "the norms are gone.", 1),
            (first + made.feed(made.norm_2(x)),
             "the second sublayer must read what the first has added.", 2),
        ]  # fmt: skip
        right = "Now there is a way from the bottom to the top that no norm interrupts."
        got = output(*self.given(made), x)
        return compare(got, want, mistakes, what="the block's output", right=right)

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


class Order(Written):
    id = "04.order"
    title = "Why the causal mask tells order"
    minutes, difficulty, importance, points = 10, 4, 3, 3
    hints = (
        "What is the set of tokens that the third place can look at, with and without the mask?",
        "Suppose the two words of *dog bites* change places. Whose set changes?",
    )
    rubric = """
- 1 point: without mask and positions each place finds a mixture over the same *set* of keys, and a
  sum does not depend on its order; a permuted input gives the same states, permuted.
- 1 point: with the causal mask place i sees only the first i tokens, so that its set, and with it
  what it finds, depends on what stands before: order is in the nested sets.
- 1 point: says a limit or a test: e.g. the first layer still cannot tell the order *within* what it
  sees (the last place sees the same set whichever way), so that more than one layer is needed; or a
  test by permuting the input and comparing the states at the last place.
"""


class WhyRoot(Quiz):
    id = "04.q1"
    question = "Why are the scores divided by the square root of the width of a key?"
    choices = (
        Choice(
            "So that the weights add up to one.",
            "The softmax sees to that, whatever the scores are.",
        ),
        Choice(
            "Because a sum of d products grows like the root of d, and a softmax of large numbers "
            "picks one key and passes hardly any gradient.",
            "Yes. Divided, the scores have the same spread at any width.",
            right=True,
        ),
        Choice("To make the product cheaper to compute.", "It costs one division more."),
    )


class WhyHeads(Quiz):
    id = "04.q2"
    question = (
        "Eight heads of 64 numbers or one head of 512: what do the eight have that the one has not?"
    )
    choices = (
        Choice("More parameters.", "The four matrices are as large in both cases: 512 by 512."),
        Choice(
            "Eight mixtures at once.",
            "Yes. One softmax gives one set of weights; eight can look at a verb and at its "
            "subject at the same time, and keep the two apart.",
            right=True,
        ),
        Choice("A longer reach.", "Any head can look at any place, however far."),
    )


class WhyPre(Quiz):
    id = "04.q3"
    question = "Which of these tells pre-LN from post-LN?"
    choices = (
        Choice(
            "With pre-LN there is a path from the embeddings to the last layer on which only sums "
            "stand.",
            "Yes. The residual stream itself is never normalised, so a gradient comes down whole.",
            right=True,
        ),
        Choice("Pre-LN has fewer LayerNorms.", "It has one more: the last one, after all blocks."),
        Choice(
            "Post-LN has no residual connections.",
            "Both have them; the difference is whether the norm stands on the stream or beside it.",
        ),
    )
