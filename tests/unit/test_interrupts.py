"""Ctrl-C while training: where it stops, what it saves, and that the run goes on exactly."""

import _thread
import signal
import threading

import numpy as np
import pytest
import torch
from recurrent import Recurrent

import minibert as mb
from minibert.text import BPTTBatches
from minibert.training import interrupts
from minibert.training.loop import evaluate

TEXT = np.cumsum(np.random.default_rng(0).integers(0, 3, 400)) % 20


@pytest.fixture(autouse=True)
def listening():
    """Python handles Ctrl-C, as it does not where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Press:
    """Presses Ctrl-C (or raises what it would raise) at an event of a certain update."""

    def __init__(self, step, event="before_step", act=lambda: signal.raise_signal(signal.SIGINT)):
        self.step, self.act = step, act
        setattr(self, event, self.press)

    def press(self, run):
        if run.step == self.step:
            self.step = None
            self.act()


def interrupt():
    raise KeyboardInterrupt


def run(folder=None, press=None, steps=24, **options):
    mb.seed_everything(4)
    model, batches = Recurrent(), BPTTBatches(TEXT, 4, 7, vary=True)
    model.press = press
    history = mb.fit(
        model,
        batches,
        steps,
        callbacks=[press or Press(None)],
        valid=BPTTBatches(TEXT[:100], 2, 7),
        valid_every=5,
        checkpoint=folder,
        progress=False,
        device="cpu",
        **options,
    )
    return model, history


@pytest.fixture(scope="module")
def whole():
    return run()


def assert_same_run(one, other):
    (model, history), (other_model, other_history) = one, other
    for column in ("step", "loss", "rate", "valid_step", "valid_loss"):
        assert getattr(history, column) == getattr(other_history, column), column
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other_model.state_dict()[name]), name


@pytest.mark.parametrize("act", [None, interrupt])
@pytest.mark.parametrize(
    "event, step, kept",
    [
        ("before_step", 7, None),
        ("on_step", 7, 7),
        ("before_valid", 10, 10),
        ("on_valid", 10, 10),
        ("after_valid", 15, 15),
        ("on_start", 0, 0),
    ],
)
def test_a_run_goes_on_exactly_from_where_it_was_interrupted(
    tmp_path, capsys, whole, event, step, kept, act
):
    """By a signal, which waits for the update, or by an exception in the middle of it."""
    press = Press(step, event, **({} if act is None else {"act": act}))
    _, history = run(tmp_path, press)
    reached = kept if kept is not None else step + (act is None)
    said = capsys.readouterr().out
    assert len(history) == reached
    assert f"training stopped after step {reached};" in said
    assert f"Saved at step {reached} in {tmp_path}, where" in said
    torch.rand(5)
    assert_same_run(run(tmp_path), whole)


def test_ctrl_c_during_an_update_or_a_validation(tmp_path, whole):
    kinds = set()
    for at in (4, 9, 48, 60):  # calls of loss, some of them in validations
        folder, calls = tmp_path / str(at), []

        class Pressed(Recurrent):
            def loss(self, batch, calls=calls, at=at):
                calls.append(self.training)
                if len(calls) == at:
                    interrupt()
                return super().loss(batch)

        mb.seed_everything(4)
        model = Pressed()
        options = {"valid": BPTTBatches(TEXT[:100], 2, 7), "valid_every": 5}
        batches = BPTTBatches(TEXT, 4, 7, vary=True)
        mb.fit(model, batches, 24, callbacks=[Press(None)], checkpoint=folder, progress=False,
               device="cpu", **options)  # fmt: skip
        assert len(calls) == at
        assert_same_run(run(folder), whole)
        kinds.add(calls[-1])
    assert kinds == {True, False}


def test_an_update_that_is_torn_is_not_saved(tmp_path, capsys):
    """Between new weights and the history that knows of them."""
    model = Recurrent()
    optimizer = mb.optim.adamw(model)
    step, made = optimizer.step, []

    def torn(*args, **options):
        made.append(step(*args, **options))
        if len(made) == 5:
            interrupt()

    optimizer.step = torn
    options = {"optimizer": optimizer, "checkpoint": tmp_path, "checkpoint_every": 3}
    batches = BPTTBatches(TEXT, 4, 7)
    mb.fit(model, batches, 9, progress=False, device="cpu", **options)
    said = capsys.readouterr().out
    assert "stopped after step 4;" in said and "Saved at step 3 in" in said
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-00000003"]


def test_it_can_be_raised_again_once_all_is_saved(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Press(4), reraise=True)
    assert any(tmp_path.glob("step-00000005"))


def test_a_second_ctrl_c_does_not_wait(capsys):
    def twice():
        signal.raise_signal(signal.SIGINT)
        assert interrupts.asked()
        signal.raise_signal(signal.SIGINT)

    _, history = run(press=Press(4, act=twice))
    assert len(history) == 4 and "the model is usable as it is" in capsys.readouterr().out
    assert not interrupts.asked()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_others_hear_of_ctrl_c_as_before():
    """A handler of one's own stays, and so does training in a thread."""
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        _, history = run(press=Press(4), steps=6)
        assert len(history) == 6 and heard == [1]
    finally:
        signal.signal(signal.SIGINT, before)
    found = []
    thread = threading.Thread(target=lambda: found.append(run(steps=3)))
    thread.start()
    thread.join()
    assert len(found[0][1]) == 3


def test_outside_of_fit_an_evaluation_stops_at_once():
    model, batches = Recurrent(), BPTTBatches(TEXT, 4, 7)
    collate = batches.collate

    def pressed(entry, rng):
        _thread.interrupt_main()
        return collate(entry, rng)

    batches.collate = pressed
    with pytest.raises(KeyboardInterrupt):
        evaluate(model, batches, "cpu")
    assert model.training
