from . import catalogue as catalogue
from . import corpora as corpora
from . import examples as examples
from . import fetch as fetch
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

__all__ = [
    "Analogies",
    "Examples",
    "LabelledTexts",
    "RatedPairs",
    "Splits",
    "TextCorpus",
    "catalogue",
    "corpora",
    "datasets",
    "examples",
    "fetch",
    "get",
    "load",
    "own_files",
    "packages",
    "published",
    "readers",
    "registry",
    "sources",
    "tagged_words",
]
