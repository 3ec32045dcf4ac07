from . import catalogue as catalogue
from . import corpora as corpora
from . import fetch as fetch
from . import readers as readers
from . import registry as registry
from . import sources as sources
from .catalogue import datasets as datasets
from .catalogue import get as get
from .catalogue import load as load
from .corpora import Analogies as Analogies
from .corpora import Examples as Examples
from .corpora import LabelledTexts as LabelledTexts
from .corpora import Similarity as Similarity
from .corpora import Splits as Splits
from .corpora import TextCorpus as TextCorpus

__all__ = [
    "Analogies",
    "Examples",
    "LabelledTexts",
    "Similarity",
    "Splits",
    "TextCorpus",
    "catalogue",
    "corpora",
    "datasets",
    "fetch",
    "get",
    "load",
    "readers",
    "registry",
    "sources",
]
