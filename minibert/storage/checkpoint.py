"""Checkpoints that survive a crash, and folders that hold one model."""

import hashlib
import io
import json
import os
import pickle
import shutil
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from minibert.storage.safe_files import explained, parse_json, write
from minibert.storage.torch_files import load_plain

WEIGHTS, TRAINING, RECORD = "model.safetensors", "training.pt", "record.json"
SUMS = "SHA256SUMS"  # in the format of the sha256sum command
CONFIG = "config.json"
PART = ".part-"  # a checkpoint that is being written; one left by a crash goes with the next save
Tensors = Mapping[str, Tensor]
State = dict[str, Any]
Named = Callable[[str], str]
SHOWN = 8  # names that an error message lists before it only counts


class Checkpoints:
    """The last ``keep`` checkpoints of a training run, in a folder, one subfolder per step.

    A subfolder holds the weights (safetensors), what else resuming needs (a torch file that is
    read with ``weights_only=True``), a readable ``record.json``, and the SHA-256 of each. It is
    written under another name and renamed when it is complete.
    """

    def __init__(self, folder: str | Path, keep: int = 2) -> None:
        self.folder, self.keep = Path(folder), keep
        self.ours: list[Path] = []  # written or resumed from by this run
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, step: int, tensors: Tensors, training: State, record: State) -> None:
        """Write a checkpoint; then remove all but the last ``keep`` of this run.

        ``tensors``: a state_dict. ``training``: dicts, lists and tuples of tensors, numbers and
        strings, or ValueError is raised. ``record``: what JSON can hold. An OSError of a full disk
        or a read-only folder is one sentence, and the checkpoints that stood there stay.
        """
        _check_plain(training, "training")
        buffer = io.BytesIO()
        torch.save(training, buffer)
        files = {
            WEIGHTS: pack(tensors),
            TRAINING: buffer.getvalue(),
            RECORD: json.dumps({"step": step, **record}, indent=1).encode(),
        }
        files[SUMS] = _sums(files)
        path = self._free(f"step-{step:08d}")
        with explained(path):
            _write_folder(path, files)
        self.ours = [*(p for p in self.ours if p != path), path][-self.keep :]
        for old in [*self.folder.glob("step-*"), *self.folder.glob(PART + "*")]:
            if old not in self.ours:
                shutil.rmtree(old, ignore_errors=True)

    def _free(self, name):
        """A path with this name, with a number where there is one: it stays for the time being."""
        numbers = [path.name[len(name) + 1 :] for path in self.folder.glob(f"{name}-*")]
        if not numbers and not (self.folder / name).exists():
            return self.folder / name
        last = max((int(number) for number in numbers if number.isdecimal()), default=0)
        return self.folder / f"{name}-{last + 1:02d}"

    def load(self) -> tuple[dict[str, Tensor], State, State] | None:
        """The newest whole one: (tensors, training, record), or None; warns of damaged ones."""
        for path in sorted(self.folder.glob("step-*"), reverse=True):
            try:
                found = _read(path)
            except (OSError, ValueError, RecursionError) as error:
                warnings.warn(
                    f"the checkpoint {path} is damaged ({error}); trying the one before it",
                    stacklevel=2,
                )
                continue
            self.ours = [path]
            return found
        return None


def pack(tensors: Tensors) -> bytes:
    """A dict of tensors as safetensors; a tied one is stored once, its other names as metadata."""
    kept, tied = {}, {}
    first: dict[tuple, str] = {}
    for name, tensor in tensors.items():
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and first.setdefault(key, name) != name:
            tied[name] = first[key]
            continue
        tensor = tensor.detach().cpu().contiguous()
        whole = tensor.untyped_storage().nbytes() == tensor.nbytes
        kept[name] = tensor if whole else tensor.clone()
    return safetensors.torch.save(kept, {"format": "pt", "tied": json.dumps(tied)})


def unpack(data: bytes) -> dict[str, Tensor]:
    """The tensors that `pack` wrote, or of any safetensors file; ValueError for one cut short."""
    try:
        size = int.from_bytes(data[:8], "little")
        metadata = parse_json(data[8 : 8 + size].decode("utf-8")).get("__metadata__") or {}
        tensors = safetensors.torch.load(data)
        tied = parse_json(metadata.get("tied", "{}"))
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a whole safetensors file: {error}") from error
    if not isinstance(tied, dict) or not all(
        isinstance(other, str) and other in tensors and name not in tensors
        for name, other in tied.items()
    ):
        raise ValueError("not a whole safetensors file: its tied tensors are not in it")
    return tensors | {name: tensors[other] for name, other in tied.items()}


def save_folder(folder: str | Path, config: Any, tensors: Mapping[str, Tensor]) -> None:
    """Write a config (a dataclass or a dict) and a state_dict as `layout.read_files` reads them."""
    config = asdict(config) if not isinstance(config, dict) else config
    write(Path(folder) / WEIGHTS, pack(tensors))
    write(Path(folder) / CONFIG, json.dumps(config, indent=2).encode() + b"\n")


def load_tensors(
    model: nn.Module, tensors: Tensors, source: object = "the file", named: Named = str
) -> None:
    """Copy ``tensors`` into ``model``; ValueError, as in `check_tensors`, before any is copied."""
    check_tensors(model, tensors, source, named)
    model.load_state_dict(tensors)


def check_tensors(model: nn.Module, tensors: Tensors, source: object, named: Named) -> None:
    """Raise ValueError naming tensors that are missing, unexpected, of another shape or kind.

    ``named``: what a tensor of the model is called in the file, for the message.
    """
    own = model.state_dict()
    missing, shapes, kinds = [], [], []
    for name, wanted in own.items():
        if (found := tensors.get(name)) is None:
            missing.append(named(name))
        elif found.shape != wanted.shape:
            sizes = f"{tuple(found.shape)}, expected {tuple(wanted.shape)}"
            shapes.append(f"{named(name)} is {sizes}")
        elif found.is_floating_point() != wanted.is_floating_point():
            kinds.append(f"{named(name)} is {found.dtype}, expected {wanted.dtype}")
    faults = {"missing": missing, "unexpected": [name for name in tensors if name not in own]}
    faults |= {"of another shape": shapes, "of another kind": kinds}
    refuse(faults, f"the tensors of {source} do not fit {type(model).__name__}")


def refuse(faults: Mapping[str, Sequence[str]], sentence: str) -> None:
    """Raise ValueError: ``sentence`` and the names of each kind of fault, where there are any."""
    found = []
    for fault, names in faults.items():
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        found += [f"{fault}: {', '.join(names[:SHOWN])}{more}"] if names else []
    if found:
        raise ValueError(f"{sentence}: {'; '.join(found)}")


def _write_folder(path, files):
    """A folder with these files, complete and on the disk before it has its name."""
    part = Path(tempfile.mkdtemp(prefix=PART, dir=path.parent))
    try:
        for name, data in files.items():
            with open(part / name, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _read(path):
    files = {name: (path / name).read_bytes() for name in (WEIGHTS, TRAINING, RECORD)}
    if (path / SUMS).read_bytes() != _sums(files):
        raise ValueError("its files are not what was written")
    try:
        training = load_plain(io.BytesIO(files[TRAINING]))
    except pickle.UnpicklingError as error:
        raise ValueError(f"{TRAINING} holds more than tensors, numbers and strings") from error
    except Exception as error:  # of torch's reader, whatever a made-up file leads it to
        raise ValueError(f"{TRAINING} cannot be read: {str(error).splitlines()[:1]}") from error
    record = json.loads(files[RECORD])  # a loss in it may be NaN
    if not isinstance(training, dict) or not isinstance(record, dict):
        raise ValueError(f"expected objects in {TRAINING} and {RECORD}")
    return unpack(files[WEIGHTS]), training, record


def _sums(files):
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    return "".join(lines).encode()


def _check_plain(value, where):
    """Refuse now what ``torch.load(weights_only=True)`` would refuse when resuming."""
    if type(value) in (dict, OrderedDict):
        for key, item in value.items():
            _check_plain(item, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _check_plain(item, f"{where}[{i}]")
    elif type(value) not in (int, float, bool, str, type(None)) and not torch.is_tensor(value):
        told = f"got {type(value).__name__} at {where}; convert it in state_dict()"
        raise ValueError(f"expected numbers, strings and tensors in a checkpoint, {told}")
