from . import files as files
from . import google as google
from . import left_to_right as left_to_right
from . import model as model
from .model import BERT as BERT
from .model import BERTConfig as BERTConfig
from .model import BERTOutput as BERTOutput
from .model import Embeddings as Embeddings
from .model import Pooler as Pooler

__all__ = [
    "BERT",
    "BERTConfig",
    "BERTOutput",
    "Embeddings",
    "Pooler",
    "files",
    "google",
    "left_to_right",
    "model",
]
