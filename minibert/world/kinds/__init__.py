"""The kinds of text, in a fixed order.

A kind is a module of its name with ``WEIGHT`` (its share of documents, a whole number),
``TEMPLATES`` (a dict from a name to the lines of a Group; may be left out) and ``write(w)``, which
writes one document with a Writer: ``w.say("opening", p=w.pick(w.world.people))``.
"""

import tomllib
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from minibert.world import phrases, trades
from minibert.world.writer import Writer

NAMES = (
    "encyclopedia",
    "story",
    "news",
    "match",
    "review",
    "letter",
    "dialogue",
    "questions",
    "lesson",
)


def read_templates(module_file: str) -> dict[str, str]:
    """The templates in the TOML file of a module's own name: ``name = \"\"\" lines \"\"\"``."""
    path = Path(module_file).with_suffix(".toml")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is not valid TOML: {error}") from None


def merged(*parts: Mapping[str, str]) -> dict[str, str]:
    """One dict of templates from several; ValueError where two use one name."""
    templates = {}
    for part in parts:
        for name, lines in part.items():
            if name in templates:
                raise ValueError(f"two groups of templates are called {name!r}; rename one")
            templates[name] = lines
    return templates


class Kind:
    """One kind of text; call it with a Writer to write a document."""

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def module(self) -> ModuleType:
        """Imported when the kind is first written."""
        return import_module(f"{__name__}.{self.name}")

    @property
    def weight(self) -> int:
        return self.module.WEIGHT

    @cached_property
    def templates(self) -> dict[str, str]:
        return merged(phrases.TEMPLATES, trades.TEMPLATES, getattr(self.module, "TEMPLATES", {}))

    def __call__(self, w: Writer) -> None:
        w.groups = w.world.groups(self.name, self.templates)
        w.kind = self.name
        self.module.write(w)

    def __repr__(self):
        return f"Kind({self.name!r})"


KINDS = {name: Kind(name) for name in NAMES if find_spec(f"{__name__}.{name}") is not None}
