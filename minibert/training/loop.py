"""One training loop for every model.

What it asks of a model: ``model.loss(batch)`` gives (sum of losses, count of what was summed). The
loss that is minimised is sum / count. A model that carries something from batch to batch (an LSTM
its state) also has ``stream_state()`` and ``load_stream_state(state)``.
"""

import math
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch

from minibert import runtime
from minibert.text.batches import ListBatches
from minibert.training import distributed, interrupts
from minibert.training.callbacks import EarlyStopping
from minibert.training.history import History
from minibert.training.modes import evaluating
from minibert.training.optim import Schedule, adamw
from minibert.training.progress import Progress, quiet
from minibert.training.resume import Resume
from minibert.training.run import Run, size_of
from minibert.training.update import autocast, loss_of, to_device, tokens_of, train_step

__all__ = ["Run", "evaluate", "fit", "to_device", "tokens_of"]
SAVED = 1000  # updates from one checkpoint to the next


def fit(
    model: torch.nn.Module,
    batches: Iterable[Any],
    steps: int | None = None,
    epochs: int | None = None,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    schedule: Schedule | None = None,
    callbacks: Iterable[Any] = (),
    device: torch.device | str | None = None,
    clip: float | None = 1.0,
    accumulate: int = 1,
    precision: str | None = None,
    checkpoint: Path | str | None = None,
    checkpoint_every: int | None = None,
    resume: bool = True,
    valid: Iterable[Any] | None = None,
    valid_every: int | None = None,
    patience: int | None = None,
    progress: bool = True,
    reraise: bool = False,
) -> History:
    """Train ``model`` on ``batches``; returns a `History`.

    model: a module with ``loss(batch) -> (sum of losses, count)``.
    batches: a `minibert.text.Batches`, a list of batches, or anything that can be iterated over
        again and again, such as a torch DataLoader; with ``checkpoint`` it needs ``state_dict``.
    steps, epochs: how long, in updates or in passes over the data; one epoch by default. A call
        that ends within an epoch leaves ``batches`` there, and the next call goes on from there.
    optimizer: any torch optimiser of this model's parameters; AdamW at 0.001 by default.
        ``schedule`` (see `minibert.training.optim`) multiplies each parameter group's own rate.
    callbacks: objects with any of ``on_start(run)``, ``before_step(run)``, ``on_step(run)``,
        ``before_valid(run)``, ``on_valid(run)``, ``after_valid(run)``, ``on_end(run)``, called with
        the `Run`; one with ``state_dict`` and ``load_state_dict`` is saved and restored.
        ``after_valid`` and ``on_end`` are called after an error, too.
    device: where to train, `minibert.device()` by default; the model stays there.
    clip: the largest norm of the gradient, None for no limit.
    accumulate: batches per update; losses and counts are added up over all of them.
    precision: "bf16" for automatic mixed precision, None for the weights' own.
    checkpoint: a folder; the state is saved there every ``checkpoint_every`` updates (1,000), at
        the end, and on Ctrl-C. With ``resume`` (and the same arguments) a run goes on from the
        newest whole one, on a CPU bit for bit as if it had never stopped; ``steps`` and ``epochs``
        count from the start.
    valid: batches to validate on every ``valid_every`` updates (default: once an epoch) and at the
        end. ``patience``: stop after so many validations without a new best, and take the best
        weights back.
    progress: a progress bar in a terminal or notebook, plain lines elsewhere.
    reraise: after Ctrl-C, raise KeyboardInterrupt when everything is saved, rather than return.

    Started by torchrun, each process learns from its share of every batch
    (`minibert.training.distributed`); the first one reports and saves.

    Ctrl-C (or a notebook's stop button) ends training after the current update: the model stays
    usable and the history so far is returned. A second Ctrl-C does not wait for the update. The
    model is left in eval mode.

    Raises FloatingPointError, naming the step, when the loss or the gradient's norm is not finite;
    ValueError for arguments that do not fit together, and where nothing would be learned.
    """
    counts = {"steps": steps, "epochs": epochs, "accumulate": accumulate}
    counts |= {"checkpoint_every": checkpoint_every, "valid_every": valid_every}
    _check_numbers(counts, clip)
    batches = _checked_batches(model, batches, precision, checkpoint)
    _check_used(checkpoint, checkpoint_every, valid, valid_every=valid_every, patience=patience)
    device = runtime.device(device)
    model.to(device)
    optimizer = optimizer if optimizer is not None else adamw(model)
    _check_parts(model, optimizer, schedule, callbacks)
    callbacks = [*callbacks, *([] if patience is None else [EarlyStopping(patience)])]
    if progress and not quiet() and distributed.rank() == 0:
        callbacks.append(Progress())
    run = Run(
        model, batches, optimizer, callbacks=callbacks, device=device, precision=precision,
        accumulate=accumulate, clip=clip, schedule=schedule, valid=valid, valid_every=valid_every,
    )  # fmt: skip
    run.set_length(steps, epochs)
    settings = {"accumulate": accumulate, "clip": clip, "precision": precision}
    saver = Resume(checkpoint, run, settings, resume) if checkpoint else None
    try:
        with interrupts.noted():
            run.start()
            if valid is not None and run.valid_every is None:
                an_epoch = run.batches_an_epoch("valid without valid_every")
                run.valid_every = max(1, an_epoch // accumulate)
            _loop(run, saver, checkpoint_every or SAVED)
    except KeyboardInterrupt:
        said = f"training stopped after step {run.step}; the model is usable as it is."
        print("Interrupted:", said, *([saver.rescue(run)] if saver else []), flush=True)
        if reraise:
            raise
    finally:
        run.set_rates(1.0)
        run.optimizer.zero_grad()
        try:
            run.tell_all("on_end")
        finally:
            model.eval()
    return run.history


def _loop(run: Run, saver: Resume | None, checkpoint_every: int) -> None:
    """Updates until the run is done; validations and checkpoints between them."""
    stream = run.stream()
    while True:
        if run.valid_every and run.step and run.step % run.valid_every == 0:
            _validate(run)
        if saver and run.step and run.step % checkpoint_every == 0:
            saver.save(run)
        if run.done:
            break
        if distributed.agree(interrupts.asked()):
            if saver:
                saver.save(run)
            raise KeyboardInterrupt
        if not _update(run, stream, saver):
            break
    _validate(run)
    if saver:
        saver.save(run)


def _update(run: Run, stream: Iterator[Any], saver: Resume | None) -> bool:
    """One update, and what is noted of it; False where the batches have come to their end."""
    started = time.perf_counter()
    if saver:
        saver.mark(run)
    run.batch = list(islice(stream, run.accumulate))
    if not run.batch:
        return False
    run.model.train()
    run.set_rates(run.schedule(run.step) if run.schedule else 1.0)
    run.tell("before_step")
    run.rate = run.optimizer.param_groups[0]["lr"]
    run.loss, tokens = train_step(run)
    run.step += 1
    seconds = time.perf_counter() - started
    run.history.add(run.step, run.loss, run.rate, tokens / seconds)
    run.history.seconds += seconds
    run.torn = False
    if saver:
        saver.marked = None  # the run stands where it stands
    run.tell("on_step")
    return True


def _validate(run: Run) -> None:
    """Validate, where there is something to validate on and this step is not validated yet."""
    if run.valid is None or run.history.valid_step[-1:] == [run.step]:
        return
    try:
        run.tell("before_valid")
        run.valid_loss = evaluate(run.model, run.valid, run.device, run.precision)
        run.history.add_valid(run.step, run.valid_loss)
        run.tell("on_valid")
    finally:
        run.tell_all("after_valid")


def evaluate(
    model: torch.nn.Module,
    batches: Iterable[Any],
    device: torch.device | str | None = None,
    precision: str | None = None,
) -> float:
    """The mean loss over one epoch of ``batches``: sum of all losses / sum of all counts.

    Always the same epoch, the first, whatever the position of ``batches``, which does not move;
    dropout is off. ``device`` defaults to the model's own. The model is left as it was, also after
    an error. Raises ValueError where there is no target.
    """
    device = runtime.device(device) if device else next(model.parameters()).device
    measured: Any = model  # a module that has a loss
    losses, counts = list[float](), list[float]()
    with evaluating(model):
        for batch in batches.of_epoch(0) if hasattr(batches, "of_epoch") else batches:
            if interrupts.asked() and distributed.size() == 1:
                raise KeyboardInterrupt
            with autocast(device, precision):
                loss, count = loss_of(measured.loss, to_device(batch, device))
            losses.append(float(loss))
            counts.append(float(count))
    if not sum(counts):
        raise ValueError("expected batches with at least one target to evaluate on, got none")
    return math.fsum(losses) / math.fsum(counts)


def _check_numbers(counts: dict[str, int | None], clip: float | None) -> None:
    steps, epochs = counts["steps"], counts["epochs"]
    if steps is not None and epochs is not None:
        raise ValueError(f"expected steps or epochs, got both (steps={steps}, epochs={epochs})")
    for name, number in counts.items():
        if number is not None and not isinstance(number, Integral):
            raise ValueError(f"{name} must be a whole number, got {number!r:.60}")
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    if clip is not None and not (isinstance(clip, Real) and clip > 0):
        raise ValueError(f"clip must be above 0, or None for no limit, got {clip}")


def _checked_batches(model, batches, precision, checkpoint):
    """The batches in a form that the loop can use."""
    if not hasattr(model, "loss"):
        raise ValueError(
            f"expected a model with loss(batch), which gives a sum of losses and a count; "
            f"{type(model).__name__} has none: put a head on it, see minibert.heads"
        )
    if precision not in (None, "bf16"):
        raise ValueError(f'precision must be None or "bf16", got {precision!r}')
    _check_batches(batches)
    if isinstance(batches, list | tuple):
        return ListBatches(batches)
    if checkpoint and not hasattr(batches, "state_dict"):
        raise ValueError(
            f"a run with checkpoints needs batches with state_dict() and load_state_dict(), such "
            f"as those of minibert.text; {type(batches).__name__} has none"
        )
    return batches


def _check_batches(batches, name="batches"):
    iterable = hasattr(batches, "__iter__") or hasattr(batches, "__getitem__")
    if not iterable or isinstance(batches, dict | str | type) or torch.is_tensor(batches):
        raise ValueError(
            f"expected {name} that can be iterated over, got one {type(batches).__name__}: give a "
            f"list of batches"
        )
    if isinstance(batches, list | tuple) and batches and isinstance(batches[0], str):
        raise ValueError(
            f"expected {name}, got texts: head.batches(head.examples(texts)) makes some"
        )


def _check_used(checkpoint, checkpoint_every, valid, *, valid_every, patience):
    """Refuse options that would do nothing, and what could not be validated on twice."""
    if valid is None and (valid_every is not None or patience is not None):
        name = "valid_every" if patience is None else "patience"
        raise ValueError(f"{name} needs batches to validate on: give valid=")
    if checkpoint is None and checkpoint_every is not None:
        raise ValueError("checkpoint_every needs a folder to save in: give checkpoint=")
    if valid is not None:
        _check_batches(valid, "batches to validate on")
    if valid is not None and size_of(valid) == 0:
        raise ValueError("expected batches to validate on, got none: valid is empty")
    if hasattr(valid, "__next__"):
        raise ValueError("valid is gone through several times: give a list, not an iterator")


def _check_parts(model, optimizer, schedule, callbacks):
    """Refuse an optimiser, a schedule or callbacks that are none, or of another model."""
    _check_optimizer(model, optimizer)
    if schedule is not None and not callable(schedule):
        raise ValueError(f"expected a schedule from minibert.optim, got {schedule!r:.60}")
    if not isinstance(callbacks, Iterable) or any(isinstance(one, type) for one in callbacks):
        raise ValueError(f"expected a list of callbacks, each of them made, got {callbacks!r:.80}")


def _check_optimizer(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Refuse an optimiser that would not train this model."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(
            f"expected an optimiser that was made, such as torch.optim.Adam(model.parameters()), "
            f"got {optimizer!r:.80}"
        )
    own = {id(p) for p in model.parameters()}
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    if strange := sum(id(p) not in own for p in trained):
        raise ValueError(
            f"{strange} of the {len(trained)} tensors of the optimiser are not the model's: was "
            f"the model, or a layer of it, replaced after the optimiser was made? Make the "
            f"optimiser from this model"
        )
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    if not all(0 <= rate < math.inf for rate in rates) or not any(rates):
        raise ValueError(f"expected a learning rate above 0, got {', '.join(map(str, rates))}")
