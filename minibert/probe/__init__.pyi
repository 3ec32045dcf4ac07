from . import by_layer as by_layer
from . import classify as classify
from . import control as control
from . import description as description
from . import linear as linear
from . import mlp as mlp
from . import pairs as pairs
from . import structural as structural
from . import word_states as word_states
from .by_layer import Scores as Scores
from .by_layer import probe as probe
from .classify import Probe as Probe
from .control import ControlTask as ControlTask
from .control import baselines as baselines
from .control import selectivity as selectivity
from .control import untrained as untrained
from .description import Description as Description
from .description import online_code as online_code
from .linear import Linear as Linear
from .mlp import MLP as MLP
from .pairs import arc_pairs as arc_pairs
from .pairs import pairs_of as pairs_of
from .structural import StructuralProbe as StructuralProbe
from .structural import chain as chain
from .structural import spanning_tree as spanning_tree
from .structural import tree_distances as tree_distances
from .structural import uuas as uuas
from .word_states import States as States
from .word_states import pooled as pooled
from .word_states import states as states

__all__ = [
    "ControlTask",
    "Description",
    "Linear",
    "MLP",
    "Probe",
    "Scores",
    "States",
    "StructuralProbe",
    "arc_pairs",
    "baselines",
    "by_layer",
    "chain",
    "classify",
    "control",
    "description",
    "linear",
    "mlp",
    "online_code",
    "pairs",
    "pairs_of",
    "pooled",
    "probe",
    "selectivity",
    "spanning_tree",
    "states",
    "structural",
    "tree_distances",
    "untrained",
    "uuas",
    "word_states",
]
