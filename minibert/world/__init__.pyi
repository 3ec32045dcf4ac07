from . import arcs as arcs
from . import asking as asking
from . import base as base
from . import constituents as constituents
from . import document as document
from . import exact as exact
from . import generator as generator
from . import kinds as kinds
from . import lexicon as lexicon
from . import morphology as morphology
from . import people as people
from . import phrases as phrases
from . import phrasing as phrasing
from . import places as places
from . import plots as plots
from . import reading as reading
from . import tasksets as tasksets
from . import telling as telling
from . import template as template
from . import trades as trades
from . import trees as trees
from . import words as words
from . import works as works
from . import writer as writer
from .base import World as World
from .base import world as world
from .document import Corpus as Corpus
from .document import Document as Document
from .document import Sentence as Sentence
from .generator import generate as generate
from .generator import sample as sample
from .generator import stream as stream
from .tasksets import task as task
from .tasksets import tasks as tasks
from .trees import Tree as Tree

__all__ = [
    "Corpus",
    "Document",
    "Sentence",
    "Tree",
    "World",
    "arcs",
    "asking",
    "base",
    "constituents",
    "document",
    "exact",
    "generate",
    "generator",
    "kinds",
    "lexicon",
    "morphology",
    "people",
    "phrases",
    "phrasing",
    "places",
    "plots",
    "reading",
    "sample",
    "stream",
    "task",
    "tasks",
    "tasksets",
    "telling",
    "template",
    "trades",
    "trees",
    "words",
    "works",
    "world",
    "writer",
]
