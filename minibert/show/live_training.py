"""One training run on a small task, in one of several ways, and what it costs."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from minibert.data.examples import given, wanted
from minibert.heads.classify import SequenceClassifier, TokenClassifier
from minibert.heads.features import LayerMix
from minibert.heads.head import Head, base_of
from minibert.models.cheap import Majority, MostFrequentTag, WordCounts
from minibert.models.gpt.model import GPT
from minibert.show.action import apart
from minibert.text.batches import PaddedBatches
from minibert.training.loop import fit, to_device
from minibert.training.optim import adamw, linear
from minibert.transfer.added import METHODS, add, counts
from minibert.transfer.places import blocks_of
from minibert.transfer.schedules import freeze

FULL, FEATURES, SCRATCH = "full", "features", "scratch"
RATES = {  # of each way: few weights take larger steps than many
    FULL: 1e-3, FEATURES: 1e-2, "adapters": 3e-3, "lora": 3e-3, "bitfit": 1e-2, "prompts": 3e-2,
    "pal": 3e-3, SCRATCH: 1e-3,
}  # fmt: skip
SIZES = {"lora": "rank", "adapters": "size", "prompts": "length", "pal": "size"}
STATE = 12  # bytes that each learning number takes: its gradient, and two of AdamW's
LAST = 4  # layers whose states are the features
Report = Callable[[int, int, float], None]  # (update, updates, loss)


class LiveTraining:
    """Train a copy of a model on a few examples of a task, and say what it cost.

    model: a BERT or a GPT with a tokenizer. task: one of ``mb.world.task`` with a label for each
    text, pair or word, or anything with its ``train``, ``test`` and ``name``. examples: to learn
    from; test: to be scored on; both are drawn by ``seed``. steps: updates of ``batch_size``.

    Raises ValueError for a model without blocks, and for a task of another kind.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Any,
        *,
        examples: int = 160,
        test: int = 200,
        steps: int = 40,
        batch_size: int = 16,
        seed: int = 0,
    ) -> None:
        self.model, self.blocks, self.name = base_of(model), len(blocks_of(model)), str(task.name)
        self.steps, self.batch_size, self.seed = steps, batch_size, seed
        draw = random.Random(seed)
        self.train_on = draw.sample(list(task.train), min(examples, len(task.train)))
        self.test_on = draw.sample(list(task.test), min(test, len(task.test)))
        self.labels = [str(label) for label in task.labels]
        if not self.labels or (self.train_on[0].label is None and self.train_on[0].labels is None):
            raise ValueError(f"Expected a task with labels of texts or words, got {self.name}.")
        self.words = self.train_on[0].labels is not None

    @property
    def ways(self) -> list[str]:
        """The ways to train."""
        return list(RATES)

    def rate_of(self, way: str) -> float:
        """The usual rate of a way; ValueError for an unknown one."""
        if way not in RATES:
            raise ValueError(f"Expected a way out of {', '.join(RATES)}, got {way!r}.")
        return RATES[way]

    def baselines(self) -> dict[str, float]:
        """What costs next to nothing: the score of word counts, and of always one answer."""
        if self.words:
            found: dict[str, Any] = {"most frequent tag": MostFrequentTag()}
        else:
            found = {"word counts": WordCounts(), "always one answer": Majority()}
        return {n: one.fit(self.train_on).score(self.test_on) for n, one in found.items()}

    def train(
        self,
        way: str,
        rate: float | None = None,
        size: int | None = None,
        blocks: int | None = None,
        *,
        report: Report | None = None,
    ) -> dict[str, float]:
        """Train in one way; gives "score", "share", "seconds" and "bytes" of the run.

        rate: the highest, after a tenth of the updates. size: LoRA's rank, the numbers in an
        adapter, the soft prompts, or the width of the narrow attention. blocks: with "full", how
        many of the top blocks learn; all of the model by default. report: called after each update.
        The seconds are those of the processor; the bytes are held by the largest of the first
        batches: activations kept for the gradient, gradients and the optimiser's state.

        Raises ValueError for an unknown way, and FloatingPointError where the loss is not finite.
        """
        rate = self.rate_of(way) if rate is None else rate
        with apart(self.model, self.seed) as copied:
            head = self.head_of(way, copied, size, blocks)
            batches = batches_of(head, self.train_on, self.batch_size, self.seed)
            held = held_bytes(head, next(iter(batches.of_epoch(0))))
            optimizer = adamw(head, rate)
            start = time.process_time()
            fit(
                head, batches, self.steps, optimizer=optimizer, progress=False, reraise=True,
                schedule=linear(self.steps, warmup=max(1, self.steps // 10)),
                callbacks=[] if report is None else [_Reported(report)],
            )  # fmt: skip
            seconds = time.process_time() - start
            found = {"score": share_right(head, self.test_on), "share": counts(head).share}
        return found | {"seconds": seconds, "bytes": float(held)}

    def head_of(self, way: str, model: Any, size: int | None, blocks: int | None) -> Head:
        """The model with its new layer, and with what is added to it; it is changed."""
        if way == SCRATCH:
            base = base_of(model)
            std = 0.6 / base.config.dim**0.5  # of random weights; 0.02 in BERT-base
            model = type(base)(replace(base.config, init_std=std), base.tokenizer)
        if way == FEATURES:
            layers = tuple(range(-min(LAST, self.blocks), 0))
            return classifier(LayerMix(model, layers), self.labels, self.words, mean=True)
        head = classifier(model, self.labels, self.words)
        if way in METHODS:
            add(head, way, **settings_of(way, model, size))
        elif way == FULL and blocks is not None and blocks < self.blocks:
            freeze(head, 1 + self.blocks - blocks)  # the embeddings, and the blocks below
        return head


def classifier(encoder: nn.Module, labels: Sequence[str], words: bool, mean: bool = False) -> Head:
    """A new layer for labels of words or of texts, read from all words with ``mean``."""
    if words:
        return TokenClassifier(encoder, labels)
    pooling = "mean" if mean else "last" if isinstance(encoder, GPT) else "first"
    return SequenceClassifier(encoder, labels, pooling=pooling)


def batches_of(head: Head, examples: Sequence[Any], size: int, seed: int) -> PaddedBatches:
    """The batches of a head from examples that have labels."""
    labels: list[Any] = [wanted(one) for one in examples]
    labels = [str(label) if isinstance(label, int) else label for label in labels]
    return head.batches(head.examples([given(one) for one in examples], labels), size, seed=seed)


def share_right(head: Head, examples: Sequence[Any]) -> float:
    """The share of labels that a head says rightly, 0 to 1."""
    said, right = head.predict([given(one) for one in examples]).labels, list[bool]()
    for one, label in zip(examples, said, strict=True):
        pairs = [(label, one.label)] if one.labels is None else zip(label, one.labels, strict=False)
        right += [str(a) == str(b) for a, b in pairs]
    return sum(right) / len(right)


class _Reported:
    """A callback that tells of each update."""

    def __init__(self, report):
        self.report = report

    def on_step(self, run):
        self.report(run.step, run.steps, run.history.loss[-1])


def settings_of(way: str, model: nn.Module, size: int | None) -> dict[str, Any]:
    """The settings of `minibert.transfer.add` for a size; narrow attention has a head for each 4.

    Without a size, an adapter and the narrow attention are a quarter as wide as the model.
    """
    base = base_of(model)
    if way == "pal":
        size = max(1, (size or base.config.dim // 4) // 4) * 4
        return {"size": size, "heads": size // 4}
    if way == "adapters" and size is None:
        size = max(1, base.config.dim // 4)
    return {SIZES[way]: size} if way in SIZES and size else {}


def held_bytes(head: Any, batch: Any) -> int:
    """The bytes that an update holds beside the weights: activations, gradients, AdamW's state."""
    device = next(head.parameters()).device
    own = {p.untyped_storage().data_ptr() for p in head.parameters()}
    kept = dict[int, tuple[int, torch.Tensor]]()

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes(), tensor  # held, so that no other gets it
        return tensor

    head.train()
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss, _ = head.loss(to_device(batch, device))
    del loss
    return sum(size for size, _ in kept.values()) + STATE * counts(head).learning
