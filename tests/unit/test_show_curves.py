"""Loss curves, spreads over seeds, bars, and frequency by rank: the numbers that they show."""

import math

import numpy as np
import pytest

from minibert import show
from minibert.show import curves
from minibert.show.figures import refuse_unlabelled
from minibert.training.history import History


def history(steps=3):
    run = History()
    for step in range(1, steps + 1):
        run.add(step, 4.0 - step, 0.1, 100.0)
    return run


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    "run",
    [
        history(),
        history().to_dict(),
        [(1, 3.0), (2, 2.0), (3, 1.0)],
        [3.0, 2.0, 1.0],
        np.array([3.0, 2.0, 1.0]),
    ],
)
def test_every_form_of_a_history_draws_the_same_line(run):
    fig = show.loss_curve(run)
    refuse_unlabelled(fig)
    (line,) = fig.axes[0].lines
    assert list(line.get_xdata()) == [1, 2, 3] and list(line.get_ydata()) == [3, 2, 1]
    assert "from 3.00 at step 1 to 1.00 at step 3" in fig.alt


def test_validation_is_a_second_line():
    run = history()
    run.add_valid(2, 2.5)
    run.add_valid(3, 2.25)
    fig = show.loss_curve(run)
    train, valid = fig.axes[0].lines
    assert list(valid.get_xdata()) == [2, 3] and list(valid.get_ydata()) == [2.5, 2.25]
    assert train.get_color() != valid.get_color()
    assert "valid goes from 2.50 at step 2 to 2.25 at step 3" in fig.alt


def test_named_runs_differ_in_colour_and_dash():
    fig = show.loss_curve({"unigram": [3, 2], "LSTM": [2, 1]}, floor=0.75)
    unigram, lstm, floor = fig.axes[0].lines
    assert unigram.get_color() != lstm.get_color()
    assert unigram.get_linestyle() != lstm.get_linestyle()
    assert [text.get_text() for text in fig.axes[0].get_legend().texts] == ["unigram", "LSTM"]
    assert set(floor.get_ydata()) == {0.75} and texts(fig.axes[0]) == ["floor 0.75"]
    assert "floor at 0.75" in fig.alt and fig.axes[0].get_ylim()[0] < 0.75


def test_a_long_run_is_drawn_as_means():
    losses = np.random.default_rng(0).random(12_345)
    (line,) = show.loss_curve(losses).axes[0].lines
    assert len(line.get_xdata()) == curves.MOST_POINTS
    assert line.get_ydata()[0] == pytest.approx(losses[:124].mean())


def test_the_perplexity_scale_is_the_exponential():
    fig = show.loss_curve([math.log(200), math.log(20)], perplexity=True)
    (right,) = fig.axes[0].child_axes
    ticks = dict(
        zip([t.get_text() for t in right.get_yticklabels()], right.get_yticks(), strict=True)
    )
    assert {"20", "50", "100", "200"} <= set(ticks)
    assert ticks["50"] == pytest.approx(math.log(50))


def test_an_empty_history_is_refused():
    for empty in (History(), [], {"step": [], "loss": []}):
        with pytest.raises(ValueError, match="history is empty"):
            show.loss_curve(empty)


@pytest.mark.parametrize(("count", "t"), [(2, 12.706), (5, 2.776), (10, 2.262), (31, 2.042)])
def test_intervals_are_students(count, t):
    values = np.random.default_rng(count).normal(size=count)
    error = math.sqrt(sum((v - values.mean()) ** 2 for v in values) / (count - 1) / count)
    mean, half = show.interval(values)
    assert mean == pytest.approx(values.mean())
    assert half == pytest.approx(t * error, rel=5e-4)  # the printed table has three decimals


def test_one_value_has_no_interval():
    assert show.interval([2.0])[0] == 2.0 and math.isnan(show.interval([2.0])[1])
    with pytest.raises(ValueError, match="at least one value"):
        show.interval([])


def test_spread_shows_seeds_mean_and_the_paper():
    values = {"skip-gram": [60.0, 62.0, 64.0], "CBOW": [50.0]}
    fig = show.spread(values, paper={"CBOW": 36.1}, title="Analogies", xlabel="accuracy (%)")
    refuse_unlabelled(fig)
    ax = fig.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["skip-gram", "CBOW"]
    diamonds = [line for line in ax.lines if line.get_marker() == "D" and len(line.get_xdata())]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in diamonds] == [
        ([36.1], [1])
    ]
    assert "skip-gram 62 plus or minus 5 over 3 seeds" in fig.alt
    assert "CBOW 50 (36.1 in the paper)" in fig.alt
    with pytest.raises(ValueError, match=r"not measured: \['GloVe'\]"):
        show.spread(values, paper={"GloVe": 1.0})


def test_bars_say_their_numbers():
    fig = show.bars({"plural": 0.93, "gender": 0.774}, "Analogies", "share right", {"plural": 0.1})
    refuse_unlabelled(fig)
    assert texts(fig.axes[0]) == ["0.93", "0.774"]
    assert [bar.get_width() for bar in fig.axes[0].patches] == [0.93, 0.774]
    assert fig.alt == "Bar chart, Analogies: plural 0.93, gender 0.774."


def test_zipf_ranks_by_count():
    fig = show.zipf({"of": 40, "the": 100, "and": 40, "river": 1})
    refuse_unlabelled(fig)
    line = fig.axes[0].lines[0]
    assert list(line.get_xdata()) == [1, 2, 3, 4] and list(line.get_ydata()) == [100, 40, 40, 1]
    assert texts(fig.axes[0]) == ["the"]
    assert "from 100 times at rank 1 (the) to 1 at rank 4" in fig.alt
    two = show.zipf({"world": {"a": 2}, "books": {"b": 3}})
    assert "world: from 2 times" in two.alt and "books: from 3 times" in two.alt


RESULTS = {"one side": [0.5, 0.6, 0.7], "both": [0.7, 0.8, 1.2], "counts": [0.4, 0.6, 0.5]}


def test_effects_are_paired_differences_beside_the_papers():
    """By hand: both is 0.2, 0.2 and 0.5 above; t of two degrees of freedom is 4.303."""
    fig = show.effects(RESULTS, "one side", {"both": 0.1}, "Both sides", xlabel="difference (F1)")
    refuse_unlabelled(fig)
    line, dot, _, counts, paper, zero, *_ = fig.axes[0].lines
    half = 4.3027 * np.std([0.2, 0.2, 0.5], ddof=1) / math.sqrt(3)
    assert list(dot.get_xdata()) == pytest.approx([0.3])
    assert list(line.get_xdata()) == pytest.approx([0.3 - half, 0.3 + half], abs=1e-4)
    assert list(counts.get_xdata()) == pytest.approx([-0.1])
    assert list(paper.get_xdata()) == [0.1] and list(paper.get_ydata()) == [0]
    assert paper.get_markerfacecolor() == "white" and set(zero.get_xdata()) == {0}
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["both", "counts"]
    assert "from one side, a line at zero: both +0.3 (95 % interval -0.13" in fig.alt
    assert "(+0.1 in the paper); counts -0.1 (95 %" in fig.alt


def test_effects_of_one_seed_have_no_interval():
    fig = show.effects({"a": [1.0], "b": [3.0]}, "a", title="One seed")
    assert fig.alt.endswith("b +2.") and "in the paper" not in str(fig.legends[0].texts)


@pytest.mark.parametrize(
    ("values", "reference", "paper", "message"),
    [
        (RESULTS, "neither", None, "'neither' must be among"),
        ({"one side": [1.0]}, "one side", None, "and others"),
        (RESULTS, "one side", {"one side": 1.0}, "that have none here"),
        (RESULTS | {"both": [0.7]}, "one side", None, "both has 1 seeds and one side 3"),
    ],
)
def test_effects_that_cannot_be_drawn_are_named(values, reference, paper, message):
    with pytest.raises(ValueError, match=message):
        show.effects(values, reference, paper)
