"""``minibert pretrain MODEL --corpus TEXT --out DIR``: from a text to a model in a folder.

In several processes: ``torchrun --nproc-per-node=2 -m minibert pretrain bert ...``. After Ctrl-C
the same command goes on where it was (see `minibert.commands.recipes.resumable`).
"""

import time
from argparse import ArgumentParser, Namespace

from minibert.commands.pretrain.common import WORLD_TOKENS
from minibert.commands.recipes import add_models, module_of, out_folder, resumable, settled
from minibert.runtime import seed_everything
from minibert.training import distributed

MODELS = {  # name -> what it does
    "word2vec": "train word vectors",
    "awd-lstm": "train ULMFiT's language model, its stage 1",
    "elmo": "train ELMo's two language models",
    "bert": "train BERT on masked words and next sentences",
    "gpt": "train GPT on the next token",
}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the models, each with its options, to an argparse parser."""
    add_models(parser, __name__, MODELS)


def run(args: Namespace) -> int:
    """Train what the arguments say; returns the exit status."""
    args = settled(args, __name__)
    if args.corpus is None:
        raise ValueError("say what to train on: give --corpus FILE_OR_NAME, or a --recipe")
    if args.corpus == "world" and args.tokens is None:
        args.tokens = WORLD_TOKENS
    args.started = time.perf_counter()
    with out_folder(args.out), distributed.processes(), resumable(args):
        seed_everything(args.seed)
        module_of(__name__, args.model).pretrain(args)
    return 0
