from . import answer as answer
from . import attention as attention
from . import cloze as cloze
from . import curves as curves
from . import figures as figures
from . import generation as generation
from . import inside_figure as inside_figure
from . import inside_widget as inside_widget
from . import layers as layers
from . import maps as maps
from . import merges as merges
from . import outlook as outlook
from . import passes as passes
from . import schedules as schedules
from . import vectors as vectors
from . import widget as widget
from . import wordmap as wordmap
from .answer import AnswerExplorer as AnswerExplorer
from .attention import AttentionExplorer as AttentionExplorer
from .cloze import ClozePlayground as ClozePlayground
from .cloze import world_truths as world_truths
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
from .inside_widget import Inside as Inside
from .inside_widget import inside as inside
from .layers import LayerExplorer as LayerExplorer
from .maps import heatmap as heatmap
from .maps import pca as pca
from .merges import MergeExplorer as MergeExplorer
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
    "Frame",
    "GenerationExplorer",
    "Inside",
    "Interactive",
    "LayerExplorer",
    "MergeExplorer",
    "PALETTE",
    "Picture",
    "VectorExplorer",
    "answer",
    "attention",
    "bars",
    "cloze",
    "curves",
    "effects",
    "figure",
    "figures",
    "generation",
    "heatmap",
    "inside",
    "inside_figure",
    "inside_widget",
    "interval",
    "layers",
    "loss_curve",
    "maps",
    "merges",
    "name_points",
    "new",
    "outlook",
    "passes",
    "pca",
    "png",
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
