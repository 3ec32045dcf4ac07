"""Chapter 00: the question that is answered in words, and the quiz."""

from minibert.course.learn.exercise import Choice, Quiz, Written


class BelowTheFloor(Written):
    id = "00.below"
    title = "Below the floor? (optional)"
    minutes, difficulty, importance, points = 10, 3, 5, 3
    hints = (
        "The floor is a statement about one text, one way of counting, and models that read left "
        "to right. Go through the three.",
    )
    rubric = """
- 1 point: something about the text: test documents seen in training, another text, lower case,
  rare words replaced by `<unk>`, a test set so small that luck decides.
- 1 point: something about the counting: subwords or letters in the denominator, ends of sentence
  left out of the sum, padding counted in, a mean of means.
- 1 point: something about the model: it sees the word that it predicts (no causal mask, a model
  that reads both sides), or its probabilities do not sum to one.
"""


class WhatIsTransferred(Quiz):
    id = "00.q1"
    question = "What does a pre-trained model hand on to the next task?"
    choices = (
        Choice("The labels of its training data.", "It had none: text alone was enough."),
        Choice(
            "Its weights, and so its way of turning text into vectors.",
            "Yes. The next task starts from them instead of from random numbers.",
            right=True,
        ),
        Choice("A list of the sentences that it has read.", "It keeps no text, only weights."),
    )


class FeaturesOrTuning(Quiz):
    id = "00.q2"
    question = "Which of these is *fine-tuning*?"
    choices = (
        Choice(
            "The pre-trained weights stay as they are, and a new model reads its vectors.",
            "That is the feature-based way.",
        ),
        Choice(
            "The pre-trained weights are trained further, together with a small new layer.",
            "Yes. Everything moves, a little.",
            right=True,
        ),
        Choice(
            "The model is trained on the new task from random weights.",
            "That is training from scratch: nothing is transferred.",
        ),
    )


class WhatTheFloorIs(Quiz):
    id = "00.q3"
    question = "A model's loss is 0.3 nats per token above the floor. What could more text bring?"
    choices = (
        Choice(
            "It could lower the loss by 0.3 nats at the very most.",
            "Yes, on average over enough text: the rest is chance that nobody can predict.",
            right=True,
        ),
        Choice(
            "The loss could fall to zero.",
            "Only if nothing in the text were random. The writer draws, and the floor counts that.",
        ),
        Choice(
            "Nothing: the floor says what this model can reach.",
            "The floor belongs to the text, not to the model; a better model comes closer.",
        ),
    )
