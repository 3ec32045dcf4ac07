"""The exercises and the quiz of chapter 06, BERT: fine-tuning, in their order."""

# isort: off
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Choice, Quiz, Right, Written, Wrong
from minibert.course.learn.exercises.kept import CHANGED
from minibert.course.learn.exercises.bert_losses import DETACHED
from minibert.course.learn.exercises.ch06_rate import Rate
from minibert.course.learn.exercises.ch06_train import FineTune
from minibert.course.learn.exercises.ch06_words import Align, Names, Pair, Watched, watched
from minibert.course.learn.exercises.ch06_spans import BestSpan, SpanLoss
from minibert.course.learn.exercises.ch06_none import NoAnswer
from minibert.course.learn.exercises.ch06_score import Score
# isort: on

__all__ = ["Align", "BestSpan", "FineTune", "Names", "NoAnswer", "Pair", "Rate", "Score",
           "SpanLoss"]  # fmt: skip


class FindTheBug(Watched):
    id = "06.find_the_bug"
    title = "Find the bug: the verdict that depends on the neighbours"
    minutes, difficulty, importance, points = 12, 3, 5, 3
    hints = (
        "Ask for the same text twice: alone, and in a batch with a longer one. What differs?",
        "The shorter text is padded. Which of the vectors in the mean are no words?",
        "A mean is a sum divided by a count. Which of them does padding spoil? (`mask[..., None]` "
        "has the shape (batch, length, 1).)",
    )

    def as_functions(self, answer: Any) -> tuple:
        return (partial(self.seen, answer),)

    @staticmethod
    def seen(answer: Any, hidden: Tensor, mask: Tensor, weight: Tensor) -> dict[str, Any]:
        """The logits, whether an argument was changed, and whether `weight` can learn."""
        logits, changed = watched(answer, hidden.clone(), mask, weight.clone().requires_grad_())
        learns = torch.is_tensor(logits) and logits.requires_grad
        if learns and not changed:  # and what lies below can learn, too
            below = hidden.clone().requires_grad_()
            learns = answer(1 * below, mask.clone(), weight.clone()).requires_grad
        return {"loss": logits.detach() if torch.is_tensor(logits) else logits,
                "changed": changed, "learns": learns}  # fmt: skip

    def untouched(self, classify: Any) -> bool:
        hidden, mask, weight = self.parts()
        got = classify(hidden, mask, weight)["loss"]
        return got is None or same(got, hidden.mean(1) @ weight)

    def check(self, classify: Any) -> Right | Wrong:
        for seed in (12, 13):
            hidden, mask, weight = self.parts(seed)
            found = classify(hidden.clone(), mask.clone(), weight.clone())
            if found["changed"]:
                return Wrong(CHANGED, 2)
            real = mask[..., None].float()
            want = (hidden * real).sum(1) / real.sum(1) @ weight
            told = compare(found["loss"], want, self.mistakes(hidden, real, weight),
                           what="the logits")  # fmt: skip
            if not isinstance(told, Right):
                return told
            if not found["learns"]:
                return Wrong(DETACHED, 2)
        return Right("A test that would have found it: a text must get the same logits alone and "
                     "in a batch.")  # fmt: skip

    @staticmethod
    def mistakes(hidden: Tensor, real: Tensor, weight: Tensor) -> list[tuple]:
        """What known mistakes give."""
        total, count = (hidden * real).sum(1), real.sum(1)
        shortest, largest = int(count.min()), hidden.masked_fill(real == 0, -torch.inf).amax(1)
        return [
            (hidden.mean(1) @ weight, "still the same: padding is in the mean.", 0),
            ((hidden * real).mean(1) @ weight, "the padding is zero now, but it is still "
             "counted: divide by the real tokens.", 2),
            (total @ weight,
             "that is the sum: long texts shout. Divide by the real tokens.", 2),
            (total / real.sum() @ weight,
             "divided by the real tokens of all texts: each text has its own number.", 2),
            (total / len(hidden) @ weight,
             "divided by the number of texts: divide by the real tokens of each.", 2),
            (hidden.sum(1) / count @ weight,
             "divided by the real tokens, but the padding is in the sum.", 1),
            ((total - hidden[:, 0]) / (count - 1).clamp(min=1) @ weight,
             "[CLS] is left out: the mean is over all real tokens.", 2),
            (hidden[:, 0] @ weight,
             "that is [CLS] alone, another model; a mean was asked for.", 1),
            (hidden[:, :shortest].mean(1) @ weight, "only as many tokens are read as the "
             "shortest text has: each text has its own number.", 1),
            (hidden[torch.arange(4), count[:, 0].long() - 1] @ weight,
             "that is the last real token alone; a mean was asked for.", 1),
            (total / count.mean() @ weight,
             "divided by the mean number of tokens: each text has its own number.", 2),
            (total / (count + 1) @ weight, "divided by one token more than there are.", 2),
            ((total / count @ weight).softmax(-1),
             "these are probabilities: the logits were asked for, without a softmax.", 2),
            ((total / count @ weight).log_softmax(-1),
             "these are log-probabilities: the logits were asked for, without a softmax.", 2),
            ((hidden * (1 - real)).sum(1) / (1 - real).sum(1).clamp(min=1) @ weight,
             "the mask is turned round: 1 stands for a real token.", 1),
            (hidden[:, -1] @ weight,
             "that is the last position alone, often padding; a mean was asked for.", 1),
            (largest @ weight, "that is the maximum, another model; a mean was asked for.", 1),
            (total / count.sqrt() @ weight, "divided by the square root of the number.", 2),
            (total / count, "the vectors are right; multiply them by `weight`.", 2),
        ]  # fmt: skip

    @staticmethod
    def parts(seed: int = 12) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        hidden = torch.randn(4, 6, 8, generator=generator)  # (batch, length, dim)
        mask = torch.arange(6) < torch.tensor([6, 3, 2, 4])[:, None]
        return hidden, mask.long(), torch.randn(8, 3, generator=generator)


class Luck(Written):
    id = "06.luck"
    title = "A table that you do not believe"
    minutes, difficulty, importance, points = 10, 3, 5, 3
    hints = (
        "What differs between two runs of one program with two seeds?",
        "The paper says that it restarted several times on small data sets, and took the best on "
        "the development set. What does that do to a comparison?",
    )
    rubric = """
- 1 point: names what a seed changes (first weights of the new layer, order of the data, dropout;
  perhaps the examples drawn), and that on small data the results spread widely or runs fail.
- 1 point: says that one run each, or the best of several against one run, proves nothing; the best
  of k grows with k, so both sides need the same number of tries, chosen on valid, told as such.
- 1 point: proposes what to ask for: several seeds on both sides, mean with spread (or the whole
  distribution), paired where possible, the test looked at once.
"""


class WhichWeights(Quiz):
    id = "06.q1"
    question = "Which weights change when BERT is fine-tuned on a task as in the paper?"
    choices = (
        Choice(
            "Those of the new layer only.",
            "That is the feature-based way, as ELMo's: the model below stays as it is.",
        ),
        Choice(
            "All of them: the new layer's and every one of the model.",
            "Yes, at a low rate and for a few passes. Each task gets its own copy of the model.",
            right=True,
        ),
        Choice(
            "Those of the last block and the new layer.",
            "One could (chapter 03 froze layers); the paper trains everything.",
        ),
    )


class WhyNotTest(Quiz):
    id = "06.q2"
    question = (
        "The threshold for “no answer” is tuned on validation questions. Why not on the test?"
    )
    choices = (
        Choice(
            "It would give the same threshold anyway.",
            "Not quite, and the difference always flatters.",
        ),
        Choice(
            "Because the test would then have taken part in making the system, and its score would "
            "be too good.",
            "Yes. Whatever is chosen by looking at a set is fitted to it, be it a single number.",
            right=True,
        ),
        Choice(
            "Because the test has too few questions.",
            "It would be wrong with a million questions, though by less.",
        ),
    )


class SpanScore(Quiz):
    id = "06.q3"
    question = (
        "A span extractor gives each token two scores. How many new weights does it have on a "
        "model of width 768?"
    )
    choices = (
        Choice(
            "About 1,500, whatever the length of the paragraph.",
            "Yes: two vectors of 768 numbers (and two biases), used at every position.",
            right=True,
        ),
        Choice(
            "1,536 for every token of the paragraph.",
            "The same two vectors are used at all positions, as a filter is.",
        ),
        Choice(
            "About 590,000: a matrix of 768 x 768.",
            "A bilinear score of pairs would have that many; the sum of two scores needs less.",
        ),
    )
