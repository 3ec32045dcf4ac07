"""The exercises and the quiz of chapter 11, more signal."""

# isort: off
from minibert.course.learn.exercise import Choice, Quiz
from minibert.course.learn.exercises.ch11_mixing import Chances, Suspects
from minibert.course.learn.exercises.ch11_consistency import Consistent
from minibert.course.learn.exercises.ch11_distil import Distil
from minibert.course.learn.exercises.ch11_rules import FindTheBug, Rules
# isort: on

__all__ = ["Chances", "Consistent", "Distil", "FindTheBug", "Rules", "Suspects"]


class Longer(Quiz):
    id = "11.q1"
    question = (
        "A model trained on another task first, 300 updates, and then on 50 labels, 100 updates, "
        "beats one that had 100 updates on the 50 labels. What must stand beside it before you say "
        "that the *other task* helped?"
    )
    choices = (
        Choice(
            "The same model after 400 updates on the 50 labels, and one with an unrelated task "
            "first.",
            "Yes. The one shows whether training for longer is enough, the other whether any task "
            "would do.",
            right=True,
        ),
        Choice(
            "The score of the first model on the other task.",
            "It may be excellent there and of no use here.",
        ),
        Choice(
            "Nothing: both had the same 50 labels.",
            "They had the same labels, but not the same number of updates.",
        ),
    )


class Target(Quiz):
    id = "11.q2"
    question = "In consistency training, why does no gradient flow through the target p?"
    choices = (
        Choice(
            "Because the unlabelled text has no label.",
            "That is why there is a target, not why it stands still.",
        ),
        Choice(
            "So that the answer to the changed text moves towards the answer to the plain one, "
            "not both towards each other.",
            "Yes. Otherwise the model may also make its answer to the plain text worse, until "
            "both agree on nothing in particular.",
            right=True,
        ),
        Choice(
            "Because a backward pass through two readings is impossible.",
            "It is possible, and it is a common bug: nothing fails.",
        ),
    )


class Together(Quiz):
    id = "11.q3"
    question = (
        "Three labelling functions always vote alike, because they look at the same word. A label "
        "model learns from agreement alone how often each function is right. What does it believe?"
    )
    choices = (
        Choice(
            "That all three are excellent.",
            "Yes. It takes for granted that functions err independently of each other. Copies "
            "agree perfectly, and that looks like the truth.",
            right=True,
        ),
        Choice(
            "That two of them are of no use.",
            "That would be right, and it cannot know it: agreement is all that it sees.",
        ),
        Choice(
            "Nothing: without a label no accuracy can be estimated.",
            "With three functions or more that err independently, and are right more often than "
            "not, it can.",
        ),
    )


class Student(Quiz):
    id = "11.q4"
    question = (
        "A student distilled from five models on 1,500 unlabelled texts is better than each of "
        "them. What else could explain it?"
    )
    choices = (
        Choice(
            "The unlabelled texts: a student of *one* model that reads the same texts may be "
            "better than its teacher, too.",
            "Yes. So a student of a single teacher belongs beside it.",
            right=True,
        ),
        Choice(
            "The temperature: it adds knowledge.",
            "It adds none: it makes small probabilities count for more.",
        ),
        Choice(
            "The student has more weights.",
            "Here it has as many as each of its teachers.",
        ),
    )
