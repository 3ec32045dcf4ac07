"""A model lent to another pass, and given back as it was, whatever happens in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Within it ``model`` is in eval mode and no gradient is kept.

    Afterwards every module is in the mode in which it was found, and what recurrent models carry
    from batch to batch (``stream_state()``, see `minibert.fit`) is what it was. That also holds
    after an error and after Ctrl-C.
    """
    modules = list(model.modules())
    modes = [module.training for module in modules]
    carriers = [module for module in modules if hasattr(module, "stream_state")]
    carried = [module.stream_state() for module in carriers]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        for module, state in zip(carriers, carried, strict=True):
            module.load_stream_state(state)
