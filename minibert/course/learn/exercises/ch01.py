"""The exercises and the quiz of chapter 01, word2vec, in their order."""

from minibert.course.learn.exercise import Choice, Quiz, Written
from minibert.course.learn.exercises import (
    word2vec_pairs,
    word2vec_training,
    word2vec_training_loop,
    word2vec_vectors,
    word2vec_vectors_tuned,
)

__all__ = [
    "word2vec_pairs",
    "word2vec_training",
    "word2vec_training_loop",
    "word2vec_vectors",
    "word2vec_vectors_tuned",
]


class Homographs(Written):
    id = "01.homographs"
    title = "One vector for two meanings"
    minutes, difficulty, importance, points = 6, 3, 4, 3
    hints = ("What does the loss ask of the one vector at each occurrence of the word?",)
    rubric = """
- 1 point: the vector is trained by all occurrences, so it serves both contexts at once.
- 1 point: the pull of each sense grows with its share: at 9 to 1 the vector lies near the frequent
  sense, and the neighbours of the rare one hardly show.
- 1 point: says how it could be tested (share of senses against the cosine to each sense, beside
  random words), or what a remedy must have: a vector that depends on the sentence.
"""


class WhyVectorsMeet(Quiz):
    id = "01.q1"
    question = "*Puppy* and *kitten* seldom stand in one sentence. Why are their vectors alike?"
    choices = (
        Choice("They share a topic label.", "No label was used: the text is all there is."),
        Choice(
            "They are found among the same words.",
            "Yes. Both must predict the same contexts, and equal jobs make equal vectors.",
            right=True,
        ),
        Choice(
            "Their spelling is similar.",
            "Plain word2vec never looks inside a word; fastText does, later in this chapter.",
        ),
    )


class WhyNegatives(Quiz):
    id = "01.q2"
    question = "What would happen without any negative samples?"
    choices = (
        Choice("Training would be slower.", "It would be faster, and useless."),
        Choice(
            "All vectors would grow in one direction, and every pair would get probability 1.",
            "Yes. Nothing pushes apart, so one direction for everything is a perfect answer.",
            right=True,
        ),
        Choice(
            "Rare words would be lost.",
            "Rare words do depend on the noise, but this fails for every word.",
        ),
    )


class WhyTwoTables(Quiz):
    id = "01.q3"
    question = "Why does each word have two vectors, one as centre and one as context?"
    choices = (
        Choice(
            "A word seldom stands beside itself, but one vector times itself is never negative.",
            "Yes. With one table a word would have to predict itself as its own best neighbour.",
            right=True,
        ),
        Choice(
            "One is for the left context, one for the right.",
            "Skip-gram does not tell left from right; both sides use the same context table.",
        ),
        Choice(
            "One is for training, one for testing.",
            "Both are trained. Afterwards the centre table is the one that people keep.",
        ),
    )
