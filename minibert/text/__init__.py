"""Text: tokens, vocabularies, batches, and real data sets."""

from importlib import import_module

_HOME = {  # public name -> module that defines it
    "tokenise": "tokens",
    "detokenise": "tokens",
    "Vocab": "vocab",
    "WordPiece": "wordpiece",
    "BPE": "bpe",
    "Batches": "batches",
    "ArrayBatches": "batches",
    "PaddedBatches": "batches",
    "BPTTBatches": "batches",
    "BlockBatches": "blocks",
    "ListBatches": "batches",
    "Documents": "masking",
    "FramedBatches": "framing",
    "Framing": "framing",
    "PretrainingBatches": "masking",
    "ShortThenLong": "masking",
    "mask_tokens": "masking",
    "WindowBatches": "windows",
    "RowBatches": "batches",
    "BidirectionalBatches": "bidirectional",
    "TextCorpus": "corpora",
    "load": "catalogue",
    "datasets": "catalogue",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'minibert.text' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
