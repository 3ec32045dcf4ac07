from . import added as added
from . import basic as basic
from . import batches as batches
from . import bidirectional as bidirectional
from . import bpe as bpe
from . import cache as cache
from . import characters as characters
from . import framing as framing
from . import inputs as inputs
from . import mapped as mapped
from . import masking as masking
from . import merges as merges
from . import sentences as sentences
from . import tokenizer_files as tokenizer_files
from . import tokenizer_json as tokenizer_json
from . import tokens as tokens
from . import unicode8 as unicode8
from . import vocab as vocab
from . import windows as windows
from . import wordpiece as wordpiece
from .batches import ArrayBatches as ArrayBatches
from .batches import Batch as Batch
from .batches import Batches as Batches
from .batches import BlockBatches as BlockBatches
from .batches import BPTTBatches as BPTTBatches
from .batches import ListBatches as ListBatches
from .batches import PaddedBatches as PaddedBatches
from .batches import RowBatches as RowBatches
from .bidirectional import BidirectionalBatches as BidirectionalBatches
from .bpe import BPE as BPE
from .framing import FramedBatches as FramedBatches
from .framing import Framing as Framing
from .masking import Documents as Documents
from .masking import PretrainingBatches as PretrainingBatches
from .masking import ShortThenLong as ShortThenLong
from .masking import mask_tokens as mask_tokens
from .tokens import Tokenizer as Tokenizer
from .tokens import detokenise as detokenise
from .tokens import tokenise as tokenise
from .vocab import Vocab as Vocab
from .windows import WindowBatches as WindowBatches
from .wordpiece import WordPiece as WordPiece

__all__ = [
    "ArrayBatches",
    "BPE",
    "BPTTBatches",
    "Batch",
    "Batches",
    "BidirectionalBatches",
    "BlockBatches",
    "Documents",
    "FramedBatches",
    "Framing",
    "ListBatches",
    "PaddedBatches",
    "PretrainingBatches",
    "RowBatches",
    "ShortThenLong",
    "Tokenizer",
    "Vocab",
    "WindowBatches",
    "WordPiece",
    "added",
    "basic",
    "batches",
    "bidirectional",
    "bpe",
    "cache",
    "characters",
    "detokenise",
    "framing",
    "inputs",
    "mapped",
    "mask_tokens",
    "masking",
    "merges",
    "sentences",
    "tokenise",
    "tokenizer_files",
    "tokenizer_json",
    "tokens",
    "unicode8",
    "vocab",
    "windows",
    "wordpiece",
]
