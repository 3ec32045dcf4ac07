"""Seeds and devices: the two lines that every notebook starts with."""

import math
import os
import random

import numpy as np
import torch


def seed_everything(seed: int = 0) -> None:
    """Seed Python, NumPy and torch (CPU and accelerators) with one integer."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def device(name: torch.device | str | None = None) -> torch.device:
    """The device called ``name``, or the best one at hand: ``cuda``, ``mps`` or ``cpu``.

    The environment variable ``MINIBERT_DEVICE`` overrides the choice. Raises ValueError for a
    device that torch does not know or that this machine does not have.
    """
    asked = name or os.environ.get("MINIBERT_DEVICE")
    if asked:
        return _checked(asked)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _checked(asked):
    known = 'expected a device such as "cpu", "cuda", "cuda:1" or "mps"'
    try:
        found = torch.device(asked)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{known}, got {asked!r}") from error
    count = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (found.index or 0) >= count.get(found.type, math.inf):
        raise ValueError(f"this machine has no device {str(asked)!r}; {known} that it has")
    return found


def smoke() -> bool:
    """True when ``MINIBERT_SMOKE=1``: run at the smallest size that still exercises the code."""
    return os.environ.get("MINIBERT_SMOKE") == "1"
