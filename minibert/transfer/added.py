"""A model that rests, and the few weights that are added to it and learn."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from minibert.heads.features import LayerMix
from minibert.heads.head import Head, base_of
from minibert.models.encoder_decoder.model import EncoderDecoder
from minibert.models.gpt.model import GPT
from minibert.transfer import adapters, bitfit, lora, pal, prompts
from minibert.transfer.places import Replacement

METHODS: dict[str, Callable[..., list[Replacement]]] = {
    "adapters": adapters.put,
    "bitfit": bitfit.put,
    "lora": lora.put,
    "pal": pal.put,
    "prompts": prompts.put,
}


class Counts(NamedTuple):
    """How many numbers of a model learn, and how many there are; ``share`` is their ratio."""

    learning: int
    all: int

    @property
    def share(self) -> float:
        return self.learning / max(self.all, 1)


@dataclass(repr=False)
class Added:
    """What `add` has done to a model, which `remove` takes back.

    ``base``: a fingerprint of the model as it was. ``own``: parameters of the model itself that
    learn too, by name, with a copy of their values. ``learned``: which parameters learned before.
    ``merged``: matrices as they were before `merge`; None if nothing was merged.
    """

    method: str
    settings: dict[str, Any]
    base: str
    replacements: list[Replacement]
    own: dict[str, tuple[nn.Parameter, Tensor]]
    learned: list[tuple[nn.Parameter, bool]]
    merged: list[tuple[nn.Linear, Tensor]] | None = field(default=None)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"Added({self.method}{', ' if settings else ''}{settings})"

    @property
    def resting(self) -> set[nn.Parameter]:
        """The parameters that must not learn while something is added."""
        own = {parameter for parameter, _ in self.own.values()}
        return set() if self.merged is not None else {p for p, _ in self.learned} - own

    def put(self) -> None:
        """Let the model rest, and the new parts and `own` learn."""
        for parameter, _ in self.learned:
            parameter.requires_grad_(False)
        for parameter, _ in self.own.values():
            parameter.requires_grad_(True)
        for replacement in self.replacements:
            replacement.put()

    def take_off(self) -> None:
        """Put the old parts back, and let the parameters learn that learned before."""
        for replacement in reversed(self.replacements):
            replacement.take_off()
        for parameter, learned in self.learned:
            parameter.requires_grad_(learned)


def add(model: nn.Module, method: str, **settings: Any) -> Added:
    """Freeze a model, and add a few weights to it that learn.

    model: a BERT or a GPT, or a head on one, whose new layer goes on learning; with "bitfit" any
    model. The attention by which a GPT was joined to an encoder is new too, and goes on learning.
    method: "lora" (`minibert.transfer.lora`), "adapters", "pal", "prompts" or "bitfit";
    settings: those of ``put`` in the method's module, such as ``rank=8``. At first the model gives
    what it gave (with "adapters" nearly, with "prompts" not). Make the optimiser afterwards.

    Raises ValueError for an unknown method, for a model to which something was added before, and
    where nothing could learn: below a `LayerMix` that is frozen, or with heads inside, as in a
    `Multitask`.
    """
    base = below(model)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if (before := added_to(base)) is not None and before.merged is None:
        raise ValueError(f"{before.method} was added to this model: remove or merge it first")
    if method == "prompts" and any(_is_new(base, name) for name, _ in base.named_parameters()):
        raise ValueError("this GPT was joined to an encoder, and reads no prompts")
    old = {name: p for name, p in base.named_parameters() if not _is_new(base, name)}
    learned = [(parameter, parameter.requires_grad) for parameter in old.values()]
    own = {name: (p, p.detach().clone()) for name, p in old.items() if _learns(method, name)}
    replacements = METHODS[method](base, **settings)
    added = Added(method, settings, fingerprint(base), replacements, own, learned)
    added.put()
    base.added = added  # type: ignore[assignment]  # a plain attribute
    return added


def below(model: nn.Module) -> Any:
    """The model to which something is added; ValueError where it could not learn."""
    base = base_of(model)
    if any(isinstance(part, Head) for part in base.modules()):
        kind = type(model).__name__
        raise ValueError(f"expected a model or a head, got a {kind}: give the head inside it")
    if any(isinstance(part, LayerMix) and part.freeze for part in model.modules()):
        raise ValueError("its LayerMix is frozen: give freeze=False")
    return base


def _is_new(model: nn.Module, name: str) -> bool:
    """Whether a name is one of the attention by which a GPT was joined to an encoder."""
    return isinstance(model, GPT | EncoderDecoder) and ".cross" in name


def _learns(method: str, name: str) -> bool:
    """Whether a parameter of the model itself learns: with adapters, the norms of the blocks."""
    if method == "adapters":
        return name.startswith("stack.blocks.") and "_norm." in name
    return method == "bitfit" and bitfit.is_bias(name)


def remove(model: nn.Module) -> None:
    """Take off what was added, merged or not: the model is bit for bit what it was before.

    Only of what `add` and `merge` change is a copy kept: other weights that were trained meanwhile,
    as those of a merged model may be, stay as they are.

    Raises ValueError for a model to which nothing was added.
    """
    base, added = _found(model)
    if added.merged is None:
        added.take_off()
    _restore(added)
    for parameter, copy in added.own.values():
        parameter.data.copy_(copy)
        parameter.grad = None
    del base.added


def merge(model: nn.Module) -> None:
    """Add LoRA's changes into the matrices beside them: a plain model, as quick as before.

    `unmerge` takes that back. Raises ValueError for another method, and if it is merged already.
    """
    _, added = _found(model)
    if added.method != "lora":
        raise ValueError(f"{added.method} cannot be merged into other weights, only lora can")
    if added.merged is not None:
        raise ValueError("this model's lora was merged before: twice would count it twice")
    merged = [lora.merge(replacement) for replacement in added.replacements]
    added.take_off()
    added.merged = merged


def unmerge(model: nn.Module) -> None:
    """Undo `merge`: the matrices are bit for bit what they were, and LoRA stands beside them."""
    _, added = _found(model)
    if added.merged is None:
        raise ValueError(f"this model's {added.method} is not merged")
    _restore(added)
    added.put()


def _restore(added: Added) -> None:
    for linear, weight in added.merged or ():
        linear.weight.data.copy_(weight)
    added.merged = None


def added_to(model: nn.Module) -> Added | None:
    """What was added to a model, or to the one below a head; None if nothing was."""
    return getattr(base_of(model), "added", None)


def _found(model: nn.Module) -> tuple[Any, Added]:
    """(the model that was changed, what was added); ValueError if nothing was."""
    if (added := added_to(model)) is None:
        raise ValueError("nothing was added to this model: mb.transfer.add does that")
    return base_of(model), added


def counts(model: nn.Module) -> Counts:
    """How many numbers of a model learn, a head's new layer included."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return Counts(sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes))


@torch.no_grad()
def fingerprint(model: nn.Module) -> str:
    """A digest of a model's weights: two models have the same one if all their numbers agree.

    The attention by which a GPT was joined to an encoder, which is new, does not count.
    """
    digest = hashlib.sha256()
    old = {name: t for name, t in model.state_dict().items() if not _is_new(model, name)}
    for name, tensor in sorted(old.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
