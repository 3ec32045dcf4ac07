"""Other people's libraries, used for real: here ``d2l``, of the book *Dive into Deep Learning*.

The chapters draw with d2l's plots and heat maps and compare with its models. Two things about
d2l 1.0.3 need help. It pins versions of 2023 (numpy 1.23.5, pandas 2.0.3 and others), so it is
installed without its requirements: ``pip install --no-deps d2l==1.0.3``. And its PyTorch module
imports torchvision without declaring it, although only the book's vision chapters use it.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

INSTALL = "pip install --no-deps d2l==1.0.3"


def d2l() -> ModuleType:
    """The module ``d2l.torch``, imported when this is first called (seconds, and then at once).

    Where torchvision is missing, or does not fit the torch beside it, d2l sees a stand-in whose
    every use raises an ImportError that says so; the rest of d2l works as it is.

    Raises ImportError, naming the command that helps, when d2l or a package it imports is missing.
    """
    loaded = sys.modules.get("d2l.torch")
    if loaded is not None:
        return loaded
    try:
        importlib.import_module("d2l")
    except ModuleNotFoundError:
        raise ImportError(f"d2l is not installed; install it with: {INSTALL}") from None
    try:
        with torchvision_or_stand_in():
            return importlib.import_module("d2l.torch")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"d2l needs {error.name}, which is not installed; "
            "install the packages of the chapters with: "
            'pip install -c constraints.txt -e ".[lab]"'
        ) from error


@contextmanager
def torchvision_or_stand_in() -> Iterator[None]:
    """Within it, ``import torchvision`` works: the real one, or a `StandIn` if that cannot load.

    The stand-in is taken out again at the end, so that no other library mistakes it for the real
    one. d2l keeps the reference that it has imported.
    """
    try:
        importlib.import_module("torchvision.transforms")
    except Exception as error:  # a build for another torch raises RuntimeError or OSError
        reason = f"{type(error).__name__}: {error}"
    else:
        yield
        return
    _forget_torchvision()
    stand_in = StandIn("torchvision", reason)
    transforms = StandIn("torchvision.transforms", reason)
    setattr(stand_in, "transforms", transforms)  # noqa: B010 - a module declares no attribute
    sys.modules.update({module.__name__: module for module in (stand_in, transforms)})
    try:
        yield
    finally:
        _forget_torchvision()


class StandIn(ModuleType):
    """A module that can be imported, and that says what is missing as soon as it is used."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name)
        self.__reason__ = reason

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(
            f"{self.__name__}.{name} is needed by d2l's vision chapters, and torchvision could "
            f"not be imported ({self.__reason__}); minibert's chapters do not use it. To use it, "
            "install the torchvision made for your version of torch, and start Python again."
        )


def _forget_torchvision():
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
