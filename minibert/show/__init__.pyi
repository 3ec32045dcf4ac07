from . import answer as answer
from . import attention as attention
from . import cloze as cloze
from . import coloured as coloured
from . import context_map as context_map
from . import curves as curves
from . import figures as figures
from . import generation as generation
from . import heads_explorer as heads_explorer
from . import inside_figure as inside_figure
from . import inside_page as inside_page
from . import inside_widget as inside_widget
from . import layers as layers
from . import maps as maps
from . import merges as merges
from . import neurons as neurons
from . import outlook as outlook
from . import passes as passes
from . import probe_bench as probe_bench
from . import schedules as schedules
from . import vectors as vectors
from . import widget as widget
from . import wordmap as wordmap
from .answer import AnswerExplorer as AnswerExplorer
from .attention import AttentionExplorer as AttentionExplorer
from .cloze import ClozePlayground as ClozePlayground
from .cloze import world_truths as world_truths
from .coloured import coloured_text as coloured_text
from .context_map import ContextMap as ContextMap
from .curves import bars as bars
from .curves import effects as effects
from .curves import interval as interval
from .curves import loss_curve as loss_curve
from .curves import spread as spread
from .curves import zipf as zipf
from .figures import PALETTE as PALETTE
from .figures import Picture as Picture
from .figures import figure as figure
from .figures import new as new
from .figures import png as png
from .figures import style as style
from .figures import text_html as text_html
from .generation import GenerationExplorer as GenerationExplorer
from .heads_explorer import HeadsExplorer as HeadsExplorer
from .inside_widget import Inside as Inside
from .inside_widget import inside as inside
from .layers import LayerExplorer as LayerExplorer
from .maps import heatmap as heatmap
from .maps import pca as pca
from .merges import MergeExplorer as MergeExplorer
from .neurons import NeuronExplorer as NeuronExplorer
from .probe_bench import ProbeBench as ProbeBench
from .schedules import rate_map as rate_map
from .vectors import VectorExplorer as VectorExplorer
from .widget import Frame as Frame
from .widget import Interactive as Interactive
from .wordmap import name_points as name_points
from .wordmap import scatter_words as scatter_words

__all__ = [
    "AnswerExplorer",
    "AttentionExplorer",
    "ClozePlayground",
    "ContextMap",
    "Frame",
    "GenerationExplorer",
    "HeadsExplorer",
    "Inside",
    "Interactive",
    "LayerExplorer",
    "MergeExplorer",
    "NeuronExplorer",
    "PALETTE",
    "Picture",
    "ProbeBench",
    "VectorExplorer",
    "answer",
    "attention",
    "bars",
    "cloze",
    "coloured",
    "coloured_text",
    "context_map",
    "curves",
    "effects",
    "figure",
    "figures",
    "generation",
    "heads_explorer",
    "heatmap",
    "inside",
    "inside_figure",
    "inside_page",
    "inside_widget",
    "interval",
    "layers",
    "loss_curve",
    "maps",
    "merges",
    "name_points",
    "neurons",
    "new",
    "outlook",
    "passes",
    "pca",
    "png",
    "probe_bench",
    "rate_map",
    "scatter_words",
    "schedules",
    "spread",
    "style",
    "text_html",
    "vectors",
    "widget",
    "wordmap",
    "world_truths",
    "zipf",
]
