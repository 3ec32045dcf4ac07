from . import files as files
from . import model as model
from .model import EncoderDecoder as EncoderDecoder
