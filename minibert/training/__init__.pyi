from . import callbacks as callbacks
from . import distributed as distributed
from . import history as history
from . import interrupts as interrupts
from . import loop as loop
from . import modes as modes
from . import optim as optim
from . import progress as progress
from . import resume as resume
from . import run as run
from . import update as update
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
    "interrupts",
    "loop",
    "modes",
    "optim",
    "progress",
    "resume",
    "run",
    "to_device",
    "update",
    "utilisation",
]
