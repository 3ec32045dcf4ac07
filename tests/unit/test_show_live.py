"""The live loss plot: when it draws, and what stays."""

from types import SimpleNamespace

import pytest

from minibert import show
from minibert.show import figures, live
from minibert.training.history import History


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(time=100.0)
    monkeypatch.setattr(live.time, "monotonic", lambda: now.time)
    return now


@pytest.fixture
def sent(monkeypatch):
    """What goes to the notebook: (bundle, metadata, display options)."""
    calls = []
    monkeypatch.setattr(live, "in_notebook", lambda: True)
    monkeypatch.setattr(figures, "publish", lambda *args, **kw: calls.append((*args, dict(kw))))
    monkeypatch.delenv("MINIBERT_SMOKE", raising=False)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    return calls


def train(plot, clock, steps=40, seconds=0.1):
    run = SimpleNamespace(history=History(), step=0, steps=steps)
    plot.on_start(run)
    for run.step in range(1, steps + 1):
        clock.time += seconds
        run.history.add(run.step, 4.0 / run.step, 0.1, 100.0)
        plot.on_step(run)
    plot.on_end(run)
    return run


def test_one_place_is_updated_at_most_twice_a_second(sent, clock):
    train(show.LossPlot(floor=0.05), clock)  # four seconds by this clock
    assert 6 <= len(sent) <= 9  # steps of a tenth of a second may fall just short of half of one
    assert len({options["display_id"] for _, _, options in sent}) == 1
    assert ["update" in options for _, _, options in sent] == [False] + [True] * (len(sent) - 1)
    data, metadata, _ = sent[-1]
    alt = metadata["image/png"]["alt"]
    assert "to 0.10 at step 40" in alt and "floor at 0.05" in alt
    assert data["image/png"] != sent[0][0]["image/png"]


def test_slow_drawing_is_done_less_often(sent, clock, monkeypatch):
    plot = show.LossPlot()
    monkeypatch.setattr(plot, "_draw", lambda *_, **__: setattr(clock, "time", clock.time + 0.3))
    start = clock.time
    train(plot, clock, steps=300)
    drawing = clock.time - start - 30.0
    assert 0.3 < drawing < 0.12 * 30.0


def test_at_smoke_size_only_the_last_picture_is_drawn(sent, clock, monkeypatch):
    monkeypatch.setenv("MINIBERT_SMOKE", "1")
    train(show.LossPlot(), clock)
    assert len(sent) == 1 and "at step 40" in sent[0][0]["text/plain"]


def test_nothing_is_shown_under_autograding(sent, clock, monkeypatch, capsys):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    train(show.LossPlot(), clock)
    monkeypatch.setattr(live, "in_notebook", lambda: False)
    train(show.LossPlot(), clock)
    assert sent == [] and capsys.readouterr() == ("", "")


def test_a_terminal_gets_one_plain_line(clock, capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    train(show.LossPlot(title="Loss of a unigram"), clock)
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and out.startswith("Loss of a unigram: History(40 steps, loss 4.0")


def test_a_run_without_a_step_shows_nothing(sent, clock):
    train(show.LossPlot(), clock, steps=0)
    assert sent == []
