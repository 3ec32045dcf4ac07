"""Chapter 05: what BERT is trained on, and what it says: two losses and the words for a gap."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, kept

DETACHED = (
    "the value is right, but no gradient can flow back from it: keep it a tensor, without "
    "`.item()`, `.detach()` and `torch.no_grad()`."
)


def floating(x: Any) -> bool:
    """True for a tensor that can have a gradient."""
    return torch.is_tensor(x) and x.is_floating_point()


class Trained(Exercise):
    """A loss that is judged by its value, its gradient, and by what it leaves unchanged."""

    def as_functions(self, loss: Any) -> tuple:
        return (partial(self.seen, loss),)

    @staticmethod
    def seen(loss: Any, *arguments: Tensor) -> dict:
        """The loss, whether an argument was changed, and whether each input gets a gradient."""
        free = [x.clone().requires_grad_() if floating(x) else x for x in arguments]
        value, changed = kept(loss, *free)
        flows = torch.is_tensor(value) and value.requires_grad and value.dim() == 0
        if flows:
            value.backward()
        tables = [x for x in free if floating(x)]
        got = [x.grad is not None and bool(x.grad.any()) for x in tables]
        return {"loss": value, "changed": changed, "gradients": got}


class MaskedLoss(Trained):
    id = "05.mlm_loss"
    title = "A loss at some places"
    minutes, difficulty, importance, points = 10, 2, 5, 3
    hints = (
        "`wanted = labels != -100` is a boolean tensor (batch, length).",
        "`hidden[wanted]` has the shape (n, dim): only these rows are multiplied by the table.",
        "`F.cross_entropy(logits, labels[wanted])` is the mean over the n places.",
    )

    def case(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(2)
        hidden = torch.randn(3, 7, 6, generator=generator)
        table, bias = torch.randn(11, 6, generator=generator), torch.randn(11, generator=generator)
        labels = torch.full((3, 7), -100)
        labels[0, 2], labels[0, 5], labels[2, 1], labels[2, 6] = 4, 0, 9, 4
        labels[0, 3] = 7
        return hidden, table, bias, labels

    def untouched(self, seen: Any) -> bool:
        value = seen(*self.case())["loss"]
        number = torch.is_tensor(value) or isinstance(value, float)
        return value is None or value is Ellipsis or (number and same(value, 0.0))

    def check(self, seen: Any) -> Right | Wrong:
        found, case = seen(*self.case()), self.case()
        if found["changed"]:
            return Wrong(CHANGED, 1)
        if isinstance(found["loss"], tuple | list):
            return Wrong("expected the mean loss alone, a tensor, without a count beside it.", 2)
        want, mistakes = self.values(*case)
        told = compare(found["loss"], want, mistakes, what="the loss")
        if not isinstance(told, Right):
            return told
        if not all(found["gradients"]):
            return Wrong(DETACHED, 1)
        fewer = (*case[:3], case[3].clone())
        fewer[3][0, 2] = -100
        if not same(seen(*fewer)["loss"], self.values(*fewer)[0]):
            return Wrong("right for five places, but not for four: is a number fixed?", 2)
        return Right("Six of seven rows of the largest product of the model need not be computed.")

    @staticmethod
    def values(hidden: Tensor, table: Tensor, bias: Tensor, labels: Tensor) -> tuple[Tensor, list]:
        """The right loss, and what known mistakes give."""
        wanted = labels != -100
        logits = hidden @ table.T + bias
        each = F.cross_entropy(logits[wanted], labels[wanted], reduction="none")
        as_zero = F.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten())
        rows = [each[wanted.nonzero()[:, 0] == row].mean() for row in range(3) if wanted[row].any()]
        return each.mean(), [
            (-each.mean(), "the wrong sign: the loss is *minus* the log-probability.", 2),
            (each.sum(), "the sum over the masked places: divide by how many there are.", 2),
            (each.sum() / labels.numel(), "divided by all places: only the masked ones count.", 2),
            (each.sum() / len(labels), "divided by the number of sequences: divide by the number "
             "of masked places.", 2),
            (torch.stack(rows).mean(), "a mean for each text, then their mean: all masked places "
             "count alike.", 2),
            (as_zero, "the places without a label count as word 0: leave them out.", 1),
            (F.cross_entropy(logits[labels > 0], labels[labels > 0]),
             "word 0 is left out: `labels > 0` drops a word that may well be masked.", 2),
            (F.cross_entropy((logits - bias)[wanted], labels[wanted]), "the bias is missing.", 2),
            (F.cross_entropy(logits[wanted].softmax(-1), labels[wanted]),
             "`F.cross_entropy` wants logits, and takes the softmax itself.", 2),
            (each.mean() / math.log(2), "that is in bits: use the natural logarithm.", 2),
        ]  # fmt: skip


class FindTheBug(Trained):
    id = "05.find_the_bug"
    title = "Find the bug: the mask that does nothing"
    minutes, difficulty, importance, points = 15, 3, 5, 3
    hints = (
        "Change a label where the weight is 0: the loss should not move.",
        "What is the shape of what `nn.CrossEntropyLoss()` returns? And of the weights?",
        "A mean that is multiplied by the weights and divided by their sum is the same mean. Take "
        "`reduction='none'`, weigh each place, and only then add up.",
    )

    @staticmethod
    def case() -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(3)
        words = torch.randn(2, 4, 9, generator=generator)
        labels = torch.tensor([[3, 5, 0, 0], [7, 1, 2, 0]])
        weights = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
        pairs, follows = torch.randn(2, 2, generator=generator), torch.tensor([1, 0])
        return words, labels, weights, pairs, follows

    @staticmethod
    def losses(case: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        words, labels, weights, pairs, follows = case  # words: (batch, length, vocabulary)
        each = F.cross_entropy(words.flatten(0, 1), labels.flatten(), reduction="none")
        return each, weights.flatten(), F.cross_entropy(pairs, follows)

    def untouched(self, seen: Any) -> bool:
        each, _, pair = self.losses(self.case())
        value = seen(*self.case())["loss"]
        return value is None or value is Ellipsis or same(value, each.mean() + pair)

    def check(self, seen: Any) -> Right | Wrong:
        each, weights, pair = self.losses(self.case())
        words = (each * weights).sum() / weights.sum()
        found = seen(*self.case())
        if found["changed"]:
            return Wrong(CHANGED, 1)
        mistakes = self.mistakes(self.case(), words)
        told = compare(found["loss"], words + pair, mistakes, what="the loss")
        if not isinstance(told, Right):
            return told
        gradients = found["gradients"]  # of words, weights and pairs
        if not (gradients[0] and gradients[2]):
            return Wrong(DETACHED, 1)
        labels = (case := self.case())[1]
        labels[0, 0] = 0  # word 0, masked for real
        each, weights, pair = self.losses(case)
        if not same(seen(*case)["loss"], (each * weights).sum() / weights.sum() + pair):
            return Wrong("right here, but not where word 0 is masked for real: use the weights.", 2)
        return Right(
            "The places without a word no longer count. Before, a model that learned to answer "
            "[PAD] where nothing was asked looked better from batch to batch."
        )

    def mistakes(self, case: tuple[Tensor, ...], words: Tensor) -> list:
        """What known mistakes give; ``words``: the right loss of the masked words."""
        each, weights, pair = self.losses(case)
        logits, labels, _, pairs, follows = case
        words_only = F.cross_entropy(logits.mT, labels, ignore_index=0)
        rows = (each * weights).view(2, 4).sum(1) / weights.view(2, 4).sum(1)
        pair_1 = F.cross_entropy(pairs, follows, ignore_index=0)
        pair_sum = F.cross_entropy(pairs, follows, reduction="sum")
        return [
            (words, "the loss of the next sentence is missing.", 1),
            (pair, "the loss of the masked words is missing.", 1),
            ((each * weights).mean() + pair,
             "nearly: divide by the sum of the weights, not by the number of places.", 2),
            ((each * weights).sum() / 2 + pair,
             "divided by the number of texts: divide by the sum of the weights.", 2),
            (rows.mean() + pair,
             "a mean for each text, then their mean: all real places count alike.", 2),
            (words_only + pair_1, "`ignore_index=0` for both losses: it drops word 0 wherever it "
             "stands, and next sentences with the label 0, too. The weights say what is padding.",
             1),
            ((each * weights).sum() + pair, "divide the sum by the sum of the weights.", 2),
            ((words + pair) / 2, "the loss is the sum of both means, not their mean.", 2),
            (words + pair_sum, "the loss of the next sentences should be a mean, not a sum.", 2),
            ((each * (1 - weights)).sum() / (1 - weights).sum() + pair,
             "turned round: weight 1 is a real word, and 0 is padding.", 1),
        ]  # fmt: skip


class FillIn(Exercise):
    id = "05.fill_in"
    title = "The likeliest words for each gap"
    minutes, difficulty, importance, points = 15, 3, 5, 3
    hints = (
        "`(ids == mask_id).nonzero()[:, 0]` are the gaps, in order.",
        "At a gap, `logits[place].softmax(-1).topk(k)` gives `.values` and `.indices`.",
        "`zip(best.indices.tolist(), best.values.tolist())` runs over the pairs; a token's name is "
        "`tokens[i]`.",
    )
    TOKENS = ("[PAD]", "[MASK]", "the", "dog", "cat", "barked", "slept", ".")

    def case(self) -> tuple[Tensor, Tensor, list[str], int]:
        generator = torch.Generator().manual_seed(9)
        ids = torch.tensor([2, 1, 5, 7, 2, 4, 1, 7])
        logits = 2 * torch.randn(len(ids), len(self.TOKENS), generator=generator) - 6
        return logits, ids, list(self.TOKENS), 3

    def as_functions(self, fill_in: Any) -> tuple:
        return (partial(kept, fill_in),)

    def untouched(self, fill_in: Any) -> bool:
        return fill_in(*self.case())[0] in (None, ..., [])

    @staticmethod
    def best(
        shares: Tensor, ids: Tensor, tokens: list[str], k: int, *, least: bool = False
    ) -> list:
        """Names and shares of the ``k`` greatest at each gap."""
        gaps = (ids == tokens.index("[MASK]")).nonzero()[:, 0].tolist()
        found = [shares[place].topk(k, largest=not least) for place in gaps]
        names = [[tokens[i] for i in best.indices.tolist()] for best in found]
        return [
            list(zip(n, b.values.tolist(), strict=True)) for n, b in zip(names, found, strict=True)
        ]

    def check(self, fill_in: Any) -> Right | Wrong:
        logits, ids, tokens, k = case = self.case()
        got, changed = fill_in(*case)
        if changed:
            return Wrong(CHANGED, 1)
        told = self.shape(got, ids, k)
        if told is not None:
            return told
        shares = logits.softmax(-1)
        best = partial(self.best, ids=ids, tokens=tokens, k=k)
        want = best(shares)
        renormalised = [
            [(name, share / sum(s for _, s in gap)) for name, share in gap] for gap in want
        ]
        for wrong, message in (
            (best(logits), "these are scores: take the softmax, so that they are probabilities."),
            (best(logits.log_softmax(-1)), "these are log-probabilities: leave out the log."),
            (best(logits.softmax(0)), "the softmax runs over the places: it should run over the "
             "vocabulary, the last axis."),
            (best(torch.softmax(logits.flatten(), 0).view_as(logits)),
             "one softmax over all places: each place has its own."),
            (best(logits.sigmoid()), "a sigmoid: the words compete, so take a softmax."),
            (best(shares, least=True), "these are the least probable words."),
            ([gap[::-1] for gap in want], "the most probable word should come first."),
            (want[::-1], "the gaps should come in the order of the text."),
            (renormalised, "the probabilities add up to 1 over the k words: they should over the "
             "whole vocabulary."),
            (best(shares.roll(1, 0)), "each gap is filled from the state of the place before it: "
             "BERT answers at the gap itself."),
            ([[(name, 100 * share) for name, share in gap] for gap in want],
             "these are percents: give probabilities."),
        ):  # fmt: skip
            if self.alike(got, wrong):
                return Wrong(message, 2)
        if not self.alike(got, want):
            return Wrong(f"expected {self.short(want)}, got {self.short(got)}.", 1)
        return self.elsewhere(fill_in, case)

    def elsewhere(self, fill_in: Any, case: tuple) -> Right | Wrong:
        """The verdict on another k, and where [MASK] has another number."""
        logits, ids, tokens, k = case
        if not self.alike(fill_in(logits, ids, tokens, 1)[0], self.best(
            logits.softmax(-1), ids, tokens, 1
        )):  # fmt: skip
            return Wrong("right for k = 3, but not for k = 1: is a number fixed?", 2)
        turned, other = tokens[::-1], (len(tokens) - 1 - ids)
        want = self.best(logits.flip(1).softmax(-1), other, turned, k)
        if not self.alike(fill_in(logits.flip(1), other, turned, k)[0], want):
            return Wrong("[MASK] has the number 1 here; in another vocabulary it has another.", 2)
        three = torch.tensor([1, 4, 2, 1, 1])
        if not self.alike(fill_in(logits[:5], three, tokens, k)[0], self.best(
            logits[:5].softmax(-1), three, tokens, k
        )):  # fmt: skip
            return Wrong("right for two gaps, but not for three at other places.", 2)
        return Right("This is all that the cloze playground below does.")

    @staticmethod
    def shape(got: Any, ids: Tensor, k: int) -> Wrong | None:
        """What is wrong with the form of an answer, or None."""
        if not isinstance(got, list | tuple) or not got:
            return Wrong("expected a list with an answer for every gap.")
        first = got[0]
        if isinstance(first, str) or (isinstance(first, tuple) and isinstance(first[0], str)):
            return Wrong("expected a list for each gap, in a list: this is one flat list.", 1)
        if len(got) == len(ids):
            return Wrong("there is an answer for every token: only [MASK] is a gap.", 1)
        if len(got) == 1:
            return Wrong("only one gap is filled: the text has two.", 1)
        pairs = [pair for gap in got if isinstance(gap, list | tuple) for pair in gap]
        if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
            return Wrong("each word should stand with its probability, as a pair.", 1)
        if any(isinstance(share, str) for _, share in pairs):
            return Wrong("turned round: in each pair the name comes first, then its "
                         "probability.", 2)  # fmt: skip
        if any(not isinstance(name, str) for name, _ in pairs):
            return Wrong("a pair should begin with the token's name, not with its number.", 2)
        if any(len(gap) != k for gap in got):
            return Wrong(f"each gap should have k = {k} words, but has {len(got[0])}.", 1)
        return None

    @staticmethod
    def alike(got: Any, want: list) -> bool:
        """The same names and numbers, gap by gap."""
        try:
            mine = [[(str(name), float(share)) for name, share in gap] for gap in got]
        except (TypeError, ValueError):
            return False
        names = [[name for name, _ in gap] for gap in mine]
        if names != [[name for name, _ in gap] for gap in want]:
            return False
        return same([s for gap in mine for _, s in gap], [s for gap in want for _, s in gap], 1e-4)

    @staticmethod
    def short(found: Any) -> str:
        return str([[(n, round(float(s), 3)) for n, s in gap] for gap in found])
