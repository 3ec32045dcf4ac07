"""``mb.course.source``: a library class or function, read in place."""

import inspect
import textwrap
from typing import Any

from minibert.course.learn.messages import fenced, show


def source(thing: Any) -> None:
    """Show the source of a class, function, method or module, highlighted.

    Raises TypeError for an object whose source cannot be found (a built-in, an instance).
    """
    try:
        lines, first = inspect.getsourcelines(thing)
    except (TypeError, OSError) as error:
        kind = type(thing).__name__
        message = f"No Python source for this {kind}: pass a class, a function or a module."
        raise TypeError(message) from error
    text = textwrap.dedent("".join(lines)).rstrip()
    module = inspect.getmodule(thing)
    name = module.__name__.replace(".", "/") + ".py" if module else "this notebook"
    where = f"{name}, lines {max(first, 1)} to {max(first, 1) + len(lines) - 1}"
    show(f"# {where}\n{text}", {"text/markdown": fenced(f"# {where}\n{text}")})
