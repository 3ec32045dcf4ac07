"""An exercise of chapter 08: how an attention head is cut, and what a hook may leave behind."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import normal

BEHIND = "it is still cut behind `output`, where those numbers belong to all heads"
OTHERS = "hooks that others have put in are gone, too"
LEFT = "a hook stays in the model when `run()` raises: take it off in a `finally`"


class Failed(Exception):
    """Raised by what an answer is given to run: never by a learner's own mistake."""


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
                raise Failed
            with torch.no_grad():
                return attention(x)

        with torch.no_grad():
            whole, error, got = attention(x), "", None
            try:
                got = without_head(attention, head, run)
            except Exception as raised:
                if not raises:
                    raise
                error = type(raised).__name__
            after = attention(x)
        found: dict[str, Any] = {"got": got, "error": error, "runs": runs[0]}
        found["hooks"] = hooks_of(attention) - 2
        found["kept"] = kept_settings(attention, before)
        return found | {"same": bool(torch.equal(after, whole))}

    def untouched(self, tried: Callable[..., Any]) -> bool:
        case = (6, 3, 1, 0)
        found = tried(case)
        behind = self.solve(case, behind=True)
        return same(found["got"], behind) and bool(tried(case, True)["hooks"])

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
                (self.solve(case, cut="before"), "the head before it is cut: heads count from 0, "
                 "from head * size to (head + 1) * size.", 2),
                (self.solve(case, part="given"), "what `attention` is given is cut: cut what "
                 "`attention.output` is given, where heads have numbers of their own.", 1),
                (self.solve(case, part="bias"), "the bias of `output` is gone, too: it belongs to "
                 "no head.", 2),
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
        if found["error"] != Failed.__name__:
            return Wrong("right where all goes well; but when `run()` raises an error, yours "
                         f"raises another one, {found['error']}: let the first one through, "
                         "without a `return` in a `finally`.", 3)  # fmt: skip
        return Right("Cut before anything is mixed, and leave nothing behind, whatever happens.")

    @staticmethod
    def solve(
        case: tuple, *, behind: bool = False, cut: str | None = "right", part: str = ""
    ) -> Tensor:
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
                "before": place // size != (head - 1) % heads,
                "strided": place % heads != head, None: place >= 0}[cut]  # fmt: skip
        with torch.no_grad():
            if part == "given":
                return attention(x * keep)
            found = attention.inner(x).tanh()
            if part == "bias":
                return (found * keep) @ attention.output.weight.T
            return attention.output(found) * ~own if behind else attention.output(found * keep)
