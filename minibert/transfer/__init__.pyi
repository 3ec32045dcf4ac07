from . import groups as groups
from . import stages as stages
from . import unfreezing as unfreezing
from . import vocabulary as vocabulary
from .groups import discriminative_groups as discriminative_groups
from .groups import layer_groups as layer_groups
from .stages import Adapted as Adapted
from .stages import ULMFiTConfig as ULMFiTConfig
from .stages import ulmfit as ulmfit
from .unfreezing import GradualUnfreezing as GradualUnfreezing
from .unfreezing import freeze as freeze
from .vocabulary import with_vocabulary as with_vocabulary

__all__ = [
    "Adapted",
    "GradualUnfreezing",
    "ULMFiTConfig",
    "discriminative_groups",
    "freeze",
    "groups",
    "layer_groups",
    "stages",
    "ulmfit",
    "unfreezing",
    "vocabulary",
    "with_vocabulary",
]
