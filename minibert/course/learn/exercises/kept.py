"""Watching whether an answer leaves its arguments as they were."""

from collections.abc import Callable
from typing import Any

import torch

CHANGED = "the function changes what it was given: work on a copy, or without `_` and `+=`."


def kept(function: Callable, *arguments: Any) -> tuple[Any, bool]:
    """What ``function`` gives for ``arguments``, and whether it changed one of the tensors."""
    before = [x.clone() if torch.is_tensor(x) else x for x in arguments]
    answer = function(*arguments)
    pairs = [(x, y) for x, y in zip(arguments, before, strict=True) if torch.is_tensor(x)]
    return answer, not all(torch.equal(x, y) for x, y in pairs)
