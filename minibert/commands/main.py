"""The command line: ``minibert doctor | pretrain | finetune | predict | data | course``.

Each command lives in a module with ``add_arguments(parser)`` and ``run(args) -> int``, imported
only when it is the one chosen, so that ``minibert --help`` answers at once.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from minibert import __version__

COMMANDS = {  # name, also of its module -> what it does
    "doctor": "check Python, torch, Jupyter, data and disk, and say what to do",
    "pretrain": "train a model on a corpus, with checkpoints and scores",
    "finetune": "adapt a pre-trained model to a labelled task, with a score",
    "predict": "say what a fine-tuned model makes of texts",
    "data": "list the real data sets, or fetch one",
    "course": "build, release and grade the notebooks",
}
DEBUG = "MINIBERT_DEBUG"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed, 2 misused, 130 interrupted.

    Errors and warnings are lines on stderr; with ``MINIBERT_DEBUG=1`` an error has its traceback.
    """
    argv = sys.argv[1:] if argv is None else argv
    warnings.formatwarning = lambda message, *_, **__: f"minibert: {message}\n"
    try:
        args = make_parser(argv).parse_args(argv)
        status = args.run(args) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("minibert: stopped by you (Ctrl-C).", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get(DEBUG) == "1":
            raise
        print(f"minibert: {one_line(error)}", file=sys.stderr)
        return 1


def make_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser with all commands named, and the arguments of the one that ``argv`` chooses."""
    parser = argparse.ArgumentParser(
        prog="minibert",
        description="From word2vec to GPT: the command line of minibert.",
        epilog="`minibert COMMAND --help` tells more about one of them.",
    )
    parser.add_argument("--version", action="version", version=f"minibert {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        about = f"{summary[0].upper()}{summary[1:]}."
        command = commands.add_parser(name, help=summary, description=about)
        if name in argv[:1]:
            chosen = import_module(f"minibert.commands.{name}")
            chosen.add_arguments(command)
            command.set_defaults(run=chosen.run)
    return parser


def one_line(error: Exception) -> str:
    """What went wrong, as one line for a person who did not write the code."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    message = " ".join(str(error).split())
    if isinstance(error, ValueError | OSError | ImportError | ArithmeticError) and message:
        return message
    return f"{type(error).__name__}: {message} (unexpected; {DEBUG}=1 shows where it happened)"
