"""``minibert course``: build the notebooks from their sources, or check that they agree."""

import sys
from pathlib import Path

from minibert.course.paths import chapters_folder


def add_arguments(parser):
    """Give ``parser`` the actions of ``minibert course``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="make the notebooks from chapters/source")
    build.add_argument("--chapters", help="numbers such as 00,01 (default: all)")
    build.add_argument("--root", type=Path, help="the folder `chapters` (default: found)")
    build.add_argument("--execute", action="store_true", help="run them and store the outputs")
    build.add_argument("--timeout", type=int, default=600, help="seconds that one cell may take")
    build.add_argument("--check", action="store_true", help="only say where they differ")


def run(args):
    """Carry out one action; gives the exit status. Raises ValueError or FileNotFoundError."""
    from minibert.course.building import differences, make, sources
    from minibert.course.execute import ExecutionError

    numbers = args.chapters.split(",") if args.chapters else None
    chapters = sources(args.root or chapters_folder(), numbers)
    if args.check:
        found = [line for chapter in chapters for line in differences(chapter)]
        print("\n".join(found) or f"{len(chapters)} chapters: source and notebooks agree.")
        return 1 if found else 0
    try:
        for chapter in chapters:
            for path in make(chapter, args.execute, args.timeout):
                size = path.stat().st_size / 1000
                print(f"{path.parent.name}/{path.name}  {size:.0f} kB", flush=True)
    except ExecutionError as error:  # several lines: the cell's own traceback
        print(f"minibert course: {error}", file=sys.stderr)
        return 1
    return 0
