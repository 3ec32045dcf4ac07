"""The exercises and the quiz of chapter 08, seeing."""

# isort: off
from minibert.course.learn.exercise import Choice, Quiz
from minibert.course.learn.exercises.ch08_maps import Gradient, Units
from minibert.course.learn.exercises.ch08_heads import Hits
from minibert.course.learn.exercises.ch08_cut import FindTheBug
from minibert.course.learn.exercises.ch08_patch import Patch
# isort: on

__all__ = ["FindTheBug", "Gradient", "Hits", "Patch", "Units"]


class Clumps(Quiz):
    id = "08.q1"
    question = (
        "A t-SNE map at perplexity 3 shows eight neat clumps. What tells best whether they are "
        "groups of the data?"
    )
    choices = (
        Choice("How far apart they lie.", "t-SNE does not keep distances between clumps."),
        Choice(
            "The same map of noise, and a number computed in the full space.",
            "Yes. Noise makes clumps at a low perplexity, too; what a map cannot tell, a number "
            "without a map can.",
            right=True,
        ),
        Choice(
            "Whether another run with the same settings and seed shows them.",
            "The same seed gives the same map, true or not.",
        ),
    )


class Use(Quiz):
    id = "08.q2"
    question = "A unit tells the sentiment of a text in 95 % of the cases. What do we know?"
    choices = (
        Choice(
            "The model uses it to decide what comes next.",
            "Perhaps. To know, set it, see what changes, and set another unit in the same way.",
        ),
        Choice(
            "The state holds the sentiment in a form that is easy to read.",
            "Yes, and no more: whether the model reads it is another question.",
            right=True,
        ),
        Choice(
            "The other units do not hold it.",
            "They may hold it as well, each or together: a probe with one input does not see them.",
        ),
    )


class Determiners(Quiz):
    id = "08.q3"
    question = (
        "An attention head gives its largest weight to the syntactic head of 78 % of all "
        "determiners. Does it follow grammar?"
    )
    choices = (
        Choice("Yes, 78 % is far more than chance.", "Chance is the wrong rival here."),
        Choice(
            "Not shown: the next word is the head of a determiner about as often.",
            "Yes. A head that looks at the next word, whatever it is, gets the same share.",
            right=True,
        ),
        Choice(
            "No, a head that follows grammar would have 100 %.",
            "A head may follow a relation most of the time; the question is what else explains it.",
        ),
    )
