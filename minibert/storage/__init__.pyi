from . import bundled as bundled
from . import checked as checked
from . import checkpoint as checkpoint
from . import hub as hub
from . import safe_files as safe_files
from . import torch_files as torch_files

__all__ = ["bundled", "checked", "checkpoint", "hub", "safe_files", "torch_files"]
