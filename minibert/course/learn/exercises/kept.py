"""Watching whether an answer leaves its arguments as they were."""

from collections.abc import Callable
from operator import is_
from typing import Any

import torch

NOT_A_TENSOR = "a list of numbers: return a tensor, which later cells can index and stack."
CHANGED = "the function changes what it was given: work on a copy, or without `_` and `+=`."


def kept(function: Callable, *arguments: Any) -> tuple[Any, bool]:
    """What ``function`` gives, and whether it changed one of them (a tensor, a set or a list)."""
    before = [x.clone() if torch.is_tensor(x) else x for x in arguments]
    sets = [(x, x.copy()) for x in arguments if type(x) in (set, list)]
    answer = function(*arguments)
    pairs = [(x, y) for x, y in zip(arguments, before, strict=True) if torch.is_tensor(x)]
    alike = all(torch.equal(x, y) for x, y in pairs) and all(
        len(x) == len(y) and (x == y if isinstance(x, set) else all(map(is_, x, y)))
        for x, y in sets
    )
    return answer, not alike
