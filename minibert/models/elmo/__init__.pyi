from . import fast as fast
from . import files as files
from . import model as model
from . import parts as parts
from .model import ELMo as ELMo
from .model import ELMoConfig as ELMoConfig
from .parts import ScalarMix as ScalarMix
