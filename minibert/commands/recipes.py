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
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

CHECKPOINTS = "checkpoints"  # in the folder of a command's results, until it is done
NEVER = 10**12  # updates


class Options:
    """Adds options to an argparse parser, and keeps their ``defaults`` aside, False for a switch.

    The parser's result then holds what was given, and a recipe may have other defaults.
    """

    def __init__(self, parser: ArgumentParser) -> None:
        self.parser, self.defaults = parser, dict[str, Any]()

    def __call__(self, *names: str, default: Any = None, **rest: Any) -> None:
        action = self.parser.add_argument(*names, default=argparse.SUPPRESS, **rest)
        self.defaults[action.dest] = False if rest.get("action") == "store_true" else default


def add_models(parser: ArgumentParser, package: str, models: Mapping[str, str]) -> None:
    """Add the models of a command, name -> what it does, each with its options."""
    choices = parser.add_subparsers(dest="model", metavar="MODEL", required=True)
    for name, summary in models.items():
        about = f"{summary[0].upper()}{summary[1:]}."
        model = choices.add_parser(name, help=summary, description=about)
        option = Options(model)
        known = ", ".join(recipes_of(package, name)) or "none yet"
        option("--recipe", metavar="NAME", help=f"preset options: {known}")
        module_of(package, name).add_arguments(option)
        option(
            "--checkpoint", type=Path, metavar="DIR",
            help="save the run there again and again, and go on from it (default: only on Ctrl-C, "
            f"in the folder {CHECKPOINTS} of --out)",
        )  # fmt: skip
        model.set_defaults(options=option)


def settled(args: Namespace, package: str) -> Namespace:
    """The namespace with recipe and defaults; ValueError for a recipe that does not fit."""
    given = vars(args)
    options = given.pop("options")
    recipe = read(package, given["recipe"], args.model, options) if "recipe" in given else {}
    return Namespace(**{**options.defaults, **recipe, **given})


def module_of(package: str, model: str) -> ModuleType:
    """The module that trains a model."""
    return import_module(f"{package}.{model.replace('-', '_')}")


def recipes(package: str) -> dict[str, dict[str, Any]]:
    """What each recipe of a command says, by its name, sorted."""
    folder = sorted(files(package).joinpath("recipes").iterdir(), key=lambda path: path.name)
    return {p.name.removesuffix(".toml"): tomllib.loads(p.read_text("utf-8")) for p in folder}


def recipes_of(package: str, model: str) -> list[str]:
    """The names of a model's recipes."""
    return [name for name, recipe in recipes(package).items() if recipe.get("model") == model]


def read(package: str, name: str, model: str, options: Options) -> dict[str, Any]:
    """The options that a recipe sets; raises ValueError as `settled` does."""
    known, command = recipes(package), package.rpartition(".")[2]
    if name not in known:
        raise ValueError(f"there is no recipe called {name!r}; known are {', '.join(known)}")
    if (wanted := known[name].pop("model", None)) != model:
        raise ValueError(f"the recipe {name!r} is for `minibert {command} {wanted}`")
    if unknown := [key for key in known[name] if key not in options.defaults]:
        has = f"`minibert {command} {model}` has only {', '.join(options.defaults)}"
        raise ValueError(f"the recipe {name!r} sets {', '.join(unknown)}; {has}")
    return known[name]


def positive(kind: type) -> Callable[[str], float]:
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
        _remove_empty(made)


def _remove_empty(paths: Iterable[Path]) -> None:
    """Remove the folders among these paths that are empty when their turn comes."""
    for one in paths if int(os.environ.get("RANK", 0)) == 0 else ():
        with suppress(OSError):  # a file, or a folder with something in it
            one.rmdir()


@contextmanager
def resumable(args: Namespace) -> Iterator[None]:
    """Within it ``args.checkpoint`` is a folder that an interrupted command goes on from.

    By default it is `CHECKPOINTS` in ``args.out``: written on Ctrl-C and at the end of training,
    and removed when the command is done. One that was asked for is also written every so many
    updates, and stays. A command that fails before that leaves no empty folders in it.
    """
    args.checkpoint = args.checkpoint or args.out / CHECKPOINTS
    try:
        yield
    finally:
        _remove_empty([*sorted(args.checkpoint.rglob("*"), reverse=True), args.checkpoint])
    if args.checkpoint == args.out / CHECKPOINTS and int(os.environ.get("RANK", 0)) == 0:
        shutil.rmtree(args.checkpoint, ignore_errors=True)


def saving(args: Namespace, every: int) -> dict:
    """What `minibert.fit` is to be given for it; ``every``: updates between two checkpoints."""
    often = args.checkpoint != args.out / CHECKPOINTS
    every = every if often else NEVER
    return {"checkpoint": args.checkpoint, "checkpoint_every": every, "reraise": True}
