"""The base of the widgets: controls redraw, errors are said, a still first frame stays."""

import threading
import time

import ipywidgets
import nbformat
import pytest

from minibert import show
from minibert.course.author.execute import CONTROLS, WIDGET, OwnKernel
from minibert.show import figures, widget
from minibert.show.action import Acting


def line(power, name=""):
    if power < 0:
        raise ValueError("The power must not be negative.")
    fig, ax = show.new("Powers", "x", "x to the power")
    ax.plot([0, 1, 2], [x**power for x in (0, 1, 2)])
    return show.Frame(
        fig, f"x to the power {power}", text=name, table=[["power", name], [power, 1]]
    )


@pytest.fixture
def powers():
    return show.Interactive(
        line,
        {
            "power": ipywidgets.IntSlider(1, -1, 5, description="power"),
            "name": ipywidgets.Text("first", description="name"),
        },
    )


def pictures(interactive):
    """What a reader sees: the picture and the words."""
    return interactive._picture.value, interactive._words.value


def test_a_control_moved_by_hand_redraws(powers):
    before = powers.png, pictures(powers)
    powers.controls["power"].value = 3
    after = powers.png, pictures(powers)
    assert before[0] != after[0] and before[1][0] != after[1][0]
    assert 'alt="x to the power 3"' in after[1][0]
    assert f"<td>{figures.text_html('3')}</td>" in after[1][1]
    powers.controls["power"].value = 1
    assert 'alt="x to the power 1"' in powers._picture.value


def test_set_redraws_once_and_knows_its_controls(powers):
    calls = []
    draw = powers.draw
    powers.draw = lambda **values: calls.append(values) or draw(**values)
    powers.set(power=2, name="second")
    assert calls == [{"power": 2, "name": "second"}] == [powers.values]
    with pytest.raises(ValueError, match="No control is named 'colour'"):
        powers.set(colour=1)


def test_an_error_is_a_sentence_under_the_last_picture(powers):
    picture = powers._picture.value
    powers.set(power=-1)
    assert powers.message == "The power must not be negative."
    assert 'role="alert"' in powers._words.value and powers.message in powers._words.value
    assert powers._picture.value == picture
    powers.draw = lambda **_: 1 / 0
    powers.set(power=2)
    assert powers.message.endswith("ZeroDivisionError: division by zero")
    powers.draw = line
    powers.set(power=4)
    assert powers.message == "" and "alert" not in powers._words.value


def test_a_slow_frame_is_announced_until_it_is_there(powers, monkeypatch):
    monkeypatch.setattr(widget, "PATIENCE", 0.01)
    told, draw = [], powers.draw
    powers._notice.observe(lambda change: told.append(change["new"]), names="value")

    def slow(**values):
        deadline = time.monotonic() + 30
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)
        assert told == [widget.COMPUTING]
        if values["power"] == 4:
            raise ValueError("no")
        return draw(**values)

    powers.draw = slow
    for power, message in ((3, ""), (4, "no")):
        powers.set(power=power)
        assert powers.message == message
        assert told == [widget.COMPUTING, ""] and powers._notice.value == ""
        told.clear()
    assert powers._notice in powers.widget.children


def test_a_quick_frame_is_not_announced(powers, monkeypatch):
    monkeypatch.setattr(widget, "PATIENCE", 60.0)
    told = []
    powers._notice.observe(told.append, names="value")
    start = time.monotonic()
    powers.set(power=3)
    assert not told and time.monotonic() - start < 60  # nor waited for


def test_an_error_of_the_first_frame_is_raised():
    with pytest.raises(ValueError, match="must not be negative"):
        show.Interactive(line, {"power": ipywidgets.IntSlider(-1, -1, 5)})


def test_the_first_frame_must_be_labelled_and_described():
    bare = show.new("No labels")[0]
    with pytest.raises(ValueError, match="has no label"):
        show.Interactive(lambda: (bare, "bare"), {})
    with pytest.raises(ValueError, match="alt text"):
        show.Interactive(lambda: (show.new("t", "x", "y")[0], ""), {})


@pytest.mark.parametrize(
    "typed",
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;b&gt;", "\u202e<i>"],
)
def test_typed_text_is_shown_as_text(powers, typed):
    powers.set(name=typed)
    escaped = figures.text_html(typed)
    assert powers._words.value.count(escaped) == 2  # in the text and in the table
    without = powers._words.value.replace(escaped, "")
    assert not any(tag in without for tag in ("<script", "<img", "<b>", "<i>"))


def test_a_widget_without_a_figure():
    upper = show.Interactive(
        lambda word: show.Frame(text=word.upper()), {"word": ipywidgets.Text("a<b")}
    )
    data, metadata = upper._still
    assert data["text/plain"] == "A<B" and "A&lt;B" in data["text/html"] and metadata == {}
    upper.set(word="c")
    assert "C</bdi>" in upper._words.value and upper._picture.value == ""


def test_the_still_first_frame_has_alt_text_and_stays(powers):
    data, metadata = powers._still
    assert metadata["image/png"]["alt"] == "x to the power 1"
    assert 'alt="x to the power 1"' in data["text/html"] and widget.STILL in data["text/html"]
    first = data["image/png"]
    powers.set(power=3)
    assert powers._still[0]["image/png"] == first


def test_rows_arrange_controls_and_words(powers):
    powers.rows = [["power", "of", "name"]]
    box = powers.widget
    assert widget.LIVE in box._dom_classes
    row = box.children[0].children
    assert row[0] is powers.controls["power"] and row[2] is powers.controls["name"]
    assert row[1].value == "of"


def test_outside_a_notebook_it_prints_what_it_shows(powers, capsys):
    powers._ipython_display_()
    assert capsys.readouterr().out == "[Figure: x to the power 1]\nfirst\npower  first\n1  1\n"


@pytest.mark.long
def test_in_a_kernel_a_still_picture_comes_before_the_widget(tmp_path):
    client = pytest.importorskip("nbclient")
    cell = """
import ipywidgets, minibert.show as show
def draw(k):
    fig, ax = show.new("t", "x", "y")
    ax.plot([0, k])
    return fig, f"a line to {k}"
slider = ipywidgets.IntSlider(1, 0, 9)
show.Interactive(draw, {"k": slider})"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    runner = client.NotebookClient(
        notebook, timeout=120, store_widget_state=False, extra_arguments=["--log-level=ERROR"]
    )
    runner.create_kernel_manager()
    runner.km.kernel_spec_manager = OwnKernel()
    runner.execute()
    still, live = [o for o in notebook.cells[0].outputs if o.output_type != "stream"]
    assert still.metadata["image/png"]["alt"] == "a line to 1" and WIDGET not in still.data
    assert set(live.data) == {WIDGET, "text/plain"} and live.data["text/plain"] == CONTROLS


def test_a_slider_keeps_its_track_beside_a_long_description():
    names = {"cut": "cut", "longest": "longest answer (tokens)"}
    sliders = {k: ipywidgets.IntSlider(1, description=text) for k, text in names.items()}
    show.Interactive(lambda cut, longest: show.Frame(text="words"), sliders, [list(sliders)])
    for name, slider in sliders.items():
        assert int(slider.layout.width[:-2]) - 8 * len(names[name]) >= 250


def test_a_box_without_a_description_has_a_name_for_a_screen_reader():
    boxes = {"power": ipywidgets.IntSlider(1, -1, 5), "name": widget.text_box("first")}
    boxes["name"].placeholder = "a word"
    show.Interactive(line, boxes)
    assert boxes["name"].tooltip == "name"


def test_a_menu_has_room_for_its_longest_name():
    long = "Who is married to Mabel Hale?"
    widths = [int(widget.menu(names, "").layout.width[:-2]) for names in (["a"], ["a", long])]
    assert widths[0] == 360 and widths[1] >= 180 + 7 * len(long)


def test_two_presses_from_two_threads_act_one_after_the_other():
    inside, most = [], []

    def act():
        inside.append(1)
        time.sleep(0.05)
        most.append(len(inside))
        inside.pop()

    one = Acting(line, {"power": ipywidgets.IntSlider(1, -1, 5), "name": ipywidgets.Text("")})
    button = one.button("go", act)
    threads = [threading.Thread(target=button.click) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1] and not button.disabled
