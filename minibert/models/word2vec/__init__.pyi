from . import fast as fast
from . import fasttext as fasttext
from . import files as files
from . import glove as glove
from . import model as model
from . import scores as scores
from . import vector_rows as vector_rows
from . import vectors as vectors
from .model import Snapshots as Snapshots
from .model import Word2Vec as Word2Vec
from .model import Word2VecConfig as Word2VecConfig
from .model import huffman as huffman
from .model import learn as learn

__all__ = [
    "Snapshots",
    "Word2Vec",
    "Word2VecConfig",
    "fast",
    "fasttext",
    "files",
    "glove",
    "huffman",
    "learn",
    "model",
    "scores",
    "vector_rows",
    "vectors",
]
