from . import callbacks as callbacks
from . import distributed as distributed
from . import history as history
from . import loop as loop
from . import optim as optim
from . import progress as progress
from . import resume as resume
from . import utilisation as utilisation
from .history import History as History
from .loop import evaluate as evaluate
from .loop import fit as fit
from .loop import to_device as to_device

__all__ = [
    "History",
    "callbacks",
    "distributed",
    "evaluate",
    "fit",
    "history",
    "loop",
    "optim",
    "progress",
    "resume",
    "to_device",
    "utilisation",
]
