"""The exercises and the quiz of chapter 07, GPT, in their order."""

from minibert.course.learn.exercise import Choice, Quiz, Written
from minibert.course.learn.exercises import (
    gpt_fine_tune,
    gpt_pieces,
    gpt_tasks,
    gpt_writing,
    gpt_zero_shot,
)

__all__ = ["gpt_fine_tune", "gpt_pieces", "gpt_tasks", "gpt_writing", "gpt_zero_shot"]


class OneSide(Written):
    id = "07.one_side"
    title = "One side or both? (optional)"
    minutes, difficulty, importance, points = 10, 3, 4, 3
    hints = (
        "How many tokens of a text teach BERT something in one pass, and how many GPT?",
        "Which of the two can you ask for the probability of a sentence, or to go on with it?",
        "Think of a word whose meaning is decided by what comes *after* it.",
    )
    rubric = """
- 1 point: what reading to the left only costs: a word's state does not know what comes after it,
  so for words, spans and pairs the first part is read without the second; hence tricks such as both
  orders for similarity, and the label read at the last token.
- 1 point: what it gives: every token is a target, the text is as it will be used (no [MASK]), and
  the model has a probability for any text, so that it can write and answer without fine-tuning.
- 1 point: a choice for a task of one's own that follows from this (names or spans: both sides;
  writing, scoring, few or no labels: one side).
"""


class WhatIsShifted(Quiz):
    id = "07.q1"
    question = "A text of 10 tokens, no padding: how many targets has GPT's loss, how many BERT's?"
    choices = (
        Choice("9 and 1 or 2.", "Yes: all but the first; BERT is asked for 15 %.", right=True),
        Choice("10 and 10.", "Nothing precedes the first token, and BERT asks where it masks."),
        Choice("1 and 1.", "Not only the last token: under the causal mask each place is a task."),
    )


class WhichLimit(Quiz):
    id = "07.q2"
    question = (
        "After *The capital of France is* the model is nearly sure; after *I saw a* hundreds of "
        "words fit. Which limit lets one word through in the first case and many in the second?"
    )
    choices = (
        Choice("Top-k", "It lets k words through whatever the distribution looks like."),
        Choice("Top-p (nucleus)", "Yes: as few as add up to p, one or hundreds.", right=True),
        Choice("A low temperature", "It sharpens both; nothing is cut off: the tail stays."),
    )


class WhyBothOrders(Quiz):
    id = "07.q3"
    question = "Why does GPT read both orders of two texts for similarity, and BERT does not?"
    choices = (
        Choice(
            "Because GPT's states of the first text know nothing of the second.",
            "Yes: only the later text is read in the light of the other, so each gets its turn.",
            right=True,
        ),
        Choice(
            "Because two passes average out the noise of dropout.",
            "They would do that for entailment, too, and it is read once: there the order matters.",
        ),
        Choice("Because GPT has no segments.", "The delimiter tells where a text ends."),
    )
