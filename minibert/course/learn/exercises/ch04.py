"""The exercises and the quiz of chapter 04, attention and the Transformer."""

# isort: off
from minibert.course.learn.exercise import Choice, Quiz
from minibert.course.learn.exercises.ch04_attention import Attention
from minibert.course.learn.exercises.ch04_lookup import Lookup
from minibert.course.learn.exercises.ch04_heads import Mask, MultiHead, SplitHeads
from minibert.course.learn.exercises.ch04_order import LookBack, Order, Sinusoids
from minibert.course.learn.exercises.ch04_block import FindTheBug
from minibert.course.learn.exercises.ch04_reader import Reader
from minibert.course.learn.exercises.ch04_greedy import Greedy
# isort: on

__all__ = ["Attention", "FindTheBug", "Greedy", "LookBack", "Lookup", "Mask", "MultiHead", "Order",
           "Reader", "Sinusoids", "SplitHeads"]  # fmt: skip


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
        "Eight heads of 64 numbers or one head of 512: what do the eight have that the one lacks?"
    )
    choices = (
        Choice("More parameters.", "The four matrices are as large in both cases: 512 by 512."),
        Choice(
            "Eight mixtures at once.",
            "Yes. One softmax gives one set of weights; eight can look at a verb and at its "
            "subject at the same time, and keep the two apart.",
            right=True,
        ),
        Choice("A longer reach.", "Any head can look at any position, however far."),
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
