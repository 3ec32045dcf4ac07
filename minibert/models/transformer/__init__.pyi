from . import attention as attention
from . import fast as fast
from . import model as model
from .attention import MultiHeadAttention as MultiHeadAttention
from .attention import attend as attend
from .attention import attend_fused as attend_fused
from .attention import causal_mask as causal_mask
from .attention import padding_mask as padding_mask
from .model import ACTIVATIONS as ACTIVATIONS
from .model import NORMS as NORMS
from .model import POSITIONS as POSITIONS
from .model import Block as Block
from .model import FeedForward as FeedForward
from .model import Positions as Positions
from .model import Stack as Stack
from .model import Transformer as Transformer
from .model import TransformerConfig as TransformerConfig
from .model import initialise as initialise
from .model import sinusoids as sinusoids

__all__ = [
    "ACTIVATIONS",
    "Block",
    "FeedForward",
    "MultiHeadAttention",
    "NORMS",
    "POSITIONS",
    "Positions",
    "Stack",
    "Transformer",
    "TransformerConfig",
    "attend",
    "attend_fused",
    "attention",
    "causal_mask",
    "fast",
    "initialise",
    "model",
    "padding_mask",
    "sinusoids",
]
