"""Exercises of chapter 04 on attention itself: the formula, with a mask."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import (
    IN_PLACE,
    NO_GRADIENT,
    RANDOM,
    called,
    foreign,
    normal,
    slopes,
)


class Attention(Exercise):
    id = "04.attention"
    title = "Scaled dot-product attention"
    minutes, difficulty, importance, points = 12, 2, 5, 4
    hints = (
        "Scores first: every query with every key is one matrix product, of shape (..., length, "
        "keys). `key.mT` swaps the last two dimensions and no others.",
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
            return verdict if same(got, attention(*given)) else Wrong(RANDOM, 1)
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
            ((scores + mask).softmax(-1) @ v,
             "the mask is added to the scores as ones and zeros: a hidden score must be -infinity.",
             2),
            (self.solve(q, k, v, mask.mT),
             "the mask is turned round: its rows are queries, its columns keys.", 2),
            (self.solve(q, k, v, torch.ones_like(mask).tril()),
             "this hides the future, whatever the mask says: use the mask that is given.", 2),
            *((scores.masked_fill(~mask, low).softmax(-1) @ v,
               "a hidden score must be -infinity: some weight is left.", 3)
              for low in (-1.0, -5.0, -9.0, -10.0)),
        ]  # fmt: skip
        want = self.solve(q, k, v, mask)
        if same(got, want):
            low = torch.full_like(q, 8.0), -3.5 + 0.1 * k, v, mask  # all scores are about -70
            if not same(attention(*low), self.solve(*low), 1e-4):
                return Wrong("right for small scores; where the others are about -70, some weight "
                             "is left: a hidden score must be -infinity.", 3)  # fmt: skip
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
            ((scores * math.sqrt(8)).softmax(-1) @ value,
             "multiplied by sqrt(d): divide by it.", 3),
            (scaled.exp() @ value,
             "the weights are not divided by their sum: `softmax(-1)` does that.", 2),
            (scaled.sigmoid() @ value,
             "the weights of a query must add up to 1: a softmax, not a sigmoid.", 2),
            ((scaled / scaled.sum(-1, keepdim=True)) @ value,
             "divided by their sum without `exp`, weights can be negative: use a softmax.", 2),
            (scaled.log_softmax(-1) @ value, "these are logarithms: `softmax(-1)`.", 2),
            (scaled.flatten().softmax(0).view_as(scaled) @ value,
             "one softmax over all scores at once: each *query* has its own, `softmax(-1)`.", 2),
            (value.mean(0).expand(len(query), -1),
             "every key gets the same weight: the scores have no influence.", 1),
            (value[-1:].expand(len(query), -1), "that is the last value: mix them all.", 1),
            (Attention.solve(query, key, value, torch.ones_like(scores).bool().tril()),
             "the future is hidden although no mask was given.", 2),
        ]  # fmt: skip

    @staticmethod
    def solve(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        scores = query @ key.mT / math.sqrt(key.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(-1) @ value
