"""An exercise of chapter 04 on the block: find the bug in its residual stream."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import (
    IN_PLACE,
    NO_GRADIENT,
    RANDOM,
    called,
    normal,
    slopes,
)

MASK_LOST = (
    "right without a mask; but a mask that the block is given must go on to `attend`, as in the "
    "first version: `*mask`."
)
WRITTEN_OVER = (
    "the numbers are right, but `+=` writes over what the norm needs for its gradient: write "
    "`x = x + ...`."
)


class FindTheBug(Exercise):
    id = "04.find_the_bug"
    title = "Find the bug: a residual around the wrong stream"
    minutes, difficulty, importance, points = 8, 3, 5, 3
    hints = (
        "With both sublayers at zero, a pre-LN block must give back `x` itself. What does this one "
        "give?",
        "Which `x` is added back: the stream, or its normalised copy?",
        "Never overwrite `x` by its norm: give the norm to the sublayer alone. `*mask` stays.",
    )

    def as_functions(self, block: type[nn.Module]) -> tuple:
        return (partial(self.output, block),)

    @staticmethod
    def output(
        block: type[nn.Module], layers: tuple, norms: list[tuple], x: Tensor
    ) -> tuple[Any, str]:
        """(What a block gives for ``x`` with these layers and norms, what is wrong behind it)."""
        made: Any = block(x.shape[-1], lambda x, mask=None: layers[0](x), layers[1])
        with torch.no_grad():
            for norm, (weight, bias) in zip((made.norm_1, made.norm_2), norms, strict=True):
                norm.weight.copy_(weight)
                norm.bias.copy_(bias)
        got, kept = called(made, x)
        if not kept:
            return got, IN_PLACE
        try:
            reached = slopes(made, x)
        except RuntimeError as error:
            if "inplace operation" in str(error):
                return got, WRITTEN_OVER
            raise
        if reached != [True]:
            return got, NO_GRADIENT.format("the bottom")
        parts = [layer.weight for layer in layers]
        again = made(x.clone().requires_grad_())
        slope = torch.autograd.grad(again.square().sum(), parts, allow_unused=True)
        lost = [name for name, grad in zip(("attend", "feed"), slope, strict=True) if grad is None]
        if lost:
            return got, NO_GRADIENT.format(" and ".join(lost))
        return got, "" if FindTheBug.passes_on(block, layers, x) else MASK_LOST

    @staticmethod
    def passes_on(block: type[nn.Module], layers: tuple, x: Tensor) -> bool:
        """Whether a mask that the block is given reaches its attention."""
        masks: list[Any] = []

        def attend(x, *mask):
            masks.extend(mask)
            return layers[0](x)

        try:
            block(x.shape[-1], attend, layers[1])(x, "a mask")
        except TypeError:
            return False
        return masks == ["a mask"]

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
        if not isinstance(verdict, Right) and not same(got, output(*self.given(made), x)[0]):
            return Wrong(RANDOM, 1)
        return verdict

    def mistakes(self, made: SimpleNamespace, x: Tensor) -> list[tuple]:
        attend, feed, norm_1, norm_2 = made.attend, made.feed, made.norm_1, made.norm_2
        first, broken = x + attend(norm_1(x)), self.first_broken(made, x)
        post, n = norm_1(x + attend(x)), norm_2(first)
        alone, fed, late = attend(norm_1(x)), x + feed(norm_2(x)), x + norm_1(attend(x))
        return [
            (n + feed(n), "the first half is right now; the second has the same mistake.", 2),
            (broken + feed(norm_2(broken)),
             "the second half is right now; look at the first, too.", 2),
            (norm_2(post + feed(post)),
             "a right block, but post-LN: here the norm comes before each sublayer.", 1),
            (late + norm_2(feed(late)),
             "the norms stand behind the sublayers: here each comes before its sublayer.", 1),
            (x + attend(x) + feed(x + attend(x)), "the norms are gone.", 1),
            (first + feed(first), "the second norm is gone.", 2),
            (x + attend(x) + feed(norm_2(x + attend(x))), "the first norm is gone.", 2),
            (first + feed(norm_2(x)),
             "the second sublayer must read what the first has added.", 2),
            (x + feed(n), "what the attention found is lost: the second sum starts from the old x.",
             2),
            (x + feed(norm_2(alone)), "what the attention found never reaches the stream.", 2),
            (first + feed(norm_2(alone)),
             "the second sublayer reads only what the attention found: it must read the stream.",
             2),
            (first + feed(norm_2(norm_1(x))),
             "the second norm gets the output of the first: it must get the stream.", 2),
            (feed(norm_2(alone)), "the residual sums are gone: add x back, twice.", 1),
            (feed(n), "the second residual sum is gone.", 2),
            (alone + feed(norm_2(alone)), "the first residual sum is gone.", 2),
            (first, "the second sublayer, `feed`, is gone.", 1),
            (fed, "the first sublayer, `attend`, is gone.", 1),
            (x, "this gives back x: both sublayers are gone.", 0),
            *self.exchanged(made, x),
            *self.normed_too_often(made, x),
            (x + alone + x + feed(n), "the old x is added twice.", 2),
        ]  # fmt: skip

    @staticmethod
    def exchanged(made: SimpleNamespace, x: Tensor) -> list[tuple]:
        """Sublayers or norms in each other's place."""
        attend, feed, norm_1, norm_2 = made.attend, made.feed, made.norm_1, made.norm_2
        first, other = x + attend(norm_1(x)), x + attend(norm_2(x))
        fed, mixed = x + feed(norm_2(x)), x + feed(norm_1(x))
        order = "the sublayers have changed places: `attend` comes first, then `feed`."
        return [
            (fed + attend(norm_1(fed)), order, 2),
            (mixed + attend(norm_2(mixed)), order, 2),
            (other + feed(norm_1(other)), "the two norms have changed places.", 2),
            (first + feed(norm_1(first)),
             "the first norm is used twice: the second has its own weights.", 2),
            (other + feed(norm_2(other)),
             "the second norm is used twice: the first has its own weights.", 2),
        ]  # fmt: skip

    def normed_too_often(self, made: SimpleNamespace, x: Tensor) -> list[tuple]:
        """Norms on the stream, or without the block's weights."""
        plain, want = partial(F.layer_norm, normalized_shape=x.shape[-1:]), self.solve(made, x)
        between = made.norm_1(x + made.attend(made.norm_1(x)))
        first = x + made.attend(plain(x))
        end = (
            "the stream is normalised at the end of the block: a pre-LN stack does that once, "
            "after the last block."
        )
        return [
            *((norm(want), end, 2) for norm in (made.norm_1, made.norm_2, plain)),
            (between + made.feed(made.norm_2(between)),
             "the stream is normalised between the two halves: only the sublayers get a norm.", 2),
            (first + made.feed(plain(first)),
             "a new norm without learned weights: use `self.norm_1` and `self.norm_2`.", 2),
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
