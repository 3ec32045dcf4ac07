"""The models: one folder a system, each with the model to read, its fast twin and its files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
