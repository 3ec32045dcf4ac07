from . import files as files
from . import model as model
from .model import AWDLSTM as AWDLSTM
from .model import DIRECTIONS as DIRECTIONS
from .model import DROPOUTS as DROPOUTS
from .model import AWDLSTMConfig as AWDLSTMConfig
from .model import WeightDropLSTM as WeightDropLSTM
from .model import embedding_dropout as embedding_dropout
from .model import variational_dropout as variational_dropout

__all__ = [
    "AWDLSTM",
    "AWDLSTMConfig",
    "DIRECTIONS",
    "DROPOUTS",
    "WeightDropLSTM",
    "embedding_dropout",
    "files",
    "model",
    "variational_dropout",
]
