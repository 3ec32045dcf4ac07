"""``minibert data list`` and ``minibert data get NAME``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from minibert.data import catalogue
from minibert.data.fetch import data_folder
from minibert.storage.safe_files import home


def add_arguments(parser: ArgumentParser) -> None:
    """Add ``list`` and ``get NAME ...`` to an argparse parser."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    told = "name, size, state and licence of each data set, and where to put it"
    actions.add_parser("list", help=told)
    get = actions.add_parser("get", help="download data sets or published weights into the cache")
    get.add_argument("names", nargs="+", metavar="NAME", help="a name that `data list` shows")


def run(args: Namespace) -> int:
    """Do what the arguments say; returns the exit status."""
    if args.action == "list":
        print(*listed(), sep="\n")
        return 0
    for name in args.names:
        found = catalogue.get(name)
        for path in [found] if isinstance(found, Path) else found:
            print(f"{name}: {path}")
    return 0


def listed() -> Iterator[str]:
    """The lines of the list: what there is, and where what is not here belongs."""
    sets, folder = catalogue.datasets(), data_folder()
    yield from map(_row, sets)
    yield "\nPublished weights:"
    yield from map(_row, catalogue.weights())
    if folder is None:
        yield "\nMINIBERT_DATA is not set. Let it name a folder of yours: it is looked into first."
    else:
        yield f"\n{folder} (MINIBERT_DATA) is looked into first."
    folder = folder or Path("$MINIBERT_DATA")
    yield f"`minibert data get NAME` puts what is downloadable into {home() / 'data'}."
    if local := [row for row in sets if row.state == "local only"]:
        yield "What is local only is on no server in this form. Its files belong here:"
        for row in local:
            yield f"  {row.name:22} {', '.join(str(folder / file) for file in row.files)}"
    found = folder / "tokenizers"
    yield f"Published vocabularies (chapters 05 and 07) are looked for in {found}."


def _row(row: catalogue.Listing) -> str:
    size = f"{row.size / 1e6:,.1f} MB"
    return f"{row.name:24} {size:>9}  {row.state:12}  {row.about} [{row.licence}]"
