"""The three stages of ULMFiT in one function.

Howard & Ruder (2018), "Universal Language Model Fine-tuning for Text Classification",
arXiv:1801.06146, section 3.
"""

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from minibert.heads.pooling import PoolingClassifier
from minibert.heads.predictions import predict
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.text.batches import PaddedBatches
from minibert.training.callbacks import RateByLength
from minibert.training.history import History
from minibert.training.loop import evaluate, fit
from minibert.training.optim import adamw, slanted_triangular
from minibert.transfer.groups import discriminative_groups, layer_groups
from minibert.transfer.schedules import ORDERS, following, rates

Ids = Sequence[int] | np.ndarray
Stream = Ids | tuple[Ids, Ids]  # to learn from, or that and another to validate on
Examples = Sequence[dict[str, Any]]


@dataclass
class ULMFiTConfig:
    """How each stage trains; the epochs of a stage that has no data are not used.

    ``*_epochs``, ``*_rate``: of the general language model, of the same on the target's text, and
    of the classifier. ``streams``, ``bptt``: parallel texts and window of the language model;
    ``batch_size``: documents per batch of the classifier. ``factor``: each layer's rate is that of
    the layer above, divided by this (1: all equal). ``cut``, ``ratio``: the slanted triangle;
    ``slanted=False`` keeps the rate constant. ``unfreezing``: the order in which layers learn, see
    `minibert.transfer.rates`. ``unfreeze_share``: the share of the classifier's updates after which
    all layers learn. ``max_len``, ``dropout``: see `PoolingClassifier`.
    """

    general_epochs: int = 10
    general_rate: float = 3e-3
    target_epochs: int = 5
    target_rate: float = 2e-3
    _: KW_ONLY
    classifier_epochs: int = 10
    classifier_rate: float = 1e-2
    streams: int = 32
    bptt: int = 70
    batch_size: int = 32
    factor: float = 2.6
    cut: float = 0.1
    ratio: float = 32
    slanted: bool = True
    unfreezing: str = "gradual"
    unfreeze_share: float = 0.5
    max_len: int = 1400
    dropout: tuple[float, float] = (0.4, 0.1)
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        if self.unfreezing not in ORDERS:
            expected = ", ".join(map(repr, ORDERS))
            raise ValueError(f"unfreezing must be one of {expected}, got {self.unfreezing!r}")


@dataclass
class Adapted:
    """What `ulmfit` returns: ``classifier``, ``histories`` and ``error``.

    ``histories``: of the stages that ran ("general", "target", "classifier"); ``error``: the share
    of ``valid`` that is classified wrongly, or None.
    """

    classifier: PoolingClassifier
    histories: dict[str, History] = field(default_factory=dict)
    error: float | None = None


def ulmfit(
    model: AWDLSTM,
    train: Examples,
    labels: int | Sequence[str],
    general: Stream | None = None,
    *,
    target: Stream | None = None,
    valid: Examples | None = None,
    config: ULMFiTConfig | None = None,
    seed: int = 0,
    callbacks: Iterable[Any] = (),
    progress: bool = True,
    checkpoint: Path | str | None = None,
    **saving: Any,
) -> Adapted:
    """From a language model to a classifier in three stages; returns an `Adapted`.

    model: an `AWDLSTM`; it is trained in place, and becomes the classifier's encoder.
    train: labelled examples, dicts of ``input_ids`` (ids in reading order) and ``labels`` (0 to
        ``labels`` - 1); `minibert.transfer.stages.document` adds the model's start token.
        ``labels``: number of classes, or their names.
    general: ids of any text, one long stream, for stage 1; None where the model has learned a
        language already. target: ids of text like that of the task, no labels needed, for stage 2;
        None leaves the stage out. A pair is (ids to learn from, ids to validate on).
    valid: labelled examples for ``error``. callbacks: of the classifier's training. checkpoint: a
        folder in which each stage is saved, so that the same call can continue after a stop;
        ``saving``: `minibert.fit`'s ``checkpoint_every`` and ``resume``.

    Raises KeyboardInterrupt on Ctrl-C: no stage begins from one that is not finished.
    """
    config, histories = config or ULMFiTConfig(), {}
    decay = config.weight_decay

    def options(stage: str) -> dict[str, Any]:
        folder = None if checkpoint is None else Path(checkpoint) / stage
        how = {"config": config, "seed": seed, "progress": progress, "checkpoint": folder}
        return {**how, "reraise": True, **saving}

    # 1. A language model learns the language from any text.
    if general is not None:
        optimizer = adamw(model, config.general_rate, decay, betas=(0.8, 0.99))
        how = options("general")
        histories["general"] = learn_text(model, general, config.general_epochs, optimizer, **how)

    # 2. It learns how the texts of the task are written: lower layers slowly, higher ones faster.
    if target is not None:
        groups = discriminative_groups(model, config.target_rate, config.factor, decay)
        optimizer = adamw(groups, betas=(0.8, 0.99))
        how = options("target")
        histories["target"] = learn_text(model, target, config.target_epochs, optimizer, **how)

    # 3. A classifier on top learns from the labels; the layers below are unfrozen one by one.
    classifier = PoolingClassifier(
        model, labels, dropout=config.dropout, bptt=config.bptt, max_len=config.max_len
    )
    how = options("classifier")
    histories["classifier"] = learn_labels(classifier, train, callbacks=callbacks, **how)
    wrong = None if valid is None else error(classifier, valid, config.batch_size)
    return Adapted(classifier, histories, wrong)


def learn_text(
    model: AWDLSTM,
    ids: Stream,
    epochs: int,
    optimizer: torch.optim.Optimizer,
    *,
    config: ULMFiTConfig,
    seed: int = 0,
    **options: Any,
) -> History:
    """Train a language model on a `Stream` of ids; ``options``: those of `minibert.fit`."""
    ids, held_out = ids if isinstance(ids, tuple) else (ids, None)
    if held_out is not None:
        options["valid"] = model.batches(held_out, config.streams, config.bptt)
    batches = model.batches(ids, config.streams, config.bptt, vary=True, seed=seed)
    steps = epochs * len(batches)
    options["callbacks"] = [RateByLength(config.bptt), *options.get("callbacks", ())]
    options |= {"optimizer": optimizer, "schedule": _schedule(steps, config)}
    return fit(model, batches, steps=steps, **options)


def learn_labels(
    classifier: PoolingClassifier,
    examples: Examples,
    config: ULMFiTConfig,
    callbacks: Iterable[Any] = (),
    *,
    seed: int = 0,
    **options: Any,
) -> History:
    """Train a classifier on labelled examples with discriminative rates and gradual unfreezing."""
    alone = len(examples) % config.batch_size == 1  # a last batch of one example
    batches = PaddedBatches(examples, config.batch_size, drop_last=alone, seed=seed)
    steps = config.classifier_epochs * len(batches)
    plan = rates(
        config.unfreezing,
        len(layer_groups(classifier)),
        steps,
        config.classifier_rate,
        factor=config.factor,
        schedule=_schedule(steps, config),
        share=config.unfreeze_share,
    )
    how = following(classifier, plan, config.weight_decay, betas=(0.8, 0.99))
    how["callbacks"] += callbacks
    return fit(classifier, batches, **how, **options)


def document(ids: Iterable[int], model: AWDLSTM) -> list[int]:
    """A text's ids with the model's start token where the model begins to read."""
    ids, start = list(ids), [model.config.start_id]
    return ids + start if model.backward_reader else start + ids


def error(classifier: PoolingClassifier, examples: Examples, batch_size: int = 32) -> float:
    """The share of labelled examples that are classified wrongly."""
    batches = PaddedBatches(examples, batch_size, shuffle=False, by_length=False)
    truth = torch.tensor([example["labels"] for example in examples])
    return (predict(classifier, batches) != truth).float().mean().item()


def nats_a_token(model: AWDLSTM, ids: Ids, config: ULMFiTConfig | None = None) -> float:
    """The mean loss of a language model on a stream of ids; its exponential is the perplexity."""
    config = config or ULMFiTConfig()
    return evaluate(model, model.batches(ids, config.streams, config.bptt))


def _schedule(steps, config):
    return slanted_triangular(steps, config.cut, config.ratio) if config.slanted else None
