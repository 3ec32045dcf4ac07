"""``minibert finetune MODEL --task NAME --out DIR``: a pre-trained model on a task.

After Ctrl-C the same command goes on where it was (see `minibert.commands.recipes.resumable`).
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from minibert.commands.finetune.common import RESULTS
from minibert.commands.recipes import add_models, module_of, out_folder, resumable, settled
from minibert.runtime import smoke

MODELS = {  # name -> what it does
    "awd-lstm": "the three stages of ULMFiT on labelled texts, beside training from scratch",
    "bert": "one new layer for texts, pairs, names or answers, beside features and from scratch",
    "gpt": "one new layer for texts, pairs or names, beside features and from scratch",
}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the models, each with its options, to an argparse parser."""
    add_models(parser, __name__, MODELS)


def run(args: Namespace) -> int:
    """Fine-tune as the arguments say; returns the exit status."""
    given = vars(args)
    if Path(given.get("task") or "").is_file():
        given.setdefault("recipe", f"own-{args.model}")
    args = settled(args, __name__)
    if args.task is None:
        raise ValueError("say what to learn: give --task NAME, or a --recipe")
    if smoke():
        vars(args).update({n: 1 for n in vars(args) if n == "least" or n.endswith("epochs")})
    with out_folder(args.out, RESULTS), resumable(args):
        module_of(__name__, args.model).finetune(args)
    return 0
