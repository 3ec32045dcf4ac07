from . import catalogue as catalogue
from . import corpora as corpora
from . import dialogues as dialogues
from . import examples as examples
from . import fetch as fetch
from . import minimal_pairs as minimal_pairs
from . import own_files as own_files
from . import packages as packages
from . import published as published
from . import readers as readers
from . import registry as registry
from . import sources as sources
from . import tagged_words as tagged_words
from .catalogue import datasets as datasets
from .catalogue import get as get
from .catalogue import load as load
from .corpora import Analogies as Analogies
from .corpora import Examples as Examples
from .corpora import LabelledTexts as LabelledTexts
from .corpora import RatedPairs as RatedPairs
from .corpora import Splits as Splits
from .corpora import TextCorpus as TextCorpus
from .dialogues import Dialogues as Dialogues
from .dialogues import Exchange as Exchange
from .minimal_pairs import SentencePairs as SentencePairs
from .minimal_pairs import pairs as pairs

__all__ = [
    "Analogies",
    "Dialogues",
    "Examples",
    "Exchange",
    "LabelledTexts",
    "RatedPairs",
    "SentencePairs",
    "Splits",
    "TextCorpus",
    "catalogue",
    "corpora",
    "datasets",
    "dialogues",
    "examples",
    "fetch",
    "get",
    "load",
    "minimal_pairs",
    "own_files",
    "packages",
    "pairs",
    "published",
    "readers",
    "registry",
    "sources",
    "tagged_words",
]
