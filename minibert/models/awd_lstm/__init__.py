"""AWD-LSTM (Merity et al. 2018), the language model of ULMFiT."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
