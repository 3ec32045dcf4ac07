from . import awd_lstm as awd_lstm
from . import base as base
from . import baselines as baselines
from . import bert as bert
from . import cheap as cheap
from . import dropout as dropout
from . import elmo as elmo
from . import encoder_decoder as encoder_decoder
from . import gpt as gpt
from . import outputs as outputs
from . import softmax as softmax
from . import transformer as transformer
from . import word2vec as word2vec

__all__ = [
    "awd_lstm",
    "base",
    "baselines",
    "bert",
    "cheap",
    "dropout",
    "elmo",
    "encoder_decoder",
    "gpt",
    "outputs",
    "softmax",
    "transformer",
    "word2vec",
]
