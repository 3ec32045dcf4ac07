"""Heads: what is put on top of a representation to solve a task."""

from importlib import import_module

_HOME = {  # public name -> module that defines it
    "CNNClassifier": "words",
    "ContextEncoder": "contextual",
    "Ensemble": "pooling",
    "LastToken": "choices",
    "LayerMix": "features",
    "Live": "contextual",
    "MaskedLM": "language",
    "MultipleChoice": "choices",
    "NextSentence": "language",
    "PairClassifier": "pair",
    "PoolingClassifier": "pooling",
    "Pretraining": "language",
    "RNNClassifier": "words",
    "Remembered": "contextual",
    "SequenceClassifier": "classify",
    "SpanExtractor": "spans",
    "Similarity": "choices",
    "Table": "words",
    "Tagger": "tagger",
    "TokenClassifier": "classify",
    "answer": "spans",
    "best_threshold": "spans",
    "framed": "choices",
    "pair_accuracy": "pair",
    "predict": "words",
    "run": "head",
    "share_right": "tagger",
    "span_examples": "spans",
    "span_f1": "tagger",
    "squad_scores": "spans",
    "tagged": "tagger",
    "word_examples": "classify",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name in _HOME.values():  # `mb.heads.spans`, whatever was used before
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'minibert.heads' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
