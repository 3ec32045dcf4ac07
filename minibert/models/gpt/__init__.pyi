from . import chat as chat
from . import files as files
from . import generation as generation
from . import llama as llama
from . import llama_gguf as llama_gguf
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
    "chat",
    "files",
    "generation",
    "llama",
    "llama_gguf",
    "model",
    "next_tokens",
    "openai",
]
