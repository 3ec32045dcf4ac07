"""Where small parts go into a Transformer: its blocks, and the linear layers in them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from minibert.heads.head import base_of
from minibert.models.bert.model import BERT
from minibert.models.gpt.model import GPT
from minibert.models.transformer.model import Block

ATTENTION, FEED_FORWARD = ("query", "key", "value", "output"), ("inner", "outer", "gate")


@dataclass
class Replacement:
    """``owner.name``, a module of a model, and what takes its place; ``old``: what stood there."""

    owner: nn.Module
    name: str
    new: nn.Module

    def __post_init__(self) -> None:
        self.old: nn.Module = getattr(self.owner, self.name)

    def put(self) -> None:
        setattr(self.owner, self.name, self.new.train(self.old.training))

    def take_off(self) -> None:
        setattr(self.owner, self.name, self.old.train(self.new.training))


def blocks_of(model: Any) -> list[Block]:
    """The blocks of a BERT or a GPT, or of one below a head; ValueError for another model."""
    model = base_of(model)
    if not isinstance(model, BERT | GPT):
        kind = type(model).__name__
        raise ValueError(f"this goes into the blocks of a BERT or a GPT, and {kind} has none")
    return cast("list[Block]", list(model.stack.blocks))


def linear_layers(block: Block, names: Iterable[str]) -> Iterator[tuple[nn.Module, str]]:
    """(owner, name) of a block's linear layers; ValueError for one that it does not have."""
    for name in names:
        owner = block.attention if name in ATTENTION else block.ffn
        if name not in ATTENTION + FEED_FORWARD or getattr(owner, name) is None:
            known = ", ".join(ATTENTION + FEED_FORWARD[:2])
            raise ValueError(f"expected layers out of {known}, got {name!r}")
        yield owner, name
