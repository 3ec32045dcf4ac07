"""Exercises and the notebooks around them: check, hint, solution, quiz, progress, findings.

Learners call the names below from a notebook; `minibert.course.build` makes the notebooks and
`minibert.course.exercise` is what an author needs.
"""

from importlib import import_module

_HOME = {  # public name -> module that defines it
    "check": "checking",
    "hint": "helping",
    "solution": "helping",
    "quiz": "helping",
    "progress": "overview",
    "chapters": "overview",
    "source": "listing",
    "findings": "finding",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'minibert.course' has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))
