"""Figures first, widgets on top of them.

Names load when they are first used, so that a program that shows nothing imports neither
matplotlib nor ipywidgets.
"""

from importlib import import_module

_HOME = {  # public name -> module that defines it
    "PALETTE": "figures",
    "style": "figures",
    "new": "figures",
    "figure": "figures",
    "png": "figures",
    "text_html": "figures",
    "loss_curve": "curves",
    "spread": "curves",
    "interval": "curves",
    "bars": "curves",
    "zipf": "curves",
    "heatmap": "maps",
    "scatter_words": "wordmap",
    "name_points": "wordmap",
    "pca": "maps",
    "LossPlot": "live",
    "Frame": "widget",
    "Interactive": "widget",
    "VectorExplorer": "vectors",
    "LayerExplorer": "layers",
    "AttentionExplorer": "attention",
    "AnswerExplorer": "answer",
    "ClozePlayground": "cloze",
    "world_truths": "cloze",
    "GenerationExplorer": "generation",
    "MergeExplorer": "merges",
    "TriangleExplorer": "schedules",
    "UnfreezingExplorer": "schedules",
    "rate_map": "schedules",
}
_MODULES = ("figures", "curves", "maps", "wordmap", "live", "widget", "vectors", "schedules")

__all__ = sorted(_HOME)


def __getattr__(name):
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'minibert.show' has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))
