from . import attribution as attribution
from . import behaviour as behaviour
from . import by_layer as by_layer
from . import changes as changes
from . import classify as classify
from . import control as control
from . import description as description
from . import linear as linear
from . import looking as looking
from . import mlp as mlp
from . import pairs as pairs
from . import places as places
from . import remembered as remembered
from . import scoring as scoring
from . import structural as structural
from . import units as units
from . import word_states as word_states
from .attribution import by_word as by_word
from .attribution import erasure as erasure
from .attribution import gradient_times_input as gradient_times_input
from .attribution import integrated_gradients as integrated_gradients
from .attribution import rank_agreement as rank_agreement
from .attribution import rollout as rollout
from .behaviour import PairScores as PairScores
from .behaviour import minimal_pairs as minimal_pairs
from .by_layer import Scores as Scores
from .by_layer import probe as probe
from .changes import changed as changed
from .changes import patched as patched
from .changes import recorded as recorded
from .changes import tokens_of as tokens_of
from .classify import Probe as Probe
from .control import ControlTask as ControlTask
from .control import baselines as baselines
from .control import selectivity as selectivity
from .control import untrained as untrained
from .description import Description as Description
from .description import online_code as online_code
from .linear import Linear as Linear
from .looking import ArcScores as ArcScores
from .looking import head_arcs as head_arcs
from .looking import word_attention as word_attention
from .mlp import MLP as MLP
from .pairs import arc_pairs as arc_pairs
from .pairs import pairs_of as pairs_of
from .remembered import forget as forget
from .scoring import sentence_scores as sentence_scores
from .structural import StructuralProbe as StructuralProbe
from .structural import chain as chain
from .structural import spanning_tree as spanning_tree
from .structural import tree_distances as tree_distances
from .structural import uuas as uuas
from .units import Sparse as Sparse
from .units import mean_differences as mean_differences
from .units import ranked as ranked
from .units import with_units as with_units
from .word_states import States as States
from .word_states import pooled as pooled
from .word_states import states as states

__all__ = [
    "ArcScores",
    "ControlTask",
    "Description",
    "Linear",
    "MLP",
    "PairScores",
    "Probe",
    "Scores",
    "Sparse",
    "States",
    "StructuralProbe",
    "arc_pairs",
    "attribution",
    "baselines",
    "behaviour",
    "by_layer",
    "by_word",
    "chain",
    "changed",
    "changes",
    "classify",
    "control",
    "description",
    "erasure",
    "forget",
    "gradient_times_input",
    "head_arcs",
    "integrated_gradients",
    "linear",
    "looking",
    "mean_differences",
    "minimal_pairs",
    "mlp",
    "online_code",
    "pairs",
    "pairs_of",
    "patched",
    "places",
    "pooled",
    "probe",
    "rank_agreement",
    "ranked",
    "recorded",
    "remembered",
    "rollout",
    "scoring",
    "selectivity",
    "sentence_scores",
    "spanning_tree",
    "states",
    "structural",
    "tokens_of",
    "tree_distances",
    "units",
    "untrained",
    "uuas",
    "with_units",
    "word_attention",
    "word_states",
]
