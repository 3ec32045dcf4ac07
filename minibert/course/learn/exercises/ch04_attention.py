"""Exercises of chapter 04 on attention itself: the formula, the lookup, the masks."""

import math
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
    called,
    foreign,
    made_with,
    normal,
    slopes,
    unreached,
)

WORDS, DIGITS = 87, 10  # of the lookup: numbers, names, other words and a blank


class Attention(Exercise):
    id = "04.attention"
    title = "Scaled dot-product attention"
    minutes, difficulty, importance, points = 12, 2, 5, 4
    hints = (
        "Scores first: every query with every key is one matrix product, of shape (..., length, "
        "keys). `key.mT` turns round the last two dimensions and no others.",
        "Divide by the square root of the width of a key, `key.shape[-1]`. Where there is a mask, "
        "`scores.masked_fill(~mask, -torch.inf)` hides what must not be seen, before the softmax.",
        "The weights of one query must add up to 1 over the *keys*: the last dimension. What is "
        "found is a mixture of the values.",
    )
    default = torch.zeros(3, 2)
    example = (torch.ones(3, 4), torch.ones(5, 4), torch.ones(5, 2))

    def as_functions(self, attention: Callable[..., Any]) -> tuple:
        return attention, partial(slopes, attention)

    def untouched(self, attention: Callable[..., Any], slopes: Callable[..., Any]) -> bool:
        got = attention(*self.example)
        return got is None or (torch.is_tensor(got) and not got.any())

    def check(self, attention: Callable[..., Any], slopes: Callable[..., Any]) -> Right | Wrong:
        given = [normal(4, 8, seed=n) for n in (1, 2, 3)]  # a wrong axis does not show as a shape
        got, kept = called(attention, *given)
        verdict = compare(got, self.solve(*given), self.mistakes(*given), what="what is found")
        if not kept:
            return Wrong(IN_PLACE, 2)
        if strange := foreign(got, "what is found"):
            return strange
        if not isinstance(verdict, Right):
            return verdict
        more = normal(3, 6, seed=4), normal(5, 6, seed=5), normal(5, 2, seed=6)
        by_values = ((more[0] @ more[1].T) / math.sqrt(2)).softmax(-1) @ more[2]
        verdict = compare(attention(*more), self.solve(*more), [
            (by_values, "d is the width of a key, not of a value.", 3),
        ], what="what three queries find in five")  # fmt: skip
        if not isinstance(verdict, Right):
            return Wrong(f"right for four queries, keys and values; but {verdict.message}", 3)
        return self.masked(attention) or self.batched(attention, slopes, given)

    def masked(self, attention: Callable[..., Any]) -> Right | Wrong | None:
        """What is wrong where there is a mask, or None."""
        q, k, v = (normal(5, 6, seed=n) for n in (7, 8, 9))
        mask = torch.ones(5, 5, dtype=torch.bool).tril()
        mask[3, 1] = mask[4, 0] = False  # no row is hidden as a whole where it is turned round
        got, kept = called(attention, q, k, v, mask)
        scores = q @ k.T / math.sqrt(6)
        mistakes = [
            (scores.softmax(-1) @ v, "right without a mask; the mask is ignored.", 2),
            (scores.masked_fill(mask, -torch.inf).softmax(-1) @ v,
             "the mask is turned round: True means *may be looked at*.", 2),
            ((scores.softmax(-1) * mask) @ v,
             "the weights are set to 0 after the softmax, so they no longer add up to 1: hide the "
             "*scores*, before it.", 2),
            ((scores * mask).softmax(-1) @ v,
             "a hidden score of 0 still gets some weight: it must be -infinity.", 2),
            *((scores.masked_fill(~mask, low).softmax(-1) @ v,
               "a hidden score must be -infinity: some weight is left.", 3)
              for low in (-1.0, -5.0, -9.0, -10.0)),
        ]  # fmt: skip
        want = self.solve(q, k, v, mask)
        if same(got, want):
            return None if kept else Wrong(IN_PLACE, 3)
        if torch.is_tensor(got) and got.shape == want.shape and got.isnan().any():
            return Wrong("NaN: -infinity times False is not a number; use `masked_fill`.", 2)
        return compare(got, want, mistakes, what="with a mask, what is found")

    def batched(
        self, attention: Callable[..., Any], slopes: Callable[..., Any], given: list[Tensor]
    ) -> Right | Wrong:
        """The verdict on a batch with heads, and on gradients."""
        query, key, value = (normal(2, 3, 4, 8, seed=n) for n in (10, 11, 12))
        mask = torch.ones(2, 1, 4, 4, dtype=torch.bool).tril()
        hint = (
            "right for one sentence, but not with a batch and heads in front, (2, 3, 4, 8): use "
            "the *last* two dimensions, `key.mT` and `softmax(-1)`."
        )
        try:
            got = attention(query, key, value, mask)
        except IndexError:
            return Wrong("`scores[~mask] = ...` wants a mask as large as the scores: `masked_fill` "
                         "uses one mask for all heads.", 3)  # fmt: skip
        except Exception as error:
            return Wrong(f"{hint} It raises {type(error).__name__}.", 3)
        if not same(got, self.solve(query, key, value, mask)):
            return Wrong(hint, 3)
        reached = dict(zip(("query", "key", "value"), slopes(*given), strict=True))
        if not all(reached.values()):
            lost = ", ".join(name for name, fine in reached.items() if not fine)
            return Wrong(NO_GRADIENT.format(lost), 2)
        return Right("Any number of queries, any number of keys: nothing here knows a length.")

    @staticmethod
    def mistakes(query: Tensor, key: Tensor, value: Tensor) -> list[tuple]:
        scores = query @ key.T
        scaled = scores / math.sqrt(8)
        return [
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
            (value[scaled.argmax(-1)], "that takes the best value alone, a choice without a "
             "gradient: use a softmax.", 1),
        ]  # fmt: skip

    @staticmethod
    def solve(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        scores = query @ key.mT / math.sqrt(key.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(-1) @ value


class Lookup(Exercise):
    id = "04.lookup"
    title = "A reader that looks things up"
    minutes, difficulty, importance, points = 15, 3, 5, 5
    hints = (
        "The vectors of the places: `self.words(input_ids)` is (batch, places, 2, dim); add up the "
        "two words of a place, dimension 2.",
        "The question is one query for each example: `self.query(self.words(asked))[:, None]`, of "
        "shape (batch, 1, dim). Keys and values come from the places.",
        "`attention(query, key, value)` is (batch, 1, dim). Take its only row, `[:, 0]`, through "
        "`self.output`: no softmax, since the loss wants logits.",
    )

    def as_functions(self, lookup: type[nn.Module]) -> tuple:
        return (partial(self.run, lookup),)

    @staticmethod
    def run(
        lookup: type[nn.Module], weights: dict[str, Tensor], input_ids: Tensor, asked: Tensor
    ) -> tuple[Any, list[str]]:
        """(Logits of the class with these weights, the layers that get no gradient)."""
        made = made_with(lookup(weights["words"].shape[1]), weights)
        got = made(input_ids, asked)
        return got, unreached(made, weights, got)

    @staticmethod
    def case(seed: int = 0, batch: int = 3, places: int = 4, dim: int = 8) -> tuple:
        """Weights by layer, ids and questions."""
        generator = torch.Generator().manual_seed(seed)
        shapes = {"words": (WORDS, dim), "query": (dim, dim), "key": (dim, dim)}
        shapes |= {"value": (dim, dim), "output": (DIGITS, dim)}
        weights = {
            name: torch.randn(*shape, generator=generator) * 0.7 for name, shape in shapes.items()
        }
        input_ids = torch.randint(0, WORDS, (batch, places, 2), generator=generator)
        return weights, input_ids, torch.randint(0, WORDS, (batch,), generator=generator)

    def untouched(self, run: Callable[..., Any]) -> bool:
        got, _ = run(*self.case())
        return got is None or (torch.is_tensor(got) and not got.any())

    def check(self, run: Callable[..., Any]) -> Right | Wrong:
        for number, case in enumerate((self.case(1), self.case(2, batch=2, places=6, dim=4))):
            got, lost = run(*case)
            want = self.solve(*case)
            if torch.is_tensor(got) and got.shape == (want.shape[0], 1, want.shape[1]):
                return Wrong("(batch, 1, numbers): take the only row of what is found.", 3)
            verdict = compare(got, want, self.mistakes(*case), what="the logits")
            if isinstance(verdict, Right) and lost:
                verdict = Wrong(NO_GRADIENT.format(", ".join(lost)), 2)
            if not isinstance(verdict, Right):
                again = "right for one batch, but not for another size of it: " if number else ""
                return Wrong(again + verdict.message, verdict.points)
        return Right("The question is a query, and every place that was read is one step away.")

    @classmethod
    def mistakes(cls, weights: dict[str, Tensor], input_ids: Tensor, asked: Tensor) -> list[tuple]:
        want = cls.solve(weights, input_ids, asked)
        swapped = weights | {"query": weights["key"], "key": weights["query"]}
        solve = partial(cls.solve, input_ids=input_ids, asked=asked)
        identity = torch.eye(weights["query"].shape[0])
        return [
            (want.softmax(-1), "these are probabilities: the loss wants logits.", 3),
            (want.log_softmax(-1), "these are log-probabilities: the loss wants logits.", 3),
            (want.argmax(-1), "that is the best number: give the logits of all ten.", 2),
            (cls.solve(weights, input_ids, asked, share=0.5),
             "the two words of a place are averaged: add them up.", 4),
            (solve(swapped), "`query` is for the question, `key` for the places.", 3),
            (solve(weights | {"value": identity}), "`value` is not used.", 3),
            (solve(weights | {"query": identity}), "`query` is not used.", 3),
            (solve(weights | {"key": identity}), "`key` is not used.", 3),
            (cls.solve(weights, input_ids[:, :, :1], asked),
             "only the first word of each place is read.", 2),
            (cls.solve(weights, input_ids, asked, even=True),
             "the question has no influence: every place gets the same weight.", 1),
            (cls.solve(weights, input_ids, asked, scale=1.0),
             "the scores are not divided by sqrt(d): use your `attention`.", 3),
        ]  # fmt: skip

    @staticmethod
    def solve(
        weights: dict[str, Tensor],
        input_ids: Tensor,
        asked: Tensor,
        *,
        share: float = 1.0,
        even: bool = False,
        scale: float | None = None,
    ) -> Tensor:
        x = share * weights["words"][input_ids].sum(2)  # (batch, places, dim)
        q = weights["words"][asked][:, None] @ weights["query"].T
        scores = q @ (x @ weights["key"].T).mT
        scores = scores * (scale or x.shape[-1] ** -0.5) * (0.0 if even else 1.0)
        return ((scores.softmax(-1) @ (x @ weights["value"].T))[:, 0]) @ weights["output"].T


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
        real, want = attention_mask.bool(), self.solve(attention_mask)
        tril = torch.ones(4, 4, dtype=torch.bool).tril()
        got, kept = called(mask, attention_mask)
        if not kept:
            return Wrong(IN_PLACE, 2)
        mistakes = [
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
            (real[:, :, None] & real[:, None, :] & tril,
             "the rows of padding are hidden, too, and a softmax over nothing is not a number: "
             "hide columns alone.", 2),
        ]  # fmt: skip
        if torch.is_tensor(got) and got.dtype != torch.bool and got.shape == want.shape:
            if same(got.float(), want.float()):
                return Wrong("right, but in numbers: a mask is boolean (`.bool()`).", 2)
            if same((got == 0).float(), want.float()):
                return Wrong("right to be added to the scores; here True means *may look*.", 2)
        verdict = compare(got, want, mistakes, what="the mask")
        other = torch.tensor([[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0]])
        if isinstance(verdict, Right) and not same(mask(other), self.solve(other)):
            return Wrong("right for four tokens, but not for six: is a 4 written in it?", 2)
        return verdict

    @staticmethod
    def solve(attention_mask: Tensor) -> Tensor:
        length = attention_mask.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        return attention_mask.bool()[:, None, :] & causal
