"""Seeds and devices: the two lines that every notebook starts with."""

import os
import random

import numpy as np
import torch


def seed_everything(seed=0):
    """Seed Python, NumPy and torch (CPU and accelerators) with one integer."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def device():
    """The best device at hand: ``cuda``, ``mps`` or ``cpu``.

    The environment variable ``MINIBERT_DEVICE`` overrides the choice.
    """
    asked = os.environ.get("MINIBERT_DEVICE")
    if asked:
        return torch.device(asked)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def smoke():
    """True when ``MINIBERT_SMOKE=1``: run at the smallest size that still exercises the code."""
    return os.environ.get("MINIBERT_SMOKE") == "1"
