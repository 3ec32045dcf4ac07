"""Anchors: what a model learned before holds on to it while it learns something else.

Each anchor adds a penalty to the mean loss that `minibert.fit` minimises::

    with mb.transfer.anchored(head, mb.transfer.L2SP(head.encoder, weight=0.1)):
        mb.fit(head, batches, optimizer=mb.optim.adamw(head, weight_decay=0))

`L2SP` and `EWC` pull weights back to where they were, `LwF` predictions. Weight decay pulls weights
to 0, so it is turned off where an anchor pulls them elsewhere. What was forgotten is seen in the
loss on the old text, before and after: ``mb.training.evaluate(old, batches)``.
"""

import copy
import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.heads.causal import CausalLM
from minibert.heads.head import Head
from minibert.heads.labels import CLASSES
from minibert.heads.parser import Parser
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.gpt.model import GPT
from minibert.text.batches import Batch
from minibert.text.inputs import of_batch, whole_mask
from minibert.transfer.fisher_information import check_within


class Anchor(Protocol):
    """What `anchored` takes: a penalty on the mean loss."""

    def begin(self, model: nn.Module) -> None:
        """Called before the model is trained: ValueError for one that it was not made for."""

    def penalty(self, model: nn.Module, batch: Batch) -> Tensor | float:
        """What is added to the mean loss of the batch: a scalar with a gradient, or 0.0."""


@contextmanager
def anchored(model: nn.Module, *anchors: Anchor) -> Iterator[None]:
    """Within it, penalties are added to the loss that a model learns from.

    ``model.loss`` then gives (sum of losses + count * sum of penalties, count) in training mode,
    and what it always gives in eval mode, so that validation losses can be compared. Afterwards,
    also after an error, the model has its own loss again. Raises ValueError for a model without
    ``loss``, and for an anchor that was made from another one.
    """
    lent: Any = model
    if not hasattr(lent, "loss"):
        raise ValueError(f"expected a model with loss(batch), and a {type(lent).__name__} has none")
    for anchor in anchors:
        anchor.begin(model)
    plain, outer = lent.loss, "loss" in vars(lent)  # another `anchored` may be around this one

    def loss(batch: Batch) -> tuple[Tensor, float]:
        losses, count = plain(batch)
        if model.training:
            losses = losses + count * sum(anchor.penalty(model, batch) for anchor in anchors)
        return losses, count

    lent.loss = loss
    try:
        yield
    finally:
        del lent.loss
        if outer:
            lent.loss = plain


class L2SP:
    """Weights are pulled back to their start, and those of the new layers to 0.

    weight / 2 * |w - start|^2 + new / 2 * |other matrices|^2 (Li, Grandvalet & Davoine 2018,
    "Explicit Inductive Bias for Transfer Learning with Convolutional Networks", arXiv:1802.01483,
    section 3; for question answering: Wiese, Weissenborn & Neves 2017, arXiv:1706.03610).

    part: the module that is pulled back, such as ``head.encoder``, to its weights of now. new: the
    decay of the model's matrices outside of it; 0 leaves them. Raises ValueError for a weight below
    0.
    """

    def __init__(self, part: nn.Module, weight: float = 0.1, new: float = 0.0) -> None:
        self.part, self.weight, self.new = part, _checked(weight), _checked(new)
        self.start = {name: p.detach().clone() for name, p in part.named_parameters()}

    def begin(self, model: nn.Module) -> None:
        """Raises ValueError unless ``part`` is in the model and has the weights that it had."""
        check_within(model, self.part)
        _check_fits(self.part, self.start)

    def penalty(self, model: nn.Module, batch: Batch) -> Tensor | float:
        """A scalar; the batch plays no role."""
        own = dict(self.part.named_parameters())
        found: Tensor | float = 0.0
        if self.weight:
            self.start = {name: start.to(own[name].device) for name, start in self.start.items()}
            found += self.weight / 2 * sum(self.pulled(name, own[name]) for name in self.start)
        if self.new:
            inside = set(own.values())
            others = [p for p in model.parameters() if p.ndim > 1 and p not in inside]
            found += self.new / 2 * sum(p.square().sum() for p in others)
        return found

    def pulled(self, name: str, parameter: Tensor) -> Tensor:
        """|w - start|^2 of one parameter."""
        return (parameter - self.start[name]).square().sum()


class EWC(L2SP):
    """Each weight is pulled back as strongly as the old task needs it.

    weight / 2 * the sum of F (w - start)^2, with F the diagonal of the Fisher information:
    Kirkpatrick et al. 2017, "Overcoming Catastrophic Forgetting in Neural Networks",
    arXiv:1612.00796, equation 3. weight: in its derivation, the old task's examples for each target
    of the new one.

    part: the module that is pulled back to its weights of now. fisher: `minibert.transfer.fisher`
    of it, a tensor for each parameter by name; parameters that it does not name are free. Raises
    ValueError for names and shapes that the part does not have, and for a weight below 0.
    """

    def __init__(self, part: nn.Module, fisher: Mapping[str, Tensor], weight: float = 1.0) -> None:
        super().__init__(part, weight)
        _check_fits(part, fisher)
        self.fisher = dict(fisher)

    def pulled(self, name: str, parameter: Tensor) -> Tensor:
        """F (w - start)^2 of one parameter."""
        if name not in self.fisher:
            return parameter.new_zeros(())
        self.fisher[name] = self.fisher[name].to(parameter.device)
        return (self.fisher[name] * (parameter - self.start[name]).square()).sum()


class LwF:
    """Learning without forgetting: on the new text, the old task is predicted as it was.

    Li & Hoiem 2016, "Learning without Forgetting", arXiv:1606.09282, section 3: weight times the
    divergence of today's predictions from the old ones, KL(old || now), both softened by
    ``temperature``, averaged over texts (or over tokens). The paper has the cross-entropy, whose
    gradient is the same.

    old: a head with scores of classes, or a GPT or a forward AWD-LSTM, that shares its encoder with
    the model to be trained; a copy of it is kept. Its layers that the model does not have stay as
    they are. Raises ValueError for another head, and numbers that are out of range.
    """

    def __init__(self, old: nn.Module, weight: float = 1.0, temperature: float = 2.0) -> None:
        self.old: Any = CausalLM(old) if isinstance(old, GPT | AWDLSTM) else old
        outcome = getattr(self.old, "outcome", None)
        scores = isinstance(self.old, Head) and isinstance(self.old.per_token, bool)
        scores = scores and not isinstance(self.old, Parser)
        if not scores or (outcome is not None and outcome.problem != CLASSES):
            told = f"such as a SequenceClassifier or a MaskedLM, got a {type(old).__name__}"
            raise ValueError(f"expected a head with scores of classes, {told}")
        if not 0 < temperature < math.inf:
            raise ValueError(f"expected a finite temperature above 0, got {temperature}")
        self.weight, self.temperature = _checked(weight), temperature
        self.before = copy.deepcopy(self.old).eval().requires_grad_(False)
        self.fixed = dict[str, Tensor]()

    def begin(self, model: nn.Module) -> None:
        """Raises ValueError for a model that shares no weight with the old one."""
        if not set(self.old.parameters()) & set(model.parameters()):
            told = "its predictions would not change: build both heads on one encoder"
            raise ValueError(f"expected an old model that shares weights with this one; {told}")
        learning = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
        tensors = (*self.old.named_parameters(), *self.old.named_buffers())
        self.fixed = {name: t.detach().clone() for name, t in tensors if id(t) not in learning}

    def penalty(self, model: nn.Module, batch: Batch) -> Tensor | float:
        """A scalar, on the batch's texts; its labels play no role."""
        if not self.weight:
            return 0.0
        device = of_batch(batch, "input_ids").device
        self.fixed = {name: tensor.to(device) for name, tensor in self.fixed.items()}
        taken = inspect.signature(self.old.forward).parameters
        given = {name: batch[name] for name in batch if name in taken}
        now = torch.func.functional_call(self.old, self.fixed, (), given)
        with torch.no_grad():
            before = self.before.to(device)(**given)
        if not torch.is_tensor(now):
            kind = type(self.old).__name__
            raise ValueError(f"expected one tensor of scores of classes, a {kind} gives several")
        if self.old.per_token:
            real = whole_mask(batch["input_ids"], batch.get("attention_mask")).bool()
            now, before = now[real], before[real]  # (tokens, classes)
        soft, goal = ((x / self.temperature).log_softmax(-1) for x in (now, before))
        return self.weight * F.kl_div(soft, goal, reduction="batchmean", log_target=True)


def _checked(weight: float) -> float:
    if not 0 <= weight < math.inf:
        raise ValueError(f"expected a weight of 0 or more, got {weight}")
    return weight


def _check_fits(part: nn.Module, anchor: Mapping[str, Tensor]) -> None:
    """Refuse names and shapes that the part does not have."""
    shapes = {name: tuple(p.shape) for name, p in part.named_parameters()}
    for name, tensor in anchor.items():
        if shapes.get(name) != tuple(tensor.shape):
            told = f"{name} is {tuple(tensor.shape)} there and {shapes.get(name, 'absent')} here"
            kind = type(part).__name__
            raise ValueError(f"the anchor is of other weights than this {kind} has: {told}")
