"""Adapting a model that was trained on something else.

``groups``: the layers of any model from bottom to top, and a rate for each. ``unfreezing``: which
of them learn, and from which update. ``stages``: the three stages of ULMFiT.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
