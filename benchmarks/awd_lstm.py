"""AWD-LSTM beside fastai: ``python -m benchmarks awd_lstm [--quick]``.

Training tokens a second at 200 numbers a word, 400 cells, 3 layers, windows of 70, 32 texts side by
side, 10,000 words, fp32 on two threads. All sides get the same batches in one process, in turn (A B
A B ...), with equal dropout, AR and TAR; before the timing, both models get one set of weights, and
their losses without dropout must agree. torch's plain nn.LSTM with a full softmax and no
regularisation at all stands beside them. The full run takes about three minutes and is written to
results/awd_lstm.json and README.md.

fastai wants an environment of its own: README.md says how to make it and why. A stand-in takes the
place of torchvision, which fastai's text part does not use.
"""

import statistics
import sys
from time import perf_counter

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from benchmarks import _record
from minibert.course.learn.d2l import torchvision_or_stand_in
from minibert.models.awd_lstm.files import convert

try:
    with torchvision_or_stand_in():
        from fastai import learner as fastai_learner
        from fastai.callback import rnn as fastai_rnn
        from fastai.data.core import DataLoaders
        from fastai.losses import CrossEntropyLossFlat
        from fastai.text import models as fastai_models
except ImportError as error:
    sys.exit(
        f"This benchmark needs fastai ({error}), in an environment of its own: "
        "benchmarks/README.md, section AWD-LSTM, has the three commands."
    )

V, DIM, HIDDEN, LAYERS, BPTT, STREAMS = 10_000, 200, 400, 3, 70, 32
STEPS, REPEATS = 4, 9
ALPHA, BETA = 2.0, 1.0


def batches(steps):
    """Windows that follow each other: a list of (ids, targets)."""
    text = torch.randint(2, V, (STREAMS, steps * BPTT + 1), generator=torch.manual_seed(0))
    cut = range(0, steps * BPTT, BPTT)
    return [(text[:, i : i + BPTT], text[:, i + 1 : i + 1 + BPTT]) for i in cut]


def fastai_model():
    """fastai's language model at this size, with its default dropouts."""
    config = {**fastai_models.awd_lstm_lm_config, "emb_sz": DIM, "n_hid": HIDDEN}
    config["n_layers"] = LAYERS
    return fastai_models.get_language_model(fastai_models.AWD_LSTM, V, config=config)


def our_model():
    return mb.AWDLSTM(mb.AWDLSTMConfig(V, DIM, HIDDEN, LAYERS, alpha=ALPHA, beta=BETA))


class Plain(nn.Module):
    """torch's LSTM without any regularisation: what the others can be measured by."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(V, DIM)
        ends = [DIM, *[HIDDEN] * (LAYERS - 1), DIM]
        self.layers = nn.ModuleList(
            nn.LSTM(a, b, batch_first=True) for a, b in zip(ends[:-1], ends[1:], strict=True)
        )
        self.decoder = nn.Linear(DIM, V)
        self.decoder.weight = self.embedding.weight

    def forward(self, x):
        x = self.embedding(x)
        for layer in self.layers:
            x, _ = layer(x)
        return self.decoder(x)


class Steps:
    """A side that is timed as bare steps: loss, gradient, AdamW."""

    def __init__(self, model, loss):
        self.model, self.loss = model.train(), loss
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def run(self, data):
        for x, y in data:
            self.loss(self.model, x, y).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()


class OurFit:
    """A side that is timed as a whole training loop: `mb.fit`."""

    def __init__(self):
        self.model = our_model()
        self.optimizer = mb.optim.adamw(self.model, 1e-3)

    def run(self, data):
        named = [{"input_ids": x, "targets": y, "reset": not i} for i, (x, y) in enumerate(data)]
        options = {"optimizer": self.optimizer, "clip": None, "device": "cpu", "progress": False}
        mb.fit(self.model, named, epochs=1, **options)


class TheirFit:
    """The same by fastai's Learner, with its own callbacks for state, AR and TAR."""

    def __init__(self):
        self.model = fastai_model()

    def run(self, data):
        callbacks = fastai_rnn.rnn_cbs(ALPHA, BETA)
        if not hasattr(self, "learner"):
            loader = torch.utils.data.DataLoader(data, batch_size=None)
            self.learner = fastai_learner.Learner(
                DataLoaders(loader, loader),
                self.model,
                loss_func=CrossEntropyLossFlat(),
                opt_func=fastai_learner.Adam,
                cbs=callbacks,
            )
            self.learner.remove_cbs([c for c in self.learner.cbs if c.name in UNUSED])
            self.learner.create_opt()
        learner = self.learner
        learner.model.train()
        learner._do_epoch = learner._do_epoch_train  # no validation: only training is compared
        with learner.no_bar() if hasattr(learner, "no_bar") else torch.enable_grad():
            learner.fit(1, 1e-3)


UNUSED = ("progress", "recorder")


def our_loss(model, x, y):
    loss, count = model.loss({"input_ids": x, "targets": y, "reset": False})
    return loss / count


def their_loss(model, x, y):
    logits, raw, dropped = model(x)
    loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
    step = raw[:, 1:] - raw[:, :-1]
    return loss + ALPHA * dropped.square().mean() + BETA * step.square().mean()


def plain_loss(model, x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def check_equal():
    """Raises AssertionError where the two models' losses differ on equal weights."""
    theirs, ours = fastai_model().eval(), our_model().eval()
    ours.load_state_dict(convert(theirs.state_dict()))
    (x, y), *_ = batches(1)
    with torch.no_grad():
        theirs.reset()
        a = F.cross_entropy(theirs(x)[0].flatten(0, 1), y.flatten())
        loss, count = ours.loss({"input_ids": x, "targets": y, "reset": True})
    assert abs(a - loss / count) < 1e-4, f"the losses differ: {a} and {loss / count}"
    return float(a)


def measure(steps, repeats):
    """Seconds a step of every side, one a repetition, in turn."""
    data = batches(steps)
    sides = {
        "minibert, steps": Steps(our_model(), our_loss),
        "fastai's model + AdamW": Steps(fastai_model(), their_loss),
        "minibert, `mb.fit`": OurFit(),
        "fastai's Learner": TheirFit(),
        "torch's nn.LSTM, nothing dropped": Steps(Plain(), plain_loss),
    }
    seconds = {name: [] for name in sides}
    for repeat in range(repeats + 1):
        for name, side in sides.items():
            start = perf_counter()
            side.run(data)
            if repeat:  # the first time warms up
                seconds[name].append((perf_counter() - start) / steps)
    return seconds


def table(results):
    """One table in Markdown."""
    seconds, tokens = results["seconds a step"], STREAMS * BPTT
    lines = ["| | tokens/s, median | fastest | minibert is, median | by the fastest |"]
    lines.append("|---|---|---|---|---|")
    pairs = {
        "fastai's model + AdamW": "minibert, steps",
        "fastai's Learner": "minibert, `mb.fit`",
        "torch's nn.LSTM, nothing dropped": "minibert, steps",
    }
    for name, found in seconds.items():
        row = [f"{tokens / statistics.median(found):,.0f}", f"{tokens / min(found):,.0f}"]
        for kind in (statistics.median, min):
            other = pairs.get(name)
            row.append(f"{kind(found) / kind(seconds[other]):.2f}x" if other else "")
        lines.append(f"| {name} | {' | '.join(row)} |")
    about = results["machine"]
    lines += [
        "",
        f"{about['cpu']}, {about['cores']} cores, {results['threads']} threads; fastai "
        f"{about['fastai']}, torch {about['torch']}, Python {about['python']}; {about['date']}; "
        f"load before {about['load']}, after {results['load after']}; {results['repeats']} "
        f"repetitions of {results['steps']} steps; equal loss on equal weights: "
        f"{results['loss']:.4f}.",
    ]
    return "\n".join(lines)


def main(quick=False):
    steps, repeats = (1, 1) if quick else (STEPS, REPEATS)
    results = {
        "machine": _record.machine("fastai", "torch", "numpy"),
        "threads": torch.get_num_threads(),
        "steps": steps,
        "repeats": repeats,
        "loss": check_equal(),
        "seconds a step": measure(steps, repeats),
        "load after": _record.load(),
    }
    print(table(results))
    if not quick:
        _record.save("awd_lstm", results)
        _record.put_into_readme("awd_lstm", table(results))


if __name__ == "__main__":
    main("--quick" in sys.argv)
