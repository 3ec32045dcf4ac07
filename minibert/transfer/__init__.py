"""Adapting a model that was trained on something else.

``groups``: the layers of any model from bottom to top, and a rate for each. ``unfreezing``: which
of them learn, and from when on. ``stages``: the three stages of ULMFiT.
"""

from importlib import import_module

_HOME = {  # public name -> module that defines it
    "layer_groups": "groups",
    "discriminative_groups": "groups",
    "freeze": "unfreezing",
    "GradualUnfreezing": "unfreezing",
    "ulmfit": "stages",
    "with_vocabulary": "vocabulary",
    "ULMFiTConfig": "stages",
    "Adapted": "stages",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'minibert.transfer' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
