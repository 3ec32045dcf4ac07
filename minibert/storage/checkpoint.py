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
from dataclasses import asdict, is_dataclass
from pathlib import Path

import safetensors.torch
import torch

from minibert.storage.safe_files import explained, parse_json, read_json, write
from minibert.storage.torch_files import load_plain

WEIGHTS, TRAINING, RECORD = "model.safetensors", "training.pt", "record.json"
SUMS = "SHA256SUMS"  # in the format of the sha256sum command
CONFIG = "config.json"
PART = ".part-"  # a checkpoint that is being written; one left by a crash goes with the next save
SHOWN = 8  # names that an error message lists before it only counts


class Checkpoints:
    """The last ``keep`` checkpoints of a training run, in a folder, one subfolder per step.

    A subfolder holds the weights (safetensors), what else resuming needs (a torch file that is
    read with ``weights_only=True``), a readable ``record.json``, and the SHA-256 of each. It is
    written under another name and renamed when it is complete.
    """

    def __init__(self, folder, keep=2):
        self.folder, self.keep = Path(folder), keep
        self.ours = []  # written or resumed from by this run
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, step, tensors, training, record):
        """Write a checkpoint; then remove all but the last ``keep`` of this run.

        ``tensors``: a model's state_dict. ``training``: nested dicts, lists and tuples of tensors,
        numbers and strings. ``record``: what JSON can hold.

        Raises OSError with one sentence on a full disk or a read-only folder; the checkpoints that
        stood there stay. Raises ValueError when ``training`` could not be read back.
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
        """A path with this name, or with a number behind it where there is one of this step.

        So the old one is there until the new one is whole.
        """
        numbers = [path.name[len(name) + 1 :] for path in self.folder.glob(f"{name}-*")]
        if not numbers and not (self.folder / name).exists():
            return self.folder / name
        last = max((int(number) for number in numbers if number.isdecimal()), default=0)
        return self.folder / f"{name}-{last + 1:02d}"

    def load(self):
        """The newest checkpoint that is whole: (tensors, training, record); None without one.

        A damaged one is passed over with a warning that says so.
        """
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


def pack(tensors):
    """A dict of tensors in the safetensors format, as bytes; tied ones are stored once.

    The names of a tied tensor beside its first are kept in the file's metadata.
    """
    kept, first, tied = {}, {}, {}
    for name, tensor in tensors.items():
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and key in first:
            tied[name] = first[key]
            continue
        first[key] = name
        tensor = tensor.detach().cpu().contiguous()
        whole = tensor.untyped_storage().nbytes() == tensor.nbytes
        kept[name] = tensor if whole else tensor.clone()
    return safetensors.torch.save(kept, {"format": "pt", "tied": json.dumps(tied)})


def unpack(data):
    """The dict of tensors that `pack` wrote, tied names included; reads any safetensors file.

    Raises ValueError when ``data`` is cut short or is no such file.
    """
    try:
        size = int.from_bytes(data[:8], "little")
        metadata = parse_json(data[8 : 8 + size].decode("utf-8")).get("__metadata__") or {}
        tensors = safetensors.torch.load(data)
        tied = parse_json(metadata.get("tied", "{}"))
    except (safetensors.SafetensorError, ValueError) as error:
        raise ValueError(f"not a whole safetensors file: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:  # a kind of number that torch lacks
        raise ValueError(f"not a whole safetensors file: {error!r}") from error
    if not isinstance(tied, dict) or not all(
        isinstance(other, str) and other in tensors and name not in tensors
        for name, other in tied.items()
    ):
        raise ValueError("not a whole safetensors file: its tied tensors are not in it")
    return tensors | {name: tensors[other] for name, other in tied.items()}


def save_folder(folder, config, tensors):
    """Write ``config.json`` and ``model.safetensors``, each whole or not at all.

    ``config``: a dataclass or a dict; ``tensors``: a state_dict.
    """
    config = asdict(config) if is_dataclass(config) else config
    write(Path(folder) / WEIGHTS, pack(tensors))
    write(Path(folder) / CONFIG, json.dumps(config, indent=2).encode() + b"\n")


def load_folder(folder):
    """Read what `save_folder` wrote: (config as a dict, tensors by name).

    Raises FileNotFoundError naming what is missing, ValueError for a damaged file.
    """
    folder = Path(folder)
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"expected a folder with {CONFIG} and {WEIGHTS}; "
            f"{folder} has no {' and no '.join(missing)}"
        )
    try:
        config = read_json(folder / CONFIG)
        if not isinstance(config, dict):
            raise ValueError(f"expected an object in {CONFIG}, got {type(config).__name__}")
        return config, unpack((folder / WEIGHTS).read_bytes())
    except ValueError as error:
        raise ValueError(f"{folder} is damaged: {error}") from error


def load_tensors(model, tensors, source="the file", named=str):
    """Copy ``tensors`` into ``model``, each name, shape and kind of number checked first.

    ``named``: what a tensor of the model is called in the file, for the message. Raises ValueError
    naming those missing, unexpected, of another shape or kind; nothing is copied then.
    """
    check_tensors(model, tensors, source, named)
    model.load_state_dict(tensors)


def check_tensors(model, tensors, source="the file", named=str):
    """Whether the tensors are those of the model; ValueError as in `load_tensors`."""
    own = model.state_dict()
    both = {name: (tensors[name], own[name]) for name in own if name in tensors}
    faults = {
        "missing": [named(name) for name in own if name not in tensors],
        "unexpected": [name for name in tensors if name not in own],
        "of another shape": [
            f"{named(name)} is {tuple(found.shape)}, expected {tuple(wanted.shape)}"
            for name, (found, wanted) in both.items()
            if found.shape != wanted.shape
        ],
        "of another kind": [
            f"{named(name)} is {found.dtype}, expected {wanted.dtype}"
            for name, (found, wanted) in both.items()
            if found.is_floating_point() != wanted.is_floating_point()
        ],
    }
    refuse(faults, f"the tensors of {source} do not fit {type(model).__name__}")


def refuse(faults, sentence):
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
        raise ValueError(
            f"expected numbers, strings and tensors in a checkpoint, got {type(value).__name__} "
            f"at {where}; convert it in state_dict()"
        )
