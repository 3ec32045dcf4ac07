"""The embedded world: a small fixed world, and text about it whose entropy is known exactly.

``generate`` writes a Corpus, ``sample`` one document, ``world`` is what they are about, and
``task``/``tasks`` give labelled data sets made from it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
