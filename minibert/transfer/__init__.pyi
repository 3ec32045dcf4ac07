from . import adapters as adapters
from . import added as added
from . import anchors as anchors
from . import auxiliary as auxiliary
from . import bitfit as bitfit
from . import consistency as consistency
from . import distillation as distillation
from . import fisher_information as fisher_information
from . import groups as groups
from . import labelling as labelling
from . import lora as lora
from . import mixing as mixing
from . import pal as pal
from . import places as places
from . import prompts as prompts
from . import saved as saved
from . import schedules as schedules
from . import slices as slices
from . import stages as stages
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
from .anchors import EWC as EWC
from .anchors import L2SP as L2SP
from .anchors import LwF as LwF
from .anchors import anchored as anchored
from .auxiliary import Annealed as Annealed
from .auxiliary import WithLanguageModel as WithLanguageModel
from .auxiliary import exponential as exponential
from .consistency import Consistency as Consistency
from .consistency import Unlabelled as Unlabelled
from .consistency import synonyms as synonyms
from .consistency import training_signal as training_signal
from .consistency import word_dropout as word_dropout
from .distillation import Distilled as Distilled
from .distillation import soft_examples as soft_examples
from .fisher_information import fisher as fisher
from .groups import discriminative_groups as discriminative_groups
from .groups import layer_groups as layer_groups
from .labelling import ABSTAIN as ABSTAIN
from .labelling import LabelModel as LabelModel
from .labelling import VoteRates as VoteRates
from .labelling import majority as majority
from .labelling import vote_rates as vote_rates
from .labelling import votes as votes
from .lora import LoRALinear as LoRALinear
from .mixing import LossByTask as LossByTask
from .mixing import MixedBatches as MixedBatches
from .mixing import Multitask as Multitask
from .mixing import SideBySide as SideBySide
from .saved import load_added as load_added
from .saved import load_head as load_head
from .saved import save_added as save_added
from .schedules import ORDERS as ORDERS
from .schedules import Follow as Follow
from .schedules import following as following
from .schedules import freeze as freeze
from .schedules import rates as rates
from .slices import SlicedClassifier as SlicedClassifier
from .slices import score_by_slice as score_by_slice
from .stages import Adapted as Adapted
from .stages import ULMFiTConfig as ULMFiTConfig
from .stages import ulmfit as ulmfit
from .vocabulary import with_vocabulary as with_vocabulary

__all__ = [
    "ABSTAIN",
    "Adapted",
    "Adapter",
    "Added",
    "Annealed",
    "Consistency",
    "Counts",
    "Distilled",
    "EWC",
    "Follow",
    "L2SP",
    "LabelModel",
    "LoRALinear",
    "LossByTask",
    "LwF",
    "METHODS",
    "MixedBatches",
    "Multitask",
    "ORDERS",
    "SideBySide",
    "SlicedClassifier",
    "ULMFiTConfig",
    "Unlabelled",
    "VoteRates",
    "WithLanguageModel",
    "adapters",
    "add",
    "added",
    "added_to",
    "anchored",
    "anchors",
    "auxiliary",
    "bitfit",
    "consistency",
    "counts",
    "discriminative_groups",
    "distillation",
    "exponential",
    "fingerprint",
    "fisher",
    "fisher_information",
    "following",
    "freeze",
    "groups",
    "labelling",
    "layer_groups",
    "load_added",
    "load_head",
    "lora",
    "majority",
    "merge",
    "mixing",
    "pal",
    "places",
    "prompts",
    "rates",
    "remove",
    "save_added",
    "saved",
    "schedules",
    "score_by_slice",
    "slices",
    "soft_examples",
    "stages",
    "synonyms",
    "training_signal",
    "ulmfit",
    "unmerge",
    "vocabulary",
    "vote_rates",
    "votes",
    "with_vocabulary",
    "word_dropout",
]
