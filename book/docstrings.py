"""Our docstrings, which are plain prose with backticks, as the reStructuredText Sphinx reads.

A paragraph whose lines begin with ``name: what it is`` becomes a list where a line is indented
below another, single backticks become links where the name is documented and code elsewhere, and
whatever else means something to reStructuredText is escaped.
"""

import re
from functools import cache

from book import reference

CODE = re.compile(r"``(.+?)``|`([^`]+)`", re.DOTALL)
ITEM = re.compile(r"(?:- )?(\*{0,2}[`\w][\w`*, ]*?): ")
SPECIAL = re.compile(r"([\\*_|`])")


@cache
def _targets():
    return reference.targets()


def process(app, what, name, thing, options, lines):
    """The handler of autodoc's event: changes ``lines`` in place."""
    lines[:] = converted("\n".join(lines), _targets()).splitlines()


def converted(text, targets):
    """The docstring as reStructuredText; ``targets``: name -> the full name it is documented by."""
    blocks = re.split(r"\n[ \t]*\n", text.strip("\n").replace("::\n", ":\n"))
    return "\n\n".join(_block(block, targets) for block in blocks) + "\n"


def _block(block, targets):
    lines = block.splitlines()
    if lines and lines[0].lstrip().startswith(">>>"):
        return block
    if lines and all(line.startswith("    ") for line in lines):  # a listing
        return "::\n\n" + block
    indented = any(line.startswith(" ") for line in lines[1:])
    bullets = any(line.startswith("- ") for line in lines)
    if not indented and not bullets:
        return inline(block, targets)
    items = []
    for line in lines:
        starts = line.startswith("- ") if bullets else ITEM.match(line)
        if starts or not items:
            items.append([line.removeprefix("- ")])
        else:
            items[-1].append(line.strip())
    return "\n".join("* " + inline(" ".join(item), targets, ITEM) for item in items)


def inline(text, targets, item=None):
    """Prose with its code marked and all else escaped; names that begin an ``item`` are code."""
    named = item and item.match(text)
    if named:
        names = [name.strip(" `") for name in named[1].split(",")]
        text = ", ".join(f"``{name}``" for name in names) + text[named.end(1) :]
    made, place = [], 0
    for match in CODE.finditer(text):
        made += [SPECIAL.sub(r"\\\1", text[place : match.start()]), _code(match, targets)]
        place = match.end()
    return "".join([*made, SPECIAL.sub(r"\\\1", text[place:])])


def _code(match, targets):
    """One piece of code; ``\\ `` is nothing, and lets a letter follow at once."""
    code = " ".join((match[1] or match[2]).split())
    target = targets.get(code.removeprefix("mb.")) if match[2] else None
    if target:
        return rf"\ :py:obj:`{code} <{target}>`\ "
    return rf"\ ``{code}``\ "
