"""What the readers of the authors' own files share: every variable has its place.

The files of Google's BERT and of OpenAI's GPT and GPT-2 have TensorFlow's names. A reader says
under which published name each is wanted; what an optimiser left there stays out; anything else is
refused by name.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import torch

from minibert.storage.checkpoint import refuse
from minibert.storage.tensor_bundle import TensorBundle

OPTIMISER = re.compile(  # Adam's two means of each variable, and what it counts
    r"(.+/)?(adam_[mv]|Adam(_1)?|AdamWeightDecayOptimizer(_1)?)"
    r"|global_step|beta[12]_power|good_steps|loss_scale"
)
Names = Mapping[str, str]
LATEST = re.compile(r'model_checkpoint_path: "(?:[^"\n]*/)?([^"/\n]+)"')  # of the file "checkpoint"


def places(
    names: Collection[str], wanted: Names, source: object, required: Iterable[str] = ()
) -> dict[str, str]:
    """The published name of each variable of a file, without the optimiser's.

    wanted: the published name of each that is known; required: those without which there is no
    model. Raises ValueError, naming them, for missing and for unknown ones.
    """
    missing = [name for name in required if name not in names]
    unknown = [n for n in names if n not in wanted and not OPTIMISER.fullmatch(n)]
    sentence = f"the variables of {source} are not those of its configuration"
    refuse({"missing": missing, "unknown": unknown}, sentence)
    return {name: wanted[name] for name in names if name in wanted}


def tensors(
    found: Names, arrays: Mapping[str, np.ndarray], source: object
) -> dict[str, torch.Tensor]:
    """The tensors that have `places`, by published names, in float32; ValueError for others."""
    given = {}
    for name, ours in found.items():
        array = arrays[name]
        if array.dtype.kind != "f":
            raise ValueError(f"{name} in {source} has no floating-point numbers")
        given[ours] = torch.from_numpy(np.ascontiguousarray(array, np.float32))
    return given


def bundle(folder: str | Path, name: str, layers: int) -> TensorBundle:
    """The checkpoint ``name`` of a folder; without one, that which its file "checkpoint" names.

    Raises as `TensorBundle`; ValueError where it cannot hold ``layers``.
    """
    folder = Path(folder)
    if not (folder / f"{name}.index").is_file() and (folder / "checkpoint").is_file():
        told = LATEST.match((folder / "checkpoint").read_bytes()[:4096].decode(errors="replace"))
        name = told[1] if told else name
    found = TensorBundle(folder / name)
    if layers > len(found):
        raise ValueError(f"{folder} says {layers:,} layers, and has {len(found):,} variables")
    return found


def size(config: Mapping, name: str, source: object) -> int:
    """A positive whole number of a configuration; ValueError where it is none, or missing."""
    value = config.get(name)
    if type(value) is not int or value < 1:
        told = "nothing" if value is None else repr(value)[:40]
        raise ValueError(f"expected {name} to be a positive whole number in {source}, got {told}")
    return value
