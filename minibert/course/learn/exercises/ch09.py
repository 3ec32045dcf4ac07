"""The exercises and the quiz of chapter 09, probing."""

# isort: off
from minibert.course.learn.exercise import Choice, Quiz, Written
from minibert.course.learn.exercises.ch09_control import Control
from minibert.course.learn.exercises.ch09_pairs import FindTheBug, Pairs
from minibert.course.learn.exercises.ch09_probe import LinearProbe
from minibert.course.learn.exercises.ch09_tree_probe import TreeProbe
from minibert.course.learn.exercises.ch09_trees import Erase, TreeLoss
# isort: on

__all__ = ["Claim", "Control", "Erase", "FindTheBug", "LinearProbe", "Pairs", "TreeLoss",
           "TreeProbe"]  # fmt: skip


class Claim(Written):
    id = "09.claim"
    title = "What may they claim? (optional)"
    minutes, difficulty, importance, points = 10, 3, 5, 3
    hints = (
        "Which cheaper answers could reach 94 % as well? Count them: of the labels, of the word, "
        "of the network's shape, of the probe itself.",
        "*Can be read off* and *is used* are two claims. Which experiment speaks for the second?",
    )
    rubric = """
- 1 point: asks for baselines that could explain the score: majority, each word's usual label,
  static vectors, random weights of the same shape (two of them are enough).
- 1 point: sees that a probe with 1,000 hidden units can learn much by itself, and asks for a
  control task with its selectivity, a linear probe, or a description length; several seeds.
- 1 point: says that a probe does not show use, and names an experiment that would: erase or change
  the property in the states, watch the model's own predictions, beside a random change as large.
"""


class WhyControl(Quiz):
    id = "09.q1"
    question = (
        "A probe has 90 % on parts of speech and 88 % on its control task. What does that say?"
    )
    choices = (
        Choice(
            "The states hold parts of speech very well.",
            "Perhaps, but this does not show it: the probe does nearly as well on labels that mean "
            "nothing.",
        ),
        Choice(
            "The probe can learn labels of words by heart, so its 90 % say little about the "
            "states.",
            "Selectivity is 2 points. A weaker probe, fewer rows or words that training has "
            "not seen would tell more.",
            right=True,
        ),
        Choice(
            "The control labels were drawn wrongly: they should be at chance.",
            "A label for each word form can be learned by heart, and a probe with enough rows "
            "does. That is what the control task is there to show.",
        ),
    )


class WhyRandom(Quiz):
    id = "09.q2"
    question = (
        "Why does a probe on a network with *random* weights get far more right than always the "
        "same label?"
    )
    choices = (
        Choice(
            "The network has been trained a little by the probe.",
            "The network stays as it is; only the probe learns.",
        ),
        Choice(
            "Random layers still pass on which word it is, and a probe learns the word's usual "
            "label from that.",
            "So a score has to be compared with random weights, not with chance.",
            right=True,
        ),
        Choice(
            "Random weights hold some grammar.",
            "They hold none. Shapes and words are all that there is.",
        ),
    )


class WhyErase(Quiz):
    id = "09.q3"
    question = (
        "A property can be read off a layer with 99 %. Erasing it there does not change what the "
        "model predicts. What follows?"
    )
    choices = (
        Choice(
            "The probe was wrong.",
            "The property can be read off. That is all that a probe says.",
        ),
        Choice(
            "The property is there, but the model does not need it at this place for these "
            "predictions.",
            "It may be a trace of something else, or be used in another place.",
            right=True,
        ),
        Choice(
            "The model does not know the property.",
            "It may use it elsewhere, or for other predictions: you changed one place.",
        ),
    )
