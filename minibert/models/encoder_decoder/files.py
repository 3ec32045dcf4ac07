"""An `EncoderDecoder` in one folder: both models in folders of their own, and what is new.

``encoder_decoder.json`` says of which class the encoder is; ``encoder`` and ``decoder`` hold what
the models themselves write; the new layers are in ``cross.safetensors``, named by their block.
"""

import json
from pathlib import Path

from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.base import Pretrained, check_nothing_added
from minibert.models.bert.left_to_right import LeftToRight
from minibert.models.bert.model import BERT
from minibert.models.elmo.model import ELMo
from minibert.models.encoder_decoder.model import EncoderDecoder
from minibert.models.gpt.model import GPT
from minibert.storage.checkpoint import load_tensors, pack, unpack
from minibert.storage.safe_files import read_json, write

TOLD, CROSS, ENCODER, DECODER = "encoder_decoder.json", "cross.safetensors", "encoder", "decoder"
MODELS: dict[str, type[Pretrained]] = {
    cls.__name__: cls for cls in (BERT, LeftToRight, GPT, AWDLSTM, ELMo)
}


def save(model: EncoderDecoder, folder: str | Path) -> None:
    """Write what `load` reads; ValueError for an encoder that no folder can hold."""
    folder, name = Path(folder), type(model.encoder).__name__
    if MODELS.get(name) is not type(model.encoder):
        known = ", ".join(MODELS)
        raise ValueError(f"a {name} cannot be saved as an encoder; what can is one of {known}")
    check_nothing_added(model.encoder)
    check_nothing_added(model.decoder)
    model.encoder.save_pretrained(folder / ENCODER)
    model.decoder.save_pretrained(folder / DECODER)
    write(folder / CROSS, pack(model.new_layers.state_dict()))
    write(folder / TOLD, json.dumps({"encoder": name}, indent=2).encode() + b"\n")


def load(source: str | Path) -> EncoderDecoder:
    """An `EncoderDecoder` from a folder, in eval mode.

    Raises FileNotFoundError for a missing file; ValueError for names and tensors that do not fit.
    """
    path = Path(source)
    told = read_json(path / TOLD)
    name = told.get("encoder") if isinstance(told, dict) and len(told) == 1 else None
    if name not in [*MODELS]:
        known = f"one encoder of {', '.join(MODELS)}"
        raise ValueError(f"expected {known} in {path / TOLD}, got {told!r:.80}")
    tensors = unpack((path / CROSS).read_bytes())
    first = tensors.get("0.cross.key.weight")  # (dim, width)
    if first is None or first.ndim != 2:
        raise ValueError(f"{path / CROSS} has no layers that look at an encoder")
    encoder = MODELS[name].from_pretrained(path / ENCODER)
    decoder = GPT.from_pretrained(path / DECODER)
    model = EncoderDecoder(encoder, decoder, first.shape[1])
    load_tensors(model.new_layers, tensors, path / CROSS)
    return model.eval()
