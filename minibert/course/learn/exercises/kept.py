"""Watching whether an answer leaves its arguments as they were."""

from collections.abc import Callable
from typing import Any

import torch

CHANGED = "the function changes what it was given: work on a copy, or without `_` and `+=`."


def kept(function: Callable, *arguments: Any) -> tuple[Any, bool]:
    """What ``function`` gives, and whether it changed a tensor or a set of its arguments."""
    before = [x.clone() if torch.is_tensor(x) else x for x in arguments]
    sets = [(x, set(x)) for x in arguments if isinstance(x, set)]
    answer = function(*arguments)
    pairs = [(x, y) for x, y in zip(arguments, before, strict=True) if torch.is_tensor(x)]
    alike = all(torch.equal(x, y) for x, y in pairs) and all(x == y for x, y in sets)
    return answer, not alike
