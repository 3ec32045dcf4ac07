"""The trade-off explorer: stored runs as they are in a findings file, and one trained live."""

import numpy as np
import pytest
import torch
from torch import nn

import minibert as mb
from minibert.course.learn.finding import Findings
from minibert.show.action import Acting, apart
from minibert.show.live_training import FULL, RATES, LiveTraining, held_bytes
from minibert.show.trade_off_explorer import TradeOffExplorer
from minibert.show.trade_offs import TradeOffs, draw_panel, stored_runs
from minibert.show.widget import Frame
from minibert.world.example import Example


def experiment(*seeds):
    return {"seeds": {str(n): {"values": values} for n, values in enumerate(seeds)}}


def one(full, lora, words=0.6):
    costs = {"full_share": 1.0, "full_seconds": 9.0, "full_bytes": 4e6, "lora_share": 0.01,
             "lora_seconds": 6.0, "lora_bytes": 3e6, "lora_valid": 0.1}  # fmt: skip
    scores = {"full_score": full, "lora_score": lora, "words_score": words}
    return costs | scores | {"one_answer_score": 0.5, "curve": [1, 2]}


CONTENT = {"experiments": {
    "tradeoff_near": experiment(one(0.9, 0.89), one(0.92, 0.914)),
    "order": experiment({"full_score": 0.8, "full_share": 1.0}),
}}  # fmt: skip


def test_a_findings_file_is_read_as_runs_and_baselines():
    found = stored_runs(Findings("10", CONTENT))
    assert found.tasks == ["near"] and found.ways("near") == ["full", "lora"]
    assert found.runs["near"]["lora"] == {
        "score": [0.89, 0.914], "share": [0.01] * 2, "seconds": [6.0] * 2, "bytes": [3e6] * 2
    }  # fmt: skip
    assert found.baselines == {"near": {"words alone": 0.6, "always one answer": 0.5}}
    with pytest.raises(ValueError, match="tradeoff_"):
        stored_runs({"experiments": {}})


def test_marks_stand_at_the_means_with_intervals_and_baselines_as_lines():
    figure = mb.show.trade_off(CONTENT, measures=["share", "bytes"])
    share, memory = figure.axes
    assert share.get_xscale() == "log" and memory.get_xscale() == "linear"
    marks = [container.lines[0].get_xydata()[0] for container in share.containers]
    np.testing.assert_allclose(marks, [[100, 0.91], [1, 0.902]])
    np.testing.assert_allclose(memory.containers[1].lines[0].get_xydata()[0], [3, 0.902])
    bar = share.containers[0].lines[2][1].get_segments()[0]
    half = mb.show.interval([0.9, 0.92])[1]
    np.testing.assert_allclose(bar[:, 1], [0.91 - half, 0.91 + half])
    heights = [line.get_ydata()[0] for line in share.lines if len(line.get_xdata()) == 2]
    assert heights[:2] == [0.6, 0.5]
    assert "near: full 0.910, lora 0.902, words alone 0.600" in figure.alt
    mb.show.figures.refuse_unlabelled(figure)
    _, ax = mb.show.new("t")
    for wrong in (("far", "share"), ("near", "price")):
        with pytest.raises(ValueError, match="Expected one of the tasks"):
            draw_panel(ax, stored_runs(CONTENT), *wrong)


def test_ways_are_told_apart_by_colour_and_marker_and_keep_both():
    from minibert.show.trade_offs import look_of

    ways = [*RATES, "mine", "other"]
    looks = [tuple(look_of(way, ways).values()) for way in ways]
    assert len({*looks}) == len(ways) == len({marker for _, marker in looks})
    assert look_of("lora", ["lora"]) == look_of("lora", ways)


def test_the_explorer_says_what_is_best_and_what_is_cheap_and_close():
    widget = TradeOffExplorer(CONTENT)
    assert "The best mean is that of full (0.910)" in widget.frame.text
    assert "lora needs the least weights that learn (1 %)" in widget.frame.text
    assert "The best baseline is words alone with 0.600" in widget.frame.text
    assert widget.frame.table[2][:2] == ["lora", "0.902"]
    assert widget.frame.table[2][3:] == ["1 %", "6.0 s", "3.0 MB"]
    widget.set(against="seconds")
    assert "needs the least time (6.0 s)" in widget.frame.text
    tight = TradeOffExplorer(CONTENT, within=0.001)
    assert "full needs the least weights" in tight.frame.text
    world = TradeOffExplorer(TradeOffs({"topic": {"full": {"score": [0.8], "share": [1.0]}}}))
    world.set(against="bytes")
    assert world.message == "For topic no bytes was stored."
    world.train("full")
    assert "Nothing can be trained here" in world.message
    with pytest.raises(ValueError, match="at least one stored run"):
        TradeOffExplorer(TradeOffs({}))


class Toy:
    """A task: a text is good where it has the word."""

    name, labels = "toy", ("bad", "good")
    train = [Example(text=f"{w} cat {i}", label=y) for i in range(40) for w, y in
             (("nice", "good"), ("sad", "bad"))]  # fmt: skip
    test = [Example(text=f"{e.text} {e.text}", label=e.label) for e in train[:30]]


class Tags(Toy):
    name, labels = "tags", ("A", "B")
    train = [Example(tokens=("nice", "cat"), labels=("A", "B"))] * 12
    test = train[:4]


@pytest.fixture(scope="module")
def bert():
    mb.seed_everything(0)
    tokenizer = mb.text.WordPiece.train([e.text for e in Toy.train], 120, min_count=1)
    shape = {"dim": 16, "layers": 3, "heads": 2, "hidden": 32, "max_length": 32, "init_std": 0.2}
    return mb.BERT(mb.BERTConfig(len(tokenizer), **shape, dropout=0.0), tokenizer).eval()


@pytest.fixture
def live(bert):
    return LiveTraining(bert, Toy, examples=30, test=20, steps=4, batch_size=6)


@pytest.mark.parametrize("way", RATES)
def test_every_way_is_trained_on_a_copy(live, bert, way):
    before = mb.transfer.fingerprint(bert), torch.get_rng_state(), np.random.get_state()[1].copy()
    steps = []
    found = live.train(way, size=4, report=lambda step, steps_, loss: steps.append((step, steps_)))
    assert steps == [(n, 4) for n in range(1, 5)]
    assert set(found) == {"score", "share", "seconds", "bytes"} and 0 <= found["score"] <= 1
    assert (found["share"] == 1) == (way in (FULL, "scratch")) and found["bytes"] > 0
    assert before[0] == mb.transfer.fingerprint(bert) and not bert.training
    assert torch.equal(before[1], torch.get_rng_state())
    assert (before[2] == np.random.get_state()[1]).all()
    assert all(p.requires_grad for p in bert.parameters()) and mb.transfer.added_to(bert) is None
    again = live.train(way, size=4)
    assert {n: again[n] for n in ("score", "share", "bytes")} == {
        n: found[n] for n in ("score", "share", "bytes")
    }


def test_blocks_and_sizes_change_what_learns(live):
    shares = [live.train(FULL, blocks=n)["share"] for n in range(4)]
    assert shares == sorted(shares) and len({*shares}) == 4 and shares[3] == 1
    few, many = (live.train("lora", size=n)["share"] for n in (1, 8))
    assert few < many
    for way, told in (("nonsense", "Expected a way out of full, features"),):
        with pytest.raises(ValueError, match=told):
            live.train(way)


def test_it_learns_and_the_baselines_are_scored_on_the_same_examples(bert):
    live = LiveTraining(bert, Toy, examples=60, test=30, steps=60, batch_size=12)
    assert live.train(FULL, rate=1e-2)["score"] > 0.9
    assert live.baselines() == {
        "word counts": 1.0,
        "always one answer": pytest.approx(0.5, abs=0.2),
    }
    tags = LiveTraining(bert, Tags, steps=30, batch_size=4)
    assert tags.baselines() == {"most frequent tag": 1.0}
    assert tags.train(FULL, rate=1e-2)["score"] == 1.0
    assert tags.train("features")["share"] < 1


def test_what_an_update_holds_is_counted():
    linear = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    linear.loss = lambda batch: (linear(batch["x"]).sum(), 1)
    held = held_bytes(linear, {"x": torch.ones(5, 4)})
    assert held == 4 * (5 * 4 + 5 * 3) + 12 * (4 * 3 + 3)  # input, what tanh gave, the learning
    linear.requires_grad_(False)[0].bias.requires_grad_(True)
    assert held_bytes(linear, {"x": torch.ones(5, 4)}) == 4 * 5 * 3 + 12 * 3


def test_a_run_appears_in_the_picture_of_its_task_once(live):
    widget = TradeOffExplorer(CONTENT, live=live)
    assert widget.controls["task"].options == ("near", "toy")
    knobs = widget.knobs
    knobs["way"].value = live.ways.index("lora")
    assert knobs["rate"].value == RATES["lora"] and knobs["blocks"].disabled
    assert not knobs["size"].disabled
    knobs["size"].value = 2
    widget.buttons[0].click()
    assert widget.message == "" and widget.controls["task"].value == "toy"
    assert "Trained here: lora, rate 0.003, size 2: " in widget.frame.text
    assert widget.frame.table[-1][0] == "lora here, rate 0.003, size 2"
    assert not widget.buttons[0].disabled and widget._notice.value == ""
    widget.buttons[0].click()
    widget.train("full", blocks=1)
    assert [one[:2] for one in widget.stored.live["toy"]] == [
        ("lora", "rate 0.003, size 2"), ("full", "rate 0.001, blocks 1")
    ]  # fmt: skip
    assert "lora, here" in [t.get_text() for t in widget.frame.figure.axes[0].legend_.texts]
    widget.train("nonsense")
    assert widget.message.startswith("Expected a way out of") and len(widget.frame.table) == 3
    assert stored_runs(CONTENT).live == {}


def test_before_the_first_run_of_a_task_the_picture_says_so(live):
    widget = TradeOffExplorer(CONTENT, live=live)
    widget.set(task="toy")
    assert widget.message == "" and "word counts with 1.000" in widget.frame.text
    assert "train one" in widget.frame.figure.axes[0].texts[0].get_text()


def test_other_tasks_are_refused(bert):
    class Answers(Toy):
        train = [Example(text="a", span=(0, 1))] * 3

    with pytest.raises(ValueError, match="labels of texts or words, got toy"):
        LiveTraining(bert, Answers)
    with pytest.raises(ValueError, match="this goes into the blocks of a BERT or a GPT"):
        LiveTraining(nn.Linear(2, 2), Toy)


class Clicked(Acting):
    def __init__(self):
        self.drawn = 0
        super().__init__(self._frame, {}, [[self.button("go", self.go)]])

    def _frame(self):
        self.drawn += 1
        return Frame(text=f"frame {self.drawn}")

    def go(self):
        self.say("a <b>")
        self.during = self._notice.value, self.buttons[0].disabled
        if isinstance(self.wrong, BaseException):
            raise self.wrong


@pytest.mark.parametrize("wrong, told", [
    (None, ""), (ValueError("Too few."), "Too few."), (KeyError("x"), "did not work. KeyError"),
    (KeyboardInterrupt(), "Stopped. Everything is as it was"),
])  # fmt: skip
def test_a_button_says_what_it_does_and_what_went_wrong(wrong, told):
    widget = Clicked()
    widget.wrong = wrong
    widget.buttons[0].click()
    assert "a &lt;b&gt;" in widget.during[0] and widget.during[1]
    assert told in widget.message and widget._notice.value == ""
    assert not widget.buttons[0].disabled
    assert widget.frame.text == ("frame 1" if wrong else "frame 2")


def test_what_is_done_apart_changes_nothing(bert):
    mb.seed_everything(3)
    wanted = torch.rand(1), np.random.rand()
    mb.seed_everything(3)
    with pytest.raises(ZeroDivisionError), apart(bert, 9) as copied:
        nn.init.zeros_(copied.embeddings.word.weight)
        torch.rand(5), np.random.rand(5)
        1 / 0  # noqa: B018
    assert torch.equal(torch.rand(1), wanted[0]) and np.random.rand() == wanted[1]
    assert bert.embeddings.word.weight.abs().sum() > 0


def test_every_mark_is_within_its_panel_though_the_panels_share_an_axis():
    dear = one(0.9, 0.8) | {"full_bytes": 9e6, "lora_bytes": 0.0}
    pairs = {"tradeoff_a": one(0.9, 0.8), "tradeoff_b": dear}
    content = {"experiments": {name: experiment(row, row) for name, row in pairs.items()}}
    for ax in mb.show.trade_off(content, measures=["seconds", "bytes"]).axes:
        low, high = ax.get_xlim()
        places = [container.lines[0].get_xdata()[0] for container in ax.containers]
        assert low < min(places) and max(places) < high and low < 0
