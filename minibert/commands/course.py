"""``minibert course``: build the notebooks, measure findings, hand them out and grade them."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from minibert.course.learn.paths import chapters_folder
from minibert.course.teach import command as classroom_command


def add_arguments(parser: ArgumentParser) -> None:
    """Give ``parser`` the actions of ``minibert course``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="make the notebooks from chapters/source")
    build.add_argument("--chapters", help="numbers such as 00,01 (default: all)")
    build.add_argument("--root", type=Path, help="the folder `chapters` (default: found)")
    build.add_argument("--execute", action="store_true", help="run them and store the outputs")
    build.add_argument("--timeout", type=int, default=600, help="seconds that one cell may take")
    build.add_argument("--check", action="store_true", help="only say where they differ")
    findings = actions.add_parser("findings", help="run a chapter's full experiments")
    findings.add_argument("chapter", help="two digits, such as 01")
    findings.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    findings.add_argument("--only", nargs="+", metavar="EXPERIMENT", help="some of them (all)")
    findings.add_argument("--fresh", action="store_true", help="measure again what the file has")
    findings.add_argument("--smoke", action="store_true", help="a quick rehearsal; writes nothing")
    real = actions.add_parser("real", help="put the results of a run on real data into findings")
    real.add_argument("name", help="the name that chapters use for the run, such as imdb")
    real.add_argument("folder", type=Path, help="the --out of `minibert finetune`")
    classroom_command.add_arguments(actions)


def run(args: Namespace) -> int:
    """Carry out one action; gives the exit status. Raises ValueError or FileNotFoundError."""
    own = {"build": build, "findings": findings, "real": real}
    return (own | classroom_command.ACTIONS)[args.action](args)


def build(args: Namespace) -> int:
    """Make the notebooks, or only compare them; 1 when they differ, or something is wrong."""
    from minibert.course.author.building import differences, make, sources
    from minibert.course.author.execute import ExecutionError

    numbers = args.chapters.split(",") if args.chapters else None
    chapters = sources(args.root or chapters_folder(), numbers)
    if args.check:
        found = [line for chapter in chapters for line in differences(chapter)]
        print("\n".join(found) or f"{len(chapters)} chapters: source and notebooks agree.")
        return 1 if found else 0
    status = 0
    try:
        for chapter in chapters:
            for path, remarks in make(chapter, args.execute, args.timeout):
                print("\n  ".join([f"{path.parent.name}/{path.name}", *remarks]), flush=True)
                status = max(status, len(remarks) > 1)
    except ExecutionError as error:  # several lines: the cell's own traceback
        print(f"minibert course: {error}", file=sys.stderr)
        return 1
    return int(status)


def findings(args: Namespace) -> int:
    """Measure a chapter's findings, or rehearse that."""
    from minibert.course.author.measure import measure, rehearse

    if args.smoke:
        rehearse(args.chapter)
    else:
        path = measure(args.chapter, args.seeds, args.only, args.fresh)
        print(f"written: {path.parent.name}/{path.name}")
    return 0


def real(args: Namespace) -> int:
    """Put a run's results into the findings "real"."""
    from minibert.course.author.real_runs import add_run

    path = add_run(args.name, args.folder)
    print(f"written: {path.parent.name}/{path.name}")
    return 0
