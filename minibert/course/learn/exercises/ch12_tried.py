"""Chapter 12: an answer compared with the right one, and with what known mistakes would give."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from minibert.course.learn.compare import array, same, short
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED

How = dict[str, Any]
TORN = ("the values are right, but no gradient can flow back to all that was given: leave out "
        "`.detach()`, `.item()` and `no_grad`.")  # fmt: skip


class Tried(Exercise):
    """`solve` gives the right value of a case; with ``how``, what a known mistake gives.

    ``mistakes``: (message, points, how) each. ``right``: what to notice.
    """

    right = ""
    learns = False  # gradients have to flow back to every tensor it is given
    mistakes: tuple[tuple[str, float, How], ...] = ()

    @classmethod
    def cases(cls) -> Sequence[tuple]:
        raise NotImplementedError

    @classmethod
    def solve(cls, *case: Any, **how: Any) -> Any:
        raise NotImplementedError

    def form(self, got: Any, case: tuple) -> str:
        """What is wrong with the form of an answer, "" for nothing."""
        return ""

    def as_functions(self, answer: Any) -> tuple:
        return (partial(flowing if self.learns else watched, answer),)

    def differs(self, got: Any, want: Any) -> str:
        """In one case: what is right, and what is there."""
        return f"the answer should be {short(want)}, but is {short(got)}"

    def nothing(self, before: bool) -> Wrong:
        """What to say of None; ``before``: other cases had an answer."""
        return Wrong("the answer is None: is there a `return`?")

    def untouched(self, answer: Callable[..., Any]) -> bool:
        got = answer(*self.cases()[0])[0]
        return got is None or got is ... or like(got, self.default)

    def check(self, answer: Callable[..., Any]) -> Right | Wrong:
        cases, found, torn = self.cases(), list[Any](), False
        for case in cases:
            got, changed = answer(*case)
            if changed is True:
                return Wrong(CHANGED, 1)
            torn = torn or changed == TORN
            if got is None:
                return self.nothing(bool(found))
            if told := self.form(got, case):
                return Wrong(told, 1)
            found.append(got)
        if self.all_like(found, {}):
            return Wrong(TORN, 2) if torn else Right(self.right)
        for message, points, how in self.mistakes:
            if self.all_like(found, how):
                return Wrong(message, points)
        hits = [like(got, self.solve(*case)) for case, got in zip(cases, found, strict=True)]
        at = hits.index(False)
        told = self.differs(found[at], self.solve(*cases[at]))
        return Wrong(f"right in {sum(hits)} of {len(hits)} cases; in one {told}.", 1)

    def all_like(self, found: list, how: How) -> bool:
        """Whether all values are those of `solve`."""
        rows = zip(self.cases(), found, strict=True)
        return all(like(got, self.solve(*case, **how)) for case, got in rows)


def watched(function: Callable, *arguments: Any) -> tuple[Any, bool]:
    """What ``function`` gives, and whether it changed one of its arguments."""
    before = [x if callable(x) else copy.deepcopy(x) for x in arguments]
    answer = function(*arguments)
    pairs = zip(arguments, before, strict=True)
    return answer, not all(a is b if callable(b) else like(a, b) for a, b in pairs)


def flowing(function: Callable, *arguments: Any) -> tuple[Any, bool | str]:
    """As `watched`; TORN where a tensor that was given gets no gradient."""
    answer, changed = watched(function, *arguments)
    if changed or not torch.is_tensor(answer):
        return answer, changed
    given = [x.clone().requires_grad_() if torch.is_tensor(x) and x.is_floating_point() else x
             for x in arguments]  # fmt: skip
    leaves = [x for x in given if torch.is_tensor(x) and x.requires_grad]
    try:
        with torch.enable_grad():
            total = function(*given).sum()
        flows = total.requires_grad and all(
            x is not None for x in torch.autograd.grad(total, leaves, allow_unused=True)
        )
    except RuntimeError:  # as `.numpy()` of a tensor that has a gradient
        flows = False
    return answer.detach(), False if flows else TORN


def like(got: Any, want: Any) -> bool:
    """`same`, part by part in lists, pairs and dictionaries; a list may stand for a tuple."""
    if isinstance(want, dict):
        fits = isinstance(got, dict) and {*got} == {*want}
        return fits and all(like(got[name], want[name]) for name in want)
    if torch.is_tensor(got) and not torch.is_tensor(want):
        got = got.tolist()
    if isinstance(want, list | tuple) and array(want) is None:
        fits = isinstance(got, list | tuple) and len(got) == len(want)
        return fits and all(map(like, got, want))
    if isinstance(want, bool) or want is None:
        return got is want
    return same(got, want, 1e-4)
