from . import adapters as adapters
from . import added as added
from . import anchors as anchors
from . import bitfit as bitfit
from . import fisher_information as fisher_information
from . import groups as groups
from . import lora as lora
from . import pal as pal
from . import places as places
from . import prompts as prompts
from . import saved as saved
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
from .anchors import EWC as EWC
from .anchors import L2SP as L2SP
from .anchors import LwF as LwF
from .anchors import anchored as anchored
from .fisher_information import fisher as fisher
from .groups import discriminative_groups as discriminative_groups
from .groups import layer_groups as layer_groups
from .lora import LoRALinear as LoRALinear
from .saved import load_added as load_added
from .saved import save_added as save_added
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
    "Counts",
    "EWC",
    "GradualUnfreezing",
    "L2SP",
    "LoRALinear",
    "LwF",
    "METHODS",
    "ULMFiTConfig",
    "adapters",
    "add",
    "added",
    "added_to",
    "anchored",
    "anchors",
    "bitfit",
    "counts",
    "discriminative_groups",
    "fingerprint",
    "fisher",
    "fisher_information",
    "freeze",
    "groups",
    "layer_groups",
    "load_added",
    "lora",
    "merge",
    "pal",
    "places",
    "prompts",
    "remove",
    "save_added",
    "saved",
    "stages",
    "ulmfit",
    "unfreezing",
    "unmerge",
    "vocabulary",
    "with_vocabulary",
]
