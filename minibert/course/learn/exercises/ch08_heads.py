"""An exercise of chapter 08 on attention heads: what they follow."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minibert.course.learn.compare import mistaken, same, short
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import IN_PLACE, called

# (seed, words): in the first no two mistakes look alike, in the last both ends are hits
CASES = ((37548, 16), (48, 9), (57, 9), (1645, 9))


class Hits(Exercise):
    id = "08.heads"
    title = "Does a head follow grammar?"
    minutes, difficulty, importance, points = 8, 2, 5, 4
    hints = (
        "Work on a copy, `weights.clone()`, in which the diagonal is too small to win: "
        "`.fill_diagonal_(-1.0)`.",
        "For each word whose head is not -1: is `int(row.argmax())` its head?",
    )
    default = ()

    def untouched(self, hits: Callable[..., Any]) -> bool:
        weights, heads = self.case(48, 9)
        got = hits(weights, heads)
        return isinstance(got, list) and not got

    def check(self, hits: Callable[..., Any]) -> Right | Wrong:
        for seed, words in CASES:
            weights, heads = self.case(seed, words)
            given = list(heads)
            got, kept = called(hits, weights, given)
            if got is None:
                return Wrong("the list is None: is there a `return`?")
            told = self.listed(got)
            if isinstance(told, Wrong):
                return told
            want = self.solve(weights, heads)
            if not same(told, want):
                known = mistaken(told, self.mistakes(weights, heads), same)
                other = Wrong(f"the list should be {want}, but is {told}.")
                return known or self.longer(told, heads) or other
            if not kept or given != heads:
                return Wrong(IN_PLACE, 2)
        return Right("A share of hits says little until a fixed offset stands beside it.")

    @staticmethod
    def listed(got: Any) -> list | Wrong:
        """An answer as a list of True and False, of positions or of weights."""
        told = got.tolist() if isinstance(got, Tensor | np.ndarray) and got.ndim == 1 else got
        told = list(told) if isinstance(told, tuple) else told
        if not isinstance(told, list):
            kind = type(told).__name__
            return Wrong(
                f"the result should be a list of True and False, but is of type {kind}.", 1
            )
        told = [one.item() if isinstance(one, Tensor) and one.numel() == 1 else one for one in told]
        if any(not isinstance(one, int | float | np.number | np.bool_) for one in told):
            return Wrong(f"the list should hold True and False, but holds {short(told[0])}.", 1)
        plain = all(isinstance(one, bool | float | np.bool_) and one in (0, 1) for one in told)
        return [bool(one) for one in told] if plain else told

    @staticmethod
    def longer(told: list, heads: list[int]) -> Wrong | None:
        """What is wrong with a list of another length."""
        arcs = len(heads) - 1
        if len(told) == arcs + 1:
            return Wrong("one entry too many: the root has no head, and is left out.", 2)
        if len(told) != arcs:
            return Wrong(f"expected {arcs} entries, one for each word but the root, got "
                         f"{len(told)}.", 1)  # fmt: skip
        return None

    @staticmethod
    def case(seed: int, words: int = 7) -> tuple[Tensor, list[int]]:
        """Weights of a head that is sometimes right, much of it on the word itself; a tree."""
        draw = torch.Generator().manual_seed(seed)
        heads = [int(torch.randint(0, i, (1,), generator=draw)) if i else -1 for i in range(words)]
        turned = torch.randperm(words, generator=draw).tolist()
        place = {old: new for new, old in enumerate(turned)}
        moved = [-1 if heads[old] < 0 else place[heads[old]] for old in turned]
        scores = torch.randn(words, words, generator=draw)
        for word, head in enumerate(moved):
            if head >= 0 and word % 2:
                scores[word, head] += 2.5
            elif head >= 0:
                scores[head, word] += 2.0
        scores += 3.0 * torch.diag((torch.arange(words) % 3 == 1).float())
        return scores.softmax(1), moved

    @staticmethod
    def solve(weights: Tensor, heads: list[int]) -> list[bool]:
        others = weights.clone().fill_diagonal_(-1.0)
        return [int(others[i].argmax()) == head for i, head in enumerate(heads) if head >= 0]

    @classmethod
    def mistakes(cls, weights: Tensor, heads: list[int]) -> list[tuple]:
        arcs = [(i, head) for i, head in enumerate(heads) if head >= 0]
        others = weights.clone().fill_diagonal_(-1.0)
        best = others.argmax(1)
        right = cls.solve(weights, heads)
        return [
            ([int(weights[i].argmax()) == head for i, head in arcs],
             "a word may not choose itself: leave the diagonal out.", 2),
            ([int(others[:, i].argmax()) == head for i, head in arcs],
             "those are columns, who looks *at* the word: row i says where word i looks.", 2),
            ([int(others[head].argmax()) == i for i, head in arcs],
             "that asks whether the head looks at the word: ask the word.", 2),
            ([not one for one in right], "turned round: True where the head is found.", 2),
            ([int(best[i]) for i, _ in arcs], "that is where each word looks: is it its head?", 1),
            ([float(others[i, head]) for i, head in arcs],
             "that is the weight of the head: is it the largest?", 1),
            ([bool(others[i, head] > 1 / len(heads)) for i, head in arcs],
             "more than an equal share is not the largest weight: use `argmax`.", 1),
            ([bool(others[i, head] > others[head, i]) for i, head in arcs],
             "more than comes back is not the largest weight: use `argmax`.", 1),
            ([bool(others[i, head] > 0.5) for i, head in arcs],
             "a largest weight need not be above one half: use `argmax`.", 1),
            *cls.other_hits(weights, arcs),
            ([True] * len(arcs), "every word is said to be a hit.", 1),
            ([False] * len(arcs),
             "no word is said to be a hit: is it the *largest* weight that is taken?", 1),
        ]  # fmt: skip

    @classmethod
    def other_hits(cls, weights: Tensor, arcs: list[tuple[int, int]]) -> list[tuple]:
        """Other things that one may call a hit: as in `mistakes`."""
        others = weights.clone().fill_diagonal_(-1.0)
        best, order = others.argmax(1).tolist(), others.argsort(1, descending=True).tolist()
        heads = [head for _, head in arcs]
        whole = [dict(arcs).get(i, -1) for i in range(len(weights))]
        return [
            ([head in order[i][:2] for i, head in arcs],
             "the second largest weight counts, too: only the largest does.", 2),
            ([head == int(weights[i].topk(2).indices[1]) for i, head in arcs],
             "that is always the second largest: the first, if it is not the word itself.", 2),
            ([int(weights[i].argmax()) in (i, head) for i, head in arcs],
             "a word that looks at itself counts as a hit: leave the diagonal out.", 2),
            ([best[i] == head or best[head] == i for i, head in arcs],
             "it counts, too, if the head looks at the word: only the word is asked.", 2),
            ([abs(best[i] - head) <= 1 for i, head in arcs],
             "a neighbour of the head counts, too: only the head itself does.", 2),
            ([best[i] == head for i, head in enumerate(heads)],
             "row and word have come apart behind the root: row i belongs to heads[i].", 2),
            ([best[i] == whole[i] for i in range(1, len(whole))],
             "the first word is left out: the root is the word whose head is -1.", 2),
            ([head == i + 1 for i, head in arcs],
             "the next word, whatever the weights are: those are not looked at.", 1),
            ([head == i - 1 for i, head in arcs],
             "the word before, whatever the weights are: those are not looked at.", 1),
            ([int(others.argmax()) == head for i, head in arcs],
             "one largest weight of the whole table: each row has its own.", 1),
            *cls.parts_of_rows(weights, arcs),
        ]  # fmt: skip

    @staticmethod
    def parts_of_rows(weights: Tensor, arcs: list[tuple[int, int]]) -> list[tuple]:
        """Hits in rows of which something is left out: as in `mistakes`."""
        order = weights.clone().fill_diagonal_(-1.0).argsort(1, descending=True).tolist()
        shorter = [torch.cat((row[:i], row[i + 1 :])) for i, row in enumerate(weights)]
        right, left = weights.triu(1).argmax(1).tolist(), weights.tril(-1).argmax(1).tolist()
        one = "only words to the {} are looked at: a head may stand on either side."
        return [
            ([head in order[i][:3] for i, head in arcs],
             "the three largest weights count: only the largest does.", 2),
            ([int(shorter[i].argmax()) == head for i, head in arcs],
             "with the word taken out of its row, all later words move up by one: keep the row, "
             "and make that weight too small to win.", 2),
            ([i > 0 and head == order[i][0] for i, head in arcs],
             "the first word is never a hit: it has a head like the others.", 2),
            ([right[i] == head for i, head in arcs], one.format("right"), 2),
            ([left[i] == head for i, head in arcs], one.format("left"), 2),
        ]  # fmt: skip
