"""The exercises and the quiz of chapter 05, how BERT is pre-trained, in their order."""

from collections.abc import Callable
from functools import partial

from minibert.course.learn.compare import compare
from minibert.course.learn.exercise import Choice, Exercise, Quiz, Right, Written, Wrong
from minibert.course.learn.exercises import (
    bert_cutting,
    bert_input,
    bert_losses,
    bert_training,
    bert_words,
)

__all__ = ["bert_cutting", "bert_input", "bert_losses", "bert_training", "bert_words"]


class Parameters(Exercise):
    id = "05.parameters"
    title = "110 million, counted"
    minutes, difficulty, importance, points = 12, 2, 3, 3
    hints = (
        "Three tables, `(V + positions + 2) * dim`, and one LayerNorm, `2 * dim`.",
        "A block: four linear layers `dim * dim + dim`, the two of the feed-forward network, and "
        "two LayerNorms.",
        "The pooler is one more linear layer, `dim * dim + dim`.",
    )
    default = 0
    example = (30_522, 768, 12, 3072)

    @staticmethod
    def count(
        V: int, dim: int, layers: int, hidden: int, *, positions: int = 512, no: str = "",
        tables: int = 3,
    ) -> int:  # fmt: skip
        b, n = int(no != "biases"), 2 * dim * int(no != "norms")
        rows = V + (positions if tables > 1 else 0) + (2 if tables > 2 else 0)
        square = dim * dim + b * dim
        block = 4 * square + 2 * dim * hidden + b * (hidden + dim) + 2 * n
        return rows * dim + n + layers * block + (square if no != "pooler" else 0)

    def check(self, parameters: Callable[..., int]) -> Right | Wrong:
        base = 30_522, 768, 12, 3072
        want, mistakes = self.count(*base), self.left_out(*base) + self.miscounted(*base)
        told = compare(
            parameters(*base), want, mistakes, tolerance=0.0, what="the number for BERT-base"
        )
        if not isinstance(told, Right):
            return told
        small = 1000, 32, 2, 64
        if parameters(*small) != self.count(*small):
            return Wrong("right for BERT-base, but not for a small one: is a number fixed?", 2)
        if parameters(*small, 128) != self.count(*small, positions=128):
            return Wrong("right for 512 positions, but not for 128: use `positions`.", 2)
        return Right(
            f"{self.count(*base):,}; BERT-large has {self.count(30_522, 1024, 24, 4096):,}."
        )

    def left_out(self, *base: int) -> list:
        """What is given by an answer without some of the parts."""
        less = partial(self.count, *base)
        dim = base[1]
        return [
            (less(no="pooler"), "the pooler is missing: one more linear layer on top.", 2),
            (less(no="biases"), "the biases are missing: a linear layer has one per column.", 1),
            (less(no="norms"), "the LayerNorms are missing: each has a scale and a shift.", 1),
            (less(tables=2), "two vectors are missing: the segment table's two rows, or scale and "
             "shift of the embeddings' LayerNorm.", 2),
            (less(tables=1), "the tables of positions and segments are missing.", 1),
            (less(tables=2) - 2 * dim, "four vectors are missing: the segment table's two rows, "
             "and scale and shift of the embeddings' LayerNorm.", 1),
        ]  # fmt: skip

    def miscounted(self, V: int, dim: int, layers: int, hidden: int) -> list:
        """What other mistakes give."""
        want, tables = self.count(V, dim, layers, hidden), (V + 512 + 2) * dim + 2 * dim
        block = (want - tables - dim * dim - dim) // layers
        return [
            (want - layers * 2 * dim, "a block has two LayerNorms, one after each sublayer.", 2),
            (want - layers * (dim * dim + dim), "attention has four linear layers: query, key, "
             "value and output.", 1),
            (want + layers * (hidden - dim), "the second layer of the feed-forward network has "
             "`dim` biases, one per column of its result.", 2),
            (want - dim, "a LayerNorm has two vectors, a scale and a shift.", 2),
            (want - layers * 4 * dim, "a block's two LayerNorms are missing, or the biases of "
             "query, key, value and output, which are as many.", 2),
            (want - layers * (hidden + dim), "the biases of the feed-forward network are "
             "missing.", 2),
            (want - layers * (dim * hidden + dim), "the feed-forward network has two layers: "
             "`dim` to `hidden`, and back.", 1),
            (want - (layers - 1) * block, "only one block is counted.", 1),
            (want + (layers - 1) * tables, "the tables are counted once a layer: they are there "
             "once.", 1),
            (want - tables, "the three tables are missing.", 1),
            (want + dim * dim + dim, "two poolers are counted.", 2),
            (want + 2 * dim + 2, "the layer for next sentences is counted: it is no part of the "
             "encoder.", 2),
            (want + V * dim + V, "the output layer for masked words is counted, table and "
             "bias.", 2),
            (want + V * dim, "the output layer for masked words is counted: its table is that of "
             "the words.", 2),
            (want + V, "the bias of the softmax is counted: it belongs to the output layer.", 2),
        ]  # fmt: skip


class WhyMask(Written):
    id = "05.why_mask"
    title = "Why not simply the next word?"
    minutes, difficulty, importance, points = 10, 3, 4, 3
    hints = (
        "What would a layer that looks to both sides see, if it had to predict the next word?",
        "A text on which the model is used never contains [MASK].",
    )
    rubric = """
- 1 point: a deep bidirectional network could read the word that it should predict from the
  input (or, over two layers, through another position) and would copy it; so it must be hidden.
- 1 point: the price: only 15 % of the tokens teach something in one pass, so it needs more passes;
  and `[MASK]` is a token that no task will show.
- 1 point: 10 % kept and 10 % random: the model cannot know which words it will be asked for, so it
  must keep a good state for every word, which matters most where states are used as they are.
"""


class WhichLoss(Quiz):
    id = "05.q1"
    question = "128 tokens, 19 of them chosen. How many of them enter the masked-word loss?"
    choices = (
        Choice("128", "An autoencoder would do that. BERT predicts only what was chosen."),
        Choice(
            "19",
            "Yes: the random and the unchanged ones among the chosen count, and nothing else.",
            right=True,
        ),
        Choice("15", "These show [MASK]; the other four chosen have to be predicted, too."),
    )


class WhySegments(Quiz):
    id = "05.q2"
    question = "How does BERT tell the word *river* at position 3 from the same word at position 9?"
    choices = (
        Choice("By its word vector.", "That is the same at both positions."),
        Choice(
            "By the position vector that is added to it.",
            "Yes. Attention itself is blind to order, so the position must be in the vector.",
            right=True,
        ),
        Choice("By the order in which attention reads.", "Attention reads all positions at once."),
    )


class WhatScales(Quiz):
    id = "05.q3"
    question = (
        "Each sequence is twice as long, and the number of tokens stays the same. Which cost grows?"
    )
    choices = (
        Choice(
            "Only attention's share: each token looks at twice as many others.",
            "Yes. Linear layers cost the same per token, scores cost in proportion to the length.",
            right=True,
        ),
        Choice(
            "All of the cost, fourfold.", "Only the part with scores is quadratic in a sequence."
        ),
        Choice("The number of parameters.", "Only the position table has rows for positions."),
    )
