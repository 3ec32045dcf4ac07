from . import attention as attention
from . import fast as fast
from . import model as model
from . import parts as parts
from .attention import MultiHeadAttention as MultiHeadAttention
from .attention import attend as attend
from .attention import attend_fused as attend_fused
from .attention import causal_mask as causal_mask
from .attention import padding_mask as padding_mask
from .attention import rotation as rotation
from .attention import turned as turned
from .model import NORMS as NORMS
from .model import POSITIONS as POSITIONS
from .model import Block as Block
from .model import Positions as Positions
from .model import Stack as Stack
from .model import Transformer as Transformer
from .model import TransformerConfig as TransformerConfig
from .model import initialise as initialise
from .model import sinusoids as sinusoids
from .parts import ACTIVATIONS as ACTIVATIONS
from .parts import FeedForward as FeedForward
from .parts import RMSNorm as RMSNorm

__all__ = [
    "ACTIVATIONS",
    "Block",
    "FeedForward",
    "MultiHeadAttention",
    "NORMS",
    "POSITIONS",
    "Positions",
    "RMSNorm",
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
    "parts",
    "rotation",
    "sinusoids",
    "turned",
]
