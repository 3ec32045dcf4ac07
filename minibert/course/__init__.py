"""Exercises and the notebooks around them: check, hint, solution, quiz, progress, findings."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
