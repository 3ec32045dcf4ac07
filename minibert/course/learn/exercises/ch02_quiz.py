"""Chapter 02: the question that is answered in words, and the quiz."""

from minibert.course.learn.exercise import Choice, Quiz, Written


class Layers(Written):
    id = "02.layers"
    title = "Why not simply the top layer?"
    minutes, difficulty, importance, points = 8, 3, 4, 3
    hints = (
        "What must the top layer be good at, whatever the task is that comes later?",
        "Two tasks want two mixes: think of one about grammar and of one about meaning.",
    )
    rubric = """
- 1 point: the top layer is shaped by the language models' own task (predict the next and the
  previous word); what another task needs may be clearer in a lower layer.
- 1 point: the layers hold different things (in the paper: word form and syntax lower, sense
  higher), and a learned mix lets each task choose; names an example of two tasks that differ.
- 1 point: says what the mix costs or how to see that it helps (layers + 1 parameters; compare
  the task's error with the top layer alone, on several seeds), or that it may be little.
"""


class WhyTwoModels(Quiz):
    id = "02.q1"
    question = "Why two LSTMs, and not one that reads the whole sentence before it answers?"
    choices = (
        Choice(
            "A model that has read the whole sentence has seen the word that it should predict.",
            "Yes. The task would be empty: copy the word. BERT's masks are another way out.",
            right=True,
        ),
        Choice(
            "Two small models are faster than a large one.",
            "They cost about the same; speed is not the reason.",
        ),
        Choice(
            "The backward model is needed for languages that are written from right to left.",
            "Both models read every sentence, whatever its script.",
        ),
    )


class WhatDiffers(Quiz):
    id = "02.q2"
    question = "In which layer do two uses of *bat* surely have the same vector?"
    choices = (
        Choice(
            "Layer 0, the output of the character network.",
            "Yes. It sees the letters of the word and nothing else.",
            right=True,
        ),
        Choice(
            "Layer 1, since it is close to the words.",
            "The first LSTM layer has read the neighbours already: its vectors differ.",
        ),
        Choice(
            "None: ELMo has no fixed vectors at all.",
            "Layer 0 depends on the spelling alone, so it is as fixed as a word2vec vector.",
        ),
    )


class WhatIsTrained(Quiz):
    id = "02.q3"
    question = "ELMo is added to a tagger, frozen, at its input. What is learned from the labels?"
    choices = (
        Choice(
            "All weights of ELMo, slowly, and the tagger.",
            "That is fine-tuning, the subject of chapter 03. Here ELMo stays as it is.",
        ),
        Choice(
            "The tagger, and a handful of numbers: the weights of the mix and gamma.",
            "Yes. So the vectors of every sentence can be computed once and kept.",
            right=True,
        ),
        Choice(
            "The tagger alone; the mix is the same for every task.",
            "The mix is learned with the task: that is what lets a task choose its layers.",
        ),
    )
