"""Real data and published weights by name: `load`, `datasets` and `get`."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from minibert.data import own_files, published, readers
from minibert.data.corpora import TextCorpus
from minibert.data.fetch import cached, data_folder, download, find
from minibert.data.registry import registry
from minibert.data.sources import Source


def load(name: str | Path, kind: str | None = None, **columns: Any) -> Any:
    """A real data set, or a file of your own.

    ``name``: a name that `datasets` lists; or the path of a labelled file, whose ``kind`` and
    ``columns`` are those of `minibert.data.own_files.read`; or that of a text file (plain, .xz or
    .gz), or of a folder with such files (.txt), in which a line ``= Title =`` starts a document and
    every other line is a paragraph.

    It is looked for in the folder that ``MINIBERT_DATA`` names, then in the cache, then on the
    mirrors. The SHA-256 is checked whenever a file is read. Returns a `TextCorpus`,
    `LabelledTexts`, `Examples`, `SentencePairs`, `Dialogues`, `RatedPairs`, `Analogies`, or
    `Splits` of them.

    Raises ValueError for an unknown name or a file with the wrong SHA-256, FileNotFoundError, with
    what to put where, when the data is neither here nor available.
    """
    if name not in registry() and Path(name).exists():
        if kind or columns or own_files.kind_of(name):
            return own_files.read(name, kind, **columns)
        return TextCorpus([Source(path) for path in _text_files(Path(name))])
    entry = _entry(name)
    if kind or columns:
        raise ValueError(f"kind and columns are for a file of your own, and {name!r} is a data set")
    for edition in entry.editions:
        if paths := _present(entry, edition):
            return _read(entry, edition, paths)
    return _read(entry, *_fetch(entry))


def _text_files(path):
    """The file at ``path``, or all text files in a folder, by their names."""
    inside = path.rglob("*") if path.is_dir() else ()
    files = sorted(one for one in inside if own_files.ending_of(one) == ".txt")
    if path.is_dir() and not files:
        raise ValueError(f"{path} is a folder without text files (.txt)")
    return files or [path]


def get(name: str) -> list[Path] | Path:
    """Make sure that the whole of a data set, or of published weights, is here; fetch what is not.

    Returns the paths of a data set's files, or the folder of weights that `from_pretrained` reads:
    ``mb.BERT.from_pretrained(mb.data.get("all-minilm-l6-v2"))``. Weights are verified every time.

    Raises ValueError for an unknown name or damaged weights, FileNotFoundError, with what to do,
    when it is not to be had.
    """
    if name in published.published():
        return published.get(name)
    entry = _entry(name)
    return _present(entry, entry.editions[0]) or _fetch(entry)[1]


@dataclass(frozen=True)
class Listing:
    """One row of the list of data sets; ``size`` is in bytes as stored.

    ``state``: "here", "downloadable", or "local only" (wanted in ``MINIBERT_DATA``). ``files``: the
    paths below that folder of the edition that is here or can be had, else of the first.
    """

    name: str
    about: str
    licence: str
    size: int
    state: str
    files: tuple[str, ...] = ()


def weights() -> list[Listing]:
    """The published weights that `get` knows, as a list of `Listing`."""
    return [
        Listing(w.name, w.about, w.licence, w.size, "here" if published.here(w) else "downloadable")
        for w in published.published().values()
    ]


def datasets() -> list[Listing]:
    """All data sets that `load` knows, as a list of `Listing`."""
    return [_listing(entry) for entry in registry().values()]


def _listing(entry):
    here = next((e for e in entry.editions if _present(entry, e)), None)
    online = next((e for e in entry.editions if e.downloadable), None)
    edition = here or online or entry.editions[0]
    size = sum(file.size for file in edition.files)
    state = "here" if here else "downloadable" if online else "local only"
    files = tuple(file.path for file in edition.files)
    return Listing(entry.name, entry.about, entry.licence, size, state, files)


def _entry(name):
    known = registry()
    if name in known:
        return known[name]
    if name in published.published():
        raise ValueError(f"{name!r} are weights, not a data set: mb.data.get gives their folder")
    known = [*known, *published.published()]
    near = get_close_matches(str(name), known, n=3)
    meant = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"
    raise ValueError(f"there is no data set or file called {str(name)!r}; {meant}")


def _present(entry, edition):
    """The paths of an edition's files if all of them are here, else None."""
    paths = [find(entry, file) for file in edition.files]
    return paths if all(paths) else None


def _read(entry, edition, paths):
    sources = [Source(path, f.sha256) for path, f in zip(paths, edition.files, strict=True)]
    return getattr(readers, edition.reader)(entry, sources)


def _fetch(entry):
    """Download the first edition that is available: (edition, paths)."""
    faults = []
    for edition in entry.editions:
        if not edition.downloadable:
            continue
        try:
            return edition, [find(entry, file) or download(entry, file) for file in edition.files]
        except ConnectionError as error:
            faults.append(str(error))
    raise FileNotFoundError(_offline(entry, faults))


def _offline(entry, faults):
    folder = data_folder()
    looked = f"in {folder} (MINIBERT_DATA)" if folder else "in MINIBERT_DATA (not set)"
    wanted = " or ".join(" + ".join(f.path for f in e.files) for e in entry.editions)
    gave = f"gave it ({'; '.join(faults)})" if faults else "has it in this form"
    cache = cached(entry, entry.editions[0].files[0]).parent
    return (
        f"{entry.name!r} ({entry.about}) is not here: looked for {wanted} {looked} and in {cache}; "
        f"no mirror {gave}. Put the file there, or point MINIBERT_DATA at a folder that holds it; "
        f"its source is {entry.source}"
    )
