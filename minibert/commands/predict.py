"""``minibert predict FOLDER TEXT ...``: what a fine-tuned model says, a line for each text.

A line is the label (the labels of a text that may have several, the answer to a question), a tab,
and its probability; or, from a model that labels words, each word with its label.
"""

import sys
from pathlib import Path

from minibert.commands.finetune.common import MODEL
from minibert.heads import files
from minibert.runtime import device

STREAM = 256  # texts from standard input that are answered at once


def add_arguments(parser):
    """Add the options to an argparse parser."""
    parser.add_argument("folder", type=Path, help="the --out of `minibert finetune`, or a head's")
    parser.add_argument(
        "texts",
        nargs="*",
        metavar="TEXT",
        help="(default: each line of standard input); a tab separates the texts of a pair, and a "
        "question from its text",
    )


def run(args):
    """Print the predictions; returns the exit status."""
    inner = args.folder / MODEL
    head = files.load(inner if inner.is_dir() else args.folder).to(device())
    lines = args.texts or [line.rstrip("\r\n") for line in sys.stdin]
    if not all(line.strip() for line in lines):
        raise ValueError("expected texts that are not empty")
    for at in range(0, len(lines), STREAM):
        texts = [tuple(t.split("\t")) if "\t" in t else t for t in lines[at : at + STREAM]]
        said = head.predict(texts)
        for i, label in enumerate(said.labels):
            print(line_of(head, said.inputs[i], label, said.probabilities[i]))
    return 0


def line_of(head, given, label, shares):
    """What is printed of one prediction; shares: of all labels, or of the answer."""
    if head.per_token and isinstance(label, list):
        return " ".join(f"{word}/{one}" for word, one in zip(given, label, strict=False))
    if isinstance(label, list):
        sure = [f"{shares[head.columns.index(one)]:.3f}" for one in label]
        return f"{';'.join(label)}\t{';'.join(sure)}"
    return f"{label}\t{float(shares.max()):.3f}"
