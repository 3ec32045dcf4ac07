"""Short messages to the learner: as plain text everywhere, as a coloured box in a notebook.

The box is built from escaped text only. So nothing that a learner types, and no exception's
message, is ever read as HTML.
"""

import html
import re
import sys

STYLES = {  # state -> (mark, a word for readers who do not see the colour, colour)
    "right": ("✓", "Right", "#1b7837"),
    "wrong": ("✗", "Wrong", "#b2182b"),
    "crashed": ("!", "It stopped with an error", "#b2182b"),
    "not yet": ("…", "Not yet", "#5e5e5e"),
    "note": ("i", "Note", "#5e5e5e"),
}


def say(state: str, title: str, message: str = "") -> None:
    """Show one message in a box: ``title`` after the state's word, ``message`` below.

    Backticks in ``message`` mark code.
    """
    show(*boxed(state, title, message))


def boxed(state: str, title: str, message: str = "") -> tuple[str, dict[str, str]]:
    """(plain text, MIME type -> data) of such a message."""
    mark, word, colour = STYLES[state]
    heading = " · ".join(part for part in (word, title) if part)
    text = "\n".join(part for part in (f"{mark} {heading}", message) if part)
    body = f"<b>{html.escape(mark)} {html.escape(heading)}</b>"
    if message:
        body += "<br>" + marked_up(message)
    style = f"border-left: 4px solid {colour}; padding: 0.3em 0.8em; margin: 0.3em 0"
    return text, {"text/html": f'<div style="{style}">{body}</div>'}


def say_markdown(heading: str, text: str) -> None:
    """Show an author's Markdown under a heading. Never use it for a learner's text or an error."""
    show(f"{heading}\n{text}", {"text/markdown": f"**{heading}**\n\n{text}"})


def fenced(code: str) -> str:
    """Python code as a Markdown listing; the fence is longer than any run of backticks in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", code)), default=0))
    return f"{fence}python\n{code}\n{fence}"


def marked_up(message: str) -> str:
    """Escaped HTML of a plain message: `code` in backticks, line breaks kept."""
    escaped = html.escape(message)
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escaped).replace("\n", "<br>")


def show(text: str, rich: dict[str, str] | None = None) -> None:
    """Display ``text`` in a notebook with its rich forms (MIME type -> data); else print it."""
    ipython = sys.modules.get("IPython")
    if rich is None or ipython is None or ipython.get_ipython() is None:
        print(text)
        return
    ipython.display.display({**rich, "text/plain": text}, raw=True)
