"""Commands that train a model: their options, and recipes, files that set them.

A command such as ``minibert pretrain`` is a package with a folder ``recipes`` of TOML files, and
one module a model with ``add_arguments(option)`` and a function named like the command. A recipe
holds ``model`` and whatever options differ from the defaults, under their names with an underscore
for a hyphen. What is given on the command line wins.
"""

import argparse
import os
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.resources import files
from pathlib import Path

CHECKPOINTS = "checkpoints"  # in the folder of a command's results, until it is done
NEVER = 10**12  # updates


class Options:
    """Adds options to an argparse parser, and keeps their defaults aside: a recipe may have others.

    Used like ``parser.add_argument``; ``defaults`` maps each option's name to its default, False
    for a switch. The parser's result then holds only what was given on the command line.
    """

    def __init__(self, parser):
        self.parser, self.defaults = parser, {}

    def __call__(self, *names, default=None, **rest):
        action = self.parser.add_argument(*names, default=argparse.SUPPRESS, **rest)
        self.defaults[action.dest] = False if rest.get("action") == "store_true" else default


def add_models(parser, package, models):
    """Add the models of a command, name -> what it does, each with its options."""
    choices = parser.add_subparsers(dest="model", metavar="MODEL", required=True)
    for name, summary in models.items():
        about = f"{summary[0].upper()}{summary[1:]}."
        model = choices.add_parser(name, help=summary, description=about)
        option = Options(model)
        names = [known for known in recipes(package) if model_of(package, known) == name]
        option("--recipe", metavar="NAME", help=f"its options: {', '.join(names) or 'none yet'}")
        module_of(package, name).add_arguments(option)
        model.set_defaults(options=option)


def settled(args, package):
    """The namespace of a command with its recipe and its defaults filled in.

    Raises ValueError for an unknown recipe, one for another model, or an option that the model
    does not have.
    """
    given = vars(args)
    options = given.pop("options")
    recipe = read(package, given["recipe"], args.model, options) if "recipe" in given else {}
    return argparse.Namespace(**{**options.defaults, **recipe, **given})


def module_of(package, model):
    """The module that trains a model."""
    return import_module(f"{package}.{model.replace('-', '_')}")


def recipes(package):
    """The names of a command's recipes, sorted."""
    return sorted(path.name.removesuffix(".toml") for path in folder(package).iterdir())


def read(package, name, model, options):
    """The options that a recipe sets, as a dict; raises ValueError as `settled` does."""
    if name not in recipes(package):
        known = ", ".join(recipes(package))
        raise ValueError(f"there is no recipe called {name!r}; known are {known}")
    recipe = parsed(package, name)
    command = package.rpartition(".")[2]
    if recipe.get("model") != model:
        wanted = recipe.get("model")
        raise ValueError(f"the recipe {name!r} is for `minibert {command} {wanted}`")
    del recipe["model"]
    if unknown := [key for key in recipe if key not in options.defaults]:
        raise ValueError(
            f"the recipe {name!r} sets {', '.join(unknown)}; `minibert {command} {model}` has only "
            f"{', '.join(options.defaults)}"
        )
    return recipe


def parsed(package, name):
    """What a recipe's file says, as a dict."""
    return tomllib.loads(folder(package).joinpath(f"{name}.toml").read_text("utf-8"))


def model_of(package, name):
    """The model that a recipe is for."""
    return parsed(package, name).get("model")


def folder(package):
    """Where a command's recipes lie."""
    return files(package).joinpath("recipes")


def positive(kind):
    """An argparse type: a number above zero."""

    def parse(given):
        number = kind(given)
        if not number > 0:
            raise argparse.ArgumentTypeError(f"expected a number above 0, got {given}")
        return number

    parse.__name__ = kind.__name__
    return parse


@contextmanager
def out_folder(path: Path, holds: str | None = None) -> Iterator[None]:
    """Within it ``path`` is a folder to write into; one that stays empty is gone afterwards.

    Raises ValueError, before hours of training, for what is no folder, or for one with a file
    called ``holds``; by default for one that holds anything but `CHECKPOINTS`.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file: give --out a new folder")
    found = {one.name for one in path.iterdir()} if path.exists() else set()
    if holds is None and found - {CHECKPOINTS}:
        raise ValueError(f"{path} exists and is not empty: give --out a new folder")
    if holds in found:
        raise ValueError(f"{path} holds results already ({holds}): give --out another folder")
    made = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for one in made if int(os.environ.get("RANK", 0)) == 0 else ():
            with suppress(OSError):  # there is something in it
                one.rmdir()


@contextmanager
def resumable(args: argparse.Namespace) -> Iterator[None]:
    """Within it ``args.checkpoint`` is a folder that an interrupted command goes on from.

    By default it is `CHECKPOINTS` in ``args.out``: written on Ctrl-C and at the end of training,
    and removed when the command is done. One that was asked for is also written every so many
    updates, and stays.
    """
    args.checkpoint = args.checkpoint or args.out / CHECKPOINTS
    yield
    if args.checkpoint == args.out / CHECKPOINTS and int(os.environ.get("RANK", 0)) == 0:
        shutil.rmtree(args.checkpoint, ignore_errors=True)


def saving(args: argparse.Namespace, every: int) -> dict:
    """What `minibert.fit` is to be given for it; ``every``: updates between two checkpoints."""
    often = args.checkpoint != args.out / CHECKPOINTS
    return {
        "checkpoint": args.checkpoint,
        "checkpoint_every": every if often else NEVER,
        "reraise": True,
    }
