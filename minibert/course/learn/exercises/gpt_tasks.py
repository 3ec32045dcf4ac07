"""Chapter 07: the losses of GPT, and a task as a text."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Right, Wrong
from minibert.course.learn.exercises.bert_losses import DETACHED, Trained
from minibert.course.learn.exercises.gpt_pieces import Watched
from minibert.course.learn.exercises.kept import CHANGED


class NextToken(Trained):
    id = "07.lm_loss"
    title = "The loss of the next token"
    minutes, difficulty, importance, points = 8, 2, 5, 3
    hints = (
        "The logits at place t are about the token at place t + 1: which place of the logits has "
        "no target, and which of the ids is no target?",
        "What is padding is no target: the mask has to be shifted as the ids are.",
        "A boolean tensor (batch, length - 1) picks the rows of both, and `F.cross_entropy` takes "
        "the mean over them.",
    )

    @staticmethod
    def case() -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(7)
        logits = torch.randn(3, 6, 11, generator=generator)
        ids = torch.randint(1, 11, (3, 6), generator=generator)
        mask = (torch.arange(6) < torch.tensor([6, 4, 2])[:, None]).long()
        ids[0, 2] = 0  # a token like any other
        return logits, ids.masked_fill(mask == 0, 0), mask

    def untouched(self, seen: Any) -> bool:
        value = seen(*self.case())["loss"]
        number = torch.is_tensor(value) or isinstance(value, float)
        return value is None or value is Ellipsis or (number and same(value, 0.0))

    def check(self, seen: Any) -> Right | Wrong:
        logits, ids, mask = self.case()
        shorter = mask.clone()
        shorter[0, 4:] = 0
        for case in ((logits, ids, mask), (logits[:2], ids[:2], shorter[:2])):
            found = seen(*case)
            if found["changed"]:
                return Wrong(CHANGED, 1)
            if isinstance(found["loss"], tuple | list):
                return Wrong("expected the mean loss alone, a tensor.", 2)
            want, mistakes = self.values(*case)
            told = compare(found["loss"], want, mistakes, what="the loss")
            if not isinstance(told, Right):
                return told
            if not found["gradients"][0]:
                return Wrong(DETACHED, 1)
        return Right("One pass gives the loss of all places: under the mask, each is a question.")

    @staticmethod
    def values(logits: Tensor, ids: Tensor, mask: Tensor) -> tuple[Tensor, list]:
        """The right loss, and what known mistakes give."""
        wanted = mask[:, 1:].bool()
        each = F.cross_entropy(logits[:, :-1][wanted], ids[:, 1:][wanted], reduction="none")
        all_places = logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
        real, early, no_zero = mask.bool(), mask[:, :-1].bool(), ids[:, 1:] != 0
        rows = wanted.nonzero()[:, 0]
        texts = torch.stack([each[rows == row].mean() for row in range(len(ids))])
        return each.mean(), [
            (F.cross_entropy(logits[real], ids[real]),
             "nothing is shifted: each place is asked for the token that it sees.", 1),
            (F.cross_entropy(logits[:, 1:][wanted], ids[:, :-1][wanted]),
             "shifted the wrong way: each place is asked for the token *before* it.", 1),
            (F.cross_entropy(*all_places), "padding is among the targets: use the mask.", 1),
            (F.cross_entropy(logits[:, :-1][early], ids[:, 1:][early]),
             "the mask must be shifted with the targets: where a text ends, padding is asked for.",
             2),
            (F.cross_entropy(logits[:, :-1][no_zero], ids[:, 1:][no_zero]),
             "token 0 is left out wherever it stands: the mask says what is padding.", 2),
            (F.cross_entropy((logits * mask[..., None])[:, :-1].mT, ids[:, 1:]),
             "logits of zero still cost something: leave padding out of the mean.", 2),
            (F.cross_entropy(logits[:, -2], ids[:, -1]),
             "only the last place is asked: every token but the first is a target.", 1),
            (texts.mean(), "a mean for each text, then their mean: all tokens count alike.", 2),
            (each.sum(), "the sum: divide by the number of targets.", 2),
            (each.sum() / len(ids), "divided by the number of texts: the targets count.", 2),
            (each.sum() / wanted.numel(), "divided by all places: padding is no target.", 2),
            (each.sum() / mask.sum(), "divided by all tokens: the first is no target.", 2),
            (F.cross_entropy(logits[:, :-1][wanted].softmax(-1), ids[:, 1:][wanted]),
             "`F.cross_entropy` wants logits, and takes the softmax itself.", 2),
            (F.nll_loss(logits[:, :-1][wanted], ids[:, 1:][wanted]),
             "these are logits, not log-probabilities: `F.cross_entropy` takes their softmax.", 2),
            *((F.nll_loss(logits[:, :-1].log_softmax(axis)[wanted], ids[:, 1:][wanted]),
               "the softmax goes over the vocabulary, the last axis.", 1) for axis in (0, 1)),
            (each.mean() / math.log(2), "these are bits: nats are asked for.", 2),
            (each.mean().exp(), "that is the perplexity: the loss is its logarithm.", 2),
        ]  # fmt: skip


class Choices(Watched):
    id = "07.choices"
    title = "A question with several answers (optional)"
    minutes, difficulty, importance, points = 5, 2, 4, 3
    hints = (
        "One sequence for each answer, so a list of lists.",
        "Look at the last row of the figure above: what stands first, between, and last?",
        "A star unpacks a list within a list: `[1, *[2, 3]]` is `[1, 2, 3]`.",
    )

    def untouched(self, seen: Any) -> bool:
        return seen([1], [[2], [3]], 7, 8, 9)["value"] in (None, Ellipsis, [])

    def check(self, seen: Any) -> Right | Wrong:
        context, answers, marks = [11, 12, 13], [[21, 22], [31], [41, 42, 43]], (7, 8, 9)
        found = seen(list(context), [list(answer) for answer in answers], *marks)
        got = found["value"]
        if not isinstance(got, list | tuple) or not all(isinstance(r, list | tuple) for r in got):
            return Wrong("expected a list with one list of ids for each answer.")
        if any(isinstance(i, list | tuple) for row in got for i in row):
            return Wrong("a list stands within a sequence: unpack it with a star.", 1)
        told = compare([list(row) for row in got], *self.values(context, answers, *marks),
                       what="the list of sequences")  # fmt: skip
        if not isinstance(told, Right):
            return told
        if found["changed"]:
            return Wrong(CHANGED, 2)
        other = seen([5], [[6, 6]], 1, 2, 3)["value"]
        if [list(row) for row in other] != [[1, 5, 2, 6, 6, 3]]:
            return Wrong("right for three answers, but not for one with other marks.", 2)
        context, answers = [15, 11, 14, 12], [[9, 8, 9], [4]]
        other = seen(context, answers, 1, 2, 3)["value"]
        if [list(row) for row in other] != [[1, *context, 2, *answer, 3] for answer in answers]:
            return Wrong("context and answers stand as they are, whole and in their order: not "
                         "cut, not sorted.", 2)  # fmt: skip
        return Right("Each is read apart and gets one number; the softmax is over these numbers.")

    @staticmethod
    def values(context: list, answers: list, *marks: int) -> tuple[list, list]:
        start, delimiter, extract = marks
        want = [[start, *context, delimiter, *answer, extract] for answer in answers]
        flat = [start, *context]
        for answer in answers:
            flat += [delimiter, *answer]
        growing = [[start, *context, *sum(([delimiter, *a] for a in answers[: i + 1]), []), extract]
                   for i in range(len(answers))]  # fmt: skip
        return want, [
            ([[*flat, extract]], "one sequence with all answers: each answer gets its own.", 1),
            (growing, "the earlier answers are still there: begin each sequence afresh.", 1),
            ([row[:-1] for row in want], "the extract token is missing: it is what is read.", 2),
            ([row[1:] for row in want], "the start token is missing.", 2),
            ([[start, *context, extract, *answer, delimiter] for answer in answers],
             "delimiter and extract have changed places.", 2),
            ([[start, *context, *answer, extract] for answer in answers],
             "nothing stands between context and answer: the delimiter does.", 2),
            ([[start, *answer, delimiter, *context, extract] for answer in answers],
             "the context comes first: the model reads from the left.", 2),
            (want[:1], "only the first answer has a sequence: each gets one.", 1),
            (want[:1] * len(want), "every sequence has the first answer: each gets its own.", 1),
            (want[:2], "there are three answers here, and two sequences: take all `answers`.", 1),
            ([[*row[:-1], delimiter, extract] for row in want],
             "a delimiter stands behind the answer, too: it only separates the two texts.", 2),
        ]  # fmt: skip


class FindTheBug(Trained):
    id = "07.find_the_bug"
    title = "Find the bug: the class that is never learned"
    minutes, difficulty, importance, points = 8, 3, 5, 3
    hints = (
        "Give it one example of class 0, with `auxiliary=0`. What is the loss?",
        "`ignore_index=0` is meant for padding. Who else uses the number 0?",
        "The labels need a loss of their own, without `ignore_index`; and token 0 may be a token: "
        "the mask knows better what is padding.",
    )

    @staticmethod
    def case() -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(4)
        scores = torch.randn(4, 2, generator=generator)
        words = torch.randn(4, 5, 9, generator=generator)
        ids = torch.randint(1, 9, (4, 5), generator=generator)
        mask = (torch.arange(5) < torch.tensor([5, 3, 4, 2])[:, None]).long()
        return scores, torch.tensor([0, 1, 0, 1]), words, ids.masked_fill(mask == 0, 0), mask

    @staticmethod
    def parts(case: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """(losses of the examples, losses of all next tokens, which of them count)."""
        scores, labels, words, ids, mask = case  # words: (batch, length, vocabulary)
        each = F.cross_entropy(scores, labels, reduction="none")
        next_ones = F.cross_entropy(words[:, :-1].mT, ids[:, 1:], reduction="none")
        return each, next_ones, mask[:, 1:].bool()

    @classmethod
    def broken(cls, case: tuple[Tensor, ...]) -> Tensor:
        (_, labels, _, ids, _), (each, next_ones, _) = case, cls.parts(case)
        return each[labels != 0].mean() + 0.5 * next_ones[ids[:, 1:] != 0].mean()

    def untouched(self, seen: Any) -> bool:
        case = self.case()
        case[3][0, 2] = 0  # a token of the text: the buggy loss leaves it out
        value = seen(*case)["loss"]
        return torch.is_tensor(value) and same(value, self.broken(case))

    def check(self, seen: Any) -> Right | Wrong:
        found = seen(*self.case())
        if found["changed"]:
            return Wrong(CHANGED, 1)
        if isinstance(found["loss"], tuple | list):
            return Wrong("expected one loss, the sum of both: not a pair.", 2)
        want, mistakes = self.values()
        told = compare(found["loss"], want, mistakes, what="the loss")
        if not isinstance(told, Right):
            return told
        if not all(found["gradients"]):
            return Wrong(DETACHED, 1)
        case = self.case()
        case[3][0, 2] = 0  # a token of the text that has the number 0
        each, next_ones, wanted = self.parts(case)
        if not same(seen(*case)["loss"], each.mean() + 0.5 * next_ones[wanted].mean()):
            return Wrong(
                "right for the labels, but a token of the text with the number 0 is taken for "
                "padding: use the mask.", 2,
            )  # fmt: skip
        if not same(seen(*case, 0.2)["loss"], each.mean() + 0.2 * next_ones[wanted].mean()):
            return Wrong("right for a weight of 0.5, but not for 0.2: use `auxiliary`.", 2)
        return Right(
            "One `ignore_index` for two losses: 0 was padding to one and a class to the other. The "
            "model had only ever been asked about class 1, so it said 1."
        )

    @classmethod
    def unshifted(cls) -> Tensor:
        _, _, words, ids, mask = cls.case()
        return F.cross_entropy(words[:, :-1][mask[:, :-1] > 0], ids[:, :-1][mask[:, :-1] > 0])

    @classmethod
    def squashed(cls) -> Tensor:
        scores, labels, *_ = cls.case()
        return F.cross_entropy(scores.softmax(-1), labels)

    @classmethod
    def backwards(cls) -> Tensor:
        """The loss where each place is asked for the token before it."""
        _, _, words, ids, mask = cls.case()
        wanted = mask[:, 1:] > 0
        return F.cross_entropy(words[:, 1:][wanted], ids[:, :-1][wanted])

    @classmethod
    def own(cls) -> Tensor:
        """The loss where each place but the first is asked for its own token."""
        _, _, words, ids, mask = cls.case()
        wanted = mask[:, 1:] > 0
        return F.cross_entropy(words[:, 1:][wanted], ids[:, 1:][wanted])

    @classmethod
    def seeing(cls) -> Tensor:
        _, _, words, ids, mask = cls.case()
        return F.cross_entropy(words[mask > 0], ids[mask > 0])

    def values(self) -> tuple[Tensor, list]:
        each, next_ones, wanted = self.parts(self.case())
        labels, mask, auxiliary = self.case()[1], self.case()[4], 0.5
        words, early = next_ones[wanted].mean(), next_ones[mask[:, :-1].bool()].mean()
        return each.mean() + auxiliary * words, [
            (each.mean() + auxiliary * next_ones.mean(),
             "the labels are right now, but padding is among the next tokens: use the mask.", 2),
            (each.mean() + auxiliary * early,
             "the mask must be shifted with the targets: the last token of a short text is asked "
             "for padding.", 2),
            (each[labels != 0].mean() + auxiliary * words,
             "the next tokens are right, but class 0 is still left out.", 1),
            (each.mean() + words, "the auxiliary loss is not multiplied by `auxiliary`.", 2),
            (auxiliary * each.mean() + words, "`auxiliary` belongs to the next tokens.", 2),
            (each.mean() + auxiliary * self.unshifted(),
             "nothing is shifted: the logits of a place are about the next token.", 2),
            ((1 - auxiliary) * each.mean() + auxiliary * words,
             "the loss of the task keeps its whole weight: it is not multiplied.", 2),
            (each.mean(), "the auxiliary loss is gone.", 1),
            (auxiliary * words, "the loss of the task is gone.", 1),
            (each.mean() + auxiliary * torch.stack([x[w].mean() for x, w in zip(next_ones, wanted,
             strict=True)]).mean(), "a mean for each text, then their mean: all tokens count "
             "alike.", 2),
            (each.mean() + auxiliary * (next_ones * wanted).mean(),
             "divided by all places: padding is no target.", 2),
            (each.mean() + auxiliary * self.seeing(),
             "nothing is shifted: the logits of a place are about the next token.", 2),
            (each.sum() + auxiliary * words, "the mean over the examples, not their sum.", 2),
            (self.squashed() + auxiliary * words,
             "`F.cross_entropy` wants the scores as they are, and takes the softmax itself.", 2),
            (each.mean() + auxiliary * self.backwards(),
             "shifted the wrong way: each place is asked for the token *before* it.", 2),
            (each.mean() + auxiliary * self.own(),
             "state and target move together: the logits of a place are about the next token.", 2),
            ((each.mean() + auxiliary * words) / (1 + auxiliary),
             "the two losses are added, not averaged: the task's keeps its whole weight.", 2),
            (each.mean() + auxiliary * next_ones[wanted].sum(),
             "the mean over the next tokens, not their sum.", 2),
        ]  # fmt: skip
