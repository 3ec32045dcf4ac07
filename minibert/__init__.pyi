from . import course as course
from . import data as data
from . import heads as heads
from . import models as models
from . import probe as probe
from . import runtime as runtime
from . import show as show
from . import storage as storage
from . import text as text
from . import training as training
from . import transfer as transfer
from . import world as world
from .models.awd_lstm import AWDLSTM as AWDLSTM
from .models.awd_lstm import AWDLSTMConfig as AWDLSTMConfig
from .models.bert import BERT as BERT
from .models.bert import BERTConfig as BERTConfig
from .models.elmo import ELMo as ELMo
from .models.elmo import ELMoConfig as ELMoConfig
from .models.gpt import GPT as GPT
from .models.gpt import GPTConfig as GPTConfig
from .models.transformer import Transformer as Transformer
from .models.transformer import TransformerConfig as TransformerConfig
from .models.word2vec import Word2Vec as Word2Vec
from .models.word2vec import Word2VecConfig as Word2VecConfig
from .runtime import device as device
from .runtime import seed_everything as seed_everything
from .training import fit as fit
from .training import optim as optim

__all__ = [
    "AWDLSTM",
    "AWDLSTMConfig",
    "BERT",
    "BERTConfig",
    "ELMo",
    "ELMoConfig",
    "GPT",
    "GPTConfig",
    "Transformer",
    "TransformerConfig",
    "Word2Vec",
    "Word2VecConfig",
    "course",
    "data",
    "device",
    "fit",
    "heads",
    "models",
    "optim",
    "probe",
    "runtime",
    "seed_everything",
    "show",
    "storage",
    "text",
    "training",
    "transfer",
    "world",
]
__version__: str
