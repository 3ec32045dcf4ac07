"""Adapting a model that was trained on something else.

``groups``: the layers of any model from bottom to top. ``schedules``: which of them learn at which
update, and how fast. ``stages``: the three stages of ULMFiT. ``added``: a few weights beside a
model that rests.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
