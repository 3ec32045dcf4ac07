"""An exercise of chapter 04: a reader with one attention, which looks rooms up."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import (
    NO_GRADIENT,
    RANDOM,
    foreign,
    instead,
    made_with,
    through,
    unbiased,
    unreached,
    with_biases,
    without,
)

WORDS, DIGITS = 87, 10  # numbers, names, other words and a blank


class Lookup(Exercise):
    id = "04.lookup"
    title = "A reader that looks things up"
    minutes, difficulty, importance, points = 15, 3, 5, 5
    hints = (
        "The vectors of the text: `self.words(input_ids)` is (batch, positions, 2, dim); add up "
        "the two words of each position, dimension 2.",
        "The question is one query for each example: `self.query(self.words(asked))[:, None]`, of "
        "shape (batch, 1, dim). Keys and values come from the text.",
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
    def case(seed: int = 0, batch: int = 3, positions: int = 4, dim: int = 8) -> tuple:
        """Weights by layer, ids and questions."""
        generator = torch.Generator().manual_seed(seed)
        shapes = {"words": (WORDS, dim), "query": (dim, dim), "key": (dim, dim)}
        shapes |= {"value": (dim, dim), "output": (DIGITS, dim)}
        weights = {
            name: torch.randn(*shape, generator=generator) * 0.7 for name, shape in shapes.items()
        }
        weights = with_biases(weights, generator)
        input_ids = torch.randint(0, WORDS, (batch, positions, 2), generator=generator)
        return weights, input_ids, torch.randint(0, WORDS, (batch,), generator=generator)

    def untouched(self, run: Callable[..., Any]) -> bool:
        got, _ = run(*self.case())
        return got is None or (torch.is_tensor(got) and not got.any())

    def check(self, run: Callable[..., Any]) -> Right | Wrong:
        again = ""
        for case in (self.case(1), self.case(2, 2, 6, 4), self.case(3, 1, 3, 4)):
            verdict = self.tried(run, case)
            if not isinstance(verdict, Right):
                return Wrong(again + verdict.message, verdict.points)
            again = "right for one batch, but not for another size of it: "
        return Right("The question is a query, and every position of the text is one step away.")

    def tried(self, run: Callable[..., Any], case: tuple) -> Right | Wrong:
        """The verdict on one batch."""
        (got, lost), want = run(*case), self.solve(*case)
        if strange := foreign(got, "the logits"):
            return strange
        if torch.is_tensor(got) and got.shape == (want.shape[0], 1, want.shape[1]):
            return Wrong("(batch, 1, numbers): take the only row of what is found.", 3)
        if torch.is_tensor(got) and got.shape == want.shape[1:] != want.shape:
            return Wrong("a batch of one loses its dimension: `[:, 0]`, not `squeeze()`.", 3)
        verdict = compare(got, want, self.mistakes(*case), what="the logits")
        if not isinstance(verdict, Right) and not same(got, run(*case)[0]):
            return Wrong(RANDOM, 1)
        if isinstance(verdict, Right) and lost:
            return Wrong(NO_GRADIENT.format(", ".join(lost)), 2)
        return verdict

    @classmethod
    def mistakes(cls, weights: dict[str, Tensor], input_ids: Tensor, asked: Tensor) -> list[tuple]:
        words = weights["words"]
        x, ask = words[input_ids].sum(2), words[asked][:, None]  # (batch, positions or 1, dim)
        first, second = words[input_ids[:, :, 0]], words[input_ids[:, :, 1]]
        looked = partial(cls.looked, weights)
        want, values = looked(ask, x, x), through(x, weights, "value")
        best = cls.weights(weights, ask, x).argmax(-1, keepdim=True).mT  # (batch, 1, 1)
        hard = values.take_along_dim(best, 1)[:, 0]
        output = partial(through, weights=weights, name="output")
        query = through(ask, weights, "query")[:, 0]
        return [
            (want.softmax(-1), "these are probabilities: the loss wants logits.", 3),
            (want.log_softmax(-1), "these are log-probabilities: the loss wants logits.", 3),
            (want.argmax(-1), "that is the best number: give the logits of all ten.", 2),
            (want.relu(), "logits may be negative: no ReLU at the end.", 3),
            (looked(ask, x / 2, x / 2), "a position's two words are averaged: add them up.", 4),
            *cls.wrong_layers(weights, input_ids, asked),
            (looked(ask, first, first), "only the first word of each position is read.", 2),
            (looked(ask, second, second), "only the second word of each position is read.", 2),
            (looked(ask, first, second),
             "keys from the guests and values from the rooms: that works, too, but here both come "
             "from the sum of the two words.", 3),
            (output(values.mean(1)),
             "the question has no influence: every position gets the same weight.", 1),
            (looked(x.mean(1, keepdim=True), x, x),
             "the query comes from the text: it must come from `asked`.", 2),
            (output(cls.found(weights, x, x, x).mean(1)),
             "the positions ask one another: the only query comes from `asked`.", 2),
            (output(values[:, -1]), "that is the value at the last position, whoever is asked for.",
             1),
            (output(hard), "that takes the best position alone, a choice without a gradient: use "
             "your `attention`.", 2),
            (output(cls.found(weights, ask, x, x)[:, 0] + query),
             "the query is added to what was found: give `output` only what was found.", 3),
            (looked(ask, x, x, scale=1.0),
             "the scores are not divided by sqrt(d): use your `attention`.", 3),
        ]  # fmt: skip

    @classmethod
    def wrong_layers(
        cls, weights: dict[str, Tensor], input_ids: Tensor, asked: Tensor
    ) -> list[tuple]:
        """A layer in place of another, or left out, or without its bias."""
        solve = partial(cls.solve, input_ids=input_ids, asked=asked)
        late = unbiased(weights) | {"output.bias": weights["output.bias"]}
        return [
            (solve(instead(weights, query="key", key="query")),
             "`query` is for the question, `key` for the text.", 3),
            (solve(instead(weights, query="key")),
             "the question goes through `key`: it has a layer of its own, `query`.", 3),
            (solve(instead(weights, key="value", value="key")),
             "keys and values have changed places.", 3),
            (solve(without(weights, "value")), "`value` is not used.", 3),
            (solve(without(weights, "query")), "`query` is not used.", 3),
            (solve(without(weights, "key")), "`key` is not used.", 3),
            (solve(without(weights, "query", "key", "value")),
             "`query`, `key` and `value` are not used.", 2),
            (solve(unbiased(weights)),
             "the biases are left out: call the layers, as in `self.value(x)`.", 3),
            (solve(late), "the biases of `value` and `query` are left out: call the layers.", 3),
            (solve(weights) - weights["output.bias"],
             "the bias of `output` is left out: call the layer.", 3),
        ]  # fmt: skip

    @classmethod
    def solve(cls, weights: dict[str, Tensor], input_ids: Tensor, asked: Tensor) -> Tensor:
        x = weights["words"][input_ids].sum(2)  # (batch, positions, dim)
        return cls.looked(weights, weights["words"][asked][:, None], x, x)

    @classmethod
    def looked(
        cls,
        weights: dict[str, Tensor],
        ask: Tensor,
        keys: Tensor,
        values: Tensor,
        *,
        scale: float | None = None,
    ) -> Tensor:
        """The logits of the first query."""
        return through(cls.found(weights, ask, keys, values, scale=scale)[:, 0], weights, "output")

    @classmethod
    def found(
        cls,
        weights: dict[str, Tensor],
        ask: Tensor,
        keys: Tensor,
        values: Tensor,
        *,
        scale: float | None = None,
    ) -> Tensor:
        """What each query finds: (batch, queries, dim)."""
        return cls.weights(weights, ask, keys, scale) @ through(values, weights, "value")

    @staticmethod
    def weights(
        weights: dict[str, Tensor], ask: Tensor, keys: Tensor, scale: float | None = None
    ) -> Tensor:
        """(batch, queries, positions)."""
        scores = through(ask, weights, "query") @ through(keys, weights, "key").mT
        return (scores * (scale or ask.shape[-1] ** -0.5)).softmax(-1)
