"""A figure that controls redraw: the base of every widget of the chapters.

`Interactive` shows two outputs, so that nobody ever sees an empty box. The first is a still picture
of the first frame, which GitHub, the book and a reopened notebook show. The second is the live
widget. It hides the still picture while a kernel answers it (a style sheet does that, no script).
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ipywidgets

from minibert.show import figures
from minibert.training.progress import in_notebook

CONTROLS = "Run this cell to use its controls."
LIVE, STILL, NOTICE = "mb-live", "mb-still", "mb-notice"
PATIENCE = 0.3  # seconds that a new frame may take before the widget says that it is computing
ONE = threading.RLock()  # JupyterLab sends what is pressed and moved to several threads
COMPUTING = '<i role="status">computing ...</i>'
CELL = ".jp-OutputArea-child"
DEAD = f"{CELL}:has(.{STILL}) + {CELL} .jp-OutputArea-output.jupyter-widgets:not(:has(*))"
STYLE_SHEET = f"""<style>
{CELL}:has(.{STILL}):has(+ {CELL} .{LIVE}) {{ display: none }}
.{LIVE} .widget-readout {{ max-width: none }}
{DEAD} {{ font-size: 0 }}
{DEAD}::after {{
  content: "{CONTROLS}"; font-size: 13px; font-style: italic }}
</style>"""


@dataclass
class Frame:
    """What a widget shows for one setting of its controls.

    ``figure``: a matplotlib figure, or None; ``alt`` describes it in words. ``text``: plain text
    below it; ``table``: rows of cells, the first row its heading. Both are shown as they are:
    nothing in them is read as HTML.
    """

    figure: object = None
    alt: str = ""
    text: str = ""
    table: list = field(default_factory=list)


class Interactive:
    """Controls above a figure that ``draw`` redraws whenever one of them changes.

    ``draw(**values)`` gets the value of every control by name and returns a `Frame`, or a figure
    and its alt text. ``controls`` maps names to ipywidgets. ``rows`` arranges them: a list of rows
    of names, and of whatever text or widget is to stand between them. To show it, end a cell with
    it. ``choices`` maps a `choice_of` words to the text box that they come from, and to the
    function from its text to the words, so that a changed text offers its own. An error in the
    first frame is raised. A later error is shown in the widget, under the last good picture. A
    frame that takes longer than `PATIENCE` is announced above the picture.
    """

    def __init__(
        self,
        draw: Callable[..., Frame | tuple],
        controls: Mapping[str, Any],
        rows: Sequence[Sequence[str | ipywidgets.Widget]] | None = None,
        choices: Mapping[str, tuple[str, Callable[[str], Sequence[str]]]] | None = None,
    ) -> None:
        self.draw, self.controls = draw, dict(controls)
        self.rows = [[name] for name in self.controls] if rows is None else rows
        self.message, self.seconds = "", 0.0
        self._notice = ipywidgets.HTML(layout=ipywidgets.Layout(min_height="20px"))
        self._notice.add_class(NOTICE)
        self._picture = ipywidgets.HTML()
        self._words = ipywidgets.HTML()
        self._held = False
        self._show(self._draw(first=True))
        self._still = self._bundle()
        for name, (text, words_of) in (choices or {}).items():
            self.controls[text].observe(partial(self._offer, name, words_of), names="value")
        for name, control in self.controls.items():
            make_room(control)
            if not getattr(control, "description", name):
                control.tooltip = control.tooltip or name  # what a screen reader calls the box
            control.observe(self._changed, names="value")

    @property
    def values(self) -> dict[str, Any]:
        """The value of every control, by name; a text is well formed, whatever was typed."""
        values = {name: control.value for name, control in self.controls.items()}
        texts = {n: figures.well_formed(v) for n, v in values.items() if isinstance(v, str)}
        return values | texts

    def set(self, **values: Any) -> None:
        """Set controls by name, as a user would, and redraw once."""
        unknown = sorted(set(values) - set(self.controls))
        if unknown:
            known = list(self.controls)
            raise ValueError(f"No control is named {unknown[0]!r}; there are {known}.")
        self._fill(values)
        self.redraw()

    def _fill(self, values):
        """Set controls by name without drawing."""
        self._held = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._held = False

    def _offer(self, name, words_of, change):
        """Let a `choice_of` words have those of a changed text; the redraw comes later, once."""
        try:
            words = words_of(change["new"])
        except Exception:
            return  # drawing raises the same error, and the widget shows it
        buttons = self.controls[name]
        before, held, self._held = buttons.label, self._held, True
        buttons.options = _numbered(words)
        if words:
            buttons.value = words.index(before) if before in words else 0
        self._held = held

    def redraw(self) -> None:
        """Draw the frame for the current values; an error becomes a sentence in the widget."""
        with ONE:
            self._redraw()

    def _redraw(self):
        try:
            with self._announced():
                frame = self._draw()
        except ValueError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"This could not be drawn. {type(error).__name__}: {error}")
        else:
            self._show(frame)

    def _changed(self, change):
        if not self._held:
            self.redraw()

    @contextmanager
    def _announced(self):
        """Say from `PATIENCE` seconds on that it computes; a thread does, as the kernel is busy."""
        timer = threading.Timer(PATIENCE, setattr, (self._notice, "value", COMPUTING))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # it may be saying so at this moment
            self._notice.value = ""

    def _draw(self, first=False):
        start = time.perf_counter()
        frame = self.draw(**self.values)
        frame = frame if isinstance(frame, Frame) else Frame(*frame)
        if frame.figure is not None:
            figures.check_alt(frame.alt)
            if first:  # a small file for the page; after that, speed
                figures.refuse_unlabelled(frame.figure)
            self.png = figures.png(frame.figure, fast=not first)
        self.seconds = time.perf_counter() - start
        return frame

    def _show(self, frame):
        self.frame, self.message = frame, ""
        if frame.figure is not None:
            self._picture.value = figures.image_html(self.png, frame.alt)
        self._words.value = words_html(frame.text, frame.table)

    def _fail(self, message):
        self.message = message
        self._words.value = f'<div role="alert"><b>{figures.text_html(message)}</b></div>'

    @property
    def widget(self) -> ipywidgets.VBox:
        """The live widget: rows of controls, what it is busy with, the picture, the words."""
        layout = {"flex_flow": "row wrap", "align_items": "center"}
        rows = []
        for row in self.rows:
            parts = [self.controls.get(part, part) for part in row]
            parts = [ipywidgets.Label(part) if isinstance(part, str) else part for part in parts]
            rows.append(ipywidgets.HBox(parts, layout=layout))
        box = ipywidgets.VBox([*rows, self._notice, self._picture, self._words])
        return box.add_class(LIVE)

    def _bundle(self):
        """The first frame as a display bundle for where there is no kernel."""
        rows = ("  ".join(map(str, row)) for row in self.frame.table)
        words = "\n".join([self.frame.text, *rows])
        if self.frame.figure is None:
            data, metadata = {"text/plain": words, "text/html": ""}, {}
        else:
            data, metadata = figures.bundle(self.png, self.frame.alt)
            data["text/plain"] = f"{data['text/plain']}\n{words}".strip()
        below = words_html(self.frame.text, self.frame.table)
        data["text/html"] = f'{STYLE_SHEET}<div class="{STILL}">{data["text/html"]}{below}</div>'
        return data, metadata

    def _ipython_display_(self):
        figures.publish(*self._still)
        if in_notebook():
            live = self.widget._repr_mimebundle_()
            live["text/plain"] = CONTROLS
            figures.publish(live)


def text_box(text: str, width: int = 700) -> ipywidgets.Text:
    """A box for one line of text, so many pixels wide; what is typed counts from Enter on."""
    layout = ipywidgets.Layout(width=f"{width}px")
    return ipywidgets.Text(text, continuous_update=False, layout=layout)


def choice_of(words: Sequence[str], place: int = 0) -> ipywidgets.ToggleButtons:
    """A button for each word; the value is the place of the chosen one."""
    buttons = ipywidgets.ToggleButtons(options=_numbered(words), style={"button_width": "auto"})
    buttons.value = min(place, len(words) - 1)
    return buttons


def menu(names: Sequence[str], description: str, start: int = 0) -> ipywidgets.SelectionSlider:
    """A slider over names; the value is the number of the chosen one, counted from ``start``.

    JupyterLab keeps the arrow keys from a dropdown, and not from a slider.
    """
    options = [(name, number) for number, name in enumerate(names, start)]
    longest = max(map(len, names))
    layout = ipywidgets.Layout(width=f"{min(720, max(360, 240 + 7 * longest))}px")
    return ipywidgets.SelectionSlider(options=options, description=description, layout=layout)


def _numbered(words):
    return [(word, number) for number, word in enumerate(words)]


def make_room(control: ipywidgets.Widget) -> None:
    """Show a description whole, and widen a slider by it: its track must stay long enough."""
    style: Any = getattr(control, "style", None)
    if hasattr(style, "description_width"):
        style.description_width = "initial"
    if "Slider" in type(control).__name__ and control.layout.width is None:
        control.layout.width = f"{260 + 8 * len(control.description)}px"


def words_html(text: str, table: Sequence[Sequence[object]] = ()) -> str:
    """Plain text and the rows of a table as HTML, every character of theirs escaped."""
    rich = f"<div>{figures.text_html(text)}</div>" if text else ""
    if table:
        head, *body = [[figures.text_html(str(cell)) for cell in row] for row in table]
        rows = [f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"]
        rows += [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in body]
        gaps = "border-collapse: separate; border-spacing: 0.8em 0"  # JupyterLab leaves none
        whole = "word-break: normal; overflow-wrap: normal"  # and would cut a number in two
        rich += f'<table style="{gaps}; {whole}">{"".join(rows)}</table>'
    style = "max-width: 760px; max-height: 26em; overflow: auto; line-height: 1.6"
    return f'<div style="{style}" aria-live="polite">{rich}</div>' if rich else ""
