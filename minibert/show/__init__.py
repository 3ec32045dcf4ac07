"""Figures first, widgets on top of them.

Names load when they are first used, so that a program that shows nothing imports neither
matplotlib nor ipywidgets.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
