from . import authors as authors
from . import bundled as bundled
from . import checked as checked
from . import checkpoint as checkpoint
from . import crc32c as crc32c
from . import gguf as gguf
from . import hub as hub
from . import layout as layout
from . import safe_files as safe_files
from . import tensor_bundle as tensor_bundle
from . import torch_files as torch_files

__all__ = [
    "authors",
    "bundled",
    "checked",
    "checkpoint",
    "crc32c",
    "gguf",
    "hub",
    "layout",
    "safe_files",
    "tensor_bundle",
    "torch_files",
]
