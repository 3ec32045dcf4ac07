"""The exercises and the quiz of chapter 07, GPT."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, mistaken, same
from minibert.course.learn.exercise import Choice, Exercise, Quiz, Right, Written, Wrong
from minibert.text.merges import merge

MERGES = [("e", "r</w>"), ("l", "o"), ("w", "er</w>"), ("lo", "w"), ("a", "n"), ("an", "an")]
MERGES += [("b", "anan"), ("low", "e")]


class Encode(Exercise):
    id = "07.bpe"
    title = "A word by its merges"
    minutes, difficulty, importance, points = 12, 3, 4, 3
    hints = (
        "Begin with `pieces = list(symbols)`. Which pairs of neighbours are among the merges?",
        "Of these, the one that was learned *first* is merged, wherever it stands; then repeat.",
        "`merge(pieces, pair, pair[0] + pair[1])` gives the list with that pair joined. Since a "
        "merge can only use what earlier ones have made, it is enough to go through `merges` once, "
        "in order.",
    )
    default = None

    def untouched(self, bpe: Callable[[list[str], list[tuple[str, str]]], list[str]]) -> bool:
        got = bpe(["a", "n", "a</w>"], MERGES)
        return got is None or got is Ellipsis or list(got) in ([], ["a", "n", "a</w>"])

    def check(self, bpe: Callable[[list[str], list[tuple[str, str]]], list[str]]) -> Right | Wrong:
        for word in ("lower", "lowe", "banana", "er", "xyz"):
            symbols = [*word[:-1], word[-1] + "</w>"]
            got, want = bpe(list(symbols), list(MERGES)), self.merged(symbols)
            if not isinstance(got, list | tuple):
                return Wrong(f"expected a list of pieces, got {type(got).__name__}.")
            got = list(got)
            if got == want:
                continue
            return mistaken(got, [
                (self.longest(symbols),
                 f"{word!r}: the longest piece from the left, as WordPiece has it: {got}. Here "
                 "the order in which the merges were learned decides.", 1),
                (self.first_place(symbols),
                 f"{word!r}: a pair is merged wherever it stands, not only once.", 1),
                (self.merged(symbols, MERGES[::-1]),
                 f"{word!r}: the merge that was learned *first* comes first.", 1),
            ]) or Wrong(f"expected {want} for {word!r}, got {got}.", 1)  # fmt: skip
        return Right(
            "`lower` is `lo` + `wer</w>`, although `low` is a piece: `w` + `er</w>` was learned "
            "before `lo` + `w`."
        )

    @staticmethod
    def merged(symbols: list[str], merges: list[tuple[str, str]] = MERGES) -> list[str]:
        for pair in merges:
            symbols = merge(symbols, pair, "".join(pair))
        return list(symbols)

    @staticmethod
    def longest(symbols: list[str]) -> list[str]:
        pieces, found, start = {"".join(pair) for pair in MERGES}, [], 0
        while start < len(symbols):
            ends = range(len(symbols), start, -1)
            end = next((e for e in ends if "".join(symbols[start:e]) in pieces), start + 1)
            found.append("".join(symbols[start:end]))
            start = end
        return found

    @staticmethod
    def first_place(symbols: list[str]) -> list[str]:
        symbols = list(symbols)
        for pair in MERGES:
            for i, other in enumerate(pairwise(symbols)):
                if other == pair:
                    symbols[i : i + 2] = ["".join(pair)]
                    break
        return symbols


class NextToken(Exercise):
    id = "07.lm_loss"
    title = "The loss of the next token"
    minutes, difficulty, importance, points = 10, 2, 5, 3
    hints = (
        "The logits at place t are about the token at place t + 1: drop the last place of the "
        "logits, and the first one of the ids.",
        "What is padding is no target: `mask[:, 1:].bool()` says which targets count.",
        "`F.cross_entropy(logits[:, :-1][wanted], ids[:, 1:][wanted])`.",
    )

    @staticmethod
    def case() -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(7)
        logits = torch.randn(3, 6, 11, generator=generator)
        ids = torch.randint(1, 11, (3, 6), generator=generator)
        mask = (torch.arange(6) < torch.tensor([6, 4, 2])[:, None]).long()
        ids[0, 2] = 0  # a token like any other
        return logits, ids.masked_fill(mask == 0, 0), mask

    def untouched(self, lm_loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> bool:
        return same(lm_loss(*self.case()), 0.0)

    def check(self, lm_loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Right | Wrong:
        logits, ids, mask = self.case()
        wanted = mask[:, 1:].bool()
        each = F.cross_entropy(logits[:, :-1][wanted], ids[:, 1:][wanted], reduction="none")
        all_places = logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
        real, early, no_zero = mask.bool(), mask[:, :-1].bool(), ids[:, 1:] != 0
        return compare(lm_loss(logits, ids, mask), each.mean(), [
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
            (each.sum(), "the sum: divide by the number of targets.", 2),
            (each.sum() / len(ids), "divided by the number of texts: the targets count.", 2),
            (each.sum() / wanted.numel(), "divided by all places: padding is no target.", 2),
            (each.sum() / mask.sum(), "divided by all tokens: the first is no target.", 2),
        ], what="the loss")  # fmt: skip


class Nucleus(Exercise):
    id = "07.nucleus"
    title = "The nucleus"
    minutes, difficulty, importance, points = 15, 3, 4, 4
    hints = (
        "Sort from the likeliest on: `ordered, order = p.sort(descending=True)`.",
        "A token is spare if those *before* it already add up to `top_p`: "
        "`ordered.cumsum(0) - ordered >= top_p`.",
        "Set the spare ones to zero at their own places (`order[spare]`), then divide by the sum.",
    )
    p = torch.tensor([0.05, 0.4, 0.1, 0.25, 0.2])

    def untouched(self, nucleus: Callable[[Tensor, float], Tensor]) -> bool:
        return all(same(nucleus(self.p.clone(), top_p), self.p) for top_p in (0.5, 0.7))

    def check(self, nucleus: Callable[[Tensor, float], Tensor]) -> Right | Wrong:
        for top_p in (0.6, 0.3, 0.8, 1.0):
            given = self.p.clone()
            want, less = self.limited(top_p), self.limited(top_p, short=True)
            kept, first = want > 0, want.sort(descending=True).values > 0
            mistakes = [
                (less, "the token that crosses the line is missing: the fewest whose sum is *at "
                 "least* top_p.", 2),
                (self.p * kept, "it no longer adds up to one: divide by the sum.", 2),
                (want.sort(descending=True).values, "right, but sorted: keep the places.", 2),
                ((self.p * kept).masked_fill(~kept, -torch.inf).softmax(0),
                 "a softmax of probabilities: they need only be divided by their sum.", 2),
                (self.p * first / (self.p * first).sum(),
                 "what is spare is known in sorted order: give it back its places (`order`).", 2),
                (self.limited(top_p, descending=False),
                 "the unlikeliest were kept: sort with `descending=True`.", 1),
                (self.above(top_p), "a limit for each token: it is their sum that counts.", 1),
            ]  # fmt: skip
            what = f"the distribution for top_p = {top_p}"
            verdict = compare(nucleus(given, top_p), want, mistakes, what=what)
            if not isinstance(verdict, Right):
                return verdict
            if not same(given, self.p):
                return Wrong("right, but the probabilities that were given have changed.", 3)
        return Right(
            "With 0.3 the likeliest token alone is left, and it must be: nobody can draw from an "
            "empty nucleus."
        )

    @classmethod
    def limited(cls, top_p: float, short: bool = False, descending: bool = True) -> Tensor:
        ordered, order = cls.p.sort(descending=descending)
        total = ordered.cumsum(0)
        spare = total > top_p if short else total - ordered >= top_p
        p = cls.p.index_fill(0, order[spare], 0.0)
        return p / p.sum()

    @classmethod
    def above(cls, top_p: float) -> Tensor:
        p = cls.p * (cls.p >= top_p)
        return p / p.sum()


class Choices(Exercise):
    id = "07.choices"
    title = "A question with several answers"
    minutes, difficulty, importance, points = 8, 2, 4, 3
    hints = (
        "One sequence for each answer, so a list of lists.",
        "Each is `start`, the context, `delimiter`, the answer, `extract`.",
        "`[[start, *context, delimiter, *answer, extract] for answer in answers]`.",
    )
    default = []
    example = ([1], [[2], [3]], 7, 8, 9)

    def check(self, choices: Callable[..., list[list[int]]]) -> Right | Wrong:
        context, answers, marks = [11, 12, 13], [[21, 22], [31], [41, 42, 43]], (7, 8, 9)
        start, delimiter, extract = marks
        want = [[start, *context, delimiter, *answer, extract] for answer in answers]
        got = choices(list(context), [list(answer) for answer in answers], *marks)
        if not isinstance(got, list | tuple) or not all(isinstance(r, list | tuple) for r in got):
            return Wrong("expected a list with one list of ids for each answer.")
        flat = [start, *context]
        for answer in answers:
            flat += [delimiter, *answer]
        return compare([list(row) for row in got], want, [
            ([[*flat, extract]], "one sequence with all answers: each answer gets its own.", 1),
            ([row[:-1] for row in want], "the extract token is missing: it is what is read.", 2),
            ([row[1:] for row in want], "the start token is missing.", 2),
            ([[start, *context, extract, *answer, delimiter] for answer in answers],
             "delimiter and extract have changed places.", 2),
            ([[start, *context, *answer, extract] for answer in answers],
             "nothing stands between context and answer: the delimiter does.", 2),
            ([[start, *answer, delimiter, *context, extract] for answer in answers],
             "the context comes first: the model reads from the left.", 2),
        ], what="the list of sequences",
           right="Each is read apart and gets one number; the softmax is over the three numbers.",
        )  # fmt: skip


class FindTheBug(Exercise):
    id = "07.find_the_bug"
    title = "Find the bug: the class that is never learned"
    minutes, difficulty, importance, points = 15, 3, 5, 3
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

    def untouched(self, loss: Callable[..., Tensor]) -> bool:
        return same(loss(*self.case()), self.broken(self.case()))

    def check(self, loss: Callable[..., Tensor]) -> Right | Wrong:
        each, next_ones, wanted = self.parts(self.case())
        labels = self.case()[1]
        words, auxiliary = next_ones[wanted].mean(), 0.5
        told = compare(loss(*self.case()), each.mean() + auxiliary * words, [
            (each.mean() + auxiliary * next_ones.mean(),
             "the labels are right now, but padding is among the next tokens: use the mask.", 2),
            (each[labels != 0].mean() + auxiliary * words,
             "the next tokens are right, but class 0 is still left out.", 1),
            (each.mean() + words, "the auxiliary loss is not multiplied by `auxiliary`.", 2),
            (each.mean(), "the auxiliary loss is gone.", 1),
            (each.sum() + auxiliary * words, "the mean over the examples, not their sum.", 2),
        ], what="the loss")  # fmt: skip
        if not isinstance(told, Right):
            return told
        case = self.case()
        case[3][0, 2] = 0  # a token of the text that has the number 0
        each, next_ones, wanted = self.parts(case)
        want = each.mean() + auxiliary * next_ones[wanted].mean()
        if not same(loss(*case), want):
            return Wrong(
                "right for the labels, but a token of the text with the number 0 is taken for "
                "padding: use the mask.", 2,
            )  # fmt: skip
        return Right(
            "One `ignore_index` for two losses: 0 was padding to one and a class to the other. The "
            "model had only ever been asked about class 1, so it said 1."
        )


class OneSide(Written):
    id = "07.one_side"
    title = "One side or both?"
    minutes, difficulty, importance, points = 10, 3, 4, 3
    hints = (
        "How many tokens of a text teach BERT something in one pass, and how many GPT?",
        "Which of the two can you ask for the probability of a sentence, or to go on with it?",
        "Think of a word whose meaning is decided by what comes *after* it.",
    )
    rubric = """
- 1 point: what reading to the left only costs: a word's state does not know what comes after it,
  so for words, spans and pairs the first part is read without the second; hence tricks such as both
  orders for similarity, and the label read at the last token.
- 1 point: what it gives: every token is a target, the text is as it will be used (no [MASK]), and
  the model has a probability for any text, so that it can write and answer without fine-tuning.
- 1 point: a choice for a task of one's own that follows from this (names or spans: both sides;
  writing, scoring, few or no labels: one side).
"""


class WhatIsShifted(Quiz):
    id = "07.q1"
    question = "A text of 10 tokens, no padding: how many targets has GPT's loss, how many BERT's?"
    choices = (
        Choice("9 and 1 or 2.", "Yes: all but the first; BERT is asked for 15 %.", right=True),
        Choice("10 and 10.", "Nothing precedes the first token, and BERT asks where it masks."),
        Choice("1 and 1.", "Not only the last token: under the causal mask each place is a task."),
    )


class WhichLimit(Quiz):
    id = "07.q2"
    question = (
        "After *The capital of France is* the model is nearly sure; after *I saw a* hundreds of "
        "words fit. Which limit lets one word through in the first case and many in the second?"
    )
    choices = (
        Choice("Top-k", "It lets k words through whatever the distribution looks like."),
        Choice("Top-p (nucleus)", "Yes: as few as add up to p, one or hundreds.", right=True),
        Choice("A low temperature", "It sharpens both; nothing is cut off: the tail stays."),
    )


class WhyBothOrders(Quiz):
    id = "07.q3"
    question = "Why does GPT read both orders of two texts for similarity, and BERT does not?"
    choices = (
        Choice(
            "Because GPT's states of the first text know nothing of the second.",
            "Yes: only the later text is read in the light of the other, so each gets its turn.",
            right=True,
        ),
        Choice(
            "Because two passes average out the noise of dropout.",
            "They would do that for entailment, too, and it is read once: there the order matters.",
        ),
        Choice("Because GPT has no segments.", "The delimiter tells where a text ends."),
    )
