from . import attachment as attachment
from . import causal as causal
from . import classify as classify
from . import context_encoder as context_encoder
from . import dialogue as dialogue
from . import ensemble as ensemble
from . import features as features
from . import files as files
from . import from_d2l as from_d2l
from . import head as head
from . import labels as labels
from . import language as language
from . import last_token as last_token
from . import pair as pair
from . import parser as parser
from . import pooling as pooling
from . import predictions as predictions
from . import reading as reading
from . import spans as spans
from . import squad as squad
from . import tagger as tagger
from . import tree_decoding as tree_decoding
from . import vector_classifiers as vector_classifiers
from .attachment import attachment_scores as attachment_scores
from .causal import CausalLM as CausalLM
from .causal import DoubleHeads as DoubleHeads
from .classify import SequenceClassifier as SequenceClassifier
from .classify import TokenClassifier as TokenClassifier
from .classify import word_examples as word_examples
from .context_encoder import ContextEncoder as ContextEncoder
from .context_encoder import Live as Live
from .context_encoder import Remembered as Remembered
from .dialogue import Ranked as Ranked
from .dialogue import dialogue_examples as dialogue_examples
from .dialogue import dialogue_scores as dialogue_scores
from .dialogue import hits_at_1 as hits_at_1
from .dialogue import mean_reciprocal_rank as mean_reciprocal_rank
from .dialogue import rank_replies as rank_replies
from .dialogue import reply as reply
from .dialogue import talking as talking
from .ensemble import averaged as averaged
from .features import LayerMix as LayerMix
from .files import load as load
from .labels import Labels as Labels
from .language import MaskedLM as MaskedLM
from .language import NextSentence as NextSentence
from .language import Pretraining as Pretraining
from .last_token import LastToken as LastToken
from .last_token import MultipleChoice as MultipleChoice
from .last_token import Similarity as Similarity
from .last_token import framed as framed
from .pair import PairClassifier as PairClassifier
from .parser import Parser as Parser
from .pooling import Ensemble as Ensemble
from .pooling import PoolingClassifier as PoolingClassifier
from .predictions import Predictions as Predictions
from .predictions import pair_accuracy as pair_accuracy
from .predictions import predict as predict
from .predictions import run as run
from .predictions import tagged as tagged
from .spans import SpanExtractor as SpanExtractor
from .spans import answer as answer
from .spans import best_threshold as best_threshold
from .spans import span_examples as span_examples
from .squad import squad2_scores as squad2_scores
from .squad import squad_scores as squad_scores
from .tagger import Tagger as Tagger
from .tagger import share_right as share_right
from .tagger import span_f1 as span_f1
from .tree_decoding import check_tree as check_tree
from .tree_decoding import highest_tree as highest_tree
from .vector_classifiers import CNNClassifier as CNNClassifier
from .vector_classifiers import RNNClassifier as RNNClassifier
from .vector_classifiers import Table as Table

__all__ = [
    "CNNClassifier",
    "CausalLM",
    "ContextEncoder",
    "DoubleHeads",
    "Ensemble",
    "Labels",
    "LastToken",
    "LayerMix",
    "Live",
    "MaskedLM",
    "MultipleChoice",
    "NextSentence",
    "PairClassifier",
    "Parser",
    "PoolingClassifier",
    "Predictions",
    "Pretraining",
    "RNNClassifier",
    "Ranked",
    "Remembered",
    "SequenceClassifier",
    "Similarity",
    "SpanExtractor",
    "Table",
    "Tagger",
    "TokenClassifier",
    "answer",
    "attachment",
    "attachment_scores",
    "averaged",
    "best_threshold",
    "causal",
    "check_tree",
    "classify",
    "context_encoder",
    "dialogue",
    "dialogue_examples",
    "dialogue_scores",
    "ensemble",
    "features",
    "files",
    "framed",
    "from_d2l",
    "head",
    "highest_tree",
    "hits_at_1",
    "labels",
    "language",
    "last_token",
    "load",
    "mean_reciprocal_rank",
    "pair",
    "pair_accuracy",
    "parser",
    "pooling",
    "predict",
    "predictions",
    "rank_replies",
    "reading",
    "reply",
    "run",
    "share_right",
    "span_examples",
    "span_f1",
    "spans",
    "squad",
    "squad2_scores",
    "squad_scores",
    "tagged",
    "tagger",
    "talking",
    "tree_decoding",
    "vector_classifiers",
    "word_examples",
]
