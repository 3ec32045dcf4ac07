"""Chapter 05: what BERT says: the likeliest words for each gap."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, kept


class FillIn(Exercise):
    id = "05.fill_in"
    title = "The likeliest words for each gap"
    minutes, difficulty, importance, points = 10, 2, 5, 3
    hints = (
        "`(ids == mask_id).nonzero()[:, 0]` are the gaps, in order.",
        "At a gap, `logits[position].softmax(-1).topk(k)` gives `.values` and `.indices`.",
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
        found = [shares[position].topk(k, largest=not least) for position in gaps]
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
        want = self.best(logits.softmax(-1), ids, tokens, k)
        for wrong, message in self.mistakes(*case):
            if self.alike(got, wrong):
                return Wrong(message, 2)
        if self.alike(got, want, 0.02) and not self.alike(got, want):
            return Wrong("these are rounded: give the probabilities as they are.", 2)
        if not self.alike(got, want):
            return Wrong(f"expected {self.short(want)}, got {self.short(got)}.", 1)
        return self.elsewhere(fill_in, case)

    def mistakes(self, logits: Tensor, ids: Tensor, tokens: list[str], k: int) -> list:
        """What known mistakes give."""
        shares, special = logits.softmax(-1), torch.tensor([0, 1])
        best = partial(self.best, ids=ids, tokens=tokens, k=k)
        want = best(shares)
        renormalised = [
            [(name, share / sum(s for _, s in gap)) for name, share in gap] for gap in want
        ]
        return [
            (best(logits), "these are scores: take the softmax, so that they are probabilities."),
            (best(logits.log_softmax(-1)), "these are log-probabilities: leave out the log."),
            (best(logits.softmax(0)), "the softmax runs over the positions: it should run over the "
             "vocabulary, the last axis."),
            (best(torch.softmax(logits.flatten(), 0).view_as(logits)),
             "one softmax over all positions: each position has its own."),
            (best(logits.sigmoid()), "a sigmoid: the words compete, so take a softmax."),
            (best(shares, least=True), "these are the least probable words."),
            ([gap[::-1] for gap in want], "the most probable word should come first."),
            (want[::-1], "the gaps should come in the order of the text."),
            (renormalised, "the probabilities add up to 1 over the k words: they should over the "
             "whole vocabulary."),
            (best(shares.roll(1, 0)), "each gap is filled from the state of the position before "
             "it: BERT answers at the gap itself."),
            ([[(name, 100 * share) for name, share in gap] for gap in want],
             "these are percents: give probabilities."),
            ([sorted(gap) for gap in want], "the pairs are in the order of their names: the most "
             "probable should come first."),
            (best(shares.roll(-1, 0)), "each gap is filled from the state of the position after "
             "it: BERT answers at the gap itself."),
            (best(shares[:1].expand_as(shares)), "each gap is filled from the first position."),
            (best(shares.softmax(-1)), "the softmax is taken twice."),
            (best(logits.index_fill(1, special, -1e9).softmax(-1)), "special tokens are left out "
             "of the softmax: the probabilities are over the whole vocabulary."),
            ([[(name, 1 / k) for name, _ in gap] for gap in want], "all words of a gap have the "
             "same probability."),
        ]  # fmt: skip

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
            return Wrong("right for two gaps, but not for three at other positions.", 2)
        return Right("This is all that the cloze playground below does.")

    @staticmethod
    def shape(got: Any, ids: Tensor, k: int) -> Wrong | None:
        """What is wrong with the form of an answer, or None."""
        if not isinstance(got, list | tuple) or not got:
            return Wrong("expected a list with an answer for every gap.")
        if any(isinstance(gap, dict) for gap in got):
            return Wrong("expected a list of pairs for each gap, not a dictionary.", 1)
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
        if any(isinstance(name, str) and isinstance(share, str) for name, share in pairs):
            return Wrong("a probability should be a number, not text.", 2)
        if any(isinstance(share, str) for _, share in pairs):
            return Wrong("turned round: in each pair the name comes first, then its "
                         "probability.", 2)  # fmt: skip
        if any(not isinstance(name, str) for name, _ in pairs):
            return Wrong("a pair should begin with the token's name, not with its number.", 2)
        if any(len(gap) != k for gap in got):
            return Wrong(f"each gap should have k = {k} words, but has {len(got[0])}.", 1)
        return None

    @staticmethod
    def alike(got: Any, want: list, tolerance: float = 1e-4) -> bool:
        """The same names and numbers, gap by gap."""
        try:
            mine = [[(str(name), float(share)) for name, share in gap] for gap in got]
        except (TypeError, ValueError):
            return False
        names = [[name for name, _ in gap] for gap in mine]
        if names != [[name for name, _ in gap] for gap in want]:
            return False
        got, due = ([share for gap in some for _, share in gap] for some in (mine, want))
        return same(got, due, tolerance)

    @staticmethod
    def short(found: Any) -> str:
        return str([[(n, round(float(s), 3)) for n, s in gap] for gap in found])
