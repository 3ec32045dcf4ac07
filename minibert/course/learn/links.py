"""Links between chapters, where only some of them are there: in a release or a bundle."""

import re
from collections.abc import Container

from nbformat import NotebookNode

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\d\d_\w+\.ipynb)[^)]*\)")


def only_to(notebooks: Container[str], text: str) -> str:
    """Markdown in which links to chapters lead only to the files named in ``notebooks``.

    Of all other links, only the text stays.
    """
    return LINK.sub(lambda match: match[0] if match[2] in notebooks else match[1], text)


def keep_only(notebooks: Container[str], notebook: NotebookNode) -> NotebookNode:
    """`only_to` for each Markdown cell of a notebook, in place; gives the notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = only_to(notebooks, cell.source)
    return notebook
