"""The embedded world: a small fixed world, and text about it whose entropy is known exactly.

``generate`` writes a Corpus, ``sample`` one document, ``world`` is what they are about, and
``task``/``tasks`` give labelled data sets made from it.
"""

from importlib import import_module

_HOME = {  # public name -> module that defines it
    "generate": "generator",
    "sample": "generator",
    "world": "base",
    "World": "base",
    "Corpus": "document",
    "Document": "document",
    "Sentence": "document",
    "task": "tasksets",
    "tasks": "tasksets",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'minibert.world' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__():
    return sorted(set(globals()) | set(__all__))
