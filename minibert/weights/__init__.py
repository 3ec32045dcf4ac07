"""Published checkpoints, in and out: one module a system, imported when it is needed."""

from importlib import import_module
from pathlib import Path

BUNDLED = Path(__file__).parent.parent / "pretrained"  # folders that come with the package
_MODULES = ("word2vec", "elmo", "awd_lstm", "bert", "bert_google", "gpt", "gpt_openai", "d2l")


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'minibert.weights' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})


def find(source):
    """The path that ``source`` stands for: an existing file or folder, or a bundled checkpoint.

    Raises FileNotFoundError, naming the bundled ones.
    """
    for path in (Path(source), BUNDLED / str(source)):
        if path.exists():
            return path
    bundled = sorted(path.name for path in BUNDLED.glob("*") if path.is_dir())
    known = f"bundled are {', '.join(bundled)}" if bundled else "no checkpoint is bundled"
    raise FileNotFoundError(
        f"there is no file, folder or bundled checkpoint called {str(source)!r}; {known}"
    )
