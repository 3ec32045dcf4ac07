"""``minibert predict FOLDER TEXT ...``: what a fine-tuned model says, a line for each text.

A line is the label (the labels of a text that may have several, the answer to a question), a tab,
and its probability; or, from a model that labels words, each word with its label.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from minibert.commands.finetune.common import MODEL
from minibert.heads import files
from minibert.runtime import device

STREAM = 256  # texts from standard input that are answered at once


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options to an argparse parser."""
    told = "what a model that was learned with --method stands on, if it is not found by its name"
    parser.add_argument("--base", metavar="FOLDER", help=told)
    parser.add_argument("folder", type=Path, help="the --out of `minibert finetune`, or a head's")
    told = "a tab separates the texts of a pair, and a question from its text"
    default = f"(default: each line of standard input); {told}"
    parser.add_argument("texts", nargs="*", metavar="TEXT", help=default)


def run(args: Namespace) -> int:
    """Print the predictions; returns the exit status."""
    inner = args.folder / MODEL
    head: Any = files.load(inner if inner.is_dir() else args.folder, base=args.base).to(device())
    lines = args.texts or [line.rstrip("\r\n") for line in sys.stdin]
    if not all(line.strip() for line in lines):
        raise ValueError("expected texts that are not empty")
    for at in range(0, len(lines), STREAM):
        texts = [tuple(t.split("\t")) if "\t" in t else t for t in lines[at : at + STREAM]]
        said = head.predict(texts)
        for given, label, shares in zip(said.inputs, said.labels, said.probabilities, strict=True):
            print(line_of(given, label, shares, said.names))
    return 0


def line_of(given: Sequence, label: str | list, shares: Tensor, names: Sequence | None) -> str:
    """What is printed of one prediction; shares: of all ``names`` (of each word), or the answer."""
    if shares.ndim > 1:
        return " ".join(f"{word}/{one}" for word, one in zip(given, label, strict=False))
    if isinstance(label, list) and names:
        sure = [f"{shares[names.index(one)]:.3f}" for one in label]
        return f"{';'.join(label)}\t{';'.join(sure)}"
    return f"{label}\t{float(shares.max()):.3f}"
