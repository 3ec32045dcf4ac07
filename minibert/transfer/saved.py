"""What was added to a model, in a folder of its own: the model itself is not in it."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from minibert.heads.head import base_of
from minibert.storage.checkpoint import pack, unpack
from minibert.storage.safe_files import explained, read_json, write
from minibert.transfer.added import METHODS, add, added_to, fingerprint, remove

CONFIG, WEIGHTS = "added.json", "added.safetensors"


def save_added(model: nn.Module, folder: str | Path) -> None:
    """Write what was added to a model and everything else that learns, such as a head's layer.

    Raises ValueError for a model to which nothing was added, or whose LoRA is merged.
    """
    added = added_to(model)
    if added is None or added.merged is not None:
        told = "nothing was added to this model" if added is None else "lora is merged: unmerge it"
        raise ValueError(f"expected a model with something added to it, but {told}")
    learned = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    about = {"method": added.method, "settings": added.settings, "base": added.base}
    write(Path(folder) / WEIGHTS, pack(learned))
    write(Path(folder) / CONFIG, json.dumps(about, indent=2).encode() + b"\n")


def load_added(model: nn.Module, folder: str | Path) -> None:
    """Add to a model what `save_added` wrote, in eval mode.

    ``model``: the very model, or a head on it of the same shape, as it was before; ValueError for
    another one, and for a folder that holds something else. The model is then as it was.
    """
    folder = Path(folder)
    about = read_json(folder / CONFIG)
    method, settings = _checked(about, folder)
    if about["base"] != fingerprint(base_of(model)):
        raise ValueError(f"{folder} was learned on a model with other weights than this one")
    with explained(folder / WEIGHTS):
        tensors = unpack((folder / WEIGHTS).read_bytes())
    try:
        add(model, method, **settings)
    except TypeError as error:
        raise ValueError(f"{folder / CONFIG} has settings that {method} does not know") from error
    own = {name: p for name, p in model.named_parameters() if p.requires_grad}
    wrong = set(own) ^ set(tensors)
    wrong |= {name for name in set(own) & set(tensors) if own[name].shape != tensors[name].shape}
    if wrong:
        remove(model)
        raise ValueError(f"{folder} does not fit this model: {sorted(wrong)[0]} is not the same")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(tensors[name])
    model.eval()


def _checked(about: Any, folder: Path) -> tuple[str, dict[str, Any]]:
    """(method, settings) of a config; ValueError for one that `save_added` did not write."""
    known = isinstance(about, dict) and set(about) == {"method", "settings", "base"}
    if not known or about["method"] not in METHODS or not isinstance(about["settings"], dict):
        raise ValueError(f"{folder / CONFIG} is not what mb.transfer.save_added writes")
    given = about["settings"].items()  # JSON knows no tuples
    return about["method"], {n: tuple(v) if isinstance(v, list) else v for n, v in given}
