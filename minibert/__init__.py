"""minibert: from word2vec to GPT on one compact library.

Names load when they are first used, so that ``import minibert`` is quick and a notebook that
needs no plots never imports matplotlib. ``__init__.pyi`` lists them, for readers and editors alike.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
