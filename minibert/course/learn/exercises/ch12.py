"""The exercises and the quiz of chapter 12, answering and talking, in their order."""

# isort: off
from minibert.course.learn.exercise import Choice, Quiz
from minibert.course.learn.exercises.ch12_reading import FindTheBug, ReadLong
from minibert.course.learn.exercises.ch12_talking import Hits, Layout
from minibert.course.learn.exercises.ch12_structure import Biaffine, Cross
# isort: on

__all__ = ["Biaffine", "Cross", "FindTheBug", "Hits", "Layout", "ReadLong"]


class WhichNull(Quiz):
    id = "12.q1"
    question = (
        "A document has ten windows, and its answer is in one of them. Each window gives a score "
        'to "no answer". Which of the ten is compared with the best span?'
    )
    choices = (
        Choice("The highest.", "Nine windows have no answer, and are right to say so loudly. The "
               "highest score would nearly always silence the tenth."),
        Choice("The lowest.", "The window with the answer should think little of \"no answer\". "
               "If even the lowest score is high, no window has found anything.", right=True),
        Choice("That of the first window.", "Where the answer is not in the first window, this "
               "says nothing on it."),
        Choice("Their mean.", "Nine windows without an answer would outvote the one that has "
               "it."),
    )  # fmt: skip


class WhyMasked(Quiz):
    id = "12.q2"
    question = (
        "Two candidates for a reply are read, a right one and a wrong one. Why does the language "
        "model learn from the right one alone?"
    )
    choices = (
        Choice("The wrong one is longer.", "Its length does not matter."),
        Choice("It would learn to say wrong things: replies that do not fit this persona and "
               "history.", "The second head needs both, the language model only what should be "
               "said. Its labels at the wrong one are -100.", right=True),
        Choice("The wrong one has no `<eos>`.", "It has: the second head reads its state there."),
        Choice("It saves time.", "Both are read in any case."),
    )  # fmt: skip


class WhichMask(Quiz):
    id = "12.q3"
    question = "Which attention of an encoder-decoder may not look at later positions?"
    choices = (
        Choice("The encoder's attention to itself.", "The text to be read is there as a whole; "
               "its words may look both ways."),
        Choice("The decoder's attention to itself.", "What is written later is what has to be "
               "predicted.", right=True),
        Choice("The decoder's attention to the encoder.", "All of the source has been read before "
               "the first word is written. Only padding is hidden."),
    )  # fmt: skip
