"""The exercises and the quiz of chapter 10, what to train, how, and when."""

# isort: off
from minibert.course.learn.exercise import Choice, Quiz, Written
from minibert.course.learn.exercises.ch10_adapter import AdapterBlock
from minibert.course.learn.exercises.ch10_lora import LowRank
from minibert.course.learn.exercises.ch10_order import ChainThaw, Frontier
from minibert.course.learn.exercises.ch10_anchor import Anchor, FindTheBug
# isort: on

__all__ = ["AdapterBlock", "Anchor", "ChainThaw", "FindTheBug", "Frontier", "LowRank"]


class Choose(Written):
    id = "10.choice"
    title = "Three customers"
    minutes, difficulty, importance, points = 12, 3, 4, 6
    hints = (
        "For each of the three, ask first: what is scarce? Labels, memory while training, disk "
        "space, time at prediction, or the old ability?",
        "A method that leaves the base at rest forgets nothing when it is taken off.",
    )
    rubric = (
        "Two points for each customer: one for a method that fits what is scarce there, one for "
        "the reason and for the measurement that could prove the choice wrong (a baseline, a "
        "validation score, the loss on the old text). Other methods than those of the model answer "
        "are as good where the reason is."
    )


class Merged(Quiz):
    id = "10.q1"
    question = "A LoRA has been merged into its layer. What holds from now on?"
    choices = (
        Choice(
            "Predictions take as long as before anything was added.",
            "Yes. The sum of both matrices has the shape of the old one, and nothing is left "
            "beside it.",
            right=True,
        ),
        Choice(
            "Merging it once more does no harm.",
            "It would count the change twice. A library has to refuse that.",
        ),
        Choice(
            "The base can serve another task at the same time.",
            "Not any more: its matrix holds this task's change. Unmerge it first.",
        ),
    )


class FirstLook(Quiz):
    id = "10.q2"
    question = (
        "A paper says: *our adapters beat full fine-tuning by two points*. Both were trained at "
        "the learning rate 1e-3. What is the first question?"
    )
    choices = (
        Choice(
            "How many numbers does an adapter have?",
            "Worth knowing, but it does not decide whether the comparison is fair.",
        ),
        Choice(
            "Was the rate chosen for each of the two?",
            "Yes. A few new weights need a far higher rate than all the old ones, so one rate for "
            "both decides the comparison beforehand.",
            right=True,
        ),
        Choice(
            "Was the model large enough?",
            "It may matter, but for both alike.",
        ),
    )


class Pull(Quiz):
    id = "10.q3"
    question = "EWC pulls one weight hard and another one hardly at all. What decides that?"
    choices = (
        Choice(
            "How far the new task moves each of them.",
            "The distance decides how large the penalty is, not how stiff the spring is.",
        ),
        Choice(
            "How large each of them is.",
            "Size plays no role: a small weight may matter much.",
        ),
        Choice(
            "How much the likelihood of single old examples depends on each of them.",
            "Yes: the mean of squared gradients, one example at a time.",
            right=True,
        ),
    )
