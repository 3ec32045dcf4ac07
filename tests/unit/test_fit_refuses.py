"""`fit` says so when it would train nothing, or when its arguments do not fit."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

import minibert as mb
from minibert import runtime
from minibert.heads.last_token import framed
from minibert.text import ArrayBatches, BPTTBatches, ListBatches, PaddedBatches
from minibert.training import optim
from minibert.training.callbacks import EarlyStopping, RateByLength
from minibert.training.loop import evaluate


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def loss(self, batch):
        return ((batch["x"] * self.weight - batch["y"]) ** 2).sum(), len(batch["x"])


class Layers(nn.Module):
    """Four layers that all get a gradient."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(4))

    def layer_groups(self):
        return [[layer] for layer in self.layers]

    def loss(self, batch):
        x = batch["x"]
        for layer in self.layers:
            x = layer(x)
        return x.square().sum(), len(x)


def rows(n=12, batch_size=4, **options):
    x = np.linspace(1, 2, n, dtype=np.float32)
    return ArrayBatches(batch_size, x=x, y=3 * x, **options)


def fit(model, batches, *length, **options):
    return mb.fit(model, batches, *length, **{"progress": False, "device": "cpu", **options})


def gpt():
    return mb.GPT(mb.GPTConfig(20, dim=8, layers=1, heads=2, hidden=8, max_length=12))


# Nothing to train on, or nothing that would be trained


@pytest.mark.parametrize("batches", [rows, lambda: ListBatches(list(rows()))])
def test_a_call_at_the_end_of_an_epoch_begins_the_next(batches):
    batches, model = batches(), Line()
    assert len(fit(model, batches, steps=len(batches))) == 3
    assert (batches.epoch, batches.step) == (1, 0)
    assert len(fit(model, batches, epochs=1)) == 3
    assert len(fit(model, batches, epochs=2)) == 6


def test_the_end_of_an_epoch_is_counted_once_over_a_resume(tmp_path):
    seen = []
    for steps in (3, 6, 12):
        batches = rows()
        fit(Line(), batches, steps=steps, checkpoint=tmp_path)
        seen.append((batches.epoch, batches.step))
    assert seen == [(1, 0), (2, 0), (4, 0)]
    assert len(fit(Line(), rows(), epochs=4, checkpoint=tmp_path)) == 12
    assert len(fit(Line(), rows(), epochs=5, checkpoint=tmp_path)) == 15


def test_the_rest_of_an_epoch_is_a_pass_and_the_bar_knows_its_length():
    class Seen:
        def on_start(self, run):
            self.steps = run.steps

    batches, seen = rows(), Seen()
    fit(Line(), batches, steps=1)
    assert len(fit(Line(), batches, epochs=2, callbacks=[seen])) == seen.steps == 5
    history = fit(Line(), rows(12, 5), epochs=2, accumulate=4, callbacks=[seen])
    assert len(history) == seen.steps == 2


@pytest.mark.parametrize("length", [{"steps": 2}, {"epochs": 1}, {}])
def test_no_batch_at_all_is_refused(length):
    for nothing in ([], (), torch.utils.data.DataLoader([])):
        with pytest.raises(ValueError, match="batches are empty"):
            fit(Line(), nothing, **length)
    with pytest.raises(ValueError, match=r"at least batch_size=8 .* got 5: there would be no"):
        PaddedBatches([[1]] * 5, 8, drop_last=True)
    with pytest.raises(ValueError, match="no batch"):
        rows(3, 4, drop_last=True)


def test_an_optimiser_of_another_model_is_refused():
    old, new = Line(), Line()
    with pytest.raises(ValueError, match="1 of the 1 tensors of the optimiser are not the model's"):
        fit(new, rows(), 20, optimizer=optim.adamw(old))
    model = gpt()
    optimizer = optim.adamw(model)
    model, _ = framed(model)
    batch = {"input_ids": torch.ones(2, 5, dtype=torch.long)}
    with pytest.raises(ValueError, match="replaced after the optimiser was made"):
        fit(model, [batch], 20, optimizer=optimizer)
    model = Layers()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.layers[3] = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="2 of the 8 tensors"):
        fit(model, [{"x": torch.ones(2, 2)}], 2, optimizer=optimizer)


def test_what_learns_nothing_is_refused():
    model = Line()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter that learns: are all parameters frozen"):
        fit(model, rows(), 1, optimizer=optimizer)
    model = Layers()
    optimizer = torch.optim.SGD(model.layers[0].parameters(), lr=0.1)
    model.layers[0].requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter of the optimiser"):
        fit(model, [{"x": torch.ones(2, 2)}], 1, optimizer=optimizer)
    with pytest.raises(ValueError, match="learning rate above 0, got 0"):
        model = Line()
        fit(model, rows(), 1, optimizer=torch.optim.SGD(model.parameters(), lr=0.0))
    with pytest.raises(ValueError, match="clip must be above 0"):
        fit(Line(), rows(), 1, clip=0)
    for options in ({"steps": 0}, {"epochs": 0}, {"accumulate": 0}, {"steps": -3}):
        with pytest.raises(ValueError, match="must be at least 1, got"):
            fit(Line(), rows(), **options)


def test_a_part_of_the_model_may_be_trained_alone():
    model = Layers()
    before = [layer.weight.clone() for layer in model.layers]
    optimizer = torch.optim.SGD(model.layers[2].parameters(), lr=0.1)
    fit(model, [{"x": torch.ones(2, 2)}], 1, optimizer=optimizer)
    changed = [not torch.equal(a, b.weight) for a, b in zip(before, model.layers, strict=True)]
    assert changed == [False, False, True, False]


# Options that would do nothing


def test_options_that_would_be_ignored_are_refused(tmp_path):
    for options in ({"patience": 3}, {"callbacks": [EarlyStopping(3)]}):
        with pytest.raises(ValueError, match="valid="):
            fit(Line(), rows(), 2, **options)
    with pytest.raises(ValueError, match="valid_every needs batches"):
        fit(Line(), rows(), 2, valid_every=1)
    with pytest.raises(ValueError, match="checkpoint_every needs a folder"):
        fit(Line(), rows(), 2, checkpoint_every=1)
    with pytest.raises(ValueError, match="valid="):
        model = Line()
        optimizer = optim.NTASGD(model, 0.1)
        fit(model, rows(), 2, optimizer=optimizer, callbacks=[optim.NonMonotone()])
    with pytest.raises(ValueError, match="NonMonotone needs NTASGD, got AdamW"):
        fit(Line(), rows(), 2, callbacks=[optim.NonMonotone()], valid=rows())
    with pytest.raises(ValueError, match="valid_every must be at least 1, got 0"):
        fit(Line(), rows(), 2, valid=rows(), valid_every=0)
    with pytest.raises(ValueError, match="RateByLength needs batches with input_ids"):
        fit(Line(), rows(), 2, callbacks=[RateByLength(5)])


def test_each_callback_hears_of_updates_not_of_batches():
    heard = []

    class Listens:
        def before_step(self, run):
            heard.append(("before", run.step, len(run.batch)))

        def on_step(self, run):
            heard.append(("after", run.step, len(run.batch)))

        def on_valid(self, run):
            heard.append(("valid", run.step, None))

    history = fit(Line(), rows(16, 2), epochs=1, accumulate=3, callbacks=[Listens()], valid=rows())
    assert history.step == [1, 2, 3] and history.valid_step == [2, 3]
    assert heard == [
        *(("before", 0, 3), ("after", 1, 3), ("before", 1, 3), ("after", 2, 3), ("valid", 2, None)),
        *(("before", 2, 2), ("after", 3, 2), ("valid", 3, None)),
    ]


# What would end in an error from below


class Endless:
    """Batches of which nobody knows how many there are."""

    def __init__(self, count=5):
        self.count = count

    def __iter__(self):
        return iter([{"x": torch.ones(2), "y": torch.ones(2)}] * self.count)


def test_batches_without_a_length(capfd):
    assert len(fit(Line(), Endless(), epochs=2, progress=True)) == 10
    assert "step 10:" in capfd.readouterr().out
    history = fit(Line(), Endless(), 6, valid=Endless(), valid_every=4)
    assert history.valid_step == [4, 6]
    with pytest.raises(ValueError, match="valid without valid_every must know how many batches"):
        fit(Line(), Endless(), 6, valid=Endless())


def test_validation_batches_must_be_there_and_stay_there():
    with pytest.raises(ValueError, match="valid is empty"):
        fit(Line(), rows(), 2, valid=[])
    with pytest.raises(ValueError, match="give a list, not an iterator"):
        fit(Line(), rows(), 2, valid=iter(list(rows())))


def test_devices_that_are_none(monkeypatch):
    for name in ("gpu", "cuda:99", "GPU 0"):
        for act in (
            lambda n: fit(Line(), rows(), 1, device=n),
            lambda n: evaluate(Line(), rows(), n),
            runtime.device,
        ):
            with pytest.raises(ValueError, match="device"):
                act(name)
    monkeypatch.setenv("MINIBERT_DEVICE", "gpu")
    with pytest.raises(ValueError, match="expected a device such as .*, got 'gpu'"):
        runtime.device()


class Raw(torch.nn.Linear):
    """A model of a learner's own, which checks nothing."""

    def __init__(self):
        super().__init__(3, 2)

    def loss(self, batch):
        logits, labels = self(batch["input_ids"].float()), batch["labels"]
        return torch.nn.functional.cross_entropy(logits, labels, reduction="sum"), len(labels)


def test_labels_that_the_model_does_not_know():
    head = mb.heads.CNNClassifier(torch.randn(9, 4), 2)
    batches = PaddedBatches([{"input_ids": [1, 2, 3], "labels": 2}] * 4, 2)
    said = {head: "labels from 0 to below 2, got 2", Raw(): "a label of this batch is out of range"}
    for model, sentence in said.items():
        for act in (lambda m: fit(m, batches, 1), lambda m: evaluate(m, batches, "cpu")):
            with pytest.raises(ValueError, match=sentence):
                act(model)
    lm = mb.AWDLSTM(mb.AWDLSTMConfig(9, 4, 6, 1))
    batch = {"input_ids": torch.ones(2, 3, dtype=torch.long), "reset": True}
    with pytest.raises(ValueError, match="labels from 0 to below 9 .* got 1 to 9"):
        lm.loss({**batch, "targets": torch.tensor([[1, 2, 9], [1, -100, 1]])})


def test_models_and_batches_of_the_wrong_kind():
    with pytest.raises(ValueError, match="loss"):
        fit(mb.BERT(mb.BERTConfig(9, dim=8, layers=1, heads=2, hidden=8)), rows(), 1)
    with pytest.raises(ValueError, match="got one dict: give a list of batches"):
        fit(Line(), {"x": torch.ones(2), "y": torch.ones(2)}, 1)
    with pytest.raises(ValueError, match="got one dict: put it in a list"):
        PaddedBatches({"input_ids": [1, 2]}, 1)
    with pytest.raises(ValueError, match="expected at least one example"):
        mb.text.FramedBatches([], 1)

    for wrong in (None, 3, rows, [1, 2][:0].append, str):
        with pytest.raises(ValueError, match="expected batches that can be iterated over"):
            fit(Line(), wrong, 1)
    with pytest.raises(ValueError, match="expected batches, got texts"):
        fit(Line(), ["a good film"], 1)
    for wrong in (3, "x", {"x": torch.ones(2)}):
        with pytest.raises(ValueError, match="batches to validate on that can be iterated over"):
            fit(Line(), rows(), 1, valid=wrong)


@pytest.mark.parametrize(
    "given",
    [
        lambda w: (3.0, 1),
        lambda w: w.sum(),
        lambda w: (w.sum(), 1, 2),
        lambda w: None,
        lambda w: {"loss": w.sum()},
        lambda w: (w.expand(2), 2),
        lambda w: (w.sum(), -1),
    ],
)
def test_a_loss_that_is_no_sum_and_count(given):
    class Wrong(Line):
        def loss(self, batch):
            return given(self.weight)

    with pytest.raises(ValueError, match="the sum of the losses, and a count; got"):
        fit(Wrong(), rows(), 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 2.5}, "steps must be a whole number, got 2.5"),
        ({"steps": "3"}, "steps must be a whole number, got '3'"),
        ({"epochs": float("nan")}, "epochs must be a whole number, got nan"),
        ({"accumulate": 2.0}, "accumulate must be a whole number"),
        ({"valid": [1], "valid_every": 1.5}, "valid_every must be a whole number"),
        ({"clip": "1"}, "clip must be above 0"),
        ({"clip": float("nan")}, "clip must be above 0"),
        ({"optimizer": "adam"}, "an optimiser that was made, such as .*, got 'adam'"),
        ({"optimizer": torch.optim.Adam}, "an optimiser that was made"),
        ({"schedule": 0.1}, "expected a schedule from minibert.optim, got 0.1"),
        ({"callbacks": EarlyStopping}, "a list of callbacks, each of them made"),
        ({"callbacks": [RateByLength]}, "a list of callbacks, each of them made"),
        ({"callbacks": RateByLength(3)}, "a list of callbacks, each of them made"),
    ],
)
def test_options_of_another_kind(options, said):
    with pytest.raises(ValueError, match=said):
        fit(Line(), rows(), **options)
    model = Line()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for rate in (-1.0, float("nan"), float("inf")):
        optimizer.param_groups[0]["lr"] = rate
        with pytest.raises(ValueError, match="expected a learning rate above 0, got"):
            fit(model, rows(), 1, optimizer=optimizer)


IDS = [[1, 2, 3], [4, 5, 6]]
MODELS = {
    "bert": lambda: mb.BERT(mb.BERTConfig(9, dim=8, layers=1, heads=2, hidden=8, max_length=8)),
    "gpt": gpt,
    "awd-lstm": lambda: mb.AWDLSTM(mb.AWDLSTMConfig(9, 4, 6, 1)),
    "elmo": lambda: mb.ELMo(
        mb.ELMoConfig(9, input="words", dim=4, projection=4),
        mb.text.Vocab([*"abcdefg", "<S>", "</S>"], specials=("<S>", "</S>")),
    ),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("kind", MODELS)
def test_ids_of_another_kind_are_refused_in_a_sentence(kind):
    model = MODELS[kind]().eval()
    for wrong, got in ((IDS, "a list"), (np.array(IDS), "a ndarray")):
        with pytest.raises(ValueError, match=f"input_ids as a tensor .* got {got}"):
            model(wrong)
    with pytest.raises(ValueError, match="as int64, got torch.float32"):
        model(torch.tensor(IDS).float())
    with pytest.raises(ValueError, match="as int64, got torch.uint8"):
        model(torch.tensor(IDS).byte())
    want, got = (model(torch.tensor(IDS).to(kind)) for kind in (torch.int64, torch.int32))
    assert torch.equal(want.last_hidden_state, got.last_hidden_state)
    with pytest.raises(ValueError, match="ids from 0 to below"):
        model(torch.tensor(IDS) + 40)
    with pytest.raises(ValueError, match="ids from 0 to below"):
        model(torch.tensor(IDS) - 3)


@pytest.mark.parametrize("kind", MODELS)
def test_masks_of_any_kind_of_number_say_the_same(kind):
    model, ids = MODELS[kind]().eval(), torch.tensor(IDS)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    want = model(ids, attention_mask=mask).last_hidden_state
    for same in (mask.bool(), mask.float(), mask.to(torch.uint8)):
        assert torch.equal(model(ids, attention_mask=same).last_hidden_state, want)
    if kind != "elmo":
        with pytest.raises(ValueError, match="1 for a token and 0 for padding"):
            model(ids, attention_mask=mask * 0.5)


def test_kinds_of_text_that_bert_does_not_tell_apart():
    ids = torch.tensor(IDS)
    with pytest.raises(ValueError, match="token_type_ids from 0 to below segments=2, got 5 to 5"):
        MODELS["bert"]()(ids, token_type_ids=torch.full_like(ids, 5))


def test_training_without_a_stderr(monkeypatch, capsys):
    """As under pythonw, or with a detached terminal."""
    monkeypatch.setattr(sys, "stderr", None)
    assert len(fit(Line(), rows(), 2, progress=True)) == 2
    assert "step 2 of 2" in capsys.readouterr().out


# A run that goes on must be the same run


def test_another_optimiser_or_rate_is_refused(tmp_path):
    def run(steps, make, **options):
        model = Line()
        return fit(model, rows(), steps, optimizer=make(model), checkpoint=tmp_path, **options)

    def sgd(rate=0.1, **options):
        return lambda model: torch.optim.SGD(model.parameters(), lr=rate, **options)

    run(2, sgd(), schedule=optim.linear(9))
    for make, what in (
        (lambda m: torch.optim.Adam(m.parameters(), lr=0.1), "optimizer='SGD'"),
        (sgd(0.2), "learning rate=0.1, this run has learning rate=0.2"),
        (sgd(0.1, momentum=0.9), "momentum=0, this run has momentum=0.9"),
    ):
        with pytest.raises(ValueError, match=what):
            run(4, make)
    for options, what in (
        ({"accumulate": 2}, "accumulate=1, this run has accumulate=2"),
        ({"clip": None}, "clip=1.0, this run has clip=None"),
        ({"precision": "bf16"}, "precision=None"),
    ):
        with pytest.raises(ValueError, match=what):
            run(4, sgd(), **options)
    assert len(run(4, sgd(), schedule=optim.linear(9))) == 4
    assert len(run(3, sgd(0.2), resume=False)) == 3


def test_the_pace_of_validation_is_that_of_the_first_start(tmp_path):
    text = np.arange(400) % 20

    def run(folder, *stops, **options):
        for steps in stops:
            torch.manual_seed(0)
            model = mb.AWDLSTM(mb.AWDLSTMConfig(20, 4, 6, 1))
            batches = BPTTBatches(text, 2, 7, vary=True, seed=3)
            history = fit(
                model, batches, steps, valid=rows_of(text), checkpoint=tmp_path / folder, **options
            )
        return history

    def rows_of(ids):
        return BPTTBatches(ids[:50], 2, 7)

    lengths = [len(BPTTBatches(text, 2, 7, vary=True, seed=3).plan(epoch)) for epoch in range(4)]
    assert len(set(lengths)) > 1
    parts, whole = run("a", lengths[0] + 2, 80), run("b", 80)
    extra = {lengths[0] + 2}  # the end of the first start
    assert set(parts.valid_step) - extra == set(whole.valid_step) - extra
    with pytest.raises(ValueError, match="this run has valid_every=3"):
        run("b", 90, valid_every=3)
