"""What the readers of the authors' own files share: every variable has its place.

The files of Google's BERT and of OpenAI's GPT and GPT-2 have TensorFlow's names. A reader says
under which published name each is wanted; what an optimiser left there stays out; anything else is
refused by name. `table` prints what went where.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from minibert.storage.checkpoint import refuse
from minibert.storage.tensor_bundle import TensorBundle

OPTIMISER = re.compile(  # Adam's two means of each variable, and what it counts
    r"(.+/)?(adam_[mv]|Adam(_1)?|AdamWeightDecayOptimizer(_1)?)"
    r"|global_step|beta[12]_power|good_steps|loss_scale"
)
LEFT_OUT = "left out: the optimiser's"
LATEST = re.compile(r'model_checkpoint_path: "(?:[^"\n]*/)?([^"/\n]+)"')  # of the file "checkpoint"


@dataclass
class Row:
    """One variable of a file: its ``name`` and ``shape`` there, and what it ``went`` to."""

    name: str
    shape: tuple[int, ...]
    went: str


def rows(shapes: Mapping[str, tuple], wanted: Mapping[str, str], source, required=()) -> list[Row]:
    """Where each variable goes, in the file's order.

    shapes: of each variable, by its name. wanted: the published name of each that is known;
    required: those without which there is no model. Raises ValueError, naming them, for variables
    that are missing and for unknown ones.
    """
    missing = [name for name in required if name not in shapes]
    unknown = [n for n in shapes if n not in wanted and not OPTIMISER.fullmatch(n)]
    sentence = f"the variables of {source} are not those of its configuration"
    refuse({"missing": missing, "unknown": unknown}, sentence)
    return [Row(name, tuple(shapes[name]), wanted.get(name, LEFT_OUT)) for name in shapes]


def tensors(found: Iterable[Row], arrays: Mapping[str, np.ndarray], source) -> dict:
    """The tensors by their published names, in float32; those that were left out are not read.

    Raises ValueError, naming it, for a variable of other than floating-point numbers.
    """
    given = {}
    for row in found:
        if row.went != LEFT_OUT:
            array = arrays[row.name]
            if array.dtype.kind != "f":
                raise ValueError(f"{row.name} in {source} has no floating-point numbers")
            given[row.went] = torch.from_numpy(np.ascontiguousarray(array, np.float32))
    return given


def table(found: Iterable[Row]) -> str:
    """Rows as text to be printed: name in the file, shape, and where it went."""
    lines = [(row.name, " × ".join(map(str, row.shape)) or "one number", row.went) for row in found]
    lines.insert(0, ("in the file", "shape", "went to"))
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    return "\n".join(f"{a:{widths[0]}}  {b:{widths[1]}}  {c}" for a, b, c in lines)


def bundle(folder: str | Path, name: str, layers: int) -> TensorBundle:
    """The checkpoint ``name`` of a folder; without one, that which its file "checkpoint" names.

    Raises FileNotFoundError where neither is there, ValueError where it cannot hold ``layers``, and
    as `TensorBundle` does.
    """
    folder = Path(folder)
    if not (folder / f"{name}.index").is_file() and (folder / "checkpoint").is_file():
        told = LATEST.match((folder / "checkpoint").read_bytes()[:4096].decode(errors="replace"))
        name = told[1] if told else name
    found = TensorBundle(folder / name)
    if layers > len(found):
        raise ValueError(f"{folder} says {layers:,} layers, and has {len(found):,} variables")
    return found


def size(config: Mapping, name: str, source) -> int:
    """A positive whole number of a configuration; ValueError where it is none, or missing."""
    value = config.get(name)
    if type(value) is not int or value < 1:
        told = "nothing" if value is None else repr(value)[:40]
        raise ValueError(f"expected {name} to be a positive whole number in {source}, got {told}")
    return value
