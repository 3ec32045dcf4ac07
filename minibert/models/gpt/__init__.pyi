from . import files as files
from . import generation as generation
from . import model as model
from . import openai as openai
from .model import GPT as GPT
from .model import Embeddings as Embeddings
from .model import GPTConfig as GPTConfig
from .model import GPTOutput as GPTOutput
from .model import next_tokens as next_tokens

__all__ = [
    "Embeddings",
    "GPT",
    "GPTConfig",
    "GPTOutput",
    "files",
    "generation",
    "model",
    "next_tokens",
    "openai",
]
