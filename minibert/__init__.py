"""minibert: from word2vec to GPT on one compact library.

Names load when they are first used, so that ``import minibert`` is quick and a notebook that
needs no plots never imports matplotlib.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {  # public name -> module that defines it
    "Word2Vec": "word2vec",
    "Word2VecConfig": "word2vec",
    "AWDLSTM": "awd_lstm",
    "AWDLSTMConfig": "awd_lstm",
    "ELMo": "elmo",
    "ELMoConfig": "elmo",
    "BERT": "bert",
    "BERTConfig": "bert",
    "GPT": "gpt",
    "GPTConfig": "gpt",
    "Transformer": "transformer",
    "TransformerConfig": "transformer",
    "fit": "train",
    "seed_everything": "runtime",
    "device": "runtime",
}
_MODULES = (
    "world",
    "text",
    "word2vec",
    "word_scores",
    "elmo",
    "attention",
    "transformer",
    "bert",
    "gpt",
    "generation",
    "heads",
    "train",
    "optim",
    "checkpoint",
    "fast",
    "awd_lstm",
    "transfer",
    "weights",
    "show",
    "course",
    "peers",
)

__all__ = sorted(_HOME) + sorted(_MODULES)


def __getattr__(name):
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'minibert' has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))
