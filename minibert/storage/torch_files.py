"""Files that ``torch.save`` made: read with ``weights_only=True``, and with more care than that.

Torch's reader runs no code of a file. But it does not look at the checksums of the archive, and
a file may have it call ``bytearray`` with any number, which takes as much memory.
"""

import pickletools
import zipfile
from pathlib import Path
from typing import IO, Any

import torch

ZIP = b"PK\x03\x04"  # how a file of today begins; older ones are several pickles in a row
PICKLES = 5  # of an older file: three small ones, the objects, the keys of their numbers
BUILT_IN = ("builtins", "__builtin__")


def load_plain(file: IO[bytes]) -> Any:
    """The object in a binary file that can be sought in; its tensors are on the CPU.

    Raises ValueError where a checksum is wrong, or the file names what Python has built in;
    `pickle.UnpicklingError` where torch refuses it. Other damage may lead torch to any exception.
    """
    packed = file.read(len(ZIP)) == ZIP
    file.seek(0)
    if packed:
        with zipfile.ZipFile(file) as archive:
            if wrong := archive.testzip():
                raise ValueError(f"the checksum of {wrong} is wrong")
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    _check_names(archive.read(name))
    else:
        for _ in range(PICKLES if file.read(1) else 0):
            file.seek(-1, 1)
            _check_names(file)
            if not file.read(1):
                break
    file.seek(0)
    return torch.load(file, map_location="cpu", weights_only=True)


def _check_names(data):
    """Follow one pickle's instructions; ValueError where one asks for a built-in function."""
    for code, value, _ in pickletools.genops(data):
        if code.name == "STACK_GLOBAL" or (
            code.name in ("GLOBAL", "INST") and value.split(" ")[0] in BUILT_IN
        ):
            raise ValueError(f"it asks for a function, {value or 'by its name'}, to be called")


def read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """The dict of tensors in a ``.pth``, taken out of ``{"model": ...}`` where it is in one.

    Raises ValueError for a file that holds anything else than tensors and plain containers.
    """
    try:
        with open(path, "rb") as file:
            found = load_plain(file)
    except OSError:
        raise
    except Exception as error:  # whatever a damaged or hostile file leads torch's reader to
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} is no file of tensors alone, it was not read: {reason}") from None
    found = found.get("model", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(map(torch.is_tensor, found.values())):
        raise ValueError(f"expected a dict of tensors in {path}, got {type(found).__name__}")
    for name, tensor in found.items():  # a view may say that it is larger than what it views
        if not isinstance(name, str) or tensor.layout != torch.strided or tensor.is_meta:
            raise ValueError(f"expected names and dense tensors in {path}, got {name!r:.60}")
        if tensor.nbytes > tensor.untyped_storage().nbytes():
            raise ValueError(f"{path} has less data for {name[:60]} than its shape says")
    return found
