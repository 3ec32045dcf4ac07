"""The task mixer: the shares are those of the batches, the losses those of each task."""

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.show.task_figure import chances_of, draw_losses, draw_shares, told_shares
from minibert.show.task_mixer import TaskMixer
from minibert.text.batches import ListBatches
from minibert.training.history import History
from minibert.transfer import MixedBatches
from minibert.world.example import Example

SIZES = {"mood": 60, "tags": 20}


class Mood:
    name, labels = "mood", ("bad", "good")
    train = [Example(text=f"{w} cat {i}", label=y) for i in range(50) for w, y in
             (("nice", "good"), ("sad", "bad"))]  # fmt: skip
    valid = train[:20]


class Tags:
    name, labels = "tags", ("A", "B")
    train = [Example(tokens=("nice", "cat", "1"), labels=("A", "B", "B"))] * 40
    valid = train[:4]


TASKS = {"mood": Mood, "tags": Tags}


@pytest.fixture(scope="module")
def bert():
    mb.seed_everything(0)
    tokenizer = mb.text.WordPiece.train([e.text for e in Mood.train], 120, min_count=1)
    shape = {"dim": 16, "layers": 1, "heads": 2, "hidden": 32, "max_length": 32}
    return mb.BERT(mb.BERTConfig(len(tokenizer), **shape, dropout=0.0), tokenizer).eval()


@pytest.fixture
def mixer(bert):
    return TaskMixer(bert, TASKS, SIZES, steps=12, epochs=3, batch_size=5)


@pytest.mark.parametrize("how", ["proportional", "root", "annealed"])
def test_chances_are_those_that_are_drawn_by(how):
    parts = {name: ListBatches([{"x": torch.ones(1)}] * n) for name, n in SIZES.items()}
    mixed = MixedBatches(parts, how, epochs=3)
    wanted = np.array([mixed.chances(epoch) for epoch in range(3)])
    np.testing.assert_allclose(chances_of(SIZES, how, 3), wanted)


def test_an_exponent_goes_from_even_to_proportional():
    np.testing.assert_allclose(chances_of(SIZES, "even"), [[0.5, 0.5]])
    np.testing.assert_allclose(chances_of(SIZES, 0), [[0.5, 0.5]])
    np.testing.assert_allclose(chances_of(SIZES, 1.0), [[0.75, 0.25]])
    a, b = 60**0.3, 20**0.3
    np.testing.assert_allclose(chances_of(SIZES, 0.3, 2), [[a / (a + b), b / (a + b)]] * 2)
    with pytest.raises(ValueError, match="Expected one of proportional, root, annealed, even"):
        chances_of(SIZES, "square")
    with pytest.raises(ValueError, match="at least one example each"):
        chances_of({"a": 0}, "even")


def test_bars_are_the_shares():
    _, (axes, other) = mb.show.new(columns=2)
    chances = chances_of(SIZES, "annealed", 4)
    draw_shares(axes, SIZES, chances)
    heights = [[bar.get_height() for bar in group] for group in axes.containers]
    np.testing.assert_allclose(heights, [[0.75, 0.25], chances[0], chances[-1]])
    told = told_shares(SIZES, "annealed", 4)
    assert "tags 25% of the examples, 25% of the batches, 45% in epoch 4" in told
    draw_shares(other, SIZES, chances_of(SIZES, "even", 4))
    assert len(other.containers) == 2


def test_lines_are_means_of_the_last_batches():
    history = History()
    for step in range(1, 21):
        history.add(2 * step, float(step), 0.1, 1.0)
    _, axes = mb.show.new()
    told = draw_losses(axes, {"mood": history})
    line = axes.lines[1]
    np.testing.assert_allclose(line.get_xdata(), np.arange(2, 41, 2))
    assert line.get_ydata()[-1] == np.mean(range(13, 21)) and line.get_ydata()[2] == 2.0
    assert "mood from 1.00 to 16.50 in 20 batches" in told
    with pytest.raises(ValueError, match="There is no loss to draw"):
        draw_losses(axes, {})


def test_the_first_frame_has_the_shares_alone(mixer):
    assert len(mixer.frame.figure.axes) == 1 and mixer.frame.table == []
    assert "Nothing was trained so far" in mixer.frame.text
    mixer.set(how="even")
    assert "50% of the batches" in mixer.frame.alt and mixer.runs == {}
    assert mixer.controls["exponent"].disabled
    mixer.set(how="own", exponent=0.5)
    assert not mixer.controls["exponent"].disabled
    assert "size to the power 0.5" in mixer.frame.alt
    mixer.controls["size 2"].value = 40
    assert "tags 40% of the examples" in mixer.frame.alt


def test_training_shows_the_loss_of_each_task_and_leaves_the_model(mixer, bert):
    before = mb.transfer.fingerprint(bert), torch.get_rng_state()
    seen = []
    mixer.peek = lambda picture: seen.append(picture.alt)
    mixer.buttons[0].click()
    assert mixer.message == "" and len(seen) == 6
    top, below = mixer.frame.figure.axes
    assert "in proportion to the size (mood 60, tags 20)" in mixer.frame.text
    head, mood, tags = mixer.frame.table
    assert head[0] == "task" and mood[1] + tags[1] == 12
    assert mood[2] == f"{mood[1] * 5 / 60:.1f}" and mood[4] == "0.50" and tags[4] == "0.67"
    names = [line.get_label() for line in below.lines if not line.get_label().startswith("_")]
    assert names == ["mood", "tags"] and top.get_ylabel() == "share"
    assert before[0] == mb.transfer.fingerprint(bert) and not bert.training
    assert torch.equal(before[1], torch.get_rng_state())
    first = dict(mixer.runs)
    mixer.train(how="even")
    assert len(mixer.runs) == 2 and mixer.frame.text.count("mood 60, tags 20") == 3
    mixer.train(how="proportional")
    assert len(mixer.runs) == 2 and all(mixer.runs[key] is one for key, one in first.items())


def test_the_batches_of_a_run_follow_the_chances(bert):
    mixer = TaskMixer(bert, TASKS, {"mood": 100, "tags": 1}, how="even", steps=40, trained=True,
                      batch_size=2, epochs=1)  # fmt: skip
    (run,) = mixer.runs.values()
    assert 10 < run["seen"]["tags"] < 30 and len(mixer.frame.figure.axes) == 2
    assert mixer.frame.table[2][2] == f"{run['seen']['tags'] * 2:.1f}"
    mixer.train(how="proportional")
    assert mixer.runs[mixer.shown]["seen"]["tags"] < 5 and mixer.message == ""


def test_what_does_not_fit_is_refused(bert):
    with pytest.raises(ValueError, match="Expected a size for each of the tasks mood, tags"):
        TaskMixer(bert, TASKS, {"mood": 3})
    with pytest.raises(ValueError, match="Task tags has from 1 to 40 examples, not 41"):
        TaskMixer(bert, TASKS, {"mood": 3, "tags": 41})
    with pytest.raises(ValueError, match="tasks none"):
        TaskMixer(bert, {}, {})

    class Answers(Mood):
        train = [Example(text="a", span=(0, 1))] * 3

    with pytest.raises(ValueError, match="labels of texts or words, got odd"):
        TaskMixer(bert, {"odd": Answers}, {"odd": 3})
    mixer = TaskMixer(bert, TASKS, SIZES, steps=3, epochs=1)
    mixer.train(how="annealed")
    assert "with two epochs or more" in mixer.message and mixer.runs == {}
    with pytest.raises(ValueError, match="No control is named 'colour'"):
        mixer.train(colour=1)
