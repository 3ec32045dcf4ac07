"""``minibert pretrain MODEL --corpus FILE_OR_NAME --out DIR``: from a text to a model in a folder.

Each model is a module of this package with ``add_arguments(option)`` and ``pretrain(args)``. A
recipe, ``--recipe NAME``, is a file of options in ``recipes/``; options on the command line win.
"""

from argparse import Namespace
from importlib import import_module

from minibert.pretrain.common import Options, check_out
from minibert.pretrain.recipes import read_recipe

MODELS = {  # name -> what it does
    "word2vec": "train word vectors",
}


def add_arguments(parser):
    """Add the models, each with its options, to an argparse parser."""
    models = parser.add_subparsers(dest="model", metavar="MODEL", required=True)
    for name, summary in MODELS.items():
        about = f"{summary[0].upper()}{summary[1:]}."
        model = models.add_parser(name, help=summary, description=about)
        option = Options(model)
        import_module(f"{__name__}.{name.replace('-', '_')}").add_arguments(option)
        model.set_defaults(options=option)


def run(args):
    """Train what the arguments say; returns the exit status."""
    given = vars(args)
    module = import_module(f"{__name__}.{args.model.replace('-', '_')}")
    options = given.pop("options")
    recipe = read_recipe(given["recipe"], args.model, options) if "recipe" in given else {}
    args = Namespace(**{**options.defaults, **recipe, **given})
    if args.corpus is None:
        raise ValueError("say what to train on: give --corpus FILE_OR_NAME, or a --recipe")
    check_out(args.out)
    module.pretrain(args)
    return 0
