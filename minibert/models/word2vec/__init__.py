"""word2vec (Mikolov et al. 2013), and beside it GloVe and fastText."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
