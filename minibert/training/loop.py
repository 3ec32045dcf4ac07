"""One training loop for every model.

What it asks of a model: ``model.loss(batch)`` gives (sum of losses, count of what was summed). The
loss that is minimised is sum / count. A model that carries something from batch to batch (an LSTM
its state) also has ``stream_state()`` and ``load_stream_state(state)``.
"""

import math
import time
from contextlib import nullcontext
from itertools import islice

import torch

from minibert import runtime
from minibert.text.batches import ListBatches
from minibert.training import distributed
from minibert.training.callbacks import EarlyStopping
from minibert.training.history import History
from minibert.training.optim import adamw
from minibert.training.progress import Progress, quiet
from minibert.training.resume import Resume


def fit(
    model,
    batches,
    steps=None,
    epochs=None,
    optimizer=None,
    schedule=None,
    callbacks=(),
    device=None,
    clip=1.0,
    accumulate=1,
    precision=None,
    checkpoint=None,
    checkpoint_every=1000,
    resume=True,
    valid=None,
    valid_every=None,
    patience=None,
    progress=True,
):
    """Train ``model`` on ``batches``; returns a `History`.

    model: a module with ``loss(batch) -> (sum of losses, count)``.
    batches: a `minibert.text.Batches`, a list of batches, or anything that can be iterated over
        again and again, such as a torch DataLoader; with ``checkpoint`` it needs ``state_dict``.
    steps, epochs: how long, in updates or in passes over the data; one epoch by default. A call
        that ends within an epoch leaves ``batches`` there, and the next call goes on from there.
    optimizer: any torch optimiser; AdamW at 0.001 by default. ``schedule`` (see
    `minibert.training.optim`)
        multiplies each parameter group's own rate.
    callbacks: objects with any of ``on_start(run)``, ``before_step(run)``, ``on_step(run)``,
        ``before_valid(run)``, ``on_valid(run)``, ``after_valid(run)``, ``on_end(run)``, called with
        the `Run`; one with ``state_dict`` and ``load_state_dict`` is saved and restored.
    device: where to train, `minibert.device()` by default; the model stays there.
    clip: the largest norm of the gradient, None for no limit.
    accumulate: batches an update; losses and counts are added up over all of them.
    precision: "bf16" for automatic mixed precision, None for the weights' own.
    checkpoint: a folder; the state is saved there every ``checkpoint_every`` updates and at the
        end. With ``resume`` (and the same arguments) a run goes on from the newest whole one, on a
        CPU bit for bit as if it had never stopped; ``steps`` and ``epochs`` count from the start.
    valid: batches to validate on every ``valid_every`` updates (default: once an epoch) and at the
        end. ``patience``: stop after so many validations without a new best, and take the best
        weights back.
    progress: a progress bar in a terminal or notebook, plain lines elsewhere.

    Started by torchrun, each process learns from its share of every batch
    (`minibert.training.distributed`); the first one reports and saves.

    Ctrl-C (or a notebook's stop button) ends training early: the model stays usable and the history
    so far is returned. The model is left in eval mode.

    Raises FloatingPointError, naming the step, when the loss or the gradient's norm is not finite;
    ValueError for arguments that do not fit together.
    """
    batches = _checked(batches, steps, epochs, accumulate, precision, checkpoint)
    device = torch.device(device or runtime.device())
    model.to(device)
    callbacks = list(callbacks)
    if patience is not None:
        callbacks.append(EarlyStopping(patience))
    if progress and not quiet() and distributed.rank() == 0:
        callbacks.append(Progress())
    optimizer = optimizer if optimizer is not None else adamw(model)
    run = Run(model, batches, optimizer, callbacks, device, precision)
    run.set_length(steps, epochs, accumulate)
    saver = Resume(checkpoint, run, resume) if checkpoint else None
    run.tell("on_start")
    try:
        _loop(run, schedule, clip, accumulate, valid, valid_every, saver, checkpoint_every)
    except KeyboardInterrupt:
        print(f"Interrupted: training stopped after step {run.step}; the model is usable as it is.")
    finally:
        run.set_rates(1.0)
        run.optimizer.zero_grad()
        run.tell("on_end")
        model.eval()
    return run.history


class Run:
    """A training run as its callbacks see it.

    ``model optimizer batches device history``; ``step``: updates done; ``steps``: updates to do
    (estimated where epochs differ in length); ``epoch``: passes completed; ``loss``: of the last
    update, nats a count; ``valid_loss``; ``rate``: learning rate of the first group;
    ``batch``: the list of batches of the current update; ``unit``: what the speed counts, "tokens"
    or, where batches do not say theirs, "targets". A callback may call ``stop()``.
    """

    def __init__(self, model, batches, optimizer, callbacks, device, precision):
        self.model, self.batches, self.optimizer = model, batches, optimizer
        self.callbacks, self.device, self.precision = callbacks, device, precision
        self.history = History()
        self.step, self.epoch, self.stopped = 0, 0, False
        self.loss = self.valid_loss = self.rate = self.batch = None
        self.unit = "tokens"  # of the speed
        self.utilisation = None  # see `minibert.training.utilisation`
        self.loss_of = distributed.loss_of(model)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]

    def set_length(self, steps, epochs, accumulate):
        """Run for ``steps`` updates, or else for ``epochs`` passes (one by default)."""
        if steps is not None:
            self.steps, self.limit, self.epochs = steps, steps, math.inf
        else:
            self.epochs, self.limit = 1 if epochs is None else epochs, math.inf
            self.steps = -(-self.epochs * len(self.batches) // accumulate)

    def stop(self):
        """End the run after this update."""
        self.stopped = True

    def tell(self, event):
        """Call the method ``event`` of each callback that has it."""
        for callback in self.callbacks:
            getattr(callback, event, lambda run: None)(self)

    def set_rates(self, factor):
        """Each group's rate: its own one, ``initial_lr``, times ``factor``."""
        for group in self.optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    def stream(self):
        """Batches without end, or until ``epochs`` passes are completed."""
        empty = 0
        while self.epoch < self.epochs:
            empty += 1
            for batch in self.batches:
                empty = 0
                yield batch
            if empty > 1:  # a pass may be empty once: it was left at its very end
                raise ValueError(
                    "the batches are empty: expected something that gives at least one batch "
                    "each time that it is iterated over"
                )
            self.epoch += 1


def _loop(run, schedule, clip, accumulate, valid, valid_every, saver, checkpoint_every):
    stream = run.stream()
    if valid is not None and valid_every is None:
        valid_every = max(1, len(run.batches) // accumulate)
    while run.step < run.limit and not run.stopped:
        started = time.perf_counter()
        run.batch = list(islice(stream, accumulate))
        if not run.batch:
            break
        run.model.train()
        run.set_rates(schedule(run.step) if schedule else 1.0)
        run.tell("before_step")
        run.rate = run.optimizer.param_groups[0]["lr"]
        run.loss, tokens = train_step(run, clip)
        run.step += 1
        seconds = time.perf_counter() - started
        run.history.add(run.step, run.loss, run.rate, tokens / seconds)
        run.history.seconds += seconds
        run.tell("on_step")
        if valid is not None and run.step % valid_every == 0:
            _validate(run, valid)
        if saver and run.step % checkpoint_every == 0 and distributed.rank() == 0:
            saver.save(run)
    if valid is not None and run.history.valid_step[-1:] != [run.step]:
        _validate(run, valid)
    if saver and distributed.rank() == 0:
        saver.save(run)


def train_step(run, clip=None):
    """One update from the batches in ``run.batch``; returns (loss, tokens or else targets seen).

    The gradient is that of (sum of all losses) / (sum of all counts), whichever way the targets
    fall into batches. Each sum is divided by the first count before its backward pass, so that
    numbers stay moderate, and the gradient is put right when all counts are known.
    """
    total, count, tokens, scale = 0.0, 0.0, 0, None
    for batch in run.batch:
        tokens += tokens_of(batch)
        with autocast(run.device, run.precision):
            losses, n = run.loss_of(to_device(distributed.share(batch), run.device))
        n = distributed.total(n, run.device)
        scale = scale or n
        if scale:  # gradients are the mean over the processes
            (losses * (distributed.size() / scale)).backward()
        total, count = total + distributed.total(losses.item(), run.device), count + n
    if not count:
        raise ValueError(f"the loss of step {run.step + 1} counted no target: expected one or more")
    parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
    if scale != count:
        for p in parameters:
            if p.grad is not None:
                p.grad.mul_(scale / count)
    _check_finite(run, "loss", total / count)
    if clip is not None:
        _check_finite(run, "gradient's norm", torch.nn.utils.clip_grad_norm_(parameters, clip))
    run.optimizer.step()
    run.optimizer.zero_grad()
    run.unit = "tokens" if tokens else "targets"
    return total / count, tokens or count


@torch.no_grad()
def evaluate(model, batches, device=None, precision=None):
    """The mean loss over one epoch of ``batches``: sum of all losses / sum of all counts.

    Always the same epoch, the first, whatever the position of ``batches``, which does not move;
    dropout is off. ``device`` defaults to the model's own.
    """
    device = device or next(model.parameters()).device
    training = model.training
    carried = model.stream_state() if hasattr(model, "stream_state") else None
    model.eval()
    losses, counts = [], []
    for batch in batches.of_epoch(0) if hasattr(batches, "of_epoch") else batches:
        with autocast(device, precision):
            loss, count = model.loss(to_device(batch, device))
        losses.append(float(loss))
        counts.append(float(count))
    model.train(training)
    if hasattr(model, "stream_state"):
        model.load_stream_state(carried)
    if not sum(counts):
        raise ValueError("expected batches with at least one target to evaluate on, got none")
    return math.fsum(losses) / math.fsum(counts)


def to_device(batch, device):
    """A batch with its tensors on ``device``: dicts, lists and tuples are gone through."""
    if torch.is_tensor(batch):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {name: to_device(value, device) for name, value in batch.items()}
    if isinstance(batch, list | tuple):
        moved = [to_device(value, device) for value in batch]
        return tuple(moved) if isinstance(batch, tuple) else moved
    return batch


def autocast(device, precision):
    """The context of a forward pass: mixed precision for "bf16", none otherwise."""
    if precision == "bf16":
        return torch.autocast(torch.device(device).type, torch.bfloat16)
    return nullcontext()


def _validate(run, valid):
    run.tell("before_valid")
    run.valid_loss = evaluate(run.model, valid, run.device, run.precision)
    run.history.add_valid(run.step, run.valid_loss)
    run.tell("on_valid")
    run.tell("after_valid")


def tokens_of(batch):
    """How many tokens a batch holds, padding left out; 0 where it does not say."""
    if isinstance(batch, dict):
        if "attention_mask" in batch:
            return int(batch["attention_mask"].sum())
        if "input_ids" in batch:
            return batch["input_ids"].numel()
    return 0


def _check_finite(run, what, value):
    if math.isfinite(value):
        return
    step, losses = run.step, run.history.loss
    before = f"the last good loss was {losses[-1]:.4f} at step {step}" if losses else "the first"
    raise FloatingPointError(
        f"the {what} is {float(value)} at step {step + 1} ({before}); the weights were not updated "
        f"with it. Try a lower learning rate, warm-up or clipping, and look at this step's batch"
    )


def _checked(batches, steps, epochs, accumulate, precision, checkpoint):
    """The batches in a form that the loop can use, once all arguments fit together."""
    if steps is not None and epochs is not None:
        raise ValueError(f"expected steps or epochs, got both (steps={steps}, epochs={epochs})")
    if accumulate < 1:
        raise ValueError(f"accumulate must be at least 1, got {accumulate}")
    if precision not in (None, "bf16"):
        raise ValueError(f'precision must be None or "bf16", got {precision!r}')
    if isinstance(batches, list | tuple):
        return ListBatches(batches)
    if checkpoint and not hasattr(batches, "state_dict"):
        raise ValueError(
            f"a run with checkpoints needs batches with state_dict() and load_state_dict(), such "
            f"as those of minibert.text; {type(batches).__name__} has none"
        )
    return batches
