"""``minibert data list`` and ``minibert data get NAME``."""

from minibert.data import catalogue


def add_arguments(parser):
    """Add ``list`` and ``get NAME ...`` to an argparse parser."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="name, size, state and licence of each data set")
    get = actions.add_parser("get", help="download data sets into the cache")
    get.add_argument("names", nargs="+", metavar="NAME", help="a name that `data list` shows")


def run(args):
    """Do what the arguments say; returns the exit status."""
    if args.action == "list":
        for row in catalogue.datasets():
            size = f"{row.size / 1e6:,.1f} MB"
            print(f"{row.name:24} {size:>9}  {row.state:12}  {row.about} [{row.licence}]")
        return 0
    for name in args.names:
        for path in catalogue.get(name):
            print(f"{name}: {path}")
    return 0
