"""One house style for every figure, and one way to show it: a small PNG with alt text.

Figures are drawn off screen (matplotlib's Agg canvas), without ``pyplot`` and its global state, so
that they look the same in a notebook, in a terminal and in a test, and need no display.
"""

import base64
import html
import io
import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from PIL import Image

from minibert.training.progress import in_notebook

DPI = 100  # 7.6 inches wide: 760 pixels, which a notebook cell shows at 100 %
MAX_WIDTH = 800
SIZE = (7.6, 4.2)
Mime = dict[str, Any]  # by MIME type

# Okabe & Ito (2008), "Color universal design": distinguishable under every common colour blindness.
# Yellow comes last, since it is pale on white.
PALETTE = {
    "blue": "#0072B2", "vermillion": "#D55E00", "green": "#009E73", "purple": "#CC79A7",
    "orange": "#E69F00", "sky": "#56B4E9", "black": "#000000", "yellow": "#F0E442",
}  # fmt: skip
GREY = "#5f5f5f"  # text and reference lines; 6.4 : 1 on white

STYLE: dict[Any, Any] = {
    "figure.dpi": DPI, "figure.facecolor": "white",
    "figure.titlesize": 13, "figure.titleweight": "bold",
    "axes.facecolor": "white", "axes.edgecolor": "#8c8c8c", "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=list(PALETTE.values())),
    "axes.grid": True, "axes.spines.right": False, "axes.spines.top": False,
    "axes.labelsize": 11, "axes.titlesize": 12.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.titlepad": 10,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every system
    "font.size": 11, "lines.linewidth": 1.9, "image.cmap": "cividis",
    "grid.color": "#e2e2e2", "grid.linewidth": 0.7,
    "legend.fontsize": 10.5, "legend.frameon": False,
    "xtick.labelsize": 10.5, "xtick.color": "#8c8c8c", "xtick.labelcolor": "black",
    "ytick.labelsize": 10.5, "ytick.color": "#8c8c8c", "ytick.labelcolor": "black",
}  # fmt: skip


class Picture(Figure):
    """A matplotlib figure that says in words what it shows (``alt``)."""

    alt = ""
    movable: Sequence[Artist]  # see `move_over_backdrop`
    backdrop: Any


def style() -> AbstractContextManager[None]:
    """The house style as a context: ``with show.style(): ...`` around your own matplotlib code."""
    return matplotlib.rc_context(STYLE)


def new(
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    size: tuple[float, float] = SIZE,
    *,
    rows: int = 1,
    columns: int = 1,
    layout: Literal["constrained"] | None = "constrained",
    **subplots: Any,
) -> tuple[Picture, Any]:
    """A figure in the house style with one set of axes, or a grid of them.

    ``size`` is in inches at 100 dots per inch. Labels are given to every set of axes; ``title``
    stands above the axes, or above the whole grid. ``layout`` is matplotlib's layout engine (None:
    you place the axes yourself). Further keywords go to ``Figure.subplots``.
    Returns ``(figure, axes)``; ``axes`` is an array where ``rows * columns > 1``.
    """
    with style():
        fig = Picture(figsize=size, layout=layout)
        FigureCanvasAgg(fig)
        axes = fig.subplots(rows, columns, **subplots)
        for ax in np.atleast_1d(axes).flat:
            ax.set(xlabel=xlabel, ylabel=ylabel)
        if rows * columns > 1:
            fig.suptitle(title, x=0.01, ha="left")
        else:
            axes.set_title(title)
    return fig, axes


def described(fig: Picture, alt: str) -> Picture:
    """Attach the text that stands for the figure where it cannot be seen; returns the figure."""
    fig.alt = alt
    return fig


def figure(fig: Figure, alt: str | None = None, caption: str | None = None) -> None:
    """Show a matplotlib figure as a PNG with alt text, and close it.

    ``alt`` says in words what the figure shows; a figure that `minibert.show` drew has its own.
    ``caption`` is printed below the picture. Raises ``ValueError`` without alt text, where visible
    axes lack a label (an axis whose tick labels are words names itself), and where there is neither
    title nor caption.
    """
    alt = getattr(fig, "alt", "") if alt is None else alt
    check_alt(alt)
    refuse_unlabelled(fig, caption)
    data, metadata = bundle(png(fig), alt, caption)
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(fig)  # a figure that was made with it would be shown twice
    publish(data, metadata)


def check_alt(alt: object) -> None:
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            "A figure needs alt text: say in a sentence what it shows, as in "
            'show.figure(fig, alt="Loss falls from 7.6 to 4.1 nats in 2,000 steps").'
        )


def refuse_unlabelled(fig: Figure, caption: str | None = None) -> None:
    """Raise ``ValueError`` for axes without labels, or a figure with neither title nor caption."""
    titles = [fig.get_suptitle(), caption or ""]
    for number, ax in enumerate(fig.axes, 1):
        titles += [ax.get_title(loc) for loc in ("left", "center", "right")]
        for name in "xy" if ax.get_visible() and ax.axison else "":
            if not (getattr(fig, f"get_sup{name}label")() or _labelled(ax, name)):
                raise ValueError(
                    f"The {name} axis of axes {number} has no label: say what it measures and in "
                    f'which unit, as in ax.set_{name}label("loss (nats per token)").'
                )
    if not any(title.strip() for title in titles):
        raise ValueError(
            "The figure has neither title nor caption: give one, as in "
            'ax.set_title("Loss while training") or show.figure(fig, alt=..., caption=...).'
        )


def _labelled(ax, name):
    """True for an axis, "x" or "y", that says what it measures, or does not have to."""
    axis = getattr(ax, f"{name}axis")
    if axis.get_label_text().strip() or not axis.get_visible():
        return True
    ticks = [label.get_text().strip() for label in axis.get_ticklabels() if label.get_visible()]
    ticks = [text for text in ticks if text]
    beside = getattr(ax, f"get_shared_{name}_axes")().get_siblings(ax)  # in a grid
    told = any(getattr(other, f"get_{name}label")().strip() for other in beside)
    if told or ax.get_label() == "<colorbar>":
        return not ticks  # a colour bar is measured along one side; a shared axis is labelled once
    return bool(ticks) and not all(map(_is_number, ticks))


def _is_number(text):
    text = text.replace("\N{MINUS SIGN}", "-").replace(",", "").strip(" %$")
    try:
        float(text)
    except ValueError:
        return "mathdefault" in text  # a power of ten on a logarithmic axis
    return True


def png(fig: Figure, fast: bool = False) -> bytes:
    """The figure as PNG bytes, at most 800 pixels wide; no date or version is written into it.

    It has at most 256 colours: the best ones or, with ``fast=True``, those that are found quickly
    (for a picture that is redrawn often).
    """
    dpi = min(DPI, MAX_WIDTH / fig.get_figwidth())
    if fig.dpi != dpi:
        fig.set_dpi(dpi)
    canvas = fig.canvas if isinstance(fig.canvas, FigureCanvasAgg) else FigureCanvasAgg(fig)
    with warnings.catch_warnings():  # a character that no font has is drawn as a box
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        _draw(fig, canvas)
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    method = Image.Quantize.FASTOCTREE if fast else Image.Quantize.MAXCOVERAGE
    data = io.BytesIO()
    image = image.quantize(256, method=method, dither=Image.Dither.NONE)
    image.save(data, format="PNG", optimize=not fast, compress_level=1 if fast else 9)
    return data.getvalue()


def shortened(names: Sequence[str], most: int = 13) -> list[str]:
    """Names as an axis has room for them: of the longer ones the first ``most`` letters."""
    return [name if len(name) <= most + 1 else f"{name[:most]}…" for name in names]


def move_over_backdrop(fig: Picture, artists: Sequence[Artist]) -> None:
    """Draw all else of the figure once and ``artists`` over it each time: redrawing gets faster."""
    fig.movable = artists
    for artist in artists:
        artist.set_animated(True)


def _draw(fig, canvas):
    if not hasattr(fig, "movable"):
        canvas.draw()
        return
    if not hasattr(fig, "backdrop"):
        canvas.draw()
        fig.backdrop = canvas.copy_from_bbox(fig.bbox)
    canvas.restore_region(fig.backdrop)
    for artist in sorted(fig.movable, key=lambda artist: artist.get_zorder()):
        artist.draw(canvas.get_renderer())


def text_html(text: str) -> str:
    """Any text as HTML that shows exactly this text: nothing in it is read as markup.

    The one place where text becomes HTML in this package. Its direction (Arabic, Hebrew) does not
    reach beyond it, and line breaks are kept.
    """
    text = html.escape(well_formed(text))
    return f'<bdi style="overflow-wrap: anywhere">{text}</bdi>'.replace("\n", "<br>")


def well_formed(text: str) -> str:
    """The text with "?" for each half of a surrogate pair, which nothing can draw."""
    return text.encode("utf-8", "replace").decode("utf-8")


def image_html(data: bytes, alt: str) -> str:
    """An ``<img>`` that holds the PNG bytes themselves and the alt text."""
    width, height = Image.open(io.BytesIO(data)).size
    alt = html.escape(well_formed(alt))
    source = base64.b64encode(data).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{source}" alt="{alt}" width="{width}" height="{height}" '
        'style="max-width: 100%; height: auto">'
    )


def bundle(data: bytes, alt: str, caption: str | None = None) -> tuple[Mime, Mime]:
    """A picture as a display bundle: ``(data, metadata)`` for Jupyter's display protocol.

    JupyterLab 4 reads alt text in ``text/html``, nbconvert in the metadata of ``image/png``.
    """
    rich = image_html(data, alt)
    if caption:
        rich = f"<figure>{rich}<figcaption>{text_html(caption)}</figcaption></figure>"
    plain = f"[Figure: {alt}]" + (f"\n{caption}" if caption else "")
    picture = base64.b64encode(data).decode("ascii")
    formats = {"text/plain": plain, "text/html": rich, "image/png": picture}
    return formats, {"image/png": {"alt": alt}}


def publish(data: Mime, metadata: Mime | None = None, **display_id: Any) -> None:
    """Send a display bundle to the notebook; print its plain text anywhere else."""
    if in_notebook():
        sys.modules["IPython"].display.display(data, metadata=metadata, raw=True, **display_id)
    else:
        print(data["text/plain"])
