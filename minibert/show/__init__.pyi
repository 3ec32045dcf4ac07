from . import action as action
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
from . import live_training as live_training
from . import long_reader as long_reader
from . import maps as maps
from . import merges as merges
from . import neurons as neurons
from . import outlook as outlook
from . import passes as passes
from . import persona_chat as persona_chat
from . import probe_bench as probe_bench
from . import reply_figure as reply_figure
from . import schedules as schedules
from . import task_figure as task_figure
from . import task_mixer as task_mixer
from . import trade_off_explorer as trade_off_explorer
from . import trade_offs as trade_offs
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
from .live_training import LiveTraining as LiveTraining
from .long_reader import LongReader as LongReader
from .long_reader import window_bars as window_bars
from .maps import heatmap as heatmap
from .maps import pca as pca
from .merges import MergeExplorer as MergeExplorer
from .neurons import NeuronExplorer as NeuronExplorer
from .persona_chat import PersonaChat as PersonaChat
from .probe_bench import ProbeBench as ProbeBench
from .reply_figure import reply_bars as reply_bars
from .reply_figure import talk_strip as talk_strip
from .schedules import rate_map as rate_map
from .task_figure import task_losses as task_losses
from .task_figure import task_shares as task_shares
from .task_mixer import TaskMixer as TaskMixer
from .trade_off_explorer import TradeOffExplorer as TradeOffExplorer
from .trade_offs import TradeOffs as TradeOffs
from .trade_offs import stored_runs as stored_runs
from .trade_offs import trade_off as trade_off
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
    "LiveTraining",
    "LongReader",
    "MergeExplorer",
    "NeuronExplorer",
    "PALETTE",
    "PersonaChat",
    "Picture",
    "ProbeBench",
    "TaskMixer",
    "TradeOffExplorer",
    "TradeOffs",
    "VectorExplorer",
    "action",
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
    "live_training",
    "long_reader",
    "loss_curve",
    "maps",
    "merges",
    "name_points",
    "neurons",
    "new",
    "outlook",
    "passes",
    "pca",
    "persona_chat",
    "png",
    "probe_bench",
    "rate_map",
    "reply_bars",
    "reply_figure",
    "scatter_words",
    "schedules",
    "spread",
    "stored_runs",
    "style",
    "talk_strip",
    "task_figure",
    "task_losses",
    "task_mixer",
    "task_shares",
    "text_html",
    "trade_off",
    "trade_off_explorer",
    "trade_offs",
    "vectors",
    "widget",
    "window_bars",
    "wordmap",
    "world_truths",
    "zipf",
]
