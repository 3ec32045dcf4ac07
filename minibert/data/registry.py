"""The table of real data sets, read from ``registry.toml``."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class File:
    """``path`` below the data folder, SHA-256 and size in bytes as stored, mirrors."""

    path: str
    sha256: str
    size: int
    urls: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Edition:
    """Files that make up a data set together, and the function of `readers` that reads them."""

    reader: str
    files: tuple[File, ...]

    @property
    def downloadable(self) -> bool:
        return all(file.urls for file in self.files)


@dataclass(frozen=True)
class Entry:
    """A data set under its name, with the editions in which it is available."""

    name: str
    about: str
    licence: str
    source: str
    editions: tuple[Edition, ...]


@cache
def registry() -> dict[str, Entry]:
    """All entries by name, in the order of the file."""
    table = tomllib.loads(files(__package__).joinpath("registry.toml").read_text("utf-8"))
    return {name: _entry(name, **fields) for name, fields in table.items()}


def _entry(name, about, licence, source, editions):
    made = tuple(
        Edition(
            edition["reader"],
            tuple(File(**{**f, "urls": tuple(f.get("urls", ()))}) for f in edition["files"]),
        )
        for edition in editions
    )
    return Entry(name, about, licence, source, made)
