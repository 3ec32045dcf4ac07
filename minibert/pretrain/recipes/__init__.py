"""Recipes: the options with which the bundled checkpoints were made, one TOML file each.

The file holds ``model`` and whatever options of ``minibert pretrain MODEL`` differ from the
defaults, under their names with an underscore for a hyphen.
"""

import tomllib
from pathlib import Path

FOLDER = Path(__file__).parent


def recipes():
    """The names of all recipes, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_recipe(name, model, options):
    """The options that a recipe sets, as a dict.

    Raises ValueError for an unknown recipe, one for another model, or an option that ``model``
    does not have.
    """
    if name not in recipes():
        raise ValueError(f"there is no recipe called {name!r}; known are {', '.join(recipes())}")
    recipe = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    if recipe.get("model") != model:
        raise ValueError(f"the recipe {name!r} is for `minibert pretrain {recipe.get('model')}`")
    recipe.pop("model")
    if unknown := [key for key in recipe if key not in options.defaults]:
        raise ValueError(
            f"the recipe {name!r} sets {', '.join(unknown)}; `minibert pretrain {model}` has only "
            f"{', '.join(options.defaults)}"
        )
    return recipe
