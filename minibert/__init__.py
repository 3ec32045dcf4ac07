"""minibert: from word2vec to GPT on one compact library.

Names load when they are first used, so that ``import minibert`` is quick and a notebook that
needs no plots never imports matplotlib. ``__init__.pyi`` lists them, for readers and editors alike.
"""

import os

import lazy_loader

# A thread that waits for others sleeps instead of spinning, which makes training many times faster
# on a busy machine (benchmarks/README.md, "Crowded"). OpenMP reads this when torch is loaded, so a
# notebook that imports torch first needs it from outside, as `make lab` does it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
