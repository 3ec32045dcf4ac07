"""Figures: what is refused, the alt text, and that the same figure gives the same bytes."""

import html.parser
import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minibert import show
from minibert.show import figures


def labelled(**options):
    fig, ax = show.new("Loss while training", "step", "loss (nats a token)", **options)
    ax.plot([0, 1, 2], [3.0, 2.0, 1.5])
    return fig, ax


def shown(monkeypatch, *args, **kwargs):
    """What `show.figure` sends to the notebook."""
    sent = []
    monkeypatch.setattr(figures, "publish", lambda *bundle: sent.append(bundle))
    show.figure(*args, **kwargs)
    ((data, metadata),) = sent
    return data, metadata


@pytest.mark.parametrize("module", ["minibert", "minibert.show"])
def test_importing_loads_no_plotting(module):
    code = f"import {module}, sys; print({{'matplotlib', 'ipywidgets'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_public_name_is_there():
    for name in show.__all__:
        assert getattr(show, name) is not None
    with pytest.raises(AttributeError, match="attribute heat_map"):
        show.heat_map  # noqa: B018


@pytest.mark.parametrize("axis", ["x", "y"])
def test_an_axis_without_a_label_is_refused(axis):
    fig, ax = labelled()
    ax.set(**{f"{axis}label": ""})
    with pytest.raises(ValueError, match=f"The {axis} axis of axes 1 has no label"):
        show.figure(fig, alt="a line")


def test_one_bare_axes_among_several_is_named():
    fig, axes = show.new("Two", "step", "loss", columns=2)
    axes[1].set_ylabel("")
    with pytest.raises(ValueError, match="The y axis of axes 2"):
        show.figure(fig, alt="two lines")


def test_a_figure_needs_a_title_or_a_caption(monkeypatch):
    fig, ax = labelled()
    ax.set_title("", loc="left")
    with pytest.raises(ValueError, match="neither title nor caption"):
        show.figure(fig, alt="a line")
    data, _ = shown(monkeypatch, fig, alt="a line", caption="Loss & step")
    assert "Loss &amp; step</bdi></figcaption>" in data["text/html"]


@pytest.mark.parametrize("alt", ["", "  ", None, 3])
def test_alt_text_is_needed(alt):
    fig, _ = labelled()
    with pytest.raises(ValueError, match="needs alt text"):
        show.figure(fig, alt=alt)


def test_numbers_with_commas_percent_and_powers_are_no_names():
    for texts in (["1,000", "2,000"], ["10 %", "20 %"], ["$\\mathdefault{10^{2}}$"], ["\u22121.5"]):
        fig, ax = labelled()
        ax.set_xlabel("")
        ax.set_xticks(range(len(texts)), texts)
        with pytest.raises(ValueError, match="x axis"):
            figures.refuse_unlabelled(fig)


def test_axes_that_name_themselves_pass():
    fig, ax = labelled()
    ax.set_xlabel("")
    with pytest.raises(ValueError, match="x axis"):
        figures.refuse_unlabelled(fig)
    ax.set_xticks([0, 1], ["skip-gram", "CBOW"])
    figures.refuse_unlabelled(fig)
    ax.set(ylabel="")
    with pytest.raises(ValueError, match="y axis"):
        figures.refuse_unlabelled(fig)
    ax.axis("off")
    figures.refuse_unlabelled(fig)


def test_a_colour_bar_needs_its_label():
    fig, ax = show.new("Cosines", "word", "word")
    bar = fig.colorbar(ax.imshow(np.eye(3)))
    with pytest.raises(ValueError, match="y axis of axes 2"):
        figures.refuse_unlabelled(fig)
    bar.set_label("cosine")
    figures.refuse_unlabelled(fig)


def test_shared_axes_are_labelled_once():
    fig, axes = show.new("Two", rows=2, sharex=True)
    axes[0].set_ylabel("loss")
    axes[1].set(ylabel="rate", xlabel="step")
    figures.refuse_unlabelled(fig)
    axes[1].set_xlabel("")
    with pytest.raises(ValueError, match="x axis"):
        figures.refuse_unlabelled(fig)
    fig.supxlabel("step")
    figures.refuse_unlabelled(fig)


def test_alt_text_is_in_the_bundle(monkeypatch):
    alt = 'Loss < 2 & "falling"'
    data, metadata = shown(monkeypatch, labelled()[0], alt=alt)
    assert metadata == {"image/png": {"alt": alt}}
    assert 'alt="Loss &lt; 2 &amp; &quot;falling&quot;"' in data["text/html"]
    assert data["text/plain"] == f"[Figure: {alt}]"
    assert data["image/png"] in data["text/html"]


def test_a_figure_of_pyplot_is_closed(monkeypatch):
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    ax.set(xlabel="x", ylabel="y", title="t")
    assert plt.get_fignums()
    shown(monkeypatch, fig, alt="empty axes")
    assert not plt.get_fignums()


def test_the_same_figure_gives_the_same_small_plain_png():
    first, second = (show.png(labelled()[0]) for _ in range(2))
    assert first == second
    image = Image.open(io.BytesIO(first))
    assert image.size == (760, 420) and not image.info.get("Software") and not image.text
    assert len(first) < 30_000
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    wide = Image.open(io.BytesIO(show.png(labelled(size=(20, 5))[0])))
    assert wide.width == 800


def test_outside_a_notebook_the_text_is_printed(capsys):
    show.figure(labelled()[0], alt="Loss falls from 3 to 1.5", caption="Three steps.")
    assert capsys.readouterr().out == "[Figure: Loss falls from 3 to 1.5]\nThree steps.\n"


class TextOf(html.parser.HTMLParser):
    def __init__(self, rich):
        super().__init__(convert_charrefs=True)
        self.tags, self.text = [], ""
        self.feed(rich)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.text += "\n" * (tag == "br")

    def handle_data(self, data):
        self.text += data


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=60))
def test_any_text_shows_as_itself(text):
    page = TextOf(figures.text_html(text))
    assert page.text == text
    assert page.tags == ["bdi"] + ["br"] * text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "&amp; &lt;b&gt; &#60;",
        "\u202eright to left \u0639\u0631\u0628\u064a",
        "\U0001f600 emoji",
        "x" * 10_000,
    ],
)
def test_hostile_text_is_only_text(text):
    page = TextOf(figures.text_html(text))
    assert page.text == text and page.tags == ["bdi"]


def test_half_of_a_surrogate_pair_can_be_sent():
    assert ">a?b<" in figures.text_html("a\ud83db")
    assert 'alt="a?b"' in figures.image_html(show.png(labelled()[0]), "a\ud83db")
