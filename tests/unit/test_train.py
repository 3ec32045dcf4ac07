import json
import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from recurrent import Recurrent
from torch import nn

import minibert as mb
from minibert.text import ArrayBatches, BPTTBatches
from minibert.training import optim, progress
from minibert.training.callbacks import EarlyStopping
from minibert.training.history import History
from minibert.training.loop import evaluate, tokens_of
from minibert.training.resume import Resume


class Line(nn.Module):
    """Least squares in one weight: small enough to check by hand."""

    def __init__(self, weight=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([float(weight)]))

    def loss(self, batch):
        error = batch["x"] * self.weight - batch["y"]
        return (error**2).sum(), len(error)


def sgd(model, rate=0.1):
    return torch.optim.SGD(model.parameters(), lr=rate)


def rows(n=12, batch_size=4, **options):
    x = np.linspace(1, 2, n, dtype=np.float32)
    return ArrayBatches(batch_size, x=x, y=3 * x, **options)


def fit(model, batches, **options):
    options = {"progress": False, "device": "cpu", **options}
    return mb.fit(model, batches, **options)


def text(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.integers(0, 3, n)) % 20


class Interrupt:
    def __init__(self, step):
        self.at = step

    def on_step(self, run):
        if run.step == self.at:
            raise KeyboardInterrupt


class StopAfter:
    def __init__(self, step):
        self.at = step

    def on_step(self, run):
        if run.step == self.at:
            run.stop()


# What one update does


def test_one_step_of_descent_by_hand():
    model, batch = Line(), {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([1.0, 1.0])}
    history = fit(model, [batch], steps=1, optimizer=sgd(model), clip=None)
    assert history.loss == [1.0]  # ((0 - 1)^2 + (0 - 1)^2) / 2
    assert model.weight.item() == pytest.approx(0.1 * (2 * 1 + 2 * 2) / 2)


def test_accumulation_weighs_every_target_alike():
    x = torch.tensor([1.0, -2.0, 0.5, 4.0, 1.5, 3.0])
    pieces = [x[:1], x[1:5], x[5:]]
    one, many = Line(1.0), Line(1.0)
    whole = fit(one, [{"x": x, "y": 0 * x}], steps=1, optimizer=sgd(one), clip=None)
    parts = [{"x": p, "y": 0 * p} for p in pieces]
    split = fit(many, parts, steps=1, accumulate=3, optimizer=sgd(many), clip=None)
    assert split.loss == pytest.approx(whole.loss)
    assert many.weight.item() == pytest.approx(one.weight.item(), rel=1e-6)


def test_accumulation_with_a_first_batch_without_targets():
    empty = {"x": torch.zeros(0), "y": torch.zeros(0)}
    batch = {"x": torch.tensor([1.0]), "y": torch.tensor([1.0])}
    model = Line()
    fit(model, [empty, batch], steps=1, accumulate=2, optimizer=sgd(model), clip=None)
    assert model.weight.item() == pytest.approx(0.2)


def test_no_target_at_all_is_an_error():
    with pytest.raises(ValueError, match="step 1 counted no target"):
        fit(Line(), [{"x": torch.zeros(0), "y": torch.zeros(0)}], steps=1)


@pytest.mark.parametrize("clip, moved", [(1.0, 0.1), (None, 300.0)])
def test_clipping(clip, moved):
    model = Line()
    batch = {"x": torch.tensor([1.0]), "y": torch.tensor([-1500.0])}
    fit(model, [batch], steps=1, optimizer=sgd(model), clip=clip)
    assert -model.weight.item() == pytest.approx(moved, rel=1e-4)


def test_clipping_is_by_the_norm_of_all_groups_together():
    model = nn.ModuleDict({"a": Line(), "b": Line()})
    model.loss = lambda batch: (3 * model["a"].weight.sum() + 4 * model["b"].weight.sum(), 1)
    groups = [{"params": part.parameters(), "lr": 0.1} for part in model.values()]
    fit(model, [{}], steps=1, optimizer=torch.optim.SGD(groups), clip=1.0)
    moved = [-part.weight.item() for part in model.values()]
    assert moved == pytest.approx([0.1 * 3 / 5, 0.1 * 4 / 5], rel=1e-4)


def test_a_rate_that_is_changed_between_two_runs_is_heard():
    model = Line()
    optimizer = sgd(model, 0.1)
    fit(model, rows(), steps=1, optimizer=optimizer)
    optimizer.param_groups[0]["lr"] = 0.02
    assert fit(model, rows(), steps=1, optimizer=optimizer).rate == [0.02]


def test_updates_are_made_in_train_mode_however_the_model_came():
    model, modes = Line().eval(), []
    model.loss = lambda batch: modes.append(model.training) or Line.loss(model, batch)
    fit(model, rows(12, 4), steps=2, valid=rows(4), valid_every=1)
    assert modes == [True, False, True, False]


def test_groups_keep_their_own_rates_under_a_schedule():
    model = nn.ModuleDict({"a": Line(), "b": Line()})
    model.loss = lambda batch: (
        model["a"].loss(batch)[0] + model["b"].loss(batch)[0],
        len(batch["x"]),
    )
    groups = [
        {"params": model["a"].parameters(), "lr": 0.1},
        {"params": model["b"].parameters(), "lr": 0.01},
    ]
    optimizer, seen = torch.optim.SGD(groups), []

    class Watch:
        def on_step(self, run):
            seen.append([group["lr"] for group in run.optimizer.param_groups])

    schedule = optim.linear(4)
    history = fit(
        model, rows(), steps=2, optimizer=optimizer, schedule=schedule, callbacks=[Watch()]
    )
    assert seen == [pytest.approx([0.1, 0.01]), pytest.approx([0.075, 0.0075])]
    assert history.rate == pytest.approx([0.1, 0.075])
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]


def test_a_callback_may_scale_the_rate_of_one_step():
    class Double:
        def before_step(self, run):
            assert len(run.batch) == 1
            run.optimizer.param_groups[0]["lr"] *= 2

    model = Line()
    history = fit(model, rows(), steps=3, optimizer=sgd(model), callbacks=[Double()])
    assert history.rate == pytest.approx([0.2] * 3)


def test_mixed_precision_computes_in_bfloat16():
    class Typed(nn.Linear):
        def loss(self, batch):
            out = self(batch["x"])
            self.seen = out.dtype
            return out.float().sum(), len(out)

    model = Typed(2, 2)
    fit(model, [{"x": torch.ones(3, 2)}], steps=1, precision="bf16")
    assert model.seen == torch.bfloat16 and model.weight.dtype == torch.float32
    with pytest.raises(ValueError, match="fp8"):
        fit(model, [{"x": torch.ones(3, 2)}], steps=1, precision="fp8")


# How long a run is


def test_tokens_are_counted_without_padding():
    ids = torch.tensor([[4, 5, 6], [7, 0, 0]])
    assert tokens_of({"input_ids": ids, "attention_mask": (ids > 0).long()}) == 4
    assert tokens_of({"input_ids": ids}) == 6 and tokens_of([ids]) == 0


def test_it_learns_and_says_so():
    model = Line()
    history = fit(model, rows(), steps=200, optimizer=sgd(model))
    assert model.weight.item() == pytest.approx(3, abs=1e-3)
    assert history.step == list(range(1, 201))
    assert len(history.speed) == 200 and min(history.speed) > 0
    assert not model.training


def test_epochs_pass_over_all_batches_and_fit_goes_on_where_it_stopped():
    batches = rows(12, 5)
    assert len(fit(Line(), batches, epochs=2)) == 6
    assert (batches.epoch, batches.step) == (2, 0)
    assert len(fit(Line(), batches)) == 3
    assert len(fit(Line(), batches, epochs=2, accumulate=4)) == 2
    fit(Line(), batches, steps=1)
    assert batches.step == 1


def test_steps_run_over_epochs():
    assert len(fit(Line(), rows(12, 5), steps=10)) == 10


def test_any_iterable_of_batches_will_do():
    loader = torch.utils.data.DataLoader([{"x": 1.0, "y": 2.0}] * 6, batch_size=2)
    assert len(fit(Line(), loader, epochs=2)) == 6


def test_impossible_arguments():
    with pytest.raises(ValueError, match="steps or epochs, got both"):
        fit(Line(), rows(), steps=1, epochs=1)
    with pytest.raises(ValueError, match="batches are empty"):
        fit(Line(), [], steps=1)
    with pytest.raises(ValueError, match="batches are empty"):
        fit(Line(), iter(list(rows())), steps=9)
    with pytest.raises(ValueError, match="all frozen"):
        fit(Line().requires_grad_(False), rows(), steps=1)


def test_checkpoints_need_a_position_in_the_data(tmp_path):
    loader = torch.utils.data.DataLoader([1, 2])
    with pytest.raises(ValueError, match="DataLoader has none"):
        fit(Line(), loader, steps=1, checkpoint=tmp_path)


# What goes wrong


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_the_step(bad):
    good = {"x": torch.tensor([1.0]), "y": torch.tensor([2.0])}
    batches = [good, good, {"x": torch.tensor([bad]), "y": torch.tensor([0.0])}]
    model = Line()
    with pytest.raises(
        FloatingPointError, match=rf"loss is {bad} at step 3 .*was \d\.\d+ at step 2"
    ):
        fit(model, batches, steps=3, optimizer=sgd(model, 0.01))
    assert math.isfinite(model.weight.item()) and model.weight.grad is None


def test_a_gradient_that_is_not_finite_names_the_step():
    class Cliff(Line):
        def loss(self, batch):
            return torch.sqrt(self.weight).sum(), 1  # its derivative at 0 is infinite

    with pytest.raises(FloatingPointError, match="gradient's norm is inf at step 1"):
        fit(Cliff(), [{}], steps=1)


def test_an_interrupt_returns_the_history(capsys):
    model = Line()
    history = fit(model, rows(), steps=10, callbacks=[Interrupt(3)])
    assert len(history) == 3
    assert "stopped after step 3" in capsys.readouterr().out
    assert model.weight.grad is None and not model.training


# Validation


def test_evaluate_weighs_every_target_alike_and_moves_nothing():
    model, batches = Recurrent(), BPTTBatches(text(), 4, 7)
    model.state = (torch.ones(1, 4, 12), torch.ones(1, 4, 12))
    carried = model.state
    next(iter(batches))
    loss = evaluate(model, batches)
    assert loss == evaluate(model, batches)  # no dropout, the same epoch
    assert batches.step == 1 and model.state is carried and model.training
    pairs = [model.eval().loss(batch) for batch in batches.of_epoch(0)]
    losses, counts = [loss.item() for loss, _ in pairs], [int(count) for _, count in pairs]
    assert loss == pytest.approx(sum(losses) / sum(counts))
    assert len(set(counts)) > 1


def test_validation_steps():
    history = fit(Line(), rows(), epochs=2, valid=rows(4))
    assert history.valid_step == [3, 6]
    history = fit(Line(), rows(), steps=5, valid=rows(4), valid_every=2)
    assert history.valid_step == [2, 4, 5] and len(history.valid_loss) == 3


def test_early_stopping_takes_the_best_weights_back():
    class Drift(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def loss(self, batch):
            slope = -1.0 if self.training else 0.0  # training moves up; 0.3 is best on valid
            return self.weight.sum() * slope + (self.weight - 0.3).abs().sum() * (slope == 0), 1

    model = Drift()
    history = fit(
        model, [{}], steps=50, optimizer=sgd(model), valid=[{}], valid_every=1, patience=3
    )
    assert len(history) == 6
    assert model.weight.item() == pytest.approx(0.3)
    with pytest.raises(ValueError, match="patience"):
        EarlyStopping(0)


def test_a_tie_is_no_new_best_and_a_second_run_begins_again():
    class Flat(Line):
        def loss(self, batch):
            return super().loss(batch)[0] * 0 + 1, 1

    stopping = EarlyStopping(2)
    for _ in range(2):
        history = fit(Flat(), rows(), steps=9, valid=rows(), valid_every=1, callbacks=[stopping])
        assert history.valid_step == [1, 2, 3]  # the best, and two that are no better


# Resuming


def run_lm(steps=40, interrupt=None, **options):
    mb.seed_everything(4)
    model, batches = Recurrent(), BPTTBatches(text(), 4, 7, vary=True)
    history = fit(
        model,
        batches,
        steps=steps,
        schedule=optim.cosine(steps, warmup=3),
        callbacks=[Interrupt(interrupt)],
        valid=BPTTBatches(text(100, 1), 2, 7),
        valid_every=5,
        **options,
    )
    return model, history


def assert_same_run(one, other):
    (model, history), (other_model, other_history) = one, other
    for column in ("step", "loss", "rate", "valid_step", "valid_loss"):
        assert getattr(history, column) == getattr(other_history, column), column
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other_model.state_dict()[name]), name


@pytest.mark.parametrize("options", [{}, {"patience": 3}, {"accumulate": 3}])
@pytest.mark.parametrize("interrupt", [6, 14, 23])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, interrupt, options):
    whole = run_lm(**options)
    options = {"checkpoint": tmp_path, "checkpoint_every": 7, **options}
    run_lm(interrupt=interrupt, **options)
    torch.rand(7)
    assert_same_run(run_lm(**options), whole)


class Around(nn.Module):
    """A recurrent model inside another."""

    def __init__(self):
        super().__init__()
        self.inner = Recurrent()

    def loss(self, batch):
        return self.inner.loss(batch)


@pytest.mark.parametrize("make", [Around, Recurrent])
def test_the_state_of_a_stream_goes_on_inside_another_model(tmp_path, monkeypatch, make):
    def run(interrupt=None, **options):
        mb.seed_everything(4)
        model, batches = make(), BPTTBatches(text(), 4, 7)
        callbacks = [Interrupt(interrupt)]
        return model, fit(model, batches, steps=12, callbacks=callbacks, **options)

    whole = run()
    if make is Recurrent:  # as earlier versions saved it
        position = Resume._position
        monkeypatch.setattr(
            Resume,
            "_position",
            lambda *given: (kept := position(*given)) | {"stream": kept.pop("streams")[0]},
        )
    run(interrupt=5, checkpoint=tmp_path)
    assert_same_run(run(checkpoint=tmp_path), whole)


def test_the_draws_of_every_generator_go_on(tmp_path):
    class Noisy(Line):
        def loss(self, batch):
            loss, count = super().loss(batch)
            return loss * (random.random() + np.random.random() + torch.rand(()).item()), count

    def run(interrupt=None, **options):
        mb.seed_everything(0)
        model = Noisy()
        return model, fit(model, rows(), steps=8, callbacks=[Interrupt(interrupt)], **options)

    whole = run()
    run(interrupt=5, checkpoint=tmp_path)
    assert_same_run(run(checkpoint=tmp_path), whole)


def test_the_data_left_is_shuffled_as_it_would_have_been(tmp_path):
    def run(interrupt=None, **options):
        mb.seed_everything(0)
        model = Line()
        return model, fit(model, rows(), steps=25, callbacks=[Interrupt(interrupt)], **options)

    whole = run()
    run(interrupt=13, checkpoint=tmp_path, checkpoint_every=4)
    assert_same_run(run(checkpoint=tmp_path), whole)


def test_epochs_and_seconds_are_counted_over_resumes(tmp_path):
    seconds = [0.0]
    for stop in (3, 6, 7, None):  # 3 and 6 are ends of epochs
        history = fit(Line(), rows(), epochs=4, checkpoint=tmp_path, callbacks=[StopAfter(stop)])
        seconds.append(history.seconds)
    assert history.step == list(range(1, 13))
    assert seconds == sorted(set(seconds))  # more after every start


def test_a_finished_run_is_not_run_again(tmp_path):
    first, second = Line(), Line()
    history = fit(first, rows(), steps=4, checkpoint=tmp_path)
    assert fit(second, rows(), steps=4, checkpoint=tmp_path).loss == history.loss
    assert torch.equal(first.weight, second.weight)
    assert len(fit(Line(), rows(), steps=6, checkpoint=tmp_path)) == 6
    assert len(fit(Line(), rows(), steps=2, checkpoint=tmp_path, resume=False)) == 2


def test_a_run_stopped_early_stays_stopped(tmp_path):
    def stopped():
        return fit(
            Line(3.0), rows(), steps=50, valid=rows(4), valid_every=1, patience=2,
            checkpoint=tmp_path,
        )  # fmt: skip

    assert len(stopped()) == len(stopped()) == 3


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    fit(Line(), rows(), steps=2, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="batch_size was 4, here it is 3"):
        fit(Line(), rows(batch_size=3), steps=4, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="missing: a"):
        other = nn.Module()
        other.a, other.loss = nn.Parameter(torch.zeros(1)), None
        fit(other, rows(), steps=4, checkpoint=tmp_path)
    with pytest.raises(
        ValueError, match=r"callbacks=\[\], this run has callbacks=\[.EarlyStopping.\]"
    ):
        fit(Line(), rows(), steps=4, checkpoint=tmp_path, patience=2, valid=rows())


# Progress


def test_quiet_means_quiet(capfd):
    fit(Line(), rows(), steps=3)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_no_progress_under_autograding(capfd, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    fit(Line(), rows(), steps=3, progress=True)
    assert capfd.readouterr() == ("", "")


def test_plain_lines_where_there_is_no_terminal(capfd):
    fit(Line(), rows(), steps=30, progress=True)
    out, err = capfd.readouterr()
    assert err == "" and out.startswith("step 1 of 30: loss ") and "step 30 of 30" in out


def test_the_time_that_is_left_is_judged_by_the_updates_of_this_start(capsys):
    history = History(loss=[1.0] * 20, speed=[5.0] * 20)
    told = {"valid_loss": None, "utilisation": None, "rate": 0.1, "unit": "tokens"}
    run = SimpleNamespace(step=20, steps=40, history=history, **told)
    progress._lines(run, first=10, seconds=30.0)
    assert capsys.readouterr().out.endswith("30 s, 60 s left\n")


def test_a_bar_in_a_terminal(monkeypatch, capsys):
    import sys

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fit(Line(), rows(), steps=30, progress=True)
    assert "30/30" in capsys.readouterr().err


NOTEBOOK = """
import torch
import minibert as mb

class Line(torch.nn.Linear):
    def loss(self, batch):
        return self(batch).square().sum(), len(batch)

history = mb.fit(Line(1, 1), [torch.ones(2, 1)], steps=30)
"""


@pytest.mark.slow
def test_a_line_in_a_notebook_that_stays_readable():
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK)])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert "30/30" in output.data["text/plain"] and "loss" in output.data["text/plain"]


# History and schedules


def test_history_goes_to_json_and_back():
    history = fit(Line(), rows(), steps=2, valid=rows(4))
    again = History(**json.loads(history.to_json()))
    assert again == history and again.valid_step == [2]
    assert repr(History()) == "History(no steps)"
    assert "2 steps" in repr(history) and "best valid" in repr(history)


def test_a_history_is_thinned_to_means():
    history = History(
        [1, 2, 3, 4, 5],
        [5.0, 4, 3, 2, 1],
        [0.1] * 5,
        [10.0, 20, 30, 40, 50],
        valid_step=[5],
        valid_loss=[1.5],
    )
    assert history.thinned(5) == history.thinned(9) == history
    short = history.thinned(3)
    assert short.step == [2, 4, 5] and short.loss == [4.5, 2.5, 1] and short.speed == [15, 35, 50]
    assert (short.valid_step, short.valid_loss) == ([5], [1.5])
    assert len(History().thinned()) == 0
    assert history.recent(2) == 1.5 and history.recent() == 3 and History().recent() is None


@pytest.mark.parametrize(
    "schedule, expected",
    [
        (optim.linear(4), [1, 0.75, 0.5, 0.25, 0]),
        (optim.linear(4, warmup=1), [0.5, 1, 2 / 3, 1 / 3, 0]),
        (optim.linear(4, floor=0.4), [1, 0.75, 0.5, 0.4, 0.4]),
        (optim.cosine(4), [1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2, 0]),
        (optim.cosine(4, floor=0.2), [1, 0.2 + 0.4 * (1 + 0.5**0.5), 0.6, None, 0.2]),
    ],
)
def test_schedules(schedule, expected):
    for step, factor in enumerate(expected):
        assert factor is None or schedule(step) == pytest.approx(factor, abs=1e-12), step


def test_schedules_check_their_lengths():
    with pytest.raises(ValueError, match="warmup=5 and steps=5"):
        optim.linear(5, warmup=5)
    for warmup in (-1, float("nan")):
        with pytest.raises(ValueError, match="0 <= warmup < steps"):
            optim.linear(5, warmup=warmup)


def test_biases_and_norms_do_not_decay():
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    decayed, free = optim.parameter_groups(model, 0.1)
    assert [p.shape for p in decayed["params"]] == [(3, 2)]
    assert len(free["params"]) == 3 and free["weight_decay"] == 0
    assert decayed["weight_decay"] == 0.1
    assert len(optim.adamw(model).param_groups) == 2
    (group, _) = optim.adamw(model, 0.2, betas=(0.8, 0.9), eps=1e-5).param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (0.2, (0.8, 0.9), 1e-5)
