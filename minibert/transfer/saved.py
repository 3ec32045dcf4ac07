"""What was added to a model, in a folder of its own: the model itself is not in it.

``added.json`` is the folder's card: the method and its settings, a fingerprint of the model as it
was, and its name where one was given. ``added.safetensors`` has everything that was learned. A head
has a ``head.json`` too (see `minibert.heads.files`), so that `load_head` can make it again.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from minibert.heads import files
from minibert.heads.head import Head, base_of
from minibert.storage.checkpoint import pack, unpack
from minibert.storage.safe_files import explained, read_json, write
from minibert.transfer.added import METHODS, add, added_to, below, fingerprint, remove

CONFIG, WEIGHTS = files.ADDED, "added.safetensors"
FEATURES = "features"  # nothing is added to the model, which gives a head its features


class Card(NamedTuple):
    """What ``added.json`` says; ``base``: the model's fingerprint, ``name``: what it is called."""

    method: str
    settings: dict[str, Any]
    base: str
    name: str | None = None


def save_added(model: nn.Module, folder: str | Path, base: str | Path | None = None) -> None:
    """Write what was added to a model, whether it learns now or not, and a head's own layer.

    base: what the model below is called, a name or a folder, by which `load_head` finds it again. A
    head on a model that is frozen as a whole has features only, and is saved in the same way.

    Raises ValueError for a model to which nothing was added, whose LoRA is merged, or of which a
    weight learns that is not saved; and where `add` would.
    """
    folder, card = Path(folder), _card(model, None if base is None else str(base))
    write(folder / WEIGHTS, pack(_own(model)))
    (folder / files.HEAD).unlink(missing_ok=True)
    if isinstance(model, Head):
        with suppress(ValueError):  # of a class that minibert does not know: `load_added` reads it
            files.describe(model, folder)
    write(folder / CONFIG, json.dumps(card._asdict(), indent=2).encode() + b"\n")


def load_added(model: nn.Module, folder: str | Path) -> None:
    """Add to a model what `save_added` wrote, in eval mode.

    ``model``: the very model, or a head on it of the same shape, as it was before; ValueError for
    another one, and for a folder that holds something else. The model is then as it was.
    """
    folder = Path(folder)
    card = _read(folder)
    _check_base(base_of(model), card, folder)
    with _as_before(base_of(model)):
        _put(model, card, _tensors(folder), folder)


def load_head(folder: str | Path, base: str | Path | nn.Module | None = None) -> Any:
    """The head that `save_added` wrote, on its base, in eval mode; ``from_pretrained`` calls it.

    base: the model below, which is changed as `add` changes it, or its name or folder; by default
    the name that the folder gives. Raises FileNotFoundError where it is not found, and ValueError
    for another model than the head was learned on, which is then as it was.
    """
    folder = Path(folder)
    card, tensors = _read(folder), _tensors(folder)
    model = base if isinstance(base, nn.Module) else _found(folder, base or card.name)
    _check_base(model, card, folder)
    with _as_before(model):
        head = files.on_base(folder, model, tensors).to(next(model.parameters()).device)
        _put(head, card, tensors, folder)
    return head


def _card(model: nn.Module, name: str | None) -> Card:
    """The card of a model that can be saved; raises ValueError."""
    added, base = added_to(model), base_of(model)
    if added is None and base is not model and not any(p.requires_grad for p in base.parameters()):
        return Card(FEATURES, {}, fingerprint(base), name)
    below(model)
    if added is None or added.merged is not None:
        told = "nothing was added to this model" if added is None else "lora is merged: unmerge it"
        raise ValueError(f"expected a model with something added to it, but {told}")
    return Card(added.method, added.settings, added.base, name)


def _own(model: nn.Module) -> dict[str, Tensor]:
    """What is saved: what was added, and all tensors of a head that are not those of its base."""
    added, base = added_to(model), base_of(model)
    resting = set(base.parameters()) if added is None else added.resting
    if awake := [name for name, p in model.named_parameters() if p in resting and p.requires_grad]:
        raise ValueError(f"expected that only what was added learns, but {awake[0]} learns too")
    own = {name: p.detach() for name, p in model.named_parameters() if p not in resting}
    theirs = {id(tensor) for tensor in base.state_dict(keep_vars=True).values()}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in theirs:
            own[name] = tensor.detach()
    return own


def _put(model: nn.Module, card: Card, tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Add to a model what the card says, and fill it; ValueError where they do not fit."""
    if card.method == FEATURES:
        base_of(model).requires_grad_(False)
    else:
        try:
            add(model, card.method, **card.settings)
        except TypeError as error:
            told = f"{folder / CONFIG} has settings that {card.method} does not know"
            raise ValueError(told) from error
    own = _own(model)
    wrong = set(own) ^ set(tensors)
    wrong |= {name for name in set(own) & set(tensors) if own[name].shape != tensors[name].shape}
    if wrong:
        raise ValueError(f"{folder} does not fit this model: {sorted(wrong)[0]} is not the same")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
    model.eval()


@contextmanager
def _as_before(base: nn.Module) -> Iterator[None]:
    """After an error within it, a model learns, rests and is in the mode it was before."""
    added, learned = added_to(base), [(p, p.requires_grad) for p in base.parameters()]
    modes = [(module, module.training) for module in base.modules()]
    try:
        yield
    except BaseException:
        if added_to(base) is not added:
            remove(base)
        for parameter, learns in learned:
            parameter.requires_grad_(learns)
        for module, mode in modes:
            module.training = mode
        raise


def _check_base(model: nn.Module, card: Card, folder: Path) -> None:
    if (before := added_to(model)) is not None and before.merged is None:
        raise ValueError(f"{before.method} was added to this model: remove or merge it first")
    if card.base != fingerprint(model):
        named = f" ({card.name})" if card.name else ""
        told = f"learned on a model with other weights than this one{named}"
        raise ValueError(f"{folder} was {told}")


def _found(folder: Path, name: str | Path | None) -> nn.Module:
    """The base of a saved head by its name or folder."""
    if name is None:
        raise ValueError(f"{folder} does not say what its base is called: give base")
    kind: Any = files.base_class(folder)
    try:
        return kind.from_pretrained(name)
    except FileNotFoundError as error:
        told = f"the {kind.__name__} that {folder} was learned on is not found; give base"
        raise FileNotFoundError(f"{told}: {error}") from error


def _tensors(folder: Path) -> dict[str, Tensor]:
    with explained(folder / WEIGHTS):
        return unpack((folder / WEIGHTS).read_bytes())


def _read(folder: Path) -> Card:
    """The card of a folder; ValueError for one that `save_added` did not write."""
    about, needed = read_json(folder / CONFIG), {"method", "settings", "base"}
    known = isinstance(about, dict) and needed <= set(about) <= {*Card._fields}
    known = known and about["method"] in [*METHODS, FEATURES]
    known = known and isinstance(about["settings"], dict)
    if not known or not isinstance(about.get("name"), str | None):
        raise ValueError(f"{folder / CONFIG} is not what mb.transfer.save_added writes")
    given = about["settings"].items()  # JSON knows no tuples
    settings = {n: tuple(v) if isinstance(v, list) else v for n, v in given}
    return Card(**about | {"settings": settings})
