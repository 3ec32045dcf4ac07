from . import adapters as adapters
from . import added as added
from . import auxiliary as auxiliary
from . import bitfit as bitfit
from . import consistency as consistency
from . import groups as groups
from . import lora as lora
from . import mixing as mixing
from . import pal as pal
from . import places as places
from . import prompts as prompts
from . import saved as saved
from . import slices as slices
from . import stages as stages
from . import unfreezing as unfreezing
from . import vocabulary as vocabulary
from .adapters import Adapter as Adapter
from .added import METHODS as METHODS
from .added import Added as Added
from .added import Counts as Counts
from .added import add as add
from .added import added_to as added_to
from .added import counts as counts
from .added import fingerprint as fingerprint
from .added import merge as merge
from .added import remove as remove
from .added import unmerge as unmerge
from .auxiliary import Annealed as Annealed
from .auxiliary import WithLanguageModel as WithLanguageModel
from .auxiliary import exponential as exponential
from .consistency import Consistency as Consistency
from .consistency import Unlabelled as Unlabelled
from .consistency import synonyms as synonyms
from .consistency import training_signal as training_signal
from .consistency import word_dropout as word_dropout
from .groups import discriminative_groups as discriminative_groups
from .groups import layer_groups as layer_groups
from .lora import LoRALinear as LoRALinear
from .mixing import LossByTask as LossByTask
from .mixing import MixedBatches as MixedBatches
from .mixing import Multitask as Multitask
from .mixing import SideBySide as SideBySide
from .saved import load_added as load_added
from .saved import save_added as save_added
from .slices import SlicedClassifier as SlicedClassifier
from .slices import score_by_slice as score_by_slice
from .stages import Adapted as Adapted
from .stages import ULMFiTConfig as ULMFiTConfig
from .stages import ulmfit as ulmfit
from .unfreezing import GradualUnfreezing as GradualUnfreezing
from .unfreezing import freeze as freeze
from .vocabulary import with_vocabulary as with_vocabulary

__all__ = [
    "Adapted",
    "Adapter",
    "Added",
    "Annealed",
    "Consistency",
    "Counts",
    "GradualUnfreezing",
    "LoRALinear",
    "LossByTask",
    "METHODS",
    "MixedBatches",
    "Multitask",
    "SideBySide",
    "SlicedClassifier",
    "ULMFiTConfig",
    "Unlabelled",
    "WithLanguageModel",
    "adapters",
    "add",
    "added",
    "added_to",
    "auxiliary",
    "bitfit",
    "consistency",
    "counts",
    "discriminative_groups",
    "exponential",
    "fingerprint",
    "freeze",
    "groups",
    "layer_groups",
    "load_added",
    "lora",
    "merge",
    "mixing",
    "pal",
    "places",
    "prompts",
    "remove",
    "save_added",
    "saved",
    "score_by_slice",
    "slices",
    "stages",
    "synonyms",
    "training_signal",
    "ulmfit",
    "unfreezing",
    "unmerge",
    "vocabulary",
    "with_vocabulary",
    "word_dropout",
]
