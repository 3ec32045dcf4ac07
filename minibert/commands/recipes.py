"""Commands that train a model: their options, and recipes, files that set them.

A command such as ``minibert pretrain`` is a package with a folder ``recipes`` of TOML files, and
one module a model with ``add_arguments(option)`` and a function named like the command. A recipe
holds ``model`` and whatever options differ from the defaults, under their names with an underscore
for a hyphen. What is given on the command line wins.
"""

import argparse
import tomllib
from importlib import import_module
from importlib.resources import files


class Options:
    """Adds options to an argparse parser, and keeps their defaults aside: a recipe may have others.

    Used like ``parser.add_argument``; ``defaults`` maps each option's name to its default. The
    parser's result then holds only what was given on the command line.
    """

    def __init__(self, parser):
        self.parser, self.defaults = parser, {}

    def __call__(self, *names, default=None, **rest):
        action = self.parser.add_argument(*names, default=argparse.SUPPRESS, **rest)
        self.defaults[action.dest] = default


def add_models(parser, package, models):
    """Add the models of a command, name -> what it does, each with its options."""
    choices = parser.add_subparsers(dest="model", metavar="MODEL", required=True)
    for name, summary in models.items():
        about = f"{summary[0].upper()}{summary[1:]}."
        model = choices.add_parser(name, help=summary, description=about)
        option = Options(model)
        option("--recipe", metavar="NAME", help=f"its options: {', '.join(recipes(package))}")
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
    recipe = tomllib.loads(folder(package).joinpath(f"{name}.toml").read_text("utf-8"))
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


def check_out(path):
    """Refuse, before hours of training, a folder that holds something, and make it otherwise."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path} exists and is not empty: give --out a new folder")
    path.mkdir(parents=True, exist_ok=True)
