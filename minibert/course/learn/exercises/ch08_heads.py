"""Exercises of chapter 08 on attention heads: what they follow, and how one is cut."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import IN_PLACE, called, normal

BEHIND = "it is still cut behind `output`, where those numbers belong to all heads"
CASES = ((1084, 16), (48, 9), (57, 9))  # (seed, words): in the first no two mistakes look alike
OTHERS = "hooks that others have put in are gone, too"
LEFT = "a hook stays in the model when `run()` raises: take it off in a `finally`"


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
    example = (torch.tensor([[0.1, 0.9], [0.6, 0.4]]), [1, -1])

    def untouched(self, hits: Callable[..., Any]) -> bool:
        got = hits(self.example[0].clone(), list(self.example[1]))
        return got is None or (isinstance(got, list) and not got)

    def check(self, hits: Callable[..., Any]) -> Right | Wrong:
        for seed, words in CASES:
            weights, heads = self.case(seed, words)
            given = list(heads)
            got, kept = called(hits, weights, given)
            told = got.tolist() if isinstance(got, Tensor | np.ndarray) and got.ndim == 1 else got
            told = list(told) if isinstance(told, tuple) else told
            if not isinstance(told, list):
                got = f"of type {type(told).__name__}"
                return Wrong(f"the result should be a list of True and False, but is {got}.", 1)
            if all(isinstance(one, float) and one in (0.0, 1.0) for one in told):
                told = [bool(one) for one in told]
            known = self.mistakes(weights, heads)
            verdict = compare(told, self.solve(weights, heads), known, what="the list")
            if not isinstance(verdict, Right):
                return self.longer(told, heads) or verdict
            if not kept or given != heads:
                return Wrong(IN_PLACE, 2)
        return Right("A share of hits says little until a fixed offset stands beside it.")

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

    @staticmethod
    def other_hits(weights: Tensor, arcs: list[tuple[int, int]]) -> list[tuple]:
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
            ([int(others.argmax()) == head for i, head in arcs],
             "one largest weight of the whole table: each row has its own.", 1),
        ]  # fmt: skip


class Attention(nn.Module):
    """Two findings side by side and an output layer: what a head is cut from."""

    def __init__(self, dim: int, heads: int, seed: int) -> None:
        super().__init__()
        self.heads, self.output = heads, nn.Linear(dim, dim)
        self.inner = nn.Linear(dim, dim)
        with torch.no_grad():
            for number, weight in enumerate(self.parameters()):
                weight.copy_(normal(*weight.shape, seed=seed + number))

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.inner(x).tanh())


def hooks_of(model: nn.Module) -> int:
    """How many hooks are in a model."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def settings(model: nn.Module) -> dict[str, tuple]:
    """All that an answer may have changed in a model and should not: by its name."""
    parameters = dict(model.named_parameters())
    return {
        "weights": tuple((name, w.detach().clone()) for name, w in parameters.items()),
        "gradients": tuple((name, w.requires_grad) for name, w in parameters.items()),
        "modes": tuple((name, m.training) for name, m in model.named_modules()),
    }


def kept_settings(model: nn.Module, before: dict[str, tuple]) -> str:
    """Which `settings` are others than before: a name, or nothing."""
    for name, now in settings(model).items():
        if [one for one, _ in now] != [one for one, _ in before[name]]:
            return "parts"
        if not all(same(a, b) for (_, a), (_, b) in zip(now, before[name], strict=True)):
            told = {"gradients": "(`requires_grad`)", "modes": "(`train` or `eval`)"}
            return f"{name} {told.get(name, '')}".strip()
    return ""


class FindTheBug(Exercise):
    id = "08.find_the_bug"
    title = "Find the bug: a head that is not cut, a hook that stays"
    minutes, difficulty, importance, points = 10, 3, 5, 4
    hints = (
        "The output layer mixes: each of its numbers comes from all heads. Where does a head still "
        "have numbers of its own?",
        "`register_forward_pre_hook(cut)`, with `cut(module, inputs)`, sees what the output layer "
        "is *given*. `inputs` is a tuple; give a tuple back.",
        "What happens to `handle.remove()` if `run()` raises? `try: ... finally: ...`",
    )

    def as_functions(self, without_head: Callable[..., Any]) -> tuple:
        return (partial(self.tried, without_head),)

    @classmethod
    def tried(cls, without_head: Callable[..., Any], case: tuple, raises: bool = False) -> dict:
        """What comes of a head that is cut, and what is left of it: in a model of this case."""
        dim, heads, head, seed = case
        attention, x = Attention(dim, heads, seed), normal(2, 3, dim, seed=seed + 50)
        runs, before = [0], settings(attention)
        attention.output.register_forward_hook(lambda *given: None)  # of somebody else
        attention.output.register_forward_pre_hook(lambda *given: None)

        def run() -> Tensor:
            runs[0] += 1
            if raises:
                raise KeyError("run() failed")
            with torch.no_grad():
                return attention(x)

        with torch.no_grad():
            whole, error, got = attention(x), "", None
            try:
                got = without_head(attention, head, run)
            except KeyError:
                error = "KeyError"
            after = attention(x)
        found: dict[str, Any] = {"got": got, "error": error, "runs": runs[0]}
        found["hooks"] = hooks_of(attention) - 2
        found["kept"] = kept_settings(attention, before)
        return found | {"same": bool(torch.equal(after, whole))}

    def untouched(self, tried: Callable[..., Any]) -> bool:
        case = (6, 3, 1, 0)
        found = tried(case)
        behind = self.solve(case, behind=True)
        return found["got"] is None or (
            same(found["got"], behind) and bool(tried(case, True)["hooks"])
        )

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        for case in ((6, 3, 1, 1), (8, 2, 0, 2), (8, 4, 3, 3)):
            found = tried(case)
            mistakes = [
                (self.solve(case, behind=True), f"{BEHIND}: cut what it is given.", 1),
                (self.solve(case, cut=None), "nothing is cut: does the hook give back the changed "
                 "tuple, and is it there while `run()` runs?", 1),
                (self.solve(case, cut="others"), "all heads but this one are cut.", 2),
                (self.solve(case, cut="all"), "all heads are cut: only this one.", 2),
                (self.solve(case, cut="next"), "the wrong head: its numbers go from head * size to "
                 "(head + 1) * size.", 2),
                (self.solve(case, cut="one"), "one number is cut: a head has `size` of them.", 2),
                (self.solve(case, cut="short"), "the last number of the head is left: a slice "
                 "ends *before* its end.", 2),
                (self.solve(case, cut="last"), "the head is cut at one position only: at all.", 2),
                (self.solve(case, cut="text"), "the head is cut in one text only: in all.", 2),
                (self.solve(case, cut="strided"), "those numbers belong to different heads: a "
                 "head's numbers stand side by side.", 2),
            ]  # fmt: skip
            what = "what run() gives while the head is cut"
            verdict = compare(found["got"], self.solve(case), mistakes, what=what)
            if not isinstance(verdict, Right):
                return verdict
            if wrong := self.left(found):
                return wrong
            if found["runs"] != 1:
                return Wrong(f"`run()` was called {found['runs']} times: once is enough.", 3)
        return self.after_an_error(tried)

    @staticmethod
    def left(found: dict) -> Wrong | None:
        """What is wrong with the model after the run."""
        if changed := found["kept"]:
            return Wrong(f"the {changed} of the model are changed: cut what passes through.", 2)
        if found["hooks"] < 0:
            return Wrong(f"{OTHERS}: `handle.remove()` takes off yours alone.", 2)
        if found["hooks"]:
            return Wrong("a hook stays in the model after the run: take it off.", 2)
        if not found["same"]:
            return Wrong("the model gives something else after the run: put all back.", 2)
        return None

    @classmethod
    def after_an_error(cls, tried: Callable[..., Any]) -> Right | Wrong:
        """The verdict on a run that raises."""
        found = tried((6, 3, 2, 4), True)
        if found["hooks"]:
            return Wrong(f"right where all goes well; but {LEFT}.", 2)
        if cls.left(found):
            return Wrong("right where all goes well; but the model stays changed when `run()` "
                         "raises: put all back in a `finally`.", 2)  # fmt: skip
        if not found["error"]:
            return Wrong("the error of `run()` is swallowed: it should still be raised.", 3)
        return Right("Cut before anything is mixed, and leave nothing behind, whatever happens.")

    @staticmethod
    def solve(case: tuple, *, behind: bool = False, cut: str | None = "right") -> Tensor:
        """What should come out, or what a mistake gives."""
        dim, heads, head, seed = case
        attention, x = Attention(dim, heads, seed), normal(2, 3, dim, seed=seed + 50)
        size, place = dim // heads, torch.arange(dim)
        own = place // size == head
        keep = {"right": ~own, "others": own, "all": place < 0, "one": place != head,
                "next": place // size != (head + 1) % heads,
                "short": ~own | (place % size == size - 1),
                "last": ~own | (torch.arange(3) < 2)[:, None],
                "text": ~own | (torch.arange(2) > 0)[:, None, None],
                "strided": place % heads != head, None: place >= 0}[cut]  # fmt: skip
        with torch.no_grad():
            found = attention.inner(x).tanh()
            return attention.output(found) * ~own if behind else attention.output(found * keep)
